import { isThenable } from "../wire/values.js";
import type { Context } from "./context.js";
import type { Counters } from "./counters.js";
import type { EventEntry } from "./event-entry.js";
import { shuttingDown, timedOut } from "./failures.js";
import { toFailure } from "../wire/to-failure.js";
import type { CutEvent, Flow } from "./flow/in-flight.js";
import type { Subscription } from "./subscription.js";
import type { Limited, TimeLimit } from "./flow/time-limits.js";
import { isTraced, startTrace } from "./tracing.js";
import type { LaneTurn } from "./flow/lane-turn.js";
import type { EventError } from "../wire/event-error.js";

/*
 * The way of an event, from the socket to the reply:
 *
 *   socket --> dispatcher --> (traffic.receive: has to wait?) --> dispatch --> advance: one subscriber after another --> context.finish
 *                                                                                \--> Run, once a subscriber returns a promise
 */

/** Runs the subscribers of an event now. Never throws. */
export function dispatch(entry: EventEntry, context: Context): void {
  const { plan } = entry;
  if (isTraced()) traced(context, plan);
  else if (plan.length === 1 && context.hasOneArgument) alone(context, plan, plan[0] as Subscription);
  else advance(context, plan, 0, undefined);
}

// Apart: a function that may make a closure pays for it on every call.
function traced(context: Context, plan: readonly Subscription[]): void {
  startTrace(context, () => advance(context, plan, 0, undefined));
}

/** What most events are, and {@link advance} does as well, at a third more: a single subscriber and one argument (decision 0024). */
function alone(context: Context, plan: readonly Subscription[], subscription: Subscription): void {
  const { plain } = subscription;
  if (plain === undefined || !subscription.active) return advance(context, plan, 0, undefined);
  context.beginPlain(subscription);
  let result: unknown;
  let pending: boolean;
  try {
    result = plain.call(subscription.self, context, context.argument);
    pending = isThenable(result);
  } catch (thrown) {
    context.fail(thrown);
    return context.finish();
  }
  if (pending) start(context, plan).follow(subscription, 0, result as PromiseLike<unknown>, undefined);
  else context.finish(result);
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
      context.laneTurn?.end();
      context.fail(thrown);
      continue;
    }
    if (pending) {
      const run = context.run ?? start(context, plan);
      return run.follow(subscription, i, result as PromiseLike<unknown>, value);
    }
    context.laneTurn?.end();
    if (result !== undefined) value = context.take(result, value);
  }
  const { run } = context;
  context.finish(value);
  if (run !== undefined) run.end();
}

function start(context: Context, plan: readonly Subscription[]): Run {
  const flow = context.state.traffic.flowOf(context.socket);
  const isPlaced = context.laneTurn?.parked !== true && !context.nested;
  const run = spareRuns.pop() ?? new Run();
  run.begin(context, plan, flow, isPlaced);
  if (isPlaced) flow.take();
  return run;
}

const noPlan: readonly Subscription[] = [];

