import { EventEmitter } from "node:events";
import { IncomingMessage } from "node:http";
import { Socket as NetSocket } from "node:net";

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
  open(request: FakeRequest, peer: FakePeer): FakeConnection {
    if (this.#closed) throw new Error("this fake server is closed: nobody can connect to it any more");
    const connection = new FakeConnection(this, `fake-${++this.#ids}`, request, peer);
    this.connections.add(connection);
    this.emit("connection", connection);
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

/** The client's end of a {@link FakeConnection}. */
export interface FakePeer {
  /** An encoded packet from the server. */
  receive(chunk: string | Buffer): void;
  /** The connection is closed. */
  lost(): void;
}

/**
 * What `socket.conn` is on a fake server: the part of an Engine.IO socket that Socket.IO's `Client` and applications use.
 *
 * It has no timers: nothing pings, so nothing times out by itself and nothing keeps a process alive.
 */
export class FakeConnection extends EventEmitter {
  readonly id: string;
  readonly server: FakeEngine;
  readonly request: IncomingMessage;
  readonly remoteAddress: string;
  readonly protocol = 4;
  readonly transport = { name: "websocket", writable: true };
  readonly upgraded = false;
  readonly upgrading = false;
  readonly writeBuffer: unknown[] = [];
  /** What `socket.data` starts with, by namespace; taken when the socket is made. */
  readonly presets: Map<string, unknown> = new Map();
  readyState: "open" | "closing" | "closed" = "open";
  readonly #peer: FakePeer;

  constructor(
    server: FakeEngine,
    id: string,
    { headers = {}, query = {}, address = "127.0.0.1" }: FakeRequest,
    peer: FakePeer,
  ) {
    super();
    this.server = server;
    this.id = id;
    this.remoteAddress = address;
    this.#peer = peer;
    this.request = requestOf(headers, { EIO: "4", transport: "websocket", ...query });
  }

  /** Takes an encoded packet from the client. */
  incoming(chunk: unknown): void {
    if (this.readyState !== "open") return;
    const data = carried(chunk);
    this.emit("packet", { type: "message", data });
    this.emit("data", data);
    this.emit("message", data);
  }

  /** Takes an encoded packet for the client. */
  write(chunk: unknown, options: unknown = {}, sent?: () => void): this {
    if (this.readyState !== "open") return this;
    const data = carried(chunk);
    const packet = { type: "message", data, options };
    this.emit("packetCreate", packet);
    this.emit("flush", [packet]);
    this.server.emit("flush", this, [packet]);
    this.#peer.receive(data);
    this.emit("drain");
    this.server.emit("drain", this);
    if (typeof options === "function") options();
    else sent?.();
    return this;
  }

  /** The same as {@link FakeConnection.write}. */
  send(chunk: unknown, options?: unknown, sent?: () => void): this {
    return this.write(chunk, options, sent);
  }

  /** Closes from the server's side, at once if what is on its way may be discarded. The peer learns of it later, as over a network. */
  close(discard = false): void {
    if (this.readyState !== "open") return;
    if (discard) return this.#closed("forced close");
    this.readyState = "closing";
    process.nextTick(() => this.#closed("forced close"));
  }

  /** The line is gone. */
  lose(reason: LostReason): void {
    this.#closed(reason);
  }

  #closed(reason: string): void {
    if (this.readyState === "closed") return;
    this.readyState = "closed";
    this.server.connections.delete(this);
    this.emit("close", reason, undefined);
    this.#peer.lost();
  }
}

/** The data as it arrives at the other end: text as it is, binary in memory of its own. */
function carried(chunk: unknown): string | Buffer {
  if (typeof chunk === "string") return chunk;
  if (ArrayBuffer.isView(chunk)) {
    return Buffer.from(
      Uint8Array.prototype.slice.call(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength)).buffer,
    );
  }
  if (chunk instanceof ArrayBuffer) return Buffer.from(chunk.slice(0));
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
