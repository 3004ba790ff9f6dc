import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { SocketIngress } from "../../../src/index.js";
import { type Limited, TimeLimit } from "../../../src/dispatch/flow/time-limits.js";
import { deferred } from "../../fixtures/deferred.js";
import { recordingLog } from "../../fixtures/recording-log.js";

/** Something under way that notes when its time was over. */
function item(onExpire: () => void): Limited {
  return {
    limit: undefined,
    before: undefined,
    behind: undefined,
    since: -1,
    settled: undefined,
    expire: onExpire,
    cut: () => undefined,
    outlive: () => undefined,
  };
}

describe("a time limit", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("is kept to the millisecond up to a second, whoever else is under way", async () => {
    const limit = new TimeLimit(1_000);
    const ended: [number, number][] = [];
    const started = performance.now();
    for (const at of [0, 1, 250, 999, 1_500]) {
      await vi.advanceTimersByTimeAsync(started + at - performance.now());
      limit.add(item(() => ended.push([at, performance.now() - started])));
    }
    await vi.advanceTimersByTimeAsync(3_000);
    expect(ended).toEqual([0, 1, 250, 999, 1_500].map((at) => [at, at + 1_000]));
  });

  it("that is longer is kept to a tenth of a second, never early, and exactly for what begins alone", async () => {
    const limit = new TimeLimit(30_000);
    const ended: [number, number][] = [];
    const started = performance.now();
    for (const at of [0, 30, 170, 15_005]) {
      await vi.advanceTimersByTimeAsync(started + at - performance.now());
      limit.add(item(() => ended.push([at, performance.now() - started])));
    }
    await vi.advanceTimersByTimeAsync(60_000);
    expect(ended.map(([at]) => at)).toEqual([0, 30, 170, 15_005]);
    expect(ended[0]).toEqual([0, 30_000]);
    for (const [at, end] of ended) {
      expect(end).toBeGreaterThanOrEqual(at + 30_000);
      expect(end).toBeLessThanOrEqual(at + 30_100);
    }
  });

  it("does not take what began after a blocked event loop for older than it is", () => {
    const limit = new TimeLimit(30_000);
    const ended: string[] = [];
    limit.add(item(() => ended.push("first")));
    vi.setSystemTime(0);
    // as when the loop was blocked: the timer is due long since, and something begins before it fires
    const now = vi.spyOn(performance, "now").mockReturnValue(performance.now() + 40_000);
    limit.add(item(() => ended.push("second")));
    vi.advanceTimersToNextTimer();
    expect(ended).toEqual(["first"]);
    now.mockRestore();
  });

  it("forgets what is over, first, last or in between", async () => {
    const limit = new TimeLimit(100);
    const ended: number[] = [];
    const items = [0, 1, 2, 3, 4].map((index) => item(() => ended.push(index)));
    for (const one of items) limit.add(one);
    for (const index of [2, 0, 4]) limit.remove(items[index] as Limited);
    expect([...limit]).toEqual([items[1], items[3]]);
    await vi.advanceTimersByTimeAsync(200);
    expect(ended).toEqual([1, 3]);
    expect([...limit]).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("lets what expires begin something of its own", async () => {
    const limit = new TimeLimit(100);
    const ended: number[] = [];
    limit.add(
      item(() => {
        ended.push(performance.now());
        limit.add(item(() => ended.push(performance.now())));
      }),
    );
    const started = performance.now();
    await vi.advanceTimersByTimeAsync(300);
    expect(ended).toEqual([started + 100, started + 200]);
  });

  it("has one timer however much is under way, and none once it has rested", () => {
    const limit = new TimeLimit(30_000);
    const items = Array.from({ length: 100 }, () => item(() => undefined));
    for (const one of items) limit.add(one);
    expect(vi.getTimerCount()).toBe(1);
    limit.rest();
    expect(vi.getTimerCount()).toBe(1);
    for (const one of items) limit.remove(one);
    limit.rest();
    expect(vi.getTimerCount()).toBe(0);
  });

  it("that is infinite needs no timer", () => {
    const limit = new TimeLimit(Infinity);
    limit.add(item(() => undefined));
    expect(vi.getTimerCount()).toBe(0);
  });

  it("of subscribers leaves no timer behind once the ingress is detached", async () => {
    const ingress = new SocketIngress({ logger: recordingLog() });
    const gate = deferred();
    ingress.subscribe("x", () => gate.promise);
    const replies = [ingress.dispatch("x"), ingress.dispatch("x")];
    expect(vi.getTimerCount()).toBe(1);
    const detached = ingress.detach();
    gate.resolve();
    await Promise.all([...replies, detached]);
    expect(vi.getTimerCount()).toBe(0);
  });
});
