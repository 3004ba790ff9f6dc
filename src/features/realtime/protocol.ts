/**
 * What the realtime server and its clients say to each other, beside plain events. Constants and types only: this file is
 * shared with browsers. Every name begins with `ingress:`, so an application's own events can't clash with it.
 */

import type { Failure } from "../../wire/failure.js";

export { ENDED, type Ended } from "../../wire/ended.js";

/**
 * Client to server, acknowledged with a value or a failure: `(topics, at?)`. `topics` is the name of a topic, `{ topic, input, presence }`, or a list
 * of these, with the {@link PresenceVersion} that is known if there is one; a list needs `at`. Answers with a {@link Joined}, or to a list with a {@link JoinedAll}.
 */
export const JOIN = "ingress:join";

/** Client to server, acknowledged: `(topic: string)`. Answers with `{}`, also when the topic was not joined. */
export const LEAVE = "ingress:leave";

/** Server to client: `(refetch: Refetch)`. Something changed, and this action has the news. */
export const REFETCH = "ingress:refetch";

/** Server to client: `(notice: Notice)`. Data for the listeners of one name, or for the default listener. */
export const NOTIFY = "ingress:notify";

/** Server to client: `(change: PresenceChange)`. What has changed of who is at a topic, after what a join answered with. */
export const PRESENCE = "ingress:presence";

/** Server to client: `(evicted: Evicted)`. The server took a topic away; nothing of it arrives from here on. */
export const EVICTED = "ingress:evicted";

/**
 * Server to client, to those that read positions: `(n, event, ...args)` is a push to a topic with history, and its number in the log;
 * `([epoch, n], topics, refetch)` says that the client is in these topics, and has all of them until `n`, but for those in `refetch`.
 */
export const AT = "ingress:at";

/** Server to client, to those that read positions: `()`. Join the topics with history again, each with its position. */
export const GAP = "ingress:gap";

/** The longest topic a server accepts unless it is told otherwise, in characters. */
export const TOPIC_MAX = 256;

/** One user who is present at a topic, however many tabs they have open. */
export interface Member {
  /** Who, as the server's identity knows them. */
  user: string;
  /** What the server says about them, e.g. a name to show. */
  info?: unknown;
}

/** Which changes of a topic's presence a client has been told: what `JOIN` says again, to be told only what is different since. */
export type PresenceVersion = readonly [epoch: string, n: number];

/** A member as it travels: the user alone, where nothing is said about them. */
export type PresenceEntry = string | Member;

/** Everyone at a topic, in no particular order, each user once. */
export type PresenceState = PresenceEntry[];

/**
 * What is told about who is at a topic. With `state` it is everyone, in place of all that was known; with `count` only how many, as they
 * are too many to be listed, and nobody is known any more; otherwise what is different.
 */
export interface PresenceNews {
  /** What is known with this. */
  version: PresenceVersion;
  /** Everyone who is there. */
  state?: PresenceState;
  /** How many users there are. */
  count?: number;
  /** Who came. One who is known already may have new `info`. */
  joined?: PresenceEntry[];
  /** Who went; perhaps one who was never told of. */
  left?: string[];
}

/** The answer to a `JOIN`. */
export interface Joined {
  /** What the topic's `snapshot` returned, when it returned something. */
  snapshot?: unknown;
  /** Who is there, for topics that keep presence; to one who said a version, what is different since. Changes follow as `PRESENCE`. */
  presence?: PresenceNews;
}

/** The answer to a `JOIN` of several topics. */
export interface JoinedAll {
  /** What became of each topic, in the order of the list. */
  answers: (Joined | Failure)[];
  /** The names of those that failed. */
  refused: string[];
}

/** The payload of `PRESENCE`. */
export interface PresenceChange extends PresenceNews {
  /** The topic it is about. */
  topic: string;
}

/** The payload of `REFETCH`. */
export interface Refetch {
  /** The action that has the news; a client calls it only if it listed it. */
  action: string;
  /** What to call the action with. */
  payload?: unknown;
  /** The signal a client subscribed to, e.g. `items_changed`; without one, every subscription that lists the action. */
  event?: string;
  /** Who caused it, for a client that skips its own changes: a socket's id. */
  origin?: string;
}

/** The payload of `NOTIFY`. */
export interface Notice {
  /** The name of the listeners meant; without one, the default listener. */
  event?: string;
  /** The message itself. */
  data: unknown;
}

/** The payload of `EVICTED`. With a code that passes, the topic may be joined again a little later. */
export interface Evicted {
  /** The topic that was taken away. */
  topic: string;
  /** Why, as a code like that of a failure; `FORBIDDEN` unless the server says otherwise. */
  code: string;
  /** Why, for a person. */
  message: string;
  /** Until where a client that reads positions has it, if it has a history: what to join it with again. */
  at?: readonly [epoch: string, n: number];
}
