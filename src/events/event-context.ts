import type { Server } from "socket.io";
import type { AppServer, AppSocket } from "./subscriber.js";
import type { Logger } from "../lifecycle/logger.js";

/**
 * What a subscriber is given first, before the client's arguments: where the event came from and what can be done about
 * it. There is one context per dispatch, shared by all its subscribers; after a timeout the others get a new one.
 *
 * @typeParam App - the `Server<...>` type of the application
 */
export interface EventContext<App extends AppServer = Server> {
  /** The socket that sent the event, with the application's own event and data types. */
  readonly socket: AppSocket<App>;
  /** The name of the event; `connect`, `connection`, `disconnecting` and `disconnect` included. */
  readonly event: string;
  /** The concrete namespace the socket is in, such as `/t-42` where the handler said a pattern. */
  readonly namespace: string;
  /**
   * Aborts at the subscriber's timeout, when the socket disconnects and at the deadline of a shutdown, with an `EventError` as its
   * reason whose code says which: `TIMEOUT`, `DISCONNECTED`, `SHUTTING_DOWN`. It outlives its event, for what a subscriber has started.
   * Made when first read. A listener on it that throws is Node's to report: it ends the process.
   */
  readonly signal: AbortSignal;
  /** A child of the ingress's logger whose lines carry event, handler, namespace and socket id; made when first read. */
  readonly log: Logger;
  /** Keeps the subscribers that come later from running for this event. It does not interrupt the one that calls it. */
  stop(): void;
  /**
   * Answers the caller by hand, ahead of the subscribers' results, which are then not sent. Without an acknowledgement
   * it only counts. It takes one value: the form of the callback is an option of the event (the option `callback`).
   *
   * @returns false when the caller had been answered already, true when this is the answer
   */
  reply(value?: unknown): boolean;
}
