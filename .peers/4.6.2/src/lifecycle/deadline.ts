import { longestTimerMs } from "../wire/values.js";
/** How waiting for something ended. */
export type Settled =
  | { readonly kind: "done" }
  | { readonly kind: "failed"; readonly error: unknown }
  | { readonly kind: "late" };

/** A moment that no waiting goes beyond. Time is monotonic: a clock that is stepped changes nothing. */
export class Deadline {
  readonly #at: number;

  /** The deadline is in `ms` milliseconds; `Infinity` is never. */
  constructor(ms: number) {
    this.#at = performance.now() + ms;
  }

  /** How many milliseconds are left, 0 once it has passed. */
  get remainingMs(): number {
    return Math.max(0, this.#at - performance.now());
  }

  /**
   * Wait for `promise`, at most until the deadline, and at most for `mostMs`. What has settled by now counts as in time, however late
   * it is. Never rejects; what comes late comes to nothing.
   */
  async settle(promise: Promise<unknown>, mostMs: number = Infinity): Promise<Settled> {
    const ms = Math.min(this.remainingMs, mostMs);
    let timer: NodeJS.Timeout | undefined;
    const outcome = promise.then(
      (): Settled => ({ kind: "done" }),
      (error: unknown): Settled => ({ kind: "failed", error }),
    );
    const late = new Promise<Settled>((resolve) => {
      if (ms <= longestTimerMs) timer = setTimeout(resolve, ms, { kind: "late" });
    });
    const settled = await Promise.race([outcome, late]);
    clearTimeout(timer);
    return settled;
  }
}
