import { areAll, isText, isVersion } from "./shapes.js";

/** Where in the log of its topics a client is. */
export type Position = readonly [epoch: string, n: number];

/** The longest epoch of a log, in characters. */
export const EPOCH_MAX = 64;

/** How many pushes are remembered while a topic waits to come back. */
const SEEN_MAX = 10_000;

/** No log has this epoch: whoever says it is told that it has missed something. */
const TOO_OLD: Position = ["", 0];

/** What the frames of positions mean to the rest of whoever reads them. */
export interface PositionEvents {
  /** A push arrived. */
  onPush(event: string, args: unknown[]): void;
  /** Pushes to these topics were missed, and are not to be had any more. */
  onGaps(topics: string[]): void;
}

/** Where a client is in the log, one position for all of its topics, and where each topic was lost that waits to come back. */
export interface Positions {
  /** What a join says: how far this topic is known, or that it is new. */
  of(topic: string): true | Position;
  /** Whether the topic has a history and is where the client is. */
  follows(topic: string): boolean;
  /** The topic is out until it is joined again; what is pushed since `at` is to be had then. */
  lose(topic: string, at?: Position): void;
  /** The topic is left: joined again, it is new. */
  forget(topic: string): void;
  /** A push, or a position; returns whether it could be read. */
  onFrame(first: unknown, ...rest: unknown[]): boolean;
}

const isNames = areAll(isText) as (value: unknown) => value is string[];

/** Makes the positions of one client, which follows nothing. */
export function createPositions({ onPush, onGaps }: PositionEvents): Positions {
  let at: Position | undefined;
  /** Topics with a history. One that is `following` is where the client is; the others wait to come back, from where they were lost. */
  const places = new Map<string, Position | "following">();
  /**
   * The pushes that came while a topic waits to come back, by their number: it may be told again of what another topic, or a replay that
   * was cut off, has brought already.
   */
  const seen = new Set<number>();
  let waiting = false;
  /** Socket.IO puts one more argument behind all of ours, on servers that recover connections. */
  let offsets = false;

  const settle = (): void => {
    waiting = [...places.values()].some((where) => where !== "following");
    if (!waiting) seen.clear();
  };
  const place = (topic: string, where: Position | "following"): void => {
    places.set(topic, where);
    settle();
  };
  const isNew = (n: number): boolean => {
    if (!waiting) return true;
    if (seen.has(n)) return false;
    if (seen.size < SEEN_MAX) seen.add(n);
    else for (const [topic, where] of places) if (where !== "following") places.set(topic, TOO_OLD);
    return true;
  };
  const readPush = (n: number, event: unknown, ...args: unknown[]): boolean => {
    if (!isText(event)) return false;
    if (!isNew(n)) return true;
    if (at && n > at[1]) at = [at[0], n];
    onPush(event as string, offsets ? args.slice(0, -1) : args);
    return true;
  };
  const readPosition = ([epoch, n]: Position, topics: unknown, gaps: unknown, ...more: unknown[]): boolean => {
    if (!isNames(topics) || !isNames(gaps)) return false;
    offsets = more.length > 0;
    // A log that was restored may be behind what was known, which only those who are in can know better.
    const knows = at?.[0] === epoch && [...places.values()].includes("following");
    if (!knows || n > (at?.[1] ?? 0)) {
      if (at?.[0] !== epoch || n < at[1]) seen.clear();
      at = [epoch, n];
    }
    for (const topic of topics) place(topic, "following");
    onGaps(gaps);
    return true;
  };

  return {
    of(topic) {
      const where = places.get(topic);
      return (where === "following" ? at : where) ?? true;
    },
    follows: (topic) => places.get(topic) === "following",
    lose(topic, lostAt = at) {
      if (lostAt && places.get(topic) === "following") place(topic, lostAt);
    },
    forget(topic) {
      places.delete(topic);
      settle();
    },
    onFrame: (first, ...rest) =>
      typeof first === "number"
        ? readPush(first, ...(rest as [unknown]))
        : isVersion(first) && readPosition(first, ...(rest as [unknown, unknown])),
  };
}
