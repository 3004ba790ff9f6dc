import type { ForbiddenEventName, ReservedEventName } from "../wire/event-names.js";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Server, Socket } from "socket.io";
import type { EventContext } from "./event-context.js";
import type { Owner } from "../lifecycle/cleanups.js";
import type {
  EmitEventsOf,
  EventArgs,
  EventName,
  EventReply,
  ListenEventsOf,
  ServerSideEventsOf,
  SocketDataOf,
} from "../wire/event-types.js";

// `any` in this file stands where Socket.IO's own types put it, or for the arguments of some function nobody calls here.

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
  /** Tells, after the socket was admitted. Its events wait until all subscribers are done. */
  connection(context: EventContext<App>): unknown;
  /** Tells, while the socket is still in its rooms. `reason` is Socket.IO's, such as `"transport close"`. */
  disconnecting(context: EventContext<App>, reason: string): unknown;
  /** Tells, after the socket has left its rooms. `reason` is Socket.IO's, such as `"transport close"`. */
  disconnect(context: EventContext<App>, reason: string): unknown;
}

/** Every name one can subscribe to: what clients send, and the reserved names. */
export type SubscribableEvent<App extends AppServer> =
  string extends EventName<App>
    ? string
    : // Out of `keyof`, so that the compiler's messages list the names.
      keyof { [E in EventName<App> | ReservedEventName]: E };

/**
 * The name itself, or advice if no client can send such an event. An untyped server lets every string pass, so that the
 * names that never reach a subscriber need a refusal of their own.
 */
export type Permitted<Event extends string> = Event extends ForbiddenEventName
  ? NotForSubscribers<`${Event} is not an event that a client can send`>
  : Event;

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

type List<T> = T extends readonly unknown[] ? T : never;

// --- schemas ----------------------------------------------------------------------------------------------------------------

/** A schema for the one argument of an event, or a tuple of one schema for each of its arguments. */
export type InputSchema = StandardSchemaV1 | readonly [StandardSchemaV1, ...StandardSchemaV1[]];

type SchemaOutput<S> = S extends StandardSchemaV1 ? StandardSchemaV1.InferOutput<S> : never;

/** The arguments that come out of an {@link InputSchema}. */
export type SchemaArgs<Input> = Input extends readonly unknown[]
  ? { -readonly [I in keyof Input]: SchemaOutput<Input[I]> }
  : [payload: SchemaOutput<Input>];

/** What goes in must share something with what is sent: a schema that reads nothing of it can't be meant. */
type Overlap<Sent> = 0 extends 1 & Sent
  ? unknown
  : Sent extends object
    ? { readonly [K in keyof Sent]?: unknown }
    : unknown;

type First<Args> = Args extends readonly [] ? unknown : List<Args>[0];

type AtMostOne = readonly [] | readonly [unknown?];

/** A schema, or schemas, between what the client sends and the arguments of a method. */
type SchemaBetween<Sent, Args> =
  | (Args extends readonly [unknown, unknown, ...unknown[]]
      ? never
      : StandardSchemaV1<Overlap<First<Sent>>, First<Args>>)
  | (Args extends AtMostOne
      ? Sent extends AtMostOne | any[]
        ? never
        : SchemaForEach<Sent, Args>
      : SchemaForEach<Sent, Args>);

type SchemaForEach<Sent, Args> = readonly [
  ...List<{ [I in keyof Args]: StandardSchemaV1<Overlap<I extends keyof Sent ? Sent[I] : unknown>, Args[I]> }>,
  ...StandardSchemaV1[],
];

type SchemaInput<S> = S extends StandardSchemaV1 ? StandardSchemaV1.InferInput<S> : never;

/** Whether what goes into a schema can be what is sent: narrower, wider, or the same in what both name. */
type CanRead<Input, Sent> = 0 extends 1 & Input
  ? true
  : 0 extends 1 & Sent
    ? true
    : [Sent] extends [Input]
      ? true
      : [Input] extends [Sent]
        ? true
        : Input extends object
          ? Sent extends object
            ? [keyof Input & keyof Sent] extends [never]
              ? false
              : false extends { [K in keyof Input & keyof Sent]: CanRead<Input[K], Sent[K]> }[keyof Input & keyof Sent]
                ? false
                : true
            : false
          : false;

/** Nothing to add where the schemas can read what the event sends, else advice. */
type Reading<Input, Sent> = false extends (
  Input extends readonly unknown[]
    ? { [I in keyof Input]: I extends keyof Sent ? CanRead<SchemaInput<Input[I]>, Sent[I]> : true }[number]
    : CanRead<SchemaInput<Input>, First<Sent>>
)
  ? ReadsSomethingElseThan<Sent>
  : unknown;

