import type { Group, WaitForGroupOptions } from "./group.js";

/** One call that waits for a group. */
export interface Waiter {
  readonly options: WaitForGroupOptions;
  readonly resolve: (group: Group) => void;
  readonly reject: (error: unknown) => void;
}

/** A user in a pool, as far as this node has to do with them: however many tabs wait here, the room is asked for one. */
export interface Seat {
  readonly pool: string;
  readonly user: string;
  readonly waiters: Set<Waiter>;
  /** Whether the room has the user, as far as is known here; `stale` if that should be made sure of. */
  inRoom: "yes" | "no" | "stale";
  /** The room is being asked. One thing at a time: a leave that arrives behind the next arrival would undo it. */
  busy: boolean;
  /** This node is about to make a group with this user, or does. Whoever comes meanwhile waits for that group. */
  taken: "held" | "forming" | undefined;
}

/** The seats of one node; there is one while anything is known of a user. */
export class Seats {
  // pool -> user
  readonly #pools = new Map<string, Map<string, Seat>>();

  /** All of them, as they are now. */
  all(): Seat[] {
    return [...this.#pools.values()].flatMap((users) => [...users.values()]);
  }

  /** The seat of a user, if there is one. */
  find(pool: string, user: string): Seat | undefined {
    return this.#pools.get(pool)?.get(user);
  }

  /** The seat of a user, made if there is none. */
  take(pool: string, user: string): Seat {
    const known = this.find(pool, user);
    if (known) return known;
    const seat: Seat = { pool, user, waiters: new Set(), inRoom: "no", busy: false, taken: undefined };
    const users = this.#pools.get(pool) ?? new Map<string, Seat>();
    this.#pools.set(pool, users.set(user, seat));
    return seat;
  }

  /** Forgets a seat, if nothing is to be known of it. */
  release(seat: Seat): void {
    const { pool, user, waiters, inRoom, busy, taken } = seat;
    if (waiters.size > 0 || inRoom !== "no" || busy || taken !== undefined) return;
    const users = this.#pools.get(pool);
    // It may be forgotten already, and another one be there.
    if (users?.get(user) === seat) users.delete(user);
    if (users?.size === 0) this.#pools.delete(pool);
  }
}

/** Tells all who wait on a seat; nobody does any more. */
export function settle({ waiters }: Seat, outcome: (waiter: Waiter) => void): void {
  for (const waiter of waiters) outcome(waiter);
  waiters.clear();
}
