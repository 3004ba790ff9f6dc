import type { Logger } from "../lifecycle/logger.js";
import { type Awaitable, ignore, isThenable } from "../wire/values.js";
import type { LoggedEntry, Missed, Position, TopicEntry, TopicHistory, TopicLog } from "./topic-log.js";

/*
 * A node follows the log:
 *
 *   starting   its place is not known yet: entries that come are kept
 *   following  entries are delivered in the order of the count; one that is missing is waited for (`reorderMs`), then read
 *   lost       it can't go on (another epoch, or too far behind): told once, then starting anew from the log's head
 *   closed
 */
type State = "starting" | "following" | "lost" | "closed";

/** What a {@link LogFollower} is made of. */
export interface LogFollowerOptions {
  readonly log: TopicLog;
  readonly logger: Logger;
  /** Tells the other nodes of an entry. It may get lost, come late, or out of order. */
  readonly tell: (entry: LoggedEntry) => void;
  /** Each entry once, in the order of the count. */
  readonly onEntry: (entry: LoggedEntry) => void;
  /** This node can't go on without a gap: whoever follows has to ask anew. Entries go on only after it. */
  readonly onGap: () => void;
  /** How long a hole may be one of order only, in milliseconds. @default 40 */
  readonly reorderMs?: number;
  /** How often the place is compared with the log's head, in milliseconds, so that a lost last entry is found. @default 500 */
  readonly headMs?: number;
}

/** What a member is given that comes back: all until `position`, from which live entries go on. */
export interface CaughtUp extends Omit<Missed, "head"> {
  readonly position: Position;
}

/** A hole is filled from what is in hand, as far as this many entries reach. */
const RECENT = 1_024;

/** How many entries wait at most for one before them. */
const MOST_AHEAD = 10_000;

/** How long a log that can't be read is left alone, in milliseconds. */
const RETRY_MS = 250;

/**
 * One node's way along a {@link TopicLog}: it delivers each entry once and in the order of the count, whatever becomes of the messages
 * between nodes, and says so when it can't.
 */
export class LogFollower {
  readonly #options: Required<LogFollowerOptions>;
  #state: State = "starting";
  #epoch = "";
  #n = 0;
  /** Entries that wait for one before them. */
  readonly #ahead = new Map<number, LoggedEntry>();
  #recent: LoggedEntry[] = [];
  #started: Promise<void> | undefined;
  #repairing: Promise<void> | undefined;
  #hole: NodeJS.Timeout | undefined;
  #heads: NodeJS.Timeout | undefined;
  /** Each with what ends it. */
  readonly #pauses = new Map<NodeJS.Timeout, () => void>();
  /** Appends in the order in which they were made; undefined while none is under way. */
  #line: Promise<unknown> | undefined;
  #headSeen = 0;
  /** The last reading of the head for those who ask; settled while nobody does. */
  #reaching: Promise<void> = Promise.resolve();
  /** The one that has not begun. */
  #next: Promise<void> | undefined;

  constructor(options: LogFollowerOptions) {
    this.#options = { reorderMs: 40, headMs: 500, ...options };
    this.#start();
  }

  /** Where this node is; undefined until it knows. */
  get position(): Position | undefined {
    return this.#state === "following" ? [this.#epoch, this.#n] : undefined;
  }