// --- subscribers ------------------------------------------------------------------------------------------------------------

/** The arguments a subscriber receives: what the schema makes of them if there is one, else what the client sends. */
export type SubscriberArgs<App extends AppServer, Event extends string, Input extends InputSchema | undefined> = List<
  [Input] extends [InputSchema] ? SchemaArgs<Input> : ArgsOf<App, Event>
>;

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
> = [Event] extends [string]
  ? (context: EventContext<App>, ...args: SubscriberArgs<App, Event, Input>) => Answer<ReplyOf<App, Event>>
  : never;

/**
 * Wraps the subscribers it is set for: code before `next()` runs before them, code after it runs after. What it returns
 * is the reply, or what came from `next()` if it returns nothing; to refuse, throw.
 */
export type Interceptor<App extends AppServer = AppServer> = (
  context: EventContext<App>,
  next: () => Promise<unknown>,
) => unknown;

/** How one subscriber is run. Each option overrides what the handler and the ingress say. */
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
   * @default Infinity
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
  /** What `concurrency` counts by, instead of by socket. It is given the arguments the subscriber will be given. */
  key?: (context: EventContext<App>, ...args: Args) => string;
  /** Wraps this subscriber, inside the interceptors of the handler and of the ingress; the first is outermost. */
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
  input?: Input & Reading<Input, ArgsOf<App, Event>>;
  /**
   * Where to listen: a namespace's name, or a pattern for dynamic ones.
   *
   * @default "/"
   */
  namespace?: string | RegExp;
  /** What the subscription belongs to: it ends when its owner does. */
  owner?: Owner;
}

// --- the map of a handler ---------------------------------------------------------------------------------------------------

/** What a handler has by itself: never the subscriber of an event, whatever its signature. */
type OwnMember =
  | "addCleanup"
  | "eventPriorities"
  | "events"
  | "ingress"
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
type Candidate<Self> = Exclude<keyof Self & string, OwnMember>;

// The unions of names that follow come out of `keyof`: only then the compiler's messages list the names.

/** The public methods. */
type Methods<Self> = keyof {
  [K in Candidate<Self> as Self[K] extends (...args: any[]) => unknown ? K : never]: K;
};

/** The public methods that may be called with these arguments and answer like this. */
type Fitting<Self, App extends AppServer, Args, Reply> = keyof {
  [
    K in Candidate<Self> as Self[K] extends (context: EventContext<App>, ...args: List<Args>) => Answer<Reply>
      ? K
      : never
  ]: K;
};

/** The public methods that answer like this, whatever they take. */
type Replying<Self, Reply> = keyof {
  [K in Candidate<Self> as Self[K] extends (...args: any[]) => Answer<Reply> ? K : never]: K;
};

type Without<Names, Others> = keyof { [K in Names & string as K extends Others ? never : K]: K };

// What follows fits no value. It stands in the compiler's message, beside what would fit, and says what is wrong.
declare const advice: unique symbol;

interface Advice<Sentence> {
  readonly [advice]: Sentence;
}

/** A name that no handler can subscribe to. */
interface NotForSubscribers<Sentence> extends Advice<Sentence> {}

/** Public methods that take something else than the event sends. */
interface TakesOtherArgumentsThan<Args, Method> extends Advice<[Args, Method]> {}

/** Public methods that take what the event sends, but reply something else than its acknowledgement takes. */
interface RepliesSomethingElseThan<Reply, Method> extends Advice<[Reply, Method]> {}

/** A schema that can't read what the event sends. */
interface ReadsSomethingElseThan<Args> extends Advice<Args> {}

type AdviceOnArgs<Args, Names> = [Names] extends [never] ? never : TakesOtherArgumentsThan<Args, Names>;

type AdviceOnReply<Reply, Names> = [Names] extends [never] ? never : RepliesSomethingElseThan<Reply, Names>;

/** A literal, so that the compiler's message quotes the name that was written. */
type AdviceOnNone<Names> = [Names] extends [never] ? "no public method fits" & Advice<never> : never;

type MethodArgs<M> = M extends (context: any, ...args: infer Args) => unknown ? Args : never;

/** The object form of a value: what runs, and how. */
interface Entry<Run, App extends AppServer, Sent, Args = Sent> extends EventOptions<App, List<Sent>> {
  run: Run;
  input?: SchemaBetween<any[], Args>;
}

