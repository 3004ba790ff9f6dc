import { expect, it } from "vitest";
import { ServiceManager } from "socket-ingress";
import { BullQueueBackend, type Job, MemoryQueueBackend, type QueueBackend, QueueService } from "socket-ingress/queue";
import { Realtime } from "socket-ingress/realtime";
import { fakeContext, fakeServer } from "socket-ingress/testing";
import { deferred } from "../fixtures/deferred.js";
import { recordingLog } from "../fixtures/recording-log.js";
import { backendWith } from "../features/queue/backend-with.js";
import { until } from "../features/queue/queue-suite.js";

/** A service with a log of its own. */
function serve(backend: QueueBackend = new MemoryQueueBackend()): {
  queue: QueueService;
  log: ReturnType<typeof recordingLog>;
} {
  const log = recordingLog();
  const queue = new QueueService({ backend });
  new ServiceManager(undefined, { logger: log }).registerService(queue);
  return { queue, log };
}

it("a handler that takes its jobs off the list has them done all the same", async () => {
  const { queue } = serve();
  await using _ = queue;
  const seen: unknown[] = [];
  queue.process("q", (jobs) => {
    const list = jobs as unknown as { data: unknown }[]; // as JavaScript has it
    while (list.length > 0) seen.push(list.shift()?.data);
  });
  await queue.start();
  const { ids } = await queue.enqueue("q", [1, 2, 3]);
  await until(async () => (await queue.status("q", ids[2] as string))?.state === "completed");
  expect(seen).toEqual([1, 2, 3]);
  expect(queue.health()).toMatchObject({ completed: 3, queues: { q: { runningHere: 0 } } });
});

it("a mistake in process leaves no queue behind", () => {
  const queue = new QueueService();
  expect(() => queue.process("q", () => undefined, { attempts: 0 })).toThrow(TypeError);
  expect(queue.health().queues).toEqual({});
});

it("a number of dead jobs that is none is a TypeError, and Infinity is all of them", async () => {
  const { queue } = serve();
  await using _ = queue;
  for (const limit of [0, -1, Number.NaN, "10"])
    await expect(queue.dead("q", { limit: limit as number })).rejects.toThrow(
      /dead\("q"\): limit must be a whole number from 1/,
    );
  expect(await queue.dead("q", { limit: Infinity })).toEqual([]);
});

it("a store that hangs is waited for once at a shutdown: its grace is not the service's own once more", async () => {
  const [asked, closed] = [deferred(), deferred()];
  const backend = backendWith(
    { close: async () => (closed.resolve(), 0) },
    {
      take() {
        asked.resolve();
        return new Promise(() => undefined);
      },
    },
  );
  const queue = new QueueService({ backend, graceMs: 600_000 });
  const manager = new ServiceManager(undefined, { logger: recordingLog() }).registerService(queue);
  queue.process("q", () => undefined);
  await manager.boot();
  await asked.promise;
  await manager.shutdown({ graceMs: 20 });
  await closed.promise;
});

it("a consumer whose settle rejects, which it must not, keeps none of its jobs in hand", async () => {
  const { queue } = serve(backendWith({}, { settle: () => Promise.reject(new Error("down")) }));
  await using _ = queue;
  queue.process("q", () => undefined);
  await queue.start();
  await queue.enqueue("q", [1, 2]);
  await until(() => queue.health().status === "degraded");
  expect(queue.health().queues["q"]?.runningHere).toBe(0);
});

it("what waits for a store that can't be reached is bounded: more is OVERLOADED", async () => {
  const shared = {
    on: () => undefined,
    forQueue: () => shared,
    waitUntilReady: () => new Promise(() => undefined),
    close: async () => undefined,
  };
  const backend = new BullQueueBackend({ createRedisBackend: () => shared } as never, { connection: {} });
  const jobs = (count: number) =>
    Array.from({ length: count }, (_, i) => ({
      id: `${i}`,
      isNamed: false,
      data: i,
      origin: undefined,
      delayMs: 0,
      priority: 0,
    }));
  const answers: unknown[] = [];
  // The first is on its way.
  void backend.add("q", jobs(10), 1_000);
  await Promise.resolve();
  for (let i = 0; i < 150; i++) void backend.add("q", jobs(10), 1_000).then((added) => answers.push(added));
  await until(() => answers.length > 0);
  expect(answers).toEqual(Array.from({ length: 50 }, () => ({ added: false, size: 1_000 })));
});

it("what a handler tells of a job after its batch has ended changes nothing: not what is over, nor what runs again", async () => {
  const { queue } = serve();
  await using _ = queue;
  const starts: Job[] = [];
  const release = deferred();
  queue.process(
    "q",
    async ([job]) => {
      starts.push(job as Job);
      await (job as Job).progress(`start ${starts.length}`);
      if (starts.length === 1) throw new Error("once");
      await release.promise;
    },
    { backoffMs: 1, lingerMs: 0 },
  );
  await queue.start();
  const { ids } = await queue.enqueue("q", 1);
  const id = ids[0] as string;
  const told = async () => (await queue.status("q", id))?.progress;
  await until(async () => (await told()) === "start 2");
  await starts[0]?.progress("late");
  expect(await told()).toBe("start 2");
  release.resolve();
  await until(async () => (await queue.status("q", id))?.state === "completed");
  await starts[1]?.progress("later");
  expect(await told()).toBe("start 2");
});

it("a queue may have any name", async () => {
  const { queue } = serve();
  await using _ = queue;
  for (const name of ["__proto__", "constructor"]) await queue.enqueue(name, 1);
  expect(Object.keys(queue.health().queues)).toEqual(["__proto__", "constructor"]);
});

it("a job that nobody could be told of, as its event is one of another namespace than its realtime door's, is refused and named", async () => {
  await using io = fakeServer();
  const [log, realtime] = [recordingLog(), new Realtime()];
  const manager = new ServiceManager(io, { logger: log }).registerHandler(realtime);
  const queue = new QueueService({ realtime });
  manager.registerService(queue);
  for (const namespace of ["/", "/admin"]) manager.ingress.subscribe("export", queue.asSubscriber("x"), { namespace });
  await manager.boot();
  const [here, there] = [await io.connect(), await io.connect({ namespace: "/admin" })];
  expect(await here.emitWithAck("export", 1)).toEqual(expect.any(String));
  expect(await there.emitWithAck("export", 1)).toMatchObject({ error: { code: "INTERNAL" } });
  expect(JSON.stringify(log.lines, (_, value) => (value instanceof Error ? value.message : value))).toContain(
    "from is a context of the namespace /admin, and clients are told by the realtime door of /",
  );
  const from = fakeContext({ socket: there });
  await expect(queue.tryEnqueue("x", 1, { from })).rejects.toThrow("say { user, session }");
  await queue.enqueue("x", 1, { from: { user: "ann" } });
  // A unit test gives no more than it needs.
  await queue.enqueue("x", 1, { from: { socket: { id: "s1" } } as never });
  expect(await queue.pending("x")).toBe(3);
  await manager.shutdown({ graceMs: 100 });
});
