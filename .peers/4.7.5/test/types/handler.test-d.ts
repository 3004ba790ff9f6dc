import type { Server } from "socket.io";
import { type AppServer, type EventContext, type EventMap, Handler, type Interceptor } from "socket-ingress";
import { expectTypeOf } from "vitest";

interface ClientToServer {
  heartbeat(beat: { at: number }, reply: (r: { ok: true }) => void): void;
  say(text: string, reply?: (length: number) => void): void;
  move(x: number, y: number): void;
  typing(): void;
  error(text: string): void;
}
interface ServerToClient {
  presence(who: string[]): void;
}
type App = Server<ClientToServer, ServerToClient, Record<string, never>, { user: string }>;

// --- what compiles ----------------------------------------------------------------------------------------------------------

// The class of the documentation, word for word.
class PresenceHandler extends Handler<App> {
  readonly name = "presence";
  readonly events = {
    heartbeat: "handleHeartbeat",
    disconnect: this.handleDisconnect,
  } satisfies EventMap<PresenceHandler, App>;
  override readonly eventPriorities = { heartbeat: 10 };

  handleHeartbeat({ socket }: EventContext<App>, beat: { at: number }) {
    this.seen.set(socket.data.user, beat.at);
    return { ok: true as const };
  }
  private handleDisconnect({ socket }: EventContext<App>, reason: string) {
    this.seen.delete(socket.data.user + reason);
  }
  private readonly seen = new Map<string, number>();
}
expectTypeOf(new PresenceHandler().events.heartbeat).toEqualTypeOf<"handleHeartbeat">();

// Every form of a value; methods that are asynchronous, take less or answer nothing; the server's type from the class.
class EveryForm extends Handler<App> {
  readonly name = "forms";
  readonly events = {
    heartbeat: { run: "beat", priority: 1, timeoutMs: 10, concurrency: 1, queueMax: 5, overflow: "dropOldest" },
    say: { run: this.#say, key: ({ socket }, text) => socket.data.user + text.trim(), concurrency: 1 },
    move: (context, x, y) => {
      expectTypeOf(context).toEqualTypeOf<EventContext<App>>();
      expectTypeOf(x + y).toEqualTypeOf<number>();
    },
    typing() {
      expectTypeOf(this).toEqualTypeOf<EveryForm>();
    },
    connect: async ({ socket }) => socket.data.user !== "",
    connection: "greet",
    disconnecting: { run: (_context, reason) => reason.length, use: [(_context, next) => next()] },
    disconnect: function (context, reason) {
      this.greet(context);
      expectTypeOf(reason).toEqualTypeOf<string>();
    },
  } satisfies EventMap<EveryForm>;

  async beat() {
    return { ok: true as const };
  }
  greet({ socket }: EventContext<App>) {
    socket.emit("presence", [socket.data.user]);
  }
  #say(_context: EventContext<App>, text: string) {
    return text === "" ? undefined : text.length;
  }
}

// Methods may be inherited, written against any server, or belong to a generic class.
abstract class Beating extends Handler<App> {
  beat(_context: EventContext, beat: { at: number }) {
    return { ok: beat.at > 0 } as { ok: true };
  }
}
class Inheriting extends Beating {
  readonly name = "inheriting";
  readonly events = { heartbeat: "beat" } satisfies EventMap<Inheriting>;
}
class Generic<T> extends Handler<App> {
  readonly name = "generic";
  readonly events = { say: "remember" } satisfies EventMap<Generic<unknown>>;
  last: T | undefined;
  remember(_context: EventContext<App>, text: string) {
    return text.length;
  }
}

// What every handler has is no subscriber, whatever its signature.
class Plain extends Handler {
  readonly name = "plain";
  readonly events = {} satisfies EventMap<Plain>;
}
expectTypeOf<Extract<EventMap<Plain>[string], keyof Plain>>().toBeNever();

// A map that is annotated is checked as well, but does not keep its names.
class Annotated extends Handler<App> {
  readonly name = "annotated";
  readonly events: EventMap<Annotated> = { say: "say", disconnect: this.say };
  say(_context: EventContext<App>, text: string) {
    return text.length;
  }
}

