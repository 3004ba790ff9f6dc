import { describeValue, printable, reasonOf } from "./wire/values.js";
import { Background, type BackgroundTask } from "./lifecycle/background.js";
import type { AppServer } from "./events/subscriber.js";
import { bindHost, type Host } from "./events/host.js";
import { asPart, checkHost, checkRequires, type Part, subjectOf, tellDrain } from "./events/managed.js";
import { Lifecycle } from "./lifecycle/lifecycle.js";
import { defaultLogger } from "./lifecycle/default-logger.js";
import { writeLog } from "./lifecycle/log.js";
import type { Logger } from "./lifecycle/logger.js";
import { Cleanups, type Owner } from "./lifecycle/cleanups.js";
import type { Key, WaitForOptions } from "./lifecycle/registry.js";
import { changed, type StateSubscriber, StateWatchers } from "./lifecycle/service-state.js";

/**
 * Where a service is in its life. `degraded` runs, but some of its background work failed and has not succeeded since;
 * `failed` could not start.
 */
export type ServiceStatus = "idle" | "starting" | "ok" | "degraded" | "stopping" | "stopped" | "failed";

/** How a service is, for whoever operates it. It may name internals: don't publish it to clients. */
export interface ServiceHealth {
  /** The name of the service. */
  readonly name: string;
  /** Where it is in its life, and whether all is well. */
  readonly status: ServiceStatus;
  /** How often its background work failed since it was started. */
  readonly failures: number;
  /** Why it is `degraded` or `failed`. */
  readonly reason?: string;
}

/** What a service can adopt: something that can be stopped, such as another service or a handler. */
export interface Adoptable {
  /** Ends it; awaited when its parent stops. */
  stop(): unknown;
}

/** What belongs to one life of a service, from one start to the stop after it. */
interface Life {
  readonly cleanups: Cleanups;
  readonly background: Background;
}

/** How a controller takes its part in the life of the service it is: after `onStart`, and before `onStop`. */
export const afterStart: unique symbol = Symbol("socket-ingress.afterStart");
/** See {@link afterStart}. */
export const beforeStop: unique symbol = Symbol("socket-ingress.beforeStop");

/**
 * Background work and everything it opened, under one name. What a service starts, listens to, provides or owns goes when it
 * stops, in reverse.
 *
 * It runs by itself, by `start()` and `stop()`, or registered with a manager, which lends it a registry and a bus.
 *
 * @typeParam State - the shape of its state; give the first one as a field of the class
 *
 * @example
 * ```ts
 * class Metrics extends Service<{ beats: number }> {
 *   readonly name = "metrics";
 *   override state = { beats: 0 };
 *
 *   override async onStart() {
 *     const db = this.own(await openDatabase());
 *     this.listen("beat", () => this.setState(({ beats }) => ({ beats: beats + 1 })));
 *     this.interval(() => db.write(this.state.beats), 10_000);
 *   }
 * }
 * ```
 */
export abstract class Service<State extends object = object> implements Owner, AsyncDisposable {
  /** What the service is called: in logs, in health, and in the registry. A manager takes each name once. */
  abstract readonly name: string;

  /**
   * What has to be there before this service starts: other services, by name or class, and whatever else is provided to the
   * manager by then.
   *
   * @default none
   */
  readonly requires: readonly Key[] = [];

  /** What the service is about to know; the field's value is where every life begins. Change it by `Service.setState`. */
  // The one cast: a class that names no state has an empty one, and a class that names one gives the field.
  state: Readonly<State> = {} as State;

  #status: "idle" | "starting" | "running" | "stopping" | "stopped" | "failed" = "idle";
  #host: Host | undefined;
  #adopted = false;
  #log: Logger | undefined;
  #firstState: Readonly<State> | undefined;
  #startError: { readonly error: unknown } | undefined;
  readonly #lifecycle = new Lifecycle();
  // Not of this State, so that a service of any state is a Service.
  readonly #watchers = new StateWatchers<object>((error) => this.#write(error, "a subscriber of the state failed"));
  readonly #children = new Set<object>();
  #life: Life = this.#newLife();

  /** Runs at every start. Throwing or rejecting fails the start: what was opened until then is cleaned up. */
  onStart(): unknown {
    return undefined;
  }

