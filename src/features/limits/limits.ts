import type { Server } from "socket.io";
import type { Arrival } from "../../events/arrival.js";
import { type Belongings, builtIn, type Declared, declares, has } from "../../events/managed.js";
import type { Refused } from "../../events/refused.js";
import { askAs } from "../../events/subscriber-list.js";
import type { AppServer, AppSocket } from "../../events/subscriber.js";
import { transports } from "../../events/transports.js";
import { Handler } from "../../handler.js";
import { type Awaitable, isThenable } from "../../wire/values.js";
import { countDropped } from "../../push/count-dropped.js";
import type { Realtime } from "../realtime/index.js";
import { Budgets } from "./budgets.js";
import { type CheckedConnections, type ConnectionOptions, readConnections } from "./connection-options.js";
import { type ConnectionCounters, ConnectionNews, freshCounters } from "./connection-news.js";
import { Connections, seatEntries } from "./connections.js";
import { LimitedNews } from "./limited.js";
import { type LimitsOptions, readLimits } from "./limits-options.js";
import { Rate, type RateCounters } from "./rate.js";
import { describeRate, type RateOptions, readRate } from "./rate-options.js";
import {
  type CheckedSlowConsumers,
  readSlowConsumers,
  SlowConsumers,
  type SlowConsumerOptions,
} from "./slow-consumers.js";

/** What a {@link Limits} has done on this node since it was made. */
export interface LimitsCounters {
  /** What each rate has done, by its name. */
  rates: Readonly<Record<string, RateCounters>>;
  /** Connections: how many there are, were refused, and were ended. */
  connections: ConnectionCounters;
  /** What clients that do not read have cost them. */
  slowConsumers: SlowConsumerCounters;
}

/** What became of pushes to clients that are behind, in the order in which it happens to them. */
export interface SlowConsumerCounters {
  /** For how many sockets a volatile push of the realtime door, made on this node, was dropped. */
  dropped: number;
  /** Pushes of which only the `latest` counts that a newer one replaced. */
  replaced: number;
  /** Connections that were ended. */
  ended: number;
}

/** How often windows that are over are forgotten. */
const SWEEP_MS = 10_000;

/** Before others that are asked about an event: what is too much is the cheapest reason to refuse. */
const FIRST = -1_000;

/**
 * Limits how much clients may ask, how many of them there are, and what one may cost that does not read. It is a handler: register it with
 * a manager beside the realtime door, or set it up with a server. Limits may be declared before and after.
 *
 * One event of a client costs one point of each rate that counts it, however many subscribers it has; a call that is repeated under its
 * request id, because its answer was lost, costs nothing again. Rates are asked in the order in which they were declared, before guards,
 * schemas, lanes and subscribers; the first that refuses ends it. Refusals are `RATE_LIMITED`, those of connections `OVERLOADED`,
 * with `retryAfterMs`. All times are those of a clock that no step of the wall clock moves.
 *
 * Counted are events that reach the ingress: those of subscribers, those of this package, and unknown ones; not those that only listeners of
 * the application's own (`socket.on`) hear.
 *
 * @typeParam App - the `Server<...>` type of the application
 *
 * @example
 * const limits = Limits.recommended({ realtime });
 * limits.rate({ name: "talk", events: ["say"], points: 100, durationMs: 60_000 });
 * manager.registerHandler(realtime).registerHandler(limits);
 */
export class Limits<App extends AppServer = Server> extends Handler<App> {
  readonly name: string = "limits";
  readonly events: object = {};
  /** @internal */
  readonly [builtIn]: true = true;

  readonly #realtime: Realtime<App> | undefined;
  readonly #namespaces: readonly (string | RegExp)[];
  readonly #budgets: Budgets<App>;
  readonly #news: LimitedNews<App>;
  readonly #rates = new Map<string, Rate<App>>();
  /** The rates that count an event, by its name; of all others those that count every event. */
  #byEvent = new Map<string, readonly Rate<App>[]>();
  #byAll: readonly Rate<App>[] = [];
  #connectionOptions: CheckedConnections | undefined;
  #slowOptions: CheckedSlowConsumers | undefined;
  #connections: Connections<App> | undefined;
  #slow: SlowConsumers | undefined;
  #stopAsking: (() => Promise<void>) | undefined;
  #ended = 0;
  readonly #counted: ConnectionCounters = freshCounters();

  /** @throws TypeError naming an option that does not exist or does not fit */
  constructor(options: LimitsOptions<App> = {}) {
    super();
    const { realtime, trustProxy, onLimited, namespaces } = readLimits(options as LimitsOptions<never>);
    this.#realtime = realtime;
    this.#namespaces = namespaces ?? [realtime?.namespace ?? "/"];
    this.#budgets = new Budgets(this.#realtime, trustProxy, () => this.log);
    this.#news = new LimitedNews(onLimited, () => this.log);
  }

