import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  type BullJob,
  type BullMq,
  BullQueueBackend,
  type BullStore,
  type ConsumerEvents,
  type NewJob,
} from "socket-ingress/queue";
import { deferred } from "../../fixtures/deferred.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A store of BullMQ's that has nothing, but for what a test says. */
function storeWith(more: Partial<BullStore>): BullStore {
  const store: BullStore = {
    waitUntilReady: async () => undefined,
    close: async () => undefined,
    on: () => undefined,
    forQueue: () => store,
    addJobs: async (entries) => entries.map(({ jobId }) => jobId),
    moveToActive: async () => [],
    moveToCompleted: async () => ({ result: undefined }),
    moveToFailed: async () => undefined,
    moveToDelayed: async () => undefined,
    moveJobFromActiveToWait: async () => 1,
    moveStalledJobsToWait: async () => [],
    retryFinishedJob: async () => undefined,
    extendLocks: async () => [],
    updateData: async () => undefined,
    updateProgress: async () => undefined,
    remove: async () => 0,
    cleanJobsByState: async () => [],
    getState: async () => "unknown",
    getJobData: async () => undefined,
    getCounts: async (types) => types.map(() => 0),
    getRanges: async () => [[]],
    waitForJob: async () => null,
    disconnectBlocking: async () => undefined,
    reconnectBlocking: async () => undefined,
    ...more,
  };
  return store;
}

/** A backend over stores of a test's. */
function backendOver(...stores: readonly Partial<BullStore>[]): {
  backend: BullQueueBackend;
  opened: ReturnType<typeof vi.fn<NonNullable<BullMq["createRedisBackend"]>>>;
} {
  let at = 0;
  const opened = vi.fn<NonNullable<BullMq["createRedisBackend"]>>(() =>
    storeWith(stores[Math.min(at++, stores.length - 1)] ?? {}),
  );
  return { backend: new BullQueueBackend({ createRedisBackend: opened }, { connection: {}, prefix: "p" }), opened };
}

function eventsOf(): { [Name in keyof ConsumerEvents]: ReturnType<typeof vi.fn<ConsumerEvents[Name]>> } {
  return { onCancelled: vi.fn(), onLost: vi.fn(), onError: vi.fn() };
}

function stored(data: unknown, more: Partial<BullJob> = {}): BullJob {
  return { data: JSON.stringify(data), timestamp: 1, attemptsStarted: 1, progress: 0, ...more };
}

/** What a fetch answers, once. */
function once(...jobs: readonly (readonly [BullJob, string])[]): () => Promise<unknown[]> {
  const left = [...jobs];
  return async () => [...(left.shift() ?? [])];
}

function job(id: string, more: Partial<NewJob> = {}): NewJob {
  return { id, isNamed: false, data: 1, origin: undefined, delayMs: 0, priority: 100, ...more };
}

