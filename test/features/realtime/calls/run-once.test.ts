import { describe, expect, it, vi } from "vitest";
import { EventError } from "socket-ingress";
import type { CallStore } from "socket-ingress/realtime";
import { MemoryCallStore } from "../../../../src/features/realtime/calls/memory-call-store.js";
import { RunOnce } from "../../../../src/features/realtime/calls/run-once.js";
import { deferred } from "../../../fixtures/deferred.js";
import { recordingLog } from "../../../fixtures/recording-log.js";

const key = { identity: "user:ann", requestId: "r" };
const failure = (code: string) => ({ error: { code, message: "no" } });

function node(store = new MemoryCallStore(), leaseMs = 30_000): RunOnce {
  return new RunOnce({ store, logger: recordingLog(), windowMs: 60_000, leaseMs });
}

describe("a call with a request id", () => {
  it("that runs elsewhere is not waited for by a node that closes; numbers of any size are told apart", async () => {
    const store = new MemoryCallStore();
    const [one, two] = [node(store), node(store)];
    const answer = deferred<unknown>();
    const first = one.run(key, "pay", [1n], () => answer.promise);
    await expect(one.run(key, "pay", [2n], () => Promise.resolve(2))).rejects.toMatchObject({ code: "CONFLICT" });
    const waiting = two.run(key, "pay", [1n], () => Promise.resolve(3));
    const refused = waiting.catch((error: unknown) => error);
    await two.close();
    expect(await refused).toMatchObject({ code: "SHUTTING_DOWN" });
    answer.resolve(1);
    expect(await first).toBe(1);
  });

  it("that somebody else has under the same id is not forgotten with one that has become theirs", async () => {
    const calls = node();
    const [mine, theirs] = [deferred<unknown>(), deferred<unknown>()];
    const first = calls.run({ identity: "socket:1", requestId: "r" }, "pay", [], () => mine.promise);
    const second = calls.run({ identity: "user:bob", requestId: "r" }, "pay", [], () => theirs.promise);
    await vi.waitFor(() => expect(calls.size).toBe(2));
    calls.carry("socket:1", "user:bob");
    theirs.resolve("second");
    expect(await second).toBe("second");
    mine.resolve("first");
    expect(await first).toBe("first");
    await calls.close();
  });

  it("is counted while it runs where a store says nothing of what it keeps", async () => {
    const inner = new MemoryCallStore();
    const store: CallStore = {
      claim: (...args) => inner.claim(...args),
      renew: (...args) => inner.renew(...args),
      answer: (...args) => inner.answer(...args),
      forget: (...args) => inner.forget(...args),
      carry: (...args) => inner.carry(...args),
    };
    const calls = new RunOnce({ store, logger: recordingLog(), windowMs: 60_000, leaseMs: 30_000 });
    const answer = deferred<unknown>();
    const running = calls.run(key, "pay", [], () => answer.promise);
    expect(calls.size).toBe(1);
    answer.resolve(1);
    await running;
    expect(calls.size).toBe(0);
  });

  it("runs once on a node, and everybody gets the one answer", async () => {
    const calls = node();
    const answer = deferred<unknown>();
    const run = vi.fn(() => answer.promise);
    const all = [calls.run(key, "pay", [1], run), calls.run(key, "pay", [1], run)];
    answer.resolve({ paid: 1 });
    expect(await Promise.all(all)).toEqual([{ paid: 1 }, { paid: 1 }]);
    expect(await calls.run(key, "pay", [1], run)).toEqual({ paid: 1 });
    expect(run).toHaveBeenCalledTimes(1);
  });

  it("runs once on two nodes that share a store, running or done", async () => {
    const store = new MemoryCallStore();
    const [one, two] = [node(store), node(store)];
    const answer = deferred<unknown>();
    const run = vi.fn(() => answer.promise);
    const all = [one.run(key, "pay", [1], run), two.run(key, "pay", [1], run)];
    answer.resolve(undefined);
    expect(await Promise.all(all)).toEqual([undefined, undefined]);
    expect(await two.run(key, "pay", [1], run)).toBeUndefined();
    expect(run).toHaveBeenCalledTimes(1);
  });

  it("with other arguments, or for another event, is a CONFLICT, running or done", async () => {
    const calls = node();
    const answer = deferred<unknown>();
    const first = calls.run(key, "pay", [{ amount: 1 }], () => answer.promise);
    const wrong = [
      calls.run(key, "pay", [{ amount: 2 }], () => Promise.resolve(2)),
      calls.run(key, "refund", [{ amount: 1 }], () => Promise.resolve(3)),
    ];
    for (const call of wrong) await expect(call).rejects.toMatchObject({ code: "CONFLICT" });
    answer.resolve(1);
    await first;
    await expect(calls.run(key, "pay", [{ amount: 2 }], () => Promise.resolve(2))).rejects.toMatchObject({
      code: "CONFLICT",
    });
  });

  it("whose node died is a TIMEOUT, and never runs again", async () => {
    const store = new MemoryCallStore();
    store.claim = () => ({ kind: "died" });
    const run = vi.fn(() => Promise.resolve(1));
    const calls = new RunOnce({ store, logger: recordingLog(), windowMs: 1, leaseMs: 1 });
    await expect(calls.run(key, "pay", [], run)).rejects.toMatchObject({ code: "TIMEOUT" });
    expect(run).not.toHaveBeenCalled();
  });

  it.each(["OVERLOADED", "RATE_LIMITED", "SHUTTING_DOWN", "UNAUTHENTICATED", "UNKNOWN_EVENT", "DISCONNECTED"])(
    "that failed with %s may run again",
    async (code) => {
      const calls = node();
      expect(await calls.run(key, "pay", [], () => Promise.resolve(failure(code)))).toEqual(failure(code));
      expect(await calls.run(key, "pay", [], () => Promise.resolve("done"))).toBe("done");
    },
  );

  it.each(["INTERNAL", "TIMEOUT", "FORBIDDEN", "MINE"])("that failed with %s is answered so again", async (code) => {
    const calls = node();
    await calls.run(key, "pay", [], () => Promise.resolve(failure(code)));
    expect(await calls.run(key, "pay", [], () => Promise.resolve("done"))).toEqual(failure(code));
  });

  it("waits for nobody's store for ever: one that is down is OVERLOADED with a time, and the call does not run", async () => {
    const store = new MemoryCallStore();
    store.claim = () => {
      throw new Error("down");
    };
    const run = vi.fn(() => Promise.resolve(1));
    await expect(node(store).run(key, "pay", [], run)).rejects.toMatchObject({
      code: "OVERLOADED",
      retryAfterMs: 1_000,
    });
    expect(run).not.toHaveBeenCalled();
  });

  it("that throws is not run again, and a store that can't keep that is logged", async () => {
    const log = recordingLog();
    const store = new MemoryCallStore();
    const calls = new RunOnce({ store, logger: log, windowMs: 60_000, leaseMs: 30_000 });
    const fails = vi.fn(() => Promise.reject(new Error("broken")));
    await expect(calls.run(key, "pay", [], fails)).rejects.toThrow("broken");
    await expect(calls.run(key, "pay", [], fails)).rejects.toMatchObject({ code: "TIMEOUT" });
    expect(fails).toHaveBeenCalledOnce();
    vi.spyOn(store, "answer").mockImplementation(() => {
      throw new Error("disk full");
    });
    expect(await calls.run({ ...key, requestId: "s" }, "pay", [], async () => 1)).toBe(1);
    await calls.close();
    expect(log.lines.map(({ message }) => message)).toEqual(["the store of calls can't be written"]);
  });

  it("is taken along by whoever logs in while it runs", async () => {
    const calls = node();
    const answer = deferred<unknown>();
    const guest = { identity: "socket:1", requestId: "r" };
    const run = vi.fn(() => answer.promise);
    const first = calls.run(guest, "login", ["ann"], run);
    calls.carry("socket:1", "user:ann");
    const again = calls.run(key, "login", ["ann"], run);
    answer.resolve("welcome");
    expect(await Promise.all([first, again])).toEqual(["welcome", "welcome"]);
    expect(await calls.run(key, "login", ["ann"], run)).toBe("welcome");
    expect(run).toHaveBeenCalledTimes(1);
  });

  it("whose answer holds binary data is not run again, and says that the answer is not kept", async () => {
    const calls = node();
    expect(await calls.run(key, "photo", [], () => Promise.resolve(Buffer.from("x")))).toEqual(Buffer.from("x"));
    const again = calls.run(key, "photo", [], () => Promise.resolve(1));
    await expect(again).rejects.toBeInstanceOf(EventError);
    await expect(again).rejects.toMatchObject({ code: "TIMEOUT" });
  });

  it("that takes longer than a lease keeps its claim", async () => {
    vi.useFakeTimers();
    try {
      const store = new MemoryCallStore();
      const calls = node(store, 300);
      const answer = deferred<unknown>();
      const first = calls.run(key, "pay", [], () => answer.promise);
      await vi.advanceTimersByTimeAsync(2_000);
      expect(store.claim(key, "d", { windowMs: 1, leaseMs: 1 }).kind).toBe("other");
      const other = node(store).run(key, "pay", [], () => Promise.resolve("twice"));
      answer.resolve("once");
      await first;
      await vi.advanceTimersByTimeAsync(1_000);
      expect(await other).toBe("once");
    } finally {
      vi.useRealTimers();
    }
  });
});
