/** The bounds of a {@link RequestWindow}. */
export interface RequestWindowOptions {
  /** How long an answer is kept for a retry, in milliseconds. @default 120000 */
  windowMs?: number;
  /** How many answers are kept for one identity; the oldest settled ones go first. @default 100 */
  maxPerIdentity?: number;
  /** How many identities are remembered at once; the one that asked longest ago goes first. @default 10000 */
  maxIdentities?: number;
}

interface Entry {
  readonly event: string;
  readonly answer: Promise<unknown>;
  settledAt: number | undefined;
}

/** What {@link RequestWindow.run} says when a request id was used for another event. */
export const MISMATCH: unique symbol = Symbol("the request id was used for another event");

/**
 * Runs a request once: the same id from the same identity, while it runs or within a window after it, gets the first answer
 * again. Memory is bounded per identity, so that nobody can push out the answers of others, and altogether.
 */
export class RequestWindow {
  readonly #identities = new Map<string, Map<string, Entry>>();
  readonly #windowMs: number;
  readonly #maxPerIdentity: number;
  readonly #maxIdentities: number;
  #shared = 0;

  constructor({ windowMs = 120_000, maxPerIdentity = 100, maxIdentities = 10_000 }: RequestWindowOptions = {}) {
    for (const [name, value] of Object.entries({ windowMs, maxPerIdentity, maxIdentities })) {
      if (!(Number.isFinite(value) && value > 0)) throw new TypeError(`calls.${name}: expected a positive number, got ${String(value)}`);
    }
    this.#windowMs = windowMs;
    this.#maxPerIdentity = maxPerIdentity;
    this.#maxIdentities = maxIdentities;
  }

  /** How many requests got the answer of an earlier one. */
  get shared(): number {
    return this.#shared;
  }

  /** How many answers are held now, running ones included. */
  get size(): number {
    let size = 0;
    for (const entries of this.#identities.values()) size += entries.size;
    return size;
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
    const entry: Entry = { event, answer: run(), settledAt: undefined };
    entries.set(requestId, entry);
    const settled = (): void => {
      entry.settledAt = performance.now();
    };
    entry.answer.then(settled, settled);
    return entry.answer;
  }

  /** Forgets everything. What runs goes on. */
  clear(): void {
    this.#identities.clear();
  }

  #entriesOf(identity: string, now: number): Map<string, Entry> {
    const entries = this.#identities.get(identity) ?? new Map<string, Entry>();
    // Asked last, forgotten last.
    this.#identities.delete(identity);
    this.#identities.set(identity, entries);
    this.#expire(entries, now);
    for (const [requestId, entry] of entries) {
      if (entries.size < this.#maxPerIdentity) break;
      if (entry.settledAt !== undefined) entries.delete(requestId);
    }
    for (const [oldest, others] of this.#identities) {
      if (oldest === identity) break;
      this.#expire(others, now);
      if (others.size === 0 || this.#identities.size > this.#maxIdentities) this.#identities.delete(oldest);
      else break;
    }
    return entries;
  }

  #expire(entries: Map<string, Entry>, now: number): void {
    for (const [requestId, { settledAt }] of entries) {
      if (settledAt !== undefined && now - settledAt >= this.#windowMs) entries.delete(requestId);
    }
  }
}
