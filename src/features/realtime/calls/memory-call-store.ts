import { readOptions } from "../../../events/option-table.js";
import { bound, sharedBounds } from "./call-bounds.js";
import type { CallKey, CallStore, CallTimes, Claim } from "./call-store.js";

/** The bounds of a {@link MemoryCallStore}, in answers and in bytes of them. */
export interface MemoryCallStoreOptions {
  /** How many requests are known of one identity; above it the oldest that are done are forgotten. @default 100 */
  maxPerIdentity?: number;
  /** How many requests are known altogether. @default 50000 */
  maxTotal?: number;
  /** How large one answer may be, in bytes; of a larger one only the fact is kept. @default 262144 */
  maxAnswerBytes?: number;
  /** How many bytes of answers are kept for one identity; the oldest go first, and only the fact stays. @default 1048576 */
  maxIdentityBytes?: number;
  /** How many bytes of answers are kept altogether; those of whoever holds the most go first. @default 33554432 */
  maxBytes?: number;
}

const maxTotal = bound(50_000);
const maxBytes = bound(32 * 1024 * 1024);

interface Entry {
  identity: string;
  readonly requestId: string;
  readonly digest: string;
  readonly token: string;
  /** Undefined while it runs. */
  answer: string | undefined;
  bytes: number;
  state: "running" | "answered" | "unkept";
  /** When the lease ends, or the answer is forgotten. */
  until: number;
}

interface Requests {
  readonly entries: Map<string, Entry>;
  bytes: number;
}

/**
 * A {@link CallStore} in the memory of one process, the default: right for one node. What it keeps is bounded in number and bytes, by
 * identity and altogether, and asking costs the same however much is kept.
 */
export class MemoryCallStore implements CallStore {
  readonly #options: Required<MemoryCallStoreOptions>;
  readonly #identities = new Map<string, Requests>();
  /** What is done, in the order in which it is forgotten. */
  #done: Entry[] = [];
  #doneFrom = 0;
  #total = 0;
  #bytes = 0;
  #tokens = 0;

  /** @throws TypeError if a bound is no positive whole number */
  constructor(options: MemoryCallStoreOptions = {}) {
    this.#options = readOptions("MemoryCallStore", { ...sharedBounds, maxTotal, maxBytes }, options);
  }

