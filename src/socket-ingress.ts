import type { Namespace, Server, Socket } from "socket.io";
import { Admission, type AdmissionLimits } from "./admission.js";
import { Context } from "./context.js";
import { type Channel, dispatch } from "./dispatcher.js";
import { type ErrorSubscriber, ErrorSubscribers } from "./error-subscribers.js";
import type { EventContext } from "./event-context.js";
import type {
  AppServer,
  AppSocket,
  InputSchema,
  Interceptor,
  Permitted,
  SubscribableEvent,
  SubscribeOptions,
  Subscriber,
} from "./event-map.js";
import { type CutEvent, Hub, type IngressCounters } from "./hub.js";
import type { Logger } from "./logger.js";
import { defaultLogger } from "./log.js";
import { NamespaceBinding } from "./namespace-binding.js";
import { type NamespacePattern, namespacePattern } from "./namespace-pattern.js";
import { describeValue, isOwner, type Owner } from "./ownership.js";
import { type AnyInterceptor, type AnySubscriber, compile } from "./pipeline.js";
import {
  asRecord,
  checkCount,
  checkDuration,
  checkInterceptors,
  checkLimits,
  checkOptions,
  checkPriority,
  defaultLimits,
  expected,
  type Limits,
} from "./subscribe-options.js";
import { Subscription } from "./subscription.js";
import { UnknownEvents } from "./unknown-events.js";
import { coalesceWrites, type WriteCoalescingOptions } from "./write-coalescing.js";

/** What a {@link SocketIngress} may be told; every limit can be set per event as well. */
export interface SocketIngressOptions {
  /**
   * Where log lines go; anything pino-shaped.
   *
   * @default pino, to standard output
   */
  logger?: Logger;
  /**
   * Which value is the reply when several subscribers return one: the last, once all are done, or the first, as soon as there is
   * one.
   *
   * @default "last"
   */
  reply?: "last" | "first";
  /**
   * How long a subscriber may take, in milliseconds, waiting for its turn included.
   *
   * @default 30_000
   */
  timeoutMs?: number;
  /**
   * How many runs of one subscriber may overlap, for each socket or each `key`.
   *
   * @default Infinity
   */
  concurrency?: number;
  /**
   * How many events may wait for a subscriber that is busy.
   *
   * @default 100
   */
  queueMax?: number;
  /**
   * Which event goes when that queue is full.
   *
   * @default "reject"
   */
  overflow?: "reject" | "dropOldest";
  /**
   * How many events of one connection (transport, over all its namespaces) may be under way at once; more wait in order.
   *
   * @default 100
   */
  maxInFlight?: number;
  /**
   * How many events of one connection may wait; more are answered `OVERLOADED`.
   *
   * @default 1_000
   */
  maxPending?: number;
  /**
   * How long the `connect` subscribers of a socket may take together, in milliseconds, before it is refused with `TIMEOUT`.
   *
   * @default 30_000
   */
  admitTimeoutMs?: number;
  /** Wraps every subscriber, outside the interceptors of handlers and events; the first is the outermost. */
  use?: readonly Interceptor[];
  /**
   * What becomes of an event with an acknowledgement that neither the ingress nor a listener of the application handles: it is
   * answered `UNKNOWN_EVENT`, or left alone, for applications that answer later from a catch-all of their own.
   *
   * @default "answer"
   */
  unknownEvents?: "answer" | "leave";
  /**
   * With Socket.IO's `connectionStateRecovery`, missed packets leave before anybody can be asked whether the client may still have
   * them. So a server with recovery on is refused as soon as there is a `connect` subscriber, unless this says `"askAgain"`: the
   * subscribers are then asked about every recovered connection before any event of it runs, and what Socket.IO has already sent is
   * accepted.
   *
   * @default "refuse"
   */
  recovery?: "refuse" | "askAgain";
  /**
   * Write the packets that wait for a connection at once, as one buffer, where Socket.IO writes each on its own: replies to several
   * calls, or several pushes in a turn, leave in one system call. It concerns every WebSocket of the server, also those that nobody
   * here subscribed for, and delays nothing.
   *
   * @default false
   */
  coalesceWrites?: boolean | WriteCoalescingOptions;
}

