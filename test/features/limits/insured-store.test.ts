import { loopTime } from "../../fixtures/loop-time.js";
import { RateLimiterMemory, RateLimiterUnion } from "rate-limiter-flexible";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { LimiterStore } from "socket-ingress/limits";
import { deferred } from "../../fixtures/deferred.js";
import { openLimited, say, saying } from "./stage.js";

/** A store that a test takes down: it fails, or says nothing. */
class Breakable implements LimiterStore {
  readonly #inner = new RateLimiterMemory({ points: 20, duration: 60 });
  readonly points = 20;
  readonly duration = 60;
  state: "lives" | "fails" | "hangs" = "lives";
  asked = 0;

  async consume(key: string): Promise<unknown> {
    this.asked++;
    if (this.state === "hangs") return new Promise(() => undefined);
    if (this.state === "fails") throw new Error("the connection is closed");
    return this.#inner.consume(key);
  }
}

describe("a rate with a store", () => {
  it.each(["fails", "hangs"] as const)(
    "that %s: no event waits for it, none is INTERNAL, the insurance goes on counting, and the store counts again when it is back",
    async (how) => {
      const store = new Breakable();
      await using stage = await openLimited((limits) => limits.rate({ name: "talk", events: ["say"], store }));
      const ann = await stage.enter({ user: "ann" });
      expect(await saying(ann.socket, 5)).toBe(5);
      store.state = how;
      using time = loopTime();
      const replies = await Promise.all(Array.from({ length: 30 }, () => say(ann.socket)));
      // 100 ms on a machine with nothing else to do.
      expect(time.ms).toBeLessThan(1_000);
      const refused = replies.filter((reply) => typeof reply !== "number");
      expect(refused).toHaveLength(15);
      for (const refusal of refused)
        expect(refusal).toMatchObject({ code: "RATE_LIMITED", details: { limit: "talk" } });
      expect(stage.limits.counters().rates["talk"]).toMatchObject({ passed: 20, insured: 30 });
      expect(
        stage.log.lines.filter(({ level, fields }) => level === "warn" && fields["limit"] === "talk"),
      ).toHaveLength(1);

      store.state = "lives";
      const isShared = (): boolean =>
        stage.log.lines.some(({ message }) => message?.includes("answers again") === true);
      await vi.waitFor(
        async () => {
          await say(ann.socket);
          expect(isShared()).toBe(true);
        },
        { interval: 50 },
      );
      const { asked } = store;
      const { insured } = stage.limits.counters().rates["talk"] ?? { insured: -1 };
      await say(ann.socket);
      expect(store.asked).toBe(asked + 1);
      expect(stage.limits.counters().rates["talk"]?.insured).toBe(insured);
    },
  );

  it("that is down is asked by one event in a while", async () => {
    const store = new Breakable();
    store.state = "fails";
    await using stage = await openLimited((limits) =>
      limits.rate({ name: "talk", events: ["say"], store, points: 1_000 }),
    );
    const ann = await stage.enter({ user: "ann" });
    await say(ann.socket);
    const { asked } = store;
    for (let i = 0; i < 10; i++) await saying(ann.socket, 10);
    expect(store.asked - asked).toBeLessThan(20);
  });

  it("counts with what the store says of itself where nothing is said", async () => {
    const store = new Breakable();
    store.state = "fails";
    await using stage = await openLimited((limits) => limits.rate({ name: "talk", events: ["say"], store }));
    const ann = await stage.enter({ user: "ann" });
    expect(await saying(ann.socket, 25)).toBe(20);
    expect(await say(ann.socket)).toMatchObject({ code: "RATE_LIMITED" });
  });

  it("takes a union of limiters, and waits for the longest", async () => {
    const store = new RateLimiterUnion(
      new RateLimiterMemory({ keyPrefix: "second", points: 1, duration: 1 }),
      new RateLimiterMemory({ keyPrefix: "hour", points: 1, duration: 3_600 }),
    );
    await using stage = await openLimited((limits) =>
      limits.rate({ name: "talk", events: ["say"], store, points: 1, durationMs: 1_000 }),
    );
    const ann = await stage.enter({ user: "ann" });
    expect(await say(ann.socket)).toBe(1);
    const refused = await say(ann.socket);
    expect(refused).toMatchObject({ code: "RATE_LIMITED" });
    expect((refused as { details: { retryAfterMs: number } }).details.retryAfterMs).toBeGreaterThan(60_000);
  });

  it.each<[string, () => unknown]>([
    ["gives no promise", () => 1],
    ["rejects with nothing that says how long to wait", () => Promise.reject({})],
    ["rejects with a union of which one says nothing", () => Promise.reject({ one: { msBeforeNext: 5 }, two: {} })],
  ])("that %s is down", async (_what, consume) => {
    const store = { consume } as LimiterStore;
    await using stage = await openLimited((limits) =>
      limits.rate({ name: "talk", events: ["say"], store, points: 2, durationMs: 60_000 }),
    );
    const ann = await stage.enter({ user: "ann" });
    expect(await saying(ann.socket, 3)).toBe(2);
    expect(stage.limits.counters().rates["talk"]).toMatchObject({ insured: 3 });
  });

  it("that answers a probe too late is still down", async () => {
    const answers: (() => void)[] = [];
    const store: LimiterStore = { consume: () => new Promise<void>((resolve) => answers.push(resolve)) };
    let now = 0;
    vi.spyOn(performance, "now").mockImplementation(() => now);
    await using stage = await openLimited((limits) =>
      limits.rate({ name: "talk", events: ["say"], store, points: 9, durationMs: 60_000, storeTimeoutMs: 20 }),
    );
    const ann = await stage.enter({ user: "ann" });
    expect(await say(ann.socket)).toBe(1);
    now += 250;
    expect(await say(ann.socket)).toBe(2);
    expect(answers).toHaveLength(2);
    now += 21;
    for (const answer of answers) answer();
    expect(await say(ann.socket)).toBe(3);
    expect(stage.limits.counters().rates["talk"]).toMatchObject({ insured: 3 });
  });

  it("that refuses an event whose time is over has said nothing", async () => {
    const asked = deferred();
    const verdict = deferred();
    const store: LimiterStore = {
      consume: () => {
        asked.resolve();
        return verdict.promise;
      },
    };
    await using stage = await openLimited(
      (limits) =>
        limits.rate({ name: "talk", events: ["say"], store, points: 9, durationMs: 60_000, storeTimeoutMs: 60_000 }),
      { ingress: { timeoutMs: 30 } },
    );
    const ann = await stage.enter({ user: "ann" });
    expect(await say(ann.socket)).toMatchObject({ code: "TIMEOUT" });
    verdict.reject({ msBeforeNext: 5_000 });
    await ann.caughtUp();
    expect(stage.said()).toBe(0);
  });

  it("keeps the order of a client's events while it is asked", async () => {
    const store = new Breakable();
    const order: unknown[] = [];
    await using stage = await openLimited((limits) => limits.rate({ name: "talk", events: ["say"], store }), {
      before: (manager) => {
        for (const event of ["say", "other"])
          manager.ingress.subscribe(event, (_context, n: number) => void order.push(n));
      },
    });
    const ann = await stage.enter({ user: "ann" });
    for (const n of [1, 2, 3, 4]) ann.socket.emit(n % 2 === 1 ? "say" : "other", n);
    await vi.waitFor(() => expect(order).toEqual([1, 2, 3, 4]));
  });
});

afterEach(() => vi.restoreAllMocks());
