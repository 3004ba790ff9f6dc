import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { parse } from "node:querystring";
import type { Socket } from "socket.io";
import type { AppServer } from "../../events/subscriber.js";
import { FarEnd, type FarEndOptions, type FarEndPeer } from "../../socket-io/far-end.js";
import { isFailure } from "../../wire/failure.js";
import type { Recovery } from "./event-id.js";
import { type Packet, type PacketReader, withAttachments } from "./packets.js";
import { type Refusal, refusal } from "./refusal.js";

/** What a {@link PlainConnection} is made of. */
export interface PlainConnectionOptions {
  readonly io: AppServer;
  readonly namespace: string;
  readonly request: IncomingMessage;
  /** The name of its transport. */
  readonly transport: string;
  readonly reader: PacketReader;
}

/** Who hears what the server sends on a {@link PlainConnection}. Nothing of it may throw. */
export interface PlainConnectionEvents {
  /** Whether what is sent now leaves at once. */
  readonly writable: boolean;
  /** How many bytes were given on that have not left yet. */
  readonly bufferedBytes: number;
  onEvent(packet: Packet, isVolatile: boolean): void;
  /** It is over. `why` if the server said it. */
  onOver(why: Refusal | undefined): void;
}

/** A packet whose binary frames are on their way. */
interface Partial {
  readonly packet: Packet;
  readonly frames: Buffer[];
  readonly isVolatile: boolean;
}

/** How many calls of one client may wait for their answer. */
const CALLS_MAX = 1_000;

/** What a client is told whose connection the server closes without a word. */
export const goingAway: Refusal = Object.freeze(refusal("SHUTTING_DOWN", "this server is going away"));

/** Speaks Socket.IO's protocol over a {@link FarEnd}, in one namespace: connects, calls, and tells of the events that come. */
export class PlainConnection implements FarEndPeer {
  readonly #options: PlainConnectionOptions;
  readonly #events: PlainConnectionEvents;
  readonly #conn: FarEnd;
  readonly #prefix: string;
  readonly #calls = new Map<number, (answer: unknown[]) => void>();
  #callIds = 0;
  #admission: ((refused: Refusal | undefined) => void) | undefined;
  #socket: Socket | undefined;
  #pid: string | undefined;
  #hasAnswer = false;
  #ended: Refusal | undefined;
  #partial: Partial | undefined;

