import { createAdapter } from "@socket.io/redis-streams-adapter";
import { createClient } from "socket-ingress/client";
import { RedisTopicLog } from "socket-ingress/realtime";
import { expect, it } from "vitest";
import { needs } from "../../fixtures/needs.js";
import { ownRedis, type OwnRedis } from "../../fixtures/redis.js";
import { isSoak, rounds } from "../../fixtures/soak.js";
import { type Door, open } from "../realtime/door.js";
import { fast } from "./posts-by-hand.js";
import { storm, type StormGround, type Versioned } from "./storm.js";

/**
 * Two servers of this process on one Redis. Each record has a node that tells of it, as what two nodes tell of one record at the same moment
 * is told in either order; a client is led to another node each time it connects.
 */
async function twoNodes(redis: OwnRedis, keep: number): Promise<StormGround & AsyncDisposable> {
  const adapters: Awaited<ReturnType<OwnRedis["connect"]>>[] = [];
  const start = async (): Promise<Door> => {
    const [forAdapter, forLog] = [await redis.connect(), await redis.connect()];
    adapters.push(forAdapter);
    return open({
      log: new RedisTopicLog(forLog),
      io: (io) => void io.adapter(createAdapter(forAdapter, { blockTimeInMs: 50 })),
      before: (_manager, realtime) =>
        realtime.topics.define("post", { public: true, history: { keep, maxAgeMs: 600_000 } }),
    });
  };
  const doors = [await start(), await start()] as const;
  const tell = (method: string, row: Versioned): void => {
    const { realtime } = doors[row.id % 2 === 0 ? 0 : 1];
    const change = { ts: Date.now(), model: "post", method, id: row.id, many: false, payload: row };
    void realtime.emitSocket("change", change, { topic: "post" });
  };
  return {
    created: (row) => tell("POST", row),
    updated: (row) => tell("PATCH", row),
    deleted: (old) => tell("DELETE", old),
    async enter() {
      const socket = await doors[0].served.connect(fast);
      let turn = 0;
      // What a balancer does; Socket.IO's client has no public way to go elsewhere.
      socket.io.on("reconnect_attempt", () => {
        (socket.io as unknown as { uri: string }).uri = doors[++turn % 2 === 0 ? 0 : 1].served.url;
      });
      return { socket, client: createClient(socket) };
    },
    [Symbol.asyncDispose]: async () => {
      for (const door of doors) await door[Symbol.asyncDispose]();
      // What they said last is behind what they wait for.
      for (const client of adapters) await client.ping().catch(() => undefined);
    },
  };
}

needs("redis")("a list on two nodes, over Redis", () => {
  it.each([
    ["a history that reaches", 1_000, 50],
    ["a history of 20", 20, 20],
  ])(
    "goes through storms and cuts that lead to the other node as on one, with %s",
    { timeout: isSoak ? 900_000 : 120_000 },
    async (_, keep, times) => {
      await using redis = await ownRedis();
      for (let round = 0; round < rounds(times); round++) {
        await using nodes = await twoNodes(redis, keep);
        const report = await storm(nodes, round + keep);
        expect(report.loads).toBeGreaterThan(0);
      }
    },
  );
});
