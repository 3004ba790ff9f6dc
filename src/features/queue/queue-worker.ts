import type { Options } from "../../events/option-table.js";
import {
  type AnyJobHandler,
  Batch,
  copied,
  type Ending,
  type ListingHandler,
  storedError,
  type TellFailed,
} from "./batch.js";
import { type Ended, JobRun, type JobRunHost } from "./job-run.js";
import type { JobState } from "./protocol.js";
import type { JobOutcome, QueueConsumer, StoredError, StoredProgress, TakenJob } from "./queue-backend.js";
import type { processOptions } from "./queue-options.js";

/** What is new of a job beside where it is. */
export interface MoreOfJob {
  readonly result?: unknown;
  readonly error?: StoredError;
  readonly progress?: StoredProgress;
}

/** What a worker tells of what it does. */
export interface WorkerEvents {
  /** A job is somewhere else, or has told something. */
  onMoved(run: JobRun, state: JobState, more?: MoreOfJob): void;
  /** What jobs failed of. */
  readonly onFailed: TellFailed;
  /** The queue can't be read; `undefined`: it can. */
  onTrouble(error: unknown): void;
}

/** What a worker is made of. */
export interface WorkerOptions {
  readonly queue: string;
  readonly handler: AnyJobHandler;
  readonly options: Options<typeof processOptions>;
  readonly consumer: QueueConsumer;
  readonly events: WorkerEvents;
}

/** Pauses after a queue that could not be read, in milliseconds. */
const PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;

/** What of a process works on one queue: takes batches, has them handled, and says what became of them, until it is stopped. */
export class QueueWorker implements JobRunHost {
  readonly queue: string;
  readonly #handler: ListingHandler;
  readonly #options: Options<typeof processOptions>;
  readonly #consumer: QueueConsumer;
  readonly #events: WorkerEvents;
  /** What was taken and is not settled. */
  readonly #runs = new Map<string, JobRun>();
  readonly #batches = new Set<Batch>();
  readonly #stopping = new AbortController();
  #loops: Promise<unknown> = Promise.resolve();
  #hasWarned = false;

  constructor({ queue, handler, options, consumer, events }: WorkerOptions) {
    this.queue = queue;
    this.#handler = async (runs) => this.#listed(await handler([...runs]));
    this.#options = options;
    this.#consumer = consumer;
    this.#events = events;
  }

  /** How many jobs it has in hand. */
  get running(): number {
    return this.#runs.size;
  }

  /** Whether it has a job in hand. */
  has(id: string): boolean {
    return this.#runs.has(id);
  }

  /** Begins to work. */
  start(): void {
    this.#loops = Promise.all(Array.from({ length: this.#options.concurrency }, async () => this.#loop()));
  }

  /** Begins nothing any more. Resolves when what runs has ended. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#loops;
  }

  /** Waits for nothing any more: what still runs is told, and given back. */
  cut(): void {
    this.#stopping.abort();
    for (const batch of this.#batches) batch.giveUp("shutdown");
  }

  /** Tells a job in hand that it was cancelled, or is somebody else's. */
  end(id: string, why: Ended): void {
    const run = this.#runs.get(id);
    if (run?.end(why) === true && why === "cancelled") this.#events.onMoved(run, "cancelling");
  }

  /** See {@link JobRunHost.progress}. */
  async progress(run: JobRun, progress: StoredProgress): Promise<void> {
    // What became of it is settled, and it may run again.
    if (this.#runs.get(run.id) !== run) return;
    try {
      const sent = { n: progress.n, value: copied(progress.value) };
      this.#events.onMoved(run, "running", { progress: sent });
      await this.#consumer.progress(run.taken, sent);
    } catch (error) {
      this.#events.onFailed(error, [run], "the progress of a job could not be kept");
    }
  }

  get #isStopping(): boolean {
    return this.#stopping.signal.aborted;
  }

  async #loop(): Promise<void> {
    let next: readonly JobRun[] = [];
    let pauseMs = PAUSE_MS;
    while (!this.#isStopping) {
      try {
        if (next.length === 0) next = this.#begun(await this.#consumer.take(this.#options.batchSize));
        this.#events.onTrouble(undefined);
        if (next.length === 0) await this.#consumer.wait(this.#stopping.signal);
        else next = await this.#filled(next);
        if (next.length > 0 && !this.#isStopping) next = await this.#work(next);
        pauseMs = PAUSE_MS;
      } catch (error) {
        next = [];
        this.#events.onTrouble(error);
        await this.#pause(pauseMs);
        pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2);
      }
    }
    await this.#release(next);
  }

