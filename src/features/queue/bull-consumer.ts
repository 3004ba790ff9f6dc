import { randomUUID } from "node:crypto";
import { errorText, packed, ownId, taken, type TakenBullJob, withStarts } from "./bull-envelope.js";
import type { BullJob, BullKeep, BullNext, BullStore } from "./bull-mq.js";
import type { BullStores } from "./bull-stores.js";
import type { ConsumerEvents, JobOutcome, QueueConsumer, StoredProgress, TakenJob } from "./queue-backend.js";

/** What is kept of jobs that are over. */
export interface BullRetention {
  readonly completed: BullKeep;
  readonly dead: BullKeep;
}

/** How long one wait for jobs lasts at most, in milliseconds. */
const WAIT_MS = 5_000;

/** How often jobs that run are compared with those that were cancelled, in milliseconds. */
const CANCELLED_EVERY_MS = 1_000;

/** How many cancelled jobs are read at once: those of the last second, and more. */
const CANCELLED_MAX = 1_000;

/** How often it is tried to store what became of a job while its store can't be reached. */
const TRIES = 8;

/** Works on one queue at BullMQ. Its open edition has no batches: jobs are fetched one by one, beside each other (decision 0072). */
export class BullConsumer implements QueueConsumer {
  readonly #stores: BullStores;
  readonly #queue: string;
  readonly #events: ConsumerEvents;
  readonly #keep: BullRetention;
  readonly #token = randomUUID();
  #store: BullStore;
  /** What was taken and is not settled: its locks are renewed. */
  readonly #held = new Map<string, TakenBullJob>();
  readonly #timers: NodeJS.Timeout[];
  /** When the next delayed job may run, as far as is known. */
  #dueAt = Infinity;
  #waiting: Promise<void> | undefined;
  #closed = false;

