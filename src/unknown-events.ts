import type { EventEmitter } from "node:events";
import type { Socket } from "socket.io";
import type { Acknowledge } from "./context.js";
import { hasHandler, markOwn } from "./foreign-listeners.js";
import type { Hub } from "./hub.js";

interface Expected {
  readonly listener: (...args: unknown[]) => void;
  /** Of those that have been seen coming and whose turn has not come. */
  readonly acks: Set<Acknowledge>;
}

/** What one socket has sent that nobody handled when it came, oldest first. */
interface Waiting {
  readonly events: Map<string, Expected>;
  callers: number;
}

/** How many callers of a socket are waited for: middleware of the application that answers itself, or never goes on, leaves them. */
const MOST_PER_SOCKET = 1_000;

/**
 * Answers what nobody handles when its turn comes: after the application's middleware, which may answer it itself, and unless
 * somebody listens to it by then.
 */
export class UnknownEvents {
  readonly #hub: Hub;
  readonly #sockets = new WeakMap<Socket, Waiting>();

  constructor(hub: Hub) {
    this.#hub = hub;
  }

  /** An event that the ingress does not know is on its way through the middleware, with an acknowledgement. */
  expect(socket: Socket, event: string, ack: Acknowledge): void {
    const emitter = socket as unknown as EventEmitter; // its typed methods don't know names known only at run time
    let waiting = this.#sockets.get(socket);
    let expected = waiting?.events.get(event);
    if (expected === undefined && hasHandler(emitter, event)) return;
    if (waiting === undefined) this.#sockets.set(socket, (waiting = { events: new Map(), callers: 0 }));
    if (waiting.callers >= MOST_PER_SOCKET) this.#giveUpOldest(socket, waiting);
    expected = waiting.events.get(event);
    if (expected === undefined) {
      expected = {
        acks: new Set(),
        listener: markOwn((...args: unknown[]) => this.#arrived(socket, event, args[args.length - 1]), "unknown"),
      };
      waiting.events.set(event, expected);
      emitter.on(event, expected.listener);
    }
    expected.acks.add(ack);
    waiting.callers++;
  }

  /** Take everything off this socket again; who still waits is answered. */
  forget(socket: Socket): void {
    const waiting = this.#sockets.get(socket);
    this.#sockets.delete(socket);
    for (const [event, { listener, acks }] of waiting?.events ?? []) {
      off(socket, event, listener);
      for (const ack of acks) this.#hub.unknown(event, socket, ack);
    }
  }

  #arrived(socket: Socket, event: string, ack: unknown): void {
    if (typeof ack !== "function") return;
    const waiting = this.#sockets.get(socket);
    const expected = waiting?.events.get(event);
    if (waiting !== undefined && expected?.acks.has(ack as Acknowledge))
      this.#remove(socket, waiting, event, expected, ack as Acknowledge);
    if (!hasHandler(socket, event)) this.#hub.unknown(event, socket, ack as Acknowledge);
  }

  #remove(socket: Socket, waiting: Waiting, event: string, { acks, listener }: Expected, ack: Acknowledge): void {
    acks.delete(ack);
    waiting.callers--;
    if (acks.size > 0) return;
    waiting.events.delete(event);
    off(socket, event, listener);
  }

  /** Nobody handled it so far; that is what its caller hears, since it can't be waited for any longer. */
  #giveUpOldest(socket: Socket, waiting: Waiting): void {
    for (const [event, expected] of waiting.events) {
      const [ack] = expected.acks;
      if (ack === undefined) continue;
      this.#remove(socket, waiting, event, expected, ack);
      this.#hub.unknown(event, socket, ack);
      return;
    }
  }
}

function off(socket: Socket, event: string, listener: (...args: unknown[]) => void): void {
  (socket as unknown as EventEmitter).off(event, listener);
}
