import { describe, expect, it, vi } from "vitest";
import { MemoryTopicLog } from "../../src/push/memory-topic-log.js";
import type { TopicHistory } from "../../src/push/topic-log.js";
import { contract } from "../../src/testing/contract.js";

const topic = (name: string, keep = 100, maxAgeMs = 60_000): TopicHistory => ({ topic: name, keep, maxAgeMs });
const said = (text: string) => ({ renditions: [[null, "said", [text]]] as const, except: [] });

describe("the log in memory", () => {
  for (const { name, run } of contract(new MemoryTopicLog())) it(name, run);

  it("lets go of what is older than its topic keeps, and says so", () => {
    vi.useFakeTimers({ toFake: ["performance"] });
    try {
      const log = new MemoryTopicLog();
      const at = log.head();
      log.append([topic("a", 100, 1_000)], said("1"));
      vi.advanceTimersByTime(1_001);
      expect(log.after([topic("a", 100, 1_000)], at)).toMatchObject({ gaps: ["a"], entries: [] });
      expect(log.after([topic("a", 100, 1_000)], log.head())).toMatchObject({ gaps: [], entries: [] });
    } finally {
      vi.useRealTimers();
    }
  });

  it("forgets topics that nobody pushes to, without pretending that they never had anything", () => {
    vi.useFakeTimers({ toFake: ["performance"] });
    try {
      const log = new MemoryTopicLog();
      const at = log.head();
      for (let i = 0; i < 500; i++) log.append([topic(`t${i}`, 10, 1_000)], said("x"));
      expect(log.stats.topics).toBe(500);
      vi.advanceTimersByTime(120_000);
      log.append([topic("fresh")], said("y"));
      expect(log.stats.topics).toBe(1);
      expect(log.after([topic("t7")], at).gaps).toEqual(["t7"]);
    } finally {
      vi.useRealTimers();
    }
  });

  it("holds at most its bytes: the oldest entries go first, and their topics have a gap", () => {
    const log = new MemoryTopicLog({ maxBytes: 100_000 });
    const at = log.head();
    for (let i = 0; i < 200; i++) log.append([topic(i % 2 === 0 ? "a" : "b", 1_000)], said("x".repeat(1_000)));
    expect(log.stats.bytes).toBeLessThanOrEqual(100_000);
    expect(log.stats.entries).toBeGreaterThan(30);
    expect(log.after([topic("a"), topic("b")], at).gaps).toEqual(["a", "b"]);
    const [epoch, n] = log.head();
    expect(log.after([topic("a"), topic("b")], [epoch, n - 10]).entries).toHaveLength(10);
    expect(log.since(at)).toBeUndefined();
    expect(log.since([epoch, n - 10])).toHaveLength(10);
  });

  it("that nothing was ever appended to has nothing after its head", () => {
    const log = new MemoryTopicLog();
    expect(log.since(log.head())).toEqual([]);
  });

  it.each([
    ["a short window", { window: 3 }, 1_000],
    ["topics that keep little", {}, 1],
    ["both", { window: 3 }, 2],
  ])("holds at most its bytes, and no entry that nobody can read, with %s", (_what, options, keep) => {
    const log = new MemoryTopicLog({ ...options, maxBytes: 20_000 });
    for (let i = 0; i < 2_000; i++) {
      log.append([topic(i % 2 === 0 ? "a" : "b", keep), topic("rare", i % 50 === 0 ? 5 : keep)], said("x".repeat(500)));
      expect(log.stats.bytes).toBeLessThanOrEqual(20_000);
    }
    const [epoch, n] = log.head();
    expect(log.since([epoch, n - 2])).toHaveLength(2);
    expect(log.after([topic("a", keep), topic("b", keep)], [epoch, n - 1]).entries).toHaveLength(1);
    // One larger than all that may be held is told of, and is not held.
    log.append([topic("a", keep)], said("x".repeat(50_000)));
    expect([log.stats.entries, log.stats.bytes]).toEqual([0, 0]);
    expect(log.after([topic("a", keep)], [epoch, n]).gaps).toEqual(["a"]);
  });

  it("keeps what its topics keep when the window for nodes is shorter", () => {
    const log = new MemoryTopicLog({ window: 10 });
    const at = log.head();
    for (let i = 0; i < 100; i++) log.append([topic("a")], said(String(i)));
    expect(log.after([topic("a")], at).entries).toHaveLength(100);
    expect(log.since(at)).toBeUndefined();
    for (let i = 0; i < 1_000; i++) log.append([topic("b", 1)], said(String(i)));
    expect(log.stats.entries).toBeLessThanOrEqual(111);
  });

  it.each([0, -1, 1.5, "many"])("a bound of %j is a TypeError", (window) => {
    expect(() => new MemoryTopicLog({ window: window as number })).toThrow(
      /MemoryTopicLog: window must be a whole number/,
    );
  });
});
