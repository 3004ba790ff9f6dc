import type { Member } from "./protocol.js";

/** Who is present where on one node, as one node tells another: topic to members. */
export type PresenceTable = readonly (readonly [topic: string, members: readonly Member[]])[];

interface Local {
  sockets: readonly string[];
  info: unknown;
  /** Runs while the last socket is gone and may still come back. */
  timer?: NodeJS.Timeout;
}

/**
 * Who is present at the topics of one node, by user: the first socket brings a user in, and when the last one is lost they have left
 * once it was gone for `graceMs`. A reload within that time is nobody's business.
 */
export class LocalPresence {
  readonly #topics = new Map<string, Map<string, Local>>();
  readonly #graceMs: number;
  readonly #changed: (topic: string, user: string) => void;

  /** @param changed told of each user who came, went or is described anew, once */
  constructor(graceMs: number, changed: (topic: string, user: string) => void) {
    this.#graceMs = graceMs;
    this.#changed = changed;
  }

  /** A socket of a user came to a topic. */
  enter(topic: string, user: string, socketId: string, info: unknown): void {
    let users = this.#topics.get(topic);
    if (!users) this.#topics.set(topic, (users = new Map()));
    const known = users.get(user);
    if (!known) {
      users.set(user, { sockets: [socketId], info });
      return this.#changed(topic, user);
    }
    clearTimeout(known.timer);
    delete known.timer;
    if (!known.sockets.includes(socketId)) known.sockets = [...known.sockets, socketId];
    if (sameInfo(known.info, info)) return;
    known.info = info;
    this.#changed(topic, user);
  }

  /** A socket of a user went. With `now`, the user is not waited for. */
  exit(topic: string, user: string, socketId: string, now = false): void {
    const known = this.#topics.get(topic)?.get(user);
    if (!known?.sockets.includes(socketId)) return;
    known.sockets = known.sockets.filter((id) => id !== socketId);
    if (known.sockets.length > 0) return;
    if (now || this.#graceMs <= 0) return this.#remove(topic, user, known);
    known.timer = setTimeout(() => this.#remove(topic, user, known), this.#graceMs);
    known.timer.unref();
  }

  /** A user of a topic, if they are here. */
  get(topic: string, user: string): Member | undefined {
    const known = this.#topics.get(topic)?.get(user);
    return known && memberOf(user, known.info);
  }

  /** Everyone, as told to another node. */
  table(): PresenceTable {
    return [...this.#topics].map(
      ([topic, users]) => [topic, [...users].map(([user, { info }]) => memberOf(user, info))] as const,
    );
  }

  /** Forgets everyone and stops every timer, telling nobody. */
  clear(): void {
    for (const users of this.#topics.values()) for (const { timer } of users.values()) clearTimeout(timer);
    this.#topics.clear();
  }

  #remove(topic: string, user: string, known: Local): void {
    clearTimeout(known.timer);
    // Whoever comes again, or forgets everyone, ends the timer: it is known still.
    const users = this.#topics.get(topic) as Map<string, Local>;
    users.delete(user);
    if (users.size === 0) this.#topics.delete(topic);
    this.#changed(topic, user);
  }
}

/** A user, and what is said about them if anything is. */
export function memberOf(user: string, info: unknown): Member {
  return info === undefined ? { user } : { user, info };
}

/** Equal as far as a client could tell. What can't be encoded counts as changed, and is refused where it is sent. */
export function sameInfo(one: unknown, other: unknown): boolean {
  if (Object.is(one, other)) return true;
  try {
    return JSON.stringify(one) === JSON.stringify(other);
  } catch {
    return false;
  }
}
