import type { Server as HttpServer } from "node:net";
import type { Server } from "socket.io";
import { Bus } from "./lifecycle/bus.js";
import { Connections } from "./socket-io/connections.js";
import type { Controller } from "./controller.js";
import type { AppServer, ServesAs } from "./events/subscriber.js";
import type { Handler } from "./handler.js";
import type { CheckedEvents } from "./events/event-map.js";
import { describeManager, type ManagerDescription } from "./manager/description.js";
import { type ManagerHealth, managerHealth } from "./manager/health.js";
import { Lifecycle } from "./lifecycle/lifecycle.js";
import { defaultLogger } from "./lifecycle/default-logger.js";
import { writeLog } from "./lifecycle/log.js";
import type { Logger } from "./lifecycle/logger.js";
import { observer } from "./lifecycle/observer.js";
import type { PartKind } from "./events/managed.js";
import { flag, oneOf, type Option, option, readOptions, split } from "./events/option-table.js";
import { type Key, type ProvideOptions, Registry, type WaitForOptions } from "./lifecycle/registry.js";
import { ManagedParts, partOf } from "./manager/managed-parts.js";
import type { Service } from "./service.js";
import {
  checkShutdownOptions,
  type CheckedShutdownOptions,
  shutDown,
  type ShutdownOptions,
  type ShutdownReport,
} from "./manager/shutdown.js";
import { listenToSignals, type ShutdownSignalOptions } from "./manager/shutdown-signals.js";
import type { SocketIngressOptions } from "./socket-io/ingress-options.js";
import { SocketIngress } from "./socket-ingress.js";

/** How a manager works; whatever a `SocketIngress` can be told is passed on to the one it makes. */
export interface ServiceManagerOptions<App extends AppServer = Server> extends SocketIngressOptions {
  /**
   * An ingress of your own, instead of one that the manager makes. The manager drains and detaches it when it shuts down.
   */
  readonly ingress?: SocketIngress<App>;
  /**
   * What boot does when something fails to start: stop everything again and reject, or go on without it and be `degraded`.
   *
   * @default "abort"
   */
  readonly onStartFailure?: "abort" | "continue";
  /**
   * Whether shutdown closes the Socket.IO server, its connections, and the HTTP server it is on. If not, they are left as they are, and
   * the next boot serves them again.
   *
   * @default true
   */
  readonly closeServer?: boolean;
  /**
   * Every HTTP server that the Socket.IO server is attached to. Say it where that is more than one: Socket.IO itself knows of the one it
   * was attached to last, and so only that one would be closed.
   *
   * @default the one that Socket.IO knows of
   */
  readonly httpServers?: readonly HttpServer[];
}

const managerOptions = {
  ingress: option(undefined, "a SocketIngress", (value) => value instanceof SocketIngress) as Option<
    SocketIngress<AppServer> | undefined
  >,
  onStartFailure: oneOf("abort", "continue"),
  closeServer: flag(true),
  httpServers: option([], "a list of HTTP servers", areServers) as Option<readonly HttpServer[]>,
};

/**
 * Starts services, controllers and handlers in order, lends them one ingress, registry and bus, and shuts them down in reverse,
 * gracefully.
 *
 * Two managers in one process share nothing. Everything can be registered, and a server be attached, before boot and after it.
 *
 * @typeParam App - the `Server<...>` type of the application
 *
 * @example
 * ```ts
 * const manager = new ServiceManager(io, { logger });
 * manager
 *   .registerService(new MetricsService())
 *   .registerHandler(new PresenceHandler())
 *   .registerController(new ChatController());
 * await manager.boot();
 * manager.shutdownOnSignals();
 * ```
 */
export class ServiceManager<App extends AppServer = Server> implements AsyncDisposable {
  /** Serves every event of this manager. */
  readonly ingress: SocketIngress<App>;
  /** Events inside this process. */
  readonly bus: Bus;
  /** What services provide to each other. */
  readonly registry: Registry = new Registry();
  /** The logger of the manager and of everything registered with it. */
  readonly log: Logger;

  readonly #onStartFailure: "abort" | "continue";
  readonly #closesServer: boolean;
  readonly #httpServers: readonly HttpServer[];
  readonly #parts: ManagedParts;
  readonly #lifecycle = new Lifecycle<ShutdownReport>();
  readonly #unlisten = new Set<() => void>();
  #status: "idle" | "starting" | "up" | "draining" | "stopped" = "idle";
  #connections: Connections | undefined;
  #kept: App | undefined;

