import { type ErrorPlace, tellError } from "./events/error-telling.js";
import { type Repeats, setRepeats } from "./events/repeats.js";
import { describeValue } from "./wire/values.js";
import type { Server, Socket } from "socket.io";
import { EventEntry } from "./dispatch/event-entry.js";
import { afterArrivals } from "./socket-io/dispatcher.js";
import type { IngressCounters } from "./dispatch/counters.js";
import { Context, listedArguments } from "./dispatch/context.js";
import { dispatch } from "./dispatch/dispatch.js";
import { type ErrorSubscriber, ErrorSubscribers } from "./dispatch/error-subscribers.js";
import type { AnyBeforeEvent, BeforeEvent } from "./events/arrival.js";
import type { EventContext } from "./events/event-context.js";
import { type EventError, isEventError } from "./wire/event-error.js";
import { type Failure, isFailure } from "./wire/failure.js";
import type {
  AnySubscriber,
  AppServer,
  AppSocket,
  InputSchema,
  Permitted,
  SubscribableEvent,
  SubscribeOptions,
  Subscriber,
} from "./events/subscriber.js";
import type { CutEvent } from "./dispatch/flow/in-flight.js";
import { IngressState } from "./dispatch/ingress-state.js";
import {
  checkIngressOptions,
  type CheckedIngressOptions,
  type SocketIngressOptions,
} from "./socket-io/ingress-options.js";
import { bufferedBytesOf } from "./socket-io/buffered-bytes.js";
import type { Connection } from "./socket-io/engines.js";
import { namespacePattern } from "./events/namespace-pattern.js";
import { defaultLogger } from "./lifecycle/default-logger.js";
import type { Owner } from "./lifecycle/cleanups.js";
import { buildPipeline } from "./dispatch/pipeline.js";
import type { BeforeEventDescription } from "./dispatch/before-events.js";
import type { Declared } from "./events/managed.js";
import {
  askAs,
  describeWith,
  identityOf,
  optionsOf,
  readSubscription,
  subscribeAs,
  type SubscriberIdentity,
  type SubscribingIngress,
} from "./events/subscriber-list.js";
import { asksBeforeRecovery } from "./socket-io/recover-after-asking.js";
import { ServerBinding } from "./socket-io/server-binding.js";
import { among, atLeast, readOptions } from "./events/option-table.js";
import { transports, type TransportWatch } from "./events/transports.js";
import { eventDefaults, type EventDefaults, owner, priority } from "./events/subscribe-options.js";
import { Subscription } from "./dispatch/subscription.js";
import { type Ingredients, type SubscriptionDescription, Subscriptions } from "./dispatch/subscriptions.js";
import { shuttingDown } from "./dispatch/failures.js";
import { toFailure } from "./wire/to-failure.js";

/** What {@link SocketIngress.dispatch} needs to know: as much of a context as there is. */
export interface DispatchInit<App extends AppServer = Server> {
  /** Whose event it is to be. Without a socket, subscribers that read `context.socket` find `undefined`. */
  readonly socket?: AppSocket<App> | undefined;
  /**
   * Whose subscribers run.
   *
   * @default the socket's namespace, else "/"
   */
  readonly namespace?: string;
}

/** What {@link SocketIngress.drain} resolves to. */
export interface DrainReport {
  /** What did not finish in time. */
  readonly cut: CutEvent[];
}

/** What holds for all events of an ingress; an event may say otherwise where it can. */
export type IngressSettings = Pick<
  Required<SocketIngressOptions>,
  | "reply"
  | "timeoutMs"
  | "maxInFlight"
  | "maxPending"
  | "maxNamespaces"
  | "maxArguments"
  | "admitTimeoutMs"
  | "unknownEvents"
>;

/** Who listens to what in an ingress, who is asked before, and what holds for all. */
export interface IngressDescription {
  readonly events: SubscriptionDescription[];
  readonly beforeEvents: BeforeEventDescription[];
  readonly settings: IngressSettings;
}

/**
 * The ingress that stands for a server where nobody brings their own: one server has one (decision 0004). Keyed by the server, so it
 * goes when the server goes (decision 0013).
 */
