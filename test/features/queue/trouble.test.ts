import { createServer } from "node:http";
import { Server } from "socket.io";
import { expect, it, vi } from "vitest";
import { ServiceManager } from "socket-ingress";
import { createClient } from "socket-ingress/client";
import { type ConsumerEvents, type Job, type JobOutcome, MemoryQueueBackend, QueueService } from "socket-ingress/queue";
import { trackJob } from "socket-ingress/queue/client";
import { Realtime } from "socket-ingress/realtime";
import { inMemory } from "socket-ingress/testing";
import { deferred } from "../../fixtures/deferred.js";
import { recordingLog } from "../../fixtures/recording-log.js";
import { open } from "../realtime/door.js";
import { backendWith } from "./backend-with.js";
import { until } from "./queue-suite.js";

const quiet = { warn: () => undefined, error: () => undefined };

/** A service whose log is recorded. */
function serve(...args: Parameters<typeof backendWith>): { queue: QueueService; log: ReturnType<typeof recordingLog> } {
  const log = recordingLog();
  const queue = new QueueService({ backend: backendWith(...args) });
  new ServiceManager(undefined, { logger: log }).registerService(queue);
  return { queue, log };
}

it("a name that is none is a TypeError", () => {
  for (const name of ["", 7])
    expect(() => new QueueService({ name: name as string })).toThrow(/name must be a non-empty/);
  expect(new QueueService({ name: "mails" }).name).toBe("mails");
});

it("a job that another process has taken over is told so, and what becomes of it here is kept nowhere", async () => {
  let events!: ConsumerEvents;
  const outcomes: JobOutcome[] = [];
  const { queue } = serve({}, (told) => {
    events = told;
    return { settle: async (some) => (outcomes.push(...some), []) };
  });
  await using _ = queue;
  const started = deferred<readonly Job[]>();
  queue.process(
    "q",
    async (jobs) => {
      started.resolve(jobs);
      await new Promise((resolve) => jobs[0]?.signal.addEventListener("abort", resolve));
      await jobs[0]?.progress("too late");
      return jobs.map(() => "done");
    },
    { lingerMs: 0 },
  );
  const { ids } = await queue.enqueue("q", [1, 2]);
  await queue.start();
  const [first] = await started.promise;
  events.onLost(ids[0] as string);
  // It may be said again, and of what is not here.
  events.onLost(ids[0] as string);
  events.onLost("another");
  expect(first?.signal.reason).toMatchObject({ code: "CONFLICT" });
  await until(() => outcomes.length === 1);
  expect(outcomes[0]).toMatchObject({ job: { id: ids[1] }, end: "completed" });
  expect((await queue.status("q", ids[0] as string))?.progress).toBeUndefined();
  expect(queue.health().queues["q"]?.runningHere).toBe(0);
});

it("a batch that another process has taken over as a whole leaves nothing to be kept", async () => {
  let events!: ConsumerEvents;
  const settle = vi.fn(async () => []);
  const { queue } = serve({}, (told) => {
    events = told;
    return { settle };
  });
  await using _ = queue;
  const [started, release] = [deferred(), deferred()];
  queue.process("q", async () => {
    started.resolve();
    await release.promise;
  });
  const { ids } = await queue.enqueue("q", [1]);
  await queue.start();
  await started.promise;
  events.onLost(ids[0] as string);
  release.resolve();
  await until(() => queue.health().queues["q"]?.runningHere === 0);
  expect(settle).not.toHaveBeenCalled();
});

