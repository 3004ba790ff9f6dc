import type { Server } from "socket.io";
import type { AppServer, AppSocket } from "../events/subscriber.js";
import type { EmitEventsOf, EventArgs, EventName, EventReply, ListenEventsOf } from "../wire/event-types.js";
import type { LostReason } from "./fake-connection.js";
import type { Link } from "./link.js";
import type { ConnectRefused } from "./refused.js";

/** The names a server of this application can send. */
export type SentName<App> = keyof EmitEventsOf<App> & string;

/** An event that arrived at the client. */
export type SentEvent<App extends AppServer = Server> = {
  [E in SentName<App>]: {
    /** The name of the event. */
    readonly event: E;
    /** Its arguments, without the acknowledgement. */
    readonly args: EventArgs<EmitEventsOf<App>[E]>;
  };
}[SentName<App>];

/** Names of ours, which a server with the realtime door takes and sends, see PROTOCOL.md; no application's types list them. */
export type OwnName = `ingress:${string}`;

/** The client's own events, as socket.io-client tells them. */
export interface FakeSocketEvents {
  /** There is a connection: after a {@link FakeSocket.reconnect}, too. */
  connect: () => void;
  /** The server refused the connection. */
  connect_error: (error: ConnectRefused) => void;
  /** The connection is gone; the reason is the client's, such as `"io server disconnect"`. */
  disconnect: (reason: string) => void;
}

/** What `receive` is given. */
export type ReceivedArgs<App extends AppServer, E> =
  E extends EventName<App> ? EventArgs<ListenEventsOf<App>[E]> : unknown[];

/** What `receive` resolves to. */
export type ReceivedReply<App extends AppServer, E> =
  E extends EventName<App> ? EventReply<ListenEventsOf<App>[E]> : unknown;

/** What `emit` is given. */
export type EmittedArgs<App extends AppServer, E> =
  E extends EventName<App> ? EventArgs<ListenEventsOf<App>[E]> | Parameters<ListenEventsOf<App>[E]> : unknown[];

/** What `on` calls. */
export type Heard<App extends AppServer, E> = E extends keyof FakeSocketEvents
  ? FakeSocketEvents[E]
  : E extends SentName<App>
    ? EmitEventsOf<App>[E]
    : (...args: any[]) => void;

/** What the server makes of a {@link FakeSocket.disconnect}. */
export type FakeDisconnectReason = "client namespace disconnect" | LostReason;

/**
 * The client's end of a fake connection, in the hands of a test. The server's end, `socket.server`, is a real Socket.IO
 * socket: packets are encoded and decoded on the way, middleware, rooms and acknowledgements are Socket.IO's own.
 *
 * @typeParam App - the `Server<...>` type of the application
 *
 * @example
 * const socket = await fakeServer<App>().connect({ data: { user: "ann" } });
 * const reply = await socket.receive("message", { text: "hi" });
 */
export interface FakeSocket<App extends AppServer = Server> extends AsyncDisposable {
  /** The namespace it joined. */
  readonly namespace: string;
  /** The id, the same on both sides; `undefined` while not connected. */
  readonly id: string | undefined;
  /** Whether the client believes to be connected. */
  readonly connected: boolean;
  /**
   * Whether a real client would be connected or trying to: not after a refusal, nor once either side has ended the connection. It does not
   * try by itself: that is {@link FakeSocket.reconnect}.
   */
  readonly active: boolean;
  /** Whether the last {@link FakeSocket.reconnect} got the former session back. */
  readonly recovered: boolean;
  /**
   * Every event that arrived from the server, in order, with its arguments as decoded. With `connectionStateRecovery` the last
   * argument is the offset, as in a real client.
   */
  readonly sent: readonly SentEvent<App>[];
  /** The real Socket.IO socket on the server; after a disconnect the last one there was. */
  readonly server: AppSocket<App>;
  /** The line to the server, on which packets can be held, delayed, doubled, reordered and lost. */
  readonly link: Link;

  /**
   * The server receives this event, sent with an acknowledgement.
   *
   * An `undefined` at the end of the arguments is not sent, as the typed client does it.
   *
   * @returns what the acknowledgement receives: the reply, or a `Failure`; with `callback: "errorFirst"` the value, which comes second.
   *   It rejects when the connection is lost first, and stays open when nobody answers.
   */
  receive<E extends EventName<App> | OwnName>(event: E, ...args: ReceivedArgs<App, E>): Promise<ReceivedReply<App, E>>;

  /**
   * The server receives this event, sent without an acknowledgement, unless the last argument is a function.
   *
   * @throws Error when not connected: unlike socket.io-client it keeps nothing for later
   */
  emit<E extends EventName<App> | OwnName>(event: E, ...args: EmittedArgs<App, E>): this;

  /** The same as {@link FakeSocket.receive} for an event of any name. */
  emitWithAck(event: string, ...args: any[]): Promise<any>;

  /**
   * Listens as the client would: the function is called with the arguments, and with the acknowledgement last if the server
   * asked for one. `disconnect` is called with the client's reason.
   *
   * @returns the function that stops listening
   */
  on<E extends SentName<App> | OwnName | keyof FakeSocketEvents>(event: E, listener: Heard<App, E>): () => void;

  /** Stops what {@link FakeSocket.on} began: this listener, or all of the event, or all. */
  off(event?: string, listener?: (...args: any[]) => void): this;

  /** Who listens to an event. */
  listeners(event: string): ((...args: any[]) => void)[];

  /**
   * The arguments of the next event of this name: the first that arrived and was not taken by a `next` before, or else the
   * first to come. It rejects when the connection is lost before it comes.
   */
  next<E extends SentName<App>>(event: E): Promise<EventArgs<EmitEventsOf<App>[E]>>;

  /**
   * Ends the connection from the client's side, so that the server's `disconnect` tells this reason: a client that leaves
   * properly, or a line that is cut. It resolves when the server's own listeners have been called. For a disconnection by the
   * server use `socket.server.disconnect()`.
   *
   * @param reason `"client namespace disconnect"` unless told
   */
  disconnect(reason?: FakeDisconnectReason): Promise<void>;

  /**
   * Cuts the line, for every namespace on it. The server's `disconnect` has been told when this returns.
   *
   * @param reason what the server makes of it; `"transport close"` unless told
   */
  dropTransport(reason?: LostReason): void;

  /**
   * Connects again on a new line, as a client does by itself after losing one: same auth, headers and preset data, and the
   * former session if the server keeps it (`connectionStateRecovery`). Listeners and `sent` stay.
   *
   * @throws ConnectRefused (as a rejection) when the server refuses
   */
  reconnect(): Promise<this>;

  /** {@link FakeSocket.reconnect} as a client calls it: who wants to know what becomes of it listens. Does nothing while connected. */
  connect(): this;
}
