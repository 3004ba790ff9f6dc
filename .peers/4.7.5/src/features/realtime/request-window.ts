import { isForgotten } from "../../wire/codes.js";
import { describeValue } from "../../wire/values.js";
import { isFailure } from "../../wire/failure.js";

/** The bounds of a `RequestWindow`. */
export interface RequestWindowOptions {
  /** How long an answer is kept for a retry, in milliseconds. @default 120000 */
  windowMs?: number;
  /** How many answers are kept for one identity; the oldest settled ones go first. @default 100 */
  maxPerIdentity?: number;
  /** How many answers are kept altogether; those of whoever asked longest ago go first. @default 50000 */
  maxTotal?: number;
}

interface Entry {
  readonly event: string;
  answer: Promise<unknown>;
  settledAt: number | undefined;
}

const NONE: Promise<undefined> = Promise.resolve(undefined);

/** What {@link RequestWindow.run} says when a request id was used for another event. */
export const MISMATCH: unique symbol = Symbol("the request id was used for another event");

/**
 * Runs a request once: the same id from the same identity, while it runs or within a window after it, gets the first answer
 * again. A refusal that passes is no answer: it is forgotten at once, and a retry runs. Memory is bounded per identity, so that
 * nobody can push out the answers of others, and altogether.
 */
export class RequestWindow {
  readonly #identities = new Map<string, Map<string, Entry>>();
  readonly #windowMs: number;
  readonly #maxPerIdentity: number;
  readonly #maxTotal: number;
  #total = 0;
  #shared = 0;

  constructor({ windowMs = 120_000, maxPerIdentity = 100, maxTotal = 50_000 }: RequestWindowOptions = {}) {
    for (const [name, value] of Object.entries({ windowMs, maxPerIdentity, maxTotal })) {
      if (!(Number.isFinite(value) && value > 0))
        throw new TypeError(`calls.${name}: expected a positive number, got ${describeValue(value)}`);
    }
    this.#windowMs = windowMs;
    this.#maxPerIdentity = maxPerIdentity;
    this.#maxTotal = maxTotal;
  }

  /** How many requests got the answer of an earlier one. */
  get shared(): number {
    return this.#shared;
  }

  /** How many answers are held now, running ones included. */
  get size(): number {
    return this.#total;
  }

  /** The answer of the request with this id: `run`'s, the first time. Resolves to {@link MISMATCH} if the id was another event's. */
  run(identity: string, requestId: string, event: string, run: () => Promise<unknown>): Promise<unknown> {
    const now = performance.now();
    const entries = this.#entriesOf(identity, now);
    const known = entries.get(requestId);
    if (known) {
      if (known.event !== event) return Promise.resolve(MISMATCH);
      this.#shared++;
      return known.answer;
    }
    const entry: Entry = { event, answer: NONE, settledAt: undefined };
    entries.set(requestId, entry);
    this.#total++;
    // Behind the entry: what it runs may end the connection, and this identity be forgotten with it.
    entry.answer = run();
    const settled = (answer?: unknown): void => {
      entry.settledAt = performance.now();
      // Its identity may have been forgotten meanwhile, and the id used anew.
      const kept = this.#identities.get(identity) === entries && entries.get(requestId) === entry;
      if (kept && isFailure(answer) && isForgotten(answer.error.code)) this.#drop(entries, requestId);
    };
    entry.answer.then(settled, () => settled());
    return entry.answer;
  }

  /** Forgets the answers of an identity that can't come back. What runs goes on. */
  forget(identity: string): void {
    this.#total -= this.#identities.get(identity)?.size ?? 0;
    this.#identities.delete(identity);
  }

  /** Forgets everything. What runs goes on. */
  clear(): void {
    this.#identities.clear();
    this.#total = 0;
  }

  #entriesOf(identity: string, now: number): Map<string, Entry> {
    const entries = this.#identities.get(identity) ?? new Map<string, Entry>();
    // Asked last, forgotten last.
    this.#identities.delete(identity);
    this.#identities.set(identity, entries);
    this.#expire(entries, now);
    for (const [requestId, entry] of entries) {
      if (entries.size < this.#maxPerIdentity) break;
      if (entry.settledAt !== undefined) this.#drop(entries, requestId);
    }
    for (const [oldest, others] of this.#identities) {
      if (oldest === identity) break;
      this.#expire(others, now);
      if (others.size > 0 && this.#total < this.#maxTotal) break;
      this.forget(oldest);
    }
    return entries;
  }

  #expire(entries: Map<string, Entry>, now: number): void {
    for (const [requestId, { settledAt }] of entries) {
      if (settledAt !== undefined && now - settledAt >= this.#windowMs) this.#drop(entries, requestId);
    }
  }

  #drop(entries: Map<string, Entry>, requestId: string): void {
    if (entries.delete(requestId)) this.#total--;
  }
}
