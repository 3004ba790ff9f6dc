import type { Socket } from "socket.io";
import type { BeforeEvents } from "../before-events.js";
import type { Context } from "../context.js";
import type { Counters } from "../counters.js";
import type { EventEntry } from "../event-entry.js";
import { refusals, timedOut } from "../failures.js";
import { toFailure } from "../../wire/to-failure.js";
import { reservedEvents } from "../../wire/event-names.js";
import { type CutEvent, cutAll, Fifo, Flow, type Waiting } from "./in-flight.js";
import { ClientFaults, shortName } from "../../lifecycle/log.js";
import type { Logger } from "../../lifecycle/logger.js";
import type { Failure } from "../../wire/failure.js";

/** Runs the subscribers of an event now. Never throws. */
export type Dispatch = (entry: EventEntry, context: Context) => void;

/** What a {@link Traffic} is made of. */
export interface TrafficOptions {
  readonly maxInFlight: number;
  readonly maxPending: number;
  readonly dispatch: Dispatch;
  readonly log: Logger;
  readonly counters: Counters;
  readonly before: BeforeEvents;
  /** How long those asked before an event may take together, in milliseconds. */
  readonly askMs: number;
}

/** What waits because its socket is held. */
interface Held {
  readonly queue: Fifo<Waiting>;
  /** The event that those asked before it are still thinking about. */
  asking: Waiting | undefined;
}

/**
 * Which events may run, which wait and which are refused: during a shutdown, while the `connection` subscribers of their socket run,
 * while somebody thinks about an event before it, and while their transport has as many under way as it may. It is asked only while {@link Traffic.attention} is not zero.
 */
export class Traffic {
  /** How many reasons there are at the moment for looking closer at an event before it runs. */
  attention = 0;
  /** Told when events have stopped waiting. */
  onQuieter: () => void = () => undefined;
  readonly #options: TrafficOptions;
  readonly #flows = new WeakMap<object, Flow>();
  /** For what is dispatched by hand, without a socket. */
  readonly #loose: Flow = new Flow({ maxInFlight: Infinity, maxPending: Infinity }, () => undefined);
  /** Those on which events may be waiting. */
  readonly #saturated = new Set<Flow>();
  /** The events of sockets whose `connection` subscribers still run, or behind one about which somebody is asked. */
  readonly #held = new Map<Socket, Held>();
  #draining = false;
  readonly #overloads: ClientFaults;

  constructor(options: TrafficOptions) {
    this.#options = options;
    this.#overloads = new ClientFaults(options.log, "events were answered OVERLOADED");
    options.before.onAny = (any) => (this.attention += any ? 1 : -1);
  }

