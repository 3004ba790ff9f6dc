import type { EventEmitter } from "node:events";
import type { Socket } from "socket.io";
import { refusals } from "../dispatch/failures.js";
import type { Acknowledge } from "../dispatch/reply.js";
import { shortName, writeLog } from "../lifecycle/log.js";
import { HeldAnswers } from "./held-answers.js";
import { hasForeignCatchAll, hasHandler, markOwn } from "./own-listeners.js";
import type { IngressState } from "../dispatch/ingress-state.js";

interface Expected {
  readonly listener: (...args: unknown[]) => void;
  /** Of those that have been seen coming and whose turn has not come. */
  readonly acks: Set<Acknowledge>;
  /** Whether there were more of them than are remembered. */
  forgetful: boolean;
}

/** How many names a socket may be waiting for: middleware of the application that never goes on leaves them behind. */
const MOST_PER_SOCKET = 1_000;

/** How many callers of one name are remembered: middleware of the application that answers itself leaves them behind. */
const MOST_CALLERS = 1_000;

/**
 * Answers what nobody handles when its turn comes: after the application's middleware, which may answer it itself, and unless
 * somebody listens to it by then (decision 0005).
 */
export class UnknownEvents {
  readonly #state: IngressState;
  readonly #sockets = new WeakMap<Socket, Map<string, Expected>>();
  /** Of events that a catch-all of the application's own has heard: it may answer later, even if it has gone by then. */
  readonly #heard = new WeakSet<Acknowledge>();
  readonly #held: HeldAnswers;

  /** @param timeoutMs how long an event is left to a catch-all of the application's own */
  constructor(state: IngressState, timeoutMs: number) {
    this.#state = state;
    this.#held = new HeldAnswers(state, timeoutMs);
  }

  /** An event that the ingress does not know is on its way through the middleware, with an acknowledgement. */
  expect(socket: Socket, event: string, ack: Acknowledge): void {
    const emitter = socket as unknown as EventEmitter; // its typed methods don't know names known only at run time
    let events = this.#sockets.get(socket);
    const expected = events?.get(event);
    if (hasForeignCatchAll(socket)) this.#heard.add(ack);
    if (expected !== undefined) return remember(expected, ack);
    if (hasHandler(emitter, event)) return;
    if (events === undefined) this.#sockets.set(socket, (events = new Map()));
    if (events.size >= MOST_PER_SOCKET) this.#giveUpOldest(socket, events);
    const entry: Expected = {
      acks: new Set([ack]),
      forgetful: false,
      listener: markOwn((...args: unknown[]) => this.#arrived(socket, event, args[args.length - 1]), "unknown"),
    };
    events.set(event, entry);
    emitter.on(event, entry.listener);
  }

  /** Take everything off this socket again; who still waits is answered. */
  forget(socket: Socket): void {
    const events = this.#sockets.get(socket);
    this.#sockets.delete(socket);
    for (const [event, { listener, acks }] of events ?? []) {
      off(socket, event, listener);
      for (const ack of acks) answerUnknown(this.#state, event, socket, ack);
    }
    this.#held.release(socket);
  }

  #arrived(socket: Socket, event: string, ack: unknown): void {
    if (typeof ack !== "function") return;
    const events = this.#sockets.get(socket);
    const expected = events?.get(event);
    if (events !== undefined && expected?.acks.delete(ack as Acknowledge)) {
      if (expected.acks.size === 0 && !expected.forgetful) {
        events.delete(event);
        off(socket, event, expected.listener);
      }
    }
    if (hasHandler(socket, event)) return;
    const answer = (): void => answerUnknown(this.#state, event, socket, ack as Acknowledge);
    if (this.#heard.has(ack as Acknowledge)) this.#held.hold(socket, answer);
    else answer();
  }

  /** Nobody handled it so far; that is what its callers hear, since it can't be waited for any longer. */
  #giveUpOldest(socket: Socket, events: Map<string, Expected>): void {
    const [oldest] = events;
    if (oldest === undefined) return;
    const [event, { listener, acks }] = oldest;
    events.delete(event);
    off(socket, event, listener);
    for (const ack of acks) answerUnknown(this.#state, event, socket, ack);
  }
}

/** Answers an event that nobody handles. */
export function answerUnknown(state: IngressState, event: string, socket: Socket, ack: Acknowledge): void {
  state.counters.unknownEvents++;
  ack(state.traffic.draining ? refusals.shuttingDown : refusals.unknownEvent);
  writeLog(
    state.log,
    "debug",
    { event: shortName(event), namespace: socket.nsp.name, socketId: socket.id },
    "an event that nobody handles was answered",
  );
}

/** The oldest is forgotten, not answered: as likely as not it has been, and its listener answers it if it still comes. */
function remember(expected: Expected, ack: Acknowledge): void {
  const { acks } = expected;
  acks.add(ack);
  if (acks.size <= MOST_CALLERS) return;
  const [oldest] = acks;
  if (oldest !== undefined) acks.delete(oldest);
  expected.forgetful = true;
}

function off(socket: Socket, event: string, listener: (...args: unknown[]) => void): void {
  (socket as unknown as EventEmitter).off(event, listener);
}
