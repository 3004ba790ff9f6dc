import type { Server, Socket } from "socket.io";
import type { Run } from "./dispatcher.js";
import { isThenable } from "./error-subscribers.js";
import type { EventContext } from "./event-context.js";
import { bareFailure, defuse, refusals, toFailure } from "./fault.js";
import type { CutEvent } from "./flow.js";
import type { Hub } from "./hub.js";
import { shortName } from "./log.js";
import type { Logger } from "./logger.js";
import type { Subscription } from "./subscription.js";
import type { Turn } from "./turn.js";
import { EventError } from "./wire/event-error.js";
import type { Failure } from "./wire/failure.js";

/** Answers the caller; the last argument of an event that was sent with an acknowledgement. */
export type Acknowledge = (...reply: unknown[]) => void;

const noArgs: readonly unknown[] = Object.freeze([]);

/**
 * One event on its way through its subscribers: what they are given, and what becomes of their results. Nothing else is made for
 * an event whose subscribers are synchronous, so what only some events need is made when it is first read.
 */
export class Context implements EventContext<Server> {
  readonly hub: Hub;
  readonly socket: Socket;
  readonly event: string;
  /** What the client sent; only the first `count` count, an acknowledgement may follow. */
  readonly args: readonly unknown[];
  readonly count: number;
  /** Who has its turn. */
  subscription: Subscription | undefined = undefined;
  /** How many subscribers had their turn. */
  runs = 0;
  stopped = false;
  /** Set when the subscriber was given up: what still comes from this context counts for nothing. */
  expired = false;
  answered = false;
  value: unknown = undefined;
  failure: Failure | undefined = undefined;
  /** The asynchronous part, once there is one. */
  run: Run | undefined = undefined;
  /** The turn of a subscriber that has lanes. */
  turn: Turn | undefined = undefined;
  /** Whether the last subscriber is done. */
  finished = false;
  /** Dispatched by the application itself, not by a client: listeners of its own don't hear of it. */
  byHand = false;
  /** Dispatched from inside another event of the same connection, in whose place it runs. */
  nested = false;
  /** Told when the last subscriber is done. */
  done: ((context: Context) => void) | undefined = undefined;
  #ack: Acknowledge | undefined;
  #controller: AbortController | undefined = undefined;
  #signal: AbortSignal | undefined = undefined;
  #log: { readonly of: Subscription | undefined; readonly logger: Logger } | undefined = undefined;
  #namespace: string | undefined = undefined;

  constructor(
    hub: Hub,
    event: string,
    socket: Socket,
    args: readonly unknown[],
    count: number,
    ack: Acknowledge | undefined,
  ) {
    this.hub = hub;
    this.event = event;
    this.socket = socket;
    this.args = args;
    this.count = count;
    this.#ack = ack;
  }

  /** A context for what a server does by itself, such as telling of a connection. */
  static of(hub: Hub, event: string, socket: Socket, done?: (context: Context) => void): Context {
    const context = new Context(hub, event, socket, noArgs, 0, undefined);
    context.done = done;
    return context;
  }

  get namespace(): string {
    return this.#namespace ?? this.socket?.nsp?.name ?? "/";
  }

  set namespace(name: string) {
    this.#namespace = name;
  }

  get log(): Logger {
    const { subscription, event, namespace } = this;
    if (this.#log === undefined || this.#log.of !== subscription) {
      const fields = { event: shortName(event), handler: subscription?.handler, namespace, socketId: this.socket?.id };
      this.#log = { of: subscription, logger: this.hub.log.child(fields) };
    }
    return this.#log.logger;
  }

  get signal(): AbortSignal {
    if (this.#signal === undefined) {
      this.#controller = new AbortController();
      this.#signal = this.hub.signals.of(this, this.#controller.signal);
      if (this.expired) this.#controller.abort(new EventError("TIMEOUT", "no answer in time"));
    }
    return this.#signal;
  }

  stop(): void {
    if (!this.expired) this.stopped = true;
  }

  reply(value?: unknown): boolean {
    if (this.expired || this.answered) {
      if (this.expired) this.hub.count("lateReplies");
      else this.hub.secondReply(this);
      return false;
    }
    try {
      // Reading it may throw, too: it is whatever the subscriber has at hand.
      if (isThenable(value)) {
        defuse(value);
        throw new TypeError("reply() takes a value, got a promise: await it, or return it");
      }
    } catch (thrown) {
      this.fail(thrown);
      this.#sendFailure(toFailure(undefined));
      return true;
    }
    this.send(value);
    return true;
  }

  /** A subscriber returned a value. From a `connect` subscriber `false` is a refusal, and any refusal wins. */
  take(value: unknown): void {
    if (value === false && this.event === "connect") {
      return this.fail(new EventError("FORBIDDEN", "this connection is not allowed"));
    }
    this.value = value;
    if (this.hub.replyFirst && !this.answered) this.send(value);
  }

  /** A subscriber failed: the first failure is the reply if there will be no value. */
  fail(thrown: unknown): void {
    const failure = toFailure(thrown);
    this.failure ??= failure;
    this.hub.tell(thrown, failure.error.code, this);
  }

  /** A subscriber that was removed while it waited: it did not run. */
  skip(): undefined {
    this.runs--;
    return undefined;
  }

  /** What is lost if it is cut. */
  lost(): CutEvent {
    const { event, namespace, subscription, socket } = this;
    return { event, namespace, handler: subscription?.handler, socketId: socket?.id };
  }

  /** The last subscriber is done: the caller is answered now if it has not been. */
  finish(): void {
    this.finished = true;
    if (!this.answered && this.#ack !== undefined) this.#conclude(this.#ack);
    this.done?.(this);
  }

  /** Answer with a failure that is none of a subscriber's. */
  refuse(failure: Failure): void {
    if (!this.answered) this.#sendFailure(failure);
  }

  /**
   * Give the present subscriber up. What it still does with this context counts for nothing; the subscribers after it go on with
   * the context that is returned.
   */
  expire(reason: EventError): Context {
    this.expired = true;
    this.#controller?.abort(reason);
    this.turn?.giveUp();
    const next = new Context(this.hub, this.event, this.socket, this.args, this.count, this.#ack);
    next.runs = this.runs;
    next.answered = this.answered;
    next.value = this.value;
    next.failure = this.failure;
    next.run = this.run;
    next.done = this.done;
    next.byHand = this.byHand;
    next.nested = this.nested;
    next.#namespace = this.#namespace;
    return next;
  }

  #conclude(ack: Acknowledge): void {
    if (this.value !== undefined) return this.send(this.value);
    if (this.failure !== undefined) return this.#sendFailure(this.failure);
    // A listener of the application's own on the same event may still mean to answer.
    if (!this.byHand && this.hub.isShared(ack)) return;
    if (this.runs === 0) return this.refuse(refusals.unknownEvent);
    this.answered = true;
    ack();
  }

  /** Socket.IO encodes inside the acknowledgement, before it counts as sent, so a reply that can't be encoded leaves it usable. */
  send(value: unknown): void {
    this.answered = true;
    if (this.#ack === undefined) return;
    try {
      if (value === undefined) this.#ack();
      else this.#ack(value);
    } catch (thrown) {
      this.fail(thrown);
      this.#sendFailure(toFailure(undefined));
    }
  }

  #sendFailure(failure: Failure): void {
    this.answered = true;
    if (this.#ack === undefined) return;
    try {
      this.#ack(failure);
    } catch (thrown) {
      this.hub.tell(thrown, failure.error.code, this);
      // Code and message are strings, so this one can be encoded.
      this.#ack(bareFailure(failure));
    }
  }
}
