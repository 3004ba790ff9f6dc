import { type BullEntry, bullJob } from "./bull-envelope.js";
import type { BullStore } from "./bull-mq.js";
import type { BullStores } from "./bull-stores.js";
import type { Added, NewJob } from "./queue-backend.js";

/** Those that wait for their turn and for their delay. */
export const PENDING: readonly ["wait", "prioritized", "delayed"] = ["wait", "prioritized", "delayed"];

/** How many jobs are added at once: so many more than it may hold a queue has at most, for each other process that adds meanwhile. */
const MOST_AT_ONCE = 100;

interface Call {
  readonly entries: BullEntry[];
  /** Ids that may have been used before. */
  readonly named: string[];
  readonly max: number;
  readonly answer: (added: Added) => void;
  readonly fail: (error: unknown) => void;
}

/**
 * The way into one queue at BullMQ, which knows no maximum size: calls of one process go in one after the other, and those that come while
 * one is on its way go together, with one look at how full the queue is.
 */
export class BullIntake {
  readonly #stores: BullStores;
  readonly #queue: string;
  #calls: Call[] = [];
  /** How many jobs these bring. */
  #size = 0;
  #busy = false;

  constructor(stores: BullStores, queue: string) {
    this.#stores = stores;
    this.#queue = queue;
  }

  /** Adds all of the jobs or none. */
  add(jobs: readonly NewJob[], max: number): Promise<Added> {
    return new Promise((answer, fail) => {
      const entries = jobs.map(bullJob);
      // While the store can't be reached they are in memory.
      if (this.#size + entries.length > Math.max(max, MOST_AT_ONCE)) return answer({ added: false, size: this.#size });
      this.#size += entries.length;
      const named = entries.filter((_, i) => jobs[i]?.isNamed === true).map(({ jobId }) => jobId);
      this.#calls.push({ entries, named, max, answer, fail });
      if (this.#busy) return;
      this.#busy = true;
      // In a moment: what is enqueued in this turn goes together.
      queueMicrotask(() => void this.#work());
    });
  }

  async #work(): Promise<void> {
    while (this.#calls.length > 0) await this.#round(this.#next());
    this.#busy = false;
  }

  #next(): Call[] {
    let count = 0;
    const end = this.#calls.findIndex(({ entries }, i) => (count += entries.length) > MOST_AT_ONCE && i > 0);
    const calls = this.#calls.splice(0, end === -1 ? this.#calls.length : end);
    this.#size -= calls.reduce((sum, { entries }) => sum + entries.length, 0);
    return calls;
  }

  async #round(calls: readonly Call[]): Promise<void> {
    try {
      const store = await this.#stores.queue(this.#queue);
      const named = calls.flatMap((call) => call.named);
      if (named.length > 0) await this.#forgetCancelled(store, named);
      const counts = await store.getCounts([...PENDING]);
      let size = counts.reduce((sum, count) => sum + count, 0);
      const taken: Call[] = [];
      for (const call of calls) {
        const isTight = call.named.length > 0 && size + call.entries.length > call.max;
        const fresh = isTight ? await this.#fresh(store, call) : call.entries.length;
        if (fresh > 0 && size + fresh > call.max) {
          call.answer({ added: false, size });
          continue;
        }
        size += fresh;
        taken.push(call);
      }
      const entries = taken.flatMap(({ entries: some }) => some);
      if (entries.length > 0) await store.addJobs(entries);
      for (const { answer } of taken) answer({ added: true });
    } catch (error) {
      for (const { fail } of calls) fail(error);
    }
  }

  /** How many of the jobs of a call are not known: looked for where it matters, at a queue that is about full. */
  async #fresh(store: BullStore, { entries }: Call): Promise<number> {
    const known = await Promise.all(entries.map(async ({ jobId }) => (await store.getJobData(jobId)) !== undefined));
    return known.filter((one) => !one).length;
  }

  /** A cancelled job may be enqueued again: that it was cancelled is forgotten, unless it still runs. */
  async #forgetCancelled(store: BullStore, ids: readonly string[]): Promise<void> {
    const cancelled = await this.#stores.cancelled(this.#queue);
    await Promise.all(
      ids.map(async (id) => {
        if ((await cancelled.getJobData(id)) === undefined) return;
        if ((await store.getJobData(id)) === undefined) await cancelled.remove(id, false);
      }),
    );
  }
}