it("jobs that ended their process as often as they may are dead, those that have one attempt left are run alone, the others together", async () => {
  const starts = new Map([
    ["worn", 3],
    ["last", 2],
    ["later", 2],
    ["new", 0],
    ["newer", 0],
  ]);
  const memory = new MemoryQueueBackend();
  const begun: string[][] = [];
  const { queue, log } = serve({ ...bound(memory) }, (events) => {
    const consumer = memory.consume("q", events);
    return {
      take: async (max) =>
        (await consumer.take(max)).map((job) => ({ ...job, starts: starts.get(job.id) ?? 0, takes: 2 })),
      wait: (signal) => consumer.wait(signal),
      begin: async (jobs) => void begun.push(jobs.map(({ id }) => id)),
      settle: (outcomes, next) =>
        consumer.settle(
          outcomes.map((outcome) => ({ ...outcome, job: { ...outcome.job, takes: 1 } })),
          next,
        ),
    };
  });
  await using _ = queue;
  const batches: string[][] = [];
  queue.process("q", (jobs) => void batches.push(jobs.map(({ id }) => id)), { attempts: 3 });
  for (const id of starts.keys()) await queue.enqueue("q", id, { id });
  await queue.start();
  await until(() => batches.length === 3);
  expect(batches).toEqual([["new", "newer"], ["last"], ["later"]]);
  expect(begun).toEqual(batches);
  await until(async () => (await queue.dead("q")).length === 1);
  expect(await queue.dead("q")).toMatchObject([
    { id: "worn", reason: expect.stringMatching(/the process ended each/) },
  ]);
  expect(log.lines.filter(({ message }) => /ended their process as often/.test(message ?? ""))).toHaveLength(1);
});

it("a start that can't be written down does not begin: its jobs are given back", async () => {
  const memory = new MemoryQueueBackend();
  const ends: string[] = [];
  let failures = 1;
  const { queue } = serve({ ...bound(memory) }, (events) => {
    const consumer = memory.consume("q", events);
    return {
      take: async (max) => (await consumer.take(max)).map((job) => ({ ...job, takes: job.takes + 1 })),
      wait: (signal) => consumer.wait(signal),
      begin: async () => {
        if (failures-- > 0) throw new Error("down");
      },
      settle: (outcomes, next) => {
        ends.push(...outcomes.map(({ end }) => end));
        const own = outcomes.map((one) => ({ ...one, job: { ...one.job, takes: one.job.takes - 1 } }));
        return consumer.settle(own, next);
      },
    };
  });
  await using _ = queue;
  queue.process("q", () => undefined);
  await queue.enqueue("q", 1);
  await queue.start();
  await until(() => queue.health().completed === 1);
  expect(ends).toEqual(["release", "completed"]);
});

it("of jobs that were to be run alone those are given back whose turn has not come when a shutdown begins", async () => {
  const memory = new MemoryQueueBackend();
  const { queue } = serve({ ...bound(memory) }, (events) => {
    const consumer = memory.consume("q", events);
    return {
      take: async (max) => (await consumer.take(max)).map((job) => ({ ...job, starts: 1 })),
      wait: (signal) => consumer.wait(signal),
      settle: (outcomes, next) => consumer.settle(outcomes, next),
    };
  });
  const [started, release] = [deferred(), deferred()];
  const seen: unknown[] = [];
  queue.process(
    "q",
    async ([job]) => {
      seen.push(job?.data);
      started.resolve();
      await release.promise;
    },
    { attempts: 2 },
  );
  await queue.enqueue("q", [1, 2]);
  await queue.start();
  await started.promise;
  const stopped = queue.stop();
  release.resolve();
  await stopped;
  expect(seen).toEqual([1]);
  expect(queue.health()).toMatchObject({ completed: 1, dropped: 1 });
});

it("a batch whose jobs were all cancelled before it began is not handed out", async () => {
  await using queue = new QueueService();
  const handler = vi.fn();
  queue.process("q", handler, { lingerMs: 2_000 });
  await queue.start();
  const { ids } = await queue.enqueue("q", 1);
  await until(() => queue.health().queues["q"]?.runningHere === 1);
  expect(await queue.cancel("q", ids[0] as string)).toBe("aborted");
  await until(async () => (await queue.status("q", ids[0] as string))?.state === "cancelled");
  expect(handler).not.toHaveBeenCalled();
});

it("a shutdown without a grace cuts at once, and a backend that can't be closed is no reason not to end", async () => {
  const { queue } = serve({ close: () => Promise.reject(new Error("away")) });
  const manager = new ServiceManager(undefined, { logger: recordingLog() });
  const alone = new QueueService({ backend: backendWith({ close: () => Promise.reject(new Error("away")) }) });
  manager.registerService(alone);
  const started = deferred<AbortSignal>();
  alone.process("q", async ([job]) => {
    started.resolve((job as Job).signal);
    await new Promise(() => undefined);
  });
  await manager.boot();
  await alone.enqueue("q", 1);
  const signal = await started.promise;
  await manager.shutdown({ graceMs: 0 });
  expect(signal.reason).toMatchObject({ code: "SHUTTING_DOWN" });
  expect(alone.health().dropped).toBe(0);
  await queue.start();
  await queue.stop();
});