describe("a worker of BullMQ's jobs", () => {
  it("renews what it has in hand and nothing else, and tells once of what somebody else has taken over", async () => {
    const extendLocks = vi.fn<BullStore["extendLocks"]>(async () => []);
    const { backend } = backendOver({ moveToActive: once([stored({ d: 1, n: 0 }), "j-a"]), extendLocks });
    const events = eventsOf();
    const consumer = backend.consume("q", events);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(extendLocks).not.toHaveBeenCalled();
    await consumer.take(1);
    extendLocks.mockResolvedValue(["j-a", "j-unknown"]);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(extendLocks.mock.calls.map(([ids]) => ids)).toEqual([["j-a"]]);
    expect(events.onLost.mock.calls).toEqual([["a"]]);
    await consumer.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  it("tells of those in hand that were cancelled elsewhere, and of no others", async () => {
    const { backend } = backendOver({
      moveToActive: once([stored({ d: 1, n: 0 }), "j-a"]),
      getRanges: async () => [["j-b", "j-a"]],
    });
    const events = eventsOf();
    const consumer = backend.consume("q", events);
    await consumer.take(1);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(events.onCancelled.mock.calls).toEqual([["a"]]);
    await consumer.close();
    await backend.close();
  });

  it("begins no look for what is to be renewed while the last one has no answer, and goes on when a look fails", async () => {
    const extendLocks = vi.fn<BullStore["extendLocks"]>(() => Promise.reject(new Error("away")));
    const answered = deferred<string[]>();
    const { backend } = backendOver({ moveToActive: once([stored({ n: 0 }), "j-a"]), extendLocks });
    const consumer = backend.consume("q", eventsOf());
    await consumer.take(1);
    await vi.advanceTimersByTimeAsync(20_000);
    expect(extendLocks.mock.calls.length).toBeGreaterThan(1);
    const before = extendLocks.mock.calls.length;
    extendLocks.mockReturnValue(answered.promise);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(extendLocks).toHaveBeenCalledTimes(before + 1);
    answered.resolve([]);
    await consumer.close();
  });

  it("asks a store that is away some times to keep what became of a job, then tells that it comes again; once if BullMQ says no", async () => {
    for (const [error, tries] of [
      [new Error("away"), 8],
      [Object.assign(new Error("no lock"), { code: -2 }), 1],
    ] as const) {
      const moveToCompleted = vi.fn<BullStore["moveToCompleted"]>(() => Promise.reject(error));
      const { backend } = backendOver({ moveToActive: once([stored({ n: 0 }), "j-a"]), moveToCompleted });
      const events = eventsOf();
      const consumer = backend.consume("q", events);
      const [taken] = await consumer.take(1);
      const settled = consumer.settle([{ job: taken!, end: "completed", result: undefined }], 0);
      await vi.advanceTimersByTimeAsync(60_000);
      expect(await settled).toEqual([]);
      expect(moveToCompleted).toHaveBeenCalledTimes(tries);
      expect(events.onError.mock.calls).toEqual([[error, expect.stringMatching(/it comes again/)]]);
      await consumer.close();
    }
  });

  it("asks no more for what became of a job once it is closed", async () => {
    const moveToCompleted = vi.fn<BullStore["moveToCompleted"]>(() => Promise.reject(new Error("away")));
    const { backend } = backendOver({ moveToActive: once([stored({ n: 0 }), "j-a"]), moveToCompleted });
    const consumer = backend.consume("q", eventsOf());
    const [taken] = await consumer.take(1);
    const settled = consumer.settle([{ job: taken!, end: "completed", result: 1 }], 0);
    await consumer.close();
    await vi.advanceTimersByTimeAsync(60_000);
    await settled;
    expect(moveToCompleted.mock.calls.length).toBeLessThanOrEqual(2);
  });

  it("opens another store when one could not be opened, once for all who ask; a closed one opens none", async () => {
    const waitUntilReady = (): Promise<void> => Promise.reject(new Error("refused"));
    const { backend, opened } = backendOver({ waitUntilReady });
    const consumer = backend.consume("q", eventsOf());
    const takes = await Promise.allSettled([consumer.take(1), consumer.take(1)]);
    expect(takes.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(opened).toHaveBeenCalledTimes(2);
    await consumer.close();
    await expect(consumer.take(1)).rejects.toThrow("refused");
    expect(opened).toHaveBeenCalledTimes(2);
  });

  it("mends the connection that waits when it broke, and not when it was closed for good", async () => {
    const broken = deferred<null>();
    const reconnectBlocking = vi.fn(async () => undefined);
    const { backend } = backendOver({ waitForJob: () => broken.promise, reconnectBlocking });
    for (const isClosed of [false, true]) {
      const consumer = backend.consume("q", eventsOf());
      const waiting = consumer.wait(new AbortController().signal).catch((error: unknown) => error);
      if (isClosed) await consumer.close();
      broken.reject(new Error("broken"));
      expect(await waiting).toEqual(isClosed ? undefined : new Error("broken"));
      expect(reconnectBlocking).toHaveBeenCalledTimes(1);
      await consumer.close();
    }
  });

  it("settles a job that somebody added by BullMQ alone under the id that it has there", async () => {
    const moveToCompleted = vi.fn<BullStore["moveToCompleted"]>(async () => ({ result: undefined }));
    const { backend } = backendOver({ moveToActive: once([stored({ month: 11 }), "5"]), moveToCompleted });
    const consumer = backend.consume("q", eventsOf());
    const [taken] = await consumer.take(1);
    expect(taken).toMatchObject({ id: "5", data: { month: 11 }, starts: 0, takes: 1 });
    await consumer.settle([{ job: taken!, end: "completed", result: undefined }], 0);
    expect(moveToCompleted.mock.calls[0]?.[0]).toMatchObject({ id: "5" });
    await consumer.close();
  });

  it("gives jobs that were fetched beside each other in their order: priority, then time, then how they were enqueued", async () => {
    const { backend } = backendOver({
      moveToActive: once(
        [stored({ d: 4, n: 2 }, { timestamp: 2, priority: 5 }), "j-4"],
        [stored({ d: 3, n: 1 }, { timestamp: 2, priority: 5 }), "j-3"],
        [stored({ d: 2, n: 9 }, { timestamp: 1, priority: 5 }), "j-2"],
        [stored({ d: 1, n: 9 }, { timestamp: 7 }), "j-1"],
        [stored({ d: 1, n: 9 }, { timestamp: 7 }), "j-1"],
      ),
    });
    const consumer = backend.consume("q", eventsOf());
    expect((await consumer.take(10)).map(({ data }) => data)).toEqual([1, 1, 2, 3, 4]);
    await consumer.close();
  });
});

describe("what is known of BullMQ's jobs", () => {
  it("is what it says itself where it ended one, and nothing where one has just gone", async () => {
    const jobs = new Map([
      [
        "j-ours",
        stored({ d: 1, n: 0, s: 3 }, { failedReason: '{"reason":"Error: no","failure":{"code":"X","message":"x"}}' }),
      ],
      ["j-stalled", stored({ d: 2, n: 0 }, { failedReason: "job stalled more than allowable limit" })],
      ["j-odd", stored({ d: 3, n: 0 }, { failedReason: '{"reason":7}' })],
      ["j-bare", stored({ d: 4, n: 0 }, { failedReason: "" })],
    ]);
    const getRanges = vi.fn<BullStore["getRanges"]>(async () => [[...jobs.keys(), "j-gone"]]);
    const { backend } = backendOver({ getRanges, getJobData: async (id) => jobs.get(id) });
    expect((await backend.dead("q", Infinity)).map(({ id, reason }) => [id, reason])).toEqual([
      ["ours", "Error: no"],
      ["stalled", "job stalled more than allowable limit"],
      ["odd", '{"reason":7}'],
      ["bare", ""],
    ]);
    expect(getRanges.mock.calls[0]?.[2]).toBe(2 ** 31 - 2);
  });

  it("has no result where none was kept, and waits for nothing where the next job has just gone", async () => {
    const { backend } = backendOver({
      getState: async () => "completed",
      getJobData: async (id) => (id === "j-done" ? stored({ d: 1, n: 0 }) : undefined),
      getCounts: async (types) => types.map((type) => (type === "prioritized" ? 1 : 0)),
      getRanges: async () => [["j-gone"]],
    });
    expect(await backend.find("q", "done")).toMatchObject({ state: "completed", result: undefined });
    expect(await backend.depths("q")).toMatchObject({ pending: 1, oldestMs: 0 });
  });

  it("says how long the next one has waited, without the delay that it was given", async () => {
    vi.setSystemTime(10_000);
    const { backend } = backendOver({
      getJobData: async (id) => stored({ n: 0 }, { timestamp: 1_000, ...(id === "j-delayed" && { delay: 4_000 }) }),
      getCounts: async (types) => types.map((type) => (type === "prioritized" ? 1 : 0)),
      getRanges: vi
        .fn<BullStore["getRanges"]>()
        .mockResolvedValueOnce([["j-delayed"]])
        .mockResolvedValue([["j-once"]]),
    });
    expect((await backend.depths("q")).oldestMs).toBe(5_000);
    expect((await backend.depths("q")).oldestMs).toBe(9_000);
  });

  it("is nothing to cancel where it ended between the question and the answer, and the mark goes again", async () => {
    const remove = vi.fn<BullStore["remove"]>(async () => 0);
    const states = ["waiting", "completed"];
    const { backend } = backendOver({
      getJobData: async () => stored({ n: 0 }),
      getState: async () => states.shift() ?? "completed",
      remove,
    });
    expect(await backend.cancel("q", "a")).toBe("unknown");
    expect(remove).toHaveBeenCalledTimes(2);
  });
});

describe("the way into a queue of BullMQ's", () => {
  it("takes calls of one turn together, a hundred jobs at most, and a larger call by itself", async () => {
    const addJobs = vi.fn<BullStore["addJobs"]>(async () => []);
    const { backend } = backendOver({ addJobs });
    const call = (count: number): NewJob[] => Array.from({ length: count }, (_, i) => job(`${i}`));
    await Promise.all([60, 30, 30, 150, 10].map(async (count) => backend.add("q", call(count), 10_000)));
    expect(addJobs.mock.calls.map(([entries]) => entries.length)).toEqual([90, 30, 150, 10]);
  });

  it("leaves the mark of a cancelled job that still runs, and takes that of one that is gone", async () => {
    const remove = vi.fn<BullStore["remove"]>(async () => 1);
    for (const isRunning of [true, false]) {
      let asked = 0;
      const { backend } = backendOver({
        // The mark is asked for first, then the job.
        getJobData: async () => (asked++ === 0 || isRunning ? stored({ n: 0 }) : undefined),
        remove,
      });
      expect(await backend.add("q", [job("a", { isNamed: true })], 10)).toEqual({ added: true });
      expect(remove).toHaveBeenCalledTimes(isRunning ? 0 : 1);
    }
  });
});
