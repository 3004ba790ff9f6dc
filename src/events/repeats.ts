import type { AppServer, AppSocket } from "./subscriber.js";

/** An event that its client may send again under the same request id, because it did not hear the answer. */
export interface RepeatableEvent<App extends AppServer = AppServer> {
  /** The socket that sent it. */
  readonly socket: AppSocket<App>;
  /** Its name. */
  readonly event: string;
  /** The client's arguments, without the acknowledgement. */
  readonly args: readonly unknown[];
  /** What the client calls it: a string of 1 to 128 characters. */
  readonly requestId: string;
}

/**
 * Decides what such an event is answered: with what `run` resolves to, a value or a failure, or with what an earlier run was answered.
 * What it throws is the failure. `run` may be called once; its event lives on when the socket goes.
 */
export type Repeats<App extends AppServer = AppServer> = (
  event: RepeatableEvent<App>,
  run: () => Promise<unknown>,
) => Promise<unknown>;

/** Where an ingress takes a {@link Repeats} for a namespace, and gives back how to take it away. Without one, request ids are ignored there. */
export const setRepeats: unique symbol = Symbol("socket-ingress.setRepeats");
