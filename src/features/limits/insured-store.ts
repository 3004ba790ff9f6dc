import type { Logger } from "../../lifecycle/logger.js";
import { writeLog } from "../../lifecycle/log.js";
import { ignore, printable } from "../../wire/values.js";
import type { Buckets } from "./buckets.js";
import { askStore, type LimiterStore } from "./limiter-store.js";

/** What an {@link InsuredStore} is made of. */
export interface InsuredStoreOptions {
  /** What it is called in the log. */
  readonly subject: string;
  readonly store: LimiterStore;
  /** Counts beside the store, and instead of it while that does not answer. */
  readonly insurance: Buckets;
  /** How long the store may think. */
  readonly timeoutMs: number;
  readonly log: () => Logger;
}

/** While the store is down one event in this time asks it all the same. */
const PROBE_EVERY_MS = 250;
/** A probe that was not answered for so long is not waited for any more. */
const PROBE_MS = 5_000;

/**
 * A store that nodes share, and what counts while it does not answer (decision 0063). Every point is also taken from the insurance, so
 * that this goes on where the store stops. The first event without an answer in time takes the store for down: all that wait are let go
 * at once, by what the insurance said of them, and later ones do not wait at all, until it answers one of them again, in time.
 */
export class InsuredStore {
  readonly #options: InsuredStoreOptions;
  /** Let go whoever waits for the store. */
  readonly #waiting = new Set<() => void>();
  #isDown = false;
  #probeAt = 0;
  /** How many points the insurance decided about. */
  insured = 0;

  constructor(options: InsuredStoreOptions) {
    this.#options = options;
  }

  /** Takes a point: 0 if there was one, else how many milliseconds to wait; a promise of that while the store lives. It never rejects. */
  take(key: string, now: number): number | Promise<number> {
    const insured = this.#options.insurance.take(key, now);
    if (!this.#isDown) return this.#ask(key, insured);
    this.insured++;
    this.#probe(key, now);
    return insured;
  }

  #ask(key: string, insured: number): Promise<number> {
    const { store, timeoutMs } = this.#options;
    return new Promise((resolve) => {
      const end = (waitMs: number): void => {
        clearTimeout(timer);
        this.#waiting.delete(letGo);
        resolve(waitMs);
      };
      const letGo = (): void => {
        this.insured++;
        end(insured);
      };
      // What has arrived meanwhile is read first: it may be this process that was late.
      const onTime = (): void => void setImmediate(() => this.#waiting.has(letGo) && this.#down(tooLate(timeoutMs)));
      const timer = setTimeout(onTime, timeoutMs);
      this.#waiting.add(letGo);
      askStore(store, key).then(
        (waitMs) => this.#waiting.has(letGo) && end(waitMs),
        (error: unknown) => this.#waiting.has(letGo) && this.#down(error),
      );
    });
  }

  #down(error: unknown): void {
    const { subject, log } = this.#options;
    this.#isDown = true;
    this.#probeAt = performance.now() + PROBE_EVERY_MS;
    const fields = { err: printable(error), limit: subject };
    writeLog(log(), "warn", fields, "the store of a limit does not answer; this node counts for itself");
    for (const letGo of [...this.#waiting]) letGo();
  }

  #probe(key: string, now: number): void {
    if (now < this.#probeAt) return;
    const { store, timeoutMs, subject, log } = this.#options;
    this.#probeAt = now + PROBE_MS;
    askStore(store, key)
      .then(() => {
        if (!this.#isDown || performance.now() - now > timeoutMs) return;
        this.#isDown = false;
        writeLog(log(), "info", { limit: subject }, "the store of a limit answers again; nodes count together");
      })
      .catch(ignore)
      .finally(() => (this.#probeAt = performance.now() + PROBE_EVERY_MS));
  }
}

function tooLate(timeoutMs: number): Error {
  return new Error(`no answer within ${timeoutMs} ms`);
}
