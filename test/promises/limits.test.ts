import { loopTime } from "../fixtures/loop-time.js";
import { describe, expect, it, vi } from "vitest";
import { RateLimiterMemory } from "rate-limiter-flexible";
import type { LimiterStore } from "socket-ingress/limits";
import { memoryCluster } from "socket-ingress/testing";
import { codeOf } from "../fixtures/ingress.js";
import { openLimited, type Stage } from "../features/limits/stage.js";

// The promise of limits by its sentence, over real sockets and in memory. With a Redis of its own it is in test/features/limits.

/** A store that nodes share, and that may be down. */
class Shared implements LimiterStore {
  readonly #inner = new RateLimiterMemory({ points: 5, duration: 600 });
  isDown = false;

  async consume(key: string): Promise<unknown> {
    return this.isDown ? new Promise(() => undefined) : this.#inner.consume(key);
  }
}

describe.each([
  ["over real sockets", false],
  ["in memory", true],
])("%s", (_where, memory) => {
  it("36. one client event costs one, however many subscribers, retries or nodes; a store that is down lets honest clients through within the insurance, at once", async () => {
    const { adapter } = memoryCluster();
    const store = new Shared();
    const node = (): Promise<Stage> =>
      openLimited((limits) => limits.rate({ name: "talk", events: ["say"], store, points: 3, durationMs: 600_000 }), {
        memory,
        subscribers: 4,
        server: { adapter },
      });
    await using one = await node();
    await using two = await node();
    const [ann, also] = [await one.enter({ user: "ann" }), await two.enter({ user: "ann" })];

    expect(await ann.call("order-7", "say")).toBe(4);
    for (let i = 0; i < 3; i++) expect(await ann.call("order-7", "say")).toBe(4);
    const replies = [await also.socket.emitWithAck("say"), await also.socket.emitWithAck("say")];
    for (let i = 0; i < 3; i++) replies.push(await ann.socket.emitWithAck("say"));
    expect(replies.map(codeOf)).toEqual([4, 8, 8, 12, "RATE_LIMITED"]);

    store.isDown = true;
    const bob = await one.enter({ user: "bob" });
    using time = loopTime();
    const honest = await Promise.all([1, 2, 3, 4].map(() => bob.socket.emitWithAck("say")));
    // 100 ms on a machine with nothing else to do.
    expect(time.ms).toBeLessThan(1_000);
    expect(honest.map(codeOf)).toEqual([16, 20, 24, "RATE_LIMITED"]);
    store.isDown = false;
    await vi.waitFor(
      async () => {
        await bob.socket.emitWithAck("say");
        const { insured } = one.limits.counters().rates["talk"] ?? {};
        await bob.socket.emitWithAck("say");
        expect(one.limits.counters().rates["talk"]?.insured).toBe(insured);
      },
      { interval: 50 },
    );
  });
});
