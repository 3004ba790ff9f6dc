import { withoutStack } from "../../wire/event-error.js";

/**
 * What a join costs that this server has asked for, the first join of a topic, and one of a topic that the socket is in already: it draws
 * a snapshot and a list of members.
 */
const COST = { asked: 0, first: 1, again: 10 } as const;

/** What a hundred pushes cost that are sent again with a join. */
const COST_OF_HUNDRED = 1;

/** How much comes back in a second. */
const PER_SECOND = 10;

/**
 * How often one connection may join topics: a join of a few bytes may be answered with kilobytes. It may join as many topics as it may
 * be in, twice over, and then ten a second; one that it is in already, a tenth as often; and what a position draws counts as well, a
 * hundred pushes as one join.
 */
export class JoinLimit {
  readonly #max: number;
  #left: number;
  #at: number = performance.now();

  /** @param topics how many topics a connection may be in */
  constructor(topics: number) {
    this.#max = Math.max(2 * topics, 10 * COST.again);
    this.#left = this.#max;
  }

  /** Counts what was sent again, after it was: the joins after it wait for it. */
  charge(frames: number): void {
    this.#left -= (frames / 100) * COST_OF_HUNDRED;
  }

  /** Counts a join. @throws EventError `RATE_LIMITED`, with the time to wait */
  take(kind: keyof typeof COST): void {
    const now = performance.now();
    this.#left = Math.min(this.#max, this.#left + ((now - this.#at) / 1_000) * PER_SECOND);
    this.#at = now;
    const missing = COST[kind] - this.#left;
    if (missing > 0) {
      const retryAfterMs = Math.ceil((missing / PER_SECOND) * 1_000);
      throw withoutStack("RATE_LIMITED", "this connection joins topics too often", { retryAfterMs });
    }
    this.#left -= COST[kind];
  }
}
