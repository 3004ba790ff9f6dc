import { Server } from "socket.io";
import {
  type AppServer,
  type BeforeEvent,
  type ControllerEventOptions,
  type ErrorSubscriber,
  type EventContext,
  type EventMap,
  type EventOptions,
  Handler,
  type HandlerEvents,
  type InputSchema,
  type Interceptor,
  ServiceManager,
  SocketIngress,
  type SocketIngressOptions,
  type SubscribeOptions,
  type Subscriber,
} from "socket-ingress";
import { fakeServer } from "socket-ingress/testing";
import { expectTypeOf } from "vitest";
import { z } from "zod";

// The shapes that classes of handlers have beside the plain one, and what checks the events of each.

interface ClientToServer {
  create(thing: { size: number }, reply: (r: { ok: true }) => void): void;
  say(text: string): void;
}
type App = Server<ClientToServer, Record<string, never>, Record<string, never>, { user: string }>;
declare const manager: ServiceManager<App>;
declare const untyped: ServiceManager;

// --- types that are exported are annotations --------------------------------------------------------------------------------

class AnnotatedByEvents extends Handler {
  readonly name = "annotated";
  readonly events: HandlerEvents = { create: { run: "create", concurrency: 1 } };
  create() {}
}
class AnnotatedWithEveryOption extends Handler<App> {
  readonly name = "every option";
  readonly events: HandlerEvents<App> = {
    create: {
      run: "create",
      priority: 1,
      guard: true,
      callback: "errorFirst",
      input: z.object({ size: z.number() }),
      output: z.object({ ok: z.literal(true) }),
      timeoutMs: 1,
      concurrency: 1,
      queueMax: 1,
      overflow: "dropOldest",
      key: ({ socket }, thing: { size: number }) => socket.data.user + thing.size,
      use: [(_context, next) => next()],
    },
    say: (_context, text: string) => text,
    disconnect: { run: this.gone },
  };
  create(_context: EventContext<App>, _thing: { size: number }) {
    return { ok: true as const };
  }
  private gone(_context: EventContext<App>, _reason: string) {}
}
class AnnotatedUnknownOption extends Handler {
  readonly name = "unknown option";
  // @ts-expect-error there is no such option
  readonly events: HandlerEvents = { create: { run: "create", concurency: 1 } };
}
class AnnotatedUnknownEvent extends Handler<App> {
  readonly name = "unknown event";
  // @ts-expect-error clients send no such event
  readonly events: HandlerEvents<App> = { craete: "create" };
}
class AnnotatedNoRun extends Handler {
  readonly name = "no run";
  // @ts-expect-error nothing to run
  readonly events: HandlerEvents = { create: { concurrency: 1 } };
}
const saying: Subscriber<App, "say"> = (_context, text) => void text.length;
const entry: EventOptions<App> = { concurrency: 1, key: ({ socket }) => socket.data.user };
const timed: Interceptor<App> = (_context, next) => next();
class Assembled extends Handler<App> {
  readonly name = "assembled";
  readonly events = { say: saying, create: { run: "create", ...entry, use: [timed] } } satisfies EventMap<Assembled>;
  create(_context: EventContext<App>, _thing: { size: number }) {
    return { ok: true as const };
  }
}
const ingress = new SocketIngress<App>({ timeoutMs: 5 } satisfies SocketIngressOptions);
const subscribeOptions: SubscribeOptions<App, "say"> = { priority: 5, input: z.string(), namespace: "/" };
const schema: InputSchema = z.string();
const beforeEvent: BeforeEvent<App> = ({ socket }) => socket.data.user;
const onError: ErrorSubscriber = (error, { event }) => void [error, event];
const controllerOptions: ControllerEventOptions<App, "say", undefined> = { priority: 5 };
ingress.subscribe("say", saying, { priority: 5 });
ingress.beforeEvent(beforeEvent);
ingress.subscribeErrorDefault(onError);
void [subscribeOptions, schema, controllerOptions];

// --- mixins, generic and abstract bases, intersections ----------------------------------------------------------------------