/** One row of {@link SocketIngress.describe}: a subscriber, in the order in which it runs. */
export interface SubscriptionDescription {
  readonly namespace: string;
  readonly event: string;
  /** 1 for the subscriber that runs first. */
  readonly order: number;
  readonly priority: number;
  readonly handler: string | undefined;
  readonly method: string | undefined;
}

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

/** Who subscribes, when it is a class: set by handlers and controllers. */
export interface SubscriberIdentity {
  /** What the subscriber is called with as `this`. */
  readonly self: unknown;
  readonly handler: string;
  readonly method: string;
  /** Interceptors between those of the ingress and those of the event. */
  readonly use: readonly AnyInterceptor[];
}

/** Subscribes with an identity; for the classes of this package. */
export const subscribeAs: unique symbol = Symbol("socket-ingress.subscribeAs");

/** Names that are Socket.IO's or Node's own and can't be subscribed to. */
const forbiddenEvents: ReadonlySet<string> = new Set(["connect_error", "error", "newListener", "removeListener"]);

const optionNames = new Set([
  "logger",
  "reply",
  "timeoutMs",
  "concurrency",
  "queueMax",
  "overflow",
  "maxInFlight",
  "maxPending",
  "admitTimeoutMs",
  "use",
  "unknownEvents",
  "recovery",
  "coalesceWrites",
]);

/** The ingress that stands for a server where nobody brings their own. Keyed by the server, so it goes when the server goes. */
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
export class SocketIngress<App extends AppServer = Server> {
  readonly #log: Logger;
  readonly #limits: Limits;
  readonly #use: readonly AnyInterceptor[];
  readonly #admission: AdmissionLimits;
  readonly #acceptsRecovery: boolean;
  readonly #errors: ErrorSubscribers;
  readonly #hub: Hub;
  readonly #unknown: UnknownEvents | undefined;
  readonly #subscriptions = new Map<string, readonly Subscription[]>();
  /** By name. Weak, since dynamic namespaces come and go by the thousand: each is held by the listeners it has on its namespace. */
  readonly #bindings = new Map<string, WeakRef<NamespaceBinding>>();
  /** The middleware we left on a namespace, since Socket.IO can't take one off again: it asks whoever serves it now. */
  readonly #gates = new WeakMap<Namespace, { binding: NamespaceBinding | undefined }>();
  /** Patterns whose dynamic namespaces exist on the server. */
  readonly #patterns = new WeakMap<Server, Set<string>>();
  readonly #coalescing: WriteCoalescingOptions | false;
  #stopCoalescing: (() => void) | undefined;
  #io: App | undefined;
  /** Made by {@link SocketIngress.of} for this server: it serves it while it has subscribers. */
  #shared: WeakRef<App> | undefined;

