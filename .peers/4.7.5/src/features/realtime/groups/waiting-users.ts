import type { Group, WaitForGroupOptions } from "./group.js";

/** One call that waits for a group. */
export interface Waiter {
  readonly options: WaitForGroupOptions;
  readonly resolve: (group: Group) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * A user in a pool, as far as this node has to do with them: however many tabs wait here, the waiting room is asked for one.
 *
 * Three things are known of them, each of which changes without the others:
 *
 * | `room`, what the waiting room has | |
 * | --- | --- |
 * | `out` | not the user, as far as is known here |
 * | `in` | the user |
 * | `unsure` | perhaps the user: a heartbeat passed since it was asked, and it may have forgotten them |
 *
 * | `group`, what this node makes of them | |
 * | --- | --- |
 * | `none` | nothing: the room is told who waits |
 * | `held` | the room gave them away to this node, which asks the others who of them still waits |
 * | `forming` | their group is being made; whoever comes meanwhile waits for that group |
 *
 * `asking` says that the room is being asked. One thing at a time: a leave that arrives behind the next arrival would undo it. An
 * answer that comes while they are `held` or `forming` still says what the room has.
 */
export interface WaitingUser {
  readonly pool: string;
  readonly user: string;
  readonly waiters: Set<Waiter>;
  room: "out" | "in" | "unsure";
  group: "none" | "held" | "forming";
  asking: boolean;
}

/** The waiting users of one node; each is there while anything is to be known of them. */
export class WaitingUsers {
  // pool -> user
  readonly #pools = new Map<string, Map<string, WaitingUser>>();

  /** All of them, as they are now. */
  all(): WaitingUser[] {
    return [...this.#pools.values()].flatMap((users) => [...users.values()]);
  }

  /** A user, if there is anything known of them. */
  find(pool: string, user: string): WaitingUser | undefined {
    return this.#pools.get(pool)?.get(user);
  }

  /** A user, known from now on. */
  take(pool: string, user: string): WaitingUser {
    const known = this.find(pool, user);
    if (known) return known;
    const entry: WaitingUser = { pool, user, waiters: new Set(), room: "out", group: "none", asking: false };
    const users = this.#pools.get(pool) ?? new Map<string, WaitingUser>();
    this.#pools.set(pool, users.set(user, entry));
    return entry;
  }

  /** Forgets a user, if nothing is to be known of them. */
  release(entry: WaitingUser): void {
    const { pool, user, waiters, room, group, asking } = entry;
    if (waiters.size > 0 || room !== "out" || group !== "none" || asking) return;
    const users = this.#pools.get(pool);
    // They may be forgotten already, and known anew.
    if (users?.get(user) === entry) users.delete(user);
    if (users?.size === 0) this.#pools.delete(pool);
  }
}

/** Tells all who wait for a user's group; nobody does any more. */
export function settle({ waiters }: WaitingUser, outcome: (waiter: Waiter) => void): void {
  for (const waiter of waiters) outcome(waiter);
  waiters.clear();
}
