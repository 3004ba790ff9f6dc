import type { Awaitable } from "../wire/values.js";

/**
 * A place in a log: the epoch of the log, and how many entries had come by then. One position stands for all topics of a client.
 * A log that was lost and begun anew has another epoch, so a position of the old one is recognised.
 */
export type Position = readonly [epoch: string, n: number];

/** A topic of an entry, and how much of its history is kept. */
export interface TopicHistory {
  /** The topic's name. */
  readonly topic: string;
  /** How many entries of the topic are kept at least, as long as they are not too old. */
  readonly keep: number;
  /** How long an entry is kept at least, in milliseconds. */
  readonly maxAgeMs: number;
}

/** What the members of one variant see of an entry; `variant` is `null` for what every member sees. */
export type Rendition = readonly [variant: string | null, event: string, args: readonly unknown[]];

/** What a push to topics with history is, as the log keeps it: JSON data. */
export interface TopicEntry {
  /** What each variant sees, at most one rendition each. */
  readonly renditions: readonly Rendition[];
  /** Rooms and socket ids that the push leaves out. */
  readonly except: readonly string[];
}

/** An entry with its place in the log. */
export interface LoggedEntry extends TopicEntry {
  /** The epoch of the log. */
  readonly epoch: string;
  /** The number of the entry: the first one of an epoch is 1, and each is one more than the one before. */
  readonly n: number;
  /** The topics it was pushed to. */
  readonly topics: readonly string[];
}

/** What some topics had after a position. */
export interface Missed {
  /** The head of the log when it was read: everything up to it was looked at. */
  readonly head: Position;
  /** The topics whose history doesn't reach back to the position. All of them, if the position is of another epoch or from the future. */
  readonly gaps: readonly string[];
  /** The entries of the other topics after the position, each once, in order. */
  readonly entries: readonly LoggedEntry[];
}

/**
 * The ordered history of all topics that have one: append, and read after a position. One count for the whole log, so a client
 * that is in many topics remembers one position, and a node that follows the log sees a hole. It is the log of one namespace: who is in a
 * topic there has nothing to do with who is in one of that name elsewhere.
 *
 * Implementations answer at once or with a promise; one that rejects makes the push reject. Several nodes share one log.
 * `contract(log)` of `socket-ingress/testing` says what yours has to keep.
 */
export interface TopicLog {
  /** Appends an entry to its topics, under one number. */
  append(topics: readonly TopicHistory[], entry: TopicEntry): Awaitable<LoggedEntry>;
  /** The epoch, and the number of the newest entry; 0 while there is none. */
  head(): Awaitable<Position>;
  /** All entries after a position, in order, for a node that sees a hole; `undefined` if they are not all there any more. */
  since(position: Position): Awaitable<readonly LoggedEntry[] | undefined>;
  /** What topics had after a position, for a member that comes back. */
  after(topics: readonly TopicHistory[], position: Position): Awaitable<Missed>;
  /**
   * The log of a namespace, where what this is made with can keep one for each; the same on all nodes. Without it, a log that is given to the
   * `Realtime` of a second namespace is refused.
   */
  of?(namespace: string): TopicLog;
}
