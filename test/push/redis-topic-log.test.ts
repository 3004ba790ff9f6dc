import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { RedisTopicLog } from "../../src/push/redis-topic-log.js";
import type { TopicHistory, TopicLog } from "../../src/push/topic-log.js";
import { contract } from "../../src/testing/contract.js";
import { needs } from "../fixtures/needs.js";
import { type Client, type OwnRedis, ownRedis } from "../fixtures/redis.js";

const topic = (name: string, keep = 100, maxAgeMs = 60_000): TopicHistory => ({ topic: name, keep, maxAgeMs });
const said = (text: string) => ({ renditions: [[null, "said", [text]]] as const, except: [] });

needs("redis")("the log in Redis", () => {
  let redis: OwnRedis;
  let client: Client;
  let logs = 0;
  const prefixOf = (): string => `{test${++logs}}:`;
  beforeAll(async () => {
    redis = await ownRedis();
    client = await redis.connect();
  });
  afterAll(async () => redis[Symbol.asyncDispose]());

  // The client is there when the cases run.
  const log: TopicLog = {
    append: (...args) => made().append(...args),
    head: () => made().head(),
    since: (...args) => made().since(...args),
    after: (...args) => made().after(...args),
  };
  let one: RedisTopicLog | undefined;
  const made = (): RedisTopicLog => (one ??= new RedisTopicLog(client, { prefix: prefixOf() }));
  for (const { name, run } of contract(log)) it(name, run);

  it("two nodes share it", async () => {
    const prefix = prefixOf();
    const [one, two] = [new RedisTopicLog(client, { prefix }), new RedisTopicLog(await redis.connect(), { prefix })];
    const at = await one.head();
    await Promise.all([one.append([topic("a")], said("1")), two.append([topic("a")], said("2"))]);
    expect(await two.head()).toEqual([at[0], 2]);
    expect(await one.since(at)).toEqual(await two.since(at));
  });

  it("a Redis that lost its data begins another epoch, and positions of the old one are gaps", async () => {
    const prefix = prefixOf();
    const log = new RedisTopicLog(client, { prefix });
    await log.append([topic("a")], said("1"));
    const at = await log.head();
    for (const key of await client.keys(`${prefix}*`)) await client.del(key);
    expect((await log.after([topic("a")], at)).gaps).toEqual(["a"]);
    const [epoch, n] = await log.head();
    expect([epoch === at[0], n]).toEqual([false, 0]);
  });

  it("what a topic held expires, and a position from before is a gap, not silence", async () => {
    const prefix = prefixOf();
    const log = new RedisTopicLog(client, { prefix });
    const at = await log.head();
    await log.append([topic("a", 10, 20)], said("1"));
    const later = await log.head();
    await expect.poll(async () => (await client.keys(`${prefix}l:*`)).length).toBe(0);
    await log.append([topic("b", 10, 20)], said("2"));
    expect((await log.after([topic("a", 10, 20)], at)).gaps).toEqual(["a"]);
    expect((await log.after([topic("a", 10, 60_000)], later)).gaps).toEqual([]);
  });

  it("a position from before what has expired is a gap, however close to other entries it was, and though nobody pushes any more", async () => {
    const log = new RedisTopicLog(client, { prefix: prefixOf() });
    await log.append([topic("b", 10, 20)], said("1"));
    const at = await log.head();
    await log.append([topic("a", 10, 20)], said("2"));
    await expect.poll(async () => (await log.after([topic("a", 10, 20)], at)).gaps).toEqual(["a"]);
  });

  it("a topic that is kept for a short time takes nothing from what is known of one that is kept for longer", async () => {
    const prefix = prefixOf();
    const log = new RedisTopicLog(client, { prefix });
    const [short, long] = [topic("short", 10, 1), topic("long", 10, 1_700)];
    const at = await log.head();
    await log.append([long], said("1"));
    const expired = async (): Promise<number> => {
      await log.append([short], said("x"));
      return client.exists(`${prefix}l:long`);
    };
    await expect.poll(expired, { interval: 50 }).toBe(0);
    expect((await log.after([long], at)).gaps).toEqual(["long"]);
  });

  it("what came in meanwhile is no gap for who has all that a topic holds", async () => {
    const log = new RedisTopicLog(client, { prefix: prefixOf() });
    await log.append([topic("b", 10, 20)], said("1"));
    const at = await log.head();
    await log.append([topic("a")], said("2"));
    expect(await log.after([topic("a")], at)).toMatchObject({ gaps: [], entries: [{ n: 2 }] });
  });

  it("a node whose clock is an hour fast, or slow, takes no history from the others and hides no gap", async () => {
    const prefix = prefixOf();
    const log = new RedisTopicLog(client, { prefix });
    const at = await log.head();
    await log.append([topic("a")], said("1"));
    const { now } = Date;
    for (const ms of [3_600_000, -3_600_000]) {
      vi.spyOn(Date, "now").mockImplementation(() => now() + ms);
      await log.append([topic("a")], said(String(ms)));
      expect(await log.after([topic("a")], at)).toMatchObject({ gaps: [] });
    }
    vi.mocked(Date.now).mockRestore();
    const { gaps, entries } = await log.after([topic("a")], at);
    expect([gaps, entries.map(({ n }) => n)]).toEqual([[], [1, 2, 3]]);
    const later = await log.head();
    await log.append([topic("b", 10, 20)], said("4"));
    await expect.poll(async () => (await log.after([topic("b", 10, 20)], later)).gaps).toEqual(["b"]);
  });

  it("two thousand topics leave two thousand keys that all expire", async () => {
    const prefix = prefixOf();
    const log = new RedisTopicLog(client, { prefix, window: 100 });
    await Promise.all(Array.from({ length: 2_000 }, (_, i) => log.append([topic(`t${i}`, 10, 60_000)], said("x"))));
    const keys = await client.keys(`${prefix}[lf]:*`);
    expect(keys).toHaveLength(2_000);
    const ages = await Promise.all(keys.slice(0, 100).map((key) => client.pTTL(key)));
    expect(ages.every((age) => age > 0 && age <= 120_000)).toBe(true);
    expect(await client.zCard(`${prefix}w`)).toBeLessThanOrEqual(101);
  });

  it("keeps a log for each namespace, the same whoever asks for it", async () => {
    const prefix = prefixOf();
    const log = new RedisTopicLog(client, { prefix });
    const at = await log.head();
    await log.of("/").append([topic("a")], said("here"));
    await log.of("/chat").append([topic("a")], said("there"));
    expect(await log.since(at)).toMatchObject([{ n: 1, renditions: [[null, "said", ["here"]]] }]);
    const same = new RedisTopicLog(client, { prefix }).of("/chat");
    expect(await same.head()).toEqual(await log.of("/chat").head());
    expect(await same.head()).toEqual([expect.not.stringMatching(at[0]), 1]);
  });

  it("what is no client of Redis is a TypeError", () => {
    expect(() => new RedisTopicLog({} as never)).toThrow(
      /RedisTopicLog expects a client of redis or ioredis, got an object/,
    );
    expect(() => new RedisTopicLog(client, { window: 0 })).toThrow(/RedisTopicLog: window must be a whole number/);
  });
});
