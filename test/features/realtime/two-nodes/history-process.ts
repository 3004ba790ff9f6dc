// A node in a process of its own, on the Redis whose socket is the first argument: it pushes what it is told to, and says when the log has it.
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdapter } from "@socket.io/redis-streams-adapter";
import { createClient } from "redis";
import { Server } from "socket.io";
import { ServiceManager, SocketIngress } from "socket-ingress";
import { Realtime, RedisTopicLog } from "socket-ingress/realtime";
import { recordingLog } from "../../../fixtures/recording-log.js";

const connect = async () => {
  const client = createClient({ socket: { path: process.argv[2] ?? "", tls: false, reconnectStrategy: 20 } });
  client.on("error", () => undefined);
  await client.connect();
  return client;
};
const [forAdapter, forLog] = [await connect(), await connect()];
const httpServer = createServer();
const io = new Server(httpServer, { adapter: createAdapter(forAdapter, { blockTimeInMs: 50 }) });
const log = recordingLog();
const ingress = new SocketIngress({ logger: log });
const realtime = new Realtime({ log: new RedisTopicLog(forLog) });
for (const name of ["post", "all"])
  realtime.topics.define(name, { public: true, history: { keep: 10_000, maxAgeMs: 600_000 } });
ingress.subscribe("sync", () => true);
await new ServiceManager(io, { logger: log, ingress }).registerHandler(realtime).boot();

process.on("message", ({ n, topics }: { n: number; topics: string[] }) => {
  realtime.emitSocket("said", n, { topics }).then(
    () => process.send?.({ pushed: n }),
    (error: unknown) => process.send?.({ failed: n, error: String(error) }),
  );
});

httpServer.listen(0, "127.0.0.1");
await once(httpServer, "listening");
process.send?.({ port: (httpServer.address() as AddressInfo).port });
