import type { NamespacePattern } from "../events/namespace-pattern.js";
import { describeInput, type InputDescription } from "../events/input-description.js";
import { builtIn, titleOf } from "../events/managed.js";
import { readsArguments } from "../events/reads-arguments.js";
import type { AnyInterceptor, AnySubscriber, CallbackForm, Overflow } from "../events/subscriber.js";
import type { CheckedOptions } from "../events/subscribe-options.js";
import { type Place, placeOf } from "../lifecycle/observer.js";
import type { Subscription } from "./subscription.js";

/** One row of `SocketIngress.describe`: a subscriber, in the order in which it runs. */
export interface SubscriptionDescription {
  /** The namespace or pattern it was subscribed for. */
  readonly namespace: string;
  /** The event it is subscribed to. */
  readonly event: string;
  /** 1 for the subscriber that runs first. */
  readonly order: number;
  /** Lower runs first. */
  readonly priority: number;
  /** Whether it may refuse: guards run before all that are none. */
  readonly guard: boolean;
  /** The handler or controller it belongs to. */
  readonly handler: string | undefined;
  /** The name of the method or function. */
  readonly method: string | undefined;
  /** What schemas ask of what the client sends, one for each argument; `undefined` if none checks it. */
  readonly input: readonly InputDescription[] | undefined;
  /** Whether it can read what the client sends: it has a parameter behind the context. */
  readonly readsArguments: boolean;
  /** Whether a schema checks its reply outside production. */
  readonly output: boolean;
  /** The interceptors around it by their names, the outermost first: those of the ingress, of the handler, of the event. */
  readonly use: readonly string[];
  /** After how many milliseconds the caller is answered `TIMEOUT`; `Infinity` for never. */
  readonly timeoutMs: number;
  /** How many runs may be under way at once, per socket or key; `Infinity` for any number. */
  readonly concurrency: number;
  /** Whether `concurrency` counts by a `key` instead of by socket. */
  readonly keyed: boolean;
  /** How many events may wait once `concurrency` is reached. */
  readonly queueMax: number;
  /** Who goes without when the queue is full. */
  readonly overflow: Overflow;
  /** How its callers are answered. */
  readonly callback: CallbackForm;
  /** Whether it belongs to a door of this package, such as `realtime`, and not to the application. */
  readonly builtIn: boolean;
  /** What it goes with, such as `ChatController "chat"`: its handler or controller, or the `owner` it was given. */
  readonly owner: string | undefined;
  /** Where its function is written; known to the command line only. */
  readonly source: Place | undefined;
}

/** What a subscription was made of. */
export interface Ingredients {
  readonly options: CheckedOptions;
  readonly fn: AnySubscriber;
  /** The handler or controller it belongs to. */
  readonly self: unknown;
  /** All that is around it, the outermost first. */
  readonly use: readonly AnyInterceptor[];
}

/** What is told of a subscription beside what its dispatcher knows. */
type Details = Omit<
  SubscriptionDescription,
  "namespace" | "event" | "order" | "priority" | "guard" | "handler" | "method"
>;

/** What a subscription says to whoever reads the table of events. */
function detailsOf({ options, fn, self, use }: Ingredients): Details {
  const { timeoutMs, concurrency, queueMax, overflow, callback, input, output, key, owner } = options;
  return {
    ...{ timeoutMs, concurrency, queueMax, overflow, callback },
    input: describeInput(input),
    readsArguments: readsArguments(fn),
    output: output !== undefined,
    use: use.map((one) => one.name || "(anonymous)"),
    keyed: key !== undefined,
    builtIn: isBuiltIn(self),
    owner: titleOf(self ?? owner),
    source: placeOf(fn),
  };
}

/** Whether what subscribes stands behind a door of this package. */
export function isBuiltIn(self: unknown): boolean {
  return typeof self === "object" && self !== null && builtIn in self;
}

/** Who listens to what, over all namespaces, each list in the order in which it runs. Lists are replaced, never changed. */
export class Subscriptions {
  readonly #byEvent = new Map<string, readonly Subscription[]>();
  readonly #madeOf = new WeakMap<Subscription, Ingredients>();

  get size(): number {
    return this.#byEvent.size;
  }

  has(event: string): boolean {
    return this.#byEvent.has(event);
  }

  events(): Iterable<string> {
    return this.#byEvent.keys();
  }

  *patterns(): Iterable<NamespacePattern> {
    for (const subscriptions of this.#byEvent.values()) for (const { pattern } of subscriptions) yield pattern;
  }

  /** The subscribers of an event in one namespace. */
  planOf(event: string, namespace: string): readonly Subscription[] {
    return (this.#byEvent.get(event) ?? []).filter(({ pattern }) => pattern.matches(namespace));
  }

  add(subscription: Subscription, madeOf: Ingredients): void {
    this.#madeOf.set(subscription, madeOf);
    const { event } = subscription;
    const others = this.#byEvent.get(event) ?? [];
    // A stable sort: equal priorities keep the order in which they were subscribed.
    this.#byEvent.set(event, [...others, subscription].sort(inOrder));
  }

  /** From now on it doesn't start any more. False if it was removed before. */
  remove(subscription: Subscription): boolean {
    if (!subscription.active) return false;
    subscription.active = false;
    const { event } = subscription;
    const all = this.#byEvent.get(event) as readonly Subscription[]; // it is active, so it is there
    const rest = all.filter((one) => one !== subscription);
    if (rest.length > 0) this.#byEvent.set(event, rest);
    else this.#byEvent.delete(event);
    return true;
  }

  /** Removes all of them, and tells whose events they were. */
  clear(): string[] {
    const events = [...this.#byEvent.keys()];
    for (const subscriptions of this.#byEvent.values()) for (const one of subscriptions) one.active = false;
    this.#byEvent.clear();
    return events;
  }

  /** A list of its own that begins with these, to find out what more of them would be. */
  copy(): Subscriptions {
    const copy = new Subscriptions();
    for (const subscriptions of this.#byEvent.values())
      for (const one of subscriptions) copy.add(one, this.#madeOf.get(one) as Ingredients); // each is added with its own
    return copy;
  }

  describe(): SubscriptionDescription[] {
    const rows: SubscriptionDescription[] = [];
    for (const [event, subscriptions] of this.#byEvent) {
      const order = new Map<string, number>();
      for (const subscription of subscriptions) {
        const { pattern, priority, guard, handler, method } = subscription;
        const details = detailsOf(this.#madeOf.get(subscription) as Ingredients); // each is added with its own
        const nth = (order.get(pattern.key) ?? 0) + 1;
        order.set(pattern.key, nth);
        rows.push({ namespace: pattern.key, event, order: nth, priority, guard, handler, method, ...details });
      }
    }
    return rows.sort((a, b) => compare(a.namespace, b.namespace) || compare(a.event, b.event) || a.order - b.order);
  }
}

/** Guards before all that are none, lower priorities before higher ones. */
function inOrder(a: Subscription, b: Subscription): number {
  return Number(b.guard) - Number(a.guard) || a.priority - b.priority;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
