import cluster, { type Worker } from "node:cluster";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { setupPrimary } from "@socket.io/cluster-adapter";
import { io as openClient } from "socket.io-client";
import { vi } from "vitest";
import { MemoryMemberships, MemoryWaitingRoom } from "socket-ingress/realtime";
import { record } from "../door.js";
import type { Job, Nodes } from "./nodes.js";

interface Told {
  readonly port?: number;
  readonly store?: number;
  readonly method?: string;
  readonly args?: unknown[];
  readonly job?: number;
  readonly result?: unknown;
  readonly error?: string;
}

/** Two servers in processes of their own, joined by this one through Socket.IO's cluster adapter. */
export async function startInCluster(): Promise<Nodes> {
  const memberships = new MemoryMemberships();
  const waitingRoom = new MemoryWaitingRoom();
  const shared = new Map<string, (...args: never[]) => unknown>(
    Object.entries({
      add: memberships.add.bind(memberships),
      remove: memberships.remove.bind(memberships),
      members: memberships.members.bind(memberships),
      places: memberships.places.bind(memberships),
      arrive: waitingRoom.arrive.bind(waitingRoom),
      leave: waitingRoom.leave.bind(waitingRoom),
    }),
  );
  setupPrimary();
  cluster.setupPrimary({
    exec: fileURLToPath(new URL("cluster-worker.ts", import.meta.url)),
    execArgv: ["--import", "tsx"],
  });

  let next = 0;
  const jobs = new Map<number, (told: Told) => void>();
  const fork = async (): Promise<{ worker: Worker; port: number }> => {
    const worker = cluster.fork();
    const port = await new Promise<number>((resolve, reject) => {
      worker.once("exit", (code) => reject(new Error(`a node ended with ${code}`)));
      worker.on("message", (told: Told) => {
        if (told.port !== undefined) resolve(told.port);
        else if (told.store !== undefined) {
          const result = shared.get(told.method ?? "")?.(...((told.args ?? []) as never[]));
          worker.send({ store: told.store, result });
        } else if (told.job !== undefined) {
          jobs.get(told.job)?.(told);
          jobs.delete(told.job);
        }
      });
    });
    return { worker, port };
  };
  const nodes = await Promise.all([fork(), fork()]);
  const nodeOf = (node: 0 | 1): (typeof nodes)[0] => nodes[node];
  const end = async (node: 0 | 1): Promise<void> => {
    const { worker } = nodeOf(node);
    if (worker.isDead()) return;
    const exited = once(worker, "exit");
    worker.process.kill("SIGKILL");
    await exited;
  };
  const run = async <Args extends unknown[], Result>(
    node: 0 | 1,
    job: Job<Args, Result>,
    ...args: Args
  ): Promise<Awaited<Result>> => {
    const id = ++next;
    const answered = new Promise<Told>((resolve) => jobs.set(id, resolve));
    nodeOf(node).worker.send({ job: id, source: job.toString(), args });
    const told = await answered;
    if (told.error !== undefined) throw new Error(told.error);
    return told.result as Awaited<Result>;
  };
  // What a job is given beside the door, in these processes only.
  type More = { io: { of(name: string): { adapter: { serverCount(): Promise<number> } } } };
  await vi.waitFor(async () => {
    for (const node of [0, 1] as const) {
      const count = await run(node, (_realtime, more) => (more as unknown as More).io.of("/").adapter.serverCount());
      if (count !== 2) throw new Error("not joined yet");
    }
  });

  return {
    enter: async (node, as = {}) => {
      const socket = openClient(`http://127.0.0.1:${nodeOf(node).port}`, {
        transports: ["websocket"],
        forceNew: true,
        reconnection: false,
        auth: { ...as },
      });
      const client = record(socket);
      await client.caughtUp();
      return client;
    },
    run,
    stop: end,
    kill: end,
    [Symbol.asyncDispose]: async () => {
      await Promise.all([end(0), end(1)]);
      cluster.removeAllListeners("message");
    },
  };
}
