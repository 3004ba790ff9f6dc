import type { Socket } from "socket.io";
import { type Acknowledge, Context } from "./context.js";
import { isThenable } from "./error-subscribers.js";
import type { Channel, Dispatcher } from "./channel.js";
import { toFailure } from "./fault.js";
import type { Flow } from "./flow.js";
import { markOwn } from "./foreign-listeners.js";
import type { Hub } from "./hub.js";
import type { Subscription } from "./subscription.js";
import { startTrace } from "./tracing.js";
import { Turn } from "./turn.js";
import { EventError } from "./wire/event-error.js";

/*
 * The path of an event, from the socket to the reply:
 *
 *   socket --> dispatcher --> (has to wait? hub.admit) --> dispatch --> advance: one subscriber after another --> context.finish
 *                                                                         \--> Run, once a subscriber returns a promise
 */

/** Makes the one dispatcher of an event. Socket.IO calls it with the socket as `this`, after the application's middleware. */
export function createDispatcher(hub: Hub, channel: Channel): Dispatcher {
  return markOwn(function dispatcher(this: Socket, ...args: unknown[]): void {
    channel.arriving--;
    let count = args.length;
    let ack: Acknowledge | undefined;
    // What is decoded from a packet is data, so a function can only be the acknowledgement that Socket.IO put there.
    if (count > 0 && typeof args[count - 1] === "function") ack = args[--count] as Acknowledge;
    if (hub.attention !== 0 && !hub.admit(channel, this, args, count, ack)) return;
    dispatch(hub, channel, new Context(hub, channel.event, this, args, count, ack));
  }, "dispatcher");
}

/** Runs the subscribers of an event now. Never throws. */
export function dispatch(hub: Hub, channel: Channel, context: Context): void {
  if (hub.traced) startTrace(context, () => advance(context, channel.plan, 0));
  else advance(context, channel.plan, 0);
}

/** The subscribers from `start` on, in order, until one returns a promise: then the rest waits for it. */
function advance(context: Context, plan: readonly Subscription[], start: number): void {
  for (let i = start; i < plan.length; i++) {
    const subscription = plan[i] as Subscription; // within bounds
    if (!subscription.active) continue; // removed before its turn
    if (context.stopped) break;
    context.subscription = subscription;
    context.runs++;
    context.turn = subscription.laned ? new Turn() : undefined;
    let result: unknown;
    let pending: boolean;
    try {
      result = subscription.invoke(context, context.args, context.count);
      pending = isThenable(result);
    } catch (thrown) {
      context.turn?.end();
      context.fail(thrown);
      continue;
    }
    if (pending)
      return (context.run ??= new Run(context, plan)).follow(subscription, i, result as PromiseLike<unknown>);
    context.turn?.end();
    if (result !== undefined) context.take(result);
  }
  const { run } = context;
  context.finish();
  run?.end();
}

/** The part of a dispatch that takes time: it waits for one subscriber after another, each within its time. */
export class Run {
  context: Context;
  readonly #plan: readonly Subscription[];
  readonly #flow: Flow;
  #subscription: Subscription | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Which step counts: a promise of an earlier one was given up. */
  #step = 0;
  /** Whether it has a place among the running events of its transport. */
  #placed: boolean;
  /** Whether the last subscriber is done. */
  ended = false;

  constructor(context: Context, plan: readonly Subscription[]) {
    this.context = context;
    this.#plan = plan;
    this.#flow = context.hub.flowOf(context.socket);
    this.#placed = context.turn?.parked !== true && !context.nested;
    context.hub.began(this.#flow, this);
    if (this.#placed) this.#flow.take();
  }

  /** The subscriber it waits for at the moment. */
  get subscription(): Subscription | undefined {
    return this.#subscription;
  }

  /** Wait for what the subscriber at `index` of the plan returned, then go on behind it. */
  follow(subscription: Subscription, index: number, result: PromiseLike<unknown>): void {
    const step = ++this.#step;
    this.#subscription = subscription;
    subscription.enter();
    const { timeoutMs } = subscription;
    if (timeoutMs !== Infinity) this.#timer = setTimeout(() => this.#expire(index), timeoutMs);
    settle(
      result,
      (value) => {
        if (step !== this.#step) return this.context.hub.count("lateResults");
        this.#leave();
        if (value !== undefined) this.context.take(value);
        this.#goOn(index + 1);
      },
      (thrown) => {
        if (step !== this.#step) return this.context.hub.count("lateResults");
        this.#leave();
        this.context.fail(thrown);
        this.#goOn(index + 1);
      },
    );
  }

  /** Give its place away while it waits for a lane. */
  park(): void {
    if (!this.#placed) return;
    this.#placed = false;
    this.#flow.give();
  }

  /** Resolves once it has a place again, or needs none any more. */
  unpark(turn: Turn): Promise<void> {
    if (this.context.nested || turn.over) return Promise.resolve();
    return new Promise((resolve) => {
      this.#flow.resume({
        start: () => {
          // Given up while it waited: nobody is left to use the place.
          if (turn.over) this.#flow.give();
          else this.#placed = true;
          resolve();
        },
        cut: () => {
          resolve();
          return undefined;
        },
      });
    });
  }

  /** The last subscriber is done. */
  end(): void {
    const { hub } = this.context;
    this.ended = true;
    if (this.#placed) this.#flow.give();
    this.#placed = false;
    hub.ended(this.#flow, this);
  }

  /** The deadline of a shutdown has come: the caller is told, what still runs counts for nothing. */
  cut(): void {
    if (this.ended) return;
    this.#step++;
    const error = new EventError("SHUTTING_DOWN", "the server went away before this was done");
    const context = this.context.expire(error);
    this.#leave();
    this.context = context;
    context.refuse(toFailure(error));
    context.finish();
    this.end();
  }

  #expire(index: number): void {
    this.#step++;
    const error = new EventError("TIMEOUT", "no answer in time");
    const { context } = this;
    context.fail(error);
    this.context = context.expire(error);
    this.#leave();
    this.#goOn(index + 1);
  }

  /** On to the subscriber at `index`; one that gave its place away while it waited for a lane needs one first. */
  #goOn(index: number): void {
    if (this.#placed || this.context.nested || index >= this.#plan.length)
      return advance(this.context, this.#plan, index);
    const step = this.#step;
    this.#flow.resume({
      start: () => {
        if (step !== this.#step) return this.#flow.give();
        this.#placed = true;
        advance(this.context, this.#plan, index);
      },
      cut: () => undefined, // the run itself is cut, too
    });
  }

  #leave(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#subscription?.leave();
    this.#subscription = undefined;
    this.context.turn?.end();
  }
}

/** `then` for anything that has one: what it throws, and however often it calls back, it counts once. */
function settle(result: PromiseLike<unknown>, ok: (value: unknown) => void, failed: (thrown: unknown) => void): void {
  let promise: Promise<unknown>;
  try {
    promise = Promise.resolve(result);
  } catch (thrown) {
    promise = Promise.reject(thrown);
  }
  // `Promise.prototype.then` itself: a promise may carry a `then` of its own that throws or calls back twice.
  void Promise.prototype.then.call(promise, ok, failed);
}
