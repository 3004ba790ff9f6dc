import type { Member, PresenceChange } from "./protocol.js";

/** Who is present where on one node, as one node tells another: topic to user to info. */
export type PresenceTable = readonly (readonly [topic: string, members: readonly Member[]])[];

interface Local {
  readonly sockets: Set<string>;
  info: unknown;
  /** Runs while the last socket is gone and may still come back. */
  timer?: NodeJS.Timeout;
}

/**
 * Who is present at the topics of one node, by user: the first socket brings a user in, and when the last one is gone for
 * `graceMs` they have left. A reload within that time is nobody's business.
 */
export class LocalPresence {
  readonly #topics = new Map<string, Map<string, Local>>();
  readonly #graceMs: number;
  readonly #changed: (change: PresenceChange) => void;

  /** @param changed told of each user who came or went, once */
  constructor(graceMs: number, changed: (change: PresenceChange) => void) {
    this.#graceMs = graceMs;
    this.#changed = changed;
  }

  /** A socket of a user came to a topic. */
  enter(topic: string, user: string, socketId: string, info: unknown): void {
    let users = this.#topics.get(topic);
    if (!users) this.#topics.set(topic, (users = new Map()));
    const known = users.get(user);
    if (!known) {
      users.set(user, { sockets: new Set([socketId]), info });
      this.#changed({ topic, joined: [member(user, info)] });
      return;
    }
    clearTimeout(known.timer);
    delete known.timer;
    known.sockets.add(socketId);
    if (same(known.info, info)) return;
    known.info = info;
    this.#changed({ topic, joined: [member(user, info)] });
  }

  /** A socket of a user went. With `now`, the user is not waited for. */
  exit(topic: string, user: string, socketId: string, now = false): void {
    const known = this.#topics.get(topic)?.get(user);
    if (!known?.sockets.delete(socketId) || known.sockets.size > 0) return;
    if (now || this.#graceMs <= 0) return this.#remove(topic, user, known);
    known.timer = setTimeout(() => this.#remove(topic, user, known), this.#graceMs);
    known.timer.unref();
  }

  /** Everyone, as told to another node. */
  table(): PresenceTable {
    return [...this.#topics].map(
      ([topic, users]) => [topic, [...users].map(([user, { info }]) => member(user, info))] as const,
    );
  }

  /** Forgets everyone and stops every timer, telling nobody. */
  clear(): void {
    for (const users of this.#topics.values()) for (const { timer } of users.values()) clearTimeout(timer);
    this.#topics.clear();
  }

  #remove(topic: string, user: string, known: Local): void {
    clearTimeout(known.timer);
    const users = this.#topics.get(topic);
    if (users?.get(user) !== known) return;
    users.delete(user);
    if (users.size === 0) this.#topics.delete(topic);
    this.#changed({ topic, left: [member(user, known.info)] });
  }
}

/**
 * Who is present on all nodes together. Each node keeps one, and tells its own sockets what changed in it: a user who moves from
 * one node to another never leaves, and everybody on a node that died leaves with it.
 */
export class PresenceView {
  // topic -> user -> node -> info
  readonly #topics = new Map<string, Map<string, Map<string, unknown>>>();

  /** Takes in what a node says. Returns what that changes for those who watch the topic, if anything. */
  apply(node: string, { topic, joined = [], left = [] }: PresenceChange): PresenceChange | undefined {
    const users = this.#topics.get(topic) ?? new Map<string, Map<string, unknown>>();
    const came: Member[] = [];
    const went: Member[] = [];
    for (const { user, info } of joined) {
      let nodes = users.get(user);
      const fresh = !nodes;
      if (!nodes) users.set(user, (nodes = new Map()));
      if (fresh || !same(infoOf(nodes), info)) came.push(member(user, info));
      // Last in, last in order: the newest info is the one that counts.
      nodes.delete(node);
      nodes.set(node, info);
    }
    for (const { user } of left) {
      const nodes = users.get(user);
      if (!nodes?.has(node)) continue;
      const before = infoOf(nodes);
      nodes.delete(node);
      if (nodes.size > 0) {
        if (!same(before, infoOf(nodes))) came.push(member(user, infoOf(nodes)));
        continue;
      }
      users.delete(user);
      went.push(member(user, before));
    }
    if (users.size === 0) this.#topics.delete(topic);
    else this.#topics.set(topic, users);
    if (came.length === 0 && went.length === 0) return undefined;
    return { topic, ...(came.length > 0 && { joined: came }), ...(went.length > 0 && { left: went }) };
  }

  /** Takes in everything a node has, replacing what it said before. */
  replace(node: string, table: PresenceTable): PresenceChange[] {
    const next = new Map(table);
    const changes: PresenceChange[] = [];
    for (const topic of new Set([...this.#topics.keys(), ...next.keys()])) {
      const joined = next.get(topic) ?? [];
      const here = new Set(joined.map(({ user }) => user));
      const left: Member[] = [];
      for (const [user, nodes] of this.#topics.get(topic) ?? [])
        if (nodes.has(node) && !here.has(user)) left.push({ user });
      const change = this.apply(node, { topic, joined: [...joined], left });
      if (change) changes.push(change);
    }
    return changes;
  }

  /** Everyone at a topic, each user once. */
  list(topic: string): Member[] {
    return [...(this.#topics.get(topic) ?? [])].map(([user, nodes]) => member(user, infoOf(nodes)));
  }

  /** Forgets everyone. */
  clear(): void {
    this.#topics.clear();
  }
}

function member(user: string, info: unknown): Member {
  return info === undefined ? { user } : { user, info };
}

function infoOf(nodes: ReadonlyMap<string, unknown>): unknown {
  let info: unknown;
  for (const each of nodes.values()) info = each;
  return info;
}

/** Equal as far as a client could tell. What can't be encoded counts as changed, and is refused where it is sent. */
function same(one: unknown, other: unknown): boolean {
  if (Object.is(one, other)) return true;
  try {
    return JSON.stringify(one) === JSON.stringify(other);
  } catch {
    return false;
  }
}
