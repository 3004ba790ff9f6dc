import { createHash } from "node:crypto";
import type { Arrival } from "../../events/arrival.js";
import { Refused } from "../../events/refused.js";
import type { AppServer } from "../../events/subscriber.js";
import type { Logger } from "../../lifecycle/logger.js";
import { withoutStack } from "../../wire/event-error.js";
import { type Awaitable, describeValue } from "../../wire/values.js";
import { Buckets } from "./buckets.js";
import type { Budgets } from "./budgets.js";
import { InsuredStore } from "./insured-store.js";
import type { LimitedNews } from "./limited.js";
import type { CheckedRate } from "./rate-options.js";

/** What a rate has done on this node since it was declared. */
export interface RateCounters {
  /** Events that had a point. */
  passed: number;
  /** Events that were answered `RATE_LIMITED`. */
  refused: number;
  /** Events that would have been, were it more than observed. */
  observed: number;
  /** Events that its insurance decided about, because the store did not answer. */
  insured: number;
  /** Keys that are kept in memory. */
  keys: number;
}

/** Longer keys are counted by their hash: a client may send half a megabyte as an event's name. */
const LONGEST_KEY = 256;

/** One limit of events, as it was declared. */
export class Rate<App extends AppServer> {
  readonly options: CheckedRate;
  readonly #keyOf: (arrival: Arrival<App>) => string | undefined;
  readonly #buckets: Buckets;
  readonly #store: InsuredStore | undefined;
  readonly #news: LimitedNews<App>;
  readonly #counters = { passed: 0, refused: 0, observed: 0 };
  #last: Refused | undefined;

  constructor(options: CheckedRate, budgets: Budgets<App>, news: LimitedNews<App>, log: () => Logger) {
    this.options = options;
    this.#news = news;
    // The functions of a rate are given what its own application's clients send.
    this.#keyOf = budgets.keyOf(options.by);
    this.#buckets = new Buckets(options);
    const { name, store, storeTimeoutMs: timeoutMs } = options;
    if (store !== undefined)
      this.#store = new InsuredStore({ subject: name, store, insurance: this.#buckets, timeoutMs, log });
  }

  get counters(): RateCounters {
    return { ...this.#counters, insured: this.#store?.insured ?? 0, keys: this.#buckets.size };
  }

  /** Forgets keys whose windows are over. */
  sweep(now: number): void {
    this.#buckets.sweep(now);
  }

  /** Takes a point for an event; a refusal, `RATE_LIMITED`, if there is none. A promise only where a store is asked. */
  ask(arrival: Arrival<App>, now: number): Awaitable<Refused | undefined> {
    const key = this.#checked(this.#keyOf(arrival));
    if (key === undefined) return undefined;
    if (this.#store === undefined) return this.#decide(arrival, key, this.#buckets.take(key, now));
    const waitMs = this.#store.take(`${this.options.name}:${key}`, now);
    if (typeof waitMs === "number") return this.#decide(arrival, key, waitMs);
    return waitMs.then((ms) => this.#decide(arrival, key, ms));
  }

  #decide(arrival: Arrival<App>, key: string, waitMs: number): Refused | undefined {
    if (waitMs === 0) {
      this.#counters.passed++;
      return undefined;
    }
    const { name: limit, observe: observed } = this.options;
    const retryAfterMs = Math.ceil(waitMs);
    if (observed) this.#counters.observed++;
    else this.#counters.refused++;
    this.#news.tell(() => {
      const { event, socket } = arrival;
      return { kind: "rate", limit, key, event, socket, retryAfterMs, observed };
    });
    return observed ? undefined : this.#refusal(retryAfterMs);
  }

  /** Of a burst all hear the same. */
  #refusal(retryAfterMs: number): Refused {
    if (this.#last?.error.retryAfterMs !== retryAfterMs) {
      const details = { limit: this.options.name };
      this.#last = new Refused(withoutStack("RATE_LIMITED", "you ask too often", { details, retryAfterMs }));
    }
    return this.#last;
  }

  #checked(key: unknown): string | undefined {
    if (typeof key === "string") return key.length > LONGEST_KEY ? hashOf(key) : key;
    if (key === undefined) return undefined;
    throw new TypeError(
      `limits.rate "${this.options.name}": by must return a string or undefined, got ${describeValue(key)}`,
    );
  }
}

function hashOf(key: string): string {
  return `sha256:${createHash("sha256").update(key).digest("base64url")}`;
}
