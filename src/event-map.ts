import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Server, Socket } from "socket.io";
import type { EventContext } from "./event-context.js";
import type {
  EmitEventsOf,
  EventArgs,
  EventName,
  EventReply,
  ForbiddenEventName,
  ListenEventsOf,
  ReservedEventName,
  ServerSideEventsOf,
  SocketDataOf,
} from "./wire/event-types.js";

/** Any Socket.IO server, whatever its events: `Server` is invariant in them, so that only `any` matches every one. */
export type AppServer = Server<any, any, any, any>;

/** The sockets of an application's server. */
export type AppSocket<App extends AppServer> = Socket<
  ListenEventsOf<App>,
  EmitEventsOf<App>,
  ServerSideEventsOf<App>,
  SocketDataOf<App>
>;

/** What a subscriber may return: the reply, now or later, or nothing when another one answers. */
export type Answer<Reply> = Reply | void | undefined | Promise<Reply | void | undefined>;

/** The events of a socket's own life. The ingress tells them; no client can send them. */
export interface ReservedEvents<App extends AppServer = Server> {
  /** Asks, before the socket is admitted. Throwing or `false` refuses it, and any refusal wins. */
  connect(context: EventContext<App>): Answer<boolean>;
  /** Tells, after the socket was admitted. */
  connection(context: EventContext<App>): unknown;
  /** Tells, while the socket is still in its rooms. `reason` is Socket.IO's, such as `"transport close"`. */
  disconnecting(context: EventContext<App>, reason: string): unknown;
  /** Tells, after the socket has left its rooms. `reason` is Socket.IO's, such as `"transport close"`. */
  disconnect(context: EventContext<App>, reason: string): unknown;
}

/** Every name one can subscribe to: what clients send, and the reserved names. */
export type SubscribableEvent<App extends AppServer> = EventName<App> | ReservedEventName;

/** The arguments that come after the context, as the event declares them. */
export type ArgsOf<App extends AppServer, Event extends string> = Event extends "connect" | "connection"
  ? []
  : Event extends "disconnecting" | "disconnect"
    ? [reason: string]
    : Event extends keyof ListenEventsOf<App>
      ? EventArgs<ListenEventsOf<App>[Event]>
      : never;

/** What the event's caller is to be replied. */
export type ReplyOf<App extends AppServer, Event extends string> = Event extends "connect"
  ? boolean
  : Event extends ReservedEventName
    ? unknown
    : Event extends keyof ListenEventsOf<App>
      ? EventReply<ListenEventsOf<App>[Event]>
      : never;

/** A schema for the one argument of an event, or one schema for each of its arguments. */
export type InputSchema = StandardSchemaV1 | readonly StandardSchemaV1[];

type SchemaOutput<S> = S extends StandardSchemaV1 ? StandardSchemaV1.InferOutput<S> : never;

/** The arguments that come out of an {@link InputSchema}. */
export type SchemaArgs<Input> = Input extends readonly unknown[]
  ? { -readonly [I in keyof Input]: SchemaOutput<Input[I]> }
  : [payload: SchemaOutput<Input>];

/** The arguments a subscriber receives: what the schema makes of them if there is one, else what the client sends. */
export type SubscriberArgs<App extends AppServer, Event extends string, Input extends InputSchema | undefined> = List<
  [Input] extends [InputSchema] ? SchemaArgs<Input> : ArgsOf<App, Event>
>;

type List<T> = T extends readonly unknown[] ? T : never;

/**
 * A function subscribed to an event. The context comes first and is never counted among the client's arguments.
 *
 * @typeParam App - the `Server<...>` type of the application
 * @typeParam Event - the event's name
 * @typeParam Input - the type of the `input` schema that comes with it, if any
 */
export type Subscriber<
  App extends AppServer,
  Event extends string,
  Input extends InputSchema | undefined = undefined,
> = (
  context: EventContext<App>,
  ...args: SubscriberArgs<App, Event, Input>
) => Answer<ReplyOf<App, Event>>;

/**
 * Wraps the subscribers it is set for: code before `next()` runs before them, code after it runs after. What it returns
 * stands for what they returned; to refuse, throw.
 */
export type Interceptor<App extends AppServer = AppServer> = (
  context: EventContext<App>,
  next: () => Promise<unknown>,
) => unknown;