// Other code takes handlers of every server, and interceptors for every server.
const handlers: Handler<AppServer>[] = [new PresenceHandler(), new EveryForm(), new Inheriting(), new Generic<Date>()];
const timing: Interceptor = async ({ event, log }, next) => {
  const before = performance.now();
  try {
    return await next();
  } finally {
    log.debug({ event, ms: performance.now() - before });
  }
};
class Timed extends Handler<App> {
  readonly name = "timed";
  override readonly use = [timing];
  readonly events = { say: { run: () => 1, use: [timing] } } satisfies EventMap<Timed>;
}
void [handlers, Annotated, Timed];

// --- what must not compile --------------------------------------------------------------------------------------------------

abstract class Methods extends Handler<App> {
  readonly name = "methods";
  beat(_context: EventContext<App>, _beat: { at: number }) {
    return { ok: true as const };
  }
  otherArguments(_context: EventContext<App>, _beat: { at: string }) {
    return { ok: true as const };
  }
  otherReply(_context: EventContext<App>, _beat: { at: number }) {
    return { ok: false };
  }
  async otherReplyLater(_context: EventContext<App>, _beat: { at: number }) {
    return "ok";
  }
  noContext(_beat: { at: number }) {
    return { ok: true as const };
  }
  moreArguments(_context: EventContext<App>, _beat: { at: number }, _more: string) {
    return { ok: true as const };
  }
  readonly field = "beat";
}
class UnknownMethod extends Methods {
  // @ts-expect-error there is no such method
  readonly events = { heartbeat: "baet" } satisfies EventMap<UnknownMethod>;
}
class NoMethod extends Methods {
  // @ts-expect-error a field is no method
  readonly events = { heartbeat: "field" } satisfies EventMap<NoMethod>;
}
class PrivateName extends Methods {
  // @ts-expect-error a private method has no name outside its class: write this.secret
  readonly events = { heartbeat: "secret" } satisfies EventMap<PrivateName>;
  private secret() {
    return { ok: true as const };
  }
}
class Lifecycle extends Methods {
  // @ts-expect-error a client must not tear a handler down
  readonly events = { typing: "stop" } satisfies EventMap<Lifecycle>;
}
class OtherArguments extends Methods {
  // @ts-expect-error the method takes other arguments
  readonly events = { heartbeat: "otherArguments" } satisfies EventMap<OtherArguments>;
}
class OtherArgumentsByReference extends Methods {
  // @ts-expect-error the method takes other arguments
  readonly events = { heartbeat: this.otherArguments } satisfies EventMap<OtherArgumentsByReference>;
}
class MoreArguments extends Methods {
  // @ts-expect-error the method wants more than the event sends
  readonly events = { heartbeat: "moreArguments" } satisfies EventMap<MoreArguments>;
}
class NoContext extends Methods {
  // @ts-expect-error the context comes first
  readonly events = { heartbeat: "noContext" } satisfies EventMap<NoContext>;
}
class OtherReply extends Methods {
  // @ts-expect-error the method replies something else
  readonly events = { heartbeat: "otherReply" } satisfies EventMap<OtherReply>;
}
class OtherReplyLater extends Methods {
  // @ts-expect-error the method replies something else, later
  readonly events = { heartbeat: this.otherReplyLater } satisfies EventMap<OtherReplyLater>;
}
class OtherReplyInline extends Methods {
  // @ts-expect-error the optional acknowledgement of `say` takes a number
  readonly events = { say: (_context, text) => text } satisfies EventMap<OtherReplyInline>;
}
class UnknownEvent extends Methods {
  // @ts-expect-error clients send no such event
  readonly events = { hartbeat: "beat" } satisfies EventMap<UnknownEvent>;
}
class ForbiddenEvent extends Methods {
  // @ts-expect-error Node's own event
  readonly events = { newListener: "beat" } satisfies EventMap<ForbiddenEvent>;
}
class DeclaredForbiddenEvent extends Methods {
  // @ts-expect-error `error` never reaches a subscriber, although the application declares it
  readonly events = { error: () => {} } satisfies EventMap<DeclaredForbiddenEvent>;
}
class ConnectReplies extends Methods {
  // @ts-expect-error connect answers true or false
  readonly events = { connect: () => "welcome" } satisfies EventMap<ConnectReplies>;
}
class DisconnectReason extends Methods {
  // @ts-expect-error the reason is a string
  readonly events = { disconnect: (_context, reason: number) => reason } satisfies EventMap<DisconnectReason>;
}
class NotRunnable extends Methods {
  // @ts-expect-error a number can't run
  readonly events = { heartbeat: 5 } satisfies EventMap<NotRunnable>;
}
class NoRun extends Methods {
  // @ts-expect-error nothing to run
  readonly events = { heartbeat: { priority: 5 } } satisfies EventMap<NoRun>;
}
class OtherPriority extends Methods {
  // @ts-expect-error a priority is a number
  readonly events = { heartbeat: { run: "beat", priority: "high" } } satisfies EventMap<OtherPriority>;
}
class UnknownOption extends Methods {
  // @ts-expect-error there is no such option
  readonly events = { heartbeat: { run: "beat", priorty: 5 } } satisfies EventMap<UnknownOption>;
}
class OtherOverflow extends Methods {
  // @ts-expect-error there is no such policy
  readonly events = { heartbeat: { run: "beat", overflow: "drop" } } satisfies EventMap<OtherOverflow>;
}
class UnknownRun extends Methods {
  // @ts-expect-error there is no such method
  readonly events = { heartbeat: { run: "baet" } } satisfies EventMap<UnknownRun>;
}
class OtherRun extends Methods {
  // @ts-expect-error the method takes other arguments, and no schema says what makes them
  readonly events = { heartbeat: { run: "otherArguments" } } satisfies EventMap<OtherRun>;
}
class OtherKey extends Methods {
  // @ts-expect-error a key is a string
  readonly events = { heartbeat: { run: "beat", key: (_context, beat) => beat.at } } satisfies EventMap<OtherKey>;
}
class OtherInterceptor extends Methods {
  // @ts-expect-error an interceptor is a function
  readonly events = { heartbeat: { run: "beat", use: ["log"] } } satisfies EventMap<OtherInterceptor>;
}
function ofAnotherHandler(this: { door: string }): undefined {
  void this.door;
}
class OtherThis extends Methods {
  // @ts-expect-error it is called with this handler as `this`
  readonly events = { heartbeat: ofAnotherHandler } satisfies EventMap<OtherThis>;
}
class OtherServer extends Methods {
  // @ts-expect-error a context of another server
  readonly events = { typing: this.elsewhere } satisfies EventMap<OtherServer>;
  elsewhere(_context: EventContext<Server<ClientToServer, ServerToClient, Record<string, never>, { room: number }>>) {}
}
void [
  UnknownMethod,
  NoMethod,
  PrivateName,
  Lifecycle,
  OtherArguments,
  OtherArgumentsByReference,
  MoreArguments,
  NoContext,
];
void [
  OtherReply,
  OtherReplyLater,
  OtherReplyInline,
  UnknownEvent,
  ForbiddenEvent,
  DeclaredForbiddenEvent,
  ConnectReplies,
];
void [
  DisconnectReason,
  NotRunnable,
  NoRun,
  OtherPriority,
  UnknownOption,
  OtherOverflow,
  UnknownRun,
  OtherRun,
  OtherKey,
];
void [OtherInterceptor, OtherThis, OtherServer];
// Without `satisfies`, what can be asked without a look at the methods is asked.
class Forgetful extends Methods {
  readonly events = { heartbeat: "anything", say: { run: "anything" } };
}
class ForgetfulEvent extends Methods {
  // @ts-expect-error clients send no such event
  readonly events = { hartbeat: "beat" };
}
class ForgetfulValue extends Methods {
  // @ts-expect-error a number can't run
  readonly events = { heartbeat: 5 };
}
class ForgetfulContext extends Methods {
  // @ts-expect-error the context comes first
  readonly events = { say: (text: string) => text };
}
class ForgetfulForbidden extends Methods {
  // @ts-expect-error Node's own event
  readonly events = { heartbeat: "beat", newListener: "beat" };
}
class PriorityOfUnknown extends Methods {
  readonly events = { heartbeat: "beat" } satisfies EventMap<PriorityOfUnknown>;
  // @ts-expect-error the handler has no such event
  override readonly eventPriorities = { hartbeat: 1 };
}
class PriorityOfText extends Methods {
  readonly events = { heartbeat: "beat" } satisfies EventMap<PriorityOfText>;
  // @ts-expect-error a priority is a number
  override readonly eventPriorities = { heartbeat: "high" };
}
void [
  Forgetful,
  ForgetfulEvent,
  ForgetfulValue,
  ForgetfulContext,
  ForgetfulForbidden,
  PriorityOfUnknown,
  PriorityOfText,
];
// @ts-expect-error the server has other events
void new PresenceHandler().setup({} as Server<{ other(): void }>);
// @ts-expect-error a handler is for a server
void class extends Handler<ClientToServer> {};
