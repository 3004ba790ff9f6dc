import type { EventEmitter } from "node:events";
import type { Socket } from "socket.io";

/**
 * Marks our own listeners on a socket, for all copies of this package in a process: two ingresses on one server must not take each
 * other's for a listener of the application.
 */
const mark: symbol = Symbol.for("socket-ingress.listener");

/** What a listener of ours is for: it dispatches an event, answers one that nobody handles, or sees all of them come. */
export type OwnListener = "dispatcher" | "unknown" | "observer";

/** Marks a listener as ours. */
export function markOwn<T extends object>(listener: T, as: OwnListener): T {
  return Object.defineProperty(listener, mark, { value: as });
}

/** Whether the application itself listens to `event` on this socket. */
export function hasForeignListener(emitter: EventEmitter, event: string): boolean {
  return others(emitter, event, (as) => as === undefined);
}

/** Whether anybody handles `event` on this socket: the application, or an ingress. */
export function hasHandler(emitter: EventEmitter, event: string): boolean {
  return others(emitter, event, (as) => as !== "unknown");
}

/** Whether the application has a catch-all of its own on this socket, which may answer what nobody else does. */
export function hasForeignCatchAll(socket: Socket): boolean {
  const listeners: readonly { readonly [mark: symbol]: OwnListener | undefined }[] = socket.listenersAny() as never[];
  return listeners.some((listener) => listener[mark] === undefined);
}

function others(emitter: EventEmitter, event: string, counts: (as: OwnListener | undefined) => boolean): boolean {
  if (emitter.listenerCount(event) === 0) return false;
  const listeners: readonly { readonly [mark: symbol]: OwnListener | undefined }[] = emitter.listeners(
    event,
  ) as never[];
  const found = listeners.filter((listener) => counts(listener[mark])).length;
  // Socket.IO puts a listener on `error`, so that a client's does not end the process (the constructor of `Socket`).
  return found > (event === "error" ? 1 : 0);
}