it("a drain whose grace is over already gives back at once what runs", async () => {
  await using queue = new QueueService();
  const started = deferred<AbortSignal>();
  queue.process("q", async ([job]) => {
    started.resolve((job as Job).signal);
    await new Promise(() => undefined);
  });
  await queue.start();
  await queue.enqueue("q", 1);
  const signal = await started.promise;
  await queue.onDrain(AbortSignal.abort());
  expect(signal.reason).toMatchObject({ code: "SHUTTING_DOWN" });
  expect(await queue.pending("q")).toBe(1);
});

it("dead jobs are run again one by one, too, and there is nothing to do in a queue that nobody knows", async () => {
  await using queue = new QueueService();
  let isMended = false;
  queue.process(
    "q",
    () => {
      if (!isMended) throw new Error("no");
    },
    { attempts: 1, batchSize: 1 },
  );
  await queue.start();
  const { ids } = await queue.enqueue("q", [1, 2, 3]);
  await until(async () => (await queue.dead("q")).length === 3);
  isMended = true;
  expect(await queue.retryDead("q", ids[0] as string)).toBe(1);
  await until(async () => (await queue.status("q", ids[0] as string))?.state === "completed");
  expect(await queue.retryDead("q", [ids[1] as string, "unknown"])).toBe(1);
  await until(async () => (await queue.dead("q")).length === 1);
  expect(await queue.retryDead("nobody's")).toBe(0);
  expect(await queue.cancel("nobody's", "id")).toBe("unknown");
  expect(await queue.status("nobody's", "id")).toBeUndefined();
});

it("a backend in memory keeps nothing of what is over twice, or was never there", async () => {
  const backend = new MemoryQueueBackend();
  const consumer = backend.consume("q", { onCancelled: vi.fn(), onLost: vi.fn(), onError: vi.fn() });
  const job = { id: "1", isNamed: true, data: 1, origin: undefined, delayMs: 0, priority: 1 };
  await backend.add("q", [job], 10);
  const [taken] = await consumer.take(1);
  if (!taken) throw new Error("nothing was taken");
  await consumer.progress({ ...taken, id: "2" }, { n: 1, value: 1 });
  await consumer.settle([{ job: { ...taken, takes: 7 }, end: "completed", result: 1 }], 0);
  expect(await backend.find("q", "1")).toMatchObject({ state: "running" });
  await consumer.settle([{ job: taken, end: "completed", result: 1 }], 0);
  await consumer.settle([{ job: taken, end: "release" }], 0);
  expect(await backend.find("q", "1")).toMatchObject({ state: "completed", result: 1 });
  expect(await backend.cancel("nobody's", "1")).toBe("unknown");
  expect(await backend.find("q", "2")).toBeUndefined();
});

it("who waits for a job waits on when one comes that is delayed for longer, and is woken when its time has come", async () => {
  await using queue = new QueueService();
  const seen: unknown[] = [];
  queue.process("q", (jobs) => void seen.push(...jobs.map(({ data }) => data)), { lingerMs: 0 });
  await queue.start();
  await queue.enqueue("q", "later", { delayMs: 1_500 });
  await queue.enqueue("q", "sooner", { delayMs: 100 });
  await until(() => seen.length === 2);
  expect(seen).toEqual(["sooner", "later"]);
});

