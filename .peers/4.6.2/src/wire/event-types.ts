import type { ForbiddenEventName, ReservedEventName } from "./event-names.js";
import type { Server } from "socket.io";
import type { Failure } from "./failure.js";

// `any` in this file stands where Socket.IO's own types put it: its event maps hold functions of any arguments, and
// `Server` is invariant in them, so that only `any` matches every server.

/** What a client can send: the first type argument of the application's `Server<...>`. */
export type ListenEventsOf<App> = App extends Server<infer Listen, any, any, any> ? Listen : never;

/** What the server can send: the second type argument of the application's `Server<...>`. */
export type EmitEventsOf<App> = App extends Server<any, infer Emit, any, any> ? Emit : never;

/** What servers send each other: the third type argument of the application's `Server<...>`. */
export type ServerSideEventsOf<App> = App extends Server<any, any, infer ServerSide, any> ? ServerSide : never;

/** What `socket.data` holds: the fourth type argument of the application's `Server<...>`. */
export type SocketDataOf<App> = App extends Server<any, any, any, infer Data> ? Data : never;

/** The names a client of this application can emit; any string if the server is untyped. */
export type EventName<App> = Exclude<keyof ListenEventsOf<App> & string, ReservedEventName | ForbiddenEventName>;

type AnyFunction = (...args: any[]) => unknown;

type IsAny<T> = 0 extends 1 & T ? true : false;

/** Whether T is a function and nothing laxer, as the type of an acknowledgement is. */
type IsFunction<T> =
  IsAny<T> extends true ? false : [T] extends [never] ? false : [T] extends [AnyFunction] ? true : false;

/** An event's parameters taken apart: the arguments, the acknowledgement, and whether that may be left out. */
type Split<P extends readonly unknown[]> = P extends readonly [...infer Head, infer Last]
  ? IsFunction<Last> extends true
    ? { args: Head; reply: Last; optional: false }
    : { args: P; reply: undefined; optional: true }
  : P extends readonly [...infer Head, (infer Last)?]
    ? number extends P["length"]
      ? { args: P; reply: undefined; optional: true }
      : IsFunction<Exclude<Last, undefined>> extends true
        ? { args: Head; reply: Exclude<Last, undefined>; optional: true }
        : { args: P; reply: undefined; optional: true }
    : { args: P; reply: undefined; optional: true };

type ParametersOf<F> = F extends (...args: infer P) => unknown ? P : any[];

/** Socket.IO's own convention: an acknowledgement that declares an `Error` first, for timeouts, has its value second. */
type FirstNonError<P extends readonly unknown[]> = P[0] extends Error ? P[1] : P[0];

/**
 * The arguments a client sends with an event, its acknowledgement left out; `any[]` for an untyped event.
 *
 * @typeParam F - the event's signature, as written in `ClientToServerEvents`
 */
export type EventArgs<F> = IsAny<F> extends true ? any[] : Extract<Split<ParametersOf<F>>["args"], readonly unknown[]>;

/**
 * What the acknowledgement of an event receives: its first argument. `unknown` for an event that declares none.
 *
 * @typeParam F - the event's signature, as written in `ClientToServerEvents`
 */
export type EventReply<F> =
  IsAny<F> extends true
    ? unknown
    : Split<ParametersOf<F>>["reply"] extends (...args: infer P) => unknown
      ? FirstNonError<P>
      : unknown;

/** What a call of an event resolves to on success: {@link EventReply} without the {@link Failure} it may declare. */
export type EventValue<F> = unknown extends EventReply<F> ? unknown : Exclude<EventReply<F>, Failure>;

/** One event as it is put together for a client. */
interface Signature<Args, Reply, Ack extends "none" | "optional" | "required"> {
  args: Args;
  reply: Reply;
  ack: Ack;
}

/** An event as the application declares it. */
type Declared<F> =
  IsAny<F> extends true
    ? Signature<any[], unknown, "none">
    : Signature<
        EventArgs<F>,
        EventReply<F>,
        Split<ParametersOf<F>> extends { reply: AnyFunction; optional: infer Optional }
          ? Optional extends true
            ? "optional"
            : "required"
          : "none"
      >;

/** An event as the subscriber takes and answers it. */
type Taken<M> = M extends (context: any, ...args: infer Args) => infer Result
  ? Answered<Args, Awaited<Result>>
  : Signature<any[], unknown, "none">;

/** Who never returns a value leaves the reply to others, or sends none worth waiting for. */
type Answered<Args, Result> = [IsAny<Result>, Result] extends [false, void | undefined]
  ? Signature<Args, never, "none">
  : Signature<Args, Result extends void ? undefined : Result, "required">;

/** An event whose arguments a schema reads: what the client sends is what goes into it. */
type TakenThrough<M, Input> =
  Taken<M> extends Signature<unknown, infer Reply, infer Ack> ? Signature<SchemaInputs<Input>, Reply, Ack> : never;

