import { defuse, isThenable } from "../wire/values.js";
import type { Server, Socket } from "socket.io";
import type { EventEntry } from "./event-entry.js";
import type { Run } from "./dispatch.js";
import type { EventContext } from "../events/event-context.js";
import { notAllowed, refusals, timedOut } from "./failures.js";
import { toFailure } from "../wire/to-failure.js";
import { type Acknowledge, checkDecodable, noteSecondReply, sendFailure, sendInstead, sendValue } from "./reply.js";
import type { CutEvent } from "./flow/in-flight.js";
import type { IngressState } from "./ingress-state.js";
import { shortName } from "../lifecycle/log.js";
import type { Logger } from "../lifecycle/logger.js";
import type { Subscription } from "./subscription.js";
import { LaneTurn } from "./flow/lane-turn.js";
import type { EventError } from "../wire/event-error.js";
import type { Failure } from "../wire/failure.js";

const noArgs: readonly unknown[] = Object.freeze([]);

/** What only few events need, made when it is first set. */
class Rarities {
  failure: Failure | undefined = undefined;
  laneTurn: LaneTurn | undefined = undefined;
  done: ((context: Context) => void) | undefined = undefined;
  controller: AbortController | undefined = undefined;
  log: { readonly of: Subscription | undefined; readonly logger: Logger } | undefined = undefined;
  namespace: string | undefined = undefined;
  requestId: string | undefined = undefined;
}

// What `Context.#bits` is made of: its lowest bits, and above them how many subscribers have run.
const STOPPED = 1;
const EXPIRED = 2;
const ANSWERED = 4;
const FINISHED = 8;
const BY_HAND = 16;
const NESTED = 32;
const ONE_ARGUMENT = 64;
const LISTED_ARGUMENTS = 128;
const REFUSED = 256;
const ERROR_FIRST = 512;
const DETACHED = 1024;
const ONE_RUN = 2048;

/** What {@link Context.finish} can't do in its stride. */
const NOT_PLAIN = ANSWERED | REFUSED | ERROR_FIRST;