it("a job is its user's where no session is known, its socket's where nothing is, and nobody's who is not said", async () => {
  let queue!: QueueService;
  await using door = await open({
    before: (manager, realtime) => {
      queue = new QueueService({ realtime });
      manager.registerService(queue);
    },
  });
  const [ann, guest] = [await door.enter({ user: "ann" }), await door.enter()];
  queue.process("q", ([job]) => [job?.id], { batchSize: 1, lingerMs: 0 });
  const byUser = await queue.enqueue("q", 1, { from: { user: "ann" } });
  const bySocket = await queue.enqueue("q", 1, { from: { socket: guest.id } });
  const byNobody = await queue.enqueue("q", 1, { from: {} });
  const unsaid = await queue.enqueue("q", 1);
  await until(() => queue.health().completed === 4);
  for (const client of [ann, guest]) await client.caughtUp();
  const told = (client: typeof ann): unknown[] => [
    ...new Set(client.got("queue:job").map((update) => (update as { id: string }).id)),
  ];
  expect([told(ann), told(guest)]).toEqual([byUser.ids, bySocket.ids]);
  for (const { ids } of [byNobody, unsaid])
    expect(await ann.socket.emitWithAck("queue:status", ids[0])).toMatchObject({ error: { code: "NOT_FOUND" } });
  expect(await ann.socket.emitWithAck("queue:status", byUser.ids[0], "q")).toMatchObject({ state: "completed" });
  expect(await ann.socket.emitWithAck("queue:status", byUser.ids[0], "other")).toMatchObject({
    error: { code: "NOT_FOUND" },
  });
});

it("a job that runs elsewhere and is cancelled from here is told to be cancelling at once", async () => {
  let queue!: QueueService;
  const backend = backendWith({
    find: async (_, id) => ({
      id,
      state: "running",
      origin: { user: "ann" },
      starts: 1,
      takes: 1,
      progress: id === "told" ? { n: 3, value: 30 } : undefined,
      result: undefined,
      error: undefined,
    }),
    cancel: async () => "running",
  });
  await using door = await open({
    before: (manager, realtime) => {
      queue = new QueueService({ realtime, backend });
      manager.registerService(queue);
    },
  });
  const ann = await door.enter({ user: "ann" });
  for (const id of ["told", "silent"]) {
    expect(await queue.cancel("q", id)).toBe("aborted");
    expect(await ann.next("queue:job")).toMatchObject({ id, state: "cancelling" });
  }
});

it("without a realtime door a job that an event asked for is its socket's", async () => {
  const queue = new QueueService();
  const seen = deferred<unknown>();
  queue.process("q", ([job]) => seen.resolve(job?.origin));
  await using door = await open({
    before: (manager) => {
      manager.registerService(queue);
      manager.ingress.subscribe("export", queue.asSubscriber("q"));
    },
  });
  const { socket, id } = await door.enter({ user: "ann" });
  expect(await socket.emitWithAck("export", 1)).toEqual(expect.any(String));
  expect(await seen.promise).toEqual({ socket: id });
});

it("a service without a manager is asked by the clients of its realtime door, in the namespace of that", async () => {
  for (const namespace of ["/", "/office"]) {
    const io = new Server(createServer());
    const realtime = new Realtime({ namespace, user: ({ handshake }) => handshake.auth["user"] as string });
    await realtime.setup(io);
    const queue = new QueueService({ realtime });
    await queue.start();
    await using clients = await inMemory(io);
    const socket = clients.client({ namespace, auth: { user: "ann" } });
    const client = createClient(socket, { logger: quiet });
    socket.connect();
    const { ids } = await queue.enqueue("q", 1, { from: { user: "ann" } });
    const job = trackJob(client, ids[0] as string, { queue: "q" });
    await job.ready;
    expect(job.getSnapshot()).toMatchObject({ state: "queued", status: "live" });
    job.close();
    await queue.stop();
    await realtime.teardown();
  }
});

it("a service whose realtime door is not set up works, and nobody is told", async () => {
  const queue = new QueueService({ realtime: new Realtime() });
  queue.process("q", () => undefined);
  await queue.start();
  const { ids } = await queue.enqueue("q", 1, { from: { user: "ann" } });
  await until(async () => (await queue.status("q", ids[0] as string))?.state === "completed");
  await queue.stop();
});

/** The methods of a backend, which need it as `this`. */
function bound(backend: MemoryQueueBackend): Parameters<typeof backendWith>[0] {
  return {
    add: (...args) => backend.add(...args),
    find: (...args) => backend.find(...args),
    cancel: (...args) => backend.cancel(...args),
    depths: (...args) => backend.depths(...args),
    dead: (...args) => backend.dead(...args),
    retryDead: (...args) => backend.retryDead(...args),
    close: () => backend.close(),
  };
}
