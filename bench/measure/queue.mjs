/**
 * Jobs handled by one process: `memory`, `redis` and `postgres` each measure batches of 50 and of one, and the last two BullMQ alone, which handles the
 * same jobs one by one. What enqueuing takes is not in it. Turns of all kinds take turns in one process.
 */
import { loadDoor } from "../contestants/build.mjs";
import { serveCommands } from "./processes.mjs";
import { turns } from "./statistics.mjs";
import { startPostgres, startRedis } from "./stores.mjs";

const { BullQueueBackend, MemoryQueueBackend, QueueService } = await loadDoor("queue");

const payload = { to: "ada", text: "x".repeat(50) };
/** What is kept of jobs that are done: the same for all. */
const keep = { count: 1_000, age: 3_600 };
const atOnce = 500;
let names = 0;

/** CPU and wall-clock time of `work`, per job. */
async function measured(jobs, work) {
  const from = performance.now();
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return { us: (user + system) / jobs, perSecond: (jobs / (performance.now() - from)) * 1_000 };
}

/** Resolves when `count` has been called for all of the jobs. */
function countdown(jobs) {
  let left = jobs;
  let done;
  const all = new Promise((resolve) => (done = resolve));
  return { all, count: (some) => (left -= some) <= 0 && done() };
}

async function ours(jobs, batchSize, backend) {
  const name = `ours-${names++}`;
  const queue = new QueueService({ backend, maxSize: jobs });
  await queue.start();
  for (let i = 0; i < jobs; i += atOnce)
    await queue.enqueue(
      name,
      Array.from({ length: atOnce }, () => payload),
    );
  const { all, count } = countdown(jobs);
  const found = await measured(jobs, async () => {
    queue.process(name, (batch) => count(batch.length), { batchSize });
    await all;
    await queue.stop();
  });
  return found;
}

async function bare(jobs, { Queue, Worker }, options, factory) {
  const name = `bare-${names++}`;
  const queue = new Queue(name, options, factory);
  queue.on("error", () => {});
  for (let i = 0; i < jobs; i += atOnce)
    await queue.addBulk(Array.from({ length: atOnce }, () => ({ name: "job", data: payload })));
  await queue.close();
  const { all, count } = countdown(jobs);
  return measured(jobs, async () => {
    const kept = { removeOnComplete: keep, removeOnFail: keep };
    const worker = new Worker(name, async () => void count(1), { ...options, ...kept }, factory);
    worker.on("error", () => {});
    await all;
    await worker.close();
  });
}

/** So many turns of each kind, in changing orders. The first turns warm up. */
async function compare(kinds, rounds) {
  const found = Object.fromEntries(Object.keys(kinds).map((kind) => [kind, []]));
  for (const kind of Object.keys(kinds)) await kinds[kind]();
  for (const order of turns(Object.keys(kinds), rounds))
    for (const kind of order) found[kind].push(await kinds[kind]());
  return found;
}

async function onBullMq({ jobs, rounds }, storage, store, factory) {
  const bullmq = await import("bullmq");
  const { connection, stop } = store;
  const backend = () => new BullQueueBackend(bullmq, { connection, storage });
  const alone = () => bare(jobs, bullmq, { connection }, factory === undefined ? undefined : bullmq[factory]);
  try {
    return await compare(
      {
        bare: alone,
        again: alone,
        fifty: () => ours(jobs, 50, backend()),
        one: () => ours(jobs, 1, backend()),
      },
      rounds,
    );
  } finally {
    await stop();
  }
}

serveCommands({
  memory: ({ jobs, rounds }) =>
    compare(
      { fifty: () => ours(jobs, 50, new MemoryQueueBackend()), one: () => ours(jobs, 1, new MemoryQueueBackend()) },
      rounds,
    ),
  redis: async (options) => onBullMq(options, "redis", await startRedis()),
  postgres: async (options) => onBullMq(options, "postgres", await startPostgres(), "createPostgresBackend"),
});
