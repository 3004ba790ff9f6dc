import { describeValue, printable } from "./wire/values.js";
import type { Server } from "socket.io";
import type { HandlerEvents } from "./events/event-map.js";
import type { Arrival } from "./events/arrival.js";
import type { AppServer, CallbackForm, Interceptor } from "./events/subscriber.js";
import { bindHost, type Host } from "./events/host.js";
import {
  asPart,
  builtIn,
  checkHost,
  type Declared,
  declares,
  type Part,
  subjectOf,
  tellDrain,
} from "./events/managed.js";
import { readOption } from "./events/option-table.js";
import type { Logger } from "./lifecycle/logger.js";
import { defaultLogger } from "./lifecycle/default-logger.js";
import { writeLog } from "./lifecycle/log.js";
import { Cleanups } from "./lifecycle/cleanups.js";
import { Lifecycle } from "./lifecycle/lifecycle.js";
import { type Key, Registry } from "./lifecycle/registry.js";
import { SocketIngress } from "./socket-ingress.js";
import { beforeEvent, use } from "./events/subscribe-options.js";
import { checkEntries, readEventMap, subscribeAll, type SubscriberEntry } from "./events/subscriber-list.js";

/**
 * A class that owns some events: it says which in `events`, and has a method for each.
 *
 * A method is given the context, then what the client sent, and what it returns is the caller's reply. What it throws reaches the
 * error subscribers and, as a failure, the caller; never the process.
 *
 * @typeParam App - your own `Server<ClientToServer, ServerToClient, ...>` type
 *
 * @example
 * class PresenceHandler extends Handler<App> {
 *   readonly name = "presence";
 *   readonly events = { heartbeat: "handleHeartbeat" } satisfies EventMap<PresenceHandler, App>;
 *
 *   handleHeartbeat({ socket }: EventContext<App>, beat: { at: number }) {
 *     this.seen.set(socket.data.user, beat.at);
 *     return { ok: true as const };
 *   }
 *   private readonly seen = new Map<string, number>();
 * }
 * await new PresenceHandler().setup(io);
 */
export abstract class Handler<App extends AppServer = Server> {
  /** What it is called in logs, errors and `describe()`. */
  abstract readonly name: string;
  /**
   * Which events it owns, and what runs for each; write it behind `satisfies EventMap<YourHandler, App>`, so that each is checked against
   * its method. A subclass adds to it through a map beside the class (`{ ...baseEvents, more: "onMore" }`), or as a getter over a getter.
   */
  abstract readonly events: HandlerEvents<App>;
  /**
   * Priorities by event, for those that don't say it in `events`; lower runs first.
   *
   * @default 100 for each
   */
  readonly eventPriorities?: { readonly [Event in keyof HandlerEvents<App>]?: number };
  /**
   * Whose clients it serves: a namespace, or a pattern for dynamic ones.
   *
   * @default "/"
   */
  readonly namespace: string | RegExp = "/";
  /** Wraps all its subscribers, inside the interceptors of the ingress; the first is the outermost. */
  readonly use?: readonly Interceptor<App>[];
  /**
   * Asked once for each event that a client sends, to whichever subscribers and in whichever namespace: see
   * {@link SocketIngress.beforeEvent}.
   */
  beforeEvent?(arrival: Arrival<App>): unknown;
  /** How the callers of its events are answered; an event may say otherwise. See the option `callback`. */
  readonly callback?: CallbackForm;

  readonly #cleanups = new Cleanups((error) => this.#reportCleanup(error));
  #host: Host<App, SocketIngress<App>> | undefined;
  #ingress: SocketIngress<App> | undefined;
  #io: App | undefined;
  #unsubscribe: (() => Promise<void>) | undefined;
  readonly #lifecycle = new Lifecycle();
  #ownLog: Logger | undefined;

  /** Whether its events are bound. */
  get registered(): boolean {
    return this.#unsubscribe !== undefined;
  }

  /** The server it serves: the one it was set up with, else the manager's, if there is one. */
  get io(): App | undefined {
    return this.#io ?? this.#host?.io;
  }

