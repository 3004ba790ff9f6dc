import type { ForbiddenEventName, ReservedEventName } from "../wire/event-names.js";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Server } from "socket.io";
import type { EventContext } from "./event-context.js";
import type {
  Advice,
  Answer,
  AppServer,
  ArgsOf,
  EventOptions,
  First,
  InputSchema,
  List,
  Permitted,
  ReplyOf,
} from "./subscriber.js";
import type { EventName } from "../wire/event-types.js";

// `any` in this file stands where Socket.IO's own types put it, or for the arguments of some function nobody calls here.

/** What goes in must share something with what is sent: a schema that reads nothing of it can't be meant. */
type Overlap<Sent> = 0 extends 1 & Sent
  ? unknown
  : Sent extends object
    ? { readonly [K in keyof Sent]?: unknown }
    : unknown;

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

// --- the map of a handler ---------------------------------------------------------------------------------------------------

/** What a handler has by itself: never the subscriber of an event, whatever its signature. */
type OwnMember =
  | "addCleanup"
  | "beforeEvent"
  | "callback"
  | "eventPriorities"
  | "events"
  | "ingress"
  | "io"
  | "log"
  | "name"
  | "namespace"
  | "onDrain"
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

/** Public methods that take something else than the event sends. */
interface TakesOtherArgumentsThan<Args, Method> extends Advice<[Args, Method]> {}

/** Public methods that take what the event sends, but reply something else than its acknowledgement takes. */
interface RepliesSomethingElseThan<Reply, Method> extends Advice<[Reply, Method]> {}

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
export type HandlerEvents<App extends AppServer = Server> = HandlerEventsOf<App, EventName<App>> &
  // In a class that is generic in its server these are all that is known.
  HandlerEventsOf<App, ReservedEventName> & { readonly [E in ForbiddenEventName]?: Permitted<E> };

type HandlerEventsOf<App extends AppServer, Names extends string> = {
  readonly [E in Names]?: Runnable<App> | HandlerEntry<App> | Advice<unknown>;
};

/** The object form of a value, whichever event it is for. */
interface HandlerEntry<App extends AppServer> extends EventOptions<App> {
  /** The name of a method, or a function. */
  run: Runnable<App>;
  /** A schema for the first argument, or one for each. */
  input?: InputSchema | readonly (StandardSchemaV1 | undefined)[]; // an EventMap has it optional for an optional argument
}

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

// --- the events of a handler that is whole ----------------------------------------------------------------------------------

/** Events that don't fit their class as they are inferred: it takes `satisfies` to keep the names of methods, and to be told why. */
interface EventsNeedSatisfiesEventMap<Names> extends Advice<Names> {}

/** What is annotated was checked where it was written; only an annotation holds advice. */
type IsAnnotated<Value> = [Extract<Value, Advice<any>>] extends [never] ? false : true;

type Fits<Value, Event, Map> =
  IsAnnotated<Value> extends true ? true : Event extends keyof Map ? (Value extends Map[Event] ? true : false) : false;

type Misfits<Events, Map> = keyof {
  [E in keyof Events & string as Fits<Events[E], E, Map> extends true ? never : E]: E;
};

/**
 * Nothing to add if the events of a handler fit it, else advice. A base class can't ask that, as the methods of the class that is being
 * written are not known to it; whoever is given the handler can (decision 0043).
 */
export type CheckedEvents<Self extends { readonly events: object }> = 0 extends 1 & Self
  ? unknown
  : [Misfits<Self["events"], EventMap<Self>>] extends [never]
    ? unknown
    : EventsNeedSatisfiesEventMap<Misfits<Self["events"], EventMap<Self>>>;
