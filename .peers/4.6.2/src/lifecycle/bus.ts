import { describeValue, isThenable, printable } from "../wire/values.js";
import { writeLog } from "./log.js";
import type { Logger } from "./logger.js";
import { isOwner, type Owner } from "./cleanups.js";

/** The events of a bus nobody described: any name, any arguments. */
// `any` is what lets a listener name its own arguments when there is no map to check them against.
export type AnyBusEvents = Record<string, (...args: any[]) => unknown>;

/** The arguments of one event of a map `{ name(...args): void }`. */
export type BusArgs<Events extends object, Event extends keyof Events> = Events[Event] extends (
  ...args: infer Args
) => unknown
  ? Args
  : never;

/** Who a listener belongs to. */
export interface ListenOptions {
  /** The listener goes when its owner goes. */
  readonly owner?: Owner;
}

interface Listener {
  readonly fn: (...args: unknown[]) => unknown;
  active: boolean;
}

/**
 * Events inside one process, between the services, handlers and controllers of one manager. Nothing here reaches a client.
 *
 * @example
 * ```ts
 * const bus = new Bus<{ "user:renamed"(id: string, name: string): void }>(log);
 * const off = bus.listen("user:renamed", (id, name) => cache.set(id, name), { owner: service });
 * bus.emit("user:renamed", "u1", "Ada");
 * ```
 */
export class Bus<Events extends object = AnyBusEvents> {
  readonly #listeners = new Map<string, readonly Listener[]>();
  readonly #log: Logger;

  /** `log` is told of listeners that fail. */
  constructor(log: Logger) {
    this.#log = log;
  }

  /**
   * Have `fn` called whenever `event` is emitted, after those that listen already. One that is added while an event is
   * emitted hears the next one, one that is removed meanwhile hears nothing more.
   *
   * @returns a function that stops it; called again it does nothing.
   * @throws TypeError when the event is blank, `fn` is no function or the owner is none; nothing is left behind.
   */
  listen<Event extends keyof Events & string>(
    event: Event,
    fn: (...args: BusArgs<Events, Event>) => unknown,
    options: ListenOptions = {},
  ): () => void {
    assertEvent("listen", event);
    if (typeof fn !== "function") {
      throw new TypeError(`listen("${event}") expects a function, got ${describeValue(fn)}`);
    }
    const { owner } = options;
    if (owner !== undefined && !isOwner(owner)) {
      throw new TypeError(`listen("${event}") expects an owner with addCleanup(), got ${describeValue(owner)}`);
    }
    // The map says what the arguments are, emit is held to the same map, so the listener gets what it named.
    const listener: Listener = { fn: fn as (...args: unknown[]) => unknown, active: true };
    let forget: unknown;
    const undo = (): void => {
      if (!listener.active) return;
      listener.active = false;
      this.#remove(event, listener);
      if (typeof forget === "function") forget();
    };
    forget = owner?.addCleanup(undo);
    if (listener.active) this.#listeners.set(event, [...(this.#listeners.get(event) ?? []), listener]);
    return undo;
  }

  /**
   * Call everyone who listens to `event`, in the order in which they came, in this tick. What they return is not waited for.
   * One that throws or rejects is logged and never stops the others, nor the caller.
   *
   * @throws TypeError when the event is blank.
   */
  emit<Event extends keyof Events & string>(event: Event, ...args: BusArgs<Events, Event>): void {
    assertEvent("emit", event);
    // The list is never changed in place, so it needs no copy.
    for (const listener of this.#listeners.get(event) ?? []) {
      if (listener.active) this.#call(event, listener, args);
    }
  }

  /** How many listen to `event`, or to anything. */
  listenerCount(event?: keyof Events & string): number {
    if (event !== undefined) return this.#listeners.get(event)?.length ?? 0;
    let count = 0;
    for (const list of this.#listeners.values()) count += list.length;
    return count;
  }

  #call(event: string, listener: Listener, args: unknown[]): void {
    try {
      const result = listener.fn(...args);
      if (isThenable(result)) {
        Promise.resolve(result).catch((error: unknown) => this.#report(event, listener, error));
      }
    } catch (error) {
      this.#report(event, listener, error);
    }
  }

  #report(event: string, listener: Listener, error: unknown): void {
    writeLog(
      this.#log,
      "error",
      { err: printable(error), event, listener: listener.fn.name },
      "a listener on the bus failed",
    );
  }

  #remove(event: string, listener: Listener): void {
    const rest = (this.#listeners.get(event) ?? []).filter((other) => other !== listener);
    if (rest.length === 0) this.#listeners.delete(event);
    else this.#listeners.set(event, rest);
  }
}

function assertEvent(method: string, event: unknown): void {
  if (typeof event === "string" && event.trim() !== "") return;
  throw new TypeError(`${method} expects the name of an event, got ${describeValue(event)}`);
}
