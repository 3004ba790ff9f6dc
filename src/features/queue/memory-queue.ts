import { longestTimerMs } from "../../wire/values.js";
import type { JobOrigin } from "./job.js";
import type {
  JobOutcome,
  JobRecord,
  NewJob,
  QueueDepths,
  StoredError,
  StoredProgress,
  TakenJob,
} from "./queue-backend.js";
import type { JobState } from "./protocol.js";

/** One job, from when it is taken in until nothing is known of it any more. */
export interface Row {
  readonly id: string;
  readonly data: unknown;
  readonly origin: JobOrigin | undefined;
  readonly priority: number;
  /** Its place among those of its priority. */
  readonly place: number;
  state: JobState;
  /** When it may run, and from when it waits. */
  dueAt: number;
  starts: number;
  takes: number;
  progress: StoredProgress | undefined;
  result: unknown;
  error: StoredError | undefined;
  /** When it was over. */
  endedAt: number;
}

/** How long what is over is kept. */
export interface Retention {
  readonly keepMs: number;
  readonly keepCount: number;
  readonly keepDead: number;
}

/** One queue in memory: rows by id, those that may run in their order, and those that wait for their time. */
export class MemoryQueue {
  readonly #retention: Retention;
  readonly #rows = new Map<string, Row>();
  readonly #ready: Row[] = [];
  readonly #delayed: Row[] = [];
  readonly #running = new Set<Row>();
  /** Completed and cancelled ones, the oldest first. */
  readonly #over = new Set<Row>();
  readonly #dead = new Set<Row>();
  readonly #waiting = new Set<() => void>();
  #place = 0;
  #timer: NodeJS.Timeout | undefined;
  #waking: NodeJS.Immediate | undefined;

  constructor(retention: Retention) {
    this.#retention = retention;
  }

  /** How many jobs wait. */
  get pending(): number {
    return this.#ready.length + this.#delayed.length;
  }

  /** How many jobs are not over. */
  get open(): number {
    return this.pending + this.#running.size;
  }

  /** The row of a job that is known. */
  row(id: string): Row | undefined {
    this.#forget();
    return this.#rows.get(id);
  }

