import type { PresenceView } from "./presence-view.js";
import type { Member, PresenceEntry, PresenceNews, PresenceVersion } from "./protocol.js";

/** What the clients of one topic know. */
interface Told {
  readonly max: number;
  /** Users who have changed since. */
  readonly waiting: Set<string>;
  /** The latest numbers and whom they were about, the oldest first: no more users than the topic has, since a whole state is no longer. */
  readonly changes: { readonly n: number; readonly users: readonly string[] }[];
  /** How many users are in `changes`. */
  kept: number;
  /** The number from which on `changes` is complete; `Infinity` while they are too many to be listed. */
  from: number;
  /** The last number. */
  n: number;
}

/**
 * What the clients of one node are told about who is at a topic: the changes of a while together, by the last state of each user, and
 * numbered, so that one who comes back and says a number is told only what is different since. Above `max` users they are told how many
 * there are; with a tenth fewer than that they are listed again, lest it change with every one who comes and goes.
 */
export class PresenceFeed {
  readonly #epoch: string;
  readonly #view: PresenceView;
  readonly #maxOf: (topic: string) => number;
  readonly #topics = new Map<string, Told>();
  /** One count for all topics, so that a topic which everybody left and somebody joins goes on behind what was told before. */
  #n = 0;

  /** @param epoch whose numbers these are: said by a client of another feed, they mean nothing */
  constructor(epoch: string, view: PresenceView, maxOf: (topic: string) => number) {
    this.#epoch = epoch;
    this.#view = view;
    this.#maxOf = maxOf;
  }

  /** Something has changed for users of a topic, and will be told. */
  changed(topic: string, users: readonly string[]): void {
    let told = this.#topics.get(topic);
    if (!told) {
      const max = this.#maxOf(topic);
      this.#topics.set(topic, (told = { max, waiting: new Set(), changes: [], kept: 0, from: this.#n, n: this.#n }));
    }
    for (const user of users) told.waiting.add(user);
    // At once, and not when it is told: of those who come all together, each would be answered with the whole list.
    if (this.#view.size(topic) > told.max) this.#forgetChanges(told, Number.POSITIVE_INFINITY);
  }

  /** What is to be told now, if anything is. */
  take(topic: string): PresenceNews | undefined {
    const told = this.#topics.get(topic);
    if (!told || told.waiting.size === 0) return undefined;
    const users = [...told.waiting];
    told.waiting.clear();
    told.n = ++this.#n;
    const size = this.#view.size(topic);
    if (size === 0) this.#topics.delete(topic);
    const version = this.#versionOf(told);
    if (told.from === Number.POSITIVE_INFINITY) {
      if (size > told.max * 0.9) return { version, count: size };
      this.#forgetChanges(told, told.n);
      return this.#whole(topic, version);
    }
    told.changes.push({ n: told.n, users });
    told.kept += users.length;
    for (let oldest = told.changes[0]; oldest && told.kept > size; oldest = told.changes[0]) {
      told.changes.shift();
      told.kept -= oldest.users.length;
      told.from = oldest.n;
    }
    return this.#different(topic, version, users);
  }

  /** What one is answered who joins and knows this version, if any. What waits to be told may be in it, and is told to them again. */
  answer(topic: string, known: PresenceVersion | undefined): PresenceNews {
    const told = this.#topics.get(topic);
    if (!told) return { version: [this.#epoch, this.#n], state: [] };
    const version = this.#versionOf(told);
    const size = this.#view.size(topic);
    if (told.from === Number.POSITIVE_INFINITY) return { version, count: size };
    const [epoch, n] = known ?? ["", 0];
    if (epoch !== this.#epoch || n < told.from || n > told.n) return this.#whole(topic, version);
    const users = new Set(told.waiting);
    for (let i = told.changes.length - 1, change; (change = told.changes[i]) && change.n > n; i--)
      for (const user of change.users) users.add(user);
    return users.size > size ? this.#whole(topic, version) : this.#different(topic, version, users);
  }

  /** Forgets everything. */
  clear(): void {
    this.#topics.clear();
  }

  #versionOf({ n }: Told): PresenceVersion {
    return [this.#epoch, n];
  }

  #forgetChanges(told: Told, from: number): void {
    told.changes.length = told.kept = 0;
    told.from = from;
  }

  #whole(topic: string, version: PresenceVersion): PresenceNews {
    return { version, state: this.#view.list(topic).map(entryOf) };
  }

  #different(topic: string, version: PresenceVersion, users: Iterable<string>): PresenceNews {
    const joined: PresenceEntry[] = [];
    const left: string[] = [];
    for (const user of users) {
      const member = this.#view.get(topic, user);
      if (member) joined.push(entryOf(member));
      else left.push(user);
    }
    return { version, ...(joined.length > 0 && { joined }), ...(left.length > 0 && { left }) };
  }
}

function entryOf(member: Member): PresenceEntry {
  return member.info === undefined ? member.user : member;
}
