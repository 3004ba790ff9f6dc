import { createAdapter } from "@socket.io/redis-streams-adapter";
import { RedisTopicLog } from "socket-ingress/realtime";
import { expect, it } from "vitest";
import { needs } from "../../fixtures/needs.js";
import { ownRedis } from "../../fixtures/redis.js";
import { readPositions } from "../realtime/position-reader.js";
import { byRole, followed, type Post, post } from "./followed.js";

const within = { interval: 10 };

needs("redis")("changes on two nodes over Redis", () => {
  it("of node 1 reach members on node 2, and positions of one node are replayed by the other", async () => {
    await using redis = await ownRedis();
    const node = async () => {
      const [forAdapter, forLog] = [await redis.connect(), await redis.connect()];
      return followed(
        (changes) =>
          changes.define<Post>("post", {
            id: ({ id }) => id,
            topics: ({ authorId }) => [`author/${authorId}`],
            fields: { admin: "*", user: ["id", "title"] },
          }),
        {
          changes: byRole,
          log: new RedisTopicLog(forLog),
          io: (io) => void io.adapter(createAdapter(forAdapter, { blockTimeInMs: 50 })),
        },
      );
    };
    await using one = await node();
    await using two = await node();
    const nodes = [one, two] as const;
    const client = await two.enter({ user: "user.1" });
    const reader = readPositions(client.socket);
    await reader.join("post", "all", "post/author/7");
    const plain = await two.enter({ user: "admin.1" });
    await plain.join("post");

    const row = (id: number): Post => post(id, { email: "a@b", authorId: 7 + (id % 2) });
    for (let id = 0; id < 20; id++) nodes[id % 2 === 0 ? 0 : 1].models.created(row(id));
    await expect.poll(() => plain.got("change").length, within).toBe(20);
    const ids = (): unknown[] => (reader.got as { id?: number }[]).flatMap(({ id }) => (id === undefined ? [] : [id]));
    await expect.poll(() => ids().length, within).toBe(20);

    client.socket.disconnect();
    for (let id = 20; id < 30; id++) nodes[id % 2 === 0 ? 0 : 1].models.created(row(id));
    await expect.poll(() => plain.got("change").length, within).toBe(30);
    // Socket.IO's client has no public way to go elsewhere; a balancer has.
    (client.socket.io as unknown as { uri: string }).uri = one.served.url;
    client.socket.connect();
    await reader.rejoined();
    await expect.poll(() => ids().length, within).toBe(30);
    // Changes of one node are in order.
    for (const rest of [0, 1]) {
      const own = (ids() as number[]).filter((id) => id % 2 === rest);
      expect(own).toEqual(own.toSorted((a, b) => a - b));
    }
    expect(reader.gaps).toEqual([]);
    expect(JSON.stringify(reader.frames)).not.toContain("a@b");
    expect(JSON.stringify(plain.events)).toContain("a@b");
  });
});
