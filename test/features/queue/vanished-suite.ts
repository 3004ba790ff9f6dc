import { loopTime } from "../../fixtures/loop-time.js";
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, it } from "vitest";
import { ServiceManager } from "socket-ingress";
import { QueueService } from "socket-ingress/queue";
import { recordingLog } from "../../fixtures/recording-log.js";
import type { Jobs } from "./backends.js";
import { until } from "./queue-suite.js";
import { start, type Worker } from "./workers.js";

/** What holds when a worker's process is gone, without a word. */
export function vanishedSuite(open: () => Promise<Jobs>, kills: number): void {
  let jobs: Jobs;
  beforeAll(async () => {
    jobs = await open();
  });
  afterAll(async () => {
    await jobs[Symbol.asyncDispose]();
  });

  const orders = { batchSize: 10, attempts: kills + 3, ms: 15 };
  const lockMs = 3_000;

  it(`kill -9 of the worker ${kills} times in a batch run: what was done before is not done again, the others run again, none is lost`, async () => {
    await using queue = new QueueService({ backend: jobs.backend() });
    await queue.start();
    const name = `q ${randomUUID()}`;
    const { ids } = await queue.enqueue(
      name,
      Array.from({ length: kills * 30 + 30 }, (_, i) => i),
    );
    const done = async (): Promise<Set<string>> => {
      const states = await Promise.all(ids.map(async (id) => (await queue.status(name, id))?.state));
      return new Set(ids.filter((_, i) => states[i] === "completed" || states[i] === "failed"));
    };
    const later: { before: Set<string>; worker: Worker }[] = [];
    let before = new Set<string>();
    for (let i = 0; i <= kills; i++) {
      const worker = start({ ...orders, queue: name, backend: { ...jobs.options, lockMs } });
      later.push({ before, worker });
      if (i === kills) break;
      await worker.begun(2);
      worker.process.kill("SIGKILL");
      await worker.gone;
      before = await done();
    }
    await untilAtLast(async () => (await done()).size === ids.length);
    const { worker } = later.at(-1) as { worker: Worker };
    worker.process.kill("SIGKILL");
    await worker.gone;
    for (const { before: known, worker: one } of later)
      expect(one.batches.flat().filter((id) => known.has(id))).toEqual([]);
    const counts = new Map<string, number>();
    for (const id of later.flatMap(({ worker: one }) => one.batches.flat())) counts.set(id, (counts.get(id) ?? 0) + 1);
    // Every batch that was cut has run again.
    expect(Math.max(...counts.values())).toBeGreaterThan(1);
    expect(counts.size).toBe(ids.length);
  });

  it("a job that ends its process each time is dead after as many starts as attempts says, and takes none along", async () => {
    await using queue = new QueueService({ backend: jobs.backend() });
    await queue.start();
    const name = `q ${randomUUID()}`;
    const { ids } = await queue.enqueue(name, [1, 2, "kill", 4, 5]);
    const workers: Worker[] = [];
    const attempts = 3;
    // One more than it can end, which buries it.
    for (let i = 0; i <= attempts; i++) {
      const worker = start({ ...orders, attempts, queue: name, backend: { ...jobs.options, lockMs } });
      workers.push(worker);
      if (i < attempts) await worker.gone;
    }
    await untilAtLast(async () => {
      const states = await Promise.all(ids.map(async (id) => (await queue.status(name, id))?.state));
      return states.every((state) => state === "completed" || state === "failed");
    });
    for (const worker of workers) worker.process.kill("SIGKILL");
    const [dead] = await queue.dead(name);
    expect([dead?.data, dead?.attempts]).toEqual(["kill", attempts]);
    expect(dead?.reason).toMatch(/the process ended each time/);
    const starts = workers.flatMap(({ batches }) => batches.flat()).filter((id) => id === ids[2]);
    expect(starts).toHaveLength(attempts);
    const states = await Promise.all(ids.map(async (id) => (await queue.status(name, id))?.state));
    expect(states).toEqual(["completed", "completed", "failed", "completed", "completed"]);
  });

  it("the jobs of a worker that vanished are taken over within its lock", async () => {
    await using queue = new QueueService({ backend: jobs.backend({ lockMs }) });
    await queue.start();
    const name = `q ${randomUUID()}`;
    const { ids } = await queue.enqueue(name, ["a"]);
    const worker = start({ ...orders, ms: 60_000, queue: name, backend: { ...jobs.options, lockMs } });
    await worker.begun(1);
    worker.process.kill("SIGKILL");
    await worker.gone;
    using time = loopTime();
    let took = 0;
    queue.process(name, () => void (took = time.ms));
    await until(async () => (await queue.status(name, ids[0] as string))?.state === "completed");
    // A busy machine may be late by as much again.
    expect(took).toBeLessThan(2 * lockMs);
  });

  it("a service that has stopped leaves nothing that would keep its process from ending", async () => {
    await using queue = new QueueService({ backend: jobs.backend() });
    await queue.start();
    const name = `q ${randomUUID()}`;
    const { ids } = await queue.enqueue(name, ["a"]);
    const worker = start({ ...orders, queue: name, backend: { ...jobs.options, lockMs } });
    await worker.begun(1);
    await untilAtLast(async () => (await queue.status(name, ids[0] as string))?.state === "completed");
    worker.process.kill("SIGTERM");
    expect(await worker.gone).toEqual([0, null]);
  });

  it("a store that is not there when the service starts is waited for, and one that is not there keeps no service from stopping", async () => {
    const { backend, appear } = jobs.late();
    const queue = new QueueService({ backend });
    new ServiceManager(undefined, { logger: recordingLog() }).registerService(queue);
    const name = `q ${randomUUID()}`;
    const seen: unknown[] = [];
    queue.process(name, (batch) => batch.forEach(({ data }) => seen.push(data)));
    await queue.start();
    // It may wait, or be refused at once: then it is for whoever asked to try again.
    const first = queue.enqueue(name, 1).catch(() => undefined);
    const gone = new QueueService({ backend: jobs.late().backend, graceMs: 100 });
    new ServiceManager(undefined, { logger: recordingLog() }).registerService(gone);
    gone.process(name, () => undefined);
    await gone.start();
    await gone.stop();
    await appear();
    await first;
    await untilAtLast(async () => (await queue.enqueue(name, 2).catch(() => undefined)) !== undefined);
    await untilAtLast(() => seen.includes(2));
    await queue.stop();
  });

  it("a restart of the store: consumers and producers go on by themselves", async () => {
    await using queue = new QueueService({ backend: jobs.backend({ lockMs: 1_500 }) });
    await queue.start();
    const name = `q ${randomUUID()}`;
    const seen = new Set<unknown>();
    queue.process<number>(name, (batch) => batch.forEach(({ data }) => seen.add(data)), { lingerMs: 0 });
    await queue.enqueue(name, [1, 2, 3]);
    await until(() => seen.size === 3);
    await jobs.restart();
    await untilAtLast(async () => {
      const again = await queue.enqueue(name, [4, 5, 6]).catch(() => undefined);
      return again !== undefined;
    });
    await untilAtLast(() => [4, 5, 6].every((one) => seen.has(one)));
    await untilAtLast(() => queue.health().status === "ok");
  });
}

/** The same, of what takes processes and seconds. */
async function untilAtLast(what: () => Promise<boolean> | boolean): Promise<void> {
  for (;;) {
    if (await what()) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
