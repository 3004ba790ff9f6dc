import type { Server } from "socket.io";
import type { AppServer, AppSocket } from "../events/subscriber.js";
import type { EmitEventsOf, EventArgs, EventName, EventReply, ListenEventsOf } from "../wire/event-types.js";
import type { LostReason } from "./fake-connection.js";
import type { Link } from "./link.js";

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

/** The client's own events, as socket.io-client tells them. */
export interface FakeSocketEvents {
  /** The connection is gone; the reason is the client's, such as `"io server disconnect"`. */
  disconnect: (reason: string) => void;
}

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
   * @returns what the acknowledgement receives: the reply, or a `Failure`. It rejects when the connection is lost first, and stays
   *   open when nobody answers.
   */
  receive<E extends EventName<App>>(
    event: E,
    ...args: EventArgs<ListenEventsOf<App>[E]>
  ): Promise<EventReply<ListenEventsOf<App>[E]>>;

  /**
   * The server receives this event, sent without an acknowledgement, unless the last argument is a function.
   *
   * @throws Error when not connected: unlike socket.io-client it keeps nothing for later
   */
  emit<E extends EventName<App>>(
    event: E,
    ...args: EventArgs<ListenEventsOf<App>[E]> | Parameters<ListenEventsOf<App>[E]>
  ): this;

  /**
   * Listens as the client would: the function is called with the arguments, and with the acknowledgement last if the server
   * asked for one. `disconnect` is called with the client's reason.
   *
   * @returns the function that stops listening
   */
  on<E extends SentName<App> | keyof FakeSocketEvents>(
    event: E,
    listener: E extends keyof FakeSocketEvents ? FakeSocketEvents[E] : EmitEventsOf<App>[E & SentName<App>],
  ): () => void;

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
}
