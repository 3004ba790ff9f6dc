/**
 * What the door and its WebSocket clients say to each other: one JSON object in a text frame, both ways. Types only. What an event stream
 * says is text, see PROTOCOL.md.
 */

import type { Failure } from "../../wire/failure.js";

/** The largest frame that a client may send, in bytes; a larger one closes the connection with 1009. */
export const FRAME_MAX = 16_384;

/** Client to server: joins a topic. Answered with {@link Subscribed}, or {@link Refused} with the topic. */
export interface Subscribe {
  /** The topic's name. */
  subscribe: string;
  /** Said again with the answer. */
  id?: string | number;
}

/** Client to server: leaves a topic. Answered with {@link Unsubscribed}, also if it was in no such topic. */
export interface Unsubscribe {
  /** The topic's name. */
  unsubscribe: string;
  /** Said again with the answer. */
  id?: string | number;
}

/** Client to server: an event, as any client emits it. With an `id` it is answered once, with {@link Reply}; without, not at all. */
export interface Emit {
  /** The event's name. */
  event: string;
  /** Its one argument. */
  data?: unknown;
  /** Of the client's own choice: a number, or a string of at most 128 characters. */
  id?: string | number;
}

/** Server to client: the client is in a topic. */
export interface Subscribed {
  /** The topic's name. */
  subscribed: string;
  /** What the topic's `snapshot` returned, when it returned something. */
  snapshot?: unknown;
  /** The client's. */
  id?: string | number;
}

/** Server to client: the client is in a topic no more: it asked for it, or with `error` the topic was taken away. */
export interface Unsubscribed extends Partial<Failure> {
  /** The topic's name. */
  unsubscribed: string;
  /** The client's. */
  id?: string | number;
}

/** Server to client: what became of an event with an `id`. Exactly one of `data` and `error` is there. */
export interface Reply extends Partial<Failure> {
  /** The client's. */
  id: string | number;
  /** The value of the reply; `null` if there is none. */
  data?: unknown;
}

/** Server to client: a frame could not be read, a topic was refused, or the connection is closed directly after this. */
export interface Refused extends Failure {
  /** The topic that was refused. */
  topic?: string;
  /** The client's. */
  id?: string | number;
}

/** Server to client: an event. A `change` is not in this form: it comes as its data alone. */
export interface Pushed {
  /** The event's name. */
  event: string;
  /** Its argument; a list if it has several. */
  data: unknown;
}