  /** Appends an entry and delivers it, here and on the other nodes. Rejects, or throws, as the log does. */
  push(topics: readonly TopicHistory[], entry: TopicEntry): Awaitable<LoggedEntry> {
    const appended = this.#options.log.append(topics, entry);
    if (!isThenable(appended)) {
      this.#told(appended);
      return appended;
    }
    const ahead = this.#line;
    const told = (async () => {
      // Awaited first, so that one that rejects while it waits for those before is not unhandled.
      const [, settled] = await Promise.allSettled([ahead, appended]);
      if (settled.status === "rejected") throw settled.reason;
      this.#told(settled.value);
      return settled.value;
    })();
    const line = told.then(
      () => undefined,
      () => undefined,
    );
    this.#line = line;
    void line.then(() => {
      if (this.#line === line) this.#line = undefined;
    });
    return told;
  }

  /** Another node said that there is an entry. */
  heard(entry: LoggedEntry): void {
    this.#take(entry);
  }

  /**
   * Has `use` run, in the one turn in which it holds, with what topics had after a position: nothing is delivered between the last entry
   * that it is given and the first that comes live. Without a position it is given none.
   *
   * @returns what `use` returned. Rejects when the log can't be read, or `use` throws.
   */
  async catchUp<T>(
    topics: readonly TopicHistory[],
    at: Position | undefined,
    use: (missed: CaughtUp) => T,
  ): Promise<T> {
    const names = topics.map(({ topic }) => topic);
    for (;;) {
      if (this.#state === "closed") throw new Error("the log is not followed any more");
      if (this.#state !== "following") {
        await this.#started;
        continue;
      }
      const position: Position = [this.#epoch, this.#n];
      if (at === undefined) return use({ position, gaps: [], entries: [] });
      const [epoch, n] = at;
      if (epoch !== this.#epoch) return use({ position, gaps: names, entries: [] });
      if (n === this.#n) return use({ position, gaps: [], entries: [] });
      if (n > this.#n) {
        // From another node that was faster; or from a future that was lost with a log.
        const [headEpoch, head] = await this.#options.log.head();
        if (this.position === undefined || this.#epoch !== epoch) continue;
        if (headEpoch !== epoch || n > head) return use({ position: this.#position(), gaps: names, entries: [] });
        await this.#repair();
        continue;
      }
      const read = this.#options.log.after(topics, at);
      const missed = isThenable(read) ? await read : read;
      if (this.position === undefined || this.#epoch !== epoch) continue;
      const head = missed.head[1];
      // What came since the log was read is in hand: no second reading, however fast it goes.
      if (this.#n > head && (this.#recent[0]?.n ?? Infinity) > head + 1) continue;
      const wanted = new Set(names.filter((name) => !missed.gaps.includes(name)));
      const entries = [
        ...missed.entries.filter((entry) => entry.n <= this.#n),
        ...this.#recent.filter((entry) => entry.n > head && entry.topics.some((topic) => wanted.has(topic))),
      ];
      return use({ position: this.#position(), gaps: missed.gaps, entries });
    }
  }

  /**
   * Resolves when all is delivered here that any node had appended before: for whoever has read something that was written before it was
   * pushed. Rejects when the log can't be read.
   */
  reach(): Awaitable<void> {
    // A log in the process delivers as it appends.
    if (this.#heads === undefined) return undefined;
    // Who asks while the head is being read is served by the next reading, with all the others.
    this.#next ??= this.#reaching.catch(ignore).then(() => {
      this.#next = undefined;
      return this.#reach();
    });
    return (this.#reaching = this.#next);
  }

  /** Stops following. Nothing is delivered from here on. */
  close(): void {
    this.#state = "closed";
    clearInterval(this.#heads);
    clearTimeout(this.#hole);
    for (const [pause, end] of this.#pauses) {
      clearTimeout(pause);
      end();
    }
    this.#pauses.clear();
    this.#ahead.clear();
    this.#recent = [];
  }

  async #reach(): Promise<void> {
    const [epoch, head] = await this.#options.log.head();
    if (this.#state === "starting") await this.#started;
    // One that is lost begins at the head, and has said so.
    while (this.#state === "following" && this.#epoch === epoch && this.#n < head) await this.#repair();
  }

  #position(): Position {
    return [this.#epoch, this.#n];
  }

  #start(): void {
    this.#state = "starting";
    const begin = ([epoch, n]: Position): void => {
      if (this.#state === "closed") return;
      this.#epoch = epoch;
      this.#n = n;
      // What was heard meanwhile may be of a log that is no more.
      for (const [ahead, entry] of this.#ahead) if (ahead <= n || entry.epoch !== epoch) this.#ahead.delete(ahead);
      this.#state = "following";
      this.#deliver();
    };
    const read = (): Awaitable<Position> => {
      try {
        return this.#options.log.head();
      } catch (error) {
        return Promise.reject(error);
      }
    };
    const head = read();
    if (!isThenable(head)) return begin(head);
    // A log in the process has no messages to lose.
    if (this.#heads === undefined) {
      this.#heads = setInterval(() => void this.#compare(), this.#options.headMs);
      this.#heads.unref();
    }
    const ask = async (first: PromiseLike<Position>): Promise<void> => {
      for (let asked: Awaitable<Position> = first; ; asked = read()) {
        try {
          return begin(await asked);
        } catch (error) {
          this.#options.logger.error({ err: error }, "the log of topics can't be read; it is tried again");
        }
        if (!(await this.#pause())) return;
      }
    };
    this.#started = ask(head);
  }

  /** Waits before the log is asked again. False once this is closed. */
  async #pause(): Promise<boolean> {
    await new Promise<void>((resolve) => {
      const pause = setTimeout(() => {
        this.#pauses.delete(pause);
        resolve();
      }, RETRY_MS);
      pause.unref();
      this.#pauses.set(pause, resolve);
    });
    return this.#state !== "closed";
  }

  #told(entry: LoggedEntry): void {
    if (this.#state === "closed") return;
    this.#options.tell(entry);
    this.#take(entry);
  }

  #take(entry: LoggedEntry): void {
    if (this.#state === "closed") return;
    if (this.#state === "following") {
      if (entry.epoch !== this.#epoch) return this.#lose();
      if (entry.n <= this.#n) return;
    }
    this.#ahead.set(entry.n, entry);
    // Whatever does not fit can be read from the log.
    if (this.#ahead.size > MOST_AHEAD) this.#ahead.clear();
    this.#deliver();
  }

  #deliver(): void {
    if (this.#state !== "following") return;
    for (let next = this.#ahead.get(this.#n + 1); next !== undefined; next = this.#ahead.get(this.#n + 1)) {
      this.#ahead.delete(++this.#n);
      this.#recent.push(next);
      if (this.#recent.length > 2 * RECENT) this.#recent.splice(0, RECENT);
      try {
        this.#options.onEntry(next);
      } catch (error) {
        this.#options.logger.error({ err: error, n: next.n }, "an entry of the log could not be delivered");
      }
    }
    if (this.#ahead.size === 0) {
      clearTimeout(this.#hole);
      this.#hole = undefined;
    } else if (this.#hole === undefined) {
      this.#hole = setTimeout(() => {
        this.#hole = undefined;
        void this.#repair();
      }, this.#options.reorderMs);
      this.#hole.unref();
    }
  }

  /** Reads what is missing, once for all who wait. Never rejects. */
  #repair(): Promise<void> {
    const run = async (): Promise<void> => {
      const [epoch, n] = this.#position();
      try {
        const entries = await this.#options.log.since([epoch, n]);
        if (this.#state !== "following" || epoch !== this.#epoch) return;
        if (entries === undefined) return this.#lose();
        for (const entry of entries) if (entry.n > this.#n) this.#ahead.set(entry.n, entry);
      } catch (error) {
        this.#options.logger.error({ err: error }, "the log of topics can't be read; it is tried again");
        await this.#pause();
      }
    };
    this.#repairing ??= run().finally(() => {
      this.#repairing = undefined;
      this.#deliver();
    });
    return this.#repairing;
  }

  async #compare(): Promise<void> {
    if (this.#state !== "following") return;
    try {
      const [epoch, head] = await this.#options.log.head();
      if (this.#state !== "following") return;
      if (epoch !== this.#epoch || head < this.#headSeen) return this.#lose();
      // Seen twice: what is on its way is given a round to come.
      const behind = head > this.#n && this.#headSeen === head;
      this.#headSeen = head;
      if (behind) await this.#repair();
    } catch (error) {
      this.#options.logger.warn({ err: error }, "the head of the log of topics can't be read");
    }
  }

  /** It follows, and can't go on. */
  #lose(): void {
    this.#state = "lost";
    this.#ahead.clear();
    this.#recent = [];
    this.#headSeen = 0;
    try {
      this.#options.onGap();
    } finally {
      this.#start();
    }
  }
}
