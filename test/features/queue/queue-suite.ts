import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { EventError, ServiceManager } from "socket-ingress";
import {
  type Job,
  type ProcessOptions,
  type QueueBackend,
  QueueService,
  type QueueServiceOptions,
} from "socket-ingress/queue";
import { contract } from "socket-ingress/testing";
import { deferred } from "../../fixtures/deferred.js";
import { recordingLog } from "../../fixtures/recording-log.js";
import { type Jobs, late } from "./backends.js";

/** Waits for what is to be true, however slow the machine is. */
export async function until(what: () => Promise<boolean> | boolean): Promise<void> {
  await vi.waitFor(async () => expect(await what()).toBe(true), { timeout: 25_000, interval: 20 });
}

/** What holds for queues, whatever keeps their jobs. */
export function queueSuite(open: () => Promise<Jobs>): void {
  let jobs: Jobs;
  let shared: QueueBackend;
  beforeAll(async () => {
    jobs = await open();
    shared = jobs.backend();
  }, 60_000);
  afterAll(async () => {
    await shared.close();
    await jobs[Symbol.asyncDispose]();
  });

  /** A service of its own, and a queue of its own. */
  function serve(options: QueueServiceOptions = {}): { queue: QueueService; name: string } {
    const queue = new QueueService({ backend: jobs.backend(), ...options });
    // For its log: what is to fail here is nobody's trouble.
    new ServiceManager(undefined, { logger: recordingLog() }).registerService(queue);
    return { queue, name: `q ${randomUUID()}` };
  }
  const quick: ProcessOptions = { backoffMs: 1, lingerMs: 30 };

  describe("the backend", () => {
    for (const { name, run } of contract(late(() => shared))) it(name, run);
  });

  it("120 jobs, batchSize: 50: batches of 50, 50, 20, in their order", async () => {
    const { queue, name } = serve();
    await using _ = queue;
    const batches: unknown[][] = [];
    await queue.start();
    queue.process(name, (batch) => void batches.push(batch.map(({ data }) => data)), {
      batchSize: 50,
      lingerMs: 2_000,
    });
    await queue.enqueue(
      name,
      Array.from({ length: 120 }, (_, i) => i),
    );
    await until(() => batches.flat().length === 120);
    expect(batches.map(({ length }) => length)).toEqual([50, 50, 20]);
    expect(batches.flat()).toEqual(Array.from({ length: 120 }, (_, i) => i));
  });

  it("a full queue is OVERLOADED with { size, max } and takes nothing of the call in; tryEnqueue is false", async () => {
    const { queue, name } = serve({ maxSize: 3 });
    await using _ = queue;
    await queue.start();
    await queue.enqueue(name, [1, 2]);
    const refused = await queue.enqueue(name, [3, 4]).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(EventError);
    expect(refused).toMatchObject({ code: "OVERLOADED", details: { size: 2, max: 3 } });
    expect(await queue.tryEnqueue(name, [3, 4])).toBe(false);
    expect(await queue.pending(name)).toBe(2);
    expect(await queue.tryEnqueue(name, 3)).toEqual({ ids: [expect.any(String)] });
    expect(await queue.pending(name)).toBe(3);
    expect(queue.health()).toMatchObject({ enqueued: 3, refused: 4 });
  });

  it("a job that throws is tried again with backoff, then dead and listed; retryDead runs it again", async () => {
    const { queue, name } = serve();
    await using _ = queue;
    const attempts: number[] = [];
    const waits: number[] = [];
    let isMended = false;
    await queue.start();
    queue.process(
      name,
      ([job]) => {
        attempts.push(job?.attempt ?? 0);
        if (!isMended) throw new Error("not yet");
        return ["done"];
      },
      { ...quick, attempts: 3, backoffMs: (attempt) => (waits.push(attempt), 5) },
    );
    const { ids } = await queue.enqueue(name, { some: "data" });
    await until(async () => (await queue.dead(name)).length === 1);
    expect(attempts).toEqual([1, 2, 3]);
    expect(waits).toEqual([1, 2]);
    expect(await queue.dead(name)).toEqual([
      { id: ids[0], queue: name, data: { some: "data" }, attempts: 3, reason: "Error: not yet", origin: undefined },
    ]);
    expect(await queue.status(name, ids[0] as string)).toEqual({
      id: ids[0],
      queue: name,
      state: "failed",
      attempts: 3,
      failure: { code: "INTERNAL", message: "internal error" },
    });
    isMended = true;
    expect(await queue.retryDead(name)).toBe(1);
    await until(async () => (await queue.status(name, ids[0] as string))?.state === "completed");
    expect(await queue.dead(name)).toEqual([]);
    expect(attempts).toEqual([1, 2, 3, 1]);
    expect((await queue.status(name, ids[0] as string))?.result).toBe("done");
  });

  it("one bad job of a batch that fails itself: the others are done, once", async () => {
    const { queue, name } = serve();
    await using _ = queue;
    const done: unknown[] = [];
    await queue.start();
    queue.process(
      name,
      (batch) => {
        for (const job of batch) {
          if (job.data === 3) job.fail(new EventError("CONFLICT", "three is taken"));
          else done.push(job.data);
        }
      },
      { ...quick, attempts: 2 },
    );
    const { ids } = await queue.enqueue(name, [1, 2, 3, 4, 5]);
    await until(async () => (await queue.dead(name)).length === 1);
    await until(async () => (await queue.status(name, ids[4] as string))?.state === "completed");
    expect(done).toEqual([1, 2, 4, 5]);
    expect((await queue.status(name, ids[2] as string))?.failure).toEqual({
      code: "CONFLICT",
      message: "three is taken",
    });
  });

  it("a bad job whose batch throws does not take the others along: its last attempt is its own", async () => {
    const { queue, name } = serve();
    await using _ = queue;
    const done = new Set<unknown>();
    const sizes: number[] = [];
    await queue.start();
    queue.process<number>(
      name,
      (batch) => {
        sizes.push(batch.length);
        if (batch.some(({ data }) => data === 3)) throw new Error("three");
        for (const { data } of batch) done.add(data);
      },
      { ...quick, attempts: 3, batchSize: 5, lingerMs: 2_000 },
    );
    await queue.enqueue(name, [1, 2, 3, 4, 5]);
    await until(async () => (await queue.dead(name)).length === 1);
    await until(() => done.size === 4);
    expect((await queue.dead(name)).map(({ data }) => data)).toEqual([3]);
    expect(sizes.slice(-5)).toEqual([1, 1, 1, 1, 1]);
  });

  it("waiting and delayed jobs that are cancelled are removed, of a running one the signal aborts", async () => {
    const { queue, name } = serve();
    await using _ = queue;
    const started = deferred<Job>();
    const seen: unknown[] = [];
    const waiting = await queue.enqueue(name, "waiting", { priority: 200 });
    const delayed = await queue.enqueue(name, "delayed", { delayMs: 60_000 });
    expect(await queue.cancel(name, waiting.ids[0] as string)).toBe("removed");
    expect(await queue.cancel(name, delayed.ids[0] as string)).toBe("removed");
    expect(await queue.pending(name)).toBe(0);
    queue.process(
      name,
      async ([job]) => {
        seen.push(job?.data);
        started.resolve(job as Job);
        const { signal } = job as Job;
        await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
      },
      quick,
    );
    await queue.start();
    const running = await queue.enqueue(name, "running");
    const { signal } = await started.promise;
    expect(await queue.cancel(name, running.ids[0] as string)).toBe("aborted");
    expect(signal.aborted).toBe(true);
    expect(signal.reason).toMatchObject({ code: "CANCELLED" });
    await until(async () => (await queue.status(name, running.ids[0] as string))?.state === "cancelled");
    for (const { ids } of [waiting, delayed])
      expect((await queue.status(name, ids[0] as string))?.state).toBe("cancelled");
    expect(seen).toEqual(["running"]);
    expect(await queue.dead(name)).toEqual([]);
    expect(await queue.cancel(name, running.ids[0] as string)).toBe("unknown");
    expect(queue.health().cancelled).toBe(3);
  });

  it("a job that was taken and has not begun is cancelled before it does", async () => {
    const { queue, name } = serve();
    await using _ = queue;
    const seen: unknown[] = [];
    await queue.start();
    queue.process(name, (batch) => batch.forEach(({ data }) => seen.push(data)), { ...quick, lingerMs: 3_000 });
    const { ids } = await queue.enqueue(name, ["a", "b"]);
    await until(() => queue.health().queues[name]?.runningHere === 2);
    expect(await queue.cancel(name, ids[0] as string)).toBe("aborted");
    await until(async () => (await queue.status(name, ids[1] as string))?.state === "completed");
    await until(async () => (await queue.status(name, ids[0] as string))?.state === "cancelled");
    expect(seen).toEqual(["b"]);
  });

  it("a job of a batch that ends it as it was cancelled costs the others nothing", async () => {
    const { queue, name } = serve();
    await using _ = queue;
    const started = deferred<readonly Job[]>();
    const attempts: number[] = [];
    await queue.start();
    queue.process(
      name,
      async (batch) => {
        attempts.push(...batch.map(({ attempt }) => attempt));
        if (batch.length === 1) return;
        started.resolve(batch);
        await new Promise((_, reject) =>
          batch[0]?.signal.addEventListener("abort", () => reject(batch[0]?.signal.reason)),
        );
      },
      { ...quick, batchSize: 2, lingerMs: 2_000 },
    );
    const { ids } = await queue.enqueue(name, ["a", "b"]);
    await started.promise;
    await queue.cancel(name, ids[0] as string);
    await until(async () => (await queue.status(name, ids[1] as string))?.state === "completed");
    expect(attempts).toEqual([1, 1, 1]);
  });

  it("at a shutdown the running batch ends, and the rest waits for the next process, or is said to be lost", async () => {
    const [queue, name] = [new QueueService({ backend: jobs.backend(), batchSize: 2 }), `q ${randomUUID()}`];
    const log = recordingLog();
    const manager = new ServiceManager(undefined, { logger: log }).registerService(queue);
    await manager.boot();
    const [started, release] = [deferred(), deferred()];
    const done: unknown[] = [];
    queue.process(
      name,
      async (batch) => {
        started.resolve();
        await release.promise;
        done.push(...batch.map(({ data }) => data));
      },
      { ...quick, lingerMs: 2_000 },
    );
    await queue.enqueue(name, [1, 2, 3, 4, 5]);
    await started.promise;
    const shutdown = manager.shutdown({ graceMs: 20_000 });
    release.resolve();
    expect((await shutdown).failures).toEqual([]);
    expect(done).toEqual([1, 2]);
    await expect(queue.enqueue(name, 6)).rejects.toMatchObject({ code: "SHUTTING_DOWN" });
    if (!jobs.outlives) {
      expect(queue.health().dropped).toBe(3);
      expect(log.lines.filter(({ message }) => /3 jobs .* lost/.test(message ?? ""))).toHaveLength(1);
      return;
    }
    await using next = new QueueService({ backend: jobs.backend() });
    next.process(name, (batch) => void done.push(...batch.map(({ data }) => data)), quick);
    await next.start();
    await until(() => done.length >= 5);
    expect(done).toEqual([1, 2, 3, 4, 5]);
  });

  it("a handler that ignores its signal: the shutdown ends in time, and the job comes again", async () => {
    const [queue, name] = [new QueueService({ backend: jobs.backend() }), `q ${randomUUID()}`];
    const log = recordingLog();
    const manager = new ServiceManager(undefined, { logger: log }).registerService(queue);
    await manager.boot();
    const started = deferred<AbortSignal>();
    queue.process(
      name,
      async ([job]) => {
        started.resolve((job as Job).signal);
        await new Promise(() => undefined);
      },
      quick,
    );
    const { ids } = await queue.enqueue(name, "x");
    const signal = await started.promise;
    await manager.shutdown({ graceMs: 500 });
    expect(signal.reason).toMatchObject({ code: "SHUTTING_DOWN" });
    if (!jobs.outlives) return expect(queue.health().dropped).toBe(1);
    await using next = new QueueService({ backend: jobs.backend() });
    const attempts: number[] = [];
    next.process(name, ([job]) => void attempts.push(job?.attempt ?? 0), quick);
    await next.start();
    await until(async () => (await next.status(name, ids[0] as string))?.state === "completed");
    // A start that a shutdown cut is no attempt.
    expect(attempts).toEqual([1]);
  });

  it("the same id twice is done once, also when the first is over", async () => {
    const { queue, name } = serve();
    await using _ = queue;
    const seen: unknown[] = [];
    expect(await queue.enqueue(name, "first", { id: "order:7" })).toEqual({ ids: ["order:7"] });
    expect(await queue.enqueue(name, "second", { id: "order:7" })).toEqual({ ids: ["order:7"] });
    expect(await queue.pending(name)).toBe(1);
    queue.process(name, (batch) => void seen.push(...batch.map(({ data }) => data)), quick);
    await queue.start();
    await until(async () => (await queue.status(name, "order:7"))?.state === "completed");
    await queue.enqueue(name, "third", { id: "order:7" });
    await queue.enqueue(name, ["a", "b"], { id: "list" });
    await until(async () => (await queue.status(name, "list.1"))?.state === "completed");
    expect(seen).toEqual(["first", "a", "b"]);
  });

  it("100 producers at maxSize never bring it above, and what they were told was taken in is done", async () => {
    const { queue, name } = serve({ maxSize: 50 });
    await using _ = queue;
    await queue.start();
    let most = 0;
    let taken = 0;
    const over = new AbortController();
    let handled = 0;
    queue.process(name, (batch) => void (handled += batch.length), { ...quick, batchSize: 10 });
    const watching = (async () => {
      while (!over.signal.aborted) most = Math.max(most, await queue.pending(name));
    })();
    await Promise.all(
      Array.from({ length: 100 }, async () => {
        for (let i = 0; i < 5; i++) if (await queue.tryEnqueue(name, [1, 2, 3])) taken += 3;
      }),
    );
    over.abort();
    await watching;
    expect(most).toBeLessThanOrEqual(50);
    // What was handled makes room.
    await until(async () => {
      if (await queue.tryEnqueue(name, [1, 2, 3])) taken += 3;
      return taken > 50;
    });
    await until(() => handled === taken);
  });

  it("what is enqueued is a copy: changing the object afterwards changes nothing", async () => {
    const { queue, name } = serve();
    await using _ = queue;
    const data = { list: [1] };
    const seen: unknown[] = [];
    const enqueued = queue.enqueue(name, data);
    data.list.push(2);
    await enqueued;
    data.list.push(3);
    queue.process<typeof data>(
      name,
      ([job]) => {
        seen.push(structuredClone(job?.data));
        job?.data.list.push(4);
        if (seen.length === 1) throw new Error("once more");
      },
      quick,
    );
    await queue.start();
    await until(() => seen.length === 2);
    // Nor does what a handler does to it change what the next start is given.
    expect(seen).toEqual([{ list: [1] }, { list: [1] }]);
  });

  it("text that a store can't hold as it is comes back as it was: NUL, and half of a character, wherever it stands", async () => {
    const { queue, name } = serve();
    await using _ = queue;
    const odd = "a\0b\ud83dc%00%D83D";
    const [seen, told, release] = [deferred<unknown>(), deferred(), deferred()];
    queue.process(
      name,
      async ([job]) => {
        seen.resolve([job?.id, job?.data, job?.origin]);
        await job?.progress({ odd });
        told.resolve();
        await release.promise;
        if (job?.data === "fails") throw new EventError("CONFLICT", odd);
        return [odd];
      },
      { ...quick, attempts: 2, batchSize: 1 },
    );
    await queue.start();
    await queue.enqueue(name, { odd }, { id: odd, from: { user: odd } });
    expect(await seen.promise).toEqual([odd, { odd }, { user: odd }]);
    await told.promise;
    expect(await queue.status(name, odd)).toMatchObject({ state: "running", progress: { odd } });
    release.resolve();
    await until(async () => (await queue.status(name, odd))?.state === "completed");
    expect(await queue.status(name, odd)).toMatchObject({ result: odd, attempts: 1 });
    expect(await queue.status(name, "\0")).toBeUndefined();
    await queue.enqueue(name, "fails", { id: `${odd} fails` });
    await until(async () => (await queue.dead(name)).length === 1);
    expect(await queue.dead(name)).toMatchObject([{ id: `${odd} fails`, reason: `EventError: ${odd}`, attempts: 2 }]);
    expect(await queue.retryDead(name)).toBe(1);
    await until(async () => (await queue.dead(name)).length === 1);
    expect(await queue.dead(name)).toMatchObject([{ attempts: 2 }]);
    // In the name of a queue, too.
    const { ids } = await queue.enqueue(`${name} ${odd}`, 1);
    expect(await queue.cancel(`${name} ${odd}`, ids[0] as string)).toBe("removed");
  });

  it("what can't be kept is refused, and nothing of its call is taken in", async () => {
    const { queue, name } = serve();
    await using _ = queue;
    await queue.start();
    const circular: Record<string, unknown> = { f: jobs.outlives ? 1n : () => undefined };
    await expect(queue.enqueue(name, [1, circular])).rejects.toThrow(/could not be cloned|BigInt/);
    for (const none of [() => undefined, Symbol("none")])
      await expect(queue.enqueue(name, [1, none])).rejects.toThrow(/^enqueue\(".+"\): expected data, got/);
    expect(await queue.pending(name)).toBe(0);
    expect(await queue.enqueue(name, [])).toEqual({ ids: [] });
  });

  it("priorities and delays: lower first, and nothing before its time", async () => {
    const { queue, name } = serve();
    await using _ = queue;
    const seen: unknown[] = [];
    await queue.enqueue(name, "usual");
    await queue.enqueue(name, "late", { delayMs: 3_000 });
    await queue.enqueue(name, "later", { priority: 500 });
    await queue.enqueue(name, "urgent", { priority: 1 });
    queue.process(name, (batch) => void seen.push(...batch.map(({ data }) => data)), { ...quick, lingerMs: 0 });
    await queue.start();
    await until(() => seen.length === 4);
    expect(seen).toEqual(["urgent", "usual", "later", "late"]);
  });

  it("concurrency is how many batches run at once", async () => {
    const { queue, name } = serve();
    await using _ = queue;
    let running = 0;
    let most = 0;
    let done = 0;
    const full = deferred();
    queue.process(
      name,
      async () => {
        most = Math.max(most, ++running);
        if (running === 3) full.resolve();
        await full.promise;
        running--;
        done++;
      },
      { ...quick, batchSize: 1, concurrency: 3 },
    );
    await queue.start();
    await queue.enqueue(
      name,
      Array.from({ length: 12 }, (_, i) => i),
    );
    await until(() => done === 12);
    expect(most).toBe(3);
  });

  it("a batch that takes longer than timeoutMs has failed, and its signals abort with TIMEOUT", async () => {
    const { queue, name } = serve();
    await using _ = queue;
    const reasons: unknown[] = [];
    queue.process(
      name,
      async ([job]) => {
        job?.signal.addEventListener("abort", () => reasons.push(job.signal.reason.code));
        await new Promise(() => undefined);
      },
      { ...quick, attempts: 2, timeoutMs: 30 },
    );
    await queue.start();
    const { ids } = await queue.enqueue(name, "x");
    await until(async () => (await queue.dead(name)).length === 1);
    expect(reasons).toEqual(["TIMEOUT", "TIMEOUT"]);
    expect((await queue.status(name, ids[0] as string))?.failure?.code).toBe("TIMEOUT");
  });

  it("progress is kept, and a result that can't be kept is no reason to do the job again", async () => {
    const { queue, name } = serve();
    await using _ = queue;
    const [told, release] = [deferred(), deferred()];
    let runs = 0;
    queue.process(
      name,
      async ([job]) => {
        runs++;
        void job?.progress(10n);
        await job?.progress({ percent: 50, at: new Date(0) });
        told.resolve();
        await release.promise;
        return [1n];
      },
      quick,
    );
    await queue.start();
    const { ids } = await queue.enqueue(name, "x");
    await told.promise;
    expect(await queue.status(name, ids[0] as string)).toMatchObject({
      state: "running",
      attempts: 1,
      progress: { percent: 50, at: "1970-01-01T00:00:00.000Z" },
    });
    release.resolve();
    await until(async () => (await queue.status(name, ids[0] as string))?.state === "completed");
    expect(runs).toBe(1);
    expect(await queue.status(name, ids[0] as string)).not.toHaveProperty("result");
  });

  it("health says how full the queues are, and how long the next job has waited", async () => {
    const { queue, name } = serve();
    await using _ = queue;
    await queue.enqueue(name, [1, 2, 3]);
    await queue.start();
    await until(() => queue.health().queues[name]?.pending === 3);
    const { status, queues } = queue.health();
    expect(status).toBe("ok");
    expect(queues[name]).toMatchObject({ pending: 3, delayed: 0, running: 0, dead: 0, handled: false, runningHere: 0 });
    expect(queues[name]?.oldestMs).toBeGreaterThanOrEqual(0);
  });

  it("what is over is forgotten after its time and beyond its number", async () => {
    const { queue, name } = serve({ backend: jobs.backend({ keepCount: 2, keepDead: 2 }) });
    await using _ = queue;
    queue.process(
      name,
      (batch) => {
        for (const job of batch) if (typeof job.data === "string") job.fail(new Error(job.data));
      },
      { ...quick, attempts: 1, batchSize: 1 },
    );
    await queue.start();
    const ids: string[] = [];
    for (const data of [1, 2, 3, 4, "a", "b", "c"]) {
      const [id = ""] = (await queue.enqueue(name, [data])).ids;
      ids.push(id);
      await until(async () => /^(completed|failed)$/.test((await queue.status(name, id))?.state ?? ""));
      // The oldest go first, and BullMQ tells them apart by the millisecond.
      const at = Date.now();
      await until(() => Date.now() > at);
    }
    const states = await Promise.all(ids.map(async (id) => (await queue.status(name, id))?.state));
    expect(states).toEqual([undefined, undefined, "completed", "completed", undefined, "failed", "failed"]);
    expect((await queue.dead(name)).map(({ data }) => data)).toEqual(["c", "b"]);
  });
}