/** How many arguments a {@link Context} is given: none, one, or a list of them. */
export type Shape = 0 | typeof ONE_ARGUMENT | typeof LISTED_ARGUMENTS;
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
  readonly entry: EventEntry;
  readonly socket: Socket;
  readonly #given: unknown;
  readonly #ack: Acknowledge | undefined;
  #bits: number;
  /** The one that runs. */
  subscription: Subscription | undefined = undefined;
  /** The asynchronous part, while there is one. */
  run: Run | undefined = undefined;
  #rare: Rarities | undefined = undefined;

  constructor(entry: EventEntry, socket: Socket, given: unknown, shape: Shape, ack: Acknowledge | undefined) {
    this.entry = entry;
    this.socket = socket;
    this.#given = given;
    this.#ack = ack;
    this.#bits = entry.errorFirst ? shape | ERROR_FIRST : shape;
  }

  /** A context for what a server does by itself, such as telling of a connection. */
  static of(entry: EventEntry, socket: Socket, done: (context: Context) => void): Context {
    const context = new Context(entry, socket, undefined, 0, undefined);
    context.done = done;
    return context;
  }

  get state(): IngressState {
    return this.entry.state;
  }

  get event(): string {
    return this.entry.event;
  }

  /** What the client sent, without the acknowledgement. */
  get args(): readonly unknown[] {
    if ((this.#bits & LISTED_ARGUMENTS) !== 0) return this.#given as readonly unknown[]; // as the constructor was told
    return (this.#bits & ONE_ARGUMENT) !== 0 ? [this.#given] : noArgs;
  }

  get hasOneArgument(): boolean {
    return (this.#bits & ONE_ARGUMENT) !== 0;
  }

  /** The argument, where there is one. */
  get argument(): unknown {
    return this.#given;
  }

  /** A subscriber is about to run. */
  begin(subscription: Subscription): void {
    this.subscription = subscription;
    this.#bits += ONE_RUN;
    if (subscription.laned) Context.#rarities(this).laneTurn = new LaneTurn();
    else if (this.#rare !== undefined) this.#rare.laneTurn = undefined;
  }

  /** The same for the first subscriber of an event, where nothing is around it. */
  beginPlain(subscription: Subscription): void {
    this.subscription = subscription;
    this.#bits += ONE_RUN;
  }

  get expired(): boolean {
    return (this.#bits & EXPIRED) !== 0;
  }

  /** Whether no further subscriber runs. */
  get stopped(): boolean {
    return (this.#bits & (STOPPED | REFUSED)) !== 0;
  }

  /** Its run is what counts, not its socket: the signal outlives that, and the reply is taken as it is. */
  detach(requestId: string): void {
    Context.#rarities(this).requestId = requestId;
    this.#bits = (this.#bits & ~ERROR_FIRST) | DETACHED;
  }

  /** Whether it goes on when its socket goes. */
  get detached(): boolean {
    return (this.#bits & DETACHED) !== 0;
  }

  /** The id under which its caller repeats it. */
  get requestId(): string | undefined {
    return this.#rare?.requestId;
  }

  /** Whether the caller's callback takes `(null, value)` or `(failure)`. */
  get errorFirst(): boolean {
    return (this.#bits & ERROR_FIRST) !== 0;
  }

  get answered(): boolean {
    return (this.#bits & ANSWERED) !== 0;
  }

  /** Whether somebody waits for a reply. */
  get asks(): boolean {
    return this.#ack !== undefined;
  }

  /** Whether the last subscriber is done. */
  get finished(): boolean {
    return (this.#bits & FINISHED) !== 0;
  }

  /** Dispatched from inside another event of the same connection, in whose place it runs. */
  get nested(): boolean {
    return (this.#bits & NESTED) !== 0;
  }

  /** It is dispatched by the application itself, not by a client: listeners of its own don't hear of it, and the caller is a promise. */
  markByHand(nested: boolean): void {
    this.#bits = (this.#bits & ~ERROR_FIRST) | (nested ? BY_HAND | NESTED : BY_HAND);
  }

  /** Whether the application itself dispatched it. */
  get byHand(): boolean {
    return (this.#bits & BY_HAND) !== 0;
  }

  /** The turn of a subscriber that has lanes. */
  get laneTurn(): LaneTurn | undefined {
    return this.#rare?.laneTurn;
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
      rare.log = { of: subscription, logger: this.state.log.child(fields) };
    }
    return rare.log.logger;
  }

  get signal(): AbortSignal {
    const rare = Context.#rarities(this);
    if (rare.controller === undefined) {
      rare.controller = new AbortController();
      if (this.expired) rare.controller.abort(timedOut());
      else this.state.signals.open(this, rare.controller);
    }
    return rare.controller.signal;
  }

  stop(): void {
    if (!this.expired) this.#bits |= STOPPED;
  }

  reply(value?: unknown, ...more: unknown[]): boolean {
    if (this.expired || this.answered) {
      if (this.expired) this.state.counters.lateReplies++;
      else noteSecondReply(this);
      return false;
    }
    try {
      // Reading it may throw, too: it is whatever the subscriber has at hand.
      if (isThenable(value)) {
        defuse(value);
        throw new TypeError("reply() takes a value, got a promise: await it, or return it");
      }
      if (more.length > 0) {
        throw new TypeError(
          `reply() takes one value, got ${more.length + 1}; for callers that expect (error, value) there is the option callback: "errorFirst"`,
        );
      }
    } catch (thrown) {
      this.fail(thrown);
      this.refuse(toFailure(undefined));
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
      this.fail(notAllowed());
      return before;
    }
    if (!this.state.replyFirst) return value;
    const first = before === undefined ? value : before;
    // A guard behind this one may still refuse.
    if (!this.answered && this.subscription?.guard !== true) this.send(first);
    return first;
  }

  /**
   * A subscriber failed: the first failure is the reply if there will be no value. A guard's is the reply, and no later subscriber
   * runs.
   */
  fail(thrown: unknown): void {
    const failure = toFailure(thrown);
    if (this.subscription?.guard === true) this.end(failure);
    else this.failure ??= failure;
    this.state.errors.tellOf(thrown, failure.error.code, this);
  }

  /** No further subscriber runs, and this is the reply, whatever was returned before. */
  end(failure: Failure): void {
    this.failure = failure;
    this.#bits |= REFUSED;
  }

  /** A subscriber that was removed while it waited: it did not run. */
  skip(): undefined {
    this.#bits -= ONE_RUN;
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
    if (ack === undefined) this.#bits |= FINISHED;
    else if (value === undefined || (this.#bits & NOT_PLAIN) !== 0) Context.#conclude(this, ack, value);
    else {
      // As in `send`, once more: a call of it would cost this path, which nearly every event takes, a fifth of what is ours.
      this.#bits |= FINISHED | ANSWERED;
      try {
        if (typeof value === "object") checkDecodable(this, value);
        ack(value);
      } catch (thrown) {
        sendInstead(this, ack, thrown);
      }
    }
    if (this.#rare !== undefined) Context.#close(this, this.#rare);
  }

  /** Answer with a failure that is none of a subscriber's. */
  refuse(failure: Failure): void {
    if (this.answered) return;
    this.#bits |= ANSWERED;
    if (this.#ack !== undefined) sendFailure(this, this.#ack, failure);
  }

  /**
   * Give the present subscriber up. What it still does with this context counts for nothing; the subscribers after it go on with
   * the context that is returned.
   */
  expire(reason: EventError): Context {
    this.#bits |= EXPIRED;
    const controller = this.#rare?.controller;
    if (controller !== undefined) {
      controller.abort(reason);
      this.state.signals.close(this, controller);
    }
    this.laneTurn?.giveUp();
    const next = new Context(this.entry, this.socket, this.#given, 0, this.#ack);
    next.#bits = this.#bits & ~(STOPPED | EXPIRED);
    next.run = this.run;
    if (this.#rare !== undefined) {
      const { failure, done, namespace } = this.#rare;
      Object.assign(Context.#rarities(next), { failure, done, namespace });
    }
    return next;
  }

  /** Answer the caller with a value, if there is one who asks. */
  send(value: unknown): void {
    this.#bits |= ANSWERED;
    if (this.#ack !== undefined) sendValue(this, this.#ack, value);
  }

  // Private methods that are static: others give every instance a field more.

  /** The last subscriber is done, and the reply is no plain value. */
  static #conclude(context: Context, ack: Acknowledge, value: unknown): void {
    context.#bits |= FINISHED;
    if (context.answered) return;
    if (value !== undefined && (context.#bits & REFUSED) === 0) return context.send(value);
    if (context.failure !== undefined) return context.refuse(context.failure);
    // A listener of the application's own on the same event may still mean to answer (decision 0006).
    if (!context.byHand && context.state.sharedAcks.has(ack)) return;
    if (context.#bits < ONE_RUN) {
      if (!context.byHand) context.state.counters.unknownEvents++;
      return context.refuse(refusals.unknownEvent);
    }
    context.send(undefined);
  }

  /** What only few events have is let go. */
  static #close(context: Context, { controller, done }: Rarities): void {
    if (controller !== undefined) context.state.signals.close(context, controller);
    done?.(context);
  }

  static #rarities(context: Context): Rarities {
    return (context.#rare ??= new Rarities());
  }
}