  /**
   * Make a manager for `io`, which may also be attached later.
   * @throws TypeError naming what does not fit.
   */
  constructor(io?: App | ServesAs<App>, options: ServiceManagerOptions<App> = {}) {
    const [own, ofIngress] = split(managerOptions, options);
    const { onStartFailure, closeServer, ingress, httpServers } = readOptions("ServiceManager", managerOptions, own);
    const { logger = defaultLogger(), ...rest }: SocketIngressOptions = ofIngress;
    if (ingress && Object.keys(rest).length > 0) {
      throw new TypeError(
        `ServiceManager expects an ingress or options for the one it makes, got both: ${Object.keys(rest).join(", ")}`,
      );
    }
    this.#onStartFailure = onStartFailure;
    this.#closesServer = closeServer;
    this.#httpServers = httpServers;
    // Its owner made it for the same App.
    this.ingress = (ingress as SocketIngress<App> | undefined) ?? new SocketIngress<App>({ ...rest, logger });
    this.log = logger;
    this.bus = new Bus(logger);
    this.#parts = new ManagedParts(this.registry, logger);
    // Who serves as one is one.
    if (io !== undefined) this.attach(io as App);
    else if (this.ingress.io) this.#watch(this.ingress.io);
    observer()?.made(this);
  }

  /** The attached server, if there is one. */
  get io(): App | undefined {
    return this.ingress.io;
  }

  /**
   * Serve a server: handlers and controllers that wait for one are bound to it, and to the sockets that are connected already.
   * Again for the same server it does nothing.
   *
   * @throws TypeError when `io` is no Socket.IO server, Error when another one is attached.
   */
  attach(io: App): this {
    this.ingress.attach(io);
    this.#watch(io);
    return this;
  }

  /**
   * Have a service started at boot, or at once when that is over. What it `requires` is started before it; else services start in the
   * order in which they are registered. It is found in the registry by name and by class while it runs.
   *
   * @throws TypeError when it is no service or has no name; Error when its name is taken, it is registered already, or services
   * require each other in a circle. Nothing is stored then.
   */
  registerService(service: Service): this {
    return this.#register("registerService", "service", service);
  }

  /**
   * Have a handler set up at boot, when all services and controllers have started, or at once when that is over. It is found in
   * the registry by class from now on. Events that don't fit its class don't compile here, as without `satisfies EventMap<...>`.
   *
   * @throws TypeError when it is no handler or has no name; Error when it is registered already. Nothing is stored then.
   */
  registerHandler<H extends Handler<App>>(handler: H & CheckedEvents<H>): this {
    this.#register("registerHandler", "handler", handler);
    const own = handler.constructor as abstract new () => unknown;
    if (this.registry.resolve(own) === undefined) this.registry.provide(own, handler);
    return this;
  }

  /**
   * Have a controller started at boot, when all services have started that don't require it, or at once when that is over. Its events
   * are bound when its `onStart` has finished.
   *
   * @throws TypeError and Error as {@link ServiceManager.registerService} does. Nothing is stored then.
   */
  registerController(controller: Controller<App>): this {
    return this.#register("registerController", "controller", controller);
  }

  /**
   * Start services, then controllers, then handlers, each awaited before the next. Booted already, it does nothing; calls that
   * overlap share one boot. After a shutdown it boots again, with a server that was attached meanwhile or later.
   *
   * @throws Error naming what failed to start, with what that threw as its `cause`, once what had started is stopped again; unless
   * {@link ServiceManagerOptions.onStartFailure} says to continue. Error when the manager is shut down meanwhile.
   */
  boot(): Promise<void> {
    return this.#lifecycle.start((wanted) => this.#boot(wanted));
  }

  /**
   * Resolves once everything that was registered after boot has started or failed to. A failure is logged, and `health()` is
   * `degraded` by it.
   */
  settled(): Promise<void> {
    return this.#parts.settled();
  }

