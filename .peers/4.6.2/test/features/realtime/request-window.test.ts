import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { MISMATCH, RequestWindow } from "../../../src/features/realtime/request-window.js";

describe("a request window", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  const counting = (): { run: () => Promise<number>; runs: () => number } => {
    let count = 0;
    return { run: async () => ++count, runs: () => count };
  };

  it("runs a request once, while it runs and for a time after it", async () => {
    const window = new RequestWindow({ windowMs: 1_000 });
    const { run, runs } = counting();
    const [one, two] = await Promise.all([window.run("u", "1", "e", run), window.run("u", "1", "e", run)]);
    expect([one, two]).toEqual([1, 1]);
    vi.advanceTimersByTime(999);
    expect(await window.run("u", "1", "e", run)).toBe(1);
    vi.advanceTimersByTime(1);
    expect(await window.run("u", "1", "e", run)).toBe(2);
    expect(runs()).toBe(2);
    expect(window.shared).toBe(2);
  });

  it("keeps identities and requests apart, whatever they are called", async () => {
    const window = new RequestWindow();
    const { run, runs } = counting();
    for (const [identity, id] of [
      ["u", "1"],
      ["v", "1"],
      ["u", "2"],
      ["__proto__", "constructor"],
      ["constructor", "__proto__"],
    ] as const) {
      await window.run(identity, id, "e", run);
    }
    expect(runs()).toBe(5);
  });

  it("does not answer one event with the answer of another", async () => {
    const window = new RequestWindow();
    await window.run("u", "1", "read", async () => "secret");
    expect(await window.run("u", "1", "other", async () => "x")).toBe(MISMATCH);
  });

  it("is bounded: one identity can't push out the answers of another", async () => {
    const window = new RequestWindow({ maxPerIdentity: 10, maxTotal: 50 });
    const { run } = counting();
    const first = await window.run("u", "1", "e", run);
    for (let id = 0; id < 1_000; id++) await window.run("flood", String(id), "e", run);
    expect(window.size).toBe(11);
    expect(await window.run("u", "1", "e", run)).toBe(first);
  });

  it("is bounded altogether: whoever asked longest ago is forgotten first", async () => {
    const window = new RequestWindow({ maxPerIdentity: 10, maxTotal: 50 });
    const { run } = counting();
    for (let identity = 0; identity < 1_000; identity++) await window.run(`i${identity}`, "1", "e", run);
    expect(window.size).toBeLessThanOrEqual(50);
    const shared = window.shared;
    await window.run("i999", "1", "e", run);
    await window.run("i0", "1", "e", run);
    expect(window.shared).toBe(shared + 1);
  });

  it("forgets whom it is told to, and all of it at the end", async () => {
    const window = new RequestWindow();
    const { run, runs } = counting();
    await window.run("u", "1", "e", run);
    await window.run("v", "1", "e", run);
    window.forget("u");
    window.forget("nobody");
    await window.run("u", "1", "e", run);
    expect([runs(), window.size]).toEqual([3, 2]);
    window.clear();
    expect(window.size).toBe(0);
  });

  it("never forgets a request that still runs to make room for one of the same identity", async () => {
    const window = new RequestWindow({ maxPerIdentity: 2 });
    let resolve: (value: string) => void = () => undefined;
    const slow = new Promise<string>((done) => (resolve = done));
    const first = window.run("u", "slow", "e", () => slow);
    for (let id = 0; id < 10; id++) await window.run("u", String(id), "e", async () => id);
    const again = window.run("u", "slow", "e", async () => "twice");
    resolve("once");
    expect(await first).toBe("once");
    expect(await again).toBe("once");
  });

  it("refuses bounds that are none", () => {
    for (const windowMs of [0, -1, Number.NaN, Number.POSITIVE_INFINITY])
      expect(() => new RequestWindow({ windowMs })).toThrow(TypeError);
  });
});