type SchemaInput<S> = S extends { readonly "~standard": { readonly types?: infer Types } }
  ? NonNullable<Types> extends { readonly input: infer Input }
    ? Input
    : unknown
  : unknown;

type SchemaInputs<S> = S extends readonly unknown[]
  ? { -readonly [I in keyof S]: SchemaInput<S[I]> }
  : [payload: SchemaInput<S>];

/** The subscriber that a value of an event map means. */
type Subscribed<Self, Value> = Value extends { run: infer Run; input: infer Input }
  ? TakenThrough<MethodOf<Self, Run>, Input>
  : Value extends { run: infer Run }
    ? Taken<MethodOf<Self, Run>>
    : Taken<MethodOf<Self, Value>>;

type MethodOf<Self, Value> = Value extends keyof Self ? Self[Value] : Value;

type AppOf<T> = T extends { readonly io: infer Io } ? NonNullable<Io> : Server;

/** Whether the application says by name what this event is; an untyped server does not. */
type IsDeclared<App, Event> = string extends keyof ListenEventsOf<App>
  ? false
  : Event extends keyof ListenEventsOf<App>
    ? true
    : false;

type ClientName<Name> = Exclude<Extract<Name, string>, ReservedEventName | ForbiddenEventName>;

/** The events of one handler or controller, by name. */
type SignaturesOf<T> = T extends abstract new (...args: any[]) => infer Instance
  ? SignaturesOf<Instance>
  : T extends { readonly events: infer Events }
    ? {
        [E in ClientName<keyof Events>]: IsDeclared<AppOf<T>, E> extends true
          ? Declared<ListenEventsOf<AppOf<T>>[E & keyof ListenEventsOf<AppOf<T>>]>
          : Subscribed<T, Events[E & keyof Events]>;
      }
    : { [E in EventName<AppOf<T>>]: Declared<ListenEventsOf<AppOf<T>>[E & keyof ListenEventsOf<AppOf<T>>]> };

type Members<T> = T extends readonly (infer Member)[] ? Member : T;

type Each<T> = T extends unknown ? SignaturesOf<T> : never;

/** The names, but for those of an untyped controller: it takes any. */
type NamesOf<S> = S extends unknown ? (string extends keyof S ? never : keyof S & string) : never;

type AnyNames<S> = S extends unknown ? (string extends keyof S ? S : never) : never;

type Named<S, E> = S extends unknown ? (string extends keyof S ? never : E extends keyof S ? S[E] : never) : never;

type Indexes<A> = A extends unknown ? Extract<keyof A, `${number}`> : never;

type Longest<A, I = Indexes<A>> = A extends unknown ? ([I] extends [keyof A] ? A : never) : never;

type Everywhere<A, I> = (A extends unknown ? (I extends keyof A ? (value: A[I]) => void : never) : never) extends (
  value: infer Value,
) => void
  ? Value
  : never;

type IsUnion<T, Whole = T> = T extends unknown ? ([Whole] extends [T] ? false : true) : never;

/** Arguments that all subscribers of one event can take: where they differ, what each of them takes at that place. */
type CommonArgs<A> = List<true extends IsUnion<A> ? InCommon<Longest<A>, A> : A>;

type InCommon<L, A> = L extends readonly unknown[] ? { [I in keyof L]: Everywhere<A, I> } : never;

type List<T> = T extends readonly unknown[] ? T : never;

type ToFunction<S> = [S] extends [Signature<infer Args, infer Reply, infer Ack>]
  ? "required" extends Ack
    ? (...args: [...CommonArgs<Args>, reply: (reply: Reply | Failure) => void]) => void
    : "optional" extends Ack
      ? (...args: [...CommonArgs<Args>, reply?: (reply: Reply | Failure) => void]) => void
      : (...args: CommonArgs<Args>) => void
  : never;

/** A handler or a controller, or its class: what has events says which server they are for. */
export type EventSource = Instance | (abstract new (...args: any[]) => Instance);

interface Instance {
  readonly io: Server<any, any, any, any> | undefined;
}

/**
 * The `ClientToServerEvents` that a client of these handlers and controllers can use: what a handler takes and replies, the
 * other way round.
 *
 * An event that the application's `Server<...>` declares is as declared there. With an untyped server the handler's own
 * methods say it: their arguments after the context (or what goes into their `input` schema), and what they return. A
 * controller subscribes by calling, which no type can see: it contributes all events of its server. Every reply may also be
 * a {@link Failure}. The reserved names are left out.
 *
 * @typeParam T - a class, an instance, or a tuple or array of them
 *
 * @example
 * const handlers = [new PresenceHandler(), new ChatHandler()];
 * export type ClientToServer = EventsOf<typeof handlers>;
 */
export type EventsOf<T extends EventSource | readonly EventSource[]> = EventsIn<Each<Members<T>>>;

type EventsIn<S> = Known<S> & ([AnyNames<S>] extends [never] ? unknown : Record<string, (...args: any[]) => void>);

type Known<S> = { [E in NamesOf<S>]: ToFunction<Named<S, E>> };