  /** Takes in those that are not known. Their data is copied before anything is changed. Returns whether there was room. */
  add(jobs: readonly NewJob[], max: number): boolean {
    const ids = new Set<string>();
    const fresh = jobs.filter(({ id }) => {
      const known = ids.has(id) || (this.row(id)?.state ?? "cancelled") !== "cancelled";
      ids.add(id);
      return !known;
    });
    if (fresh.length > 0 && this.pending + fresh.length > max) return false;
    const copies = fresh.map(({ data }) => copyOf(data));
    fresh.forEach((job, i) => this.#insert(job, copies[i]));
    if (fresh.length > 0) this.#wake();
    return true;
  }

  /** The next jobs, which run from now on. */
  take(max: number): TakenJob[] {
    this.#promote();
    return this.#ready.splice(0, max).map((row) => {
      row.state = "running";
      row.starts += 1;
      row.takes += 1;
      row.progress = undefined;
      this.#running.add(row);
      const { id, data, origin, starts, takes } = row;
      // Whatever a handler does to it, the next start gets what was enqueued.
      return { id, data: copyOf(data), origin, starts: starts - 1, takes };
    });
  }

  /** Resolves when there may be something to take, or the signal aborts. */
  wait(signal: AbortSignal): Promise<void> {
    this.#promote();
    if (this.#ready.length > 0 || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const end = (): void => {
        this.#waiting.delete(end);
        signal.removeEventListener("abort", end);
        resolve();
      };
      this.#waiting.add(end);
      signal.addEventListener("abort", end);
      this.#schedule();
    });
  }

  /** Keeps what was told of a job that runs. */
  progress(id: string, progress: StoredProgress): void {
    const row = this.#rows.get(id);
    if (row) row.progress = progress;
  }

  /** What became of a job that runs. */
  settle(outcome: JobOutcome): void {
    const row = this.#rows.get(outcome.job.id);
    if (row === undefined || row.takes !== outcome.job.takes || !this.#running.delete(row)) return;
    switch (outcome.end) {
      case "completed":
        row.result = outcome.result;
        return this.#end(row, "completed");
      case "cancelled":
        return this.#end(row, "cancelled");
      case "dead":
        row.error = outcome.error;
        return this.#end(row, "failed");
      case "retry":
        row.error = outcome.error;
        return this.#queue(row, performance.now() + outcome.afterMs);
      case "release":
        row.starts -= 1;
        return this.#queue(row, performance.now());
    }
  }

  /** Removes a job that waits, or marks one that runs. Returns where it was. */
  cancel(id: string): "removed" | "running" | "unknown" {
    const row = this.row(id);
    if (row?.state === "queued") {
      for (const list of [this.#ready, this.#delayed]) if (list.includes(row)) list.splice(list.indexOf(row), 1);
      this.#end(row, "cancelled");
      return "removed";
    }
    if (row === undefined || !this.#running.has(row)) return "unknown";
    row.state = "cancelling";
    return "running";
  }

  /** The dead, the newest first. */
  dead(limit: number): Row[] {
    return [...this.#dead].reverse().slice(0, limit);
  }

  /** Has dead jobs wait again. */
  retryDead(ids: readonly string[] | undefined): number {
    const rows = [...this.#dead].filter(({ id }) => ids === undefined || ids.includes(id));
    for (const row of rows) {
      this.#dead.delete(row);
      row.starts = 0;
      row.error = undefined;
      this.#queue(row, performance.now());
    }
    return rows.length;
  }

  /** How full it is. */
  depths(): QueueDepths {
    this.#promote();
    const [next] = this.#ready;
    return {
      pending: this.pending,
      delayed: this.#delayed.length,
      running: this.#running.size,
      dead: this.#dead.size,
      oldestMs: next === undefined ? 0 : Math.max(0, Math.round(performance.now() - next.dueAt)),
    };
  }

  /** Nobody waits any more. */
  close(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#waking);
    for (const end of [...this.#waiting]) end();
  }

  #insert(job: NewJob, data: unknown): void {
    const { id, origin, priority, delayMs } = job;
    const before = this.#rows.get(id);
    if (before) this.#over.delete(before);
    const now = performance.now();
    const row: Row = {
      id,
      data,
      origin,
      priority,
      place: this.#place++,
      state: "queued",
      dueAt: now + delayMs,
      starts: 0,
      takes: before?.takes ?? 0,
      progress: undefined,
      result: undefined,
      error: undefined,
      endedAt: 0,
    };
    this.#rows.set(id, row);
    this.#enter(row, now);
  }

  #queue(row: Row, dueAt: number): void {
    row.state = "queued";
    row.dueAt = dueAt;
    this.#enter(row, performance.now());
    this.#wake();
  }

  #enter(row: Row, now: number): void {
    if (row.dueAt > now) insert(this.#delayed, row, ({ dueAt }) => dueAt > row.dueAt);
    else insert(this.#ready, row, (other) => isAfter(other, row));
  }

  /** Those whose time has come may run. */
  #promote(): void {
    const now = performance.now();
    while (this.#delayed[0] !== undefined && this.#delayed[0].dueAt <= now) {
      const row = this.#delayed.shift() as Row; // it was there a moment ago
      insert(this.#ready, row, (other) => isAfter(other, row));
    }
  }

  #end(row: Row, state: "completed" | "cancelled" | "failed"): void {
    row.state = state;
    row.endedAt = performance.now();
    const kept = state === "failed" ? this.#dead : this.#over;
    kept.add(row);
    const { keepCount, keepDead } = this.#retention;
    for (const oldest of kept) {
      if (kept.size <= (state === "failed" ? keepDead : keepCount)) break;
      kept.delete(oldest);
      this.#rows.delete(oldest.id);
    }
  }

  #forget(): void {
    const before = performance.now() - this.#retention.keepMs;
    for (const row of this.#over) {
      if (row.endedAt > before) break;
      this.#over.delete(row);
      this.#rows.delete(row.id);
    }
  }

  /** After the present turn, so that what is enqueued one after the other is taken together. */
  #wake(): void {
    if (this.#waiting.size === 0 || this.#waking !== undefined) return;
    this.#waking = setImmediate(() => {
      this.#waking = undefined;
      this.#promote();
      if (this.#ready.length === 0) this.#schedule();
      else for (const end of [...this.#waiting]) end();
    });
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    const [next] = this.#delayed;
    if (next === undefined || this.#waiting.size === 0) return;
    const ms = Math.min(longestTimerMs, Math.max(1, Math.ceil(next.dueAt - performance.now())));
    this.#timer = setTimeout(() => this.#wake(), ms);
  }
}

/** A row as others see it. */
export function recordOf(row: Row): JobRecord {
  const { id, state, origin, starts, takes, progress, result, error } = row;
  return { id, state, origin, starts, takes, progress, result, error };
}

function isAfter(other: Row, row: Row): boolean {
  return other.priority - row.priority > 0 || (other.priority === row.priority && other.place > row.place);
}

/** Puts a row before the first for which `isLater` holds; it holds for all behind that one. */
function insert(list: Row[], row: Row, isLater: (other: Row) => boolean): void {
  let [from, to] = [0, list.length];
  while (from < to) {
    const middle = (from + to) >>> 1;
    if (isLater(list[middle] as Row)) to = middle;
    else from = middle + 1;
  }
  list.splice(from, 0, row);
}

/** A copy of the data of a job; itself where it is nested too deeply for the stack that is left, so that what was taken in can be given out. */
export function copyOf(data: unknown): unknown {
  try {
    return structuredClone(data);
  } catch (thrown) {
    if (thrown instanceof RangeError) return data;
    throw thrown;
  }
}
