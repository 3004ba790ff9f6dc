import type { Namespace, Server, ServerOptions, Socket } from "socket.io";
import { describeValue, isThenable } from "../wire/values.js";

/** What the option `adapter` of a server takes: a class, or what an adapter package's `createAdapter` gives. */
export type AdapterConstructor = ServerOptions["adapter"];

type Adapter = Namespace["adapter"];
type BroadcastOptions = Parameters<Adapter["broadcast"]>[1];
type Session = Awaited<ReturnType<Adapter["restoreSession"]>>;

/** A packet as Socket.IO hands it to an adapter, which leaves it untyped. */
interface Packet {
  readonly type: number;
  readonly id?: number;
  readonly data: unknown[];
}

/** What nodes say to each other, as the base class of cluster adapters hands it to `onMessage`; as much of it as is read here. */
interface ClusterMessage {
  readonly uid: string;
  readonly nsp: string;
  readonly type: number;
  readonly data?: {
    readonly requestId?: string;
    readonly packet: Packet;
    readonly opts: { readonly rooms: string[]; readonly except: string[]; readonly flags?: BroadcastOptions["flags"] };
  };
}

/** What adapters over several nodes have beside: their base class documents it for those who extend it. */
interface OverNodes {
  readonly uid?: string;
  onMessage?(message: ClusterMessage, offset?: string): unknown;
}

/** A push that was delivered on this node, and the one after it: whoever holds one holds all that came later. */
interface Delivered {
  readonly n: number;
  readonly data: unknown[];
  readonly opts: BroadcastOptions;
  readonly offset: string | undefined;
  next: Delivered | undefined;
}

/** A push of this node that is on its way to the other nodes; it is delivered here afterwards. */
interface Publishing {
  readonly packet: Packet;
  readonly opts: BroadcastOptions;
  readonly length: number;
  delivered: boolean;
}

/** A client that came back, from the moment its session is looked for to the verdict. */
interface Returning {
  readonly since: number;
  readonly from: Delivered;
  session: Session | undefined;
}

/** Socket.IO's `PacketType.EVENT`, and `MessageType.BROADCAST` of its cluster adapters. */
const EVENT = 2;
const BROADCAST = 3;

/** As many pushes are kept for a client that is being asked about, which is what Redis streams keep by default. */
const MOST_HELD = 10_000;

const recoveries = new WeakMap<Adapter, Recoveries>();

/**
 * An adapter with which Socket.IO's connection state recovery sends what a client missed after the verdict on it, not before: the
 * client is back in its rooms, and hears what it missed and what came meanwhile, in order, once the `connect` subscribers and the
 * middleware of its namespace have let it in. Whoever is refused is sent nothing of it. A recovery id is spent once: given a second
 * time it makes an ordinary new connection, on this node or another. A client whose connection ends while it is being asked about
 * keeps its session.
 *
 * It works with the adapter Socket.IO has for one process and with that for Redis streams; others that keep sessions
 * on `socket.io-adapter`'s base class should do. Where recovery is off, it changes nothing.
 *
 * @param adapter - the adapter that keeps the sessions
 * @default the one Socket.IO uses by itself
 * @returns an adapter for `new Server({ adapter })`, which needs `connectionStateRecovery: { skipMiddlewares: false }`; without,
 * `new Server` throws a `TypeError`
 *
 * @example
 * new Server({
 *   connectionStateRecovery: { skipMiddlewares: false },
 *   adapter: recoverAfterAsking(createAdapter(redisClient)),
 * });
 */
