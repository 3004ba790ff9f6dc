/** What a {@link Buckets} is made of. */
export interface BucketsOptions {
  /** How much a key has in a window. */
  readonly points: number;
  /** How long a window is, from the first point of a key on. */
  readonly durationMs: number;
  /** How long a key is refused that asks for more; 0 for no longer than its window lasts. */
  readonly blockMs: number;
  /** How many keys are kept. */
  readonly maxKeys: number;
}

interface Bucket {
  used: number;
  /** When its window ends, on the clock of this process, which no step of the wall clock moves. */
  until: number;
}

/**
 * Points by key, in windows that begin with the first point of a key: what rate-limiter-flexible does in a store, here in memory and
 * without a promise (decision 0062). At `maxKeys` the key that has been known longest is forgotten, so that it has a window before it; what
 * was forgotten lets through too much, never too little.
 */
export class Buckets {
  readonly #options: BucketsOptions;
  readonly #buckets = new Map<string, Bucket>();

  constructor(options: BucketsOptions) {
    this.#options = options;
  }

  /** How many keys are kept. */
  get size(): number {
    return this.#buckets.size;
  }

  /** Takes a point. 0 if there was one, else how many milliseconds are left until there is one again. */
  take(key: string, now: number): number {
    const bucket = this.#buckets.get(key);
    if (bucket === undefined || bucket.until <= now) return this.#begin(key, bucket, now);
    const { points, blockMs } = this.#options;
    if (bucket.used < points) {
      bucket.used++;
      return 0;
    }
    // Once for a window, by who goes on: who goes on further waits no longer for it.
    if (bucket.used === points && blockMs > 0) {
      bucket.used++;
      bucket.until = now + blockMs;
    }
    return bucket.until - now;
  }

  /** Forgets what is over. */
  sweep(now: number): void {
    for (const [key, { until }] of this.#buckets) if (until <= now) this.#buckets.delete(key);
  }

  #begin(key: string, bucket: Bucket | undefined, now: number): number {
    const until = now + this.#options.durationMs;
    if (bucket !== undefined) {
      bucket.used = 1;
      bucket.until = until;
      return 0;
    }
    if (this.#buckets.size >= this.#options.maxKeys) {
      const [oldest = key] = this.#buckets.keys();
      this.#buckets.delete(oldest);
    }
    this.#buckets.set(key, { used: 1, until });
    return 0;
  }
}