  /**
   * A `Limits` with what suits most servers, to which you add your own. Declaring `connections` or `slowConsumers` again replaces what is
   * here.
   *
   * - rate `"each connection"`: 1,000 events in 10 s from one connection
   * - rate `"each user"`: 3,000 events in 10 s from one user, where there is a realtime door
   * - connections: 10,000 in all, and 20 of a user (the oldest makes room); a namespace joined within 10 s
   * - slow consumers: 4 MB
   * - where `trustProxy` is said (0 if there is no proxy), so that addresses are known: rate `"each address"`, 10,000 events in 10 s from one
   *   address, and 200 connections
   *
   * @throws TypeError naming an option that does not exist or does not fit
   */
  static recommended<App extends AppServer = Server>(options: LimitsOptions<App> = {}): Limits<App> {
    const limits = new Limits<App>(options);
    const { realtime, trustProxy } = options;
    const all = { events: "all", durationMs: 10_000 } as const;
    limits.rate({ ...all, name: "each connection", points: 1_000, by: "connection" });
    // Who is no user is counted by the connection.
    if (realtime !== undefined)
      limits.rate({ ...all, name: "each user", points: 3_000, by: ({ socket }) => realtime.identify(socket).user });
    if (trustProxy !== undefined) limits.rate({ ...all, name: "each address", points: 10_000, by: "address" });
    limits.connections({
      max: 10_000,
      joinWithinMs: 10_000,
      ...(realtime !== undefined && { perUser: 20, whenUserIsFull: "closeOldest" }),
      ...(trustProxy !== undefined && { perIp: 200 }),
    });
    limits.slowConsumers({ maxBytes: 4_000_000 });
    return limits;
  }