  constructor(stores: BullStores, queue: string, events: ConsumerEvents, keep: BullRetention) {
    this.#stores = stores;
    this.#queue = queue;
    this.#events = events;
    this.#keep = keep;
    this.#store = stores.openConsumer(queue);
    this.#timers = [
      this.#every(stores.lockDurationMs / 3, () => this.#renew()),
      this.#every(stores.lookEveryMs, () => this.#store.moveStalledJobsToWait()),
      this.#every(CANCELLED_EVERY_MS, () => this.#lookForCancelled()),
    ];
    this.#quietly(async () => this.#store.moveStalledJobsToWait());
  }

  async take(max: number): Promise<readonly TakenJob[]> {
    await this.#ready();
    const jobs: TakenBullJob[] = [];
    // More and more at once: one that finds nothing costs as much as one that finds a job.
    for (let ask = 1; jobs.length < max; ask *= 4) {
      const asked = Math.min(ask, max - jobs.length);
      const found = await this.#all(
        Array.from({ length: asked }, async () => this.#read(await this.#store.moveToActive(this.#token))),
      );
      jobs.push(...found);
      if (found.length < asked) break;
    }
    return inOrder(jobs);
  }

  async wait(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    // The connection waits for one thing at a time; whoever waits beside waits for the same.
    this.#waiting ??= this.#waitForJob().finally(() => (this.#waiting = undefined));
    let end: (() => void) | undefined;
    const aborted = new Promise<void>((resolve) => (end = resolve));
    signal.addEventListener("abort", end as () => void); // the promise has set it
    try {
      await Promise.race([this.#waiting, aborted]);
    } finally {
      signal.removeEventListener("abort", end as () => void);
    }
  }

  async begin(jobs: readonly TakenJob[]): Promise<void> {
    await Promise.all(
      jobs.map(async (job) =>
        this.#store.updateData({ id: this.#own(job).bullId, opts: {} }, withStarts(this.#own(job), job.starts + 1)),
      ),
    );
  }

  async progress(job: TakenJob, progress: StoredProgress): Promise<void> {
    await this.#store.updateProgress(this.#own(job).bullId, packed(progress));
  }

  async settle(outcomes: readonly JobOutcome[], next: number): Promise<readonly TakenJob[]> {
    const jobs = await this.#all(
      outcomes.map(async (outcome, i) => {
        try {
          return this.#read(await this.#stored(outcome, i < next));
        } catch (error) {
          this.#events.onError(error, "what became of a job could not be stored; it comes again");
          return undefined;
        } finally {
          this.#held.delete(outcome.job.id);
        }
      }),
    );
    return inOrder(jobs);
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const timer of this.#timers) clearInterval(timer);
    this.#held.clear();
    // It may be waiting: a wait that goes on would keep the process from ending.
    await this.#store.disconnectBlocking(false).catch(() => undefined);
    await this.#store.close(true);
  }

  /** One that could not be opened stays so, and another is opened. */
  async #ready(): Promise<void> {
    const store = this.#store;
    try {
      await store.waitUntilReady();
    } catch (error) {
      if (!this.#closed && this.#store === store) {
        this.#store = this.#stores.openConsumer(this.#queue);
        this.#quietly(async () => store.close(true));
      }
      throw error;
    }
  }

  /** Stores an outcome. A store that can't be reached is asked again for some seconds: what is done need not be done again. */
  async #stored(outcome: JobOutcome, fetchNext: boolean): Promise<BullNext> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#move(outcome, fetchNext);
      } catch (error) {
        // A code is BullMQ's: the job is somebody else's by now, or gone.
        const isKnown = typeof (error as { code?: unknown } | null)?.code === "number";
        if (isKnown || attempt === TRIES || this.#closed) throw error;
        await new Promise((resolve) => setTimeout(resolve, 50 * 2 ** attempt));
      }
    }
  }

  async #move(outcome: JobOutcome, fetchNext: boolean): Promise<BullNext> {
    const { bullId: id } = this.#own(outcome.job);
    const ref = { id, opts: { attempts: 1 } };
    switch (outcome.end) {
      case "completed": {
        const value = outcome.result === undefined ? null : packed({ v: outcome.result });
        return (await this.#store.moveToCompleted(ref, value, this.#keep.completed, this.#token, fetchNext)).result;
      }
      case "retry": {
        const fieldsToUpdate = { failedReason: errorText(outcome.error) };
        const options = { skipAttempt: true, fieldsToUpdate };
        await this.#store.moveToDelayed(id, Date.now(), Math.ceil(outcome.afterMs), this.#token, options);
        this.#dueAt = Math.min(this.#dueAt, Date.now() + outcome.afterMs);
        return undefined;
      }
      case "dead":
        await this.#store.moveToFailed(ref, errorText(outcome.error), this.#keep.dead, this.#token, false);
        return undefined;
      case "cancelled":
        // That it was cancelled is known elsewhere.
        await this.#store.moveToFailed(ref, "cancelled", true, this.#token, false);
        return undefined;
      case "release":
        await this.#store.updateData(ref, withStarts(this.#own(outcome.job), outcome.job.starts));
        await this.#store.moveJobFromActiveToWait(id, this.#token);
        return undefined;
    }
  }

  /** A job among what BullMQ answered, and until when there is none. */
  #read(next: BullNext): TakenBullJob | undefined {
    if (next === undefined) return undefined;
    const [job, id, , dueAt] = next as readonly [BullJob | undefined, string, unknown, unknown]; // as BullMQ answers
    if (typeof dueAt === "number" && dueAt > 0) this.#dueAt = Math.min(this.#dueAt, dueAt);
    if (job === undefined || job === null || typeof job !== "object") return undefined;
    const one = taken(id, job);
    this.#held.set(one.id, one);
    return one;
  }

  async #waitForJob(): Promise<void> {
    const end = Date.now() + WAIT_MS;
    try {
      for (;;) {
        const ms = Math.min(end, this.#dueAt) - Date.now();
        if (ms <= 0 || this.#closed) break;
        const marker = await this.#store.waitForJob(ms / 1_000);
        if (marker === null || marker.score <= Date.now()) break;
        // Nothing yet: a delayed job says when.
        this.#dueAt = Math.min(this.#dueAt, marker.score);
      }
    } catch (error) {
      if (this.#closed) return;
      await this.#store.reconnectBlocking().catch(() => undefined);
      throw error;
    } finally {
      if (this.#dueAt <= Date.now()) this.#dueAt = Infinity;
    }
  }

  async #renew(): Promise<void> {
    const ids = [...this.#held.values()].map(({ bullId }) => bullId);
    if (ids.length === 0) return;
    const tokens = ids.map(() => this.#token);
    const lost = await this.#store.extendLocks(ids, tokens, this.#stores.lockDurationMs);
    for (const id of lost.map(ownId)) if (this.#held.delete(id)) this.#events.onLost(id);
  }

  async #lookForCancelled(): Promise<void> {
    if (this.#held.size === 0) return;
    const store = await this.#stores.cancelled(this.#queue);
    const [ids = []] = (await store.getRanges(["wait"], 0, CANCELLED_MAX - 1, false)) as string[][];
    for (const id of ids.map(ownId)) if (this.#held.has(id)) this.#events.onCancelled(id);
  }

  #own(job: TakenJob): TakenBullJob {
    return job as TakenBullJob; // whoever settles a job was given it here
  }

  /** What could be had: a job that was fetched must not be lost because another fetch failed. Rejects if nothing could. */
  async #all(fetches: readonly Promise<TakenBullJob | undefined>[]): Promise<TakenBullJob[]> {
    const outcomes = await Promise.allSettled(fetches);
    const jobs = outcomes.flatMap((one) => (one.status === "fulfilled" && one.value ? [one.value] : []));
    const failed = outcomes.find((one) => one.status === "rejected");
    if (failed && jobs.length === 0) throw failed.reason;
    return jobs;
  }

  #every(ms: number, run: () => Promise<unknown>): NodeJS.Timeout {
    let isRunning = false;
    return setInterval(
      () => {
        if (isRunning) return;
        isRunning = true;
        this.#quietly(async () => run().finally(() => (isRunning = false)));
      },
      Math.max(1, Math.round(ms)),
    );
  }

  /** What fails while the store can't be reached is tried again, and told by whoever takes jobs. */
  #quietly(run: () => Promise<unknown>): void {
    void run().catch(() => undefined);
  }
}

/** Fetches that went beside each other may have come back in any order. */
function inOrder(jobs: TakenBullJob[]): TakenBullJob[] {
  return jobs.sort((a, b) => {
    for (const i of [0, 1, 2] as const) if (a.order[i] !== b.order[i]) return a.order[i] - b.order[i];
    return 0;
  });
}
