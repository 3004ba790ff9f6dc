import type { IngressState } from "./ingress-state.js";
import type { Subscription } from "./subscription.js";

/** All there is to know about one event of one namespace. */
export class EventEntry {
  readonly state: IngressState;
  readonly event: string;
  #plan: readonly Subscription[] = [];
  /** Whether its callers expect `(null, value)` or `(failure)`: all of them, if one subscriber says so. */
  errorFirst = false;
  /** The entry that the event has by now: events that waited find those who subscribed meanwhile. */
  readonly current: () => EventEntry;

  constructor(
    state: IngressState,
    event: string,
    plan: readonly Subscription[],
    current?: (event: string) => EventEntry | undefined,
  ) {
    this.state = state;
    this.event = event;
    this.plan = plan;
    this.current = () => current?.(event) ?? this;
  }

  /** Who listens, in order. Never changed: a new list takes its place. */
  get plan(): readonly Subscription[] {
    return this.#plan;
  }

  set plan(plan: readonly Subscription[]) {
    this.#plan = plan;
    this.errorFirst = plan.some((subscription) => subscription.errorFirst);
  }
}
