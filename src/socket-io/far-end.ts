import { EventEmitter } from "node:events";
import type { IncomingMessage } from "node:http";
import type { Engine } from "./engines.js";

/** Who plays the client on a {@link FarEnd}. */
export interface FarEndPeer {
  /** Whether what is sent now leaves at once: what is volatile is dropped otherwise. Absent, it always does. */
  readonly writable?: boolean;
  /** How many bytes it was given that have not left yet. */
  readonly bufferedBytes?: number;
  /**
   * What Socket.IO writes: an encoded packet, or an attachment of one. A broadcast hands the same string to all. What this throws ends
   * the connection, and reaches nobody else.
   *
   * @param isVolatile whether it would have been dropped if it could not leave at once
   */
  receive(data: string | Buffer, isVolatile: boolean): void;
  /** The connection is over, for this reason; told once. */
  lost(reason: string): void;
}

/** What a {@link FarEnd} is made of. */
export interface FarEndOptions {
  /** Where it comes in: the server's `io.engine`, which is told of it by {@link FarEnd.open}. */
  readonly engine: Engine;
  readonly id: string;
  /** The request that it is carried by, or that stands for one; its parsed query is in `_query`, as Engine.IO leaves it. */
  readonly request: IncomingMessage;
  readonly remoteAddress: string;
  /** The name of its transport. */
  readonly transport: string;
}

/** What a {@link FarEnd} is carried by, as far as it is asked about it. `ready` tells that it can be written to again. */
class FarTransport extends EventEmitter {
  readonly name: string;
  readonly #peer: FarEndPeer;

  constructor(name: string, peer: FarEndPeer) {
    super();
    this.name = name;
    this.#peer = peer;
  }

  get writable(): boolean {
    return this.#peer.writable ?? true;
  }

  get socket(): { readonly bufferedAmount: number } {
    return { bufferedAmount: this.#peer.bufferedBytes ?? 0 };
  }
}

/**
 * A connection whose far end is ours: what `socket.conn` is where no Socket.IO client is at the other end. It is the part of an Engine.IO
 * socket that Socket.IO's `Client` asks for, so what comes in by it is an ordinary socket of the server: middleware, rooms,
 * acknowledgements and adapters hold for it.
 *
 * It has no timers: nothing pings, so nothing times out by itself. Nothing that happens at the far end reaches whoever publishes: a peer
 * that throws loses its connection, in the next tick.
 */
export class FarEnd extends EventEmitter {
  readonly id: string;
  readonly server: Engine;
  readonly request: IncomingMessage;
  readonly remoteAddress: string;
  readonly protocol = 4;
  readonly transport: EventEmitter & {
    readonly name: string;
    readonly writable: boolean;
    readonly socket: { readonly bufferedAmount: number };
  };
  readonly upgraded = false;
  readonly upgrading = false;
  /** Nothing is kept here: the peer is given everything at once. */
  readonly writeBuffer: never[] = [];
  readyState: "open" | "closing" | "closed" = "open";
  readonly #peer: FarEndPeer;

  constructor({ engine, id, request, remoteAddress, transport }: FarEndOptions, peer: FarEndPeer) {
    super();
    this.server = engine;
    this.id = id;
    this.request = request;
    this.remoteAddress = remoteAddress;
    this.#peer = peer;
    this.transport = new FarTransport(transport, peer);
  }

  /** Tell the server of it: from now on it takes packets. */
  open(): void {
    this.server.emit("connection", this);
  }

  /** Takes an encoded packet, or an attachment of one, from the far end. */
  incoming(chunk: unknown): void {
    if (this.readyState !== "open") return;
    const data = carried(chunk);
    this.emit("packet", { type: "message", data });
    this.emit("data", data);
    this.emit("message", data);
  }

  /** Takes an encoded packet for the far end. Called by Socket.IO. */
  write(chunk: unknown, options: unknown = {}, sent?: () => void): this {
    if (this.readyState !== "open") return this;
    const packets = [{ type: "message", data: chunk, options }];
    this.emit("packetCreate", packets[0]);
    this.emit("flush", packets);
    this.server.emit("flush", this, packets);
    try {
      this.#peer.receive(carried(chunk), (options as { readonly volatile?: unknown } | null)?.volatile === true);
    } catch {
      this.#end("transport error");
      return this;
    }
    this.emit("drain");
    this.server.emit("drain", this);
    if (typeof options === "function") options();
    else sent?.();
    return this;
  }

  /** The same as {@link FarEnd.write}. */
  send(chunk: unknown, options?: unknown, sent?: () => void): this {
    return this.write(chunk, options, sent);
  }

  /** A peer that was not {@link FarEndPeer.writable} is again: what waits for that, such as the newest of some pushes, is sent. */
  ready(): void {
    if (this.readyState === "open") this.transport.emit("ready");
  }

  /** Closes from the server's side, at once if what is on its way may be discarded. The peer learns of it later, as over a network. */
  close(discard = false): void {
    if (this.readyState !== "open") return;
    if (discard) this.#over("forced close");
    else this.#end("forced close");
  }

  /** The line is gone: the server hears of it before this returns. */
  lose(reason: string): void {
    this.#over(reason);
  }

  /** The far end fails or goes while something is sent to it: the server hears of it in the next tick, not in the middle of a broadcast. */
  abandon(reason: string): void {
    if (this.readyState === "open") this.#end(reason);
  }

  #end(reason: string): void {
    this.readyState = "closing";
    process.nextTick(() => this.#over(reason));
  }

  #over(reason: string): void {
    if (this.readyState === "closed") return;
    this.readyState = "closed";
    this.emit("close", reason, undefined);
    this.#peer.lost(reason);
  }
}

/** The data as it arrives at the other end: text as it is, binary in memory of its own. */
function carried(chunk: unknown): string | Buffer {
  if (typeof chunk === "string") return chunk;
  if (ArrayBuffer.isView(chunk)) {
    const bytes = new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    // Not the `slice` of a Buffer, which copies nothing.
    return Buffer.from(Uint8Array.prototype.slice.call(bytes).buffer);
  }
  if (chunk instanceof ArrayBuffer) return Buffer.from(chunk.slice(0));
  throw new TypeError("a connection carries strings and binary data");
}