type Constructor<T> = abstract new (...args: any[]) => T;
function Greeting<Base extends Constructor<Handler<App>>>(base: Base) {
  abstract class Greets extends base {
    greet({ socket }: EventContext<App>, text: string): void {
      void (socket.data.user + text);
    }
  }
  return Greets;
}
class Mixed extends Greeting(Handler<App>) {
  readonly name = "mixed";
  readonly events = { say: "greet" } satisfies EventMap<Mixed>;
  override readonly eventPriorities = { say: 1 };
}
class MixedWrongly extends Greeting(Handler<App>) {
  readonly name = "mixed wrongly";
  // @ts-expect-error no such method was mixed in
  readonly events = { say: "great" } satisfies EventMap<MixedWrongly>;
}
function WithPing<Base extends Constructor<Handler<App>>>(base: Base) {
  abstract class Pings extends base {
    readonly events: HandlerEvents<App> = { say: { run: "ping", priority: 1 } };
    ping(_context: EventContext<App>, _text: string) {}
  }
  return Pings;
}
class MixedEvents extends WithPing(Handler<App>) {
  readonly name = "mixed events";
}

// Generic in its server: what is asked of every server is `AppServer`.
abstract class Watching<A extends AppServer> extends Handler<A> {
  readonly events = { disconnect: { run: "gone", priority: 1 } } satisfies EventMap<Watching<AppServer>>;
  gone(_context: EventContext<A>, _reason: string) {}
  audit(_context: EventContext<A>, ..._args: unknown[]) {}
}
abstract class WatchingAnnotated<A extends AppServer> extends Handler<A> {
  readonly events: HandlerEvents<A> = { disconnect: { run: "gone", priority: 1 } };
  gone(_context: EventContext<A>, _reason: string) {}
}
class Watched extends Watching<App> {
  readonly name = "watched";
}
class WatchedToo extends WatchingAnnotated<App> {
  readonly name = "watched too";
  override readonly events = { say: "gone" } satisfies EventMap<WatchedToo>;
}
abstract class WatchingWrongly<A extends AppServer> extends Handler<A> {
  // @ts-expect-error the reason is a string
  readonly events = { disconnect: "gone" } satisfies EventMap<WatchingWrongly<AppServer>>;
  gone(_context: EventContext<A>, _reason: Date) {}
}
// Generic in something else.
abstract class Making<T> extends Handler<App> {
  readonly events = { create: { run: "create", concurrency: 1 } } satisfies EventMap<Making<unknown>>;
  abstract make(size: number): T;
  create(_context: EventContext<App>, { size }: { size: number }) {
    return { ok: this.make(size) !== undefined } as { ok: true };
  }
}
class MakingText extends Making<string> {
  readonly name = "text";
  make(size: number) {
    return "x".repeat(size);
  }
}
// Abstract: the base says that there are events, each class says which.
abstract class Base extends Handler<App> {
  abstract override readonly events: HandlerEvents<App>;
  say(_context: EventContext<App>, _text: string) {}
}
class OfBase extends Base {
  readonly name = "of base";
  readonly events = { say: "say" } satisfies EventMap<OfBase>;
}
class OfBaseAnnotated extends Base {
  readonly name = "of base, annotated";
  readonly events: EventMap<OfBaseAnnotated> = { say: { run: "say", concurrency: 1 } };
}
// Intersections: of handlers, of maps, of events.
interface Talks {
  talk(context: EventContext<App>, text: string): void;
}
declare const TalkingHandler: abstract new () => Handler<App> & Talks;
class Talking extends TalkingHandler {
  readonly name = "talking";
  readonly events = { say: "talk" } satisfies EventMap<Talking>;
}
class TalkingWrongly extends TalkingHandler {
  readonly name = "talking wrongly";
  // @ts-expect-error it takes a text, the event sends a thing
  readonly events = { create: "talk" } satisfies EventMap<TalkingWrongly>;
}
class BothMaps extends Base {
  readonly name = "both maps";
  readonly events: HandlerEvents<App> & { readonly say: object } = { say: { run: "say", priority: 2 } };
}
type Joined = Server<ClientToServer & { more(n: number): void }, Record<string, never>>;
class JoinedEvents extends Handler<Joined> {
  readonly name = "joined";
  readonly events = { more: "more", say: { run: "said", priority: 1 } } satisfies EventMap<JoinedEvents>;
  more(_context: EventContext<Joined>, _n: number) {}
  said(_context: EventContext<Joined>, _text: string) {}
}
void [AnnotatedUnknownOption, AnnotatedUnknownEvent, AnnotatedNoRun, MixedWrongly, WatchingWrongly, TalkingWrongly];

