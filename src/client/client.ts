import type { ForbiddenEventName, ReservedEventName, UnsendableEventName } from "../wire/event-names.js";
import type { Server } from "socket.io";
import type { Member } from "../features/realtime/protocol.js";
import type { EmitEventsOf, EventArgs, EventValue, ListenEventsOf } from "../wire/event-types.js";
import type { CallOptions } from "./calls.js";
import type { ClientSocket } from "./client-socket.js";
import type { ConnectionStatus } from "./connection.js";
import type { EventFailure } from "./event-failure.js";
import type { PresenceListener } from "./presence.js";
import type { AskedOnce, RefetchRest } from "./refetch-types.js";
import type { RefetchContext } from "./refetches.js";
import type { ClientLogger } from "./subscribers.js";
import type { TopicJoin } from "./topic-join.js";
import type { JoinOptions } from "./share.js";

// `any` stands where Socket.IO's own types put it: `Server` is invariant in its maps, so only `any` matches every server.
type AnyServer = Server<any, any, any, any>;

/** What the client can call: the events of a `Server<...>` type, or the map of events that `App` is itself. */
export type CallsOf<App> = App extends AnyServer ? ListenEventsOf<App> : App;

/** What the server pushes: known from a `Server<...>` type; from a map of calls alone, anything. */
export type PushesOf<App> = App extends AnyServer ? EmitEventsOf<App> : Record<string, (...args: any[]) => void>;

/** The names of the events that can be called. */
export type CallName<App> = Exclude<keyof CallsOf<App> & string, ReservedEventName | ForbiddenEventName>;

/** The names of the events that the server pushes. */
export type PushName<App> = Exclude<keyof PushesOf<App> & string, UnsendableEventName>;

/** What a call of this event is given, its acknowledgement left out. */
export type CallArgs<App, Event extends CallName<App>> = EventArgs<CallsOf<App>[Event]>;

/** What a call of this event resolves to. */
export type CallValue<App, Event extends CallName<App>> = EventValue<CallsOf<App>[Event]>;

/** What a listener of this push is given. */
export type PushArgs<App, Event extends PushName<App>> = PushesOf<App>[Event] extends (...args: infer Args) => unknown
  ? Args
  : never;

/** What a notice of this name carries: the first argument of the push of that name, if there is one. */
export type NoticeData<App, Name extends string> =
  string extends PushName<App> ? unknown : Name extends PushName<App> ? PushArgs<App, Name>[0] : unknown;

/** What {@link createClient} takes beside the socket. */
export interface ClientOptions {
  /** How long a call waits for its answer, in milliseconds, the wait for a connection included. @default 10_000 */
  timeoutMs?: number;
  /** Where listeners that throw and notices that nobody hears are told. @default console */
  logger?: ClientLogger;
}

/** What {@link Client.send} takes behind the arguments. */
export interface SendOptions {
  /**
   * Whether it may be dropped: without a connection, and while the connection takes nothing. For what is soon out of date, like the
   * position of a pointer.
   *
   * @default false
   */
  volatile?: boolean;
}

/** Something that calls: the client itself, or the client {@link Client.with} options. */
export interface Caller<App = Server> {
  /**
   * Sends an event and resolves to the value the server answered with. It leaves in this very tick when there is a
   * connection; otherwise it waits for one, and is never sent when the time is up before.
   *
   * @throws EventFailure with the server's code and message; `TIMEOUT` when no answer came in time (a late one is dropped);
   *   `DISCONNECTED` when the connection goes before the answer comes, or none came in time. A value that can't be encoded
   *   rejects with the encoder's error.
   *
   * An `undefined` at the end of the arguments is not sent, so that default parameters and optional schemas of the server mean what
   * they say; one in the middle arrives as `null`, as JSON has it.
   */
  call<Event extends CallName<App>>(event: Event, ...args: CallArgs<App, Event>): Promise<CallValue<App, Event>>;
  /** The same as {@link Caller.call}, for those who know it by this name. */
  invoke<Event extends CallName<App>>(event: Event, ...args: CallArgs<App, Event>): Promise<CallValue<App, Event>>;
}

/**
 * The browser's (or another program's) end of an application: what {@link createClient} returns.
 *
 * Its methods need no `this`: they can be taken out and handed on. Whatever subscribes returns the function that undoes it.
 * Listeners are isolated: one that throws or rejects is logged, and the others are told all the same.
 *
 * @typeParam App - the server's own `Server<...>` type, or a map of the events that can be called
 * @typeParam Given - the type of the socket it was made with
 *
 * @example
 * const client = createClient<App>(io());
 * const off = client.on("presence", (who) => render(who));
 * const { id } = await client.call("message", { text: "hi" });
 */
export interface Client<App = Server, Given extends ClientSocket = ClientSocket> extends Caller<App>, Disposable {
  /** The socket it was made with, for whatever the client does not do itself. */
  readonly socket: Given;

  /** Where it tells what nobody else can be told: the one it was made with. */
  readonly logger: ClientLogger;

  /**
   * The same calls with options. It holds nothing: make it as you go.
   *
   * @example
   * const sold = await client.with({ timeoutMs: 3_000, retries: 2 }).call("sell", 3.5);
   * @throws TypeError for options no call could be made with
   */
  with(options: CallOptions): Caller<App>;

  /**
   * Listens to an event the server pushes. However many listen, the socket carries one listener per event.
   *
   * @returns the undo
   */
  on<Event extends PushName<App>>(event: Event, fn: (...args: PushArgs<App, Event>) => unknown): () => void;

