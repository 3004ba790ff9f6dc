import { memberOf, sameInfo, type PresenceTable } from "./presence.js";
import type { Member } from "./protocol.js";

/** Who came to and went from one topic of one node, as one node tells another. */
export interface NodeChange {
  readonly topic: string;
  /** Who is there, and was not or was described otherwise. */
  readonly joined?: readonly Member[];
  /** Who is there no longer. */
  readonly left?: readonly string[];
}

/** What one node says of a user. */
interface Said {
  readonly node: string;
  readonly info: unknown;
}

const NOTHING: readonly Said[] = [];

/**
 * Who is present on all nodes together, as one of them has heard: a user who moves from one node to another never leaves, and those of a
 * node that died leave with it.
 */
export class PresenceView {
  /** Topic to user to what each node says of them, the newest last: that one counts. Never written to once it is there. */
  readonly #topics = new Map<string, Map<string, readonly Said[]>>();

  /** Takes in what a node says. Returns the users of the topic for whom that makes a difference. */
  apply(node: string, { topic, joined = [], left = [] }: NodeChange): string[] {
    const users = this.#topics.get(topic) ?? new Map<string, readonly Said[]>();
    const changed: string[] = [];
    for (const { user, info } of joined) {
      const said = users.get(user) ?? NOTHING;
      if (said.length === 0 || !sameInfo(infoOf(said), info)) changed.push(user);
      users.set(user, [...without(said, node), { node, info }]);
    }
    for (const user of left) {
      const said = users.get(user) ?? NOTHING;
      const rest = without(said, node);
      if (rest.length === said.length) continue;
      if (rest.length === 0) users.delete(user);
      else users.set(user, rest);
      if (rest.length === 0 || !sameInfo(infoOf(said), infoOf(rest))) changed.push(user);
    }
    if (users.size === 0) this.#topics.delete(topic);
    else this.#topics.set(topic, users);
    return changed;
  }

  /** Takes in everything a node has, replacing what it said before. Returns the users for whom that makes a difference, by topic. */
  replace(node: string, table: PresenceTable): [topic: string, users: string[]][] {
    const next = new Map(table);
    const changes: [topic: string, users: string[]][] = [];
    for (const topic of new Set([...this.#topics.keys(), ...next.keys()])) {
      const joined = next.get(topic) ?? [];
      const here = new Set(joined.map(({ user }) => user));
      const left: string[] = [];
      for (const [user, said] of this.#topics.get(topic) ?? [])
        if (!here.has(user) && said.some((each) => each.node === node)) left.push(user);
      const changed = this.apply(node, { topic, joined, left });
      if (changed.length > 0) changes.push([topic, changed]);
    }
    return changes;
  }

  /** A user of a topic, if they are there. */
  get(topic: string, user: string): Member | undefined {
    const said = this.#topics.get(topic)?.get(user);
    return said && memberOf(user, infoOf(said));
  }

  /** How many users a topic has. */
  size(topic: string): number {
    return this.#topics.get(topic)?.size ?? 0;
  }

  /** Everyone at a topic, each user once. */
  list(topic: string): Member[] {
    return [...(this.#topics.get(topic) ?? [])].map(([user, said]) => memberOf(user, infoOf(said)));
  }

  /** Forgets everyone. */
  clear(): void {
    this.#topics.clear();
  }
}

function without(said: readonly Said[], node: string): readonly Said[] {
  return said.filter((each) => each.node !== node);
}

function infoOf(said: readonly Said[]): unknown {
  return said.at(-1)?.info;
}
