import type { Member, PresenceChange } from "../features/realtime/protocol.js";
import { areMembers } from "./frames.js";
import { keyOf } from "./key-of.js";
import { type ClientLogger, createSubscribers, guarded } from "./subscribers.js";

/** What changed in a topic's presence since the listener was last told. */
export interface PresenceDifference {
  /** Who came, or has new `info`. */
  joined: readonly Member[];
  /** Who went. */
  left: readonly Member[];
}

/** Told who is in a topic, and what has changed. */
export type PresenceListener = (members: readonly Member[], change: PresenceDifference) => unknown;

/** Who is in which topic, as the server told. */
export interface Presence {
  /** Everyone in the topic; the same array until something changes. */
  get(topic: string): readonly Member[];
  /** Subscribes; told at once if anything is known. */
  on(topic: string, fn: PresenceListener): () => void;
  /** A join is on its way. */
  asked(topic: string): void;
  /** It came to nothing. */
  unasked(topic: string): void;
  /** A join was answered with everyone who is there; with nobody, if the topic keeps no presence. */
  joined(topic: string, members: unknown): void;
  /** What the server told since. */
  change(change: PresenceChange): void;
  /** The topic was left or lost: nobody is known to be there. */
  forget(topic: string): void;
  /** Forgets everything and everyone. */
  close(): void;
}

const nobody: readonly Member[] = Object.freeze([]);

/** Makes an empty record of presence. */
export function createPresence(logger: ClientLogger): Presence {
  const known = new Map<string, ReadonlyMap<string, Member>>();
  const lists = new Map<string, readonly Member[]>();
  /**
   * What came while a join was on its way. It may be news: the frame behind the answer can be heard before the promise of the answer
   * settles. What the answer knew already does no harm a second time, as the last word on each user is the same.
   */
  const early = new Map<string, PresenceChange[]>();
  const label = (topic: string): string => `a listener of the presence of "${topic}"`;
  const listeners = createSubscribers<Parameters<PresenceListener>>(logger, label);

  const replace = (topic: string, next: ReadonlyMap<string, Member> | undefined): void => {
    const before = known.get(topic);
    const joined = [...(next?.values() ?? [])].filter((member) => !sameMember(before?.get(member.user), member));
    const left = [...(before?.values() ?? [])].filter((member) => !next?.has(member.user));
    const list = next === undefined ? nobody : Object.freeze([...next.values()]);
    if (next === undefined) {
      known.delete(topic);
      lists.delete(topic);
    } else {
      known.set(topic, next);
      lists.set(topic, list);
    }
    if (before === undefined || joined.length > 0 || left.length > 0) listeners.tell(topic, list, { joined, left });
  };
  const apply = (members: Map<string, Member>, { state, joined = [], left = [] }: PresenceChange): void => {
    if (state !== undefined) members.clear();
    for (const { user } of left) members.delete(user);
    for (const member of [...(state ?? []), ...joined]) members.set(member.user, member);
  };

  return {
    get: (topic) => lists.get(topic) ?? nobody,
    on(topic, fn) {
      const off = listeners.add(topic, fn);
      const list = lists.get(topic);
      // Told alone: the others know.
      if (list !== undefined) guarded(logger, label(topic), fn, list, { joined: list, left: nobody });
      return off;
    },
    asked: (topic) => void early.set(topic, []),
    unasked: (topic) => void early.delete(topic),
    joined(topic, members) {
      const changes = early.get(topic) ?? [];
      early.delete(topic);
      if (areMembers(members)) {
        const next = new Map<string, Member>();
        for (const change of [{ topic, state: members }, ...changes]) apply(next, change);
        replace(topic, next);
      } else if (members !== undefined) {
        logger.warn(`socket-ingress: the server sent a malformed presence of "${topic}", which is ignored`, members);
      }
    },
    change(change) {
      const { topic, state } = change;
      early.get(topic)?.push(change);
      const before = known.get(topic);
      // Differences of what is not known yet have to wait for the answer to the join.
      if (before === undefined && state === undefined) return;
      const next = new Map(before);
      apply(next, change);
      replace(topic, next);
    },
    forget(topic) {
      if (known.has(topic)) replace(topic, undefined);
    },
    close() {
      listeners.close();
      known.clear();
      lists.clear();
      early.clear();
    },
  };
}

function sameMember(before: Member | undefined, now: Member): boolean {
  return before !== undefined && keyOf(before.info) === keyOf(now.info);
}
