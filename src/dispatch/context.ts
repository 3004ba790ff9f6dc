import { defuse, isThenable } from "../wire/values.js";
import type { Server, Socket } from "socket.io";
import type { Channel } from "./event-entry.js";
import type { Run } from "./dispatch.js";
import type { EventContext } from "../events/event-context.js";
import { bareFailure, refusals, toFailure } from "./failures.js";
import type { CutEvent } from "./flow/in-flight.js";
import type { Hub } from "./hub.js";
import { shortName } from "../lifecycle/log.js";
import type { Logger } from "../lifecycle/logger.js";
import type { Subscription } from "./subscription.js";
import { Turn } from "./flow/lane-turn.js";
import { EventError } from "../wire/event-error.js";
import type { Failure } from "../wire/failure.js";

/** Answers the caller; the last argument of an event that was sent with an acknowledgement. */
export type Acknowledge = (...reply: unknown[]) => void;

const noArgs: readonly unknown[] = Object.freeze([]);

/** What only few events need, made when it is first set. */
class Rarities {
  failure: Failure | undefined = undefined;
  turn: Turn | undefined = undefined;
  done: ((context: Context) => void) | undefined = undefined;
  controller: AbortController | undefined = undefined;
  log: { readonly of: Subscription | undefined; readonly logger: Logger } | undefined = undefined;
  namespace: string | undefined = undefined;
}

// What `Context.#state` is made of: its lowest bits, and above them how many subscribers had their turn.
const STOPPED = 1;
const EXPIRED = 2;
const ANSWERED = 4;
const FINISHED = 8;
const BY_HAND = 16;
const NESTED = 32;
const ONE_ARGUMENT = 64;
const LISTED_ARGUMENTS = 128;
const ONE_RUN = 256;

/** How many arguments a {@link Context} is given: none, one, or a list of them. */
export type Arguments = 0 | typeof ONE_ARGUMENT | typeof LISTED_ARGUMENTS;
/** The one argument itself: what most events have, and a list of one would have to be made. */
export const oneArgument: typeof ONE_ARGUMENT = ONE_ARGUMENT;
/** A list with nothing behind the arguments. */
export const listedArguments: typeof LISTED_ARGUMENTS = LISTED_ARGUMENTS;

/**
 * One event on its way through its subscribers: what they are given, and what becomes of their results. Nothing else is made for
 * an event whose subscribers are synchronous, and its size is most of what that costs: so booleans share a number, and what only
 * some events need is made when it is first read or set.
 */
export class Context implements EventContext<Server> {
  readonly channel: Channel;
  readonly socket: Socket;
  readonly #given: unknown;
  readonly #ack: Acknowledge | undefined;
  #state: number;
  /** Who has its turn. */
  subscription: Subscription | undefined = undefined;
  /** The asynchronous part, while there is one. */
  run: Run | undefined = undefined;
  #rare: Rarities | undefined = undefined;

  constructor(channel: Channel, socket: Socket, given: unknown, shape: Arguments, ack: Acknowledge | undefined) {
    this.channel = channel;
    this.socket = socket;
    this.#given = given;
    this.#ack = ack;
    this.#state = shape;
  }

  /** A context for what a server does by itself, such as telling of a connection. */
  static of(channel: Channel, socket: Socket, done?: (context: Context) => void): Context {
    const context = new Context(channel, socket, undefined, 0, undefined);
    if (done !== undefined) context.done = done;
    return context;
  }

  get hub(): Hub {
    return this.channel.hub;
  }

  get event(): string {
    return this.channel.event;
  }

