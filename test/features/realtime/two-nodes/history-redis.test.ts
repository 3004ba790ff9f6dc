import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { io as openClient, type Socket } from "socket.io-client";
import { expect, it, vi } from "vitest";
import { needs } from "../../../fixtures/needs.js";
import { ownRedis, type OwnRedis } from "../../../fixtures/redis.js";
import { isSoak } from "../../../fixtures/soak.js";
import { type PositionReader, readPositions } from "../position-reader.js";

interface Node {
  readonly child: ChildProcess;
  readonly url: string;
  readonly pushed: Set<number>;
  readonly failed: number[];
}

interface Three extends AsyncDisposable {
  readonly nodes: readonly Node[];
  /** Pushes the next number from a node. */
  push(node: number, ...topics: string[]): number;
  /** A member of both topics; while its node is gone it goes to the others. */
  member(node: number): Promise<PositionReader & { readonly socket: Socket }>;
  /** What the log has for sure. */
  pushed(): number[];
}

const within = { timeout: 30_000, interval: 20 };
const program = fileURLToPath(new URL("history-process.ts", import.meta.url));

async function start(path: string): Promise<Node> {
  const child = fork(program, [path], { execArgv: ["--import", "tsx"], stdio: ["ignore", "ignore", "inherit", "ipc"] });
  const pushed = new Set<number>();
  const failed: number[] = [];
  const port = await new Promise<number>((resolve, reject) => {
    child.once("exit", (code) => reject(new Error(`a node ended with ${code}`)));
    child.on("message", (told: { port?: number; pushed?: number; failed?: number }) => {
      if (told.port !== undefined) resolve(told.port);
      if (told.pushed !== undefined) pushed.add(told.pushed);
      if (told.failed !== undefined) failed.push(told.failed);
    });
  });
  return { child, url: `http://127.0.0.1:${port}`, pushed, failed };
}

async function three(redis: OwnRedis): Promise<Three> {
  const nodes = await Promise.all([start(redis.path), start(redis.path), start(redis.path)]);
  const sockets: Socket[] = [];
  let n = 0;
  const push = (node: number, ...topics: string[]): number => {
    nodes[node]?.child.send({ n: ++n, topics });
    return n;
  };
  return {
    nodes,
    push,
    pushed: () => nodes.flatMap(({ pushed }) => [...pushed]).sort((one, other) => one - other),
    member: async (node) => {
      const socket = openClient(nodes[node]?.url ?? "", {
        transports: ["websocket"],
        forceNew: true,
        autoConnect: false,
        reconnectionDelay: 10,
        reconnectionDelayMax: 50,
      });
      sockets.push(socket);
      // What a balancer does.
      let next = node;
      socket.io.on("reconnect_attempt", () => {
        next = (next + 1) % nodes.length;
        (socket.io as unknown as { uri: string }).uri = nodes[next]?.url ?? "";
      });
      const reader = readPositions(socket);
      socket.connect();
      await new Promise<void>((resolve) => socket.once("connect", resolve));
      await reader.join("post", "all");
      return Object.defineProperties({ socket }, Object.getOwnPropertyDescriptors(reader)) as PositionReader & {
        socket: Socket;
      };
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.disconnect();
      for (const { child } of nodes) {
        if (child.exitCode !== null || child.signalCode !== null) continue;
        const gone = once(child, "exit");
        child.kill("SIGCONT");
        child.kill("SIGKILL");
        await gone;
      }
    },
  };
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

needs("redis")("topics with history on three processes over Redis", () => {
  it("lose nothing when a process is killed among five hundred pushes a second", async () => {
    await using redis = await ownRedis();
    await using cluster = await three(redis);
    const members = [await cluster.member(0), await cluster.member(1), await cluster.member(2)];
    const seconds = isSoak ? 6 : 2;
    for (let i = 0; i < seconds * 100; i++) {
      if (i === seconds * 50) cluster.nodes[2]?.child.kill("SIGKILL");
      for (let k = 0; k < 5; k++) {
        const node = (i + k) % (i >= seconds * 50 ? 2 : 3);
        if (k % 2 === 0) cluster.push(node, "post", "all");
        else cluster.push(node, "all");
      }
      await pause(10);
    }
    const last = cluster.push(0, "post");
    for (const each of members) await each.until(last);
    const [first, ...others] = members.map(({ got }) => got);
    expect(members.map(({ gaps }) => gaps)).toEqual([[], [], []]);
    expect(new Set(first).size).toBe(first?.length);
    // What the killed one appended without a word about it is in the log, and everybody has it.
    expect(cluster.pushed().filter((n) => !first?.includes(n))).toEqual([]);
    for (const other of others) expect(other).toEqual(first);
  }, 60_000);

  it("are current again on a process that was stopped for a while, and nothing is lost", async () => {
    await using redis = await ownRedis();
    await using cluster = await three(redis);
    const members = [await cluster.member(0), await cluster.member(1)];
    cluster.nodes[1]?.child.kill("SIGSTOP");
    const until = performance.now() + (isSoak ? 10_000 : 2_000);
    while (performance.now() < until) {
      cluster.push(0, "post");
      await pause(20);
    }
    cluster.nodes[1]?.child.kill("SIGCONT");
    const last = cluster.push(2, "all", "post");
    for (const each of members) await each.until(last);
    expect(members[1]?.got).toEqual(members[0]?.got);
    expect(members.map(({ gaps }) => gaps)).toEqual([[], []]);
    expect(members[0]?.got).toHaveLength(last);
  }, 60_000);

  it("tell of what a Redis forgot that comes back empty, and go on; no process ends", async () => {
    await using redis = await ownRedis("--enable-debug-command", "yes");
    const client = await redis.connect();
    await using cluster = await three(redis);
    const members = [await cluster.member(0), await cluster.member(1), await cluster.member(2)];
    const before = cluster.push(0, "post");
    for (const each of members) await each.until(before);
    void client.sendCommand(["DEBUG", "RESTART"]).catch(() => undefined);
    for (let i = 0; i < 20; i++) {
      cluster.push(i % 3, "post", "all");
      await pause(20);
    }
    await vi.waitFor(() => {
      for (const { gaps } of members) expect(gaps).toEqual(expect.arrayContaining(["post", "all"]));
    }, within);
    const last = cluster.push(1, "post");
    for (const each of members) await each.until(last);
    expect(cluster.nodes.map(({ child }) => child.exitCode)).toEqual([null, null, null]);
    for (const { got } of members) expect(new Set(got).size).toBe(got.length);
  }, 60_000);
});
