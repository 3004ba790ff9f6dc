// A node in a process of its own, on the Redis whose socket is the first argument: it counts its connections with the others.
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdapter } from "@socket.io/redis-streams-adapter";
import { createClient } from "redis";
import { Server } from "socket.io";
import { ServiceManager, SocketIngress } from "socket-ingress";
import { Limits } from "socket-ingress/limits";
import { Realtime } from "socket-ingress/realtime";
import { recordingLog } from "../../fixtures/recording-log.js";
import type { As } from "../realtime/door.js";

const client = createClient({ socket: { path: process.argv[2] ?? "", tls: false } });
client.on("error", () => undefined);
await client.connect();
const httpServer = createServer();
const io = new Server(httpServer, { adapter: createAdapter(client, { blockTimeInMs: 50 }) });
const log = recordingLog();
const ingress = new SocketIngress({ logger: log });
const realtime = new Realtime({ user: ({ handshake }) => (handshake.auth as As).user });
const limits = new Limits({ realtime });
limits.connections({ max: 20, perUser: 1, whenUserIsFull: "closeOldest" });
await new ServiceManager(io, { logger: log, ingress }).registerHandler(realtime).registerHandler(limits).boot();

httpServer.listen(0, "127.0.0.1");
await once(httpServer, "listening");
process.send?.({ port: (httpServer.address() as AddressInfo).port });