// --- a subclass adds to what it inherits ------------------------------------------------------------------------------------

// A map beside the class.
class Room extends Handler<App> {
  readonly name: string = "room";
  readonly events = roomEvents;
  onSay(_context: EventContext<App>, _text: string) {}
}
const roomEvents = { say: "onSay" } satisfies EventMap<Room>;
class Workshop extends Room {
  override readonly name = "workshop";
  override readonly events = { ...roomEvents, create: "onCreate" } satisfies EventMap<Workshop>;
  onCreate(_context: EventContext<App>, _thing: { size: number }) {
    return { ok: true as const };
  }
}
expectTypeOf(new Workshop().events).toEqualTypeOf<{ create: "onCreate"; say: "onSay" }>();
class WorkshopWrongly extends Room {
  // @ts-expect-error there is no such method
  override readonly events = { ...roomEvents, create: "onCraete" } satisfies EventMap<WorkshopWrongly>;
}
class RoomReplaced extends Room {
  // @ts-expect-error others rely on what it inherits: a base that lets its events be replaced says HandlerEvents
  override readonly events = { ...roomEvents, say: "onShout" } satisfies EventMap<RoomReplaced>;
  onShout(_context: EventContext<App>, _text: string) {}
}
class OpenRoom extends Handler<App> {
  readonly name: string = "open room";
  readonly events: HandlerEvents<App> = openRoomEvents;
  onSay(_context: EventContext<App>, _text: string) {}
}
const openRoomEvents = { say: "onSay" } satisfies EventMap<OpenRoom>;
class OpenRoomReplaced extends OpenRoom {
  override readonly events = { ...openRoomEvents, say: "onShout" } satisfies EventMap<OpenRoomReplaced>;
  onShout(_context: EventContext<App>, _text: string) {}
}

// A getter over a getter.
class Hall extends Handler<App> {
  readonly name: string = "hall";
  get events() {
    return { say: "onSay" } satisfies EventMap<Hall>;
  }
  onSay(_context: EventContext<App>, _text: string) {}
}
class Foyer extends Hall {
  override get events() {
    return { ...super.events, create: "onCreate" } satisfies EventMap<Foyer>;
  }
  onCreate(_context: EventContext<App>, _thing: { size: number }) {
    return { ok: true as const };
  }
}
expectTypeOf(new Foyer().events).toEqualTypeOf<{ create: "onCreate"; say: "onSay" }>();
class FoyerWrongly extends Hall {
  override get events() {
    // @ts-expect-error there is no such method
    return { ...super.events, create: "onCraete" } satisfies EventMap<FoyerWrongly>;
  }
}
void [WorkshopWrongly, RoomReplaced, FoyerWrongly];

// --- events that nobody checked are asked for where a handler is registered --------------------------------------------------

manager
  .registerHandler(new AnnotatedWithEveryOption())
  .registerHandler(new Assembled())
  .registerHandler(new Mixed())
  .registerHandler(new MixedEvents())
  .registerHandler(new Watched())
  .registerHandler(new WatchedToo())
  .registerHandler(new MakingText())
  .registerHandler(new OfBase())
  .registerHandler(new OfBaseAnnotated())
  .registerHandler(new Talking())
  .registerHandler(new BothMaps())
  .registerHandler(new Workshop())
  .registerHandler(new OpenRoomReplaced())
  .registerHandler(new Foyer());
