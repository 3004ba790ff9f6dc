import { randomUUID } from "node:crypto";
import type { Cluster, NodeMessage } from "./cluster.js";
import type { WaitingRoom } from "./waiting-room.js";

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
   * fails, everybody's wait fails with it.
   */
  afterGrouping?: (group: Group) => unknown;
  /** Stop waiting, e.g. the `signal` of an event's context: it aborts when the socket is gone. */
  signal?: AbortSignal;
}

interface Waiter {
  readonly resolve: (group: Group) => void;
  readonly reject: (error: unknown) => void;
}

interface Grouped extends NodeMessage {
  readonly kind: "grouped";
  readonly group: Group;
  readonly failed: boolean;
}

/** Brings users together who wait for each other, on whichever nodes they are. */
export class Grouping {
  readonly #room: WaitingRoom;
  readonly #cluster: Cluster;
  readonly #enroll: (group: Group) => Promise<void>;
  // pool -> user -> who waits for it on this node
  readonly #waiters = new Map<string, Map<string, Set<Waiter>>>();

  /** @param enroll makes the members of a new group its members */
  constructor(room: WaitingRoom, cluster: Cluster, enroll: (group: Group) => Promise<void>) {
    this.#room = room;
    this.#cluster = cluster;
    this.#enroll = enroll;
    cluster.on<Grouped>("grouped", ({ group, failed }) =>
      this.#settle(group, failed ? new Error("afterGrouping failed") : undefined),
    );
  }

  /** How many users wait on this node. */
  get size(): number {
    let size = 0;
    for (const users of this.#waiters.values()) size += users.size;
    return size;
  }

  /** Waits until the user's group is full. @throws whatever `afterGrouping` threw, or the signal's reason */
  wait(user: string, { pool, size, afterGrouping, signal }: WaitForGroupOptions): Promise<Group> {
    return new Promise<Group>((resolve, reject) => {
      signal?.throwIfAborted();
      const stop = (): void => {
        if (this.#remove(pool, user, waiter)) void this.#leave(pool, user).catch(reject);
        reject(signal?.reason);
      };
      const waiter: Waiter = {
        resolve: (group) => {
          signal?.removeEventListener("abort", stop);
          resolve(group);
        },
        reject: (error) => {
          signal?.removeEventListener("abort", stop);
          reject(error);
        },
      };
      signal?.addEventListener("abort", stop, { once: true });
      this.#add(pool, user, waiter);
      this.#arrive(pool, user, size, afterGrouping).catch((error: unknown) => {
        this.#remove(pool, user, waiter);
        waiter.reject(error);
      });
    });
  }

  /** Nobody waits on this node any more. */
  clear(reason: unknown): void {
    for (const [pool, users] of this.#waiters) {
      for (const [user, waiters] of users) {
        void this.#leave(pool, user).catch(() => undefined);
        for (const waiter of waiters) waiter.reject(reason);
      }
    }
    this.#waiters.clear();
  }

  async #arrive(pool: string, user: string, size: number, afterGrouping?: (group: Group) => unknown): Promise<void> {
    const members = await this.#room.arrive(pool, user, size);
    if (!members) {
      // Stopped while the room was asked: nobody here waits for this user any more.
      if (!this.#waiters.get(pool)?.has(user)) await this.#leave(pool, user);
      return;
    }
    const group: Group = Object.freeze({ id: randomUUID(), pool, members: Object.freeze([...members]) });
    try {
      await this.#enroll(group);
      await afterGrouping?.(group);
    } catch (error) {
      this.#settle(group, error);
      await this.#cluster.tell({ kind: "grouped", group, failed: true } satisfies Grouped);
      return;
    }
    this.#settle(group, undefined);
    await this.#cluster.tell({ kind: "grouped", group, failed: false } satisfies Grouped);
  }

  async #leave(pool: string, user: string): Promise<void> {
    await this.#room.leave(pool, user);
  }

  #settle(group: Group, error: unknown): void {
    const users = this.#waiters.get(group.pool);
    for (const user of group.members) {
      const waiters = users?.get(user) ?? [];
      users?.delete(user);
      for (const waiter of waiters) {
        if (error === undefined) waiter.resolve(group);
        else waiter.reject(error);
      }
    }
    if (users?.size === 0) this.#waiters.delete(group.pool);
  }

  #add(pool: string, user: string, waiter: Waiter): void {
    const users = this.#waiters.get(pool) ?? new Map<string, Set<Waiter>>();
    const waiters = users.get(user) ?? new Set();
    this.#waiters.set(pool, users.set(user, waiters.add(waiter)));
  }

  /** Whether it was the last one of its user. */
  #remove(pool: string, user: string, waiter: Waiter): boolean {
    const users = this.#waiters.get(pool);
    const waiters = users?.get(user);
    if (!waiters?.delete(waiter) || waiters.size > 0) return false;
    users?.delete(user);
    if (users?.size === 0) this.#waiters.delete(pool);
    return true;
  }
}