  constructor(options: PlainConnectionOptions, events: PlainConnectionEvents) {
    const { io, namespace, request, transport } = options;
    this.#options = options;
    this.#events = events;
    this.#prefix = namespace === "/" ? "" : `${namespace},`;
    this.#conn = new FarEnd(
      {
        engine: io.engine as unknown as FarEndOptions["engine"], // as the emitter it is
        id: randomUUID(),
        // Engine.IO leaves the parsed query here, and Socket.IO's handshake reads it.
        request: Object.assign(request, { _query: parse(searchOf(request)) }),
        remoteAddress: request.socket.remoteAddress ?? "",
        transport,
      },
      this,
    );
  }

  get writable(): boolean {
    return this.#events.writable;
  }

  get bufferedBytes(): number {
    return this.#events.bufferedBytes;
  }

  /** The server's side; `undefined` until it is admitted. */
  get socket(): Socket | undefined {
    return this.#socket;
  }

  /** Whether the server has answered it anything yet. */
  get hasAnswer(): boolean {
    return this.#hasAnswer;
  }

  /** Its private id, where the server recovers connections. */
  get pid(): string | undefined {
    return this.#pid;
  }

  /** Why it is over, as soon as the server has said so. */
  get ended(): Refusal | undefined {
    return this.#conn.readyState === "open" ? undefined : (this.#ended ?? goingAway);
  }

  /**
   * Connects; resolves to why not, or to nothing.
   *
   * @param recovery what it had of an earlier connection
   */
  connect(auth: object, recovery: Recovery | undefined): Promise<Refusal | undefined> {
    const hello = `0${this.#prefix}${JSON.stringify({ ...auth, ...recovery })}`;
    // It may have gone while it was found out what it says about itself.
    if (this.#conn.readyState !== "open") return Promise.resolve(goingAway);
    // What comes before the answer is what it missed.
    this.#pid = recovery?.pid;
    return new Promise((resolve) => {
      this.#admission = resolve;
      this.#conn.open();
      this.#conn.incoming(hello);
    });
  }

  /** Sends an event, and resolves to what its acknowledgement is called with; a failure of ours if it is lost. */
  call(event: string, ...args: readonly unknown[]): Promise<unknown[]> {
    if (this.#calls.size >= CALLS_MAX)
      return Promise.resolve([{ error: refusal("OVERLOADED", `${CALLS_MAX} calls wait for their answers already`) }]);
    const id = this.#callIds++;
    return new Promise((resolve) => {
      this.#calls.set(id, resolve);
      this.#conn.incoming(`2${this.#prefix}${id}${JSON.stringify([event, ...args])}`);
      if (this.#conn.readyState !== "open") this.#forgetCalls();
    });
  }

  /** Sends an event that is not to be answered. */
  send(event: string, ...args: readonly unknown[]): void {
    this.#conn.incoming(`2${this.#prefix}${JSON.stringify([event, ...args])}`);
  }

  /** The client can be written to again. */
  ready(): void {
    this.#conn.ready();
  }

  /** The client has gone. */
  gone(reason: "transport close" | "ping timeout"): void {
    this.#conn.lose(reason);
  }

  /** The same, in the middle of a push: the server hears of it in the next tick. */
  cut(reason: "transport close" | "transport error"): void {
    this.#conn.abandon(reason);
  }

  /** The server ends it, after this. */
  end(why: Refusal): void {
    this.#ended ??= why;
  }

  receive(data: string | Buffer, isVolatile: boolean): void {
    if (typeof data !== "string") return this.#attach(data);
    const packet = this.#options.reader.read(data);
    if (packet.attachments > 0) this.#partial = { packet, frames: [], isVolatile };
    else this.#take(packet, isVolatile);
  }

  lost(): void {
    this.#settle(this.#ended ?? goingAway);
    this.#forgetCalls();
    this.#events.onOver(this.#ended);
  }

  #attach(frame: Buffer): void {
    const partial = this.#partial as Partial; // its text was before it
    partial.frames.push(frame);
    if (partial.frames.length < partial.packet.attachments) return;
    this.#partial = undefined;
    this.#take(withAttachments(partial.packet, partial.frames), partial.isVolatile);
  }

  #take(packet: Packet, isVolatile: boolean): void {
    switch (packet.kind) {
      case "event":
        return this.#events.onEvent(packet, isVolatile);
      case "ack":
        return this.#answer(packet.id as number, packet.data as unknown[]);
      case "connect":
        return this.#admitted(packet.data as { sid: string; pid?: string });
      case "connect_error":
        return this.#settle(reasonOf(packet.data as { message?: string; data?: unknown }));
      case "disconnect":
        this.end(refusal("FORBIDDEN", "the server ended this connection"));
        this.#settle(this.#ended);
        this.#conn.abandon("transport close");
    }
  }

  #answer(id: number, data: unknown[]): void {
    this.#hasAnswer = true;
    const resolve = this.#calls.get(id);
    this.#calls.delete(id);
    resolve?.(data);
  }

  #admitted({ sid, pid }: { sid: string; pid?: string }): void {
    const { io, namespace } = this.#options;
    this.#pid = pid;
    this.#socket = io.of(namespace).sockets.get(sid);
    // `io.close()` ends sockets, and leaves alone what is no connection of its engine's own.
    this.#socket?.once("disconnect", (reason) => {
      if (reason === "server shutting down") this.#conn.close();
    });
    this.#settle(undefined);
  }

  #settle(refused: Refusal | undefined): void {
    this.#admission?.(refused);
    this.#admission = undefined;
  }

  #forgetCalls(): void {
    const waiting = [...this.#calls.values()];
    this.#calls.clear();
    for (const resolve of waiting) resolve([{ error: this.#ended ?? goingAway }]);
  }
}

/** What a request asks for behind its path. */
export function searchOf({ url = "/" }: IncomingMessage): string {
  const start = url.indexOf("?");
  return start < 0 ? "" : url.slice(start + 1);
}

/** Why a connection was refused: a failure of ours, or what a middleware of the application says. */
function reasonOf({ message = "the connection was refused", data }: { message?: string; data?: unknown }): Refusal {
  return isFailure({ error: data }) ? (data as Refusal) : refusal("FORBIDDEN", message);
}
