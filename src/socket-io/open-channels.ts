import type { EventEmitter } from "node:events";
import type { Namespace, Socket } from "socket.io";
import { afterArrivals, Channel, type Dispatcher } from "../dispatch/event-entry.js";
import { createDispatcher } from "../dispatch/dispatch.js";
import type { Hub } from "../dispatch/hub.js";
import type { Subscription } from "../dispatch/subscription.js";

/**
 * How many dispatchers a socket keeps from one event to the next. Each takes 24 bytes and more of its table of listeners, most clients
 * send the same few events again and again, and to put one back costs a client that takes turns with many a hundredth of its event.
 */
const MOST_DISPATCHERS = 4;

/** An event that somebody listens to, with the dispatcher that sockets carry for it. */
export class OpenChannel extends Channel {
  readonly dispatcher: Dispatcher;

  constructor(hub: Hub, event: string, plan: readonly Subscription[], current: (event: string) => Channel | undefined) {
    super(hub, event, plan, current);
    this.dispatcher = createDispatcher(hub, this);
  }
}

/** The events of one namespace that somebody listens to, and which sockets carry a dispatcher for which of them. */
export class OpenChannels {
  readonly #namespace: Namespace;
  readonly #hub: Hub;
  /** Whether sockets carry all dispatchers from the start, rather than those of the events they send. */
  readonly #eager: boolean;
  readonly #channels = new Map<unknown, OpenChannel>();

  constructor(namespace: Namespace, hub: Hub, eager: boolean) {
    this.#namespace = namespace;
    this.#hub = hub;
    this.#eager = eager;
  }

  /** The channel of an event, if anybody listens to it. A name from the wire may be anything. */
  get(event: unknown): OpenChannel | undefined {
    return this.#channels.get(event);
  }

  /** Whether events have been observed whose dispatcher has not been called yet. */
  get arriving(): boolean {
    for (const { arriving } of this.#channels.values()) if (arriving > 0) return true;
    return false;
  }

  /** The subscribers of `event` changed. */
  update(event: string, plan: readonly Subscription[]): void {
    const channel = this.#channels.get(event);
    if (channel !== undefined) {
      channel.plan = plan;
      if (plan.length === 0) this.#close(channel);
    } else if (plan.length > 0) {
      const opened = new OpenChannel(this.#hub, event, plan, (name) => this.#channels.get(name));
      this.#channels.set(event, opened);
      if (this.#eager) for (const socket of this.#namespace.sockets.values()) attach(socket, event, opened.dispatcher);
    }
  }

  /** A socket is served from now on. */
  serve(socket: Socket): void {
    if (this.#eager) for (const { event, dispatcher } of this.#channels.values()) attach(socket, event, dispatcher);
  }

  /** The socket has sent the event, and carries no dispatcher for it. */
  attach(socket: EventEmitter, channel: OpenChannel): void {
    socket.on(channel.event, channel.dispatcher);
    if (!this.#eager && socket.eventNames().length > MOST_DISPATCHERS) this.#relieve(socket, channel);
  }

  /** Takes all dispatchers off a socket. */
  leave(socket: EventEmitter): void {
    for (const { event, dispatcher } of this.#channels.values()) socket.off(event, dispatcher);
  }

  /** Forgets all events. */
  clear(): void {
    this.#channels.clear();
  }

  /**
   * Nobody listens any more. Events that have been observed already come at the next tick (`Socket.dispatch` in socket.ts) and still
   * find the dispatcher, which answers them; then it goes. Without any on their way, or that middleware kept, it goes at once.
   */
  #close(channel: OpenChannel): void {
    if (channel.arriving === 0) this.#retire(channel);
    else afterArrivals(() => this.#retire(channel));
  }

  #retire(channel: OpenChannel): void {
    // Somebody may have subscribed meanwhile, or the namespace may have been left.
    if (channel.plan.length > 0 || this.#channels.get(channel.event) !== channel) return;
    this.#channels.delete(channel.event);
    for (const socket of this.#namespace.sockets.values())
      (socket as EventEmitter).off(channel.event, channel.dispatcher);
  }

  /** A socket that has sent many different events lets go of all but the newest dispatcher: they come back when they are needed. */
  #relieve(socket: EventEmitter, newest: OpenChannel): void {
    const others: OpenChannel[] = [];
    for (const event of socket.eventNames()) {
      const channel = this.#channels.get(event);
      if (channel === undefined || channel === newest) continue;
      if (socket.listenerCount(event, channel.dispatcher) > 0) others.push(channel);
    }
    if (others.length < MOST_DISPATCHERS) return;
    // One that is on its way, of whatever socket, has been observed and would not find its dispatcher.
    for (const { event, dispatcher, arriving } of others) if (arriving <= 0) socket.off(event, dispatcher);
  }
}

/** Puts a listener of ours on a socket, unless it has it. */
export function attach(socket: EventEmitter, event: string, listener: (this: Socket, ...args: never[]) => void): void {
  if (socket.listenerCount(event, listener) === 0) socket.on(event, listener as (...args: unknown[]) => void);
}
