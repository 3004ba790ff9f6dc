// A node in a process of its own, on the Redis and the SQLite file that its arguments name. It says its port, and ends by SIGTERM.
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdapter } from "@socket.io/redis-streams-adapter";
import { createClient } from "redis";
import { Server } from "socket.io";
import { ServiceManager, SocketIngress } from "socket-ingress";
import { Collab } from "socket-ingress/collab";
import { Realtime } from "socket-ingress/realtime";
import { storeIn } from "./store-file.js";
import { recordingLog } from "../../fixtures/recording-log.js";

const [redisPath = "", file = "", autosaveMs = "", maxUnsavedMs = "", graceMs = ""] = process.argv.slice(2);
const httpServer = createServer();
const io = new Server(httpServer);
if (redisPath !== "") {
  const client = createClient({ socket: { path: redisPath, tls: false, reconnectStrategy: 20 } });
  client.on("error", () => undefined);
  await client.connect();
  io.adapter(createAdapter(client, { blockTimeInMs: 50 }));
}
const store = storeIn(file);
await store.migrate();
const log = recordingLog();
const ingress = new SocketIngress({ logger: log });
const realtime = new Realtime({ user: ({ handshake }) => (handshake.auth as { user?: string }).user });
const collab = new Collab({
  realtime,
  store,
  autosaveMs: Number(autosaveMs),
  maxUnsavedMs: Number(maxUnsavedMs),
});
collab.define("doc:{id}", () => "write");
ingress.subscribe("slow", () => new Promise(() => undefined), { timeoutMs: Infinity });
ingress.subscribe("sync", () => true);
const manager = new ServiceManager(io, { logger: log, ingress }).registerHandler(realtime).registerHandler(collab);
await manager.boot();
manager.shutdownOnSignals({ graceMs: Number(graceMs) });

httpServer.listen(0, "127.0.0.1");
await once(httpServer, "listening");
process.send?.({ port: (httpServer.address() as AddressInfo).port });