  #begun(jobs: readonly TakenJob[]): JobRun[] {
    return jobs.map((job) => {
      const run = new JobRun(this, job);
      this.#runs.set(run.id, run);
      return run;
    });
  }

  /** A batch that is not full waits a moment, as long as more comes. */
  async #filled(runs: readonly JobRun[]): Promise<readonly JobRun[]> {
    const { batchSize, lingerMs } = this.#options;
    if (lingerMs === 0) return runs;
    const filled = [...runs];
    while (filled.length < batchSize && !this.#isStopping) {
      await this.#pause(lingerMs);
      // What was taken already must not be lost because no more can be.
      const more = await this.#consumer.take(batchSize - filled.length).catch((): TakenJob[] => []);
      if (more.length === 0) break;
      filled.push(...this.#begun(more));
    }
    return filled;
  }

  /** Works on jobs that were taken. Resolves to those that were taken meanwhile. */
  async #work(runs: readonly JobRun[]): Promise<readonly JobRun[]> {
    const { attempts, batchSize } = this.#options;
    const worn = runs.filter(({ attempt }) => attempt > attempts);
    // Whoever has taken its batch along is alone when it counts (decision 0073).
    const alone = runs.filter(({ attempt }) => attempt === attempts && attempt > 1);
    const together = runs.filter((run) => !worn.includes(run) && !alone.includes(run));
    if (worn.length > 0) await this.#bury(worn);
    let next: readonly JobRun[] = [];
    try {
      if (together.length > 0) next = await this.#batch(together, alone.length > 0 ? 0 : batchSize);
      while (alone.length > 0) await this.#batch(alone.splice(0, 1), 0);
    } finally {
      await this.#release(alone);
    }
    return next;
  }

  /** They ended their process as often as they may. */
  async #bury(runs: readonly JobRun[]): Promise<void> {
    const thrown = new Error("the process ended each time the job ran, or it was not heard of any more");
    const error = storedError(thrown);
    await this.#settle(
      runs.map((run) => ({ run, outcome: { job: run.taken, end: "dead", error } })),
      0,
    );
    this.#events.onFailed(thrown, runs, "jobs ended their process as often as they may, and are dead");
  }

  async #batch(runs: readonly JobRun[], next: number): Promise<readonly JobRun[]> {
    if (this.#isStopping) return this.#release(runs);
    await this.#begin(runs);
    const running = runs.filter((run) => run.reason === undefined);
    for (const run of running) this.#events.onMoved(run, "running");
    const batch = new Batch(running, this.#options, this.#events.onFailed);
    this.#batches.add(batch);
    const endings = running.length === 0 ? [] : await batch.handle(this.#handler);
    this.#batches.delete(batch);
    // They were cancelled, or lost, before they began.
    const others = runs.filter((run) => !running.includes(run) && !run.isEnded("lost"));
    const cancelled = others.map((run): Ending => ({ run, outcome: { job: run.taken, end: "cancelled" } }));
    const taken = await this.#settle([...endings, ...cancelled], this.#isStopping ? 0 : next);
    for (const run of runs) this.#forget(run);
    return taken;
  }

  /** A start that is not written down would not count if it ended this process. */
  async #begin(runs: readonly JobRun[]): Promise<void> {
    const again = runs.map(({ taken }) => taken).filter(({ takes }) => takes > 1);
    if (again.length === 0) return;
    try {
      await this.#consumer.begin(again);
    } catch (error) {
      await this.#release(runs);
      throw error;
    }
  }

  async #release(runs: readonly JobRun[]): Promise<readonly JobRun[]> {
    if (runs.length === 0) return runs;
    return this.#settle(
      runs.map((run) => ({ run, outcome: { job: run.taken, end: "release" } })),
      0,
    );
  }

  async #settle(endings: readonly Ending[], next: number): Promise<readonly JobRun[]> {
    const outcomes = endings.map(({ outcome }) => outcome);
    try {
      const taken = outcomes.length === 0 ? [] : await this.#consumer.settle(outcomes, next);
      for (const { run, outcome } of endings) this.#tell(run, outcome);
      return this.#begun(taken);
    } finally {
      for (const { run } of endings) this.#forget(run);
    }
  }

  #listed(results: unknown): readonly unknown[] {
    if (Array.isArray(results)) return results;
    if (results !== undefined && !this.#hasWarned) {
      this.#hasWarned = true;
      const error = new TypeError("a handler returns a list of results, in the order of its jobs, or nothing");
      this.#events.onFailed(error, [], "what a handler returned is no list, and dropped");
    }
    return [];
  }

  /** It may have been lost, and taken again here. */
  #forget(run: JobRun): void {
    if (this.#runs.get(run.id) === run) this.#runs.delete(run.id);
  }

  #tell(run: JobRun, outcome: JobOutcome): void {
    switch (outcome.end) {
      case "completed":
        return this.#events.onMoved(run, "completed", { result: outcome.result });
      case "cancelled":
        return this.#events.onMoved(run, "cancelled");
      case "dead":
        return this.#events.onMoved(run, "failed", { error: outcome.error });
      case "retry":
        return this.#events.onMoved(run, "queued", { error: outcome.error });
      case "release":
        return this.#events.onMoved(run, "queued");
    }
  }

  async #pause(ms: number): Promise<void> {
    const { signal } = this.#stopping;
    if (signal.aborted) return;
    await new Promise<void>((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", end);
        resolve();
      };
      const timer = setTimeout(end, ms);
      signal.addEventListener("abort", end);
    });
  }
}
