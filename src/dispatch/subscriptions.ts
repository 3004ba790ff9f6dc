import type { NamespacePattern } from "../events/namespace-pattern.js";
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
}

/** Who listens to what, over all namespaces, each list in the order in which it runs. Lists are replaced, never changed. */
export class Subscriptions {
  readonly #byEvent = new Map<string, readonly Subscription[]>();

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

  add(subscription: Subscription): void {
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
      for (const { pattern, priority, guard, handler, method } of subscriptions) {
        const nth = (order.get(pattern.key) ?? 0) + 1;
        order.set(pattern.key, nth);
        rows.push({ namespace: pattern.key, event, order: nth, priority, guard, handler, method });
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