  /**
   * Called when the manager's shutdown begins, beside the events that still run, while the connections are open: the time to say goodbye
   * and to put away what is kept in memory. What it returns is waited for within the grace, and within 250 ms kept for it where others
   * used the grace up. What it throws is reported and stops nothing.
   *
   * @param _signal - aborts when the waiting is over
   */
  onDrain(_signal: AbortSignal): unknown {
    return undefined;
  }

  /** Runs at every stop, before the cleanups. Throwing or rejecting is reported by `stop()` and keeps nothing from being cleaned up. */
  onStop(): unknown {
    return undefined;
  }

  /**
   * Start: `Service.onStart`, after a stop that is under way. Started already, it does nothing; calls that overlap share
   * one start. It can be started again after it stopped or failed.
   *
   * @throws whatever `onStart` throws, or an Error when the service was stopped meanwhile.
   */
  start(): Promise<void> {
    return this.#lifecycle.start((wanted) => this.#start(wanted));
  }

  /**
   * Stop: abort `Service.signal`, wait for a start under way, then `onStop`, then every cleanup in reverse, each awaited.
   * Stopped already, it does nothing; calls that overlap share one stop. Work of the service must not wait for its own stop.
   *
   * @throws what `onStop` or a cleanup threw, once everything has run; an AggregateError when it was more than one.
   */
  stop(): Promise<void> {
    return this.#lifecycle.stop((starting) => this.#stop(starting));
  }

  /** The same as `Service.stop`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /** Aborts when the service is asked to stop, and when its start fails. Every start has a signal of its own. */
  get signal(): AbortSignal {
    return this.#life.background.signal;
  }

  /** A logger whose lines carry the name of the service. */
  get log(): Logger {
    this.#log ??= (this.#host?.log ?? defaultLogger()).child({ service: this.name });
    return this.#log;
  }

  /** The manager's server, or `undefined` while there is none. */
  get io(): AppServer | undefined {
    return this.#host?.io;
  }

  /** How the service is. Override it to add what you know: `{ ...super.health(), queue: 3 }`. */
  health(): ServiceHealth {
    const { failures, failing } = this.#life.background;
    const failed = this.#startError ?? (this.#status === "running" ? failing : undefined);
    const status = this.#status === "running" ? (failing ? "degraded" : "ok") : this.#status;
    return { name: this.name, status, failures, ...(failed && { reason: reasonOf(failed.error) }) };
  }

  /**
   * Run `fn` every `ms` milliseconds, the first time in `ms` milliseconds. Runs don't overlap: a turn that comes while the last
   * one still goes on is left out. What it throws is logged, and the service is `degraded` until a run succeeds.
   *
   * @returns the function that ends it. It ends at stop, which waits for a run that goes on.
   */
  interval(fn: BackgroundTask, ms: number): () => void {
    return this.#life.background.interval(fn, ms);
  }

  /**
   * Run `fn` once, in `ms` milliseconds. What it throws is logged, and the service is `degraded` from then on.
   *
   * @returns the function that calls it off. It is called off at stop, which waits for it when it runs.
   */
  timeout(fn: BackgroundTask, ms: number): () => void {
    return this.#life.background.timeout(fn, ms);
  }

  /**
   * Run `task` beside everything else. Its signal aborts at stop, which then waits for it to end; so a task that runs for long
   * has to heed it. What it throws is logged, and the service is `degraded` from then on; throwing because of the signal is fine.
   *
   * @returns the function that aborts its signal.
   */
  spawn(task: BackgroundTask): () => void {
    return this.#life.background.spawn(task);
  }

  /**
   * Listen on the manager's bus until the service stops.
   *
   * @returns the function that ends it.
   * @throws Error when the service has no manager.
   */
  // As untyped as the bus of a manager is.
  listen(event: string, fn: (...args: any[]) => unknown): () => void {
    return this.#hosted("listen").bus.listen(event, fn, { owner: this });
  }

  /**
   * Emit on the manager's bus.
   * @throws Error when the service has no manager.
   */
  emit(event: string, ...args: unknown[]): void {
    this.#hosted("emit").bus.emit(event, ...args);
  }

  /**
   * What was provided to the manager under `key`.
   * @throws Error naming the key when nothing was, or when the service has no manager.
   */
  require<T>(key: Key<T>): T {
    return this.#hosted("require").registry.require(key);
  }

