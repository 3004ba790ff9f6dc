import type { Context } from "../context.js";

/** A first-in first-out queue whose ends cost the same however long it is. */
export class Fifo<T> {
  #items: (T | undefined)[] = [];
  #head = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  shift(): T | undefined {
    if (this.#head === this.#items.length) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head++] = undefined;
    if (this.#head > 512 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  /** Takes those out that fit, in order. */
  take(fits: (item: T) => boolean): T[] {
    const all = this.#items.slice(this.#head) as T[]; // holes are only before the head
    this.#items = all.filter((item) => !fits(item));
    this.#head = 0;
    return all.filter(fits);
  }
}

/** What did not finish before the deadline of a shutdown. */
export interface CutEvent {
  /** The event that was cut. */
  readonly event: string;
  /** Its concrete namespace. */
  readonly namespace: string;
  /** The handler that was running it, if it had begun and belongs to one. */
  readonly handler: string | undefined;
  /** The socket that had sent it. */
  readonly socketId: string | undefined;
}

/** What waits for a place among the running ones. */
export interface Resuming {
  /** Let it start. */
  start(): void;
  /** The deadline of a shutdown has come: it will not run. Tells what was lost. */
  cut(): CutEvent | undefined;
}

/** An event that waits to run. */
export interface Waiting extends Resuming {
  readonly context: Context;
  /** Whether it is told by the server itself, such as `disconnect`: no client waits for it. */
  readonly isTold: boolean;
}

/** How many events of one transport may run at once, and how many may wait. */
export interface FlowLimits {
  readonly maxInFlight: number;
  readonly maxPending: number;
}

/**
 * What one transport has under way, over all its namespaces: runs that are not over yet, and events that wait because as many
 * run as may. A client can open many namespaces on one transport, so a limit per socket would be none.
 */
export class Flow {
  readonly #limits: FlowLimits;
  /** Told when events start to wait, and when none does any more. */
  readonly #onSaturation: (flow: Flow, saturated: boolean) => void;
  #running = 0;
  #callers = 0;
  // Every connection has a flow, and few ever wait: each of these is made when it is first needed.
  #kept: Set<Fifo<Waiting>> | undefined = undefined;
  #parked: Set<Context> | undefined = undefined;
  #resuming: Fifo<Resuming> | undefined = undefined;
  #waiting: Fifo<Waiting> | undefined = undefined;
  #saturated = false;

  constructor(limits: FlowLimits, onSaturation: (flow: Flow, saturated: boolean) => void) {
    this.#limits = limits;
    this.#onSaturation = onSaturation;
  }

  /** Queues of sockets whose `connection` subscribers are not done. */
  get kept(): Set<Fifo<Waiting>> {
    return (this.#kept ??= new Set());
  }

  /** Events that wait for a lane of a subscriber, or behind it, and hold no place meanwhile (decision 0010). */
  get parked(): Set<Context> {
    return (this.#parked ??= new Set());
  }

  /** How many events wait. */
  get waiting(): number {
    return this.#waiting?.length ?? 0;
  }

  /** Whether as many events of this transport wait as may: for a place, a lane, or the `connection` subscribers of their socket. */
  get full(): boolean {
    let pending = this.waiting + (this.#parked?.size ?? 0);
    for (const queue of this.#kept ?? []) pending += queue.length;
    return pending >= this.#limits.maxPending;
  }

  /** One more caller waits for the answer of its request id, which may be an earlier event's. False if as many do as events may run and wait. */
  callerCame(): boolean {
    if (this.#callers >= this.#limits.maxInFlight + this.#limits.maxPending) return false;
    this.#callers++;
    return true;
  }

  /** A caller has its answer. */
  callerWent(): void {
    this.#callers--;
  }

  /** Whether the next event has to wait. */
  get saturated(): boolean {
    return this.#saturated;
  }

  /** A run takes a place. The event that goes beyond the limit is never the one that asks: it has been stopped before. */
  take(): void {
    if (++this.#running >= this.#limits.maxInFlight) this.#update();
  }

  /** A run gives its place back: it is over, or waits for a lane. */
  give(): void {
    this.#running--;
    // Otherwise a place was free already, so nothing waits for one.
    if (this.#saturated) this.#next();
  }

  /** Wait for a place, before all events that have not started. */
  resume(waiting: Resuming): void {
    if (this.#running < this.#limits.maxInFlight) {
      this.take();
      waiting.start();
      return;
    }
    (this.#resuming ??= new Fifo()).push(waiting);
  }

  /** Wait for a place, in order of arrival. */
  wait(waiting: Waiting): void {
    (this.#waiting ??= new Fifo()).push(waiting);
    this.#update();
  }

  /** Takes out the events that fit. */
  takeOut(fits: (event: Waiting) => boolean): Waiting[] {
    const taken = this.#waiting?.take(fits) ?? [];
    this.#update();
    return taken;
  }

  /** Nothing that waits will start any more. Tells what was lost. */
  cut(): CutEvent[] {
    const cut: CutEvent[] = [];
    for (const queue of [this.#resuming, this.#waiting] as (Fifo<Resuming> | undefined)[])
      if (queue !== undefined) cut.push(...cutAll(queue));
    this.#update();
    return cut;
  }

  #next(): void {
    while (this.#running < this.#limits.maxInFlight) {
      const resumed = this.#resuming?.shift();
      if (resumed !== undefined) {
        this.#running++;
        resumed.start();
        continue;
      }
      const next = this.#waiting?.shift();
      if (next === undefined) break;
      next.start();
    }
    this.#update();
  }

  #update(): void {
    const saturated = this.#running >= this.#limits.maxInFlight || this.waiting > 0;
    if (saturated === this.#saturated) return;
    this.#saturated = saturated;
    this.#onSaturation(this, saturated);
  }
}

/** Empties a queue of what waits, and tells what was lost. */
export function cutAll(queue: Fifo<Resuming>): CutEvent[] {
  const cut: CutEvent[] = [];
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const lost = next.cut();
    if (lost !== undefined) cut.push(lost);
  }
  return cut;
}
