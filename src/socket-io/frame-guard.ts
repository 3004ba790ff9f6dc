import type { EventEmitter } from "node:events";
import type { Server } from "socket.io";
import { parserOf } from "../wire/sendable.js";
import { ClientFaults } from "../lifecycle/log.js";
import type { Logger } from "../lifecycle/logger.js";
import type { Connection, Engine, Engines } from "./engines.js";
import { frameType, hasMoreArguments, hasMorePlaceholders, namespaceOf } from "./frames.js";
import type { TransportNamespaces, Written } from "./transport-namespaces.js";

/** What a {@link FrameGuard} needs. */
export interface FrameGuardOptions {
  readonly log: Logger;
  readonly maxArguments: number;
  readonly namespaces: TransportNamespaces;
}

/**
 * Reads each frame before Socket.IO does, and closes the connection of one that Socket.IO would pay for:
 *
 * - more arguments than can be passed with `apply`, which it does outside any `try` (`Socket.onevent` and
 *   `StrictEventEmitter.emitUntyped`): a RangeError that ends the process;
 * - an attachment that is named several times;
 * - a CONNECT for a namespace that the transport has asked to enter already, or for one too many.
 *
 * There is no place for a `try` or a refusal of ours in between, so such a connection ends as Socket.IO ends one that sends what can't
 * be decoded (decision 0017). Only text frames are looked at, those of Socket.IO's own parser: what a custom one makes of its bytes can't be told
 * from here. One listener for the engine and one function for all its connections.
 */
export class FrameGuard {
  readonly #closed: ClientFaults;
  readonly #maxArguments: number;
  readonly #namespaces: TransportNamespaces;
  readonly #onConnection: (connection: Connection) => void;
  readonly #onData: (this: Connection, data: unknown) => void;
  #engines: Engines | undefined;
  #unfollow: (() => void) | undefined;
  /** Whether frames are Socket.IO's own. */
  #readsConnects = true;

  constructor({ log, maxArguments, namespaces }: FrameGuardOptions) {
    this.#closed = new ClientFaults(log, "connections were closed");
    this.#maxArguments = maxArguments;
    this.#namespaces = namespaces;
    const read = (connection: Connection, data: string): void => this.#read(connection, data);
    this.#onData = function onData(data) {
      if (typeof data === "string") read(this, data);
    };
    this.#onConnection = (connection) => {
      if (this.#readsConnects) {
        namespaces.follow(connection);
        // Socket.IO enters it by itself for clients of its version 2 (`Server.onconnection`).
        if (connection.protocol === 3) namespaces.ask(connection, "/");
      }
      this.#guard(connection);
    };
  }

  /** Guard the connections of a server and its engines, those to come from their first frame on. */
  watch(io: Server, engines: Engines): void {
    this.#readsConnects = parserOf(io) === undefined;
    this.#engines = engines;
    this.#unfollow = engines.follow((engine) => this.#watch(engine));
  }

  /** A connection of a socket: that of an engine we know, or of one that was added meanwhile. */
  meet(connection: Connection): void {
    this.#engines?.look(connection);
    this.#guard(connection);
  }

  /** Leave everything alone. */
  unwatch(io: Server): void {
    this.#unfollow?.();
    for (const engine of this.#engines as Engines) {
      engine.off("connection", this.#onConnection);
      engine.off("flush", this.#onFlush);
      for (const connection of Object.values(engine.clients ?? {})) connection.off("data", this.#onData);
    }
    this.#engines = undefined;
    // Those of an engine that does not list them.
    for (const { conn } of io.of("/").sockets.values()) (conn as EventEmitter).off("data", this.#onData);
  }

  #watch(engine: Engine): void {
    engine.on("connection", this.#onConnection);
    // Before the frames are merged.
    if (this.#readsConnects) engine.prependListener("flush", this.#onFlush);
    for (const connection of Object.values(engine.clients ?? {})) this.#guard(connection);
  }

  /**
   * By `data`, which Socket.IO listens to as well: a listener to an event of its own, `packet`, would make the emitter's table grow, which
   * takes twice as long as all else we do for a connection.
   */
  #guard(connection: Connection): void {
    if (connection.listenerCount("data", this.#onData) === 0) connection.prependListener("data", this.#onData);
  }

  #read(connection: Connection, text: string): void {
    switch (text.charCodeAt(0)) {
      case frameType.event:
      case frameType.ack:
        return this.#count(connection, text);
      case frameType.binaryEvent:
      case frameType.binaryAck:
        if (hasMorePlaceholders(text)) return this.#end(connection, "names one attachment several times");
        return this.#count(connection, text);
      case frameType.connect:
        return this.#readsConnects ? this.#ask(connection, namespaceOf(text)) : undefined;
      case frameType.disconnect:
        this.#namespaces.left(connection, namespaceOf(text));
    }
  }

  #count(connection: Connection, text: string): void {
    if (!hasMoreArguments(text, this.#maxArguments)) return;
    this.#end(connection, `sends more than ${this.#maxArguments} arguments (the option maxArguments)`);
  }

  #ask(connection: Connection, namespace: string): void {
    const name = connection.protocol === 3 ? pathOf(namespace) : namespace;
    const objection = this.#namespaces.ask(connection, name, connection.writeBuffer);
    if (objection !== undefined) this.#end(connection, objection);
  }

  readonly #onFlush = (connection: Connection, packets: readonly Written[]): void => {
    this.#namespaces.writes(connection, packets);
  };

  /** Closed, it has no decoder any more (`Client.destroy` in socket.io), and its engine drops what is still to come. */
  #end(connection: Connection, what: string): void {
    connection.close(true);
    this.#closed.write(() => ({ fields: {}, message: `a connection was closed whose client ${what}` }));
  }
}

/** Clients of Socket.IO 2 put a query behind a namespace, and the server takes it off (socket.io/lib/client.ts). */
function pathOf(namespace: string): string {
  try {
    return new URL(namespace, "https://socket.io").pathname;
  } catch {
    return namespace;
  }
}
