import { createAdapter } from "@socket.io/redis-streams-adapter";
import { createClient, type Client, type JoinedTopic } from "socket-ingress/client";
import { RedisTopicLog } from "socket-ingress/realtime";
import type { Socket } from "socket.io-client";
import { expect, it, vi } from "vitest";
import { type Door, open } from "../features/realtime/door.js";
import { needs } from "../fixtures/needs.js";
import { ownRedis, type OwnRedis } from "../fixtures/redis.js";
import { recordingLogger } from "./fixtures/recorder.js";

const within = { interval: 10 };

interface Nodes extends AsyncDisposable {
  /** Pushes from one of the nodes, by turns; resolves when it is in the log. */
  push(n: number): Promise<unknown>;
  /** A client that is led to another node each time it connects. */
  enter(): { readonly socket: Socket; readonly client: Client; readonly lines: string[]; readonly hosts: Set<string> };
}

/** Two servers of this process on one Redis, with a topic `t` that keeps so many pushes. */
async function twoNodes(redis: OwnRedis, keep: number): Promise<Nodes> {
  const adapters: Awaited<ReturnType<OwnRedis["connect"]>>[] = [];
  const start = async (): Promise<Door> => {
    const [forAdapter, forLog] = [await redis.connect(), await redis.connect()];
    adapters.push(forAdapter);
    return open({
      log: new RedisTopicLog(forLog),
      io: (io) => void io.adapter(createAdapter(forAdapter, { blockTimeInMs: 50 })),
      before: (_manager, realtime) =>
        realtime.topics.define("t", { public: true, history: { keep, maxAgeMs: 600_000 } }),
    });
  };
  const doors = [await start(), await start()] as const;
  return {
    push: (n) => doors[n % 2 === 0 ? 0 : 1].realtime.emitSocket("said", n, { topic: "t" }),
    enter: () => {
      const socket = doors[0].served.client({
        reconnection: true,
        reconnectionDelay: 5,
        reconnectionDelayMax: 20,
        randomizationFactor: 0,
      });
      let turn = 0;
      const hosts = new Set<string>();
      // What a balancer does; Socket.IO's client has no public way to go elsewhere.
      socket.io.on("reconnect_attempt", () => {
        (socket.io as unknown as { uri: string }).uri = doors[++turn % 2 === 0 ? 0 : 1].served.url;
      });
      socket.on("connect", () => hosts.add(new URL((socket.io as unknown as { uri: string }).uri).host));
      const logger = recordingLogger();
      return { socket, client: createClient(socket, { logger }), lines: logger.lines, hosts };
    },
    [Symbol.asyncDispose]: async () => {
      for (const door of doors) await door[Symbol.asyncDispose]();
      // What they said last is behind what they wait for.
      for (const client of adapters) await client.ping().catch(() => undefined);
    },
  };
}

needs("redis")("a client that is led from node to node, over Redis", () => {
  it("has every push of 600, once and in order, though it is cut off 20 times", async () => {
    await using redis = await ownRedis();
    await using nodes = await twoNodes(redis, 1_000);
    const { socket, client, lines, hosts } = nodes.enter();
    const got: unknown[] = [];
    const onGap = vi.fn<() => void>();
    const joined: JoinedTopic[] = [];
    client.on("said", (n: unknown) => got.push(n));
    socket.connect();
    await client.joinTopic("t", { onGap, onJoined: (how) => joined.push(how) });
    for (let n = 0; n < 600; n++) {
      await nodes.push(n);
      if (n % 30 !== 15) continue;
      const back = new Promise((resolve) => void client.onReconnect(resolve));
      const { length } = joined;
      socket.io.engine.close();
      await nodes.push(++n);
      await back;
      // Every other time the next pushes come before the topic is joined again, or in the middle of it.
      if (n % 60 < 30) await vi.waitFor(() => expect(joined.length).toBeGreaterThan(length), within);
    }
    await vi.waitFor(() => expect(got.length).toBeGreaterThanOrEqual(600), within);
    expect(got).toEqual(Array.from({ length: 600 }, (_, n) => n));
    expect(hosts.size).toBe(2);
    expect(onGap).not.toHaveBeenCalled();
    expect(joined.slice(1).every(({ rejoined, recovered }) => rejoined && recovered)).toBe(true);
    expect(joined.length).toBeGreaterThan(10);
    expect(lines).toEqual([]);
  }, 60_000);

  it("is told of what a history of 10 did not keep, and goes on from there", async () => {
    await using redis = await ownRedis();
    await using nodes = await twoNodes(redis, 10);
    const { socket, client } = nodes.enter();
    const got: unknown[] = [];
    const told: string[] = [];
    client.on("said", (n: unknown) => got.push(n));
    socket.connect();
    await client.joinTopic("t", {
      onGap: () => told.push("gap"),
      onJoined: ({ rejoined, recovered }) => told.push(`joined ${rejoined} ${recovered}`),
    });
    await nodes.push(0);
    await vi.waitFor(() => expect(got).toEqual([0]), within);
    socket.disconnect();
    // Many more than the topic keeps, as a node has the latest of all topics at hand.
    for (let n = 1; n <= 300; n++) await nodes.push(n);
    socket.connect();
    await vi.waitFor(() => expect(told).toEqual(["joined false false", "joined true false", "gap"]), within);
    await nodes.push(301);
    await vi.waitFor(() => expect(got.at(-1)).toBe(301), within);
    expect(got).toEqual([...new Set(got)].toSorted((one, other) => Number(one) - Number(other)));
  }, 60_000);
});