  /** What the client sent, without the acknowledgement. */
  get args(): readonly unknown[] {
    if ((this.#state & LISTED_ARGUMENTS) !== 0) return this.#given as readonly unknown[]; // as the constructor was told
    return (this.#state & ONE_ARGUMENT) !== 0 ? [this.#given] : noArgs;
  }

  get hasOneArgument(): boolean {
    return (this.#state & ONE_ARGUMENT) !== 0;
  }

  /** The argument, where there is one. */
  get argument(): unknown {
    return this.#given;
  }

  /** A subscriber has its turn. */
  begin(subscription: Subscription): void {
    this.subscription = subscription;
    this.#state += ONE_RUN;
    if (subscription.laned) Context.#rarities(this).turn = new Turn();
    else if (this.#rare !== undefined) this.#rare.turn = undefined;
  }

  /** The same for the first subscriber of an event, where nothing is around it. */
  beginPlain(subscription: Subscription): void {
    this.subscription = subscription;
    this.#state += ONE_RUN;
  }

  get expired(): boolean {
    return (this.#state & EXPIRED) !== 0;
  }

  get stopped(): boolean {
    return (this.#state & STOPPED) !== 0;
  }

  get answered(): boolean {
    return (this.#state & ANSWERED) !== 0;
  }

  /** Whether the last subscriber is done. */
  get finished(): boolean {
    return (this.#state & FINISHED) !== 0;
  }

  /** Dispatched from inside another event of the same connection, in whose place it runs. */
  get nested(): boolean {
    return (this.#state & NESTED) !== 0;
  }

  /** It is dispatched by the application itself, not by a client: listeners of its own don't hear of it. */
  markByHand(nested: boolean): void {
    this.#state |= nested ? BY_HAND | NESTED : BY_HAND;
  }

  /** The turn of a subscriber that has lanes. */
  get turn(): Turn | undefined {
    return this.#rare?.turn;
  }

  /** The first failure, which is the reply if there will be no value. */
  get failure(): Failure | undefined {
    return this.#rare?.failure;
  }

  set failure(failure: Failure | undefined) {
    Context.#rarities(this).failure = failure;
  }

  /** Told when the last subscriber is done. */
  get done(): ((context: Context) => void) | undefined {
    return this.#rare?.done;
  }

  set done(done: ((context: Context) => void) | undefined) {
    Context.#rarities(this).done = done;
  }

  get namespace(): string {
    return this.#rare?.namespace ?? this.socket?.nsp?.name ?? "/";
  }

  set namespace(name: string) {
    Context.#rarities(this).namespace = name;
  }

  get log(): Logger {
    const { subscription, event, namespace } = this;
    const rare = Context.#rarities(this);
    if (rare.log === undefined || rare.log.of !== subscription) {
      const fields = { event: shortName(event), handler: subscription?.handler, namespace, socketId: this.socket?.id };
      rare.log = { of: subscription, logger: this.hub.log.child(fields) };
    }
    return rare.log.logger;
  }

  get signal(): AbortSignal {
    const rare = Context.#rarities(this);
    if (rare.controller === undefined) {
      rare.controller = new AbortController();
      if (this.expired) rare.controller.abort(new EventError("TIMEOUT", "no answer in time"));
      else this.hub.signals.open(this, rare.controller);
    }
    return rare.controller.signal;
  }

  stop(): void {
    if (!this.expired) this.#state |= STOPPED;
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
      Context.#sendFailure(this, toFailure(undefined));
      return true;
    }
    this.send(value);
    return true;
  }

  /**
   * A subscriber returned a value: the reply so far, which takes the place of the one `before`. From a `connect` subscriber `false`
   * is a refusal, and any refusal wins.
   */
  take(value: unknown, before: unknown): unknown {
    if (value === false && this.event === "connect") {
      this.fail(new EventError("FORBIDDEN", "this connection is not allowed"));
      return before;
    }
    if (this.hub.replyFirst && !this.answered) this.send(value);
    return value;
  }

  /** A subscriber failed: the first failure is the reply if there will be no value. */
  fail(thrown: unknown): void {
    const failure = toFailure(thrown);
    this.failure ??= failure;
    this.hub.tell(thrown, failure.error.code, this);
  }

  /** A subscriber that was removed while it waited: it did not run. */
  skip(): undefined {
    this.#state -= ONE_RUN;
    return undefined;
  }

  /** What is lost if it is cut. */
  lost(): CutEvent {
    const { event, namespace, subscription, socket } = this;
    return { event, namespace, handler: subscription?.handler, socketId: socket?.id };
  }

  /** The last subscriber is done: the caller is answered now if it has not been, with the `value` if there is one. */
  finish(value?: unknown): void {
    const ack = this.#ack;
    if (ack === undefined || (this.#state & ANSWERED) !== 0) this.#state |= FINISHED;
    else if (value === undefined) {
      this.#state |= FINISHED;
      Context.#conclude(this, ack);
    } else {
      // As in `send`, once more: a call of it would cost this path, which nearly every event takes, a fifth of what is ours.
      this.#state |= FINISHED | ANSWERED;
      try {
        ack(value);
      } catch (thrown) {
        Context.#unsendable(this, thrown);
      }
    }
    if (this.#rare !== undefined) Context.#close(this, this.#rare);
  }

  /** Answer with a failure that is none of a subscriber's. */
  refuse(failure: Failure): void {
    if (!this.answered) Context.#sendFailure(this, failure);
  }

  /**
   * Give the present subscriber up. What it still does with this context counts for nothing; the subscribers after it go on with
   * the context that is returned.
   */
  expire(reason: EventError): Context {
    this.#state |= EXPIRED;
    const controller = this.#rare?.controller;
    if (controller !== undefined) {
      controller.abort(reason);
      this.hub.signals.close(this, controller);
    }
    this.turn?.giveUp();
    const next = new Context(this.channel, this.socket, this.#given, 0, this.#ack);
    next.#state = this.#state & ~(STOPPED | EXPIRED);
    next.run = this.run;
    if (this.#rare !== undefined) {
      const { failure, done, namespace } = this.#rare;
      Object.assign(Context.#rarities(next), { failure, done, namespace });
    }
    return next;
  }

  /** Answer the caller with a value, if there is one who asks. */
  send(value: unknown): void {
    this.#state |= ANSWERED;
    if (this.#ack === undefined) return;
    try {
      if (value === undefined) this.#ack();
      else this.#ack(value);
    } catch (thrown) {
      Context.#unsendable(this, thrown);
    }
  }

  // Private methods that are static: others give every instance a field more.

  /** Nobody returned a value. */
  static #conclude(context: Context, ack: Acknowledge): void {
    if (context.failure !== undefined) return Context.#sendFailure(context, context.failure);
    // A listener of the application's own on the same event may still mean to answer.
    const isByHand = (context.#state & BY_HAND) !== 0;
    if (!isByHand && context.hub.isShared(ack)) return;
    if (context.#state < ONE_RUN) return context.refuse(refusals.unknownEvent);
    context.#state |= ANSWERED;
    ack();
  }

  /** What only few events have is let go. */
  static #close(context: Context, { controller, done }: Rarities): void {
    if (controller !== undefined) context.hub.signals.close(context, controller);
    done?.(context);
  }

  /** Socket.IO encodes inside the acknowledgement, before it counts as sent, so a reply that can't be encoded leaves it usable. */
  static #unsendable(context: Context, thrown: unknown): void {
    context.fail(thrown);
    Context.#sendFailure(context, toFailure(undefined));
  }

  static #sendFailure(context: Context, failure: Failure): void {
    context.#state |= ANSWERED;
    if (context.#ack === undefined) return;
    try {
      context.#ack(failure);
    } catch (thrown) {
      context.hub.tell(thrown, failure.error.code, context);
      // Code and message are strings, so this one can be encoded.
      context.#ack(bareFailure(failure));
    }
  }

  static #rarities(context: Context): Rarities {
    return (context.#rare ??= new Rarities());
  }
}