const ofServer = new WeakMap<Server, SocketIngress<AppServer>>();

/**
 * Takes in the events of a Socket.IO server: one dispatcher per event, shared by all sockets, fans each event out to its
 * subscribers in priority order, isolates their errors and answers the caller exactly once.
 *
 * It can be subscribed to before there is a server; {@link SocketIngress.attach} serves the sockets that are connected already and
 * those to come. Listeners of your own (`socket.on`) go on as before.
 *
 * @example
 * const ingress = new SocketIngress<App>().attach(io);
 * const off = ingress.subscribe("message", ({ socket }, text) => ({ id: save(socket.data.user, text) }), { priority: 10 });
 * ingress.subscribeErrorDefault((error, { event, handler }) => report(error, event, handler));
 */
export class SocketIngress<App extends AppServer = Server> implements SubscribingIngress<App> {
  readonly #options: CheckedIngressOptions;
  readonly #defaults: EventDefaults;
  readonly #errors: ErrorSubscribers;
  readonly #state: IngressState;
  readonly #subscriptions = new Subscriptions();
  readonly #server: ServerBinding;
  #io: App | undefined;
  /** Made by {@link SocketIngress.of} for this server: it serves it while it has subscribers. */
  #shared: WeakRef<App> | undefined;

  /** @throws TypeError naming an option that does not exist or does not fit */
  constructor(options: SocketIngressOptions = {}) {
    this.#options = checkIngressOptions(options);
    this.#defaults = among(eventDefaults, this.#options);
    const { logger: log = defaultLogger(), reply, maxInFlight, maxPending, timeoutMs: askMs } = this.#options;
    this.#errors = new ErrorSubscribers(log);
    const replyFirst = reply === "first";
    this.#state = new IngressState({ log, errors: this.#errors, replyFirst, maxInFlight, maxPending, askMs, dispatch });
    this.#server = new ServerBinding(this.#state, this.#subscriptions, this.#options);
  }

  /**
   * The ingress that stands for `io` where nobody brings their own: the first one attached to it, or one that is made now and
   * serves it while it has subscribers. A handler that is set up with a server and without a manager uses it, so that
   * all such handlers share one dispatcher per event.
   */
  static of<App extends AppServer>(io: App): SocketIngress<App> {
    let ingress = ofServer.get(io) as SocketIngress<App> | undefined; // stored under this very server
    if (ingress === undefined) {
      ingress = new SocketIngress<App>();
      ingress.#shared = new WeakRef(io);
      ofServer.set(io, ingress);
    }
    return ingress;
  }

  /** The server it is attached to. */
  get io(): App | undefined {
    return this.#io;
  }

  /**
   * When a client whose connection Socket.IO recovers is sent what it missed: never, where recovery is off or there is no server; after the
   * `connect` subscribers have let it in, with {@link recoverAfterAsking}; before they are asked, without.
   */
  get recovers(): "none" | "afterAsking" | "beforeAsking" {
    return this.#io === undefined ? "none" : recoveryOf(this.#io);
  }

  /** How long a subscriber may take unless its event says otherwise, in milliseconds. */
  get timeoutMs(): number {
    return this.#options.timeoutMs;
  }

