import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import * as bullmq from "bullmq";
import { Redis } from "ioredis";
import { createClient } from "redis";
import { createClient as createIngressClient } from "socket-ingress/client";
import { BullQueueBackend, type Job, QueueService } from "socket-ingress/queue";
import { trackJob } from "socket-ingress/queue/client";
import { createEmitter } from "socket-ingress/realtime";
import { memoryCluster } from "socket-ingress/testing";
import { deferred } from "../../fixtures/deferred.js";
import { needs } from "../../fixtures/needs.js";
import { type Door, open } from "../realtime/door.js";
import { inRedis, type Jobs } from "./backends.js";
import { until } from "./queue-suite.js";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

needs("redis")("a queue of several nodes, in Redis", () => {
  let jobs: Jobs;
  beforeAll(async () => {
    jobs = await inRedis();
  });
  afterAll(async () => {
    await jobs[Symbol.asyncDispose]();
  });

  /** A node that takes jobs in. */
  async function node(
    adapter: ReturnType<typeof memoryCluster>["adapter"],
    name: string,
  ): Promise<{ door: Door; queue: QueueService }> {
    let queue!: QueueService;
    const door = await open({
      server: { adapter },
      before: (manager, realtime) => {
        queue = new QueueService({ backend: jobs.backend(), realtime });
        manager.registerService(queue);
        manager.ingress.subscribe("export", queue.asSubscriber(name));
      },
    });
    return { door, queue };
  }
  const logger = { warn: () => undefined, error: () => undefined };

  it("a job is followed from one node while another runs it, is cancelled from there, and a client that moves follows it on", async () => {
    const { adapter } = memoryCluster();
    const name = `exports ${randomUUID()}`;
    const [one, two] = [await node(adapter, name), await node(adapter, name)];
    await using _one = one.door;
    await using _two = two.door;
    const started: Job[] = [];
    two.queue.process(
      name,
      async ([job]) => {
        started.push(job as Job);
        await job?.progress(started.length);
        await new Promise((_, reject) => job?.signal.addEventListener("abort", () => reject(job.signal.reason)));
      },
      { attempts: 1, batchSize: 1, concurrency: 2 },
    );
    const ann = await one.door.enter({ session: "s1" });
    const client = createIngressClient<{ export(data: unknown, reply: (id: string) => void): void }>(ann.socket, {
      logger,
    });
    const job = trackJob<number>(client, await client.call("export", 1));
    await until(() => job.getSnapshot().progress === 1);
    expect(job.getSnapshot()).toMatchObject({ state: "running", status: "live" });
    // The other node is told within a second or so.
    expect(await job.cancel()).toBe("aborted");
    await until(() => job.getSnapshot().state === "cancelled");
    expect(started[0]?.signal.reason).toMatchObject({ code: "CANCELLED" });

    const id = await client.call("export", 2);
    client.socket.disconnect();
    const moved = await two.door.enter({ session: "s1" });
    const there = trackJob<number>(createIngressClient(moved.socket, { logger }), id);
    await until(() => there.getSnapshot().progress === 2);
    const stranger = await two.door.enter({ session: "s2" });
    await expect(trackJob(createIngressClient(stranger.socket, { logger }), id).ready).rejects.toMatchObject({
      code: "NOT_FOUND",
    });
  });

  it("a worker without a server tells callers by an emitter", async () => {
    const { adapter } = memoryCluster();
    const name = `exports ${randomUUID()}`;
    const { door } = await node(adapter, name);
    await using _ = door;
    await using emitter = await createEmitter({ adapter });
    await using worker = new QueueService({ backend: jobs.backend(), realtime: emitter });
    worker.process(name, async (batch) => batch.map(({ data }) => `made ${String(data)}`));
    await worker.start();
    const ann = await door.enter({ session: "s1" });
    const client = createIngressClient<{ export(data: unknown, reply: (id: string) => void): void }>(ann.socket, {
      logger,
    });
    const job = trackJob<unknown, string>(client, await client.call("export", 7));
    await until(() => job.getSnapshot().state === "completed");
    expect(job.getSnapshot()).toMatchObject({ result: "made 7", status: "live" });
  });

  it("clients of ioredis and of node-redis will do as they are, and stay their owner's", async () => {
    const path = (jobs.options as { connection: { path: string } }).connection.path;
    const one = new Redis(path, { maxRetriesPerRequest: null });
    const other = await createClient({ socket: { path, tls: false } }).connect();
    const clients: [connection: unknown, ping: () => Promise<unknown>][] = [
      [one, () => one.ping()],
      [other, () => other.ping()],
    ];
    for (const [connection, ping] of clients) {
      const name = `work ${randomUUID()}`;
      const queue = new QueueService({ backend: new BullQueueBackend(bullmq, { connection }) });
      const seen: unknown[] = [];
      queue.process(name, (batch) => batch.forEach(({ data }) => seen.push(data)), { batchSize: 2 });
      await queue.start();
      await queue.enqueue(name, [1, 2, 3]);
      await until(() => seen.length === 3);
      await queue.stop();
      expect(await ping()).toBe("PONG");
    }
    one.disconnect();
    other.destroy();
  });

  it("two processes share the work, and each job is done once", async () => {
    const name = `work ${randomUUID()}`;
    const seen: unknown[] = [];
    const both = deferred();
    const workers = [1, 2].map(() => {
      const worker = new QueueService({ backend: jobs.backend() });
      worker.process(
        name,
        async (batch) => {
          seen.push(...batch.map(({ data }) => data));
          if (seen.length >= 20) both.resolve();
          await both.promise;
        },
        { batchSize: 10, lingerMs: 2_000 },
      );
      return worker;
    });
    await Promise.all(workers.map((worker) => worker.start()));
    await workers[0]?.enqueue(
      name,
      Array.from({ length: 100 }, (_, i) => i),
    );
    await until(() => seen.length === 100);
    expect(new Set(seen).size).toBe(100);
    await Promise.all(workers.map((worker) => worker.stop()));
  });
});

it("what is not bullmq, and options that do not fit, are a TypeError that says so", () => {
  expect(() => new BullQueueBackend({}, { connection: {} })).toThrow(
    /BullQueueBackend: expected the module bullmq, 6.7 or later, with createRedisBackend, got an object/,
  );
  expect(() => new BullQueueBackend(bullmq, {} as never)).toThrow(
    /connection must be what BullMQ connects with, got undefined/,
  );
  expect(() => new BullQueueBackend(bullmq, { connection: {}, lockMs: 1 })).toThrow(
    /lockMs must be a number from 100 up, got 1/,
  );
  expect(() => new BullQueueBackend(bullmq, { connection: {}, storage: "mysql" as never })).toThrow(
    /storage must be "redis" or "postgres", got "mysql"/,
  );
});
