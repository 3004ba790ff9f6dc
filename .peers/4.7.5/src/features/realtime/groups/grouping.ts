import { randomUUID } from "node:crypto";
import type { Logger } from "../../../lifecycle/logger.js";
import { MISSED_BEATS, type Cluster, type NodeMessage } from "../../../push/cluster.js";
import type { Group, WaitForGroupOptions } from "./group.js";
import { settle, type Waiter, type WaitingUser, WaitingUsers } from "./waiting-users.js";
import type { WaitingRoom } from "./waiting-room.js";

interface Grouped extends NodeMessage {
  readonly kind: "grouped";
  readonly group: Group;
  readonly failed: boolean;
}

interface Roll extends NodeMessage {
  readonly kind: "roll";
  readonly node: string;
  readonly pool: string;
  readonly users: readonly string[];
}

interface Called {
  readonly waiting: readonly string[];
  readonly forming: readonly string[];
}

/** How many groups a node remembers to have heard of: another node tells of one again only within a few heartbeats. */
const HEARD_MAX = 1_000;

/**
 * Brings users together who wait for each other, on whichever nodes they are. The waiting room says who is next; it may say so of
 * users whose node died, or whose other tab is in a group that is being made. So before a group is made, all nodes are asked who still
 * waits for one; if not everybody does, the others go back into the room.
 */
export class Grouping {
  readonly #node = randomUUID();
  readonly #room: WaitingRoom;
  readonly #cluster: Cluster;
  readonly #log: Logger;
  readonly #enroll: (group: Group) => Promise<void>;
  readonly #users = new WaitingUsers();
  /** What a node has not confirmed to have heard, and how often it is still told. */
  readonly #untold = new Map<Grouped, number>();
  readonly #heard = new Set<string>();

