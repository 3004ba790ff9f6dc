import type { EventEmitter } from "node:events";
import type { Socket } from "socket.io";
import type { Acknowledge } from "./context.js";
import { hasHandler, markOwn } from "./foreign-listeners.js";
import type { Hub } from "./hub.js";

interface Expected {
  readonly listener: (...args: unknown[]) => void;
  /** How many have been seen coming whose turn has not come. */
  count: number;
}

/** How many names a socket may be waiting for: middleware of the application that never goes on leaves them behind. */
const MOST_PER_SOCKET = 1_000;

/**
 * Answers what nobody handles when its turn comes: after the application's middleware, which may answer it itself, and unless
 * somebody listens to it by then.
 */
export class UnknownEvents {
  readonly #hub: Hub;
  readonly #sockets = new WeakMap<Socket, Map<string, Expected>>();

  constructor(hub: Hub) {
    this.#hub = hub;
  }

  /** An event that the ingress does not know is on its way through the middleware. */
  expect(socket: Socket, event: string): void {
    const emitter = socket as unknown as EventEmitter; // its typed methods don't know names known only at run time
    let events = this.#sockets.get(socket);
    const expected = events?.get(event);
    if (expected !== undefined) {
      expected.count++;
      return;
    }
    if (hasHandler(emitter, event)) return;
    if (events === undefined) this.#sockets.set(socket, (events = new Map()));
    if (events.size >= MOST_PER_SOCKET) this.#forgetOldest(emitter, events);
    const mine = events;
    const entry: Expected = {
      count: 1,
      listener: markOwn((...args: unknown[]) => {
        if (--entry.count === 0) {
          emitter.off(event, entry.listener);
          mine.delete(event);
        }
        const ack = args[args.length - 1];
        if (typeof ack === "function" && !hasHandler(emitter, event))
          this.#hub.unknown(event, socket, ack as Acknowledge);
      }, "unknown"),
    };
    mine.set(event, entry);
    emitter.on(event, entry.listener);
  }

  /** Take everything off this socket again. */
  forget(socket: Socket): void {
    for (const [event, { listener }] of this.#sockets.get(socket) ?? [])
      (socket as unknown as EventEmitter).off(event, listener);
    this.#sockets.delete(socket);
  }

  #forgetOldest(emitter: EventEmitter, events: Map<string, Expected>): void {
    for (const [event, { listener }] of events) {
      events.delete(event);
      emitter.off(event, listener);
      return;
    }
  }
}