  /**
   * Limits how often events may be asked. Without a `store` each node counts in memory, within 0.4 us and without a promise; with one, nodes
   * count together, and each event waits for it. A store that fails, or does not answer within `storeTimeoutMs`, is taken for down: events
   * then wait for nothing, and the insurance of this node, which has counted all along, decides; one event in 250 ms asks the store, and
   * when it answers nodes count together again.
   *
   * @returns the undo
   * @throws TypeError naming an option that does not fit; Error if there is a rate of this name
   */
  rate(options: RateOptions<App>): () => void {
    const checked = readRate(options, this.#realtime !== undefined);
    const { name } = checked;
    if (this.#rates.has(name)) throw new Error(`limits.rate "${name}": there is a rate of this name already`);
    const rate = new Rate<App>(checked, this.#budgets, this.#news, () => this.log);
    this.#rates.set(name, rate);
    this.#arrange();
    return () => {
      if (this.#rates.get(name) === rate) this.#rates.delete(name);
      this.#arrange();
    };
  }

  /**
   * Limits how many connections there are, and ends those that say nothing. A connection is a transport, whatever namespaces it is in;
   * those that are there already count, and are not refused. With a realtime door nodes count together: each is told of who asks before it is
   * let in, and exactly as many are as there are seats. A node that does not answer is waited for until it is dead, unless a limit divided by the
   * number of nodes has room. Declared again, it replaces what was declared.
   *
   * @returns the undo
   * @throws TypeError naming an option that does not fit
   */
  connections(options: ConnectionOptions): () => void {
    const checked = readConnections(options, this.#realtime !== undefined);
    this.#connectionOptions = checked;
    this.#countConnections();
    return () => {
      if (this.#connectionOptions !== checked) return;
      this.#connectionOptions = undefined;
      this.#countConnections();
    };
  }

  /**
   * Limits what may wait for a client that does not read. First what can be spared goes: volatile pushes are dropped, and of pushes with
   * `latest` the newest of each key is kept, while a connection can't be written to; then, above `maxBytes`, it ends. Its client comes back
   * by itself when it can. Declared again, it replaces what was declared.
   *
   * @returns the undo
   * @throws TypeError naming an option that does not fit
   */
  slowConsumers(options: SlowConsumerOptions = {}): () => void {
    const checked = readSlowConsumers(options);
    this.#slowOptions = checked;
    this.#watchSlow();
    return () => {
      if (this.#slowOptions !== checked) return;
      this.#slowOptions = undefined;
      this.#watchSlow();
    };
  }

  /** What it has done on this node since it was made. */
  counters(): LimitsCounters {
    const { droppedPushes: dropped = 0, replacedPushes: replaced = 0 } = this.#realtime?.stats() ?? {};
    return {
      rates: Object.fromEntries([...this.#rates].map(([name, rate]) => [name, rate.counters])),
      connections: { ...this.#counted },
      slowConsumers: { dropped, replaced, ended: this.#ended },
    };
  }

  /** @internal */
  [has](): Belongings {
    return {
      rates: [...this.#rates.values()].map(({ options }) => describeRate(options)),
      connections: this.#connectionOptions === undefined ? [] : [this.#connectionOptions],
      slowConsumers: this.#slowOptions === undefined ? [] : [this.#slowOptions],
    };
  }

  /** @internal */
  override [declares](): Declared {
    const asks = { fn: this.#ask, method: "limits", priority: FIRST };
    const entries = this.#connectionOptions === undefined ? [] : seatEntries(this.#connectionOptions, this.#namespaces);
    return { ...super[declares](), entries, asks: this.#asks ? asks : undefined };
  }

  /** Begins to count. */
  protected override onSetup(): void {
    const sweep = setInterval(() => {
      for (const rate of this.#rates.values()) rate.sweep(performance.now());
    }, SWEEP_MS);
    sweep.unref();
    this.#countConnections();
    this.#watchSlow();
    this.#arrange();
    this.addCleanup(async () => {
      clearInterval(sweep);
      this.#slow?.close();
      this.#slow = undefined;
      const [connections, stopAsking] = [this.#connections, this.#stopAsking];
      this.#connections = this.#stopAsking = undefined;
      await stopAsking?.();
      await connections?.close();
    });
  }

  #arrange(): void {
    const rates = [...this.#rates.values()];
    const counts = (event: string) => (rate: Rate<App>) =>
      rate.options.events === "all" || rate.options.events.includes(event);
    const named = rates.flatMap(({ options: { events } }) => (events === "all" ? [] : events));
    this.#byAll = rates.filter(({ options: { events } }) => events === "all");
    this.#byEvent = new Map(named.map((event) => [event, rates.filter(counts(event))]));
    this.#askOrNot();
  }

  /** To be asked about events costs something: only where there is something to count. */
  get #asks(): boolean {
    return this.#rates.size > 0 || (this.#connectionOptions?.idleMs ?? Infinity) < Infinity;
  }

  #askOrNot(): void {
    const { ingress } = this;
    if (this.#asks && this.registered && ingress !== undefined) {
      const identity = { self: this, handler: this.name, method: "limits", use: [] };
      this.#stopAsking ??= ingress[askAs](this.#ask, { priority: FIRST }, identity);
    } else if (!this.#asks) {
      void this.#stopAsking?.();
      this.#stopAsking = undefined;
    }
  }

  #ask(arrival: Arrival<App>): Awaitable<Refused | undefined> {
    const now = performance.now();
    this.#connections?.heard(arrival.socket.conn, now);
    return askFrom(this.#byEvent.get(arrival.event) ?? this.#byAll, 0, arrival, now);
  }

  #countConnections(): void {
    void this.#connections?.close();
    this.#connections = undefined;
    const { ingress } = this;
    const options = this.#connectionOptions;
    if (options !== undefined && this.registered && ingress !== undefined) {
      this.#connections = new Connections<App>({
        options,
        ingress,
        realtime: this.#realtime,
        namespaces: this.#namespaces,
        budgets: this.#budgets,
        news: new ConnectionNews(this.#counted, this.#news, this.log),
        handler: this.name,
      });
    }
    this.#askOrNot();
  }

  #watchSlow(): void {
    this.#slow?.close();
    this.#slow = undefined;
    const { ingress } = this;
    const options = this.#slowOptions;
    if (options === undefined || !this.registered || ingress === undefined) return;
    this.#realtime?.[countDropped]();
    this.#slow = new SlowConsumers({
      options,
      watch: ingress[transports],
      // It asks for the connection of a socket, and nothing else.
      bufferedBytes: (conn) => ingress.bufferedBytes({ conn } as AppSocket<App>),
      log: this.log,
      onEnded: () => {
        this.#ended++;
        this.#news.tell(() => {
          const [event, key, socket, retryAfterMs] = [undefined, undefined, undefined, undefined];
          return { kind: "slowConsumers", limit: "maxBytes", key, event, socket, retryAfterMs, observed: false };
        });
      },
    });
  }
}

/** In turn, until one refuses; what comes behind one that takes time is asked as of then. */
function askFrom<App extends AppServer>(
  rates: readonly Rate<App>[],
  from: number,
  arrival: Arrival<App>,
  now: number,
): Awaitable<Refused | undefined> {
  for (let i = from; i < rates.length; i++) {
    const verdict = rates[i]?.ask(arrival, now);
    if (verdict === undefined) continue;
    if (!isThenable(verdict)) return verdict;
    return verdict.then((refused) => refused ?? askFrom(rates, i + 1, arrival, performance.now()));
  }
  return undefined;
}