  /** What was provided to the manager under `key`, or `undefined`. */
  resolve<T>(key: Key<T>): T | undefined {
    return this.#host?.registry.resolve(key);
  }

  /**
   * What is provided to the manager under `key`, as soon as it is. Stopping the service ends the wait.
   * @throws Error naming the key when the time is over, the signal's reason, or an Error when the service has no manager.
   */
  async waitFor<T>(key: Key<T>, options: WaitForOptions = {}): Promise<T> {
    return this.#hosted("waitFor").registry.waitFor(key, { signal: this.signal, ...options });
  }

  /**
   * Provide `value` to everyone in the manager until the service stops.
   *
   * @returns the function that takes it back.
   * @throws Error when the key is taken or the service has no manager.
   */
  provide<T>(key: Key<T>, value: T): () => void {
    return this.#hosted("provide").registry.provide(key, value, { owner: this });
  }

  /**
   * Take in a service or handler: it finds this service's manager, and is stopped when this service stops. Starting it is
   * up to you: `await this.adopt(new Child()).start()`.
   *
   * @returns the child.
   * @throws TypeError when it has no `stop()`.
   */
  adopt<T extends Adoptable>(child: T): T {
    if (typeof (child as Partial<Adoptable> | undefined)?.stop !== "function") {
      throw new TypeError(`adopt expects a service or handler, with stop(), got ${describeValue(child)}`);
    }
    tellHost(child, this.#host);
    if (child instanceof Service) child.#adopted = true;
    this.#children.add(child);
    this.addCleanup(async () => {
      this.#children.delete(child);
      await child.stop();
      tellHost(child, undefined);
    });
    return child;
  }

  /**
   * Have `resource` stopped when the service stops, by the first of `close`, `stop`, `disconnect`, `destroy`, `terminate`, `kill`
   * and the dispose symbols that it has. A service that is stopped already stops it at once.
   *
   * @returns the resource; `null` and `undefined` are given back.
   * @throws TypeError when it can't be stopped.
   */
  own<T>(resource: T): T {
    return this.#life.cleanups.own(resource);
  }

  /**
   * Have `fn` run when the service stops. A service that is stopped already runs it at once.
   *
   * @returns the function that forgets it.
   */
  addCleanup(fn: () => unknown): () => void {
    return this.#life.cleanups.add(fn);
  }

  /** The state as it is now. */
  getState(): Readonly<State> {
    return this.state;
  }

  /**
   * Change some members of the state. The state is a new object then, and its subscribers are told, unless every member was
   * the same already.
   */
  setState(change: Partial<State> | ((state: Readonly<State>) => Partial<State>)): void {
    this.#firstState ??= this.state;
    const previous = this.state;
    const next = changed(previous, typeof change === "function" ? change(previous) : change);
    if (next === previous) return;
    this.state = next;
    this.#watchers.tell(next, previous);
  }

  /**
   * Have `fn` told of every change of the state, until the service stops. What it throws is logged and stops nobody.
   *
   * @returns the function that ends it.
   */
  subscribe(fn: StateSubscriber<State>): () => void {
    if (typeof fn !== "function") throw new TypeError(`subscribe expects a function, got ${describeValue(fn)}`);
    // It is told of this service's states only.
    const unwatch = this.#watchers.add(fn as StateSubscriber<object>);
    const forget = this.addCleanup(unwatch);
    return () => {
      unwatch();
      forget();
    };
  }

  /** Tell the service which manager it belongs to. Managers do this. @internal */
  [bindHost](host: Host | undefined): void {
    checkHost(this.name, this.#host, host);
    this.#host = host;
    this.#log = undefined;
    for (const child of this.#children) tellHost(child, host);
  }

  /** @internal */
  [asPart](): Part {
    const subject = subjectOf(this, "Service");
    return {
      kind: "service",
      name: this.name,
      target: this,
      requires: checkRequires(subject, this.requires),
      bind: (host) => this[bindHost](host),
      start: () => this.start(),
      drain: (signal) => this[tellDrain](signal),
      stop: () => this.stop(),
      declared: () => undefined,
    };
  }

  /** @internal */
  async [tellDrain](signal: AbortSignal): Promise<void> {
    if (this.#status !== "running") return;
    const children = [...this.#children] as { readonly [tellDrain]?: (signal: AbortSignal) => Promise<void> }[];
    const told = [async () => this.onDrain(signal), ...children.map((child) => async () => child[tellDrain]?.(signal))];
    const outcomes = await Promise.allSettled(told.map((tell) => tell()));
    const errors = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason as unknown] : []));
    throwAll(errors, `${JSON.stringify(this.name)} failed to drain`);
  }

  /** What a controller does once `onStart` has finished. @internal */
  protected [afterStart](): unknown {
    return undefined;
  }

  /** What a controller does before `onStop`. @internal */
  protected [beforeStop](): unknown {
    return undefined;
  }

  async #start(wanted: () => boolean): Promise<void> {
    if (!wanted()) throw this.#takenBack();
    this.#beginLife();
    const life = this.#life;
    this.#status = "starting";
    try {
      this.#provideItself();
      await this.onStart();
      if (wanted()) await this[afterStart]();
    } catch (error) {
      await this.#fail(life, error, wanted);
    }
    // A stop was asked for meanwhile: it waits for this start, and finds the service running.
    this.#status = "running";
    if (!wanted()) throw this.#takenBack();
  }

  /** Leaves nothing of a start that failed, and throws what it failed of. */
  async #fail(life: Life, error: unknown, wanted: () => boolean): Promise<never> {
    life.background.abort(error);
    for (const other of await life.cleanups.run()) this.#write(other, "a cleanup failed after a failed start");
    if (!wanted()) {
      this.#status = "stopped";
      throw this.#takenBack(error);
    }
    this.#startError = { error };
    this.#status = "failed";
    throw error;
  }

