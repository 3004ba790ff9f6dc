import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createAdapter } from "@socket.io/cluster-adapter";
import { Server } from "socket.io";
import { ServiceManager, SocketIngress } from "socket-ingress";
import * as api from "socket-ingress/realtime";
import { recordingLog } from "../../../fixtures/recording-log.js";
import { prepare, presence } from "./nodes.js";

/*
 * One node in a process of its own. The test tells it what to run, as text, and lends it what the nodes share: memberships and the
 * waiting room live in the test's process.
 */

interface Message {
  readonly store?: number;
  readonly job?: number;
  readonly source?: string;
  readonly args?: unknown[];
  readonly result?: unknown;
}

let next = 0;
const asked = new Map<number, (result: unknown) => void>();

function ask<T>(method: string, ...args: unknown[]): Promise<T> {
  const store = ++next;
  process.send?.({ store, method, args });
  return new Promise((resolve) => asked.set(store, resolve as (result: unknown) => void));
}

const httpServer = createServer();
const io = new Server(httpServer, { adapter: createAdapter({ heartbeatInterval: 100, heartbeatTimeout: 3_000 }) });
const log = recordingLog();
const ingress = new SocketIngress({ logger: log });
const realtime = new api.Realtime({
  presence,
  user: ({ handshake }) => handshake.auth["user"] as string | undefined,
  session: ({ handshake }) => handshake.auth["session"] as string | undefined,
  memberships: {
    add: (place, user) => ask("add", place, user),
    remove: (place, user) => ask("remove", place, user),
    members: (place) => ask("members", place),
    places: (user) => ask("places", user),
  },
  waitingRoom: {
    arrive: (pool, user, size) => ask("arrive", pool, user, size),
    leave: (pool, user) => ask("leave", pool, user),
  },
});
prepare(realtime);
ingress.subscribe("sync", () => true);
const manager = new ServiceManager(io, { logger: log, ingress }).registerHandler(realtime);

process.on("message", (message: Message) => {
  if (message.store !== undefined) {
    asked.get(message.store)?.(message.result);
    asked.delete(message.store);
  } else if (message.job !== undefined) void run(message.job, message.source ?? "", message.args ?? []);
});

async function run(job: number, source: string, args: unknown[]): Promise<void> {
  try {
    // The test's own function, which is why it may use nothing but its parameters.
    const fn = new Function(`return (${source})`)() as (...all: unknown[]) => unknown;
    process.send?.({ job, result: await fn(realtime, { ...api, manager, io }, ...args) });
  } catch (error) {
    process.send?.({ job, error: String(error) });
  }
}

await manager.boot();
// Exclusive: each worker has a port of its own, and the test says which one a client goes to.
httpServer.listen({ host: "127.0.0.1", port: 0, exclusive: true });
await once(httpServer, "listening");
process.send?.({ port: (httpServer.address() as AddressInfo).port });
