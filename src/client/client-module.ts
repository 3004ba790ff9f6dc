import type { Server } from "socket.io";
import type { CallArgs, CallName, CallValue, Client, PushArgs, PushName } from "./client.js";
import { createModuleLife, type ModuleLife } from "./module-life.js";
import { createSubscribers, guarded, type Subscribers } from "./subscribers.js";
import type { TopicJoin } from "./topic-join.js";
import type { JoinOptions } from "./share.js";

// Not `#private`, which a framework's proxy (Vue's `reactive`) could not reach, and no name that a module could want.
const life: unique symbol = Symbol("life");
const subscribers: unique symbol = Symbol("subscribers");

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
 *   override async onStart() {
 *     await this.joinTopic("room:42");
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
  declare readonly client: Client<App>;
  /** What it shows now. Change it with {@link ClientModule.setState}; changing it in place is seen by nobody. */
  // The one cast: a module that names no state has an empty one, and one that names one gives the field.
  state: Readonly<State> = {} as State;

  /** @internal */
  declare private readonly [life]: ModuleLife;
  /** @internal */
  declare private readonly [subscribers]: Subscribers<[state: Readonly<State>]>;

  /**
   * Made with the client it is to use.
   *
   * @param client - shared by all modules of a page
   */
  constructor(client: Client<App>) {
    const { name } = new.target;
    this.client = client;
    this[subscribers] = createSubscribers(client.logger, () => `a subscriber of ${name}`);
    this[life] = createModuleLife(client.logger, name, {
      onStart: () => this.onStart(),
      onStop: () => this.onStop(),
    });
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
    return this[life].start();
  }

  /**
   * Stops it: `signal` aborts, `onStop` is called, and everything it took is undone in reverse, all in this tick. The state
   * stays, and so do those who subscribed to it: they are not its own. Stopping again does nothing.
   *
   * @returns resolves when `onStart` and `onStop` are through; never rejects
   */
  stop(): Promise<void> {
    return this[life].stop();
  }

  /** The same as {@link ClientModule.stop}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /** Aborts when it stops; aborted while it is not running. */
  get signal(): AbortSignal {
    return this[life].signal();
  }

  /** The present state, the same object until it changes. Needs no `this`. */
  readonly getSnapshot = (): Readonly<State> => this.state;

  /**
   * Told the state: at once, and after each change. Needs no `this`.
   *
   * @returns the undo
   */
  readonly subscribe = (fn: (state: Readonly<State>) => unknown): (() => void) => {
    const off = this[subscribers].add("state", fn);
    // Svelte's contract; React looks whether the snapshot changed, and sees that it did not.
    guarded(this.client.logger, "a new subscriber of a module", fn, this.state);
    return off;
  };

  /** Changes some members of the state and tells the subscribers, unless every member was the same already. */
  setState(change: Partial<State> | ((state: Readonly<State>) => Partial<State>)): void {
    const before = this.state;
    const patch = typeof change === "function" ? change(before) : change;
    const keys = Object.keys(patch) as (keyof State)[];
    if (keys.every((key) => Object.hasOwn(before, key) && Object.is(before[key], patch[key]))) return;
    this.state = { ...before, ...patch };
    this[subscribers].tell("state", this.state);
  }

  /** {@link Client.on}, until it stops. */
  onSocket<Event extends PushName<App>>(event: Event, fn: (...args: PushArgs<App, Event>) => unknown): () => void {
    return this[life].take(() => this.client.on(event, fn));
  }

  /** {@link Client.joinTopic}, until it stops; rejects with `ABORTED` when it is not running. */
  joinTopic(topic: string, options?: JoinOptions): TopicJoin {
    const join = this.client.joinTopic(topic, this.signal.aborted ? { ...options, signal: this.signal } : options);
    this[life].own(join.leave);
    return join;
  }

  /** {@link Caller.call}; rejects with `ABORTED` when it stops. */
  callAction<Event extends CallName<App>>(event: Event, ...args: CallArgs<App, Event>): Promise<CallValue<App, Event>> {
    return this.client.with({ signal: this.signal }).call(event, ...args);
  }

  /** {@link Client.refetchOnSocket}, until it stops. */
  readonly refetchOnSocket: Client<App>["refetchOnSocket"] = (...args: unknown[]) =>
    this[life].take(() => (this.client.refetchOnSocket as (...args: unknown[]) => () => void)(...args));

  /** Has `fn` run when it stops; at once if it is not running. */
  addCleanup(fn: () => unknown): void {
    this[life].own(fn);
  }
}
