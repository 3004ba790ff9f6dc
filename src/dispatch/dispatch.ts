import { isThenable } from "../wire/values.js";
import type { Socket } from "socket.io";
import { type Acknowledge, type Arguments, Context, listedArguments, oneArgument } from "./context.js";
import type { Channel, Dispatcher } from "./event-entry.js";
import { toFailure } from "./failures.js";
import type { Flow } from "./flow/in-flight.js";
import { markOwn } from "../socket-io/own-listeners.js";
import type { Hub } from "./hub.js";
import type { Subscription } from "./subscription.js";
import type { Limited, TimeLimit } from "./flow/time-limits.js";
import { startTrace } from "./tracing.js";
import type { Turn } from "./flow/lane-turn.js";
import { EventError } from "../wire/event-error.js";

/*
 * The path of an event, from the socket to the reply:
 *
 *   socket --> dispatcher --> (has to wait? hub.admit) --> dispatch --> advance: one subscriber after another --> context.finish
 *                                                                         \--> Run, once a subscriber returns a promise
 */

/** Makes the one dispatcher of an event. Socket.IO calls it with the socket as `this`, after the application's middleware. */
export function createDispatcher(hub: Hub, channel: Channel): Dispatcher {
  // By name and by `arguments`: a list of all of them would have to be made for every event.
  return markOwn(function dispatcher(this: Socket, first?: unknown, second?: unknown): void {
    // Whoever calls it without a client having sent the event has not been observed.
    if (channel.arriving > 0) channel.arriving--;
    const count = arguments.length;
    let given = first;
    let shape: Arguments = 0;
    let ack: Acknowledge | undefined;
    // What is decoded from a packet is data, so a function can only be the acknowledgement that Socket.IO put there.
    if (count === 2 && typeof second === "function") {
      shape = oneArgument;
      ack = second as Acknowledge;
    } else if (count === 1) {
      if (typeof first === "function") ack = first as Acknowledge;
      else shape = oneArgument;
    } else if (count > 1) {
      const list: unknown[] = [];
      for (let i = 0; i < count; i++) list.push(arguments[i]);
      if (typeof list[count - 1] === "function") ack = list.pop() as Acknowledge;
      given = list;
      shape = listedArguments;
    }
    const context = new Context(channel, this, given, shape, ack);
    const { plan } = channel;
    if (hub.attention === 0 && plan.length === 1 && shape === oneArgument && !hub.traced) {
      alone(context, plan, plan[0] as Subscription, given);
    } else if (hub.attention === 0 || hub.admit(channel, context)) dispatch(hub, channel, context);
  }, "dispatcher");
}

/** What most events are, and {@link advance} does as well, at a third more: a single subscriber and one argument. */
function alone(context: Context, plan: readonly Subscription[], subscription: Subscription, argument: unknown): void {
  const { plain } = subscription;
  if (plain === undefined || !subscription.active) return advance(context, plan, 0, undefined);
  context.beginPlain(subscription);
  let result: unknown;
  let pending: boolean;
  try {
    result = plain.call(subscription.self, context, argument);
    pending = isThenable(result);
  } catch (thrown) {
    context.fail(thrown);
    return context.finish();
  }
  if (pending) start(context, plan).follow(subscription, 0, result as PromiseLike<unknown>, undefined);
  else context.finish(result);
}

/** Runs the subscribers of an event now. Never throws. */
export function dispatch(hub: Hub, channel: Channel, context: Context): void {
  if (hub.traced) traced(channel, context);
  else advance(context, channel.plan, 0, undefined);
}

// Apart: a function that may make a closure pays for it on every call.
function traced(channel: Channel, context: Context): void {
  startTrace(context, () => advance(context, channel.plan, 0, undefined));
}

/**
 * The subscribers from `from` on, in order, until one returns a promise: then the rest waits for it. `value` is the reply so far.
 */
