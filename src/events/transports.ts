import type { Socket } from "socket.io";

/** What carries all namespaces of one client: a connection of the engine. */
export type Transport = Socket["conn"];

/** The transports of the server that an ingress is attached to, for the doors of this package. */
export interface TransportWatch {
  /**
   * Calls `fn` for each transport that there is, and for each to come, before any frame of it is read. It goes on over detaching and
   * attaching.
   *
   * @param fn `isNew` is false for those that were there before
   * @returns the undo
   */
  each(fn: (transport: Transport, isNew: boolean) => void): () => void;
  /** Whether a new one is in any namespace, or has asked to enter one whose parser we can't read. */
  isIn(transport: Transport): boolean;
}

/** Where an ingress has its {@link TransportWatch}. */
export const transports: unique symbol = Symbol("socket-ingress.transports");
