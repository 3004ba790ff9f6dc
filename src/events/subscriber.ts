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

/** Where a {@link ServesAs} says it. */
declare const servesAs: unique symbol;

/**
 * What a server is that has more than Socket.IO's, such as the test kit's: what is made for it is made for this `Server<...>`. It is there
 * for the compiler alone, which would take the server's whole type for the application's.
 */
export interface ServesAs<App> {
  /** Nothing is there when it runs. */
  readonly [servesAs]: App;
}

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

export type List<T> = T extends readonly unknown[] ? T : never;

// --- schemas ----------------------------------------------------------------------------------------------------------------

/** A schema for the one argument of an event, or a tuple of one schema for each of its arguments. */
export type InputSchema = StandardSchemaV1 | readonly [StandardSchemaV1, ...StandardSchemaV1[]];

type SchemaOutput<S> = S extends StandardSchemaV1 ? StandardSchemaV1.InferOutput<S> : never;

/** The arguments that come out of an {@link InputSchema}. */
export type SchemaArgs<Input> = Input extends readonly unknown[]
  ? { -readonly [I in keyof Input]: SchemaOutput<Input[I]> }
  : [payload: SchemaOutput<Input>];

export type First<Args> = Args extends readonly [] ? unknown : List<Args>[0];

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

/** Any subscriber: parameters are contravariant, so only `any` takes every user's function. */
export type AnySubscriber = (this: any, context: any, ...args: any[]) => unknown;

/** Any interceptor. */
export type AnyInterceptor = (context: any, next: () => Promise<unknown>) => unknown;

/** What to do with an event for which there is no room in the queue. */
export type Overflow = "reject" | "dropOldest";

/** How a caller is answered: with the value or the failure alone, or as Node's callbacks are, `(null, value)` or `(failure)`. */
export type CallbackForm = "reply" | "errorFirst";

/** How one subscriber is run. Each option overrides what the handler and the ingress say. */
export interface EventOptions<App extends AppServer = Server, Args extends readonly unknown[] = any[]> {
  /**
   * Lower runs first; ties keep subscription order.
   *
   * @default 100
   */
  priority?: number;
  /**
   * It may refuse: guards run before all subscribers that are none, in priority order among themselves, and whatever a guard throws, or
   * its timeout, is the reply: no later subscriber runs. It fails closed: a guard whose database is down refuses. Only events that
   * clients send, and `connect`, can be refused.
   *
   * @default false
   */
  guard?: boolean;
  /**
   * How the caller's callback is called: with the value or the failure alone, or `(null, value)` or `(failure)`, for events whose clients
   * expect Node's form. An event has one form: if one of its subscribers says `"errorFirst"`, its callers get that.
   *
   * @default "reply"
   */
  callback?: CallbackForm;
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
  overflow?: Overflow;
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

// --- advice ---------------------------------------------------------------------------------------------------------------

// What follows fits no value. It stands in the compiler's message, beside what would fit, and says what is wrong.
declare const advice: unique symbol;

export interface Advice<Sentence> {
  readonly [advice]: Sentence;
}

/** A name that no handler can subscribe to. */
export interface NotForSubscribers<Sentence> extends Advice<Sentence> {}

/** A schema that can't read what the event sends. */
export interface ReadsSomethingElseThan<Args> extends Advice<Args> {}
