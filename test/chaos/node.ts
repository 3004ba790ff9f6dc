import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { createAdapter } from "@socket.io/redis-streams-adapter";
import { createClient } from "redis";
import { Server } from "socket.io";
import { type EventContext, ServiceManager } from "socket-ingress";
import { Realtime, RedisCallStore, RedisTopicLog } from "socket-ingress/realtime";
import { recordingLog } from "../fixtures/recording-log.js";
import { ran, type Told, type Wanted } from "./protocol.js";

/* One node in a process of its own: `node.ts <path of Redis' socket>`. It is told what to push, and says what was taken into the log. */

const tell = (told: Told): void => void process.send?.(told);
process.on("unhandledRejection", (reason) =>
  tell({ unhandled: String(reason instanceof Error ? reason.stack : reason) }),
);

async function connect() {
  const client = createClient({
    socket: { path: process.argv[2] as string, tls: false, reconnectStrategy: () => 50 },
  });
  client.on("error", () => undefined);
  await client.connect();
  return client;
}

const [forAdapter, forLog] = [await connect(), await connect()];
// The adapter drops the promise of what it publishes, as docs/guide/scaling.md says.
const publish = forAdapter.publish.bind(forAdapter);
const quietly = (channel: string, message: string): Promise<number> => {
  const sent = publish(channel, message);
  sent.catch(() => undefined);
  return sent;
};
Object.assign(forAdapter, { publish: quietly });
const httpServer = createServer();
const io = new Server(httpServer, {
  adapter: createAdapter(forAdapter, { blockTimeInMs: 100 }),
  pingInterval: 1_000,
  pingTimeout: 1_500,
});
const realtime = new Realtime({
  user: ({ handshake }) => handshake.auth["user"] as string,
  session: ({ handshake }) => handshake.auth["user"] as string,
  log: new RedisTopicLog(forLog),
  calls: { store: new RedisCallStore(forLog), leaseMs: 3_000 },
});
realtime.topics.define("t:{id}", { public: true, history: { keep: 100_000, maxAgeMs: 3_600_000 } });
realtime.topics.define("p:{id}", { public: true, presence: true });
const manager = new ServiceManager(io, { logger: recordingLog(), httpServers: [httpServer] }).registerHandler(realtime);
manager.ingress.subscribe("work", async (_context: EventContext, id: string) => {
  // Each run has a name of its own, so that one that is noted twice is still one.
  await forLog.sAdd(ran(id), randomUUID());
  await delay(Math.random() * 40);
  return id;
});
await manager.boot();

process.on("message", ({ push: { n, topics } }: Wanted) => {
  void Promise.resolve(realtime.emitSocket("tick", n, { topics })).then(
    () => tell({ pushed: n }),
    (error: unknown) => tell({ refused: n, why: String(error) }),
  );
});

// The adapter drops the promise of its subscription, too: nothing is broken before that is there.
const { uid } = io.of("/").adapter as unknown as { readonly uid: string };
while ((await forLog.pubSubChannels(`*${uid}*`)).length === 0) await delay(20);

httpServer.listen(0, "127.0.0.1");
await once(httpServer, "listening");
tell({ port: (httpServer.address() as AddressInfo).port });
