import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "redis";
import { createAdapter } from "@socket.io/redis-streams-adapter";
import { vi } from "vitest";
import * as api from "socket-ingress/realtime";
import { program } from "../../../fixtures/needs.js";
import { open, type Door } from "../door.js";
import { type Job, type Nodes, prepare, presence } from "./nodes.js";

/** Two servers of this process, joined by a Redis of their own. */
export async function startOnRedis(): Promise<Nodes> {
  const folder = await mkdtemp(join(tmpdir(), "socket-ingress-redis-"));
  const path = join(folder, "redis.sock");
  const redis = spawn(
    program("redis"),
    ["--port", "0", "--unixsocket", path, "--save", "", "--appendonly", "no", "--dir", folder],
    { stdio: "pipe" },
  );
  await new Promise<void>((resolve, reject) => {
    redis.stdout.on("data", (chunk: Buffer) => {
      if (chunk.toString().includes("ready to accept connections")) resolve();
    });
    redis.once("exit", (code) => reject(new Error(`redis-server ended with ${code}`)));
  });

  const memberships = new api.MemoryMemberships();
  const waitingRoom = new api.MemoryWaitingRoom();
  const connect = async (): Promise<ReturnType<typeof createClient>> => {
    const client = createClient({ socket: { path, tls: false } });
    client.on("error", () => undefined);
    await client.connect();
    // Its type carries the modules of a default client, which this one has.
    return client as ReturnType<typeof createClient>;
  };
  const clients = [await connect(), await connect()];
  const doors: Door[] = [];
  for (const client of clients) {
    doors.push(
      await open({
        presence,
        memberships,
        waitingRoom,
        io: (io) => void io.adapter(createAdapter(client, { blockTimeInMs: 50 })),
        before: (_manager, realtime) => prepare(realtime),
      }),
    );
  }
  const doorOf = (node: 0 | 1): Door => doors[node] as Door;
  await vi.waitFor(async () => {
    for (const { served } of doors)
      if ((await served.io.of("/").adapter.serverCount()) !== 2) throw new Error("not joined yet");
  });

  // Until it has read something, the adapter asks the stream for what is new "from now" each time (`startPolling`), and loses what
  // comes between two questions.
  const probes = [await doorOf(0).enter(), await doorOf(1).enter()];
  await vi.waitFor(() => {
    for (const [node, { served }] of doors.entries()) served.io.emit("probe", node);
    for (const [node, probe] of probes.entries()) {
      if (!probe.got("probe").includes(1 - node)) throw new Error(`node ${node} hears nothing yet`);
    }
  });
  for (const probe of probes) probe.socket.disconnect();
  await vi.waitFor(() => {
    if (doors.some(({ served }) => served.io.of("/").sockets.size > 0)) throw new Error("the probes are still there");
  });

  return {
    enter: (node, as) => doorOf(node).enter(as),
    run: async <Args extends unknown[], Result>(
      node: 0 | 1,
      job: Job<Args, Result>,
      ...args: Args
    ): Promise<Awaited<Result>> => await job(doorOf(node).realtime, api, ...args),
    stop: (node) => Promise.resolve(doorOf(node)[Symbol.asyncDispose]()),
    [Symbol.asyncDispose]: async () => {
      for (const door of doors) await door[Symbol.asyncDispose]();
      for (const client of clients) client.destroy();
      redis.removeAllListeners("exit");
      const exited = once(redis, "exit");
      redis.kill("SIGKILL");
      await exited;
      await rm(folder, { recursive: true, force: true });
    },
  };
}
