import { randomUUID } from "node:crypto";
import { asRecord, checkNames } from "../wire/option-names.js";
import { describeValue } from "../wire/values.js";
import type { LoggedEntry, Missed, Position, TopicEntry, TopicHistory, TopicLog } from "./topic-log.js";

/** The bounds of a {@link MemoryTopicLog}. */
export interface MemoryTopicLogOptions {
  /** How many of the newest entries a node that sees a hole can read, whatever their topics keep. @default 10000 */
  window?: number;
  /** How many bytes of entries are kept altogether; the oldest go first. @default 67108864 */
  maxBytes?: number;
}

interface Kept {
  readonly n: number;
  readonly at: number;
  readonly topics: readonly string[];
  /** The rest of the entry as JSON: what the application changes afterwards changes nothing. */
  readonly text: string;
  /** In how many lists it stands: the log's window, and one for each topic that still keeps it. */
  holders: number;
}

/** The history of one topic: its entries, the oldest first, and the number of the newest one that it has let go. */
interface Ring {
  readonly entries: Kept[];
  /** Entries before this index have been let go. */
  from: number;
  floor: number;
  maxAgeMs: number;
}

/**
 * A {@link TopicLog} in the memory of one process, the default: right for one node, and refused where there are several, since each
 * would have a history of its own. It is bounded in number, age and bytes; what it has let go a member is told of as a gap.
 */
export class MemoryTopicLog implements TopicLog {
  readonly #epoch = randomUUID();
  readonly #window: number;
  readonly #maxBytes: number;
  /** The newest entries, the oldest first. */
  readonly #all: Kept[] = [];
  #allFrom = 0;
  /** Every entry that is held, and some that are not any more, the oldest first: what goes when there are too many bytes. */
  #order: Kept[] = [];
  #orderFrom = 0;
  #released = 0;
  readonly #topics = new Map<string, Ring>();
  /** The number of the newest entry of a topic that is not known any more: who was away since before it can't know what it missed. */
  #forgotten = 0;
  #n = 0;
  #bytes = 0;
  #sweepAt = 0;

  /** @throws TypeError if a bound is no positive whole number, or there is none of its name */
  constructor(options: MemoryTopicLogOptions = {}) {
    checkNames("MemoryTopicLog", asRecord("MemoryTopicLog", options), ["window", "maxBytes"]);
    const { window = 10_000, maxBytes = 64 * 1024 * 1024 } = options;
    for (const [name, value] of Object.entries({ window, maxBytes })) {
      if (!Number.isSafeInteger(value) || value < 1)
        throw new TypeError(`MemoryTopicLog: ${name} must be a whole number from 1, got ${describeValue(value)}`);
    }
    this.#window = window;
    this.#maxBytes = maxBytes;
  }

