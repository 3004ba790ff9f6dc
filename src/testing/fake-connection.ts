import { EventEmitter } from "node:events";
import { IncomingMessage } from "node:http";
import { Socket as NetSocket } from "node:net";
import { FarEnd, type FarEndPeer } from "../socket-io/far-end.js";

/** What a fake client shows of the HTTP request that would have opened its connection. */
export interface FakeRequest {
  /** Request headers; names in any case. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The query of the handshake, beside Engine.IO's own parameters. */
  readonly query?: Readonly<Record<string, string>>;
  /**
   * The client's address, in `handshake.address`.
   *
   * @default "127.0.0.1"
   */
  readonly address?: string;
}

/** Why a connection is lost, as the server's `disconnect` tells it. */
export type LostReason = "transport close" | "transport error" | "ping timeout" | "parse error";

/** Server and connections as Engine.IO has them, in memory: Socket.IO's own classes run on top of it. */
export class FakeEngine extends EventEmitter {
  readonly connections: Set<FakeConnection> = new Set();
  #ids = 0;
  #closed = false;

  /** How many connections are open, as `io.engine.clientsCount`. */
  get clientsCount(): number {
    return this.connections.size;
  }

  /** Opens a connection; `peer` is given each encoded packet that the server writes. */
  open(request: FakeRequest, peer: FarEndPeer): FakeConnection {
    if (this.#closed) throw new Error("this fake server is closed: nobody can connect to it any more");
    const connection = new FakeConnection(this, `fake-${++this.#ids}`, request, peer);
    this.connections.add(connection);
    connection.open();
    return connection;
  }

  /** Closes every connection, as Engine.IO does at `io.close()`. */
  close(): this {
    this.#closed = true;
    for (const connection of this.connections) connection.close();
    return this;
  }

  use(): never {
    return this.#unsupported("use");
  }

  attach(): never {
    return this.#unsupported("attach");
  }

  handleRequest(): never {
    return this.#unsupported("handleRequest");
  }

  handleUpgrade(): never {
    return this.#unsupported("handleUpgrade");
  }

  #unsupported(method: string): never {
    throw new Error(`io.engine.${method}() needs HTTP, and a fake server has none: use inMemory(io) for this test`);
  }
}

/** What `socket.conn` is on a fake server: a connection whose far end is the test's. */
export class FakeConnection extends FarEnd {
  /** What `socket.data` starts with, by namespace; taken when the socket is made. */
  readonly presets: Map<string, unknown> = new Map();
  readonly #engine: FakeEngine;

  constructor(
    engine: FakeEngine,
    id: string,
    { headers = {}, query = {}, address = "127.0.0.1" }: FakeRequest,
    peer: FarEndPeer,
  ) {
    const request = requestOf(headers, { EIO: "4", transport: "websocket", ...query });
    super({ engine, id, request, remoteAddress: address, transport: "websocket" }, peer);
    this.#engine = engine;
    this.once("close", () => this.#engine.connections.delete(this));
  }

  override write(chunk: unknown, options?: unknown, sent?: () => void): this {
    checkCarried(chunk);
    return super.write(chunk, options, sent);
  }
}

/** A parser of the application's own may make anything: who tests with it is told, rather than losing the connection. */
function checkCarried(chunk: unknown): void {
  if (typeof chunk === "string" || ArrayBuffer.isView(chunk) || chunk instanceof ArrayBuffer) return;
  throw new Error(
    `a fake connection carries strings and binary data, and was given ${Object.prototype.toString.call(chunk)}: use inMemory(io) for this test`,
  );
}

function requestOf(
  headers: Readonly<Record<string, string>>,
  query: Readonly<Record<string, string>>,
): IncomingMessage {
  // A socket that was never opened: it holds no handle. Applications read `request.socket` and `request.connection`.
  const request = new IncomingMessage(new NetSocket());
  request.method = "GET";
  request.httpVersion = "1.1";
  request.url = `/socket.io/?${new URLSearchParams(query).toString()}`;
  request.headers = { host: "fake" };
  for (const [name, value] of Object.entries(headers)) request.headers[name.toLowerCase()] = value;
  // Engine.IO leaves the parsed query here and Socket.IO's handshake reads it.
  return Object.assign(request, { _query: query });
}