  /** The ingress that its events go through; `undefined` before it is set up. */
  get ingress(): SocketIngress<App> | undefined {
    return this.#ingress ?? this.#host?.ingress;
  }

  /** A logger whose lines carry the handler's name. */
  get log(): Logger {
    return (this.#ownLog ??= (this.#host?.log ?? defaultLogger()).child({ handler: this.name }));
  }

  /**
   * Bind the events, then call `onSetup()`. From the call on, not from the moment it resolves, clients are served: those that are
   * connected, and those to come. Again while it is set up it does nothing more; after a teardown it sets up anew.
   *
   * @param io - the server; without one, the manager's ingress is used, which may be attached to a server later
   * @throws TypeError at once when the class is wired wrongly, naming what, and nothing is bound; it rejects with what `onSetup`
   * threw, after having unbound and cleaned up
   */
  setup(io?: App): Promise<void> {
    const subject = subjectOf(this, "Handler");
    const { started, stopping } = this.#lifecycle;
    if (started && !stopping && io !== undefined && io !== this.#ingress?.io) {
      throw new Error(`${subject}: setup was given another server than the one it is set up with; tear it down first`);
    }
    return this.#lifecycle.start(
      // A teardown that was asked for meanwhile unbinds what was bound.
      async () => (this.registered ? this.#runSetup() : undefined),
      () => this.#bind(io, subject),
    );
  }

  /**
   * Call `onTeardown()`, unbind the events, wait until no method is running for an event any more (each at most for its
   * `timeoutMs`), then run the cleanups, the newest first. Whatever of it fails is logged and the rest is done all the same. Again it
   * does nothing. Awaited in one of the handler's own event methods it waits for the others.
   */
  teardown(): Promise<void> {
    return this.#lifecycle.stop((settingUp) => this.#runTeardown(settingUp));
  }

  /** The same as `Handler.teardown`, under the name by which owners stop what they own. */
  stop(): Promise<void> {
    return this.teardown();
  }

  /** For `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.teardown();
  }

  /**
   * Have `fn` run at teardown, after the events are unbound, before everything that was added earlier.
   *
   * @returns a function that forgets `fn` without running it
   */
  addCleanup(fn: () => unknown): () => void {
    return this.#cleanups.add(fn);
  }

  /**
   * Own a resource: at teardown its `close`, `stop`, `disconnect`, `destroy`, `terminate`, `kill` or dispose method is called, once.
   *
   * @returns the resource; `null` and `undefined` as they are
   * @throws TypeError when it can't be stopped
   */
  own<T>(resource: T): T {
    return this.#cleanups.own(resource);
  }

  /**
   * What was provided under `key` in the manager's registry.
   *
   * @throws Error naming the key when there is nothing
   */
  require<T>(key: Key<T>): T {
    return (this.#host?.registry ?? new Registry()).require(key);
  }

  /** What was provided under `key` in the manager's registry, or `undefined`. */
  resolve<T>(key: Key<T>): T | undefined {
    return this.#host?.registry.resolve(key);
  }

  /** Called at every setup, when the events are bound. What it throws undoes the setup. */
  protected onSetup(): unknown {
    return undefined;
  }

  /**
   * Called when the manager's shutdown begins, beside the events that still run, while the connections are open: the time to say goodbye
   * and to put away what is kept in memory. What it returns is waited for within the grace, and within 250 ms kept for it where others
   * used the grace up. What it throws is reported and stops nothing.
   *
   * @param _signal - aborts when the waiting is over
   */
  protected onDrain(_signal: AbortSignal): unknown {
    return undefined;
  }

  /** Called at every teardown, while the events are still bound. What it throws is logged. */
  protected onTeardown(): unknown {
    return undefined;
  }

  /** @internal */
  [bindHost](host: Host<App, SocketIngress<App>> | undefined): void {
    checkHost(this.name, this.#host, host);
    this.#host = host;
    this.#ownLog = undefined;
  }

  /** @internal */
  [asPart](): Part {
    this.#wiring(subjectOf(this, "Handler"));
    return {
      kind: "handler",
      name: this.name,
      target: this,
      requires: [],
      // A manager is made for one App; the type of the host says so no more once it is in a list.
      bind: (host) => this[bindHost](host as unknown as Host<App, SocketIngress<App>> | undefined),
      start: async () => this.setup(),
      drain: (signal) => this[tellDrain](signal),
      stop: () => this.teardown(),
      declared: () => (this.registered ? undefined : this[declares]()),
    };
  }

  /** @internal */
  [declares](): Declared {
    return this.#wiring(subjectOf(this, "Handler"));
  }

  /** @internal */
  async [tellDrain](signal: AbortSignal): Promise<void> {
    if (this.registered) await this.onDrain(signal);
  }

  #bind(io: App | undefined, subject: string): void {
    const ingress = io === undefined ? this.#host?.ingress : this.#ingressFor(io, subject);
    if (ingress === undefined) {
      throw new TypeError(
        `${subject}: setup expects a Socket.IO server, or a manager that has registered it; got neither`,
      );
    }
    const { owner, entries } = this.#wiring(subject);
    this.#cleanups.reopen();
    this.#unsubscribe = subscribeAll(ingress, owner, entries);
    this.#ingress = ingress;
    this.#io = io;
  }

  /** Beside a manager of the same server, the manager's: an event has one dispatcher (decision 0023). */
  #ingressFor(io: App, subject: string): SocketIngress<App> {
    if (typeof (io as Partial<Server> | null)?.of !== "function") {
      throw new TypeError(`${subject}: setup expects a Socket.IO server, got ${describeValue(io)}`);
    }
    const { ingress } = this.#host ?? {};
    return ingress?.io === io ? ingress : SocketIngress.of(io);
  }

  #wiring(subject: string): Declared {
    const owner = {
      name: this.name,
      namespace: this.namespace,
      self: this,
      use: readOption(subject, "use", use, this.use),
      // The clients of a door of ours know one form, whatever the application's own callers are answered in.
      callback: this.callback ?? (builtIn in this ? "reply" : undefined),
      beforeEvent: readOption(subject, "beforeEvent", beforeEvent, this.beforeEvent),
    };
    const entries = this.#entries(subject);
    checkEntries(owner, entries);
    return { owner, entries };
  }

