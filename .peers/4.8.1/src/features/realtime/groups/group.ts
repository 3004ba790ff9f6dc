/** A group that came together. */
export interface Group {
  /** Its id, for the audience `group(id)`. */
  readonly id: string;
  /** Where its members waited. */
  readonly pool: string;
  /** Its members, in the order in which they arrived. */
  readonly members: readonly string[];
}

/** How a group is waited for. */
export interface WaitForGroupOptions {
  /** Where to wait: users who wait in one pool meet each other. */
  pool: string;
  /** How many make a group. Everybody who waits in a pool says the same. */
  size: number;
  /**
   * Runs once for each group, on the node where it became full, when its members are in it and before anybody stops waiting. If it
   * fails, everybody's wait fails with it. Whoever stops waiting while it runs is a member all the same.
   */
  afterGrouping?: (group: Group) => unknown;
  /** Stop waiting, e.g. the `signal` of an event's context: it aborts when the socket is gone. */
  signal?: AbortSignal;
}
