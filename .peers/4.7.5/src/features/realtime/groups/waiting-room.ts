import type { Awaitable } from "../../../wire/values.js";

/**
 * Where users wait until there are enough of them. Filling up is one atomic step: of all arrivals, on all nodes, exactly one is
 * told that the group is full. Give `Realtime` one that all nodes share when there are several.
 */
export interface WaitingRoom {
  /**
   * A user arrives. Whoever makes it full gets everyone, in order of arrival, and the room is empty again; anybody else gets
   * `undefined`. A user who waits already is counted once and keeps their place: everybody who still waits arrives again at every
   * heartbeat, so a room may forget those who don't.
   */
  arrive(pool: string, user: string, size: number): Awaitable<readonly string[] | undefined>;
  /** A user stops waiting. */
  leave(pool: string, user: string): Awaitable<void>;
}

/** A {@link WaitingRoom} in the memory of one process. */
export class MemoryWaitingRoom implements WaitingRoom {
  readonly #pools = new Map<string, Set<string>>();

  /** A user arrives; the one who makes the group full gets it. */
  arrive(pool: string, user: string, size: number): readonly string[] | undefined {
    const waiting = this.#pools.get(pool) ?? new Set();
    this.#pools.set(pool, waiting.add(user));
    if (waiting.size < size) return undefined;
    const members = [...waiting].slice(0, size);
    for (const member of members) waiting.delete(member);
    if (waiting.size === 0) this.#pools.delete(pool);
    return members;
  }

  /** A user stops waiting. */
  leave(pool: string, user: string): void {
    const waiting = this.#pools.get(pool);
    waiting?.delete(user);
    if (waiting?.size === 0) this.#pools.delete(pool);
  }
}
