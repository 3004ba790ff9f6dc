import type { IngressState } from "./ingress-state.js";
import type { Subscription } from "./subscription.js";

/** All there is to know about one event of one namespace. */
export class EventEntry {
  readonly state: IngressState;
  readonly event: string;
  /** Who listens, in order. Never changed: a new list takes its place. */
  plan: readonly Subscription[];
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
}
