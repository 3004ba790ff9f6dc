import type { Socket } from "socket.io";
import type { EventContext } from "../../events/event-context.js";
import { builtIn } from "../../events/managed.js";
import { subscribeAs, type SubscriberEntry, type SubscribingIngress } from "../../events/subscriber-list.js";
import type { AnySubscriber, AppServer, AppSocket } from "../../events/subscriber.js";
import { type Transport, transports } from "../../events/transports.js";
import { type Ended, ENDED } from "../../wire/ended.js";
import { type Awaitable, ignore } from "../../wire/values.js";
import type { Realtime } from "../realtime/index.js";
import type { Budgets } from "./budgets.js";
import type { ConnectionNews } from "./connection-news.js";
import { type CheckedConnections, countsSeats } from "./connection-options.js";
import { JoinDeadline } from "./join-deadline.js";
import { SeatExchange } from "./seat-exchange.js";
import { type Crowd, type Seat, Seats } from "./seats.js";

/** What a {@link Connections} works with. */
export interface ConnectionsInit<App extends AppServer> {
  readonly options: CheckedConnections;
  readonly realtime: Realtime<App> | undefined;
  readonly ingress: SubscribingIngress<App>;
  readonly namespaces: readonly (string | RegExp)[];
  readonly budgets: Budgets<App>;
  readonly news: ConnectionNews<App>;
  /** Whose subscribers they are. */
  readonly handler: string;
}

/** A connection of this node: a transport, with its sockets in whatever namespaces. */
interface Guest<App extends AppServer> {
  readonly seat: Seat;
  readonly transport: Transport;
  /** Those that ask to be let in, and those that are in. */
  readonly sockets: Set<AppSocket<App>>;
  /** When its client sent an event last. */
  heardAt: number;
  /** The decision about its seat: it may ask to enter several namespaces at once, and one is decided after the other. */
  decided: Promise<unknown>;
}

/** Behind auth, so that who may not come in takes no seat; before everybody else, since what is full is the cheapest reason to refuse. */
const FIRST = -1_500_000;
/** Behind all that may still refuse, or say whose a socket is. */
const LAST = 1_000_000;
/** Right behind realtime, which has found out whose a socket is. */
const IDENTIFIED = -999_999;

/** What is subscribed in each namespace. */
type SeatMethod = "reserveSeat" | "takeSeat" | "nameSeat" | "leaveSeat";

const subscribed: Readonly<Record<SeatMethod, { event: string; priority: number; guard?: boolean }>> = {
  reserveSeat: { event: "connect", priority: FIRST, guard: true },
  takeSeat: { event: "connect", priority: LAST },
  nameSeat: { event: "connection", priority: IDENTIFIED },
  leaveSeat: { event: "disconnecting", priority: FIRST },
};

/**
 * What is subscribed where connections are limited.
 *
 * @param run by method; without them, for a description, nothing runs
 */
export function seatEntries(
  options: CheckedConnections,
  namespaces: readonly (string | RegExp)[],
  run: { readonly [method in SeatMethod]?: AnySubscriber } = {},
): SubscriberEntry[] {
  if (!watchesConnections(options)) return [];
  return namespaces.flatMap((namespace) =>
    Object.entries(subscribed).map(([method, { event, ...more }]) => ({
      event,
      method,
      fn: run[method as SeatMethod] ?? ignore,
      options: { ...more, namespace },
    })),
  );
}

function watchesConnections(options: CheckedConnections): boolean {
  return countsSeats(options) || Math.min(options.idleMs, options.joinWithinMs) < Infinity;
}

/**
 * Counts connections, one seat for each transport. A seat is reserved by the first question of `connect`, so that a crowd that comes at
 * once can't share one; it is decided by the last, when all nodes know of it and it is known whose it is; and it is given back as soon as the
 * transport is in no namespace and asks for none, whoever refused it.
 */