/** The object form for a method that takes what a schema makes of what the event sends. */
interface NeedsInputFor<Run, Args, App extends AppServer, Sent> extends Omit<EventOptions<App>, "key"> {
  run: Run;
  input: SchemaBetween<Sent, Args>;
  // Overloads that only differ in a type parameter give no type to the parameters of a function written here. Without them,
  // a `key` beside any other `run` would get none either: what it is given would depend on `run`.
  key?: {
    (context: EventContext<App>, ...args: List<Args>): string;
    <_>(context: EventContext<App>, ...args: List<Args>): string;
  };
}

type Entries<Self, App extends AppServer, Sent, Reply> =
  | Entry<(this: Self, context: EventContext<App>, ...args: List<Sent>) => Answer<Reply>, App, Sent>
  | (any[] extends Sent
      ? { [K in Replying<Self, Reply>]: Entry<K, App, Sent, MethodArgs<Self[K]>> }[Replying<Self, Reply>]
      :
          | Entry<Fitting<Self, App, Sent, Reply>, App, Sent>
          | {
              [K in Without<Replying<Self, Reply>, Fitting<Self, App, Sent, Reply>>]: NeedsInputFor<
                K,
                MethodArgs<Self[K & keyof Self]>,
                App,
                Sent
              >;
            }[Without<Replying<Self, Reply>, Fitting<Self, App, Sent, Reply>>]);

/** The server a handler is for, as its class says. */
type AppOf<Self> = Self extends { readonly io: infer Io } ? Extract<NonNullable<Io>, AppServer> : Server;

/**
 * The events of a handler: for each name a method by name, a function, or an object with options. Write it behind
 * `satisfies`, so that `events` keeps the names it is given.
 *
 * - A name is that of a public method; for a private one write `this.method`. It is called with the handler as `this`.
 * - The method takes the context, then what the event sends, and replies what the event's acknowledgement takes.
 * - With `input`, a method by name takes what comes out of the schema.
 * - For a generic class fill its parameters in: `EventMap<Cache<unknown>>`.
 * - If the compiler says that `events` is "referenced in its own initializer", the type of a public member depends on it:
 *   write that type out, be it a method's result or a field's.
 *
 * @typeParam Self - the handler's own class
 * @typeParam App - the `Server<...>` type of the application; that of the class if left out
 *
 * @example
 * readonly events = {
 *   heartbeat: "handleHeartbeat",
 *   message: { run: "handleMessage", priority: 10, input: messageSchema },
 *   disconnect: this.handleDisconnect,
 * } satisfies EventMap<ChatHandler, App>;
 */
export type EventMap<Self, App extends AppServer = AppOf<Self>> = EventMapOf<Self, App, EventName<App>> &
  // For an untyped server, which has events of every name, these say more than "any event".
  EventMapOf<Self, App, ReservedEventName> & { readonly [E in ForbiddenEventName]?: Permitted<E> };

/**
 * What can be asked of the `events` of any handler, without a look at its class: known events, each with something that can
 * run. {@link EventMap} asks for more.
 */
export type HandlerEvents<App extends AppServer = Server> = {
  readonly [E in SubscribableEvent<App>]?:
    | Runnable<App>
    | {
        /** The name of a method, or a function. */
        readonly run: Runnable<App>;
      }
    | Advice<unknown>;
} & { readonly [E in ForbiddenEventName]?: Permitted<E> };

type Runnable<App extends AppServer> = string | ((this: any, context: EventContext<App>, ...args: any[]) => unknown);

type EventMapOf<Self, App extends AppServer, Names extends string> = {
  readonly [E in Names]?:
    | Fitting<Self, App, ArgsOf<App, E>, ReplyOf<App, E>>
    | AdviceOnNone<Fitting<Self, App, ArgsOf<App, E>, ReplyOf<App, E>>>
    | AdviceOnArgs<ArgsOf<App, E>, Without<Methods<Self>, Fitting<Self, App, ArgsOf<App, E>, unknown>>>
    | AdviceOnReply<
        ReplyOf<App, E>,
        Without<Fitting<Self, App, ArgsOf<App, E>, unknown>, Fitting<Self, App, ArgsOf<App, E>, ReplyOf<App, E>>>
      >
    | ((this: Self, context: EventContext<App>, ...args: List<ArgsOf<App, E>>) => Answer<ReplyOf<App, E>>)
    | Entries<Self, App, ArgsOf<App, E>, ReplyOf<App, E>>;
};
