/**
 * What the realtime server and its clients say to each other, beside plain events. Constants and types only: this file is
 * shared with browsers. Every name begins with `ingress:`, so an application's own events can't clash with it.
 */

import type { Failure } from "../../wire/failure.js";

/**
 * Client to server, acknowledged with a value or a failure: `(topics, at?)`. `topics` is the name of a topic, `{ topic, input }`, or a list
 * of these; a list needs `at`. Answers with a {@link Joined}, or to a list with a {@link JoinedAll}.
 */
export const JOIN = "ingress:join";

/** Client to server, acknowledged: `(topic: string)`. Answers with `{}`, also when the topic was not joined. */
export const LEAVE = "ingress:leave";

/** Server to client: `(refetch: Refetch)`. Something changed, and this action has the news. */
export const REFETCH = "ingress:refetch";

/** Server to client: `(notice: Notice)`. Data for the listeners of one name, or for the default listener. */
export const NOTIFY = "ingress:notify";

/** Server to client: `(change: PresenceChange)`. Who came to and went from a topic, after the state a join answered with. */
export const PRESENCE = "ingress:presence";

/** Server to client: `(evicted: Evicted)`. The server took a topic away; nothing of it arrives from here on. */
export const EVICTED = "ingress:evicted";

/** Server to client: `(ended: Ended)`. The server ends this connection, directly after this. */
export const ENDED = "ingress:ended";

/** The longest topic a server accepts unless it is told otherwise, in characters. */
export const TOPIC_MAX = 256;

/** One user who is present at a topic, however many tabs they have open. */
export interface Member {
  /** Who, as the server's identity knows them. */
  user: string;
  /** What the server says about them, e.g. a name to show. */
  info?: unknown;
}

/** Everyone present at a topic, in no particular order, each user once. */
export type PresenceState = Member[];

/** The answer to a `JOIN`. */
export interface Joined {
  /** What the topic's `snapshot` returned, when it returned something. */
  snapshot?: unknown;
  /** Who is there, for topics that keep presence; differences follow as `PRESENCE`. */
  presence?: PresenceState;
}

/** The answer to a `JOIN` of several topics. */
export interface JoinedAll {
  /** What became of each topic, in the order of the list. */
  answers: (Joined | Failure)[];
}

/** The payload of `PRESENCE`. A user in `joined` who is known already has new `info`. */
export interface PresenceChange {
  /** The topic it is about. */
  topic: string;
  /** Everyone, in place of all that was known: sent after a recovered connection, which may have missed differences. */
  state?: PresenceState;
  /** Who came. */
  joined?: Member[];
  /** Who went. */
  left?: Member[];
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
}

/** The payload of `ENDED`. */
export interface Ended {
  /** Why, as a code like that of a failure. */
  code: string;
  /** Why, for a person. */
  message: string;
  /** When to connect again, in milliseconds; without it, not by itself. */
  retryAfterMs?: number;
}
