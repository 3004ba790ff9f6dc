import { atLeast, oneOf, type Option, option, readOptions } from "../../events/option-table.js";
import { BullConsumer, type BullRetention } from "./bull-consumer.js";
import { bullId, contentOf, errorOf, markOf, ownId, progressOf, resultOf, unstarted } from "./bull-envelope.js";
import { BullIntake, PENDING } from "./bull-intake.js";
import type { BullJob, BullMq, BullStore } from "./bull-mq.js";
import { BullStores } from "./bull-stores.js";
import type { DeadJob } from "./job.js";
import type { JobState } from "./protocol.js";
import type {
  Added,
  ConsumerEvents,
  JobRecord,
  NewJob,
  QueueBackend,
  QueueConsumer,
  QueueDepths,
  RetentionOptions,
} from "./queue-backend.js";
import { retention } from "./queue-options.js";

// Declarations are made file by file (isolatedDeclarations), so that each line of a table says its type by an `as`.
// oxlint-disable typescript/no-unnecessary-type-assertion

/** How jobs are kept by BullMQ. */
export interface BullQueueBackendOptions extends RetentionOptions {
  /**
   * What BullMQ connects with. For Redis the options of ioredis, or a client (of ioredis, made with `maxRetriesPerRequest: null`, or
   * node-redis), which stays yours to close; for PostgreSQL what `pg` takes, with `schema` and, to make BullMQ's tables, `migrate: true`.
   */
  connection: unknown;
  /** Which store that is. @default "redis" */
  storage?: "redis" | "postgres";
  /** What keys in Redis begin with. @default BullMQ's own, "bull" */
  prefix?: string;
  /**
   * Within how many milliseconds the jobs of a worker that has vanished are taken over. A worker whose event loop stands still for more than
   * half of it is taken for vanished.
   *
   * @default 30_000
   */
  lockMs?: number;
}

const options = {
  ...retention,
  connection: option(undefined, "what BullMQ connects with", (value) => value !== null) as Option<unknown>,
  storage: oneOf("redis", "postgres") as Option<"redis" | "postgres">,
  prefix: option(undefined, "a string", (value) => typeof value === "string") as Option<string | undefined>,
  lockMs: atLeast(30_000, 100) as Option<number>,
};

/** How often those that were cancelled longer ago than `keepMs` are forgotten, in milliseconds. */
const CLEAN_EVERY_MS = 60_000;
const CLEAN_AT_ONCE = 1_000;

/** What stands for no bound: whole numbers of PostgreSQL end there, and a century is for ever. */
const MOST = 2 ** 31 - 1;
const LONGEST_MS = 100 * 365 * 86_400_000;

const states: ReadonlyMap<string, JobState> = new Map<string, JobState>([
  ["active", "running"],
  ["completed", "completed"],
  ["failed", "failed"],
]);

/**
 * A {@link QueueBackend} on BullMQ, in Redis or PostgreSQL: jobs outlive the process, and any number of processes adds to a queue and
 * works on it. BullMQ is given in, from 6.7 on. Data, results and progress are what JSON carries.
 *
 * BullMQ knows no maximum size. Calls of one process are counted one after the other; several that fill a queue at the same moment may
 * each exceed `maxSize` by what they have in hand, 100 jobs or one call.
 *
 * @example
 * import * as bullmq from "bullmq";
 * const backend = new BullQueueBackend(bullmq, { connection: { host: "redis" } });
 * const sameInPostgres = new BullQueueBackend(bullmq, {
 *   storage: "postgres",
 *   connection: { connectionString: process.env.DATABASE_URL, migrate: true },
 * });
 */
export class BullQueueBackend implements QueueBackend {
  readonly #stores: BullStores;
  readonly #keep: BullRetention;
  readonly #keepMs: number;
  readonly #intakes = new Map<string, BullIntake>();
  #cleanedAt = 0;

