import type { EventEmitter } from "node:events";

/**
 * Marks our own listeners on a socket, for all copies of this package in a process: two ingresses on one server must not take each
 * other's for a listener of the application.
 */
const mark: symbol = Symbol.for("socket-ingress.listener");

/** Marks a listener as ours. */
export function markOwn<T extends object>(listener: T): T {
  return Object.defineProperty(listener, mark, { value: true });
}

/** Whether the application itself listens to `event` on this socket. */
export function hasForeignListener(emitter: EventEmitter, event: string): boolean {
  if (emitter.listenerCount(event) === 0) return false;
  const foreign = emitter.listeners(event).filter((listener) => !(mark in listener));
  // Socket.IO puts a listener on `error`, so that a client's does not end the process (the constructor of `Socket`).
  return foreign.length > (event === "error" ? 1 : 0);
}
