import type { EventEmitter } from "node:events";
import type { Socket } from "socket.io";
import { Context, listedArguments } from "../dispatch/context.js";
import { EventEntry } from "../dispatch/event-entry.js";
import { refusals } from "../dispatch/failures.js";
import type { Acknowledge } from "../dispatch/reply.js";
import { shortName, writeLog } from "../lifecycle/log.js";
import { HeldAnswers } from "./held-answers.js";
import { hasForeignCatchAll, hasHandler, markOwn } from "./own-listeners.js";
import type { IngressState } from "../dispatch/ingress-state.js";

/** What the ingress says of events that nobody handles. */
export interface UnknownEventsOptions {
  readonly unknownEvents: "answer" | "leave";
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

  constructor(state: IngressState, options: UnknownEventsOptions) {
    this.#state = state;
    this.#answers = options.unknownEvents === "answer";
    this.#held = new HeldAnswers(state, options.timeoutMs);
  }

  /** An event that the ingress does not know is on its way through the middleware. */
  expect(socket: Socket, event: string, ack: Acknowledge | undefined): void {
    if (!this.#answers && !this.#state.before.any) return;
    const emitter = socket as unknown as EventEmitter; // its typed methods don't know names known only at run time
    let events = this.#sockets.get(socket);
    const expected = events?.get(event);
    if (ack !== undefined && hasForeignCatchAll(socket)) this.#heard.add(ack);
    if (expected !== undefined) return remember(expected, ack);
    if (hasHandler(emitter, event)) return;
    if (events === undefined) this.#sockets.set(socket, (events = new Map()));
    if (events.size >= MOST_PER_SOCKET) this.#giveUpOldest(socket, events);
    const entry: Expected = {
      acks: new Set(ack === undefined ? [] : [ack]),
      forgetful: false,
      silent: ack === undefined ? 1 : 0,
      listener: markOwn((...args: unknown[]) => this.#arrived(socket, event, args), "unknown"),
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
      if (this.#answers) for (const ack of acks) answerUnknown(this.#state, event, socket, ack);
    }
    this.#held.release(socket);
  }

  #arrived(socket: Socket, event: string, args: unknown[]): void {
    const last = args[args.length - 1];
    const ack = typeof last === "function" ? (args.pop() as Acknowledge) : undefined;
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
    if (hasHandler(socket, event)) return;
    if (this.#state.before.any) this.#ask(socket, event, args, ack);
    else this.#answer(socket, event, ack);
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
    const [oldest] = events;
    if (oldest === undefined) return;
    const [event, { listener, acks }] = oldest;
    events.delete(event);
    off(socket, event, listener);
    if (this.#answers) for (const ack of acks) answerUnknown(this.#state, event, socket, ack);
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
function remember(expected: Expected, ack: Acknowledge | undefined): void {
  if (ack === undefined) {
    expected.silent++;
    return;
  }
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