/** A few runs that are over, for the next events that take time; they hold on to nothing. */
const spareRuns: Run[] = [];
const MOST_SPARE_RUNS = 256;

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
  /** Where what comes too late is counted. */
  #counters: Counters | undefined = undefined;
  limit: TimeLimit | undefined = undefined;
  before: Limited | undefined = undefined;
  behind: Limited | undefined = undefined;
  since = -1;
  settled: Promise<void> | undefined = undefined;
  /** Whether it counts as under way. */
  #isCounted = false;

  readonly #onValue = (value: unknown): void => {
    const context = this.#context;
    if (context === undefined) return this.#late();
    this.#leave(context);
    this.#goOn(context, value === undefined ? this.#value : context.take(value, this.#value));
  };

  readonly #onError = (thrown: unknown): void => {
    const context = this.#context;
    if (context === undefined) return this.#late();
    this.#leave(context);
    context.fail(thrown);
    this.#goOn(context, this.#value);
  };

  /** The event it is about from now on; its place among the running ones, if it has one, has been taken. */
  begin(context: Context, plan: readonly Subscription[], flow: Flow, isPlaced: boolean): void {
    context.run = this;
    this.#context = context;
    this.#plan = plan;
    this.#flow = flow;
    this.#isPlaced = isPlaced;
    this.#isCounted = true;
    context.state.underWay.began();
  }

  /** Wait for what the subscriber at `index` of the plan returned, then go on behind it. */
  follow(subscription: Subscription, index: number, result: PromiseLike<unknown>, value: unknown): void {
    this.#subscription = subscription;
    this.#index = index;
    this.#value = value;
    subscription.enter();
    this.#context?.state.underWay.limits.add(subscription, this);
    this.settled = settle(result, this.#onValue, this.#onError);
  }

  outlive(whom: Subscription | "all"): void {
    if (whom === "all" && this.#context !== undefined) this.#ended(this.#context);
    if (whom !== this.#subscription) return;
    this.#subscription.leave();
    this.#subscription = undefined;
  }

  /** Give its place away while it waits for a lane (decision 0010). */
  park(): void {
    if (!this.#isPlaced) return;
    this.#isPlaced = false;
    this.#flow?.give();
  }

  /** Resolves once it has a place again, or needs none any more. */
  unpark(turn: LaneTurn): Promise<void> {
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
    context.run = undefined;
    this.#forget();
    if (isPlaced) flow.give();
    if (spareRuns.length < MOST_SPARE_RUNS) spareRuns.push(this);
    this.#ended(context);
  }

  /** The deadline of a shutdown has come: the caller is told, what still runs counts for nothing. Tells what was lost. */
  cut(): CutEvent | undefined {
    const context = this.#context;
    if (context === undefined) return undefined;
    const lost = context.lost();
    const flow = this.#flow as Flow; // it is under way
    const isPlaced = this.#isPlaced;
    const error = shuttingDown("the server went away before this was done");
    const next = this.#giveUp(context, error);
    this.#forget();
    next.run = undefined;
    next.refuse(toFailure(error));
    next.finish();
    if (isPlaced) flow.give();
    this.#ended(next);
    return lost;
  }

  /** Its time is over: another run goes on behind the subscriber (decision 0008). */
  expire(): void {
    const context = this.#context;
    if (context === undefined) return;
    const error = timedOut();
    context.fail(error);
    const next = this.#giveUp(context, error);
    const heir = new Run();
    heir.begin(next, this.#plan, this.#flow as Flow, this.#isPlaced); // it is under way
    heir.#index = this.#index;
    heir.#value = this.#value;
    this.#forget();
    this.#ended(next);
    heir.#goOn(next, heir.#value);
  }

  /** On to the next subscriber; one that gave its place away while it waited for a lane needs one first. */
  #goOn(context: Context, value: unknown): void {
    const plan = this.#plan;
    const index = this.#index + 1;
    const flow = this.#flow as Flow; // it is under way
    if (this.#isPlaced || context.nested || context.stopped || index >= plan.length)
      return advance(context, plan, index, value);
    flow.parked.add(context);
    flow.resume({
      start: () => {
        flow.parked.delete(context);
        if (this.#context !== context) return flow.give();
        this.#isPlaced = true;
        advance(context, plan, index, value);
      },
      cut: () => {
        flow.parked.delete(context);
        return this.cut();
      },
    });
  }

  /** The subscriber is given up. What goes on, goes on with the context that is returned, and without this run. */
  #giveUp(context: Context, error: EventError): Context {
    this.#counters = context.state.counters;
    const next = context.expire(error);
    this.#leave(context);
    return next;
  }

  #ended(context: Context): void {
    if (!this.#isCounted) return;
    this.#isCounted = false;
    context.state.underWay.ended();
  }

  #late(): void {
    if (this.#counters !== undefined) this.#counters.lateResults++;
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
    this.settled = undefined;
    context.laneTurn?.end();
  }
}

const promiseThen = Promise.prototype.then;

/** `then` for anything that has one: what it throws counts as rejecting, and however often it calls back, it counts once. */
function settle(
  result: PromiseLike<unknown>,
  ok: (value: unknown) => void,
  failed: (thrown: unknown) => void,
): Promise<void> {
  try {
    const { then } = result;
    // A promise may carry a `then` of its own that throws or calls back twice.
    const promise = then === promiseThen && result instanceof Promise ? result : Promise.resolve(result);
    return promiseThen.call(promise, ok, failed) as Promise<void>; // neither returns anything
  } catch (thrown) {
    return Promise.reject(thrown).then(ok, failed);
  }
}
