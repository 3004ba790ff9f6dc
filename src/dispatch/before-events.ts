import type { Socket } from "socket.io";
import type { Arrival } from "../events/arrival.js";
import { Refused } from "../events/refused.js";
import type { Context } from "./context.js";
import type { Subscription } from "./subscription.js";
import { isBuiltIn } from "./subscriptions.js";
import type { Logger } from "../lifecycle/logger.js";
import { type Place, placeOf } from "../lifecycle/observer.js";
import type { Failure } from "../wire/failure.js";
import { isEventError } from "../wire/event-error.js";
import { isThenable } from "../wire/values.js";
import { toFailure } from "../wire/to-failure.js";

/** One row of the list of those who are asked about each event that a client sends. */
export interface BeforeEventDescription {
  /** The handler it belongs to. */
  readonly handler: string | undefined;
  /** The name of the method or function. */
  readonly method: string | undefined;
  /** Lower is asked first. */
  readonly priority: number;
  /** Whether it belongs to a door of this package, such as `limits`, and not to the application. */
  readonly builtIn: boolean;
  /** Where its function is written; known to the command line only. */
  readonly source: Place | undefined;
}

/** Who is asked once for each event that a client sends, in order. Lists are replaced, never changed. */
export class BeforeEvents {
  /** Told when somebody is asked, and when nobody is any more. */
  onAny: (any: boolean) => void = () => undefined;
  #asked: readonly Subscription[] = [];

  /** Whether anybody is asked. */
  get any(): boolean {
    return this.#asked.length > 0;
  }

  add(one: Subscription): void {
    // A stable sort keeps the order of those with equal priorities.
    this.#become([...this.#asked, one].sort(byPriority));
  }

  /** From now on it is not asked any more. False if it was removed before. */
  remove(one: Subscription): boolean {
    if (!one.active) return false;
    one.active = false;
    this.#become(this.#asked.filter((other) => other !== one));
    return true;
  }

  /** Who is asked, and who would be beside them, in order. */
  describe(others: readonly Subscription[]): BeforeEventDescription[] {
    return [...this.#asked, ...others].sort(byPriority).map(({ handler, method, priority, plain, self }) => ({
      handler,
      method,
      priority,
      builtIn: isBuiltIn(self),
      source: placeOf(plain),
    }));
  }

  /** Removes all of them. */
  clear(): void {
    for (const one of this.#asked) one.active = false;
    this.#become([]);
  }

  #become(asked: readonly Subscription[]): void {
    const before = this.any;
    this.#asked = asked;
    if (this.any !== before) this.onAny(this.any);
  }

  /** Asks them in turn. Whether the event may go on; a promise of that as soon as one of them takes time. It never rejects. */
  ask(context: Context): boolean | Promise<boolean> {
    return ask(this.#asked, 0, context, new ArrivalOf(context));
  }
}

function byPriority(a: Subscription, b: Subscription): number {
  return a.priority - b.priority;
}

function ask(
  asked: readonly Subscription[],
  from: number,
  context: Context,
  arrival: Arrival,
): boolean | Promise<boolean> {
  for (let i = from; i < asked.length; i++) {
    const one = asked[i] as Subscription; // within bounds
    if (!one.active) continue;
    context.subscription = one;
    try {
      const result = one.plain?.call(one.self, arrival as never, undefined);
      if (result instanceof Refused) return refuse(result.error, context, result.failure);
      if (isThenable(result)) return wait(result, asked, i, context, arrival);
    } catch (thrown) {
      return refuse(thrown, context);
    }
  }
  context.subscription = undefined;
  return true;
}

async function wait(
  result: PromiseLike<unknown>,
  asked: readonly Subscription[],
  index: number,
  context: Context,
  arrival: Arrival,
): Promise<boolean> {
  const one = asked[index] as Subscription; // as in `ask`
  one.enter();
  try {
    const refused = await result;
    if (refused instanceof Refused) return context.finished ? false : refuse(refused.error, context, refused.failure);
  } catch (thrown) {
    // Given up meanwhile: it has been answered.
    return context.finished ? false : refuse(thrown, context);
  } finally {
    one.leave();
  }
  return context.finished ? false : ask(asked, index + 1, context, arrival);
}

/** The caller is told; the error subscribers, where there is no caller, or where it is a fault. */
function refuse(thrown: unknown, context: Context, failure: Failure = toFailure(thrown)): false {
  if (!context.asks || !isEventError(thrown)) context.state.errors.tellOf(thrown, failure.error.code, context);
  context.refuse(failure);
  context.finish();
  return false;
}

/** An {@link Arrival} as a view of its context: most of those who are asked read little of it. */
class ArrivalOf implements Arrival {
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
  }

  get event(): string {
    return this.#context.event;
  }

  get requestId(): string | undefined {
    return this.#context.requestId;
  }

  get args(): readonly unknown[] {
    return this.#context.args;
  }

  get socket(): Socket {
    return this.#context.socket;
  }

  get log(): Logger {
    return this.#context.log;
  }
}
