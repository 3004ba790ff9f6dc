import { merged, type RecordHappening } from "./happening.js";
import type { RecordId } from "./protocol.js";

/** So many records wait at most; then all of them are told. */
const MOST_WAITING = 1_000;

/**
 * What happens to records within a time, as one change for each: the first old and the last new state. Records are told in the order in
 * which they were touched first.
 */
export class Coalescing {
  readonly #ms: number;
  readonly #tell: (one: RecordHappening) => void;
  readonly #waiting = new Map<RecordId, RecordHappening>();
  #timer: NodeJS.Timeout | undefined;

  /** @param tell - told of each record when its time is over; it must not throw */
  constructor(ms: number, tell: (one: RecordHappening) => void) {
    this.#ms = ms;
    this.#tell = tell;
  }

  /** Takes in what happened to a record. */
  add(happening: RecordHappening): void {
    const { id } = happening;
    const before = this.#waiting.get(id);
    const both = before === undefined ? happening : merged(before, happening);
    if (both === undefined) this.#waiting.delete(id);
    else this.#waiting.set(id, both);
    if (this.#waiting.size > MOST_WAITING) return this.flush();
    // What waits is told at the end of a shutdown in any case: no process has to live for it.
    this.#timer ??= setTimeout(() => this.flush(), this.#ms).unref();
  }

  /** Tells all that waits, now. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const happening of waiting) this.#tell(happening);
  }
}