  /** @throws TypeError naming an option that does not fit, or if this is not BullMQ */
  constructor(bullmq: BullMq, given: BullQueueBackendOptions) {
    const { connection, storage, prefix, lockMs, keepMs, keepCount, keepDead } = readOptions(
      "BullQueueBackend",
      options,
      given,
    );
    if (connection === undefined)
      throw new TypeError("BullQueueBackend: connection must be what BullMQ connects with, got undefined");
    this.#stores = new BullStores(bullmq, { connection, storage, prefix, lockMs });
    this.#keepMs = Math.min(keepMs, LONGEST_MS);
    this.#keep = {
      completed: { count: Math.min(keepCount, MOST), age: Math.ceil(this.#keepMs / 1_000) },
      dead: { count: Math.min(keepDead, MOST) },
    };
  }

  /** See {@link QueueBackend.add}. */
  async add(queue: string, jobs: readonly NewJob[], max: number): Promise<Added> {
    let intake = this.#intakes.get(queue);
    if (intake === undefined) this.#intakes.set(queue, (intake = new BullIntake(this.#stores, queue)));
    return intake.add(jobs, max);
  }

  /** See {@link QueueBackend.consume}. */
  consume(queue: string, events: ConsumerEvents): QueueConsumer {
    return new BullConsumer(this.#stores, queue, events, this.#keep);
  }

  /** See {@link QueueBackend.find}. */
  async find(queue: string, id: string): Promise<JobRecord | undefined> {
    const [store, cancelled] = await Promise.all([this.#stores.queue(queue), this.#stores.cancelled(queue)]);
    const [job, mark, state] = await Promise.all([
      store.getJobData(bullId(id)),
      cancelled.getJobData(bullId(id)),
      store.getState(bullId(id)),
    ]);
    if (job === undefined) return mark && record(id, mark, "cancelled");
    const found = states.get(state) ?? "queued";
    return record(id, job, found === "running" && mark !== undefined ? "cancelling" : found);
  }

  /** See {@link QueueBackend.cancel}. */
  async cancel(queue: string, id: string): Promise<"removed" | "running" | "unknown"> {
    const [store, cancelled] = await Promise.all([this.#stores.queue(queue), this.#stores.cancelled(queue)]);
    this.#clean(cancelled);
    const job = await store.getJobData(bullId(id));
    if (job === undefined || isOver(await store.getState(bullId(id)))) return "unknown";
    // Marked first: whoever takes it from here on is told.
    await cancelled.addJobs([markOf(bullId(id), job)]);
    if ((await store.remove(bullId(id), false)) === 1) return "removed";
    if ((await store.getState(bullId(id))) === "active") return "running";
    await cancelled.remove(bullId(id), false);
    return "unknown";
  }

  /** See {@link QueueBackend.depths}. */
  async depths(queue: string): Promise<QueueDepths> {
    const store = await this.#stores.queue(queue);
    const [wait = 0, prioritized = 0, delayed = 0, running = 0, dead = 0] = await store.getCounts([
      ...PENDING,
      "active",
      "failed",
    ]);
    const pending = wait + prioritized + delayed;
    const oldestMs = pending - delayed === 0 ? 0 : await this.#oldestMs(store);
    return { pending, delayed, running, dead, oldestMs };
  }

  /** See {@link QueueBackend.dead}. */
  async dead(queue: string, limit: number): Promise<readonly DeadJob[]> {
    const store = await this.#stores.queue(queue);
    const [ids = []] = (await store.getRanges(["failed"], 0, Math.min(limit, MOST) - 1, false)) as string[][];
    const jobs = await Promise.all(ids.map(async (id) => [ownId(id), await store.getJobData(id)] as const));
    return jobs.flatMap(([id, job]) => {
      if (job === undefined) return [];
      const { data, origin, starts } = contentOf(job);
      return [{ id, queue, data, attempts: starts, reason: errorOf(job)?.reason ?? "", origin }];
    });
  }

  /** See {@link QueueBackend.retryDead}. */
  async retryDead(queue: string, given: readonly string[] | undefined): Promise<number> {
    const store = await this.#stores.queue(queue);
    const [all = []] = given === undefined ? ((await store.getRanges(["failed"], 0, -1, true)) as string[][]) : [];
    const ids = given?.map(bullId) ?? all;
    let count = 0;
    // One after the other, so that they come in their order.
    for (const id of ids) {
      const job = await store.getJobData(id);
      if (job === undefined || (await store.getState(id)) !== "failed") continue;
      const ref = { id, opts: {} };
      await store.updateData(ref, unstarted(job));
      await store.retryFinishedJob(ref, "failed", {});
      count++;
    }
    return count;
  }

  /** See {@link QueueBackend.close}. Nothing is lost with it. */
  async close(): Promise<number> {
    await this.#stores.close();
    return 0;
  }

  async #oldestMs(store: BullStore): Promise<number> {
    const [first = []] = (await store.getRanges(["prioritized"], 0, 0, true)) as string[][];
    const job = first[0] === undefined ? undefined : await store.getJobData(first[0]);
    return job === undefined ? 0 : Math.max(0, Date.now() - job.timestamp - (job.delay ?? 0));
  }

  /** Forgets those that were cancelled long ago. */
  #clean(cancelled: BullStore): void {
    if (Date.now() - this.#cleanedAt < CLEAN_EVERY_MS) return;
    this.#cleanedAt = Date.now();
    const cleaned = cancelled.cleanJobsByState("wait", Date.now() - this.#keepMs, CLEAN_AT_ONCE);
    cleaned.catch(() => undefined);
  }
}

function isOver(state: string): boolean {
  return state === "completed" || state === "failed";
}

/** What is known of a job. */
function record(id: string, job: BullJob, state: JobState): JobRecord {
  const { origin, starts } = contentOf(job);
  return {
    id,
    state,
    origin,
    starts,
    takes: job.attemptsStarted,
    progress: progressOf(job),
    result: state === "completed" ? resultOf(job) : undefined,
    error: errorOf(job),
  };
}
