import { type Options, option, type Option, readOptions } from "../../events/option-table.js";
import { type Bearer, KEEP_MS, keysOf, type Revocations, type Revoked } from "./revocations.js";

/** How much a {@link MemoryRevocations} remembers. */
export interface MemoryRevocationsOptions {
  /** For how long, in milliseconds: at least as long as your tokens live. @default 2592000000, thirty days */
  keepMs?: number;
  /** How many users and sessions. Above it the oldest goes, and with it everybody's tokens that are older. @default 100000 */
  max?: number;
}

// Declarations are made file by file (isolatedDeclarations), so that each line of a table says its type by an `as`.
// oxlint-disable typescript/no-unnecessary-type-assertion
const table = {
  keepMs: option(KEEP_MS, "a positive number of milliseconds", (value) => Number(value) > 0) as Option<number>,
  max: option(
    100_000,
    "a whole number from 1",
    (value) => Number.isSafeInteger(value) && Number(value) > 0,
  ) as Option<number>,
};

/**
 * {@link Revocations} in the memory of one process, for one node. They are gone when it ends, and whoever was revoked before comes in again
 * until their token expires: where that matters, and with several nodes, use a `RedisRevocations`.
 *
 * It is bounded without letting anybody back in: what is pushed out by newer revocations takes all tokens with it that are as old
 * (decision 0059).
 */
export class MemoryRevocations implements Revocations {
  readonly #options: Options<typeof table>;
  /** In the order of their times, as far as the clock is not set. */
  readonly #until = new Map<string, number>();
  #everybody: number | undefined;

  /** @throws TypeError naming an option that does not fit */
  constructor(options: MemoryRevocationsOptions = {}) {
    this.#options = readOptions("MemoryRevocations", table, options);
  }

  /** How many users and sessions it remembers. */
  get size(): number {
    return this.#until.size;
  }

  /** Tokens that were issued until then count no more. */
  revoke(who: Revoked, at: number): void {
    for (const key of keysOf(who)) {
      const until = Math.max(at, this.#until.get(key) ?? at);
      this.#until.delete(key);
      this.#until.set(key, until);
    }
    const { keepMs, max } = this.#options;
    for (const [key, until] of this.#until) {
      const isOver = until + keepMs < Date.now();
      if (!isOver && this.#until.size <= max) break;
      this.#until.delete(key);
      if (!isOver) this.#everybody = Math.max(until, this.#everybody ?? until);
    }
  }

  /** Until when the tokens of this user or session count no more. */
  revokedUntil(bearer: Bearer): number | undefined {
    const times = [this.#everybody, ...keysOf(bearer).map((key) => this.#until.get(key))];
    const known = times.filter((time) => time !== undefined);
    return known.length === 0 ? undefined : Math.max(...known);
  }
}
