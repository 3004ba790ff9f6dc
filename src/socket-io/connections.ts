import type { IncomingMessage } from "node:http";
import type { Http2Session } from "node:http2";
import type { Server as HttpServer } from "node:net";
import type { Duplex } from "node:stream";
import type { Namespace, Server, Socket } from "socket.io";
import { type Connection as EngineConnection, type Engine, Engines } from "./engines.js";
import type { Deadline } from "../lifecycle/deadline.js";

type Connection = Socket["conn"];

/** How many connections to close at once, and how long to wait before the next ones. */
export interface CloseInBatches {
  /** How many connections are closed at once. */
  readonly batch: number;
  /** How long to wait between two batches, give or take half of it by chance. */
  readonly intervalMs: number;
}

/** How long a polling client that is told to go is waited for: it may never ask again. */
const POLLING_CLOSE_MS = 1_000;

/**
 * The connections of a server, whatever namespaces they are in and whichever engine and HTTP server they came through, and the TCP
 * sockets below its WebSockets.
 *
 * Socket.IO lists neither in public: it is told of connections by the `connection` events of engines and namespaces, and of TCP sockets
 * by the `upgrade` event of HTTP servers. Of those it knows the one that it was attached to last; others have to be named.
 */
export class Connections {
  readonly #io: Server;
  readonly #named: readonly HttpServer[];
  readonly #open = new Set<Connection>();
  readonly #tcp = new Set<Duplex>();
  /** Of HTTP/2 servers, whose `close` waits for all of them and asks none to end. */
  readonly #sessions = new Set<Http2Session>();
  readonly #onClose: (this: Connection) => void;
  readonly #onTcpClose: (this: Duplex) => void;
  readonly #onSessionClose: (this: Http2Session) => void;
  readonly #engines: Engines;
  readonly #httpServers = new Set<HttpServer>();
  /** Of the latter, those that were closed and do not listen again. */
  readonly #closed = new Set<HttpServer>();
  readonly #onServerClose: (this: HttpServer) => void;
  readonly #onListening: (this: HttpServer) => void;
  #empty: (() => void) | undefined;

