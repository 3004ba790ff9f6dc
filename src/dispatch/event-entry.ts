import type { Socket } from "socket.io";
import type { Hub } from "./hub.js";
import type { Subscription } from "./subscription.js";

/** The listener that a socket carries for one event; shared by all sockets of the namespace. */
export type Dispatcher = (this: Socket, ...args: unknown[]) => void;

/** All there is to know about one event of one namespace. */
export class Channel {
  readonly hub: Hub;
  readonly event: string;
  /** Who listens, in order. Never changed: a new list takes its place. */
  plan: readonly Subscription[];
  /** How many events have been observed whose dispatcher has not been called: they come at the next tick, or middleware kept them. */
  arriving = 0;
  /** Which channel the event has by now: events that waited find those who subscribed meanwhile. */
  readonly current: () => Channel;

  constructor(
    hub: Hub,
    event: string,
    plan: readonly Subscription[],
    current?: (event: string) => Channel | undefined,
  ) {
    this.hub = hub;
    this.event = event;
    this.plan = plan;
    this.current = () => current?.(event) ?? this;
  }
}

/**
 * Calls `fn` when events that have been observed, and were not kept by middleware, have reached their dispatchers: Socket.IO calls
 * these a tick after the middleware (`Socket.dispatch` in socket.ts), and this may itself be called from middleware, before that tick
 * has been asked for.
 */
export function afterArrivals(fn: () => void): void {
  process.nextTick(() => process.nextTick(fn));
}