  /** One for all flows: every connection has a flow. */
  readonly #onSaturation = (flow: Flow, saturated: boolean): void => {
    this.attention += saturated ? 1 : -1;
    if (saturated) this.#saturated.add(flow);
    else this.#saturated.delete(flow);
  };

  /** Whether new events are answered `SHUTTING_DOWN`. */
  get draining(): boolean {
    return this.#draining;
  }

  /** Whether no event waits. */
  get quiet(): boolean {
    return this.#saturated.size === 0 && this.#held.size === 0;
  }

  /** An event has come: it runs, is kept, or is refused. */
  receive(entry: EventEntry, context: Context): void {
    const { dispatch, counters } = this.#options;
    if (this.#draining) {
      counters.refusedByShutdown++;
      return context.refuse(refusals.shuttingDown);
    }
    const { socket } = context;
    const held = this.#held.get(socket);
    const flow = socket === undefined ? undefined : this.#flows.get(socket.conn);
    const isAsked = held === undefined && this.#options.before.any && !context.byHand;
    if (held === undefined && !isAsked && flow?.saturated !== true) return dispatch(entry, context);
    if (isAsked && flow?.saturated !== true) return this.#askFirst(entry, context);
    const mustWait = held !== undefined || flow?.saturated === true;
    if (mustWait && this.flowOf(socket).full) return this.#overloaded(context);
    const event = this.#waiting(entry, context);
    if (held !== undefined) held.queue.push(event);
    else if (isAsked) this.#ask(event);
    else this.flowOf(socket).wait(event);
  }

  /** Whether a caller may wait for the answer of its request id, until {@link Flow.callerWent}; if not, it is answered. */
  mayAwait(caller: Context): boolean {
    if (this.flowOf(caller.socket).callerCame()) return true;
    this.#overloaded(caller);
    return false;
  }

  /** Ask about an event with nothing before it: mostly that is all, and nothing has to be made that could wait. */
  #askFirst(entry: EventEntry, context: Context): void {
    const verdict = this.#options.before.ask(context);
    if (verdict === false) return;
    const isFree = this.#flows.get(context.socket.conn)?.saturated !== true;
    if (verdict === true && isFree) return this.#options.dispatch(entry.current(), context);
    this.#heed(verdict, this.#waiting(entry, context));
  }

  /** Ask about an event. */
  #ask(event: Waiting): void {
    this.#heed(this.#options.before.ask(event.context), event);
  }

  /** An event goes on as those say who were asked; what its socket sends meanwhile waits behind it. */
  #heed(verdict: boolean | Promise<boolean>, event: Waiting): void {
    const { context } = event;
    if (verdict === true) return this.#enter(event);
    if (verdict === false) return;
    const { socket, done } = context;
    this.hold(socket);
    const held = this.#held.get(socket) as Held; // just held
    held.asking = event;
    const { askMs } = this.#options;
    const timer = askMs === Infinity ? undefined : setTimeout(() => giveUp(context, toFailure(timedOut())), askMs);
    const goOn = (): void => {
      clearTimeout(timer);
      // Cut, or dropped with its socket.
      if (held.asking !== event) return;
      held.asking = undefined;
      this.#letGo(socket, held);
    };
    // One that was given up is not waited for any longer.
    context.done = (ended) => {
      goOn();
      done?.(ended);
    };
    void verdict.then((mayGoOn) => {
      if (!mayGoOn) return;
      context.done = done;
      if (held.asking === event) this.#enter(event);
      goOn();
    });
  }

  /** It runs, or waits for a place among the running ones. */
  #enter(event: Waiting): void {
    const flow = this.flowOf(event.context.socket);
    if (flow.saturated) flow.wait(event);
    else event.start();
  }

  /** What waits of a socket is answered and forgotten: how many events that were. */
  dropPending(socket: Socket, failure: Failure): number {
    const ofClient = (event: Waiting): boolean => event.context.socket === socket && !event.isTold;
    const held = this.#held.get(socket);
    const flow = this.#flows.get(socket.conn);
    const dropped = [...(held?.queue.take(ofClient) ?? []), ...(flow?.takeOut(ofClient) ?? [])];
    for (const { context } of dropped) giveUp(context, failure);
    // What is told by the server itself may have a lane, too.
    const parked = [...(flow?.parked ?? [])].filter((one) => one.socket === socket && !reservedEvents.has(one.event));
    for (const context of parked) {
      context.end(failure);
      context.refuse(failure);
      context.laneTurn?.end();
    }
    const asking = held?.asking;
    if (asking !== undefined) giveUp(asking.context, failure);
    return dropped.length + parked.length + (asking === undefined ? 0 : 1);
  }

  /** Run what a socket tells of its own life, such as `disconnect`, behind all its events that wait (decision 0007). */
  after(entry: EventEntry, context: Context): void {
    const held = this.#held.get(context.socket);
    const flow = this.#flows.get(context.socket.conn);
    if (held !== undefined) held.queue.push(this.#waiting(entry, context, true));
    else if (flow !== undefined && flow.waiting > 0) flow.wait(this.#waiting(entry, context, true));
    else this.#options.dispatch(entry, context);
  }

  #waiting(entry: EventEntry, context: Context, isTold = false): Waiting {
    const { dispatch } = this.#options;
    return {
      context,
      isTold,
      start: () => dispatch(entry.current(), context),
      cut: () => {
        // A disconnect is ours to tell, and what cleans up; nobody waits for an answer to it.
        if (isTold) {
          dispatch(entry.current(), context);
          return undefined;
        }
        context.refuse(refusals.shuttingDown);
        context.finish();
        return context.lost();
      },
    };
  }

  /** Keep the events of a socket until {@link Traffic.release}. */
  hold(socket: Socket): void {
    if (this.#held.has(socket)) return;
    const held: Held = { queue: new Fifo<Waiting>(), asking: undefined };
    this.#held.set(socket, held);
    this.flowOf(socket).kept.add(held.queue);
    this.attention++;
  }

  /** Let the events of a socket run that were kept, in order, and those that come from now on. */
  release(socket: Socket): void {
    const held = this.#held.get(socket);
    if (held !== undefined) this.#letGo(socket, held);
  }

  #letGo(socket: Socket, held: Held): void {
    const { before } = this.#options;
    const flow = this.flowOf(socket);
    // Still held meanwhile: what arrives during this loop belongs behind what arrived before.
    for (let next = held.queue.shift(); next !== undefined; next = held.queue.shift()) {
      if (before.any && !next.isTold && !next.context.byHand) {
        this.#ask(next);
        if (held.asking !== undefined) return;
      } else if (flow.saturated) flow.wait(next);
      else next.start();
    }
    this.drop(socket);
  }

  /** Forget the events of a socket that were kept: it was not admitted after all. */
  drop(socket: Socket): void {
    const held = this.#held.get(socket);
    if (held !== undefined) {
      this.#held.delete(socket);
      this.flowOf(socket).kept.delete(held.queue);
      this.attention--;
    }
    this.onQuieter();
  }

  /** What the transport of a socket has under way. */
  flowOf(socket: Socket | undefined): Flow {
    const conn = socket?.conn;
    if (conn === undefined) return this.#loose;
    let flow = this.#flows.get(conn);
    if (flow === undefined) {
      flow = new Flow(this.#options, this.#onSaturation);
      this.#flows.set(conn, flow);
    }
    return flow;
  }

  /** From now on new events are answered `SHUTTING_DOWN`, until {@link Traffic.open}. */
  close(): void {
    if (this.#draining) return;
    this.#draining = true;
    this.attention++;
  }

  /** From now on events run again. */
  open(): void {
    if (!this.#draining) return;
    this.#draining = false;
    this.attention--;
  }

  /** Give up what waits: callers are answered `SHUTTING_DOWN`. Tells what was lost. */
  cut(): CutEvent[] {
    const cut: CutEvent[] = [];
    for (const [socket, held] of this.#held) {
      const { asking } = held;
      held.asking = undefined;
      const lost = asking?.cut();
      if (lost !== undefined) cut.push(lost);
      cut.push(...cutAll(held.queue));
      this.flowOf(socket).kept.delete(held.queue);
    }
    this.attention -= this.#held.size;
    this.#held.clear();
    for (const flow of [...this.#saturated]) cut.push(...flow.cut());
    return cut;
  }

  #overloaded(context: Context): void {
    this.#options.counters.overloaded++;
    context.refuse(refusals.overloaded);
    this.#overloads.write(() => {
      const { event, namespace, socket } = context;
      const fields = { event: shortName(event), namespace, socketId: socket?.id };
      return { fields, message: "a connection sends more events than may wait" };
    });
  }
}

/** It does not run: the caller is told why. */
function giveUp(context: Context, failure: Failure): void {
  context.refuse(failure);
  context.finish();
}