  /** @param enroll makes the members of a new group its members */
  constructor(room: WaitingRoom, cluster: Cluster, log: Logger, enroll: (group: Group) => Promise<void>) {
    this.#room = room;
    this.#cluster = cluster;
    this.#log = log;
    this.#enroll = enroll;
    cluster.on<Roll>("roll", (roll) => this.#call(roll));
    cluster.on<Grouped>("grouped", (grouped) => this.#hear(grouped));
  }

  /** How many users wait on this node. */
  get size(): number {
    return this.#users.all().filter(({ waiters }) => waiters.size > 0).length;
  }

  /** Waits until the user's group is full. @throws whatever `afterGrouping` threw, or the signal's reason */
  wait(user: string, options: WaitForGroupOptions): Promise<Group> {
    return new Promise<Group>((resolve, reject) => {
      const { pool, signal } = options;
      signal?.throwIfAborted();
      const entry = this.#users.take(pool, user);
      const stop = (): void => {
        entry.waiters.delete(waiter);
        reject(signal?.reason);
        void this.#update(entry);
      };
      const waiter: Waiter = {
        options,
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
      entry.waiters.add(waiter);
      void this.#update(entry);
    });
  }

  /**
   * Tells again what a node has not confirmed to have heard, and has everybody who waits here enter the room again, which counts nobody
   * twice: they may be in it no longer, if a node died with the group it was making, if one took them for gone while it could not hear
   * this one, or if they stopped waiting there. Called at every heartbeat.
   */
  beat(): void {
    for (const grouped of this.#untold.keys()) void this.#tell(grouped);
    for (const entry of this.#users.all()) {
      if (entry.room === "in") entry.room = "unsure";
      void this.#update(entry);
    }
  }

  /** Nobody waits on this node any more. */
  clear(reason: unknown): void {
    this.#untold.clear();
    for (const entry of this.#users.all()) {
      settle(entry, (waiter) => waiter.reject(reason));
      void this.#update(entry);
    }
  }

  /** Has the room know what is so: whoever waits is in it, whoever does not is out. */
  async #update(entry: WaitingUser): Promise<void> {
    if (entry.asking) return;
    entry.asking = true;
    try {
      while (entry.group === "none" && entry.room !== (entry.waiters.size > 0 ? "in" : "out")) await this.#step(entry);
    } catch (error) {
      this.#log.warn({ err: error, pool: entry.pool }, "the waiting room failed");
      // Who was in it may be so still; the next heartbeat asks again.
      if (entry.room === "unsure" && entry.waiters.size > 0) entry.room = "in";
      else {
        entry.room = "out";
        settle(entry, (waiter) => waiter.reject(error));
      }
    }
    entry.asking = false;
    this.#users.release(entry);
  }

  async #step(entry: WaitingUser): Promise<void> {
    const { pool, user } = entry;
    const [waiter] = entry.waiters;
    if (waiter === undefined) {
      await this.#room.leave(pool, user);
      entry.room = "out";
      return;
    }
    const members = await this.#room.arrive(pool, user, waiter.options.size);
    entry.room = "in";
    if (members) void this.#full(pool, members, waiter.options);
  }

  /** The room gave these away, so they are this node's to take care of. Never rejects. */
  async #full(pool: string, members: readonly string[], options: WaitForGroupOptions): Promise<void> {
    // Who is taken already came in by another node meanwhile, and hears of that group.
    const users = members.map((user) => this.#users.take(pool, user)).filter(({ group }) => group === "none");
    for (const entry of users) Object.assign(entry, { group: "held", room: "out" });
    const present = await this.#present(pool, users);
    if (present.size === members.length) return this.#form(pool, members, users, options);
    for (const entry of users) {
      entry.group = "none";
      try {
        await this.#putBack(entry, present.has(entry), options);
      } catch (error) {
        this.#log.error({ err: error, pool, user: entry.user }, "a user could not be put back into the waiting room");
      }
      this.#users.release(entry);
    }
  }

  async #putBack(entry: WaitingUser, present: boolean, options: WaitForGroupOptions): Promise<void> {
    // In a group that another node makes: it will tell.
    if (!present) entry.room = entry.waiters.size > 0 ? "in" : "out";
    else if (entry.waiters.size > 0) await this.#update(entry);
    else {
      // Who waits on another node is not known there to have left the room.
      const members = await this.#room.arrive(entry.pool, entry.user, options.size);
      if (members) void this.#full(entry.pool, members, options);
    }
  }

  /** Which of them are waited for, on any node, and in no group that is being made. If a node is silent, it may be waiting for any. */
  async #present(pool: string, users: readonly WaitingUser[]): Promise<ReadonlySet<WaitingUser>> {
    const roll: Roll = { kind: "roll", node: this.#node, pool, users: users.map(({ user }) => user) };
    const { answers, complete } = await this.#cluster.ask<Called>(roll);
    const all = [this.#call(roll), ...answers];
    const forming = new Set(all.flatMap((called) => called.forming));
    const waiting = new Set(all.flatMap((called) => called.waiting));
    return new Set(users.filter(({ user }) => !forming.has(user) && (!complete || waiting.has(user))));
  }

  #call({ node, pool, users }: Roll): Called {
    const entries = users.map((user) => this.#users.find(pool, user)).filter((entry) => entry !== undefined);
    const names = (which: (entry: WaitingUser) => boolean): string[] => entries.filter(which).map(({ user }) => user);
    return {
      waiting: names(({ waiters }) => waiters.size > 0),
      // Of two nodes that hold the same user, exactly one lets go.
      forming: names(({ group }) => group === "forming" || (group === "held" && this.#node < node)),
    };
  }

  async #form(
    pool: string,
    members: readonly string[],
    users: readonly WaitingUser[],
    { afterGrouping }: WaitForGroupOptions,
  ): Promise<void> {
    for (const entry of users) entry.group = "forming";
    const group: Group = Object.freeze({ id: randomUUID(), pool, members: Object.freeze([...members]) });
    let outcome = (waiter: Waiter): void => waiter.resolve(group);
    let failed = false;
    try {
      await this.#enroll(group);
      await afterGrouping?.(group);
    } catch (error) {
      failed = true;
      outcome = (waiter) => waiter.reject(error);
    }
    for (const entry of users) {
      entry.group = "none";
      settle(entry, outcome);
      this.#users.release(entry);
    }
    const grouped: Grouped = { kind: "grouped", group, failed };
    this.#untold.set(grouped, MISSED_BEATS);
    await this.#tell(grouped);
  }

  async #tell(grouped: Grouped): Promise<void> {
    const { complete } = await this.#cluster.ask(grouped);
    const left = this.#untold.get(grouped) ?? 0;
    if (complete || left === 0) this.#untold.delete(grouped);
    else this.#untold.set(grouped, left - 1);
  }

  #hear({ group, failed }: Grouped): boolean {
    // Told again: by now its members may wait for another one.
    if (this.#heard.has(group.id)) return true;
    this.#heard.add(group.id);
    for (const oldest of this.#heard) {
      if (this.#heard.size <= HEARD_MAX) break;
      this.#heard.delete(oldest);
    }
    for (const user of group.members) {
      const entry = this.#users.find(group.pool, user);
      if (!entry) continue;
      entry.room = "out";
      settle(entry, (waiter) => (failed ? waiter.reject(new Error("afterGrouping failed")) : waiter.resolve(group)));
      this.#users.release(entry);
    }
    return true;
  }
}