  #entries(subject: string): SubscriberEntry[] {
    const entries = readEventMap(subject, this, this.events);
    const priorities = this.eventPriorities ?? {};
    if (typeof priorities !== "object") {
      throw new TypeError(
        `${subject}: eventPriorities must be an object { event: priority }, got ${describeValue(priorities)}`,
      );
    }
    const named = new Map(Object.entries(priorities));
    for (const event of named.keys()) {
      if (entries.some((entry) => entry.event === event)) continue;
      throw new TypeError(`${subject}: eventPriorities names "${event}", which is not among its events`);
    }
    return entries.map((entry) =>
      named.has(entry.event) ? { ...entry, options: { priority: named.get(entry.event), ...entry.options } } : entry,
    );
  }

  async #runSetup(): Promise<void> {
    try {
      await this.onSetup();
    } catch (thrown) {
      await this.#unbind();
      throw thrown;
    }
  }

  async #runTeardown(settingUp: Promise<void>): Promise<void> {
    await settingUp;
    // A setup that failed has cleaned up after itself, and told its caller.
    if (this.registered) {
      try {
        await this.onTeardown();
      } catch (thrown) {
        this.#report(thrown, "onTeardown failed; the handler is torn down all the same");
      }
    }
    await this.#unbind();
  }

  async #unbind(): Promise<void> {
    const unsubscribe = this.#unsubscribe;
    this.#unsubscribe = undefined;
    await unsubscribe?.();
    for (const thrown of await this.#cleanups.run()) this.#reportCleanup(thrown);
    this.#ingress = undefined;
    this.#io = undefined;
  }

  #reportCleanup(thrown: unknown): void {
    this.#report(thrown, "a cleanup failed; the others run all the same");
  }

  #report(thrown: unknown, message: string): void {
    writeLog(this.log, "error", { err: printable(thrown) }, message);
  }
}
