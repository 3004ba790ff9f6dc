import { count, duration, oneOf, type Option, type Options, period, readOptions } from "../../events/option-table.js";

// Declarations are made file by file (isolatedDeclarations), so that each line of a table says its type by an `as`.
// oxlint-disable typescript/no-unnecessary-type-assertion

/** How many connections there may be, and how long one that says nothing: see {@link Limits.connections}. */
export interface ConnectionOptions {
  /** How many connections there may be in all, on all nodes together. @default Infinity */
  max?: number;
  /** How many of one user, on all nodes together. Needs a realtime door, which knows whose a socket is. @default Infinity */
  perUser?: number;
  /** How many from one address (IPv6: one /64), on all nodes together. @default Infinity */
  perIp?: number;
  /**
   * Who goes without when a user has as many as they may: the new connection is refused, or the oldest ends, whose client is told
   * `CONFLICT`, reason `"replaced"`, and stays away.
   *
   * @default "refuse"
   */
  whenUserIsFull?: "refuse" | "closeOldest";
  /**
   * After how many milliseconds without an event from its client a connection ends. Heartbeats are no events, nor are acknowledgements; nor
   * what only listeners of the application's own (`socket.on`) hear. Its client is told `TIMEOUT`, reason `"idle"`, and stays away.
   *
   * @default Infinity
   */
  idleMs?: number;
  /**
   * How long a transport may be in no namespace, from its opening on and after it has left, in milliseconds; then it is closed. Socket.IO
   * itself waits 45 s (`connectTimeout`), once.
   *
   * @default Infinity
   */
  joinWithinMs?: number;
  /** How often nodes tell each other that they live, in milliseconds; the seats of one not heard three times are free. @default 2_000 */
  heartbeatMs?: number;
}

const table = {
  max: count(Infinity, 1) as Option<number>,
  perUser: count(Infinity, 1) as Option<number>,
  perIp: count(Infinity, 1) as Option<number>,
  whenUserIsFull: oneOf("refuse", "closeOldest") as Option<"refuse" | "closeOldest">,
  idleMs: duration(Infinity) as Option<number>,
  joinWithinMs: duration(Infinity) as Option<number>,
  heartbeatMs: period(2_000) as Option<number>,
};

/** {@link ConnectionOptions}, read. */
export type CheckedConnections = Options<typeof table>;

/**
 * Reads the limits of connections.
 *
 * @throws TypeError naming the option, what was expected and what was given
 */
export function readConnections(options: ConnectionOptions, hasUsers: boolean): CheckedConnections {
  const read = readOptions("limits.connections", table, options);
  if (read.perUser !== Infinity && !hasUsers)
    throw new TypeError("limits.connections: perUser needs to know whose a socket is: give the Limits a realtime");
  return read;
}

/** Whether anything of them counts connections. */
export function countsSeats({ max, perUser, perIp }: CheckedConnections): boolean {
  return Math.min(max, perUser, perIp) < Infinity;
}