/** How one subscriber is run. Each overrides what the handler and the ingress say. */
export interface EventOptions<App extends AppServer = Server, Args extends readonly unknown[] = any[]> {
  /**
   * Lower runs first; ties keep subscription order.
   *
   * @default 100
   */
  priority?: number;
  /** Checks the reply outside production; a reply that does not fit is our fault, so the caller gets `INTERNAL`. */
  output?: StandardSchemaV1;
  /**
   * After how many milliseconds the caller is answered `TIMEOUT` and `context.signal` aborts.
   *
   * @default 30_000
   */
  timeoutMs?: number;
  /**
   * How many runs of this subscriber may be under way at once, per socket or per `key`. 1 keeps arrival order.
   *
   * @default unbounded
   */
  concurrency?: number;
  /**
   * How many events may wait once `concurrency` is reached.
   *
   * @default 100
   */
  queueMax?: number;
  /**
   * Who goes without when the queue is full: the newest event is refused, or the oldest that waits.
   *
   * @default "reject"
   */
  overflow?: "reject" | "dropOldest";
  /** What `concurrency` counts by, instead of by socket. */
  key?: (context: EventContext<App>, ...args: Args) => string;
  /** Wraps this subscriber, inside those of the handler and of the ingress; the first is outermost. */
  use?: readonly Interceptor<App>[];
}

/**
 * What can be said beside event and function when subscribing by a call.
 *
 * @typeParam Input - the schema's type; the subscriber's arguments follow from it
 */
export interface SubscribeOptions<
  App extends AppServer = Server,
  Event extends string = string,
  Input extends InputSchema | undefined = InputSchema | undefined,
> extends EventOptions<App, SubscriberArgs<App, Event, Input>> {
  /** Checks the client's arguments; what comes out of it is what the subscriber receives. */
  input?: Input;
  /**
   * Where to listen: a namespace's name, or a pattern for dynamic ones.
   *
   * @default "/"
   */
  namespace?: string | RegExp;
  /** What the subscription belongs to: it ends when its owner does. */
  owner?: { addCleanup(cleanup: () => unknown): unknown };
}

/** What a handler has by itself: never the subscriber of an event, whatever its signature. */
type OwnMember =
  | "addCleanup"
  | "eventPriorities"
  | "events"
  | "io"
  | "log"
  | "name"
  | "namespace"
  | "onSetup"
  | "onTeardown"
  | "own"
  | "registered"
  | "require"
  | "resolve"
  | "setup"
  | "stop"
  | "teardown"
  | "use";

// Names are sorted out before types: asking for the type of `events` while it is inferred would be a circle.
type Candidates<Self> = Exclude<keyof Self & string, OwnMember>;

type MethodFor<Self, App extends AppServer, Event extends string> = {
  [K in Candidates<Self>]: Self[K] extends Subscriber<App, Event> ? K : never;
}[Candidates<Self>];

type BoundSubscriber<Self, App extends AppServer, Event extends string> = (
  this: Self,
  context: EventContext<App>,
  ...args: List<ArgsOf<App, Event>>
) => Answer<ReplyOf<App, Event>>;

type Run<Self, App extends AppServer, Event extends string> = MethodFor<Self, App, Event> | BoundSubscriber<Self, App, Event>;

/** The object form of an event map's value: what runs, and how. */
export interface EventEntry<Self, App extends AppServer, Event extends string>
  extends EventOptions<App, List<ArgsOf<App, Event>>> {
  /** The subscriber: the name of a public method, or a function, which is called with the handler as `this`. */
  run: Run<Self, App, Event>;
  /** Checks the client's arguments; what comes out of it is what the subscriber receives. */
  input?: InputSchema;
}

/** Stands where nothing fits, and says why. */
interface NotAnEvent<Why extends string> {
  readonly [why]: Why;
}
declare const why: unique symbol;

/**
 * The events of a handler: for each name a method by name, a function, or an object with options. Write it behind
 * `satisfies`, so that `events` keeps the names it is given.
 *
 * @typeParam Self - the handler's own class
 * @typeParam App - the `Server<...>` type of the application
 *
 * @example
 * readonly events = {
 *   heartbeat: "handleHeartbeat",
 *   message: { run: "handleMessage", priority: 10, input: messageSchema },
 *   disconnect: this.handleDisconnect,
 * } satisfies EventMap<ChatHandler, App>;
 */
export type EventMap<Self, App extends AppServer = Server> = {
  readonly [E in SubscribableEvent<App>]?: Run<Self, App, E> | EventEntry<Self, App, E>;
} & { readonly [E in ReservedEventName]?: Run<Self, App, E> | EventEntry<Self, App, E> } & {
  readonly [E in ForbiddenEventName]?: NotAnEvent<`"${E}" never reaches a subscriber`>;
};