export function recoverAfterAsking(adapter?: AdapterConstructor): AdapterConstructor {
  if (adapter !== undefined && typeof adapter !== "function") {
    throw new TypeError(
      `recoverAfterAsking: expected an adapter such as createAdapter(client), got ${describeValue(adapter)}`,
    );
  }
  // Not an arrow function: Socket.IO calls it with `new` (`Namespace._initAdapter`).
  return function (namespace: Namespace): Adapter {
    const recovery = namespace.server._opts.connectionStateRecovery;
    const Base = adapter ?? adapterOfSocketIo(namespace.server, recovery !== undefined);
    const made = new (Base as new (namespace: Namespace) => Adapter)(namespace);
    if (!recovery) return made;
    if (recovery.skipMiddlewares !== false) {
      throw new TypeError(
        "recoverAfterAsking: expected connectionStateRecovery: { skipMiddlewares: false }, got " +
          `skipMiddlewares: ${describeValue(recovery.skipMiddlewares)}; nobody would be asked`,
      );
    }
    recoveries.set(made, new Recoveries(made, namespace, recovery.maxDisconnectionDuration ?? 120_000));
    return made;
  };
}

/** Whether a server asks about recovered connections before they are sent anything. */
export function asksBeforeRecovery(io: Server): boolean {
  return recoveries.has(io.of("/").adapter);
}

/**
 * A connection that wanted to recover was not let in. If it was refused, what it missed is forgotten; if it could not be asked about,
 * or went before the verdict, it may come back for it.
 */
export function endRecovery(socket: Socket, how: "refused" | "notAsked"): void {
  if (socket.recovered) recoveries.get(socket.nsp.adapter)?.end(socket, how);
}

/**
 * The recoveries of one namespace. The adapter keeps the sessions; what is delivered while a client is asked about is kept here
 * (decision 0038).
 */
class Recoveries {
  readonly #namespace: Namespace;
  readonly #keepMs: number;
  readonly #base: Pick<Adapter, "restoreSession" | "persistSession" | "broadcast"> & OverNodes;
  /** Delivers on this node, and stores nothing a second time. */
  readonly #deliver: (packet: Packet, opts: BroadcastOptions) => void;
  /** Recovery ids that were used, and when; one that is kept anew, after another disconnect, is good again. */
  readonly #spent = new Map<string, number>();
  readonly #returning = new Set<Returning>();
  readonly #bySocket = new Map<string, Returning>();
  /** Sockets that can't be given what they missed. They are closed, and their session is not kept. */
  readonly #lost = new Set<string>();
  readonly #publishing = new Set<Publishing & { readonly done: Promise<unknown> }>();
  #last: Delivered = { n: 0, data: [], opts: { rooms: new Set() }, offset: undefined, next: undefined };
  /** The last entry of the stream that this node has read. */
  #read: string | undefined;
  /** Entries that were sent with what was missed, and that this node has still to read: not a second time to these sockets. */
  readonly #early = new Map<string, Set<string>>();

  constructor(adapter: Adapter, namespace: Namespace, keepMs: number) {
    this.#namespace = namespace;
    this.#keepMs = keepMs;
    const overNodes = adapter as unknown as OverNodes;
    this.#base = {
      restoreSession: adapter.restoreSession.bind(adapter),
      persistSession: adapter.persistSession.bind(adapter),
      broadcast: adapter.broadcast.bind(adapter),
      ...(overNodes.uid !== undefined && { uid: overNodes.uid }),
      ...(overNodes.onMessage && { onMessage: overNodes.onMessage.bind(adapter) }),
    };
    this.#deliver = plainBroadcast(adapter).bind(adapter);
    adapter.restoreSession = (pid, offset) => this.#restore(pid, offset) as Promise<Session>;
    adapter.persistSession = (session) => this.#persist(session);
    adapter.broadcast = (packet, opts) => this.#broadcast(packet as Packet, opts);
    if (overNodes.onMessage) overNodes.onMessage = (message, offset) => this.#onMessage(message, offset);
    // An adapter is made with its namespace, so this is told before any listener of the application.
    namespace.on("connect", (socket) => this.#resume(socket));
  }

  /** A socket of a session that was restored will not be connected. */
  end(socket: Socket, how: "refused" | "notAsked"): void {
    const returning = this.#bySocket.get(socket.id);
    if (returning?.session === undefined) return;
    this.#forget(returning);
    if (how === "refused" && socket.conn.readyState === "open") return;
    const { sid, pid, rooms, data } = returning.session;
    this.#persist({ sid, pid, rooms, data });
  }