  /** @throws TypeError naming an option that does not exist or does not fit */
  constructor(options: SocketIngressOptions = {}) {
    const subject = "SocketIngress";
    const given = asRecord(subject, options);
    for (const name of Object.keys(given)) {
      if (!optionNames.has(name)) {
        throw new TypeError(`${subject}: there is no option "${name}"; there are ${[...optionNames].join(", ")}`);
      }
    }
    const { logger, reply = "last", unknownEvents = "answer", recovery = "refuse" } = options;
    const { maxInFlight = 100, maxPending = 1_000, admitTimeoutMs = 30_000 } = options;
    if (logger !== undefined && !isLogger(logger)) {
      throw expected(subject, "logger", "shaped like pino's, with debug, info, warn, error and child", logger);
    }
    if (reply !== "last" && reply !== "first") throw expected(subject, "reply", '"last" or "first"', reply);
    if (unknownEvents !== "answer" && unknownEvents !== "leave") {
      throw expected(subject, "unknownEvents", '"answer" or "leave"', unknownEvents);
    }
    if (recovery !== "refuse" && recovery !== "askAgain") {
      throw expected(subject, "recovery", '"refuse" or "askAgain"', recovery);
    }
    const { coalesceWrites: coalescing = false } = options;
    if (typeof coalescing !== "boolean" && (typeof coalescing !== "object" || coalescing === null)) {
      throw expected(subject, "coalesceWrites", "true, false or { maxBytes }", coalescing);
    }
    this.#coalescing = coalescing === true ? {} : coalescing;
    this.#limits = checkLimits(subject, given, defaultLimits);
    this.#use = checkInterceptors(subject, given["use"]);
    this.#admission = {
      timeoutMs: checkDuration(subject, "admitTimeoutMs", admitTimeoutMs),
      mostPerTransport: checkCount(subject, "maxInFlight", maxInFlight, 1),
      asking: new WeakMap(),
    };
    this.#acceptsRecovery = recovery === "askAgain";
    this.#log = logger ?? defaultLogger();
    this.#errors = new ErrorSubscribers(this.#log);
    this.#hub = new Hub({
      log: this.#log,
      errors: this.#errors,
      replyFirst: reply === "first",
      maxInFlight,
      maxPending: checkCount(subject, "maxPending", maxPending, 0),
    });
    this.#hub.onWatch = (socket, watched) => {
      const binding = this.#bindings.get(socket.nsp.name)?.deref();
      if (watched) binding?.watch(socket);
      else binding?.unwatch(socket);
    };
    this.#unknown = unknownEvents === "answer" ? new UnknownEvents(this.#hub) : undefined;
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

  /** What would otherwise go unseen, counted since the ingress was made. */
  get counters(): IngressCounters {
    return { ...this.#hub.counters };
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
    if (this.#io === io) return this;
    if (this.#io !== undefined)
      throw new Error("attach: this ingress serves another server; detach it first, or make a second one");
    if (this.#subscriptions.has("connect")) this.#checkRecovery(io);
    if (this.#coalescing !== false) this.#stopCoalescing = coalesceWrites(io, this.#coalescing);
    this.#io = io;
    const standing = ofServer.get(io);
    if (standing === undefined || (standing.#shared !== undefined && standing.io === undefined)) ofServer.set(io, this);
    this.#hub.open();
    io.on("new_namespace", this.#onNamespace);
    this.#bind(io.of("/"));
    for (const subscriptions of this.#subscriptions.values()) {
      for (const { pattern } of subscriptions) this.#serve(pattern);
    }
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
      io.off("new_namespace", this.#onNamespace);
      this.#stopCoalescing?.();
      this.#stopCoalescing = undefined;
      for (const reference of this.#bindings.values()) {
        const binding = reference.deref();
        if (binding === undefined) continue;
        binding.unbind();
        const gate = this.#gates.get(binding.namespace);
        if (gate !== undefined) gate.binding = undefined;
      }
      this.#bindings.clear();
    }
    await this.#hub.whenIdle();
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
  [subscribeAs](event: string, fn: AnySubscriber, options: object, identity: SubscriberIdentity): () => Promise<void> {
    return this.#subscribe(event, fn, options, identity);
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
    const { priority, owner } = asRecord(subject, options);
    const order = checkPriority(subject, priority);
    checkOwner(subject, owner);
    const off = this.#errors.add(fn, order);
    owner?.addCleanup(off);
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
  dispatch(event: string, init: DispatchInit<App> | EventContext<App> = {}, ...args: unknown[]): Promise<unknown> {
    const socket = init.socket as Socket | undefined; // inside, the application's own event types don't matter
    const namespace = init.namespace ?? socket?.nsp?.name ?? "/";
    // A dispatch from inside an event belongs to it and must not wait for a place beside it: all places may be taken by its like.
    const nested = init instanceof Context && !init.expired && init.run?.ended !== true;
    const channel = this.#bindings.get(namespace)?.deref()?.channel(event) ?? this.#channel(event, namespace);
    return new Promise((resolve) => {
      // A dispatch by hand has no socket unless it is given one; whoever reads it then finds `undefined`, as documented.
      const context = new Context(this.#hub, event, socket as Socket, args, args.length, resolve);
      context.byHand = true;
      context.namespace = namespace;
      context.nested = nested;
      if (nested || socket === undefined || this.#hub.attention === 0 || this.#hub.admitContext(channel, context)) {
        dispatch(this.#hub, channel, context);
      }
    });
  }

  /** Who listens to what: by namespace and event, in the order in which they run. */
  describe(): SubscriptionDescription[] {
    const rows: SubscriptionDescription[] = [];
    for (const [event, subscriptions] of this.#subscriptions) {
      const order = new Map<string, number>();
      for (const { pattern, priority, handler, method } of subscriptions) {
        const place = (order.get(pattern.key) ?? 0) + 1;
        order.set(pattern.key, place);
        rows.push({ namespace: pattern.key, event, order: place, priority, handler, method });
      }
    }
    return rows.sort((a, b) => compare(a.namespace, b.namespace) || compare(a.event, b.event) || a.order - b.order);
  }

  /** Forget every subscriber and error subscriber; the ingress stays attached. Runs that are under way go on. */
  clear(): void {
    const events = [...this.#subscriptions];
    this.#subscriptions.clear();
    for (const [event, subscriptions] of events) {
      for (const subscription of subscriptions) subscription.active = false;
      this.#changed(event);
    }
    this.#errors.clear();
  }

  /** Whether new connections and events are being refused. */
  get draining(): boolean {
    return this.#hub.draining;
  }

  /**
   * Come to an end: new connections are refused and new events answered `SHUTTING_DOWN`, events under way, and those that wait, get
   * `graceMs` milliseconds; then callers are answered `SHUTTING_DOWN` and signals abort. Until the next
   * {@link SocketIngress.attach}.
   *
   * @returns what was cut
   */
  async drain(options: { graceMs?: number } = {}): Promise<{ cut: CutEvent[] }> {
    const { graceMs = 10_000 } = options;
    if (typeof graceMs !== "number" || !(graceMs >= 0))
      throw expected("drain", "graceMs", "milliseconds from 0", graceMs);
    this.#hub.close();
    if (this.#hub.idle) return { cut: [] };
    let timer: ReturnType<typeof setTimeout> | undefined;
    const deadline = new Promise<void>((resolve) => {
      if (graceMs <= 2 ** 31 - 1) timer = setTimeout(resolve, graceMs);
    });
    await Promise.race([this.#hub.whenIdle(), deadline]);
    clearTimeout(timer);
    return { cut: this.#hub.idle ? [] : this.#hub.cut() };
  }

  #subscribe(
    event: unknown,
    fn: unknown,
    options: object,
    identity: SubscriberIdentity | undefined,
  ): () => Promise<void> {
    const by = identity === undefined ? "subscribe" : identity.handler;
    const name = checkEvent(by, event);
    const subject = `${by}, event "${name}"`;
    if (typeof fn !== "function")
      throw new TypeError(`${subject}: a subscriber must be a function, got ${describeValue(fn)}`);
    const { namespace = "/", owner } = asRecord(subject, options);
    const checked = checkOptions(subject, options, this.#limits);
    checkOwner(subject, owner);
    const pattern = namespacePattern(namespace as string, subject);
    if (name === "connect" && this.#io !== undefined) this.#checkRecovery(this.#io);
    const subscription = new Subscription({
      event: name,
      pattern,
      priority: checked.priority,
      handler: identity?.handler,
      method: identity?.method ?? (fn.name === "" ? undefined : fn.name),
      timeoutMs: checked.timeoutMs,
    });
    subscription.invoke = compile(subscription, fn as AnySubscriber, identity?.self, {
      ...checked,
      use: [...this.#use, ...(identity?.use ?? []), ...checked.use],
    });
    const lent = this.#io === undefined ? this.#shared?.deref() : undefined;
    if (lent !== undefined) this.attach(lent);
    this.#add(subscription);
    let forget: unknown;
    const off = (): Promise<void> => {
      this.#remove(subscription);
      // An owner that outlives many subscriptions must not collect what is over: ours give back how to forget a cleanup.
      if (typeof forget === "function") forget();
      forget = undefined;
      return subscription.idle();
    };
    forget = owner?.addCleanup(off);
    return off;
  }

  #add(subscription: Subscription): void {
    const { event, pattern } = subscription;
    const others = this.#subscriptions.get(event) ?? [];
    // A stable sort: equal priorities keep the order in which they were subscribed.
    this.#subscriptions.set(
      event,
      [...others, subscription].sort((a, b) => a.priority - b.priority),
    );
    if (this.#io !== undefined) this.#serve(pattern);
    this.#changed(event);
  }

  #remove(subscription: Subscription): void {
    if (!subscription.active) return;
    subscription.active = false;
    const { event } = subscription;
    const rest = (this.#subscriptions.get(event) ?? []).filter((one) => one !== subscription);
    if (rest.length > 0) this.#subscriptions.set(event, rest);
    else this.#subscriptions.delete(event);
    this.#changed(event);
    if (this.#shared !== undefined && this.#subscriptions.size === 0) void this.detach();
  }

  #changed(event: string): void {
    for (const reference of this.#bindings.values()) reference.deref()?.update(event);
  }

  /** Make sure that the namespaces of a pattern exist and are served. */
  #serve(pattern: NamespacePattern): void {
    const io = this.#io;
    if (io === undefined) return;
    if (typeof pattern.source === "string") return this.#bind(io.of(pattern.source));
    let patterns = this.#patterns.get(io);
    if (patterns === undefined) this.#patterns.set(io, (patterns = new Set()));
    if (!patterns.has(pattern.key)) {
      patterns.add(pattern.key);
      io.of(pattern.source);
    }
    // The only list of the namespaces that exist is `_nsps`; public to TypeScript, private by its doc comment. Without it,
    // dynamic namespaces older than the first subscription for them would not be served.
    for (const [name, namespace] of io._nsps ?? []) if (pattern.matches(name)) this.#bind(namespace);
  }

  #bind(namespace: Namespace): void {
    if (this.#bindings.get(namespace.name)?.deref()?.namespace === namespace) return;
    for (const [name, reference] of this.#bindings) if (reference.deref() === undefined) this.#bindings.delete(name);
    const binding = new NamespaceBinding(namespace, {
      hub: this.#hub,
      planOf: (event, name) => this.#planOf(event, name),
      createAdmission: (channel) => new Admission(this.#hub, channel, this.#admission),
      unknown: this.#unknown,
    });
    this.#bindings.set(namespace.name, new WeakRef(binding));
    this.#guard(namespace, binding);
    binding.bind();
    for (const event of this.#subscriptions.keys()) binding.update(event);
  }

  #guard(namespace: Namespace, binding: NamespaceBinding): void {
    const known = this.#gates.get(namespace);
    if (known !== undefined) {
      known.binding = binding;
      return;
    }
    const gate: { binding: NamespaceBinding | undefined } = { binding };
    this.#gates.set(namespace, gate);
    namespace.use((socket, next) => {
      if (gate.binding === undefined) next();
      else gate.binding.admit(socket, next);
    });
  }

  #planOf(event: string, namespace: string): readonly Subscription[] {
    return (this.#subscriptions.get(event) ?? []).filter(({ pattern }) => pattern.matches(namespace));
  }

  #channel(event: string, namespace: string): Channel {
    return { event, plan: this.#planOf(event, namespace) };
  }

  #checkRecovery(io: Server): void {
    if (this.#acceptsRecovery || !io._opts.connectionStateRecovery) return;
    throw new Error(
      "connectionStateRecovery is on and there are `connect` subscribers: Socket.IO sends a recovered client what it missed before " +
        'they can be asked. Switch recovery off, or accept that with the option recovery: "askAgain".',
    );
  }

  readonly #onNamespace = (namespace: Namespace): void => {
    for (const subscriptions of this.#subscriptions.values()) {
      if (subscriptions.some(({ pattern }) => pattern.matches(namespace.name))) return this.#bind(namespace);
    }
  };
}

function checkEvent(by: string, event: unknown): string {
  if (typeof event !== "string" || event.trim() === "") {
    throw new TypeError(`${by}: an event must be a non-blank string, got ${describeValue(event)}`);
  }
  if (forbiddenEvents.has(event)) {
    throw new TypeError(
      `${by}: "${event}" is reserved by Socket.IO or Node.js and never reaches a subscriber; choose another name`,
    );
  }
  return event;
}

function checkOwner(subject: string, owner: unknown): asserts owner is Owner | undefined {
  if (owner !== undefined && !isOwner(owner)) throw expected(subject, "owner", "an object with addCleanup(fn)", owner);
}

function isLogger(value: unknown): value is Logger {
  return (
    typeof value === "object" &&
    value !== null &&
    ["debug", "info", "warn", "error", "child"].every(
      (name) => typeof (value as Record<string, unknown>)[name] === "function",
    )
  );
}

function isServer(value: unknown): value is Server {
  return (
    typeof value === "object" &&
    value !== null &&
    ["of", "on", "off", "use", "close"].every((name) => typeof (value as Record<string, unknown>)[name] === "function")
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
