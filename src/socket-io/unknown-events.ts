import type { EventEmitter } from "node:events";
import type { Socket } from "socket.io";
import { Context, listedArguments } from "../dispatch/context.js";
import { EventEntry } from "../dispatch/event-entry.js";
import { refusals } from "../dispatch/failures.js";
import type { Acknowledge } from "../dispatch/reply.js";
import { isEnabled, shortName, writeLog } from "../lifecycle/log.js";
import type { Coming } from "./arrivals.js";
import { HeldAnswers } from "./held-answers.js";
import { hasForeignCatchAll, hasForeignListener, hasHandler, markOwn } from "./own-listeners.js";
import type { IngressState } from "../dispatch/ingress-state.js";
import type { OpenEvent } from "./open-events.js";

/** What the ingress says of events that nobody handles. */
export interface UnknownEventsOptions {
  readonly unknownEvents: "answer" | "leave";
  /** Who listens to an event of this name by now. */
  readonly entryOf: (socket: Socket, event: string) => OpenEvent | undefined;
  /** How long an event is left to a catch-all of the application's own. */
  readonly timeoutMs: number;
}

interface Expected {
  readonly listener: (...args: unknown[]) => void;
  /** Of those that have been seen coming and whose turn has not come. */
  readonly acks: Set<Acknowledge>;
  /** Whether there were more of them than are remembered. */
  forgetful: boolean;
  /** How many have been seen coming that want no answer. */
  silent: number;
}

/** How many names a socket may be waiting for: middleware of the application that never goes on leaves them behind. */
const MOST_PER_SOCKET = 1_000;

/** How many callers of one name are remembered: middleware of the application that answers itself leaves them behind. */
const MOST_CALLERS = 1_000;

/**
 * Answers what nobody handles when its turn comes: after the application's middleware, which may answer it itself, and unless
 * somebody listens to it by then (decision 0005). It is no entry with an empty plan (decision 0041).
 */
export class UnknownEvents {
  readonly #state: IngressState;
  /** Whether they are answered; else those that are asked before an event are asked, and that is all. */
  readonly #answers: boolean;
  readonly #sockets = new WeakMap<Socket, Map<string, Expected>>();
  /** Of events that a catch-all of the application's own has heard: it may answer later, even if it has gone by then. */
  readonly #heard = new WeakSet<Acknowledge>();
  readonly #held: HeldAnswers;
  readonly #entryOf: UnknownEventsOptions["entryOf"];

  constructor(state: IngressState, options: UnknownEventsOptions) {
    this.#state = state;
    this.#answers = options.unknownEvents === "answer";
    this.#entryOf = options.entryOf;
    this.#held = new HeldAnswers(state, options.timeoutMs);
  }