  /** Watch `io`, and those of its HTTP servers that are named, until {@link Connections.unwatch}. */
  constructor(io: Server, named: readonly HttpServer[] = []) {
    this.#io = io;
    this.#named = named;
    const open = this.#open;
    const tcp = this.#tcp;
    const sessions = this.#sessions;
    const closed = this.#closed;
    const checkEmpty = (): void => {
      if (open.size === 0) this.#empty?.();
    };
    // One function for all of them: the emitter says who it is about.
    this.#onClose = function onClose() {
      open.delete(this);
      checkEmpty();
    };
    this.#onTcpClose = function onTcpClose() {
      tcp.delete(this);
    };
    this.#onSessionClose = function onSessionClose() {
      sessions.delete(this);
    };
    this.#onServerClose = function onServerClose() {
      closed.add(this);
    };
    this.#onListening = function onListening() {
      closed.delete(this);
    };
    this.#engines = new Engines(io);
    this.#engines.follow(this.#onEngine);
    io.on("new_namespace", this.#onNamespace);
    for (const namespace of namespacesOf(io)) this.#onNamespace(namespace);
    this.watch();
  }

  /** Every HTTP server that is known. */
  get httpServers(): Iterable<HttpServer> {
    return this.#httpServers;
  }

  /** Whether all HTTP servers that are known were closed. */
  get closed(): boolean {
    return this.#closed.size > 0 && this.#closed.size === this.#httpServers.size;
  }

  /** Look again: a server may be given its engine and its HTTP server after it was made. */
  watch(): void {
    this.#engines.look();
    // Typed as always there, it comes with `listen` or `attach`.
    const last = this.#io.httpServer as unknown as HttpServer | undefined;
    for (const server of [...this.#named, ...(last === undefined ? [] : [last])]) {
      // Without the engine's own listener, an upgrade would be answered by Node, which a listener of ours would change.
      if (this.#httpServers.has(server) || server.listenerCount("upgrade") === 0) continue;
      this.#httpServers.add(server);
      server.on("upgrade", this.#onUpgrade);
      server.on("session", this.#onSession);
      server.on("close", this.#onServerClose);
      server.on("listening", this.#onListening);
    }
  }

  /** Leave no listener behind, and forget everything. */
  unwatch(): void {
    this.#io.off("new_namespace", this.#onNamespace);
    for (const namespace of namespacesOf(this.#io)) namespace.off("connection", this.#onSocket);
    for (const engine of this.#engines) engine.off("connection", this.#add);
    for (const server of this.#httpServers) {
      server.off("upgrade", this.#onUpgrade);
      server.off("session", this.#onSession);
      server.off("close", this.#onServerClose);
      server.off("listening", this.#onListening);
    }
    for (const connection of this.#open) connection.off("close", this.#onClose);
    for (const tcp of this.#tcp) tcp.off("close", this.#onTcpClose);
    for (const session of this.#sessions) session.off("close", this.#onSessionClose);
    for (const all of [this.#httpServers, this.#closed, this.#open, this.#tcp, this.#sessions]) all.clear();
  }

  /**
   * Close every connection, after it has sent what it has to send, in batches if told so. Clients see a lost connection and so
   * come back, elsewhere (decision 0020). Until the deadline this waits for them to be closed, and so for their `disconnect` subscribers to
   * begin.
   */
  async close({ batch, intervalMs }: CloseInBatches, deadline: Deadline): Promise<void> {
    const waiting = [...this.#open];
    const size = Math.floor(batch);
    for (let i = 0; i < waiting.length; i += size) {
      // Jitter, so that several servers that go down together don't keep step.
      if (i > 0) await deadline.settle(new Promise(() => {}), intervalMs * (0.5 + Math.random()));
      // Once time is up, the rest goes at once.
      const end = deadline.remainingMs === 0 ? waiting.length : i + size;
      for (const connection of waiting.slice(i, end)) connection.close();
      if (end === waiting.length) break;
    }
    // Those that came meanwhile, too; for the others this is nothing new.
    for (const connection of this.#open) connection.close();
    if (this.#open.size === 0) return;
    const empty = new Promise<void>((resolve) => (this.#empty = resolve));
    await deadline.settle(empty, POLLING_CLOSE_MS);
    if ([...this.#open].some(({ transport }) => transport.name !== "polling")) await deadline.settle(empty);
  }

  /** Ask those who speak HTTP/2 to end when their requests are done. */
  closeSessions(): void {
    for (const session of this.#sessions) session.close();
  }

  /** End what is left below the closed connections, without asking the peer. `idle` spares those still sending. */
  destroy(which: "idle" | "all"): void {
    // Those that have come meanwhile, too.
    if (which === "idle") this.closeSessions();
    else for (const session of this.#sessions) session.destroy();
    for (const tcp of this.#tcp) {
      if (which === "all" || tcp.writableLength === 0) tcp.destroy();
    }
  }

  readonly #add = (connection: Connection): void => {
    if (this.#open.has(connection)) return;
    this.#open.add(connection);
    connection.on("close", this.#onClose);
    // The first request of a polling client is over by now; that of a WebSocket is the WebSocket.
    if (connection.transport.name === "websocket") this.#addTcp(connection.request.socket);
  };

  readonly #onEngine = (engine: Engine): void => {
    engine.on("connection", this.#add);
  };

  readonly #onNamespace = (namespace: Namespace): void => {
    namespace.on("connection", this.#onSocket);
    for (const { conn } of namespace.sockets.values()) this.#meet(conn);
  };

  readonly #onSocket = ({ conn }: Socket): void => {
    this.watch();
    this.#meet(conn);
  };

  #meet(connection: Connection): void {
    this.#engines.look(connection as unknown as EngineConnection);
    this.#add(connection);
  }

  readonly #onUpgrade = (request: IncomingMessage, tcp: Duplex): void => {
    if (request.url?.startsWith(this.#io.path())) this.#addTcp(tcp);
  };

  readonly #onSession = (session: Http2Session): void => {
    this.#sessions.add(session);
    session.once("close", this.#onSessionClose);
  };

  #addTcp(tcp: Duplex): void {
    if (tcp.destroyed || this.#tcp.has(tcp)) return;
    this.#tcp.add(tcp);
    tcp.once("close", this.#onTcpClose);
  }
}

/** Those that there are by now. Not kept, since dynamic ones come and go; the only list of them is Socket.IO's (decision 0014). */
function namespacesOf(io: Server): Iterable<Namespace> {
  return io._nsps?.values() ?? [io.of("/")];
}
