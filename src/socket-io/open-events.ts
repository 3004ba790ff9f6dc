import type { EventEmitter } from "node:events";
import type { Namespace, Socket } from "socket.io";
import { EventEntry } from "../dispatch/event-entry.js";
import { Arrivals, type Coming } from "./arrivals.js";
import { afterArrivals, createDispatcher, type Dispatcher } from "./dispatcher.js";
import type { IngressState } from "../dispatch/ingress-state.js";
import type { Subscription } from "../dispatch/subscription.js";

/** An event that somebody listens to, with the dispatcher that sockets carry for it. */
export class OpenEvent extends EventEntry {
  readonly dispatcher: Dispatcher;
  /** Which events have been observed whose dispatcher has not been called. */
  readonly arrivals: Arrivals = new Arrivals();

  constructor(
    state: IngressState,
    event: string,
    plan: readonly Subscription[],
    current: (event: string) => EventEntry | undefined,
  ) {
    super(state, event, plan, current);
    this.dispatcher = createDispatcher(this);
  }
}

/** Takes over the events of a socket that middleware of the application still has when their dispatcher goes. */
export type LeftBehind = (socket: Socket, event: string, coming: Coming) => void;

/** What {@link OpenEvents} are made of. */
export interface OpenEventsOptions {
  readonly state: IngressState;
  readonly eager: boolean;
  readonly leftBehind: LeftBehind;
}

/** The events of one namespace that somebody listens to, and which sockets carry a dispatcher for which of them (decision 0040). */
export class OpenEvents {
  readonly #namespace: Namespace;
  readonly #state: IngressState;
  /** Whether sockets carry all dispatchers from the start, rather than those of the events they send. */
  readonly #eager: boolean;
  readonly #leftBehind: LeftBehind;
  readonly #entries = new Map<unknown, OpenEvent>();

  constructor(namespace: Namespace, { state, eager, leftBehind }: OpenEventsOptions) {
    this.#namespace = namespace;
    this.#state = state;
    this.#eager = eager;
    this.#leftBehind = leftBehind;
  }

  /** The entry of an event, if anybody listens to it. A name from the wire may be anything. */
  get(event: unknown): OpenEvent | undefined {
    return this.#entries.get(event);
  }

  /** Whether events have been observed whose dispatcher has not been called yet. */
  get arriving(): boolean {
    return [...this.#entries.values()].some(({ arrivals }) => arrivals.any);
  }

  /** The subscribers of `event` changed. */
  update(event: string, plan: readonly Subscription[]): void {
    const entry = this.#entries.get(event);
    if (entry !== undefined) {
      entry.plan = plan;
      if (plan.length === 0) this.#close(entry);
    } else if (plan.length > 0) {
      const opened = new OpenEvent(this.#state, event, plan, (name) => this.#entries.get(name));
      this.#entries.set(event, opened);
      if (this.#eager) for (const socket of this.#namespace.sockets.values()) attach(socket, event, opened.dispatcher);
    }
  }

  /** A socket is served from now on. */
  serve(socket: Socket): void {
    if (this.#eager) for (const { event, dispatcher } of this.#entries.values()) attach(socket, event, dispatcher);
  }

  /** Takes all dispatchers off a socket. */
  leave(socket: Socket): void {
    for (const entry of this.#entries.values()) this.#take(socket, entry);
  }

  #take(socket: Socket, { event, dispatcher, arrivals }: OpenEvent): void {
    (socket as EventEmitter).off(event, dispatcher);
    const coming = arrivals.any ? arrivals.take(socket) : undefined;
    if (coming !== undefined) this.#leftBehind(socket, event, coming);
  }

  /** Forgets all events. */
  clear(): void {
    this.#entries.clear();
  }

  /**
   * Nobody listens any more. Events that have been observed already come at the next tick (`Socket.dispatch` in socket.ts) and still
   * find the dispatcher, which answers them; then it goes, and what middleware still has is left to those who answer unknown events.
   * Without any on their way it goes at once (decision 0002).
   */
  #close(entry: OpenEvent): void {
    if (!entry.arrivals.any) this.#retire(entry);
    else afterArrivals(() => this.#retire(entry));
  }

  #retire(entry: OpenEvent): void {
    // Somebody may have subscribed meanwhile, or the namespace may have been left.
    if (entry.plan.length > 0 || this.#entries.get(entry.event) !== entry) return;
    this.#entries.delete(entry.event);
    for (const socket of this.#namespace.sockets.values()) this.#take(socket, entry);
  }
}

/** Puts a listener of ours on a socket, unless it has it. */
export function attach(socket: EventEmitter, event: string, listener: (this: Socket, ...args: never[]) => void): void {
  if (socket.listenerCount(event, listener) === 0) socket.on(event, listener as (...args: unknown[]) => void);
}