export class Connections<App extends AppServer> {
  /** @internal */
  readonly [builtIn]: true = true;
  readonly #init: ConnectionsInit<App>;
  readonly #seats = new Seats();
  readonly #guests = new Map<Transport, Guest<App>>();
  readonly #exchange: SeatExchange | undefined;
  readonly #offs: (() => unknown)[] = [];
  readonly #deadline: JoinDeadline | undefined;
  #nextId = 0;

  constructor(init: ConnectionsInit<App>) {
    this.#init = init;
    const { options, realtime, news } = init;
    if (realtime !== undefined && countsSeats(options)) {
      const { heartbeatMs } = options;
      this.#exchange = new SeatExchange(realtime.cluster("limits"), this.#seats, heartbeatMs, {
        onBeat: () => this.#identifyAll(),
        onReplaced: (id) => this.#replaced(id),
      });
    }
    if (options.joinWithinMs < Infinity)
      this.#deadline = new JoinDeadline(init.ingress[transports], options.joinWithinMs, () =>
        news.ended("unjoined", undefined),
      );
    if (!watchesConnections(options)) return;
    this.#subscribe();
    this.#watchIdle();
  }

  /** Counts nothing any more. */
  async close(): Promise<void> {
    this.#exchange?.close();
    this.#deadline?.close();
    // At once: another may begin to count in the same turn.
    this.#guests.clear();
    this.#init.news.counters.open = 0;
    await Promise.all(this.#offs.map((off) => off()));
  }

  /** A client sent an event. */
  heard(transport: Transport, now: number): void {
    const guest = this.#guests.get(transport);
    if (guest !== undefined) guest.heardAt = now;
  }

  #subscribe(): void {
    const { ingress, namespaces, handler, options } = this.#init;
    const run = { reserveSeat: this.#reserve, takeSeat: this.#take, nameSeat: this.#arrive, leaveSeat: this.#leave };
    for (const { event, method, fn, options: more } of seatEntries(options, namespaces, run)) {
      const identity = { self: this, handler, method, use: [] };
      this.#offs.push(ingress[subscribeAs](event, fn, more, identity));
    }
    for (const namespace of namespaces) if (typeof namespace === "string") this.#takeIn(namespace);
    const off = this.#init.realtime?.onUserChanged(({ conn }) => {
      const guest = this.#guests.get(conn);
      if (guest !== undefined) this.#identify(guest);
    });
    if (off !== undefined) this.#offs.push(off);
  }

  /** Those that were there before: they count, and are not refused. */
  #takeIn(namespace: string): void {
    const sockets = (this.#init.ingress.io?.of(namespace).sockets ?? new Map()) as ReadonlyMap<string, AppSocket<App>>;
    for (const socket of sockets.values()) this.#takeInOne(socket);
  }

  #takeInOne(socket: AppSocket<App>): Guest<App> {
    const known = this.#guests.get(socket.conn);
    const guest = known ?? this.#seat(socket);
    guest.sockets.add(socket);
    if (known !== undefined) return guest;
    if (this.#exchange === undefined) this.#seats.take(guest.seat);
    else
      void this.#exchange
        .ask(guest.seat, () => true)
        .then(() => this.#settle(guest))
        // Where the realtime door was there before this one.
        .then(() => this.#identify(guest));
    return guest;
  }

  #reserve({ socket, signal }: EventContext<App>): void {
    const guest = this.#guests.get(socket.conn) ?? this.#admit(socket);
    guest.sockets.add(socket);
    // Refused, given up, or gone: whoever it was that refused, and however late.
    signal.addEventListener("abort", () => this.#release(guest, socket), { once: true });
  }

  /** @throws EventError if there is no seat */
  #admit(socket: AppSocket<App>): Guest<App> {
    const full = this.#fullOf({ ...this.#seats.all(this.#init.budgets.addressOf(socket)), user: 0 });
    if (full !== undefined) throw this.#init.news.refused(full, socket);
    return this.#seat(socket);
  }

  #seat(socket: AppSocket<App>): Guest<App> {
    const { budgets, news } = this.#init;
    const address = budgets.addressOf(socket);
    const node = this.#exchange?.node ?? "";
    const id = `${node}:${++this.#nextId}`;
    const seat: Seat = { id, node, address, user: undefined, state: "reserved", stamp: 0 };
    const guest: Guest<App> = {
      seat,
      transport: socket.conn,
      sockets: new Set(),
      heardAt: performance.now(),
      decided: Promise.resolve(),
    };
    this.#seats.add(seat);
    this.#guests.set(socket.conn, guest);
    news.counters.open++;
    return guest;
  }

  #take({ socket }: EventContext<App>): Awaitable<void> {
    const guest = this.#guests.get(socket.conn) as Guest<App>; // the first question has seated it
    const exchange = this.#exchange;
    if (exchange === undefined) return this.#seats.take(guest.seat);
    const decided = guest.decided.then(() => this.#decide(guest, socket, exchange));
    guest.decided = decided.catch(ignore);
    return decided;
  }

  /** @throws EventError if there is no seat */
  async #decide(guest: Guest<App>, socket: AppSocket<App>, exchange: SeatExchange): Promise<void> {
    const { seat } = guest;
    const user = await this.#userOf(socket);
    if (seat.state === "taken") return this.#own(seat, user, socket);
    this.#seats.setUser(seat, user);
    await exchange.ask(seat, (nodes) => this.#isDecided(seat, nodes));
    if (this.#guests.get(socket.conn) !== guest) return;
    const full = this.#fullOf(this.#seats.before(seat));
    if (full !== undefined) throw this.#init.news.refused(full, socket);
    this.#settle(guest);
  }

  /** Whose a socket will be. The realtime door knows it of those of its own namespace only. */
  async #userOf(socket: AppSocket<App>): Promise<string | undefined> {
    const { realtime } = this.#init;
    return socket.nsp.name === realtime?.namespace ? (await realtime.whoConnects(socket)).user : undefined;
  }

  /**
   * A seat that was taken for another namespace of its transport, where nobody knew whose it is.
   *
   * @throws EventError if its user has as many as they may
   */
  #own(seat: Seat, user: string | undefined, socket: AppSocket<App>): void {
    if (user === undefined || seat.user !== undefined) return;
    this.#seats.setUser(seat, user);
    const full = this.#fullOf({ server: 0, ip: 0, user: this.#seats.before(seat).user });
    if (full === undefined) return this.#exchange?.moved(seat);
    this.#seats.setUser(seat, undefined);
    throw this.#init.news.refused(full, socket);
  }

  #settle({ seat }: Guest<App>): void {
    this.#seats.take(seat);
    this.#exchange?.taken(seat);
  }

  #arrive(context: EventContext<App>): void {
    // It may have been let in before anything was counted.
    const guest = this.#takeInOne(context.socket);
    guest.heardAt = performance.now();
    this.#identify(guest);
    const { perUser, whenUserIsFull } = this.#init.options;
    const { user } = guest.seat;
    if (whenUserIsFull !== "closeOldest" || user === undefined) return;
    const seats = this.#seats.ofUser(user);
    for (const seat of seats.slice(0, Math.max(0, seats.length - perUser))) {
      // Of two that come at once this may be the older one.
      if (seat === guest.seat) context.stop();
      // Not counted any more, until its own node says that it has gone.
      this.#seats.remove(seat.id);
      if (!this.#replaced(seat.id)) this.#exchange?.replace(seat.id);
    }
  }

  /** Whose it is now, after a login as well: who logs in on a connection that is open is not refused. */
  #identify({ seat, sockets }: Guest<App>): void {
    const { realtime } = this.#init;
    if (realtime === undefined) return;
    const users = [...sockets].map((socket) => realtime.identify(socket).user);
    const user = users.find((one) => one !== undefined);
    if (user === seat.user || seat.state !== "taken") return;
    // One that is about to come in has said whose it is.
    if (user === undefined && [...sockets].some(({ connected }) => !connected)) return;
    this.#seats.setUser(seat, user);
    this.#exchange?.moved(seat);
  }

  #identifyAll(): void {
    for (const guest of this.#guests.values()) this.#identify(guest);
  }

  /** A newer connection takes the place of one of this node. Returns false if it is of another. */
  #replaced(id: string): boolean {
    const guest = [...this.#guests.values()].find(({ seat }) => seat.id === id);
    if (guest === undefined) return false;
    this.#init.news.ended("replaced", [...guest.sockets][0]);
    const message = "a newer connection of yours has taken its place";
    this.#end(guest, { code: "CONFLICT", message, reason: "replaced" });
    return true;
  }

  /** Ends a connection: its client is told why, in each of its namespaces, and does not come back by itself. */
  #end({ sockets, transport }: Guest<App>, ended: Ended): void {
    for (const socket of [...sockets]) {
      // A frame of this package, which no application's map of events has; and not by the socket: with recovery on, that may take the way of
      // an adapter's stream, and is overtaken by the end.
      if (socket.connected) (socket as Socket).nsp.local.to(socket.id).emit(ENDED, ended);
      socket.disconnect();
    }
    transport.close();
  }

  #leave({ socket }: EventContext<App>): void {
    const guest = this.#guests.get(socket.conn);
    if (guest !== undefined) this.#release(guest, socket);
  }

  #release(guest: Guest<App>, socket: AppSocket<App>): void {
    const { seat, transport, sockets } = guest;
    sockets.delete(socket);
    if (sockets.size > 0 || this.#guests.get(transport) !== guest) return;
    this.#guests.delete(transport);
    this.#seats.remove(seat.id);
    this.#exchange?.freed(seat);
    this.#init.news.counters.open--;
    this.#deadline?.begin(transport);
  }

  /**
   * Whether what a silent node would say of a seat changes nothing: there is none, or it is within this node's share of all. While each of
   * them takes no more than its share, they are no more than all together (decision 0081).
   */
  #isDecided(seat: Seat, nodes: number): boolean {
    const before = this.#seats.before(seat);
    const all = (count: number): number => (count + 1) * nodes - 1;
    const ifAllWereSo = { server: all(before.server), ip: all(before.ip), user: all(before.user) };
    return this.#fullOf(before) !== undefined || this.#fullOf(ifAllWereSo) === undefined;
  }

  /** What is full, with so many in the way. */
  #fullOf({ server, ip, user }: Crowd): keyof Crowd | undefined {
    const { max, perIp, perUser, whenUserIsFull } = this.#init.options;
    if (server >= max) return "server";
    if (ip >= perIp) return "ip";
    return user >= perUser && whenUserIsFull === "refuse" ? "user" : undefined;
  }

  #watchIdle(): void {
    const { idleMs } = this.#init.options;
    if (idleMs === Infinity) return;
    // What has arrived meanwhile is read first: it may be this process that was late.
    const look = (): void => void setImmediate(() => this.#endIdle());
    const timer = setInterval(look, Math.min(10_000, Math.max(20, idleMs / 4)));
    timer.unref();
    this.#offs.push(() => clearInterval(timer));
  }

  #endIdle(): void {
    const { options, news } = this.#init;
    const since = performance.now() - options.idleMs;
    for (const guest of [...this.#guests.values()]) {
      // One that still asks to be let in is not idle.
      if (guest.heardAt > since || ![...guest.sockets].some(({ connected }) => connected)) continue;
      news.ended("idle", [...guest.sockets][0]);
      this.#end(guest, { code: "TIMEOUT", message: "nothing came from you for a long time", reason: "idle" });
    }
  }
}
