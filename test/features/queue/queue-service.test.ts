import { describe, expect, it } from "vitest";
import { ServiceManager } from "socket-ingress";
import { MemoryQueueBackend, type QueueBackend, QueueService } from "socket-ingress/queue";
import { deferred } from "../../fixtures/deferred.js";
import { recordingLog } from "../../fixtures/recording-log.js";
import { until } from "./queue-suite.js";

describe("a mistake in wiring a queue", () => {
  it.each([
    [() => new QueueService({ maxSize: 0 }), /QueueService: maxSize must be a whole number from 1/],
    [() => new QueueService({ max: 1 } as never), /QueueService: there is no option "max"; there are name, backend/],
    [() => new QueueService({ backend: {} as never }), /QueueService: backend must be a QueueBackend, got an object/],
    [() => new QueueService({ realtime: {} as never }), /realtime must be a Realtime or an Emitter/],
    [() => new MemoryQueueBackend({ keepDead: 0 }), /MemoryQueueBackend: keepDead must be a whole number from 1/],
    [() => new QueueService().process("", () => undefined), /process: expected the name of a queue, got ""/],
    [
      () => new QueueService().process("q", 7 as never),
      /process\("q"\): expected a handler, a function of jobs, got 7/,
    ],
    [
      () => new QueueService().process("q", () => undefined, { attempts: 0 }),
      /attempts must be a whole number from 1, got 0/,
    ],
    [
      () => new QueueService().process("q", () => undefined, { backoffMs: -1 }),
      /backoffMs must be milliseconds from 0/,
    ],
    [() => new QueueService().process("q", () => undefined, { retries: 1 } as never), /there is no option "retries"/],
    [() => new QueueService().asSubscriber(7 as never), /asSubscriber: expected the name of a queue, got 7/],
    [() => new QueueService().asSubscriber("q", { id: "" } as never), /asSubscriber\("q"\): there is no option "id"/],
    [() => new QueueService().asSubscriber("q", { maxBytes: 0 }), /maxBytes must be a whole number from 1/],
  ])("is a TypeError at once that says what fits: %#", (make, message) => {
    expect(make).toThrow(message);
    expect(make).toThrow(TypeError);
  });

  it("a second handler of a queue is a TypeError", () => {
    const queue = new QueueService().process("q", () => undefined);
    expect(() => queue.process("q", () => undefined)).toThrow(/process\("q"\): the queue has a handler already/);
  });

  it.each([
    [{ priority: -1 }, /enqueue\("q"\): priority must be a whole number from 0/],
    [{ delayMs: Infinity }, /delayMs must be milliseconds from 0 to a year, got Infinity/],
    [{ id: "x".repeat(257) }, /id must be a string of 1 to 256 characters/],
    [{ after: 1 }, /there is no option "after"/],
  ])("an option of enqueue that does not fit is a TypeError: %#", async (options, message) => {
    const queue = new QueueService();
    await expect(queue.enqueue("q", 1, options as never)).rejects.toThrow(message);
    expect(await queue.pending("q")).toBe(0);
  });
});

