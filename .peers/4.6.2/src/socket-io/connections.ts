import type { EventEmitter } from "node:events";
import type { IncomingMessage, Server as HttpServer } from "node:http";
import type { Duplex } from "node:stream";
import type { Server, Socket } from "socket.io";
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
 * The connections of a server, whatever namespaces they are in, and the TCP sockets below its WebSockets.
 *
 * Socket.IO lists neither in public: it is told of connections by the engine's `connection` event, and of TCP sockets by the HTTP
 * server's `upgrade` event. Those that came earlier are found through the main namespace.
 */
export class Connections {
  readonly #io: Server;
  readonly #open = new Set<Connection>();
  readonly #tcp = new Set<Duplex>();
  readonly #onClose: (this: Connection) => void;
  readonly #onTcpClose: (this: Duplex) => void;
  #engine: EventEmitter | undefined;
  #httpServer: EventEmitter | undefined;
  #empty: (() => void) | undefined;

  /** Watch `io` until {@link Connections.unwatch}. */
  constructor(io: Server) {
    this.#io = io;
    const open = this.#open;
    const tcp = this.#tcp;
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
    io.on("connection", this.#onSocket);
    this.watch();
  }

  /** Look again: a server may be given its engine and its HTTP server after it was made. */
  watch(): void {
    // Typed as always there, they come with `listen` or `attach`.
    const engine = this.#io.engine as EventEmitter | undefined;
    const httpServer = this.#io.httpServer as unknown as HttpServer | undefined;
    if (engine && !this.#engine) {
      this.#engine = engine;
      engine.on("connection", this.#add);
      for (const { conn } of this.#io.of("/").sockets.values()) this.#add(conn);
    }
    // Without the engine's own listener, an upgrade would be answered by Node, which a listener of ours would change.
    if (httpServer && !this.#httpServer && httpServer.listenerCount("upgrade") > 0) {
      this.#httpServer = httpServer;
      httpServer.on("upgrade", this.#onUpgrade);
    }
  }

  /** Leave no listener behind, and forget everything. */
  unwatch(): void {
    this.#io.off("connection", this.#onSocket);
    this.#engine?.off("connection", this.#add);
    this.#httpServer?.off("upgrade", this.#onUpgrade);
    for (const connection of this.#open) connection.off("close", this.#onClose);
    for (const tcp of this.#tcp) tcp.off("close", this.#onTcpClose);
    this.#open.clear();
    this.#tcp.clear();
  }

  /**
   * Close every connection, after it has sent what it has to send, in batches if told so. Clients see a lost connection and so
   * come back, elsewhere. Until the deadline this waits for them to be closed, and so for their `disconnect` subscribers to begin.
   */
  async close({ batch, intervalMs }: CloseInBatches, deadline: Deadline): Promise<void> {
    const waiting = [...this.#open];
    for (let i = 0; i < waiting.length; i += batch) {
      // Jitter, so that several servers that go down together don't keep step.
      if (i > 0) await deadline.settle(new Promise(() => {}), intervalMs * (0.5 + Math.random()));
      // Once time is up, the rest goes at once.
      const end = deadline.remainingMs === 0 ? waiting.length : i + batch;
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

  /** End what is left below the closed connections, without asking the peer. `idle` spares those still sending. */
  destroy(which: "idle" | "all"): void {
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

  readonly #onSocket = ({ conn }: Socket): void => {
    this.watch();
    this.#add(conn);
  };

  readonly #onUpgrade = (request: IncomingMessage, tcp: Duplex): void => {
    if (request.url?.startsWith(this.#io.path())) this.#addTcp(tcp);
  };

  #addTcp(tcp: Duplex): void {
    if (tcp.destroyed || this.#tcp.has(tcp)) return;
    this.#tcp.add(tcp);
    tcp.once("close", this.#onTcpClose);
  }
}