  /**
   * Sends an event and asks for no answer. Nobody hears whether it arrived, or was refused. Without a connection it waits for one, for the
   * client's `timeoutMs`, after which it is dropped with a warning; if it is volatile, it is dropped at once.
   *
   * The last argument is the options if it is an object that says `volatile` and nothing else. An event that carries such an object
   * itself is sent with options behind it. What can't be encoded is a logged warning, too.
   *
   * @example
   * client.send("cursor", { x, y }, { volatile: true });
   */
  send<Event extends CallName<App>>(event: Event, ...args: [...CallArgs<App, Event>, options?: SendOptions]): void;

  /** How the connection is: the same object until something changes, so it does as a snapshot for React's `useSyncExternalStore`. */
  readonly status: ConnectionStatus;

  /**
   * Told how the connection is: at once, then with each change. A connection that is lost is made again by socket.io-client; one that the
   * server ended or refused, by this client, if the server said when (`retryAfterMs`), or refused it for a reason that passes.
   *
   * @returns the undo
   */
  onStatus(fn: (status: ConnectionStatus) => unknown): () => void;

  /**
   * Told when the server ends or refuses the connection, with the code and the message it gave (`DISCONNECTED` if none), and when
   * socket.io-client has used up its attempts. With `retryAfterMs` it is tried again by itself; without, topics are lost (their `onLost` is
   * told) and joins that wait are rejected, unless {@link Client.status} says `willRetry`.
   *
   * @returns the undo
   *
   * @example
   * client.onEnded(({ code }) => code === "UNAUTHENTICATED" && showLogin());
   */
  onEnded(fn: (failure: EventFailure) => unknown): () => void;

  /**
   * Joins a topic, if the server lets this client. Counted: each call is a share of its own, the server sees one join, and the
   * topic is left when the last share is given back. Without a connection it waits for one, for as long as that takes
   * (or `timeoutMs`), and is rejected if the server ends or refuses the connection for good. After a reconnect it is joined again, unless
   * the connection was recovered with its rooms; what was pushed meanwhile to a topic with a history arrives then, in order, or `onGap` is
   * told.
   *
   * @returns a promise of the function that leaves; the promise has a `leave` of its own, for a cleanup that can't wait.
   *   Left before it was joined, it resolves all the same. Refused while nobody awaits it, it is a logged warning and no
   *   unhandled rejection.
   * @throws EventFailure from the promise, `FORBIDDEN` for instance, when the server refuses, `ABORTED`
   *   by `signal`, `TIMEOUT` and `DISCONNECTED` when the time is up, or with what the connection ended with
   * @throws TypeError at once when the topic is not a non-empty string, or `timeoutMs` no time
   *
   * @example
   * useEffect(() => client.joinTopic("room:42", { onJoined: ({ snapshot }) => setRoom(snapshot) }).leave, []);
   */
  joinTopic(topic: string, options?: JoinOptions): TopicJoin;

  /**
   * Asks again whenever the server says that something changed: on the signal `event`, on the server's shorthand
   * `emitSocketRefetch` (with its payload, and only for an action named here), and after a reconnect that was not recovered, when
   * the topics are joined again.
   *
   * Coalesced: at most one fetch runs and one waits (for each payload), and they begin at least `pauseMs` [50] apart, so fifty signals cost
   * two calls, and the last result was asked for after the last signal. An answer that comes after a newer one was asked for is dropped. A fetch that a
   * lost connection cut off is made again when it is back, and is no error.
   *
   * @typeParam Event - the signal's name
   * @typeParam Asked - the action's name, or the function
   * @param event - the signal
   * @param action - the event to call, or a function that fetches
   * @param rest - `onResult`, given each fresh value, and options: for an action that takes a payload, the `payload` to call it
   *   with when the server does not say
   * @returns the undo; an answer that is still on its way is dropped
   *
   * @example
   * client.refetchOnSocket("items_changed", "get_items", setItems);
   * client.refetchOnSocket("items_changed", ({ signal }) => client.with({ signal }).call("get_items"), setItems);
   */
  refetchOnSocket<
    Event extends PushName<App>,
    // Not by a name of its own, so that whoever misspells an action is told the names there are.
    Asked extends CallName<App> | ((context: RefetchContext<PushArgs<App, Event>[0]>) => unknown),
  >(
    event: Event,
    action: Asked & AskedOnce<App, Asked>,
    ...rest: RefetchRest<App, Asked>
  ): () => void;

  /** Hears what the server notifies without a name: the default listener. Unheard notices are logged as a warning. */
  receive(fn: (data: unknown) => unknown): () => void;

  /** Hears what the server notifies under this name. */
  onCustomEvent<Name extends string>(name: Name, fn: (data: NoticeData<App, Name>) => unknown): () => void;

  /** Runs once: at once if there is a connection, else when there is one. */
  onReady(fn: () => unknown): () => void;

  /** Runs after each reconnect, never for the first connection, when topics are on their way to be joined again. */
  onReconnect(fn: (info: { recovered: boolean }) => unknown): () => void;

  /**
   * Who is in a topic that this client has joined, each user once; empty when that is not known, and when there are more than the
   * server lists. The same array until it changes, so it does as a snapshot for React's `useSyncExternalStore`.
   */
  presence(topic: string): readonly Member[];

  /** How many users are in a topic that this client has joined, listed or not; 0 when that is not known. */
  presenceCount(topic: string): number;

  /** Told who is in a topic, and how many: at once if that is known, then with each change. It does not join the topic. */
  onPresence(topic: string, fn: PresenceListener): () => void;

  /**
   * Takes every listener off the socket, stops every refetch, and rejects what is pending with `ABORTED`. The socket stays
   * as it is: it is yours. Afterwards calls and joins are rejected with `ABORTED`, and whoever subscribes is never told
   * anything. Closing again does nothing.
   */
  close(): void;
}
