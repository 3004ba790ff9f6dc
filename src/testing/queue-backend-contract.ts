import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import type {
  JobOutcome,
  NewJob,
  QueueBackend,
  QueueConsumer,
  StoredError,
  TakenJob,
} from "../features/queue/queue-backend.js";
import type { ContractCase } from "./contract.js";

const error: StoredError = { reason: "Error: no", failure: { code: "INTERNAL", message: "internal error" } };

/** A queue of a case's own, and what works on it. */
interface Bench {
  readonly queue: string;
  readonly cancelled: string[];
  add(data: unknown, more?: Partial<NewJob>): Promise<string>;
  /** Takes so many jobs, waiting until they are there. */
  take(count: number): Promise<TakenJob[]>;
  readonly consumer: QueueConsumer;
}

const newJob = (data: unknown, more: Partial<NewJob> = {}): NewJob => ({
  id: more.id ?? randomUUID(),
  isNamed: more.id !== undefined,
  origin: undefined,
  delayMs: 0,
  priority: 100,
  ...more,
  data,
});

/** What a {@link QueueBackend} promises, as cases for `contract`. */
export function queueBackendContract(backend: QueueBackend): ContractCase[] {
  const cases: ContractCase[] = [];
  // A backend may be used by several cases, so each has a queue of its own.
  const it = (name: string, run: (bench: Bench) => Promise<void>): void => {
    cases.push({ name, run: async () => onBench(backend, run) });
  };
  const settle = async ({ consumer }: Bench, ...outcomes: JobOutcome[]): Promise<void> => {
    await consumer.settle(outcomes, 0);
  };

  it("jobs are taken in the order of their priorities, then of their arrival, each once", async (bench) => {
    for (const [data, priority] of [
      ["a", 100],
      ["b", 200],
      ["c", 100],
      ["d", 5],
    ] as const)
      await bench.add(data, { priority });
    const jobs = await bench.take(4);
    assert.deepEqual(
      jobs.map(({ data }) => data),
      ["d", "a", "c", "b"],
    );
    assert.deepEqual(await bench.consumer.take(10), []);
  });

  it("no more are taken than asked for", async (bench) => {
    await backend.add(
      bench.queue,
      Array.from({ length: 30 }, (_, i) => newJob(i)),
      100,
    );
    const first = await bench.take(20);
    assert.deepEqual(
      first.map(({ data }) => data),
      Array.from({ length: 20 }, (_, i) => i),
    );
    assert.deepEqual(
      (await bench.take(10)).map(({ data }) => data),
      Array.from({ length: 10 }, (_, i) => 20 + i),
    );
  });

  it("what is added is a copy, and who asked for it comes with it", async (bench) => {
    const data = { list: [1, { deep: "ü ☃ 😀" }], none: null };
    await bench.add(data, { origin: { user: "ada", session: "s1" } });
    data.list.push(2);
    const [job] = await bench.take(1);
    assert.deepEqual(job?.data, { list: [1, { deep: "ü ☃ 😀" }], none: null });
    assert.deepEqual([job?.origin, job?.starts, job?.takes], [{ user: "ada", session: "s1" }, 0, 1]);
  });

  it("no data is taken in and given out as none", async (bench) => {
    await bench.add(undefined);
    const [job] = await bench.take(1);
    assert.equal(job?.data, undefined);
  });

  it("a list that does not fit is refused as a whole", async (bench) => {
    await backend.add(bench.queue, [newJob(1), newJob(2)], 3);
    assert.deepEqual(await backend.add(bench.queue, [newJob(3), newJob(4)], 3), { added: false, size: 2 });
    assert.deepEqual(await backend.add(bench.queue, [newJob(3)], 3), { added: true });
    assert.deepEqual(
      (await bench.take(3)).map(({ data }) => data),
      [1, 2, 3],
    );
  });

  it("the same id is taken in once, while it waits, runs and when it is done", async (bench) => {
    await bench.add("first", { id: "same" });
    await bench.add("second", { id: "same" });
    const [job] = await bench.take(1);
    await bench.add("third", { id: "same" });
    await settle(bench, { job: job as TakenJob, end: "completed", result: undefined });
    await bench.add("fourth", { id: "same" });
    assert.equal(job?.data, "first");
    assert.deepEqual(await bench.consumer.take(1), []);
  });

  it("a known id is no reason to refuse, however full the queue is", async (bench) => {
    await bench.add("first", { id: "same" });
    assert.deepEqual(await backend.add(bench.queue, [newJob("again", { id: "same" })], 1), { added: true });
  });

  it("ids may hold anything", async (bench) => {
    for (const id of ["42", "order:7:shipped", "a%3Ab", "__proto__", " ü/☃ "]) {
      await bench.add(id, { id });
      const [job] = await bench.take(1);
      assert.deepEqual([job?.id, job?.data], [id, id]);
      assert.equal((await backend.find(bench.queue, id))?.state, "running");
    }
  });

  it("a delayed job is taken when its time has come, and not before", async (bench) => {
    // Whatever is to be opened is open.
    await bench.consumer.take(1);
    const from = performance.now();
    await bench.add("later", { delayMs: 1_000 });
    assert.deepEqual(await bench.consumer.take(1), []);
    assert.equal((await backend.depths(bench.queue)).delayed, 1);
    const [job] = await bench.take(1);
    assert.equal(job?.data, "later");
    // Clocks of the store and of this process may differ in the last milliseconds.
    assert.ok(performance.now() - from >= 950);
  });

  it("what became of a job is known: queued, running, completed with its result", async (bench) => {
    const id = await bench.add("x", { origin: { user: "ada" } });
    assert.equal((await backend.find(bench.queue, id))?.state, "queued");
    const [job] = await bench.take(1);
    assert.equal((await backend.find(bench.queue, id))?.state, "running");
    await bench.consumer.progress(job as TakenJob, { n: 3, value: { percent: 50 } });
    assert.deepEqual((await backend.find(bench.queue, id))?.progress, { n: 3, value: { percent: 50 } });
    await settle(bench, { job: job as TakenJob, end: "completed", result: { url: "/x" } });
    const record = await backend.find(bench.queue, id);
    assert.deepEqual([record?.state, record?.result, record?.origin], ["completed", { url: "/x" }, { user: "ada" }]);
    assert.equal(await backend.find(bench.queue, "another"), undefined);
  });

  it("a job that is tried again waits so long, and counts its starts", async (bench) => {
    const id = await bench.add("x");
    const [job] = await bench.take(1);
    const from = performance.now();
    await settle(bench, { job: job as TakenJob, end: "retry", error, afterMs: 60 });
    assert.equal((await backend.find(bench.queue, id))?.state, "queued");
    const [again] = await bench.take(1);
    assert.ok(performance.now() - from >= 50);
    assert.deepEqual([again?.data, again?.starts, again?.takes], ["x", 1, 2]);
    await bench.consumer.begin([again as TakenJob]);
    await settle(bench, { job: again as TakenJob, end: "retry", error, afterMs: 0 });
    const [third] = await bench.take(1);
    assert.deepEqual([third?.starts, third?.takes], [2, 3]);
  });

  it("a job that is given back comes again, and that start does not count", async (bench) => {
    await bench.add("x");
    for (let takes = 1; takes <= 3; takes++) {
      const [job] = await bench.take(1);
      assert.deepEqual([job?.starts, job?.takes], [0, takes]);
      if (takes > 1) await bench.consumer.begin([job as TakenJob]);
      await settle(bench, { job: job as TakenJob, end: "release" });
    }
  });

  it("dead jobs are listed, the newest first, and can be had to run again as if they never had", async (bench) => {
    const ids = [await bench.add("a"), await bench.add("b")];
    for (const job of await bench.take(2)) await settle(bench, { job, end: "dead", error });
    const dead = await backend.dead(bench.queue, 10);
    assert.deepEqual(new Set(dead.map(({ data }) => data)), new Set(["a", "b"]));
    assert.deepEqual([dead[0]?.reason, dead[0]?.attempts, dead[0]?.queue], ["Error: no", 1, bench.queue]);
    const record = await backend.find(bench.queue, ids[0] as string);
    assert.deepEqual([record?.state, record?.error], ["failed", error]);
    assert.equal(await backend.retryDead(bench.queue, [ids[1] as string, "another"]), 1);
    const [job] = await bench.take(1);
    assert.deepEqual([job?.data, job?.starts], ["b", 0]);
    assert.equal(await backend.retryDead(bench.queue, undefined), 1);
    assert.equal((await backend.depths(bench.queue)).dead, 0);
  });

  it("a job that waits is removed when it is cancelled, delayed ones too, and may be enqueued again", async (bench) => {
    const waiting = await bench.add("a", { id: "w" });
    const delayed = await bench.add("b", { id: "d", delayMs: 60_000 });
    for (const id of [waiting, delayed]) {
      assert.equal(await backend.cancel(bench.queue, id), "removed");
      assert.equal((await backend.find(bench.queue, id))?.state, "cancelled");
    }
    assert.equal((await backend.depths(bench.queue)).pending, 0);
    assert.deepEqual(await bench.consumer.take(1), []);
    await bench.add("again", { id: "w" });
    const [job] = await bench.take(1);
    assert.equal(job?.data, "again");
    assert.equal((await backend.find(bench.queue, "w"))?.state, "running");
  });

  it("whoever runs a job is told that it was cancelled", async (bench) => {
    const id = await bench.add("a");
    const [job] = await bench.take(1);
    assert.equal(await backend.cancel(bench.queue, id), "running");
    assert.equal((await backend.find(bench.queue, id))?.state, "cancelling");
    await settle(bench, { job: job as TakenJob, end: "cancelled" });
    assert.equal((await backend.find(bench.queue, id))?.state, "cancelled");
    assert.deepEqual(await backend.dead(bench.queue, 10), []);
  });

  it("there is nothing to cancel of what is over, or was never there", async (bench) => {
    const ids = [await bench.add("a"), await bench.add("b")];
    const [a, b] = await bench.take(2);
    await settle(
      bench,
      { job: a as TakenJob, end: "completed", result: 1 },
      { job: b as TakenJob, end: "dead", error },
    );
    for (const id of [...ids, "another"]) assert.equal(await backend.cancel(bench.queue, id), "unknown");
    const states = await Promise.all(ids.map(async (id) => (await backend.find(bench.queue, id))?.state));
    assert.deepEqual(states, ["completed", "failed"]);
  });

  it("depths say how many wait, run and are dead, and how long the next one has waited", async (bench) => {
    assert.deepEqual(await backend.depths(bench.queue), { pending: 0, delayed: 0, running: 0, dead: 0, oldestMs: 0 });
    for (const data of ["a", "b", "c"]) await bench.add(data);
    await bench.add("d", { delayMs: 60_000 });
    await bench.take(1);
    const { oldestMs, ...depths } = await backend.depths(bench.queue);
    assert.deepEqual(depths, { pending: 3, delayed: 1, running: 1, dead: 0 });
    assert.ok(oldestMs >= 0 && oldestMs < 60_000);
  });

  it("who waits is woken by a job, and by the signal", async (bench) => {
    const controller = new AbortController();
    const woken = bench.consumer.wait(controller.signal);
    await bench.add("a");
    await woken;
    assert.equal((await bench.take(1)).length, 1);
    const stopped = bench.consumer.wait(controller.signal);
    controller.abort();
    await stopped;
    await bench.consumer.wait(controller.signal);
  });

  return cases;
}

async function onBench(backend: QueueBackend, run: (bench: Bench) => Promise<void>): Promise<void> {
  const queue = `contract ${randomUUID()}`;
  const cancelled: string[] = [];
  const consumer = backend.consume(queue, {
    onCancelled: (id) => cancelled.push(id),
    onLost: () => undefined,
    onError: (thrown) => assert.ifError(thrown),
  });
  const never = new AbortController();
  try {
    await run({
      queue,
      cancelled,
      consumer,
      async add(data, more) {
        const job = newJob(data, more);
        assert.deepEqual(await backend.add(queue, [job], 1_000), { added: true });
        return job.id;
      },
      async take(count) {
        const jobs: TakenJob[] = [];
        while (jobs.length < count) {
          const more = await consumer.take(count - jobs.length);
          if (more.length === 0) await consumer.wait(never.signal);
          jobs.push(...more);
        }
        return jobs;
      },
    });
  } finally {
    await consumer.close();
  }
}