  /** An event that the ingress does not know is on its way through the middleware. */
  expect(socket: Socket, event: string, ack: Acknowledge | undefined): void {
    if (!this.#answers && !this.#state.before.any) return;
    const emitter = socket as unknown as EventEmitter; // its typed methods don't know names known only at run time
    const expected = this.#sockets.get(socket)?.get(event);
    const isHeard = hasForeignCatchAll(socket);
    if (ack !== undefined && isHeard) this.#heard.add(ack);
    if (expected !== undefined) return remember(expected, ack);
    if (hasHandler(emitter, event)) return;
    remember(this.#await(socket, event, isHeard), ack);
  }

  /** Events that middleware still has while the last who listened to them goes: whoever listens when they arrive runs them. */
  takeOver(socket: Socket, event: string, { acks, forgetful }: Coming): void {
    const expected = this.#sockets.get(socket)?.get(event) ?? this.#await(socket, event, false);
    for (const ack of acks) remember(expected, ack);
    if (forgetful) expected.forgetful = true;
  }

  /** @param isHeard whether catch-alls of the application hear it yet: one that asks for its listeners must not find ours */
  #await(socket: Socket, event: string, isHeard: boolean): Expected {
    let events = this.#sockets.get(socket);
    if (events === undefined) this.#sockets.set(socket, (events = new Map()));
    if (events.size >= MOST_PER_SOCKET) this.#giveUpOldest(socket, events);
    const expected: Expected = {
      acks: new Set(),
      forgetful: false,
      silent: 0,
      listener: markOwn((...args: unknown[]) => this.#arrived(socket, event, args), "unknown"),
    };
    events.set(event, expected);
    const listen = (): void => {
      if (this.#sockets.get(socket)?.get(event) === expected) (socket as EventEmitter).on(event, expected.listener);
    };
    // The catch-alls run in this turn, what Socket.IO puts behind them in a tick of its own, later than this one (lib/socket.ts, dispatch).
    if (isHeard) process.nextTick(listen);
    else listen();
    return expected;
  }

  /** Take everything off this socket again; who still waits is answered. */
  forget(socket: Socket): void {
    const events = this.#sockets.get(socket);
    this.#sockets.delete(socket);
    for (const [event, { listener, acks }] of events ?? []) {
      off(socket, event, listener);
      this.#answerAll(socket, event, acks);
    }
    this.#held.release(socket);
  }

  #arrived(socket: Socket, event: string, args: unknown[]): void {
    const last = args[args.length - 1];
    const ack = typeof last === "function" ? (last as Acknowledge) : undefined;
    const events = this.#sockets.get(socket);
    const expected = events?.get(event);
    if (events !== undefined && expected !== undefined) {
      if (ack !== undefined) expected.acks.delete(ack);
      else if (expected.silent > 0) expected.silent--;
      if (expected.acks.size === 0 && expected.silent === 0 && !expected.forgetful) {
        events.delete(event);
        off(socket, event, expected.listener);
      }
    }
    const entry = this.#entryOf(socket, event);
    if (entry !== undefined) return this.#run(entry, socket, args, ack);
    if (hasHandler(socket, event)) return;
    if (this.#state.before.any) this.#ask(socket, event, ack === undefined ? args : args.slice(0, -1), ack);
    else this.#answer(socket, event, ack);
  }

  /** Somebody has subscribed meanwhile; with a dispatcher on the socket by now, it is heard there. */
  #run({ event, dispatcher }: OpenEvent, socket: Socket, args: unknown[], ack: Acknowledge | undefined): void {
    if ((socket as EventEmitter).listenerCount(event, dispatcher) > 0) return;
    if (ack !== undefined && hasForeignListener(socket, event)) this.#state.sharedAcks.add(ack);
    dispatcher.apply(socket, args);
  }

  /** Those that are asked before an event are asked about this one as well; it is answered if they let it pass. */
  #ask(socket: Socket, event: string, args: unknown[], ack: Acknowledge | undefined): void {
    const entry = new EventEntry(this.#state, event, []);
    const context = new Context(entry, socket, args, listedArguments, ack);
    if (ack !== undefined) this.#state.sharedAcks.add(ack);
    context.done = ({ answered }) => {
      if (!answered) this.#answer(socket, event, ack);
    };
    this.#state.traffic.receive(entry, context);
  }

  #answer(socket: Socket, event: string, ack: Acknowledge | undefined): void {
    if (ack === undefined || !this.#answers) return;
    const answer = (): void => answerUnknown(this.#state, event, socket, ack);
    if (this.#heard.has(ack)) this.#held.hold(socket, answer);
    else answer();
  }

  /** Nobody handled it so far; that is what its callers hear, since it can't be waited for any longer. */
  #giveUpOldest(socket: Socket, events: Map<string, Expected>): void {
    for (const [event, { listener, acks }] of events) {
      events.delete(event);
      off(socket, event, listener);
      return this.#answerAll(socket, event, acks);
    }
  }

  #answerAll(socket: Socket, event: string, acks: Iterable<Acknowledge>): void {
    // A listener of the application's own may still answer.
    if (!this.#answers || hasHandler(socket, event)) return;
    for (const ack of acks) answerUnknown(this.#state, event, socket, ack);
  }
}

/** Answers an event that nobody handles. */
export function answerUnknown(state: IngressState, event: string, socket: Socket, ack: Acknowledge): void {
  state.counters.unknownEvents++;
  ack(state.traffic.draining ? refusals.shuttingDown : refusals.unknownEvent);
  if (!isEnabled(state.log, "debug")) return;
  const fields = { event: shortName(event), namespace: socket.nsp.name, socketId: socket.id };
  writeLog(state.log, "debug", fields, "an event that nobody handles was answered");
}

/** The oldest is forgotten, not answered: as likely as not it has been, and its listener answers it if it still comes. */
function remember(expected: Expected, ack: Acknowledge | undefined): void {
  if (ack === undefined) {
    expected.silent++;
    return;
  }
  const { acks } = expected;
  acks.add(ack);
  if (acks.size <= MOST_CALLERS) return;
  const [oldest = ack] = acks;
  acks.delete(oldest);
  expected.forgetful = true;
}

function off(socket: Socket, event: string, listener: (...args: unknown[]) => void): void {
  (socket as unknown as EventEmitter).off(event, listener);
}
