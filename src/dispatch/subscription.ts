import type { Context } from "./context.js";
import type { NamespacePattern } from "../events/namespace-pattern.js";
import type { TimeLimit } from "./flow/time-limits.js";

/**
 * What runs for one event: given the context, the client's arguments and how many of them count. An acknowledgement may stand
 * behind them in the same array, so nothing reads further than `count`.
 */
export type Invoke = (context: Context, args: readonly unknown[], count: number) => unknown;

/** What a {@link Subscription} is made of. */
export interface SubscriptionInit {
  readonly event: string;
  readonly pattern: NamespacePattern;
  readonly priority: number;
  readonly guard: boolean;
  readonly errorFirst: boolean;
  readonly handler: string | undefined;
  readonly method: string | undefined;
  readonly timeoutMs: number;
}

/** One subscriber of one event, as the dispatcher sees it. */
export class Subscription {
  readonly event: string;
  readonly pattern: NamespacePattern;
  readonly priority: number;
  /** Whether what it throws is the reply, and keeps all that come later from running. */
  readonly guard: boolean;
  /** Whether its callers expect `(null, value)` or `(failure)`. */
  readonly errorFirst: boolean;
  /** The handler, service or controller it belongs to, for logs and errors. */
  readonly handler: string | undefined;
  readonly method: string | undefined;
  /** How long it may take, in milliseconds; `Infinity` for as long as it likes. */
  readonly timeoutMs: number;
  /** Runs it, with everything its options ask for around it; set once, when its pipeline is built. */
  invoke: Invoke = () => undefined;
  /** The subscriber's function itself and its `this`, where there is nothing around it: called without a detour. */
  plain: ((this: unknown, context: Context, argument: unknown) => unknown) | undefined = undefined;
  self: unknown = undefined;
  /** What times its runs; set with the first of them. */
  limit: TimeLimit | undefined = undefined;
  /** Whether it has lanes, and so needs a turn for each of its runs. */
  laned = false;
  /** False from the moment it is removed: it doesn't start any more, however far an event has come. */
  active = true;
  #running = 0;
  #idle: (() => void)[] = [];

  constructor(init: SubscriptionInit) {
    this.event = init.event;
    this.pattern = init.pattern;
    this.priority = init.priority;
    this.guard = init.guard;
    this.errorFirst = init.errorFirst;
    this.handler = init.handler;
    this.method = init.method;
    this.timeoutMs = init.timeoutMs;
  }

  /** An asynchronous run began. Synchronous ones can't be seen from outside. */
  enter(): void {
    this.#running++;
  }

  /** An asynchronous run is over, or was given up at its timeout: nobody waits for it any longer (decision 0022). */
  leave(): void {
    if (--this.#running > 0 || this.#idle.length === 0) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** Whether no run is under way. */
  get idle(): boolean {
    return this.#running === 0;
  }

  /** Resolves once no run is under way. */
  whenIdle(): Promise<void> {
    if (this.idle) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }
}
