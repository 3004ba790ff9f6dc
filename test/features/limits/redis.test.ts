import { RateLimiterRedis } from "rate-limiter-flexible";
import { expect, it, vi } from "vitest";
import { needs } from "../../fixtures/needs.js";
import { loopTime } from "../../fixtures/loop-time.js";
import { ownRedis } from "../../fixtures/redis.js";
import { openLimited, say, saying, type Stage } from "./stage.js";

needs("redis")("limits of two nodes that count in one Redis", () => {
  const node = async (storeClient: unknown, more: object = {}): Promise<Stage> => {
    const store = new RateLimiterRedis({
      storeClient,
      useRedisPackage: true,
      rejectIfRedisNotReady: true,
      points: 20,
      duration: 60,
      ...more,
    });
    // Patient: a machine that does much else at the same time may be late.
    return openLimited((limits) => limits.rate({ name: "talk", events: ["say"], store, storeTimeoutMs: 5_000 }));
  };

  it("2. two nodes with a shared store allow exactly 20 of 30", async () => {
    await using redis = await ownRedis();
    await using one = await node(await redis.connect());
    await using two = await node(await redis.connect());
    const tabs = await Promise.all([one, two, one].map((stage) => stage.enter({ user: "ann" })));
    const counts = await Promise.all(tabs.map(({ socket }) => saying(socket, 10)));
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(20);
    const refused = await say(tabs[0]!.socket);
    expect(refused).toMatchObject({ code: "RATE_LIMITED", details: { limit: "talk" } });
    const { retryAfterMs } = (refused as { details: { retryAfterMs: number } }).details;
    expect(retryAfterMs).toBeGreaterThan(0);
    expect(retryAfterMs).toBeLessThanOrEqual(60_000);
    expect(typeof (await say((await two.enter({ user: "bob" })).socket))).toBe("number");
  });

  it("3. the store dies in the middle of a flood: no event waits longer than 100 ms, none is INTERNAL, the insurance counts; it comes back: shared again", async () => {
    await using redis = await ownRedis();
    await using one = await node(await redis.connect());
    await using two = await node(await redis.connect());
    const [ann, also] = [await one.enter({ user: "ann" }), await two.enter({ user: "ann" })];
    const flood: Promise<unknown>[] = [];
    const waits: number[] = [];
    using time = loopTime();
    const ask = (): void => {
      const began = time.ms;
      flood.push(say(ann.socket).finally(() => waits.push(time.ms - began)));
    };
    for (let i = 0; i < 10; i++) ask();
    const restarted = redis.restart();
    for (let i = 0; i < 200; i++) {
      ask();
      if (i % 20 === 0) await new Promise(setImmediate);
    }
    const replies = await Promise.all(flood);
    const codes = new Set(
      replies.map((reply) => (typeof reply === "number" ? "served" : (reply as { code: string }).code)),
    );
    expect([...codes].toSorted()).toEqual(["RATE_LIMITED", "served"]);
    // 100 ms on a machine with nothing else to do; a Redis that is gone says so at once.
    expect(Math.max(...waits)).toBeLessThan(1_500);
    await restarted;
    // Each node has a connection of its own, which comes back when it does.
    for (const [stage, { socket }] of [[one, ann] as const, [two, also] as const]) {
      await vi.waitFor(
        async () => {
          await say(socket);
          const { insured = 0 } = stage.limits.counters().rates["talk"] ?? {};
          await say(socket);
          expect(stage.limits.counters().rates["talk"]?.insured ?? 0).toBe(insured);
        },
        { interval: 50 },
      );
    }
    // It has forgotten everything: from here on both count in it.
    const [count, alsoCount] = await Promise.all([saying(ann.socket, 30), saying(also.socket, 30)]);
    expect(count + alsoCount).toBeLessThanOrEqual(20);
  });

  it("7. a penalty of the store blocks who goes on", async () => {
    await using redis = await ownRedis();
    await using one = await node(await redis.connect(), { points: 2, duration: 60, blockDuration: 600 });
    await using two = await node(await redis.connect(), { points: 2, duration: 60, blockDuration: 600 });
    const [ann, also] = [await one.enter({ user: "ann" }), await two.enter({ user: "ann" })];
    expect(await saying(ann.socket, 3)).toBe(2);
    const refused = (await say(also.socket)) as { code: string; details: { retryAfterMs: number } };
    expect(refused.code).toBe("RATE_LIMITED");
    expect(refused.details.retryAfterMs).toBeGreaterThan(500_000);
  });
});