  /** How many requests are known, running ones included, and how many bytes of answers are kept. */
  get stats(): Readonly<Record<"requests" | "bytes", number>> {
    return { requests: this.#total, bytes: this.#bytes };
  }

  /** Asks for a request. */
  claim({ identity, requestId }: CallKey, digest: string, { leaseMs }: CallTimes): Claim {
    const now = performance.now();
    this.#expire(now);
    const past = this.#identities.get(identity)?.entries.get(requestId);
    if (past !== undefined && past.state !== "running" && past.until <= now) this.#drop(past);
    const requests = this.#identities.get(identity) ?? { entries: new Map<string, Entry>(), bytes: 0 };
    // Asked last, forgotten last.
    this.#identities.delete(identity);
    this.#identities.set(identity, requests);
    const known = requests.entries.get(requestId);
    if (known !== undefined) {
      if (known.digest !== digest) return { kind: "other" };
      if (known.state === "unkept") return { kind: "unkept" };
      if (known.state === "answered") return { kind: "answered", answer: known.answer as string };
      return { kind: known.until <= now ? "died" : "running" };
    }
    const token = String(++this.#tokens);
    const entry: Entry = {
      identity,
      requestId,
      digest,
      token,
      answer: undefined,
      bytes: 0,
      state: "running",
      until: now + leaseMs,
    };
    requests.entries.set(requestId, entry);
    this.#total++;
    this.#bound(requests);
    return { kind: "run", token };
  }

  /** Has a claim hold for another lease. */
  renew(key: CallKey, token: string, { leaseMs }: CallTimes): boolean {
    const entry = this.#held(key, token);
    if (entry === undefined) return false;
    entry.until = performance.now() + leaseMs;
    return true;
  }

  /** Keeps an answer. */
  answer(key: CallKey, token: string, answer: string | undefined, { windowMs }: CallTimes): void {
    const entry = this.#held(key, token);
    const requests = this.#identities.get(key.identity);
    if (entry === undefined || requests === undefined) return;
    entry.until = performance.now() + windowMs;
    this.#done.push(entry);
    const bytes = answer === undefined ? 0 : answer.length * 2;
    if (answer === undefined || bytes > this.#options.maxAnswerBytes) {
      entry.state = "unkept";
      return;
    }
    Object.assign(entry, { state: "answered", answer, bytes });
    requests.bytes += bytes;
    this.#bytes += bytes;
    this.#makeRoom(requests, this.#options.maxIdentityBytes);
    while (this.#bytes > this.#options.maxBytes) {
      const largest = this.#largest();
      this.#makeRoom(largest, Math.max(0, largest.bytes - 1));
    }
  }

  /** Forgets a request that came to nothing. */
  forget(key: CallKey, token: string): void {
    const entry = this.#held(key, token);
    if (entry !== undefined) this.#drop(entry);
  }

  /** The requests of one identity are another's from now on. */
  carry(from: string, to: string): void {
    const old = this.#identities.get(from);
    if (old === undefined || from === to) return;
    this.#identities.delete(from);
    const requests = this.#identities.get(to) ?? { entries: new Map(), bytes: 0 };
    this.#identities.set(to, requests);
    for (const [requestId, entry] of old.entries) {
      if (requests.entries.has(requestId)) {
        this.#total--;
        this.#bytes -= entry.bytes;
      } else {
        entry.identity = to;
        requests.entries.set(requestId, entry);
        requests.bytes += entry.bytes;
      }
    }
    this.#makeRoom(requests, this.#options.maxIdentityBytes);
    this.#bound(requests);
  }

  #held({ identity, requestId }: CallKey, token: string): Entry | undefined {
    const entry = this.#identities.get(identity)?.entries.get(requestId);
    return entry?.token === token && entry.state === "running" ? entry : undefined;
  }

  /** What is too old is forgotten, of all identities: each request is looked at once for it. */
  #expire(now: number): void {
    for (let first = this.#done[this.#doneFrom]; first !== undefined && first.until <= now;) {
      this.#doneFrom++;
      if (this.#identities.get(first.identity)?.entries.get(first.requestId) === first) this.#drop(first);
      first = this.#done[this.#doneFrom];
    }
    if (this.#doneFrom > 64 && this.#doneFrom * 2 > this.#done.length) {
      this.#done = this.#done.slice(this.#doneFrom);
      this.#doneFrom = 0;
    }
  }

  #bound(asking: Requests): void {
    this.#trim(asking, this.#options.maxPerIdentity);
    if (this.#total <= this.#options.maxTotal) return;
    // Whoever holds more than a fair share gives way first, and of those whoever asked longest ago.
    const share = this.#total / this.#identities.size;
    for (const requests of this.#identities.values()) {
      if (requests.entries.size >= share) this.#trim(requests, requests.entries.size - 1);
      if (this.#total <= this.#options.maxTotal) return;
    }
  }

  #trim(requests: Requests, most: number): void {
    for (const entry of requests.entries.values()) {
      if (requests.entries.size <= most) return;
      if (entry.state !== "running") this.#drop(entry);
    }
  }

  /** The oldest answers of an identity go until at most so many bytes are left; that they were given is still known. */
  #makeRoom(requests: Requests, most: number): void {
    for (const entry of requests.entries.values()) {
      if (requests.bytes <= most) return;
      if (entry.state !== "answered") continue;
      requests.bytes -= entry.bytes;
      this.#bytes -= entry.bytes;
      Object.assign(entry, { state: "unkept", answer: undefined, bytes: 0 });
    }
  }

  /** Who holds the most bytes, so that nobody can push out what others hold. */
  #largest(): Requests {
    let largest: Requests = { entries: new Map(), bytes: -1 };
    for (const requests of this.#identities.values()) if (requests.bytes > largest.bytes) largest = requests;
    return largest;
  }

  #drop(entry: Entry): void {
    const requests = this.#identities.get(entry.identity) as Requests; // whoever drops it has found it there
    requests.entries.delete(entry.requestId);
    requests.bytes -= entry.bytes;
    this.#bytes -= entry.bytes;
    this.#total--;
    if (requests.entries.size === 0) this.#identities.delete(entry.identity);
  }
}