  /** What would otherwise go unseen, counted since the ingress was made. */
  get counters(): IngressCounters {
    return { ...this.#state.counters };
  }

  /**
   * Serve a server: from now on its sockets, those connected already included, are dispatched to the subscribers. Again for the
   * same server it does nothing.
   *
   * @throws TypeError when `io` is no Socket.IO server; Error when the ingress serves another one, or when the server recovers
   * connections and there are `connect` subscribers (see {@link SocketIngressOptions.recovery})
   */
  attach(io: App): this {
    if (!isServer(io)) throw new TypeError(`attach expects a Socket.IO server, got ${describeValue(io)}`);
    if (this.#io === io) {
      this.#state.traffic.open();
      return this;
    }
    if (this.#io !== undefined)
      throw new Error("attach: this ingress serves another server; detach it first, or make a second one");
    if (this.#subscriptions.has("connect")) this.#checkRecovery(io);
    this.#server.attach(io);
    this.#io = io;
    const standing = ofServer.get(io);
    if (standing === undefined || (standing.#shared !== undefined && standing.io === undefined)) ofServer.set(io, this);
    this.#state.traffic.open();
    return this;
  }

  /**
   * Leave the server: no listener of ours stays on it, on a namespace or on a socket. Subscriptions are kept for the next
   * {@link SocketIngress.attach}.
   *
   * @returns a promise that resolves once what is under way has come to its end
   */
  async detach(): Promise<void> {
    const io = this.#io;
    if (io !== undefined) {
      this.#io = undefined;
      if (this.#shared === undefined && (ofServer.get(io) as unknown) === this) ofServer.delete(io);
      this.#server.detach();
    }
    await this.#state.underWay.whenIdle();
    // Signals of `connection` subscribers outlive their event, but not the ingress on that server.
    if (this.#io === undefined) this.#state.signals.abortAll(shuttingDown());
  }

  /**
   * Subscribe to an event. `connect` asks before a socket is admitted (throwing or `false` refuses), `connection` tells after,
   * `disconnecting` and `disconnect` tell with the reason.
   *
   * @returns a function that ends the subscription; called again it does nothing. A run that is under way goes on.
   * @throws TypeError naming what does not fit; nothing is left behind
   */
  subscribe<Event extends SubscribableEvent<App>, Input extends InputSchema | undefined = undefined>(
    event: Permitted<Event>,
    fn: Subscriber<App, Event, Input>,
    options: SubscribeOptions<App, Event, Input> = {},
  ): () => void {
    const off = this.#subscribe(event, fn, options, undefined);
    return () => void off();
  }

  /** The same as {@link SocketIngress.subscribe}, chainable: for subscriptions that live as long as the ingress or their owner. */
  on<Event extends SubscribableEvent<App>, Input extends InputSchema | undefined = undefined>(
    event: Permitted<Event>,
    fn: Subscriber<App, Event, Input>,
    options: SubscribeOptions<App, Event, Input> = {},
  ): this {
    this.#subscribe(event, fn, options, undefined);
    return this;
  }

  /** @internal */
  [setRepeats](namespace: string, repeats: Repeats<App>): () => void {
    // What an ingress is given for its own application's sockets is called with no others.
    return this.#state.requests.set(namespace, repeats as Repeats);
  }

  /** @internal */
  [tellError](error: unknown, place: ErrorPlace): void {
    const { code } = toFailure(error).error;
    this.#errors.tell(error, { ...place, code, socketId: undefined, socket: undefined, args: [] });
  }

  /** @internal */
  get [transports](): TransportWatch {
    return this.#server.transports;
  }

  /** @internal */
  [subscribeAs](event: string, fn: AnySubscriber, options: object, identity: SubscriberIdentity): () => Promise<void> {
    return this.#subscribe(event, fn, options, identity);
  }

  /** @internal */
  [askAs](fn: AnyBeforeEvent, options: object, identity: SubscriberIdentity): () => Promise<void> {
    return this.#beforeEvent(fn, options, identity);
  }

  /**
   * Be asked once for each event that a client sends, before lanes and subscribers and after the application's `socket.use` middleware:
   * events of subscribers and those that nobody handles, not reserved names, not those that only the application itself listens to. What is
   * thrown is the reply, and nothing runs for the event; without an acknowledgement the error subscribers hear of it. It may return a
   * promise, for the ingress's `timeoutMs` at most: later events of that socket wait behind it and count as pending.
   *
   * @returns a function that ends it
   * @throws TypeError naming what does not fit
   */
  beforeEvent(fn: BeforeEvent<App>, options: { priority?: number; owner?: Owner } = {}): () => void {
    const off = this.#beforeEvent(fn, options, undefined);
    return () => void off();
  }

  /**
   * Answer what waits of a socket with a failure, and forget it: what has not begun to run, whatever it waits for. What runs goes on.
   *
   * @returns how many events that were
   * @throws TypeError when `failure` is neither a failure nor an `EventError`
   */
  dropPending(socket: AppSocket<App>, failure: Failure | EventError): number {
    if (!isFailure(failure) && !isEventError(failure)) {
      throw new TypeError(`dropPending expects a failure or an EventError, got ${describeValue(failure)}`);
    }
    return this.#state.traffic.dropPending(socket as Socket, isFailure(failure) ? failure : toFailure(failure));
  }

  /**
   * Hear of every error of every subscriber, once, with where it happened. Without any error subscriber errors are logged.
   *
   * @returns a function that ends it
   * @throws TypeError naming what does not fit
   */
  subscribeErrorDefault(fn: ErrorSubscriber, options: { priority?: number; owner?: Owner } = {}): () => void {
    const subject = "subscribeErrorDefault";
    if (typeof fn !== "function") throw new TypeError(`${subject} expects a function, got ${describeValue(fn)}`);
    const read = readOptions(subject, { priority, owner }, options);
    let undo: (() => void) | undefined;
    let forget: unknown;
    const off = (): void => {
      undo?.();
      if (typeof forget === "function") forget();
      forget = undefined;
    };
    // The owner first: one that refuses leaves nothing behind.
    forget = read.owner?.addCleanup(off);
    undo = this.#errors.add(fn, read.priority);
    return off;
  }

  /** The same as {@link SocketIngress.subscribeErrorDefault}, chainable. */
  onErrorDefault(fn: ErrorSubscriber, options: { priority?: number; owner?: Owner } = {}): this {
    this.subscribeErrorDefault(fn, options);
    return this;
  }

  /**
   * Run the subscribers of an event as if a client had sent it: the same order, limits and error subscribers. It works without a
   * server, too.
   *
   * @returns what the caller's acknowledgement would have received: the value, `undefined`, or a `Failure`. It never rejects.
   */
  dispatch(event: string, init?: DispatchInit<App> | EventContext<App> | null, ...args: unknown[]): Promise<unknown> {
    const socket = socketOf(init);
    const namespace = init?.namespace ?? socket?.nsp?.name ?? "/";
    // A dispatch from inside an event belongs to it and must not wait for a place beside it: all places may be taken by its like.
    const nested = init instanceof Context && !init.expired && !init.finished;
    const entry =
      this.#server.entry(event, namespace) ??
      new EventEntry(this.#state, event, this.#subscriptions.planOf(event, namespace));
    return new Promise((resolve) => {
      // A dispatch by hand has no socket unless it is given one; whoever reads it then finds `undefined`, as documented.
      const context = new Context(entry, socket as Socket, args, listedArguments, resolve);
      context.markByHand(nested);
      context.namespace = namespace;
      const { traffic } = this.#state;
      if (nested || traffic.attention === 0) dispatch(entry, context);
      else traffic.receive(entry, context);
    });
  }

  /**
   * How many bytes wait to be written to the connection (transport) of a socket: what its client has not read yet and the operating system
   * has not taken. All namespaces of the connection share them; none wait on one that has gone. Over HTTP long-polling it is what waits for
   * the client's next request.
   *
   * @example
   * if (ingress.bufferedBytes(socket) > 1_000_000) socket.disconnect(true); // a client that does not read
   */
  bufferedBytes(socket: AppSocket<App>): number {
    return bufferedBytesOf(socket.conn as unknown as Connection); // as the emitter it is
  }

  /** @internal */
  [describeWith](declared: readonly Declared[]): IngressDescription {
    const subscriptions = this.#subscriptions.copy();
    const asked: Subscription[] = [];
    for (const { owner, entries, asks } of declared) {
      const own = owner.beforeEvent && { fn: owner.beforeEvent, method: "beforeEvent", priority: priority.fallback };
      for (const one of [own, asks])
        if (one !== undefined) asked.push(toBeAsked(one.fn, one.priority, identityOf(owner, one.method)));
      for (const { event, fn, method, options } of entries) {
        const made = this.#make(event, fn, optionsOf(owner, options), identityOf(owner, method));
        subscriptions.add(made.subscription, made.madeOf);
      }
    }
    const { reply, timeoutMs, maxInFlight, maxPending, maxNamespaces, maxArguments, admitTimeoutMs, unknownEvents } =
      this.#options;
    return {
      events: subscriptions.describe(),
      beforeEvents: this.#state.before.describe(asked),
      settings: {
        reply,
        timeoutMs,
        maxInFlight,
        maxPending,
        maxNamespaces,
        maxArguments,
        admitTimeoutMs,
        unknownEvents,
      },
    };
  }

  /**
   * Who listens to what, and within which limits: by namespace and event, in the order in which they run. What the doors of this package
   * listen to themselves is among it, marked as `builtIn`.
   */
  describe(): SubscriptionDescription[] {
    return this.#subscriptions.describe();
  }

  /** Forget every subscriber and error subscriber; the ingress stays attached. Runs that are under way go on. */
  clear(): void {
    for (const event of this.#subscriptions.clear()) this.#server.update(event);
    this.#errors.clear();
    this.#state.before.clear();
    void this.#leaveIfUnused();
  }

  /** The same as {@link SocketIngress.detach}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.detach();
  }

  /** Whether new connections and events are being refused. */
  get draining(): boolean {
    return this.#state.traffic.draining;
  }

  /**
   * Come to an end: new connections are refused and new events answered `SHUTTING_DOWN`, events under way, and those that wait, get
   * `graceMs` milliseconds; then callers are answered `SHUTTING_DOWN` and signals abort. Until the next
   * {@link SocketIngress.attach}. An event that awaits this itself is cut at once.
   *
   * @returns what was cut
   */
  async drain(options: { graceMs?: number } = {}): Promise<DrainReport> {
    const { graceMs } = readOptions("drain", { graceMs: atLeast(10_000, 0) }, options);
    this.#state.traffic.close();
    const { underWay } = this.#state;
    if (underWay.idle) return { cut: underWay.cut() };
    const waiting = await underWay.cutWaiting();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const deadline = new Promise<void>((resolve) => {
      if (graceMs <= 2 ** 31 - 1) timer = setTimeout(resolve, graceMs);
    });
    await Promise.race([underWay.whenIdle(), deadline]);
    clearTimeout(timer);
    const cut = [...waiting, ...underWay.cut()];
    // The answer of a run reaches those who share it, under a request id, by promises: a tick comes behind all of these.
    await new Promise<void>((resolve) => process.nextTick(resolve));
    return { cut };
  }

  #subscribe(
    event: unknown,
    fn: unknown,
    options: object,
    identity: SubscriberIdentity | undefined,
  ): () => Promise<void> {
    const { subscription, madeOf } = this.#make(event, fn, options, identity);
    const { event: name, pattern } = subscription;
    const { options: checked, use } = madeOf;
    if (name === "connect" && this.#io !== undefined) this.#checkRecovery(this.#io);
    subscription.invoke = buildPipeline(subscription, madeOf.fn, madeOf.self, { ...checked, use });
    let forget: unknown;
    const off = async (): Promise<void> => {
      const left = this.#remove(subscription);
      // An owner that outlives many subscriptions must not collect what is over: ours give back how to forget a cleanup.
      if (typeof forget === "function") forget();
      forget = undefined;
      await this.#state.underWay.whenOver(subscription);
      await left;
    };
    // The owner first: one that refuses leaves nothing behind.
    forget = checked.owner?.addCleanup(off);
    this.#attachLent();
    this.#subscriptions.add(subscription, madeOf);
    this.#server.serve(pattern);
    this.#server.update(name);
    return off;
  }

  /** A subscription that nothing runs yet, and what it is made of. */
  #make(
    event: unknown,
    fn: unknown,
    options: object,
    identity: SubscriberIdentity | undefined,
  ): { readonly subscription: Subscription; readonly madeOf: Ingredients } {
    const by = identity === undefined ? "subscribe" : identity.handler;
    const { name, subject, options: checked, pattern } = readSubscription(by, event, options, this.#defaults);
    if (typeof fn !== "function")
      throw new TypeError(`${subject}: a subscriber must be a function, got ${describeValue(fn)}`);
    const subscription = new Subscription({
      event: name,
      pattern,
      priority: checked.priority,
      guard: checked.guard,
      errorFirst: checked.callback === "errorFirst",
      handler: identity?.handler,
      method: identity?.method ?? (fn.name === "" ? undefined : fn.name),
      timeoutMs: checked.timeoutMs,
    });
    const use = [...this.#options.use, ...(identity?.use ?? []), ...checked.use];
    return { subscription, madeOf: { options: checked, fn: fn as AnySubscriber, self: identity?.self, use } };
  }

  #beforeEvent(fn: unknown, options: object, identity: SubscriberIdentity | undefined): () => Promise<void> {
    const subject = identity === undefined ? "beforeEvent" : `${identity.handler}, beforeEvent`;
    if (typeof fn !== "function") throw new TypeError(`${subject} expects a function, got ${describeValue(fn)}`);
    const read = readOptions(subject, { priority, owner }, options);
    const asked = toBeAsked(fn as AnyBeforeEvent, read.priority, identity);
    let forget: unknown;
    const off = async (): Promise<void> => {
      const left = this.#state.before.remove(asked) ? this.#leaveIfUnused() : undefined;
      if (typeof forget === "function") forget();
      forget = undefined;
      await asked.whenIdle();
      await left;
    };
    // The owner first: one that refuses leaves nothing behind.
    forget = read.owner?.addCleanup(off);
    this.#attachLent();
    this.#state.before.add(asked);
    return off;
  }

  /** One that was made by {@link SocketIngress.of} serves its server as soon as it is used. */
  #attachLent(): void {
    const lent = this.#io === undefined ? this.#shared?.deref() : undefined;
    if (lent !== undefined) this.attach(lent);
  }

  #remove(subscription: Subscription): Promise<void> | undefined {
    if (!this.#subscriptions.remove(subscription)) return undefined;
    this.#server.update(subscription.event);
    return this.#leaveIfUnused();
  }

  /** One that was made by {@link SocketIngress.of} leaves its server with its last subscriber. */
  #leaveIfUnused(): Promise<void> | undefined {
    if (this.#shared === undefined || this.#subscriptions.size > 0 || this.#state.before.any) return undefined;
    if (!this.#server.arriving) {
      void this.detach();
      return undefined;
    }
    // Later, when events that have been observed have reached the dispatcher that answers them.
    return new Promise((resolve) => {
      afterArrivals(() => {
        if (this.#subscriptions.size === 0) void this.detach();
        resolve();
      });
    });
  }

  /** What was missed leaves before anybody can be asked (decision 0012). `_opts` is a getter without documentation (decision 0014). */
  #checkRecovery(io: Server): void {
    if (this.#options.recovery === "askAgain" || recoveryOf(io) !== "beforeAsking") return;
    throw new Error(
      "connectionStateRecovery is on and there are `connect` subscribers: Socket.IO sends a recovered client what it missed before " +
        "they can be asked. Give the server an adapter: recoverAfterAsking(...), switch recovery off, or accept that with the option " +
        'recovery: "askAgain".',
    );
  }
}

/** Who is asked about each event, kept as a subscriber is. */
function toBeAsked(fn: AnyBeforeEvent, priority: number, identity: SubscriberIdentity | undefined): Subscription {
  const asked = new Subscription({
    event: "",
    pattern: namespacePattern("/", "beforeEvent"),
    priority,
    guard: true,
    errorFirst: false,
    handler: identity?.handler,
    method: identity?.method ?? (fn.name === "" ? undefined : fn.name),
    timeoutMs: Infinity,
  });
  asked.plain = fn;
  asked.self = identity?.self;
  return asked;
}

function recoveryOf(io: Server): "none" | "afterAsking" | "beforeAsking" {
  if (!io._opts.connectionStateRecovery) return "none";
  return asksBeforeRecovery(io) ? "afterAsking" : "beforeAsking";
}

function isServer(value: unknown): value is Server {
  return (
    typeof value === "object" &&
    value !== null &&
    ["of", "on", "off", "use", "close"].every((name) => typeof (value as Record<string, unknown>)[name] === "function")
  );
}

/** The socket of a context; one that was made for a test may have none, and say so by throwing. */
function socketOf(init: { readonly socket?: unknown } | null | undefined): Socket | undefined {
  try {
    return init?.socket as Socket | undefined; // inside, the application's own event types don't matter
  } catch {
    return undefined;
  }
}
