import type { Member, PresenceChange, PresenceNews, PresenceVersion } from "../features/realtime/protocol.js";
import { isNews } from "./frames.js";
import { keyOf } from "./key-of.js";
import { type ClientLogger, createSubscribers, guarded } from "./subscribers.js";

/** What changed in a topic's presence since the listener was last told. */
export interface PresenceDifference {
  /** Who came, or has new `info`. */
  joined: readonly Member[];
  /** Who went. */
  left: readonly Member[];
  /** How many users are there now. Where they are more than are listed, the list is empty, and so are `joined` and `left`. */
  count: number;
}

/** Told who is in a topic, and what has changed. */
export type PresenceListener = (members: readonly Member[], change: PresenceDifference) => unknown;

/** Who is in which topic, as the server told. */
export interface Presence {
  /** Everyone in the topic; the same array until something changes. */
  get(topic: string): readonly Member[];
  /** How many there are, listed or not. */
  count(topic: string): number;
  /** Subscribes; told at once if anything is known. */
  on(topic: string, fn: PresenceListener): () => void;
  /** A join is on its way. Returns what it can say is known. */
  asked(topic: string): PresenceVersion | undefined;
  /** The join was answered with who is there; with nothing, if the topic keeps no presence, or the join came to nothing. */
  joined(topic: string, news?: unknown): void;
  /** What the server told since. */
  change(change: PresenceChange): void;
  /** The topic was left or lost: nobody is known to be there. */
  forget(topic: string): void;
  /** Forgets everything and everyone. */
  close(): void;
}

interface Known {
  readonly members: ReadonlyMap<string, Member>;
  readonly list: readonly Member[];
  readonly count: number;
  readonly version: PresenceVersion;
}

const nobody: readonly Member[] = Object.freeze([]);
const nothing: Known = { version: ["", 0], members: new Map(), list: nobody, count: 0 };

/** Makes an empty record of presence. */
export function createPresence(logger: ClientLogger): Presence {
  const known = new Map<string, Known>();
  /**
   * What came while a join was on its way. It may be news: the frame behind the answer can be heard before the promise of the answer
   * settles.
   */
  const early = new Map<string, PresenceNews[]>();
  const label = (topic: string): string => `a listener of the presence of "${topic}"`;
  const listeners = createSubscribers<Parameters<PresenceListener>>(logger, label);

  /** What is known changes to this, which is told if it makes a difference. */
  const become = (topic: string, before: Known | undefined, now: Known): void => {
    const { list, count, members } = now;
    const old = before ?? nothing;
    const joined = list.filter((member) => {
      const was = old.members.get(member.user);
      return was !== member && (!was || keyOf(was.info) !== keyOf(member.info));
    });
    // Those who are too many to be listed have not gone.
    const left = count > list.length ? [] : old.list.filter(({ user }) => !members.has(user));
    const differs = before?.count !== count || joined.length + left.length > 0;
    if (now !== nothing) known.set(topic, differs ? now : { ...old, version: now.version });
    if (differs) listeners.tell(topic, list, { joined, left, count });
  };

  return {
    get: (topic) => (known.get(topic) ?? nothing).list,
    count: (topic) => (known.get(topic) ?? nothing).count,
    on(topic, fn) {
      const off = listeners.add(topic, fn);
      const now = known.get(topic);
      // Told alone: the others know.
      if (now) guarded(logger, label(topic), fn, now.list, { joined: now.list, left: nobody, count: now.count });
      return off;
    },
    asked(topic) {
      early.set(topic, []);
      return known.get(topic)?.version;
    },
    joined(topic, news) {
      const changes = early.get(topic) ?? [];
      early.delete(topic);
      if (news === undefined) return;
      if (!isNews(news)) return logger.warn(`socket-ingress: the server sent a malformed presence of "${topic}"`, news);
      // What is different from what was forgotten meanwhile says nothing.
      const before = known.get(topic);
      if (!before && !news.state && news.count === undefined) return;
      const later = changes.filter(({ version }) => version[1] > news.version[1]);
      become(topic, before, [news, ...later].reduce(apply, before ?? nothing));
    },
    change({ topic, ...news }) {
      early.get(topic)?.push(news);
      // Of a topic that is not joined, or that is still being joined: then it waits for the answer.
      const before = known.get(topic);
      if (before) become(topic, before, apply(before, news));
    },
    forget(topic) {
      const before = known.get(topic);
      if (known.delete(topic)) become(topic, before, nothing);
    },
    close() {
      listeners.close();
      known.clear();
      early.clear();
    },
  };
}

function apply(before: Known, { version, state, count, joined = [], left = [] }: PresenceNews): Known {
  if (count !== undefined) return { ...nothing, version, count };
  const members = new Map(state ? [] : before.members);
  for (const user of left) members.delete(user);
  for (const entry of [...(state ?? []), ...joined]) {
    const member = typeof entry === "string" ? { user: entry } : entry;
    members.set(member.user, member);
  }
  return { version, members, list: Object.freeze([...members.values()]), count: members.size };
}