  /** How many entries are kept, how many bytes of them, and how many topics are known. */
  get stats(): Readonly<Record<"entries" | "bytes" | "topics", number>> {
    const entries = this.#order.slice(this.#orderFrom).filter(({ holders }) => holders > 0).length;
    return { entries, bytes: this.#bytes, topics: this.#topics.size };
  }

  /** Appends an entry. @throws TypeError if it is no JSON data */
  append(topics: readonly TopicHistory[], entry: TopicEntry): LoggedEntry {
    const at = performance.now();
    const names = topics.map(({ topic }) => topic);
    const text = JSON.stringify([entry.renditions, entry.except]);
    const kept: Kept = { n: ++this.#n, at, topics: names, text, holders: 1 };
    this.#bytes += sizeOf(kept);
    this.#all.push(kept);
    this.#order.push(kept);
    if (this.#all.length - this.#allFrom > this.#window) this.#shiftAll();
    for (const { topic, keep, maxAgeMs } of topics) {
      let ring = this.#topics.get(topic);
      // A topic that was forgotten may have had anything up to that point.
      if (ring === undefined)
        this.#topics.set(topic, (ring = { entries: [], from: 0, floor: this.#forgotten, maxAgeMs }));
      ring.maxAgeMs = maxAgeMs;
      ring.entries.push(kept);
      kept.holders++;
      while (ring.entries.length - ring.from > keep) this.#shift(ring);
      this.#age(ring, at);
    }
    while (this.#bytes > this.#maxBytes) this.#dropOldest();
    if (at > this.#sweepAt) this.#sweep(at);
    return { epoch: this.#epoch, n: kept.n, topics: names, renditions: entry.renditions, except: entry.except };
  }

  /** The epoch, and the number of the newest entry. */
  head(): Position {
    return [this.#epoch, this.#n];
  }

  /** All entries after a position. */
  since([epoch, n]: Position): readonly LoggedEntry[] | undefined {
    const first = this.#all[this.#allFrom]?.n ?? this.#n + 1;
    if (epoch !== this.#epoch || n > this.#n || n < first - 1) return undefined;
    return this.#all.slice(this.#allFrom + n - first + 1).map((kept) => this.#read(kept));
  }

  /** What topics had after a position. */
  after(topics: readonly TopicHistory[], [epoch, n]: Position): Missed {
    const names = topics.map(({ topic }) => topic);
    if (epoch !== this.#epoch || n > this.#n) return { head: this.head(), gaps: names, entries: [] };
    const now = performance.now();
    const gaps: string[] = [];
    const found = new Set<Kept>();
    for (const name of names) {
      const ring = this.#topics.get(name);
      if (ring !== undefined) this.#age(ring, now);
      if (n < (ring?.floor ?? this.#forgotten)) {
        gaps.push(name);
        continue;
      }
      if (ring === undefined) continue;
      const { entries, from } = ring;
      for (let i = entries.length - 1; i >= from && (entries[i] as Kept).n > n; i--) found.add(entries[i] as Kept);
    }
    const entries = [...found].sort((a, b) => a.n - b.n).map((kept) => this.#read(kept));
    return { head: this.head(), gaps, entries };
  }

  #read({ n, topics, text }: Kept): LoggedEntry {
    const [renditions, except] = JSON.parse(text) as [LoggedEntry["renditions"], string[]];
    return { epoch: this.#epoch, n, topics, renditions, except };
  }

  #age(ring: Ring, now: number): void {
    for (let first = ring.entries[ring.from]; first !== undefined && first.at < now - ring.maxAgeMs;) {
      this.#shift(ring);
      first = ring.entries[ring.from];
    }
  }

  #shift(ring: Ring): void {
    const kept = ring.entries[ring.from] as Kept; // called while there is one
    ring.entries[ring.from++] = undefined as never; // cut off below, by the half
    ring.floor = kept.n;
    if (ring.from > 64 && ring.from * 2 > ring.entries.length) ring.from -= ring.entries.splice(0, ring.from).length;
    this.#release(kept);
  }

  #shiftAll(): void {
    this.#release(this.#all[this.#allFrom] as Kept); // called while there is one
    this.#all[this.#allFrom++] = undefined as never;
    if (this.#allFrom > 64 && this.#allFrom * 2 > this.#all.length)
      this.#allFrom -= this.#all.splice(0, this.#allFrom).length;
  }

  #release(kept: Kept): void {
    if (--kept.holders > 0) return;
    this.#bytes -= sizeOf(kept);
    if (++this.#released * 2 < this.#order.length) return;
    this.#order = this.#order.slice(this.#orderFrom).filter(({ holders }) => holders > 0);
    this.#orderFrom = 0;
    this.#released = 0;
  }

  /** The oldest entry goes, from the window and from every topic. Called while there is one. */
  #dropOldest(): void {
    const oldest = this.#order[this.#orderFrom] as Kept;
    this.#order[this.#orderFrom++] = undefined as never; // cut off with those that are released, by the half
    if (oldest.holders === 0) return;
    if (this.#all[this.#allFrom] === oldest) this.#shiftAll();
    for (const topic of oldest.topics) {
      const ring = this.#topics.get(topic);
      if (ring?.entries[ring.from] === oldest) this.#shift(ring);
    }
  }

  /** Topics whose entries are all too old are forgotten: a log must not grow with every topic that there ever was. */
  #sweep(now: number): void {
    this.#sweepAt = now + 60_000;
    for (const [topic, ring] of this.#topics) {
      this.#age(ring, now);
      if (ring.entries.length > ring.from) continue;
      this.#forgotten = Math.max(this.#forgotten, ring.floor);
      this.#topics.delete(topic);
    }
  }
}

/** Text is counted by two bytes a character, the rest of an entry by a round number. */
function sizeOf({ text }: Kept): number {
  return text.length * 2 + 128;
}
