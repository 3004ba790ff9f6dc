import { readOptions } from "../../events/option-table.js";
import type { DeadJob } from "./job.js";
import { copyOf, MemoryQueue, recordOf, type Retention } from "./memory-queue.js";
import type {
  Added,
  ConsumerEvents,
  JobOutcome,
  JobRecord,
  NewJob,
  QueueBackend,
  QueueConsumer,
  QueueDepths,
  RetentionOptions,
  StoredError,
  StoredProgress,
  TakenJob,
} from "./queue-backend.js";
import { retention } from "./queue-options.js";

/**
 * A {@link QueueBackend} in the memory of one process, the default. Jobs are gone with the process: a shutdown says how many. Data is copied
 * by `structuredClone`, so it may be whatever that takes.
 *
 * @example
 * const queue = new QueueService({ backend: new MemoryQueueBackend({ keepCount: 100 }) });
 */
export class MemoryQueueBackend implements QueueBackend {
  readonly #retention: Retention;
  readonly #queues = new Map<string, MemoryQueue>();

  /** @throws TypeError naming an option that does not fit */
  constructor(options: RetentionOptions = {}) {
    this.#retention = readOptions("MemoryQueueBackend", retention, options);
  }

  /** See {@link QueueBackend.add}. */
  async add(queue: string, jobs: readonly NewJob[], max: number): Promise<Added> {
    const found = this.#queue(queue);
    return found.add(jobs, max) ? { added: true } : { added: false, size: found.pending };
  }

  /** See {@link QueueBackend.consume}. */
  consume(queue: string, events: ConsumerEvents): QueueConsumer {
    return new MemoryConsumer(() => this.#queue(queue), events);
  }

  /** See {@link QueueBackend.find}. */
  async find(queue: string, id: string): Promise<JobRecord | undefined> {
    const row = this.#queues.get(queue)?.row(id);
    return row && recordOf(row);
  }

  /** See {@link QueueBackend.cancel}. */
  async cancel(queue: string, id: string): Promise<"removed" | "running" | "unknown"> {
    return this.#queues.get(queue)?.cancel(id) ?? "unknown";
  }

  /** See {@link QueueBackend.depths}. */
  async depths(queue: string): Promise<QueueDepths> {
    return this.#queue(queue).depths();
  }

  /** See {@link QueueBackend.dead}. */
  async dead(queue: string, limit: number): Promise<readonly DeadJob[]> {
    const rows = this.#queues.get(queue)?.dead(limit) ?? [];
    return rows.map(({ id, data, starts, error, origin }) => ({
      id,
      queue,
      data: copyOf(data),
      attempts: starts,
      reason: (error as StoredError).reason, // the dead have one
      origin,
    }));
  }

  /** See {@link QueueBackend.retryDead}. */
  async retryDead(queue: string, ids: readonly string[] | undefined): Promise<number> {
    return this.#queues.get(queue)?.retryDead(ids) ?? 0;
  }

  /** See {@link QueueBackend.close}. */
  async close(): Promise<number> {
    let lost = 0;
    for (const queue of this.#queues.values()) {
      lost += queue.open;
      queue.close();
    }
    this.#queues.clear();
    return lost;
  }

  #queue(name: string): MemoryQueue {
    let queue = this.#queues.get(name);
    if (queue === undefined) this.#queues.set(name, (queue = new MemoryQueue(this.#retention)));
    return queue;
  }
}

class MemoryConsumer implements QueueConsumer {
  readonly #queue: () => MemoryQueue;
  readonly #events: ConsumerEvents;

  constructor(queue: () => MemoryQueue, events: ConsumerEvents) {
    this.#queue = queue;
    this.#events = events;
  }

  async take(max: number): Promise<readonly TakenJob[]> {
    return this.#queue().take(max);
  }

  wait(signal: AbortSignal): Promise<void> {
    return this.#queue().wait(signal);
  }

  // Starts are counted when a job is taken: whoever takes it lives and dies with it.
  async begin(): Promise<void> {}

  async progress({ id }: TakenJob, progress: StoredProgress): Promise<void> {
    this.#queue().progress(id, progress);
  }

  async settle(outcomes: readonly JobOutcome[]): Promise<readonly TakenJob[]> {
    for (const outcome of outcomes) {
      try {
        this.#queue().settle(outcome);
      } catch (error) {
        this.#events.onError(error, "what became of a job could not be kept");
      }
    }
    return [];
  }

  async close(): Promise<void> {}
}
