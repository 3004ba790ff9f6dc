/** By how much a clock that is set back may lengthen a token, in milliseconds: corrections of a second or two count as they are meant. */
const STEP_MS = 5_000;

/**
 * When a token stops to count, on a wall clock that may be set: forward, it counts as it is; back, by as little as the monotonic clock of
 * this process lets it (decision 0058).
 */
export class Expiry {
  readonly #at: number;
  readonly #latest: number;

  /** @param at in milliseconds since 1970 */
  constructor(at: number) {
    this.#at = at;
    this.#latest = performance.now() + at - Date.now() + STEP_MS;
  }

  /** Whether it is over by the wall clock: what every event asks, and costs little. The other clock is the timer's to look at. */
  get isOver(): boolean {
    return Date.now() >= this.#at;
  }

  /** How long it still counts, in milliseconds; not positive once it does not. */
  get leftMs(): number {
    return Math.min(this.#at - Date.now(), this.#latest - performance.now());
  }
}
