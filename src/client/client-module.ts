import type { Server } from "socket.io";
import type { CallArgs, CallName, CallValue, Client, PushArgs, PushName } from "./client.js";
import { createSubscribers, guarded } from "./subscribers.js";
import type { JoinOptions, TopicJoin } from "./topics.js";

/** From `start` to `stop`. */
interface Life {
  readonly controller: AbortController;
  readonly cleanups: (() => unknown)[];
  /** Whether `onStart` has been called, so that `onStop` has something to stop. */
  begun: boolean;
  started: Promise<void>;
}

/**
 * The home of one feature on the client: its state, what it listens to, and what it asks. Whatever it takes through its own
 * methods goes when it stops. It knows no framework; `subscribe` and `getSnapshot` are what frameworks ask for.
 *
 * @typeParam App - the server's own `Server<...>` type, or a map of the events that can be called
 * @typeParam State - what it shows; give the first one as a field of the class
 *
 * @example
 * class Items extends ClientModule<App, { items: Item[] }> {
 *   override state = { items: [] as Item[] };
 *   override onStart() {
 *     this.joinTopic("room:42");
 *     this.refetchOnSocket("items_changed", "get_items", (items) => this.setState({ items }), { immediate: true });
 *   }
 * }
 * const items = new Items(client);
 *
 * // React
 * const { items: list } = useSyncExternalStore(items.subscribe, items.getSnapshot);
 * useEffect(() => {
 *   void items.start();
 *   return () => void items.stop();
 * }, []);
 *
 * // Vue
 * const state = shallowRef(items.state);
 * onScopeDispose(items.subscribe((now) => (state.value = now)));
 *
 * // Svelte: a module is a store
 * $items.items
 */
export abstract class ClientModule<App = Server, State extends object = object> implements AsyncDisposable {
  /** The client it works with. */
  readonly client: Client<App>;
  /** What it shows now. Change it with {@link ClientModule.setState}; changing it in place is seen by nobody. */
  // The one cast: a module that names no state has an empty one, and one that names one gives the field.
  state: Readonly<State> = {} as State;

  // Not `#private`: a framework's proxy (Vue's `reactive`) could not reach those.
  private readonly listeners;
  private life: Life | undefined;
  private active: Life | undefined;
  private ending: Promise<void> | undefined;

  /** @param client - shared by all modules of a page */
  constructor(client: Client<App>) {
    this.client = client;
    this.listeners = createSubscribers<[state: Readonly<State>]>(client.logger, () => `a subscriber of ${this.constructor.name}`);
  }

  /** Takes what it needs. Called by `start`; may be async. If it fails, what it has taken is undone. */
  protected onStart(): void | Promise<void> {}

  /** Called by `stop`, while everything it took still is there. What it throws is logged. */
  protected onStop(): void | Promise<void> {}

  /**
   * Starts it; while it runs this does nothing. Started again right after a stop, it waits until the earlier start has ended.
   *
   * @returns resolves when `onStart` is through, or it has been stopped meanwhile; rejects with what `onStart` threw
   */
  start(): Promise<void> {
    if (this.life === undefined) {
      this.life = { controller: new AbortController(), cleanups: [], begun: false, started: Promise.resolve() };
      this.life.started = this.begin(this.life);
    }
    return this.life.started;
  }

  /**
   * Stops it: `signal` aborts, `onStop` is called, and everything it took is undone in reverse, all in this tick. The state
   * stays, and so do those who subscribed to it: they are not its own. Stopping again does nothing.
   *
   * @returns resolves when `onStart` and `onStop` are through; never rejects
   */
  stop(): Promise<void> {
    const { life } = this;
    if (life === undefined) return this.ending ?? Promise.resolve();
    this.life = undefined;
    const ending = this.end(life, this.ending).finally(() => {
      if (this.ending === ending) this.ending = undefined;
    });
    this.ending = ending;
    return ending;
  }

  /** The same as {@link ClientModule.stop}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /** Aborts when it stops; aborted while it is not running. */
  get signal(): AbortSignal {
    return this.active?.controller.signal ?? AbortSignal.abort();
  }

  /** The present state, the same object until it changes. Needs no `this`. */
  readonly getSnapshot = (): Readonly<State> => this.state;

  /**
   * Told the state: at once, and after each change. Needs no `this`.
   *
   * @returns the undo
   */
  readonly subscribe = (fn: (state: Readonly<State>) => unknown): (() => void) => {
    const off = this.listeners.add("state", fn);
    // Svelte's contract; React looks whether the snapshot changed, and sees that it did not.
    guarded(this.client.logger, `a subscriber of ${this.constructor.name}`, fn, this.state);
    return off;
  };

  /** Changes some members of the state and tells the subscribers, unless every member was the same already. */
  setState(change: Partial<State> | ((state: Readonly<State>) => Partial<State>)): void {
    const before = this.state;
    const patch = typeof change === "function" ? change(before) : change;
    const keys = Object.keys(patch) as (keyof State)[];
    if (keys.every((key) => Object.hasOwn(before, key) && Object.is(before[key], patch[key]))) return;
    this.state = { ...before, ...patch };
    this.listeners.tell("state", this.state);
  }

  /** {@link Client.on}, until it stops. */
  onSocket<Event extends PushName<App>>(event: Event, fn: (...args: PushArgs<App, Event>) => unknown): () => void {
    return this.owned(this.client.on(event, fn));
  }

  /** {@link Client.joinTopic}, until it stops. */
  joinTopic(topic: string, options?: JoinOptions): TopicJoin {
    const join = this.client.joinTopic(topic, options);
    this.owned(join.leave);
    return join;
  }

  /** {@link Caller.call}; rejects with `ABORTED` when it stops. */
  callAction<Event extends CallName<App>>(event: Event, ...args: CallArgs<App, Event>): Promise<CallValue<App, Event>> {
    return this.client.with({ signal: this.signal }).call(event, ...args);
  }

  /** {@link Client.refetchOnSocket}, until it stops. */
  readonly refetchOnSocket: Client<App>["refetchOnSocket"] = (...args: unknown[]) =>
    this.owned((this.client.refetchOnSocket as (...args: unknown[]) => () => void)(...args));

  /** Has `fn` run when it stops; at once if it is not running. */
  addCleanup(fn: () => unknown): void {
    this.owned(fn);
  }

  private owned<Undo extends () => unknown>(undo: Undo): Undo {
    // An `onStart` that goes on after the stop takes nothing with it.
    if (this.active === undefined) this.run("a cleanup", undo);
    else this.active.cleanups.push(undo);
    return undo;
  }

  private run(what: string, fn: () => unknown): void {
    guarded(this.client.logger, `${what} of ${this.constructor.name}`, fn);
  }

  private async begin(life: Life): Promise<void> {
    if (this.ending) await this.ending;
    const { signal } = life.controller;
    if (signal.aborted) return;
    this.active = life;
    life.begun = true;
    try {
      await this.onStart();
    } catch (error) {
      if (signal.aborted) return;
      this.life = undefined;
      this.undo(life);
      throw error;
    }
  }

  private async end(life: Life, before: Promise<void> | undefined): Promise<void> {
    let stopped: unknown;
    if (life.begun) {
      this.run("onStop", () => (stopped = this.onStop()));
    }
    this.undo(life);
    await Promise.allSettled([before, life.started, stopped]);
  }

  private undo(life: Life): void {
    life.controller.abort();
    if (this.active === life) this.active = undefined;
    for (const cleanup of life.cleanups.splice(0).reverse()) this.run("a cleanup", cleanup);
  }
}