  async #stop(starting: Promise<void>): Promise<void> {
    const life = this.#life;
    // At once, for a start that hangs to hear of it.
    life.background.abort(new DOMException(`${JSON.stringify(this.name)} was stopped`, "AbortError"));
    await starting;
    const errors: unknown[] = [];
    if (this.#status === "running") {
      this.#status = "stopping";
      for (const step of [() => this[beforeStop](), () => this.onStop()]) {
        try {
          await step();
        } catch (error) {
          errors.push(error);
        }
      }
    }
    errors.push(...(await life.cleanups.run()));
    if (this.#status !== "failed") this.#status = "stopped";
    throwAll(errors, `${JSON.stringify(this.name)} failed to stop cleanly`);
  }

  /** The first life began with the constructor, so that what was owned there is not lost. */
  #beginLife(): void {
    this.#startError = undefined;
    this.#firstState ??= this.state;
    if (!this.signal.aborted) return;
    this.#life = this.#newLife();
    this.state = this.#firstState;
  }

  #newLife(): Life {
    const cleanups = new Cleanups((error) => this.#write(error, "a cleanup failed that came after the stop"));
    const background = new Background(cleanups, (error, job) => {
      this.#write(error, `a background ${job.kind} failed`, { kind: job.kind, task: job.task });
    });
    return { cleanups, background };
  }

  #provideItself(): void {
    // A parent may adopt many children of one name: they are its own affair.
    if (this.#host === undefined || this.#adopted) return;
    const { registry } = this.#host;
    const owner = this.#life.cleanups;
    registry.provide(this.name, this, { owner });
    // Of several services of one class, the class means the one that was there first.
    const own = this.constructor as abstract new () => unknown;
    if (registry.resolve(own) === undefined) registry.provide(own, this, { owner });
  }

  #hosted(method: string): Host {
    if (this.#host) return this.#host;
    throw new Error(
      `${method}() of ${JSON.stringify(this.name)} needs a manager: register it with a ServiceManager or have it adopted first`,
    );
  }

  #takenBack(cause?: unknown): Error {
    return new Error(`${JSON.stringify(this.name)} was stopped while it started`, { cause });
  }

  #write(error: unknown, message: string, fields: Record<string, unknown> = {}): void {
    writeLog(this.log, "error", { err: printable(error), ...fields }, message);
  }
}

function throwAll(errors: readonly unknown[], message: string): void {
  if (errors.length === 1) throw errors[0];
  if (errors.length > 1) throw new AggregateError(errors, message);
}

function tellHost(child: object, host: Host | undefined): void {
  const bind = (child as { [bindHost]?: unknown })[bindHost];
  if (typeof bind === "function") bind.call(child, host);
}