function advance(context: Context, plan: readonly Subscription[], from: number, value: unknown): void {
  for (let i = from; i < plan.length; i++) {
    const subscription = plan[i] as Subscription; // within bounds
    if (!subscription.active) continue; // removed before its turn
    if (context.stopped) break;
    context.begin(subscription);
    let result: unknown;
    let pending: boolean;
    try {
      const { plain } = subscription;
      if (plain !== undefined && context.hasOneArgument) {
        result = plain.call(subscription.self, context, context.argument);
      } else {
        const { args } = context;
        result = subscription.invoke(context, args, args.length);
      }
      pending = isThenable(result);
    } catch (thrown) {
      context.turn?.end();
      context.fail(thrown);
      continue;
    }
    if (pending) {
      const run = context.run ?? start(context, plan);
      return run.follow(subscription, i, result as PromiseLike<unknown>, value);
    }
    context.turn?.end();
    if (result !== undefined) value = context.take(result, value);
  }
  const { run } = context;
  context.finish(value);
  if (run !== undefined) run.end();
}

function start(context: Context, plan: readonly Subscription[]): Run {
  const { hub } = context;
  const flow = hub.flowOf(context.socket);
  const isPlaced = context.turn?.parked !== true && !context.nested;
  const run = hub.spareRuns.pop() ?? new Run();
  run.begin(context, plan, flow, isPlaced);
  if (isPlaced) flow.take();
  return run;
}

const noPlan: readonly Subscription[] = [];

/** What a run is about while it is under way. */
interface Matter {
  readonly context: Context;
  readonly plan: readonly Subscription[];
  readonly flow: Flow;
  readonly isPlaced: boolean;
  readonly index: number;
  readonly value: unknown;
}

/**
 * The part of a dispatch that takes time: it waits for one subscriber after another, each within its time.
 *
 * One that has come to its end is used again: what it takes to wait for a promise costs more than all the rest of an event. One
 * whose subscriber was given up is not, since that subscriber may still settle.
 */
export class Run implements Limited {
  /** Undefined once it is over or given up: what its promise still brings counts for nothing. */
  #context: Context | undefined = undefined;
  #plan: readonly Subscription[] = noPlan;
  #flow: Flow | undefined = undefined;
  /** Whether it has a place among the running events of its transport. */
  #isPlaced = false;
  /** The subscriber it waits for at the moment, and where it stands in the plan. */
  #subscription: Subscription | undefined = undefined;
  #index = 0;
  /** The reply so far. */
  #value: unknown = undefined;
  /** Who counts what comes too late. */
  #hub: Hub | undefined = undefined;
  limit: TimeLimit | undefined = undefined;
  before: Limited | undefined = undefined;
  behind: Limited | undefined = undefined;
  since = -1;

