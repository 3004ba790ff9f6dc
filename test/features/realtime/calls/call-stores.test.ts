import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { MemoryCallStore } from "../../../../src/features/realtime/calls/memory-call-store.js";
import { RedisCallStore } from "../../../../src/features/realtime/calls/redis-call-store.js";
import type { CallStore } from "../../../../src/features/realtime/calls/call-store.js";
import { contract } from "../../../../src/testing/contract.js";
import { needs } from "../../../fixtures/needs.js";
import { type OwnRedis, ownRedis } from "../../../fixtures/redis.js";

const times = { windowMs: 60_000, leaseMs: 30_000 };

async function done(store: CallStore, identity: string, requestId: string, answer: string): Promise<void> {
  const claim = await store.claim({ identity, requestId }, "d", times);
  if (claim.kind !== "run") throw new Error(claim.kind);
  await store.answer({ identity, requestId }, claim.token, answer, times);
}

describe("the call store in memory", () => {
  for (const { name, run } of contract(new MemoryCallStore())) it(name, run);

  it("216 answers of 190 kB hold about a megabyte, not forty", async () => {
    const store = new MemoryCallStore();
    for (let i = 0; i < 216; i++) await done(store, "user:mal", `r${i}`, "x".repeat(95_000));
    expect(store.stats.bytes).toBeLessThanOrEqual(1024 * 1024);
    expect(store.stats.requests).toBe(100);
    // Its answer was pushed out by its own; that it ran is known.
    expect(store.claim({ identity: "user:mal", requestId: "r120" }, "d", times)).toEqual({ kind: "unkept" });
    expect(store.claim({ identity: "user:mal", requestId: "r215" }, "d", times).kind).toBe("answered");
  });

  it("nobody pushes out another's answer, however many identities they have", async () => {
    const store = new MemoryCallStore({ maxBytes: 200_000, maxTotal: 1_000 });
    await done(store, "user:ann", "r", "ann's");
    for (let i = 0; i < 300; i++) await done(store, `socket:${i}`, "r", "x".repeat(5_000));
    for (let i = 0; i < 2_000; i++) await done(store, "user:mal", `r${i}`, "x");
    expect(store.claim({ identity: "user:ann", requestId: "r" }, "d", times)).toEqual({
      kind: "answered",
      answer: "ann's",
    });
    expect(store.stats.bytes).toBeLessThanOrEqual(200_000);
    expect(store.stats.requests).toBeLessThanOrEqual(1_000);
  });

  it("identities that were done and forgotten leave nothing", async () => {
    const store = new MemoryCallStore();
    const short = { windowMs: 0, leaseMs: 1_000 };
    for (let i = 0; i < 1_000; i++) {
      const key = { identity: `socket:${i}`, requestId: "r" };
      const claim = store.claim(key, "d", short);
      if (claim.kind === "run") store.answer(key, claim.token, "1", short);
    }
    expect(store.stats.requests).toBeLessThanOrEqual(1);
  });

  it("what is carried to an identity that has requests of its own is counted once, and bounded there", () => {
    const store = new MemoryCallStore({ maxPerIdentity: 3 });
    const times = { leaseMs: 1_000, windowMs: 60_000 };
    const done = (identity: string, requestId: string): void => {
      const claim = store.claim({ identity, requestId }, "d", times);
      if (claim.kind === "run") store.answer({ identity, requestId }, claim.token, '"ok"', times);
    };
    for (const requestId of ["1", "2", "3"]) done("guest", requestId);
    for (const requestId of ["3", "4"]) done("ada", requestId);
    store.carry("guest", "ada");
    store.carry("guest", "ada");
    store.carry("ada", "ada");
    expect(store.stats).toEqual({ requests: 3, bytes: 3 * 8 });
    expect(store.claim({ identity: "ada", requestId: "2" }, "d", times).kind).toBe("answered");
    store.carry("nobody", "eve");
    store.carry("ada", "eve");
    expect(store.claim({ identity: "eve", requestId: "2" }, "d", times).kind).toBe("answered");
    expect(store.stats.requests).toBe(3);
  });

  it("a bound of 0 is a TypeError", () => {
    expect(() => new MemoryCallStore({ maxBytes: 0 })).toThrow(
      /MemoryCallStore: maxBytes must be a whole number from 1, got 0/,
    );
  });
});

needs("redis")("the call store in Redis", () => {
  let redis: OwnRedis;
  let made: RedisCallStore;
  beforeAll(async () => {
    redis = await ownRedis();
    made = new RedisCallStore(await redis.connect());
  });
  afterAll(async () => {
    await redis[Symbol.asyncDispose]();
  });
  // The client is there when the cases run.
  const store: CallStore = {
    claim: async (...args) => made.claim(...args),
    renew: async (...args) => made.renew(...args),
    answer: async (...args) => made.answer(...args),
    forget: async (...args) => made.forget(...args),
    carry: async (...args) => made.carry(...args),
  };
  for (const { name, run } of contract(store)) it(name, run);

  it("answers of one identity are bounded in number and bytes, and everything expires", async () => {
    const client = await redis.connect();
    const small = new RedisCallStore(client, { prefix: "{small}:", maxPerIdentity: 20, maxIdentityBytes: 10_000 });
    for (let i = 0; i < 50; i++) await done(small, "user:mal", `r${i}`, "x".repeat(1_000));
    expect(await client.hLen("{small}:r:user:mal")).toBeLessThanOrEqual(21);
    const bytes = Object.values(await client.hGetAll("{small}:r:user:mal")).reduce((sum, one) => sum + one.length, 0);
    expect(bytes).toBeLessThan(15_000);
    for (const key of await client.keys("{small}:*")) expect(await client.pTTL(key)).toBeGreaterThan(0);
  });
});
