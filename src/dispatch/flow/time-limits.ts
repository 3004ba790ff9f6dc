import type { CutEvent } from "./in-flight.js";
import type { Awaitable } from "./own-caller.js";

/** What is under way for a limited time; where it stands in the list of its {@link TimeLimit}. */
export interface Limited extends Awaitable {
  limit: TimeLimit | undefined;
  before: Limited | undefined;
  behind: Limited | undefined;
  /** When it began; never too early a moment. Negative as long as nobody has looked. */
  since: number;
  /** Its time is over. */
  expire(): void;
  /** It is given up, as all that is under way. Tells what was lost. */
  cut(): CutEvent | undefined;
  /** Nobody waits for it any more: of those that wait for this subscriber, or for all that is under way. */
  outlive(whom: HasTimeLimit | "all"): void;
}

/** Who says how long it may take: a subscriber. */
export interface HasTimeLimit {
  readonly timeoutMs: number;
  /** Set with the first run. */
  limit: TimeLimit | undefined;
}

/**
 * Longer time limits are kept to a tenth of a second, no earlier: reading the clock for every event costs as much as all the rest of
 * it, and nearly every event is over by the next look, which is when those that are not are given their time.
 */
const EXACT_UP_TO_MS = 1_000;
const LOOK_EVERY_MS = 100;

// As they were when this module was loaded: to be compared, never called.
const { setTimeout: realTimeout } = globalThis;
const { now: realNow } = performance;

/**
 * All that has the same time limit, in the order in which it began. It shares a timer: one each would cost more than the rest of an
 * event, to be cleared nearly every time.
 */
export class TimeLimit {
  readonly #ms: number;
  readonly #isExact: boolean;
  #first: Limited | undefined = undefined;
  #last: Limited | undefined = undefined;
  #timer: ReturnType<typeof setTimeout> | undefined = undefined;
  /** A timer for each, while timers move and the clock does not. */
  #timers: Map<Limited, ReturnType<typeof setTimeout>> | undefined = undefined;

  constructor(ms: number) {
    this.#ms = ms;
    this.#isExact = ms <= EXACT_UP_TO_MS;
  }

  add(item: Limited): void {
    item.limit = this;
    item.before = this.#last;
    if (this.#last === undefined) this.#first = item;
    else this.#last.behind = item;
    this.#last = item;
    const mustLook = this.#timer === undefined && this.#ms !== Infinity;
    item.since = mustLook || this.#isExact ? performance.now() : -1;
    if (mustLook) this.#lookAgain(item.since);
    // Fake timers that leave the clock alone, as node:test's do: no look would find that anything's time is over. A spy is none.
    if (setTimeout !== realTimeout && performance.now === realNow && this.#ms !== Infinity && !("mock" in setTimeout))
      this.#time(item);
  }

  remove(item: Limited): void {
    if (item.before === undefined) this.#first = item.behind;
    else item.before.behind = item.behind;
    if (item.behind === undefined) this.#last = item.before;
    else item.behind.before = item.before;
    item.limit = undefined;
    item.before = undefined;
    item.behind = undefined;
    if (this.#timers !== undefined) this.#forget(item);
  }

  *[Symbol.iterator](): Iterator<Limited> {
    for (let item = this.#first; item !== undefined; item = item.behind) yield item;
  }

  /** Leaves no timer behind once nothing is under way. */
  rest(): void {
    if (this.#first !== undefined) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #time(item: Limited): void {
    const timer = setTimeout(() => {
      this.remove(item);
      item.expire();
    }, this.#ms);
    (this.#timers ??= new Map()).set(item, timer);
  }

  #forget(item: Limited): void {
    clearTimeout(this.#timers?.get(item));
    this.#timers?.delete(item);
    if (this.#timers?.size === 0) this.#timers = undefined;
  }

  /** At the end of what began first, and before that from time to time. */
  #lookAgain(now: number): void {
    const { since } = this.#first as Limited; // there is something to look at
    const untilFirst = since + this.#ms - now;
    const ms = this.#isExact ? untilFirst : Math.min(untilFirst, LOOK_EVERY_MS);
    this.#timer = setTimeout(this.#look, Math.max(1, ms));
  }

  readonly #look = (): void => {
    this.#timer = undefined;
    if (this.#first === undefined) return;
    const now = performance.now();
    for (let item = this.#last; item !== undefined && item.since < 0; item = item.before) item.since = now;
    for (let first: Limited | undefined = this.#first; first !== undefined && first.since + this.#ms <= now;) {
      this.remove(first);
      first.expire();
      first = this.#first;
    }
    // What goes on behind one that expired may have looked already.
    if (this.#first !== undefined && this.#timer === undefined) this.#lookAgain(now);
  };
}

/** The time limits in use, one for each duration. */
export class TimeLimits {
  readonly #byMs = new Map<number, TimeLimit>();

  /** What a subscriber does has begun. */
  add(subscription: HasTimeLimit, item: Limited): void {
    subscription.limit ??= this.#of(subscription.timeoutMs);
    subscription.limit.add(item);
  }

  /** All that is under way. */
  *[Symbol.iterator](): Iterator<Limited> {
    for (const limit of this.#byMs.values()) yield* limit;
  }

  /** Leaves no timer behind once nothing is under way. */
  rest(): void {
    for (const limit of this.#byMs.values()) limit.rest();
  }

  #of(ms: number): TimeLimit {
    let limit = this.#byMs.get(ms);
    if (limit === undefined) this.#byMs.set(ms, (limit = new TimeLimit(ms)));
    return limit;
  }
}