  async #restore(pid: string, offset: string): Promise<Session | null> {
    const now = Date.now();
    // A session is kept no longer than this, so its id need not be either.
    for (const [id, at] of this.#spent) {
      if (at + this.#keepMs >= now) break;
      this.#spent.delete(id);
    }
    this.#expire(now);
    if (this.#spent.has(pid)) return null;
    this.#spent.set(pid, now);
    const returning: Returning = { since: now, from: this.#last, session: undefined };
    this.#returning.add(returning);
    try {
      const session = await (this.#base.restoreSession(pid, offset) as Promise<Session | null> | null);
      if (session === null) return null;
      // What this node sent may be in the stream, and so in the session, a moment before it is delivered here.
      await Promise.allSettled([...this.#publishing].map(({ done }) => done));
      returning.session = session;
      this.#bySocket.set(session.sid, returning);
      return { ...session, rooms: [], missedPackets: [] };
    } finally {
      if (returning.session === undefined) {
        this.#spent.delete(pid);
        this.#returning.delete(returning);
      }
    }
  }

  #persist(session: Parameters<Adapter["persistSession"]>[0]): void {
    if (this.#lost.has(session.sid)) return;
    this.#spent.delete(session.pid);
    this.#base.persistSession(session);
  }

  #broadcast(packet: Packet, opts: BroadcastOptions): void {
    const { length } = packet.data;
    const result = this.#base.broadcast(packet, opts) as unknown;
    if (!isThenable(result)) {
      if (this.#returning.size > 0) this.#delivered({ packet, opts, length, delivered: false });
      return undefined;
    }
    const publishing: Publishing = { packet, opts, length, delivered: false };
    const done = Promise.resolve(result).finally(() => {
      this.#publishing.delete(tracked);
      this.#delivered(publishing);
    });
    const tracked = Object.assign(publishing, { done });
    this.#publishing.add(tracked);
    // As the adapter's own: typed as nothing, it is a promise.
    return done as unknown as void;
  }

  #onMessage(message: ClusterMessage, offset: string | undefined): unknown {
    const { data, type, uid, nsp } = message;
    if (offset !== undefined) this.#read = offset;
    const had = offset === undefined ? undefined : this.#arrivedLate(offset);
    if (type !== BROADCAST || data === undefined || uid === this.#base.uid || nsp !== this.#namespace.name)
      return this.#base.onMessage?.(message, offset);
    const { packet, opts, requestId } = data;
    const { length } = packet.data;
    const except = had === undefined ? opts.except : [...opts.except, ...had];
    const result = this.#base.onMessage?.({ ...message, data: { ...data, opts: { ...opts, except } } }, offset);
    if (requestId === undefined && this.#returning.size > 0) {
      const decoded = { ...opts, rooms: new Set(opts.rooms), except: new Set(opts.except) };
      this.#delivered({ packet, opts: decoded as BroadcastOptions, length, delivered: false });
    }
    return result;
  }

  /** Keeps what a client that is being asked about has missed by now. */
  #delivered(pushed: Publishing): void {
    const { packet, opts, length } = pushed;
    if (pushed.delivered || this.#returning.size === 0) return;
    pushed.delivered = true;
    if (packet.type !== EVENT || packet.id !== undefined || opts.flags?.volatile === true) return;
    const offset = packet.data.length > length ? (packet.data.at(-1) as string) : undefined;
    this.#last = this.#last.next = { n: this.#last.n + 1, data: packet.data, opts, offset, next: undefined };
    this.#expire(Date.now());
  }

  #expire(now: number): void {
    for (const returning of this.#returning) {
      if (now - returning.since <= this.#keepMs && this.#last.n - returning.from.n <= MOST_HELD) return;
      this.#forget(returning);
    }
  }

  #forget(returning: Returning): void {
    this.#returning.delete(returning);
    if (returning.session) this.#bySocket.delete(returning.session.sid);
  }

  /** The socket was let in. All of it in one turn, so that nothing comes between what was missed and what is next. */
  #resume(socket: Socket): void {
    if (!socket.recovered) return;
    for (const publishing of this.#publishing) {
      // Its offset says so; whoever waits for the promise is told a moment later.
      if (publishing.packet.data.length > publishing.length) this.#delivered(publishing);
    }
    const returning = this.#bySocket.get(socket.id);
    if (returning?.session === undefined) return this.#lose(socket);
    this.#forget(returning);
    const { rooms, missedPackets } = returning.session;
    const entered = Promise.resolve(socket.join(rooms.filter((room) => room !== socket.id)));
    entered.catch(() => this.#lose(socket));
    const to: BroadcastOptions = { rooms: new Set([socket.id]), except: new Set(), flags: {} };
    const send = (data: unknown[]): void => this.#deliver({ type: EVENT, data }, to);
    const sent = new Set<unknown>();
    for (const data of missedPackets) {
      sent.add(data.at(-1));
      send(data);
    }
    for (let { next } = returning.from; next !== undefined; next = next.next) {
      if ((next.offset === undefined || !sent.has(next.offset)) && isFor(rooms, next.opts)) send(next.data);
    }
    for (const offset of sent) if (typeof offset === "string") this.#noteEarly(offset, socket.id);
  }

  // Only a connection that begins anew is without a gap.
  #lose(socket: Socket): void {
    this.#lost.add(socket.id);
    socket.once("disconnect", () => this.#lost.delete(socket.id));
    socket.conn.close();
  }

  #noteEarly(offset: string, socketId: string): void {
    if (this.#read !== undefined && !isAfter(offset, this.#read)) return;
    const sockets = this.#early.get(offset);
    if (sockets) sockets.add(socketId);
    else if (isAfter(offset, "0-0")) this.#early.set(offset, new Set([socketId]));
  }

  /** Who has the entry of the stream that this node reads now. Those before it were read, or never will be. */
  #arrivedLate(offset: string): Set<string> | undefined {
    const sockets = this.#early.get(offset);
    for (const known of this.#early.keys()) if (!isAfter(known, offset)) this.#early.delete(known);
    return sockets;
  }
}

/** Whether a push was for a session, as Socket.IO decides it for those it has stored (`shouldIncludePacket`). */
function isFor(rooms: readonly string[], opts: BroadcastOptions): boolean {
  const included = opts.rooms.size === 0 || rooms.some((room) => opts.rooms.has(room));
  return included && !rooms.some((room) => opts.except?.has(room));
}

/** Whether one entry of a Redis stream is later than another. Offsets of other adapters can't be compared, and are not. */
function isAfter(one: string, other: string): boolean {
  const [ms = NaN, n = NaN] = one.split("-").map(Number);
  const [otherMs = NaN, otherN = NaN] = other.split("-").map(Number);
  return ms > otherMs || (ms === otherMs && n > otherN);
}

/** The `broadcast` that all adapters inherit, which writes to the sockets of this node. */
function plainBroadcast(adapter: Adapter): (packet: Packet, opts: BroadcastOptions) => void {
  let { broadcast } = adapter;
  for (let at: unknown = adapter; at !== null; at = Object.getPrototypeOf(at)) {
    if (Object.hasOwn(at as object, "broadcast")) broadcast = (at as Adapter).broadcast;
  }
  return broadcast as (packet: Packet, opts: BroadcastOptions) => void;
}

const ofSocketIo = new Map<boolean, AdapterConstructor>();

// A server says which adapter it uses by itself; the package that has it is a dependency of Socket.IO's and not of ours.
function adapterOfSocketIo(io: Server, recovers: boolean): AdapterConstructor {
  let found = ofSocketIo.get(recovers);
  if (found === undefined) {
    const Another = io.constructor as typeof Server;
    found = new Another(recovers ? { connectionStateRecovery: {} } : {}).adapter() as AdapterConstructor;
    ofSocketIo.set(recovers, found);
  }
  return found;
}
