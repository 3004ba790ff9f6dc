import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { createClient } from "socket-ingress/client";
import { QueueService } from "socket-ingress/queue";
import { trackJob } from "socket-ingress/queue/client";
import { needs } from "../fixtures/needs.js";
import { inRedis, type Jobs } from "../features/queue/backends.js";
import { until } from "../features/queue/queue-suite.js";
import { start } from "../features/queue/workers.js";
import { open } from "../features/realtime/door.js";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

// The promise of queues, with a backend that outlives the process. Each of its halves on PostgreSQL, and ten kills, are in test/features/queue.

needs("redis")("queues", () => {
  let jobs: Jobs;
  beforeAll(async () => {
    jobs = await inRedis();
  });
  afterAll(async () => {
    await jobs[Symbol.asyncDispose]();
  });

  describe.each([
    ["over real sockets", false],
    ["in memory", true],
  ])("%s", (_where, memory) => {
    it("33. With a backend that outlives the process a job that was taken in is done at least once, or dead and listed; full is a refusal; a bad job does not take its batch along.", async () => {
      const name = `work ${randomUUID()}`;
      let queue!: QueueService;
      await using door = await open({
        memory,
        before: (manager, realtime) => {
          queue = new QueueService({ backend: jobs.backend({ lockMs: 3_000 }), realtime, maxSize: 12 });
          manager.registerService(queue);
          manager.ingress.subscribe("work", queue.asSubscriber(name));
        },
      });
      const ann = await door.enter({ session: "s1" });
      const client = createClient<{ work(data: unknown, reply: (id: string) => void): void }>(ann.socket);
      const ids: string[] = [];
      for (let i = 0; i < 11; i++) ids.push(await client.call("work", i));
      ids.push(await client.call("work", "bad"));
      await expect(client.call("work", "too much")).rejects.toMatchObject({
        code: "OVERLOADED",
        details: { size: 12, max: 12 },
      });
      // A process that dies in the middle of a batch.
      const worker = start({
        backend: { ...jobs.options, lockMs: 3_000 },
        queue: name,
        batchSize: 4,
        attempts: 3,
        ms: 60_000,
      });
      await worker.begun(1);
      worker.process.kill("SIGKILL");
      await worker.gone;
      const cut = worker.batches.flat();
      expect(cut).toHaveLength(4);

      const done = new Map<string, number>();
      queue.process(
        name,
        (batch) => {
          if (batch.some(({ data }) => data === "bad")) throw new Error("bad");
          for (const { id } of batch) done.set(id, (done.get(id) ?? 0) + 1);
        },
        { attempts: 3, backoffMs: 10, lingerMs: 200, batchSize: 4 },
      );
      const tracked = ids.map((id) => trackJob(client, id));
      await until(() => tracked.every((job) => ["completed", "failed"].includes(job.getSnapshot().state ?? "")));
      expect(tracked.filter((job) => job.getSnapshot().state === "failed").map(({ id }) => id)).toEqual([ids[11]]);
      expect((await queue.dead(name)).map(({ id, data }) => [id, data])).toEqual([[ids[11], "bad"]]);
      expect(new Set(done.keys())).toEqual(new Set(ids.slice(0, 11)));
      for (const id of cut) expect(done.get(id)).toBe(1);
    });
  });
});