  readonly #onValue = (value: unknown): void => {
    const context = this.#context;
    if (context === undefined) return this.#hub?.count("lateResults");
    this.#leave(context);
    this.#goOn(context, value === undefined ? this.#value : context.take(value, this.#value));
  };

  readonly #onError = (thrown: unknown): void => {
    const context = this.#context;
    if (context === undefined) return this.#hub?.count("lateResults");
    this.#leave(context);
    context.fail(thrown);
    this.#goOn(context, this.#value);
  };

  /** It is about this event from now on; a place, if it has one, has been taken. */
  begin(context: Context, plan: readonly Subscription[], flow: Flow, isPlaced: boolean): void {
    context.run = this;
    this.#context = context;
    this.#plan = plan;
    this.#flow = flow;
    this.#isPlaced = isPlaced;
    context.hub.began();
  }

  get context(): Context | undefined {
    return this.#context;
  }

  /** Wait for what the subscriber at `index` of the plan returned, then go on behind it. */
  follow(subscription: Subscription, index: number, result: PromiseLike<unknown>, value: unknown): void {
    this.#subscription = subscription;
    this.#index = index;
    this.#value = value;
    subscription.enter();
    this.#context?.hub.limits.add(subscription, this);
    settle(result, this.#onValue, this.#onError);
  }

  /** Give its place away while it waits for a lane. */
  park(): void {
    if (!this.#isPlaced) return;
    this.#isPlaced = false;
    this.#flow?.give();
  }

  /** Resolves once it has a place again, or needs none any more. */
  unpark(turn: Turn): Promise<void> {
    const flow = this.#flow;
    if (flow === undefined || turn.over || this.#context?.nested === true) return Promise.resolve();
    return new Promise((resolve) => {
      flow.resume({
        start: () => {
          // Given up while it waited: nobody is left to use the place.
          if (turn.over) flow.give();
          else this.#isPlaced = true;
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
    const context = this.#context as Context; // called while it is under way
    const flow = this.#flow as Flow;
    const isPlaced = this.#isPlaced;
    const { hub } = context;
    context.run = undefined;
    this.#forget();
    if (isPlaced) flow.give();
    hub.spareRuns.put(this);
    hub.ended();
  }

  /** The deadline of a shutdown has come: the caller is told, what still runs counts for nothing. */
  cut(): void {
    if (this.#context === undefined) return;
    const error = new EventError("SHUTTING_DOWN", "the server went away before this was done");
    const { context, flow, isPlaced } = this.#giveUp(this.#context, error);
    context.run = undefined;
    context.refuse(toFailure(error));
    context.finish();
    if (isPlaced) flow.give();
    context.hub.ended();
  }

  /** Its time is over: another run goes on behind the subscriber. */
  expire(): void {
    if (this.#context === undefined) return;
    const error = new EventError("TIMEOUT", "no answer in time");
    this.#context.fail(error);
    const { context, plan, flow, isPlaced, index, value } = this.#giveUp(this.#context, error);
    const next = new Run();
    next.begin(context, plan, flow, isPlaced);
    context.hub.ended();
    next.#index = index;
    next.#goOn(context, value);
  }

  /** On to the next subscriber; one that gave its place away while it waited for a lane needs one first. */
  #goOn(context: Context, value: unknown): void {
    const plan = this.#plan;
    const index = this.#index + 1;
    const flow = this.#flow as Flow; // it is under way
    if (this.#isPlaced || context.nested || index >= plan.length) return advance(context, plan, index, value);
    flow.resume({
      start: () => {
        if (this.#context !== context) return flow.give();
        this.#isPlaced = true;
        advance(context, plan, index, value);
      },
      cut: () => {
        const lost = context.lost();
        this.cut();
        return lost;
      },
    });
  }

  /** The subscriber is given up. What goes on, goes on with another context and without this run. */
  #giveUp(context: Context, error: EventError): Matter {
    this.#hub = context.hub;
    const next = context.expire(error);
    this.#leave(context);
    const matter: Matter = {
      context: next,
      plan: this.#plan,
      flow: this.#flow as Flow, // it is under way
      isPlaced: this.#isPlaced,
      index: this.#index,
      value: this.#value,
    };
    this.#forget();
    return matter;
  }

  /** So that neither a late promise nor a run that waits for its next use holds on to anything. */
  #forget(): void {
    this.#context = undefined;
    this.#plan = noPlan;
    this.#flow = undefined;
    this.#isPlaced = false;
    this.#value = undefined;
  }

  #leave(context: Context): void {
    this.limit?.remove(this);
    this.#subscription?.leave();
    this.#subscription = undefined;
    context.turn?.end();
  }
}

const promiseThen = Promise.prototype.then;

/** `then` for anything that has one: what it throws counts as rejecting, and however often it calls back, it counts once. */
function settle(result: PromiseLike<unknown>, ok: (value: unknown) => void, failed: (thrown: unknown) => void): void {
  try {
    const { then } = result;
    // A promise may carry a `then` of its own that throws or calls back twice.
    if (then === promiseThen && result instanceof Promise) void then.call(result, ok, failed);
    else void promiseThen.call(Promise.resolve(result), ok, failed);
  } catch (thrown) {
    void Promise.reject(thrown).then(ok, failed);
  }
}
