import type { Server } from "socket.io";
import type { Logger } from "../lifecycle/logger.js";
import type { AppServer, AppSocket } from "./subscriber.js";

/**
 * An event that a client has sent, before anything runs for it: what `beforeEvent` is given.
 *
 * @typeParam App - the `Server<...>` type of the application
 */
export interface Arrival<App extends AppServer = Server> {
  /** The name of the event; nobody needs to listen to it. */
  readonly event: string;
  /** What the client sent, without the acknowledgement. */
  readonly args: readonly unknown[];
  /** The socket that sent it. */
  readonly socket: AppSocket<App>;
  /** The id under which a repeated call runs once, and is asked about once; `undefined` for an event that has none. */
  readonly requestId: string | undefined;
  /** A child of the ingress's logger whose lines carry event, namespace and socket id; made when first read. */
  readonly log: Logger;
}

/** Asked once for each event that a client sends. A throw or a rejection is the reply; what it returns otherwise counts for nothing. */
export type BeforeEvent<App extends AppServer = Server> = (arrival: Arrival<App>) => unknown;

/** A {@link BeforeEvent} of whatever application. */
export type AnyBeforeEvent = (this: any, arrival: any) => unknown;