  /**
   * Shut down: from this call on new connections are refused and new events answered `SHUTTING_DOWN`; handlers and services are told by
   * `onDrain`; events under way get `graceMs` to finish and their replies are delivered; then connections are closed, and handlers, controllers and services are
   * stopped in the reverse order of their start; then the server is closed, whatever its peers do. Calls that overlap, and calls
   * after it, share one shutdown.
   *
   * @returns what was cut and what failed, which is never thrown.
   * @throws TypeError when an option does not fit.
   */
  shutdown(options: ShutdownOptions = {}): Promise<ShutdownReport> {
    const checked = checkShutdownOptions(options);
    if (this.#status !== "stopped") this.#status = "draining";
    return this.#lifecycle.stop((starting) => this.#shutdown(starting, checked));
  }

  /** The same as {@link ServiceManager.shutdown}, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown();
  }

  /**
   * Shut down when the process is told to end, then let it end. A second signal ends it at once. The listeners are removed once the
   * manager has shut down, however that came about.
   *
   * @returns the function that ends the listening.
   */
  shutdownOnSignals(options: ShutdownSignalOptions = {}): () => void {
    const off = listenToSignals((how) => this.shutdown(how), options);
    const unlisten = (): void => {
      off();
      this.#unlisten.delete(unlisten);
    };
    this.#unlisten.add(unlisten);
    return unlisten;
  }

  /** How everything is, for whoever operates it, and for readiness probes. It may name internals: don't publish it to clients. */
  health(): ManagerHealth {
    return managerHealth(this.#status, this.#parts, this.#connections?.closed === true);
  }

  /** What there is and who listens to what, in order. Before the first boot it tells what is declared, and starts nothing. */
  describe(): ManagerDescription {
    return describeManager(this.#parts, this.ingress, this.#status !== "idle");
  }

  /**
   * Let everyone in this manager find `value` under `key`.
   *
   * @returns a function that takes it back.
   * @throws Error when the key is taken.
   */
  provide<T>(key: Key<T>, value: T, options: ProvideOptions = {}): () => void {
    return this.registry.provide(key, value, options);
  }

  /**
   * What was provided under `key`.
   * @throws Error naming the key when nothing was.
   */
  require<T>(key: Key<T>): T {
    return this.registry.require(key);
  }

  /** What was provided under `key`, or `undefined`. */
  resolve<T>(key: Key<T>): T | undefined {
    return this.registry.resolve(key);
  }

  /**
   * What is provided under `key`, as soon as it is.
   * @throws Error naming the key when the time is over, or the signal's reason.
   */
  waitFor<T>(key: Key<T>, options: WaitForOptions = {}): Promise<T> {
    return this.registry.waitFor(key, options);
  }

  #register(method: string, kind: PartKind, value: unknown): this {
    const part = partOf(method, kind, value);
    // The manager has all that a host has.
    this.#parts.add(part, () => part.bind(this));
    return this;
  }

  async #boot(wanted: () => boolean): Promise<void> {
    // Shut down in the tick in which it was asked to boot.
    if (!wanted()) throw new Error("the manager was shut down before it booted");
    this.#status = "starting";
    try {
      if (this.#kept && !this.io) this.attach(this.#kept);
      // The ingress may have been attached by its owner, and a server may have come to its HTTP server since it was attached.
      if (this.io) this.#watch(this.io);
      this.#connections?.watch();
      await this.#parts.start(wanted, this.#onStartFailure);
      this.#status = "up";
    } catch (error) {
      if (wanted()) this.#status = "stopped";
      throw error;
    }
  }

  async #shutdown(starting: Promise<void>, options: CheckedShutdownOptions): Promise<ShutdownReport> {
    const { io } = this;
    // Its owner may have attached the ingress after the boot, and a server may have begun to listen since.
    if (this.io) this.#watch(this.io);
    const connections = this.#connections;
    connections?.watch();
    writeLog(this.log, "info", { reason: options.reason, graceMs: options.graceMs }, "shutting down");
    const report = await shutDown(
      {
        ingress: this.ingress,
        parts: this.#parts,
        server: io && connections && this.#closesServer ? { io, connections } : undefined,
        starting,
      },
      options,
    );
    connections?.unwatch();
    this.#connections = undefined;
    this.#kept = this.#closesServer ? undefined : io;
    for (const unlisten of this.#unlisten) unlisten();
    this.#status = "stopped";
    const { reason, durationMs } = report;
    const clean = report.cut.length === 0 && report.failures.length === 0;
    const failures = report.failures.map(({ kind, name }) => `${kind} ${name}`);
    writeLog(this.log, clean ? "info" : "warn", { reason, durationMs, cut: report.cut, failures }, "shut down");
    return report;
  }

  #watch(io: App): void {
    this.#connections ??= new Connections(io, this.#httpServers);
  }
}

function areServers(value: unknown): boolean {
  const methods = ["on", "off", "close", "listenerCount"];
  const isServer = (one: unknown): boolean =>
    typeof one === "object" &&
    one !== null &&
    methods.every((name) => typeof (one as Record<string, unknown>)[name] === "function");
  return Array.isArray(value) && value.every(isServer);
}