describe("a queue service", () => {
  it("takes jobs in before it starts, and hands them out when it has", async () => {
    await using queue = new QueueService();
    const seen: unknown[] = [];
    await queue.enqueue("q", [1, 2]);
    queue.process("q", (jobs) => void seen.push(...jobs.map(({ data }) => data)));
    expect(seen).toEqual([]);
    await queue.start();
    await until(() => seen.length === 2);
  });

  it("starts again after it stopped, with its handlers", async () => {
    const queue = new QueueService();
    const seen: unknown[] = [];
    queue.process("q", (jobs) => void seen.push(...jobs.map(({ data }) => data)));
    for (let i = 1; i <= 3; i++) {
      await queue.start();
      await queue.enqueue("q", i);
      await until(() => seen.length === i);
      await queue.stop();
    }
    expect(seen).toEqual([1, 2, 3]);
  });

  it("enqueues one after the other in one turn what is handled as one batch", async () => {
    await using queue = new QueueService();
    const sizes: number[] = [];
    await queue.start();
    queue.process("q", (jobs) => void sizes.push(jobs.length), { lingerMs: 0 });
    await new Promise((resolve) => setImmediate(resolve));
    for (let i = 0; i < 120; i++) await queue.enqueue("q", i);
    await until(() => sizes.reduce((sum, size) => sum + size, 0) === 120);
    expect(sizes).toEqual([50, 50, 20]);
  });

  it("a backend that fails is told once, tried again, and degrades the health until it is well", async () => {
    const log = recordingLog();
    const backend = new MemoryQueueBackend();
    let isDown = true;
    const failing: QueueBackend = Object.assign(Object.create(backend) as QueueBackend, {
      add: backend.add.bind(backend),
      find: backend.find.bind(backend),
      depths: backend.depths.bind(backend),
      close: backend.close.bind(backend),
      consume(...args: Parameters<QueueBackend["consume"]>) {
        const consumer = backend.consume(...args);
        return Object.assign(Object.create(consumer) as typeof consumer, {
          take: (max: number) => (isDown ? Promise.reject(new Error("down")) : consumer.take(max)),
          wait: (signal: AbortSignal) => consumer.wait(signal),
          settle: consumer.settle.bind(consumer),
          begin: consumer.begin.bind(consumer),
          close: consumer.close.bind(consumer),
        });
      },
    });
    const queue = new QueueService({ backend: failing });
    const manager = new ServiceManager(undefined, { logger: log }).registerService(queue);
    const seen: unknown[] = [];
    queue.process("q", (jobs) => void seen.push(...jobs.map(({ data }) => data)));
    await manager.boot();
    await until(() => queue.health().status === "degraded");
    expect(queue.health().reason).toMatch(/the queue "q" can't be read: Error: down/);
    expect(manager.health().status).toBe("degraded");
    await queue.enqueue("q", 1);
    isDown = false;
    await until(() => seen.length === 1);
    expect(queue.health().status).toBe("ok");
    const lines = log.lines.filter(({ fields }) => fields["queue"] === "q");
    expect(lines.map(({ level, message }) => [level, message])).toEqual([
      ["warn", "the queue can't be read; it is tried again"],
      ["info", "the queue can be read again"],
    ]);
    await manager.shutdown({ graceMs: 100 });
  });

  it("a handler that returns something else than a list is told so, once, and its jobs are done", async () => {
    const log = recordingLog();
    const queue = new QueueService();
    new ServiceManager(undefined, { logger: log }).registerService(queue);
    await using _ = queue;
    queue.process("q", (() => "done") as never, { batchSize: 1, lingerMs: 0 });
    await queue.start();
    const { ids } = await queue.enqueue("q", [1, 2]);
    await until(async () => (await queue.status("q", ids[1] as string))?.state === "completed");
    expect(log.lines.filter(({ message }) => /no list/.test(message ?? ""))).toHaveLength(1);
  });

  it("a backoff that throws or returns no number is a second, and told", async () => {
    const log = recordingLog();
    const queue = new QueueService();
    new ServiceManager(undefined, { logger: log }).registerService(queue);
    await using _ = queue;
    let runs = 0;
    queue.process("q", () => Promise.reject(new Error(`run ${++runs}`)), { attempts: 2, backoffMs: () => Number.NaN });
    await queue.start();
    await queue.enqueue("q", 1);
    await until(async () => (await queue.dead("q")).length === 1);
    expect(runs).toBe(2);
    expect(log.lines.filter(({ message }) => /backoffMs failed/.test(message ?? ""))).toHaveLength(1);
  });

  it("a job's signal that nobody reads is never made, and one that is read late has aborted already", async () => {
    await using queue = new QueueService();
    const [started, look] = [deferred<string>(), deferred()];
    const seen: boolean[] = [];
    queue.process("q", async ([job]) => {
      started.resolve(job?.id ?? "");
      await look.promise;
      seen.push(job?.signal.aborted ?? false);
    });
    await queue.start();
    await queue.enqueue("q", 1);
    await queue.cancel("q", await started.promise);
    look.resolve();
    await until(() => seen.length === 1);
    expect(seen).toEqual([true]);
  });
});
