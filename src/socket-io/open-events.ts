import type { EventEmitter } from "node:events";
import type { Namespace, Socket } from "socket.io";
import { EventEntry } from "../dispatch/event-entry.js";
import { afterArrivals, createDispatcher, type Dispatcher } from "./dispatcher.js";
import type { IngressState } from "../dispatch/ingress-state.js";
import type { Subscription } from "../dispatch/subscription.js";

/** An event that somebody listens to, with the dispatcher that sockets carry for it. */
export class OpenEvent extends EventEntry {
  readonly dispatcher: Dispatcher;
  /** How many events have been observed whose dispatcher has not been called: they come at the next tick, or middleware kept them. */
  arriving = 0;

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

/** The events of one namespace that somebody listens to, and which sockets carry a dispatcher for which of them (decision 0040). */
export class OpenEvents {
  readonly #namespace: Namespace;
  readonly #state: IngressState;
  /** Whether sockets carry all dispatchers from the start, rather than those of the events they send. */
  readonly #eager: boolean;
  readonly #entries = new Map<unknown, OpenEvent>();

  constructor(namespace: Namespace, state: IngressState, eager: boolean) {
    this.#namespace = namespace;
    this.#state = state;
    this.#eager = eager;
  }

  /** The entry of an event, if anybody listens to it. A name from the wire may be anything. */
  get(event: unknown): OpenEvent | undefined {
    return this.#entries.get(event);
  }

  /** Whether events have been observed whose dispatcher has not been called yet. */
  get arriving(): boolean {
    for (const { arriving } of this.#entries.values()) if (arriving > 0) return true;
    return false;
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
  leave(socket: EventEmitter): void {
    for (const { event, dispatcher } of this.#entries.values()) socket.off(event, dispatcher);
  }

  /** Forgets all events. */
  clear(): void {
    this.#entries.clear();
  }

  /**
   * Nobody listens any more. Events that have been observed already come at the next tick (`Socket.dispatch` in socket.ts) and still
   * find the dispatcher, which answers them; then it goes. Without any on their way, or that middleware kept, it goes at once
   * (decision 0002).
   */
  #close(entry: OpenEvent): void {
    if (entry.arriving === 0) this.#retire(entry);
    else afterArrivals(() => this.#retire(entry));
  }

  #retire(entry: OpenEvent): void {
    // Somebody may have subscribed meanwhile, or the namespace may have been left.
    if (entry.plan.length > 0 || this.#entries.get(entry.event) !== entry) return;
    this.#entries.delete(entry.event);
    for (const socket of this.#namespace.sockets.values()) (socket as EventEmitter).off(entry.event, entry.dispatcher);
  }
}

/** Puts a listener of ours on a socket, unless it has it. */
export function attach(socket: EventEmitter, event: string, listener: (this: Socket, ...args: never[]) => void): void {
  if (socket.listenerCount(event, listener) === 0) socket.on(event, listener as (...args: unknown[]) => void);
}
