import type { Member, PresenceChange } from "../realtime/protocol.js";
import { areMembers } from "./frames.js";
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
  const byUser = (members: readonly Member[]): Map<string, Member> =>
    new Map(members.map((member) => [member.user, member]));

  return {
    get: (topic) => lists.get(topic) ?? nobody,
    on(topic, fn) {
      const off = listeners.add(topic, fn);
      const list = lists.get(topic);
      // Told alone: the others know.
      if (list !== undefined) guarded(logger, label(topic), fn, list, { joined: list, left: nobody });
      return off;
    },
    joined(topic, members) {
      if (areMembers(members)) replace(topic, byUser(members));
      else if (members !== undefined) {
        logger.warn(`socket-ingress: the server sent a malformed presence of "${topic}", which is ignored`, members);
      }
    },
    change({ topic, state, joined = [], left = [] }) {
      const before = known.get(topic);
      if (state !== undefined) replace(topic, byUser(state));
      // What comes before the answer to the join is in that answer.
      if (state !== undefined || before === undefined) return;
      const next = new Map(before);
      for (const { user } of left) next.delete(user);
      for (const member of joined) next.set(member.user, member);
      replace(topic, next);
    },
    forget(topic) {
      if (known.has(topic)) replace(topic, undefined);
    },
    close() {
      listeners.clear();
      known.clear();
      lists.clear();
    },
  };
}

function sameMember(before: Member | undefined, now: Member): boolean {
  return before !== undefined && JSON.stringify(before.info) === JSON.stringify(now.info);
}
