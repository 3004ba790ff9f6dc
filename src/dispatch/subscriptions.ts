import type { NamespacePattern } from "../events/namespace-pattern.js";
import { builtIn } from "../events/managed.js";
import type { CallbackForm, Overflow } from "../events/subscriber.js";
import type { CheckedOptions } from "../events/subscribe-options.js";
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
  /** Whether a schema checks what the client sends. */
  readonly input: boolean;
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
}

/** What is told of a subscription beside what its dispatcher knows. */
type Details = Omit<
  SubscriptionDescription,
  "namespace" | "event" | "order" | "priority" | "guard" | "handler" | "method"
>;

/** What the options of a subscription say to whoever reads the table of events. */
export function detailsOf(options: CheckedOptions, self: unknown): Details {
  const { timeoutMs, concurrency, queueMax, overflow, callback, input, key } = options;
  const limits = { timeoutMs, concurrency, queueMax, overflow, callback };
  return { ...limits, input: input !== undefined, keyed: key !== undefined, builtIn: isBuiltIn(self) };
}

function isBuiltIn(self: unknown): boolean {
  return typeof self === "object" && self !== null && builtIn in self;
}

/** Who listens to what, over all namespaces, each list in the order in which it runs. Lists are replaced, never changed. */
export class Subscriptions {
  readonly #byEvent = new Map<string, readonly Subscription[]>();
  readonly #details = new WeakMap<Subscription, Details>();

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

  add(subscription: Subscription, details: Details): void {
    this.#details.set(subscription, details);
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
    const rest = (this.#byEvent.get(event) ?? []).filter((one) => one !== subscription);
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

  describe(): SubscriptionDescription[] {
    const rows: SubscriptionDescription[] = [];
    for (const [event, subscriptions] of this.#byEvent) {
      const order = new Map<string, number>();
      for (const subscription of subscriptions) {
        const { pattern, priority, guard, handler, method } = subscription;
        const details = this.#details.get(subscription) as Details; // each is added with its own
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