untyped.registerHandler(new AnnotatedByEvents());
declare const joined: ServiceManager<Joined>;
joined.registerHandler(new JoinedEvents());
declare const all: Handler<App>[];
for (const one of all) manager.registerHandler(one);
declare const unknownToUs: any;
manager.registerHandler(unknownToUs);
function registering<H extends Handler<App>>(handler: H): void {
  manager.registerHandler<Handler<App>>(handler);
}
void registering;

abstract class Speaking<A extends AppServer = App> extends Handler<A> {
  readonly name = "speaking";
  speak(_context: EventContext<A>, _text: string) {}
  speakOf(_context: EventContext<A>, _when: Date) {}
}
// What fits as it is needs nothing.
class ByReference extends Speaking {
  readonly events = { say: this.speak, disconnect: { run: this.speak, priority: 1 } };
}
class AsConst extends Speaking {
  readonly events = { say: { run: "speak", overflow: "dropOldest" } } as const;
}
class NoEvents extends Speaking {
  readonly events = {};
}
manager.registerHandler(new ByReference()).registerHandler(new AsConst()).registerHandler(new NoEvents());
class ByName extends Speaking {
  readonly events = { say: "speak" };
}
// @ts-expect-error without `satisfies` the name of a method is any string
manager.registerHandler(new ByName());
class ByNameWithOptions extends Speaking {
  readonly events = { say: { run: "speak", priority: 1 } };
}
// @ts-expect-error the same beside options
manager.registerHandler(new ByNameWithOptions());
class WrongArguments extends Speaking {
  readonly events = { say: this.speakOf };
}
// @ts-expect-error the method takes other arguments
manager.registerHandler(new WrongArguments());
class OneEventTooMany extends Speaking {
  readonly events = { say: this.speak, sya: this.speak };
}
// @ts-expect-error clients send no such event
manager.registerHandler(new OneEventTooMany());
class OverriddenSince extends Workshop {
  // @ts-expect-error TypeScript itself sees that the inherited event would be given a text
  override onSay(_context: EventContext<App>, _when: Date) {}
}
void OverriddenSince;
class UntypedByName extends Speaking<Server> {
  readonly events = { say: "speka" };
}
// @ts-expect-error the same on a server without types
untyped.registerHandler(new UntypedByName());

// A manager is its application's, also where it is made for a server of the test kit's, which has more than a server.

declare const app: App;
const workshop = new Workshop();
const ofFake = new ServiceManager(fakeServer<App>()).registerHandler(workshop);
expectTypeOf(ofFake).toEqualTypeOf<ServiceManager<App>>();
expectTypeOf(new ServiceManager(fakeServer())).toEqualTypeOf<ServiceManager>();
expectTypeOf(new ServiceManager(app)).toEqualTypeOf<ServiceManager<App>>();
expectTypeOf(new ServiceManager(new Server())).toEqualTypeOf<ServiceManager>();
expectTypeOf(new ServiceManager<App>(fakeServer<App>())).toEqualTypeOf<ServiceManager<App>>();
// @ts-expect-error of another application
ofFake.registerHandler(new UntypedByName());
// @ts-expect-error no server
void new ServiceManager({});

// An annotation does for events of any arguments: optional ones, a list of them, none.

type Varied = Server<{
  optional(a: number, b?: string): void;
  answered(a: number, b?: string, reply?: (n: number) => void): void;
  list(head: string, ...rest: number[]): void;
  none(reply: (n: number) => void): void;
}>;
class AnnotatedVaried extends Handler<Varied> {
  readonly name = "annotated varied";
  readonly events: EventMap<AnnotatedVaried, Varied> = {
    optional: { run: "optional", input: [z.number()] },
    answered: { run: "answered", concurrency: 1 },
    list: (_context, head, ...rest) => void [head.length, rest.map((n) => n.toFixed())],
    none: () => 1,
  };
  optional(_context: EventContext<Varied>, _a: number, _b?: string) {}
  answered(_context: EventContext<Varied>, a: number, b?: string) {
    return a + (b?.length ?? 0);
  }
}
void new ServiceManager<Varied>().registerHandler(new AnnotatedVaried());
