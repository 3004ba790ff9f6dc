import type { Server } from "socket.io";
import type { Socket } from "socket.io-client";
import {
  Controller,
  type ControllerHandler,
  type EventContext,
  type EventMap,
  type EventsOf,
  type Failure,
  Handler,
} from "socket-ingress";
import { createClient } from "socket-ingress/client";
import { expectTypeOf } from "vitest";
import { z } from "zod";

interface ClientToServer {
  heartbeat(beat: { at: number }, reply: (r: { ok: true }) => void): void;
  say(text: string, to?: string): void;
  count(of: string, reply?: (n: number) => void): void;
  timed(of: string, reply: (error: Error, n: number) => void): void;
  mark(at: string, ...times: number[]): void;
  typing(): void;
  unused(): void;
}
interface ServerToClient {
  presence(who: string[]): void;
}
type App = Server<ClientToServer, ServerToClient, Record<string, never>, { user: string }>;

class PresenceHandler extends Handler<App> {
  readonly name = "presence";
  readonly events = {
    heartbeat: "beat",
    say: { run: () => {}, priority: 1 },
    count: () => 1,
    timed: () => 1,
    mark: () => {},
    typing: () => "whatever",
    connect: () => true,
    disconnect: () => {},
  } satisfies EventMap<PresenceHandler>;
  /** Takes less than the event sends. */
  beat() {
    return { ok: true as const };
  }
}
class ChatHandler extends Handler {
  readonly name = "chat";
  readonly events = {
    message: {
      run: "message",
      input: z.object({ text: z.string(), at: z.iso.datetime().transform((at) => new Date(at)) }),
    },
    move: { run: "move", input: [z.number(), z.stringbool()] },
    join: "join",
    leave: this.leave,
    shared: "shared",
    lax: (_context, anything) => anything,
    disconnecting: () => {},
  } satisfies EventMap<ChatHandler>;
  async message(_context: EventContext, message: { text: string; at: Date }) {
    return message.text === "" ? null : { id: message.at.getTime() };
  }
  move(_context: EventContext, x: number, fast: boolean) {
    return fast ? x : undefined;
  }
  join(_context: EventContext, room: string, options?: { silent: boolean }) {
    return { room, silent: options?.silent === true };
  }
  shared(_context: EventContext, at: { x: number }) {
    return at.x;
  }
  private leave(_context: EventContext, room: string) {
    void room;
  }
}
class AuditHandler extends Handler {
  readonly name = "audit";
  readonly events = { shared: "shared", join: "joined" } satisfies EventMap<AuditHandler>;
  shared(_context: EventContext, at: { y: number }, why: string) {
    return why + at.y;
  }
  joined() {}
}
class TypedController extends Controller<App> {
  readonly name = "typed";
  override buildEvents(handler: ControllerHandler<App>) {
    handler.on("say", () => {});
  }
}
class UntypedController extends Controller {
  readonly name = "untyped";
  override buildEvents() {}
}

type Reply<T> = (reply: T | Failure) => void;

// --- one handler: what its server declares, as declared there; a reply may also be a failure -----------------------------------

interface OfPresence {
  heartbeat: (beat: { at: number }, reply: Reply<{ ok: true }>) => void;
  say: (text: string, to?: string) => void;
  count: (of: string, reply?: Reply<number>) => void;
  timed: (of: string, reply: Reply<number>) => void;
  mark: (at: string, ...times: number[]) => void;
  typing: () => void;
}
expectTypeOf<EventsOf<PresenceHandler>>().branded.toEqualTypeOf<OfPresence>();
expectTypeOf<EventsOf<typeof PresenceHandler>>().branded.toEqualTypeOf<OfPresence>();
// Not what the handler leaves alone, and none of the reserved names.
expectTypeOf<keyof EventsOf<PresenceHandler>>().toEqualTypeOf<keyof OfPresence>();

// --- with an untyped server the methods say it -----------------------------------------------------------------------------------

interface OfChat {
  message: (payload: { text: string; at: string }, reply: Reply<{ id: number } | null>) => void;
  move: (x: number, fast: string, reply: Reply<number | undefined>) => void;
  join: (
    room: string,
    options: { silent: boolean } | undefined,
    reply: Reply<{ room: string; silent: boolean }>,
  ) => void;
  leave: (room: string) => void;
  shared: (at: { x: number }, reply: Reply<number>) => void;
  // `any`, since the function says nothing about either.
  lax: (anything: any, reply: (reply: any) => void) => void;
}
expectTypeOf<EventsOf<ChatHandler>>().branded.toEqualTypeOf<OfChat>();

// --- a list of them -----------------------------------------------------------------------------------------------------------

type OfBoth = OfPresence & OfChat;
expectTypeOf<EventsOf<[PresenceHandler, ChatHandler]>>().branded.toEqualTypeOf<{ [E in keyof OfBoth]: OfBoth[E] }>();
expectTypeOf<EventsOf<(PresenceHandler | ChatHandler)[]>>().toEqualTypeOf<EventsOf<[PresenceHandler, ChatHandler]>>();
expectTypeOf<EventsOf<readonly [typeof PresenceHandler, ChatHandler]>>().toEqualTypeOf<
  EventsOf<[PresenceHandler, ChatHandler]>
>();
// An event of several handlers takes what all of them take, and replies what any of them replies.
type OfShared = EventsOf<[ChatHandler, AuditHandler]>;
expectTypeOf<Parameters<OfShared["shared"]>>().branded.toEqualTypeOf<
  [at: { x: number } & { y: number }, why: string, reply: Reply<number | string>]
>();
expectTypeOf<Parameters<OfShared["join"]>>().toEqualTypeOf<Parameters<OfChat["join"]>>();

// --- controllers: all events of their server -----------------------------------------------------------------------------------

expectTypeOf<keyof EventsOf<TypedController>>().toEqualTypeOf<keyof ClientToServer>();
expectTypeOf<EventsOf<TypedController>["heartbeat"]>().toEqualTypeOf<OfPresence["heartbeat"]>();
expectTypeOf<EventsOf<[TypedController, PresenceHandler]>>().toEqualTypeOf<EventsOf<TypedController>>();
expectTypeOf<EventsOf<UntypedController>["whatever"]>().toEqualTypeOf<(...args: any[]) => void>();
// An untyped controller in the list does not cost the others their types.
expectTypeOf<EventsOf<[UntypedController, ChatHandler]>["join"]>().toEqualTypeOf<OfChat["join"]>();

// --- a client uses it -----------------------------------------------------------------------------------------------------------

const handlers = [new PresenceHandler(), new ChatHandler()];
declare const socket: Socket<ServerToClient, EventsOf<typeof handlers>>;
socket.on("presence", (who) => expectTypeOf(who).toEqualTypeOf<string[]>());
socket.emit("say", "hi");
socket.emit("say", "hi", "you");
socket.emit("count", "words");
socket.emit("count", "words", (n) => expectTypeOf(n).toEqualTypeOf<number | Failure>());
socket.emit("mark", "noon", 1, 2);
socket.emit("leave", "room");
socket.emit("message", { text: "hi", at: "2026-01-01T00:00:00Z" }, (reply) => {
  expectTypeOf(reply).toEqualTypeOf<{ id: number } | Failure | null>();
});
expectTypeOf(socket.emitWithAck("heartbeat", { at: 1 })).resolves.toEqualTypeOf<{ ok: true } | Failure>();
socket.timeout(100).emit("join", "room", undefined, (error, reply) => {
  expectTypeOf(error).toEqualTypeOf<Error>();
  expectTypeOf(reply).toEqualTypeOf<{ room: string; silent: boolean } | Failure>();
});
// Our own client throws the failures, so that its values have none.
const client = createClient<EventsOf<typeof handlers>>(socket);
expectTypeOf(client.call("heartbeat", { at: 1 })).resolves.toEqualTypeOf<{ ok: true }>();
expectTypeOf(client.call("message", { text: "hi", at: "" })).resolves.toEqualTypeOf<{ id: number } | null>();

// @ts-expect-error no such event
socket.emit("sya", "hi");
// @ts-expect-error a reserved name
socket.emit("disconnect");
// @ts-expect-error an event the handlers leave alone
socket.emit("unused");
// @ts-expect-error a wrong argument
socket.emit("say", 5);
// @ts-expect-error a wrong field
socket.emit("heartbeat", { at: "noon" }, () => {});
// @ts-expect-error an argument is missing
socket.emit("leave");
// @ts-expect-error an argument too many
socket.emit("typing", 1);
// @ts-expect-error what goes into the schema is text
socket.emit("message", { text: "hi", at: new Date() }, () => {});
// @ts-expect-error what comes back may be a failure
socket.emit("count", "words", (n: number) => n);
// @ts-expect-error nothing comes back
void socket.emitWithAck("leave", "room");
// @ts-expect-error a time is a number
socket.emit("mark", "noon", "1");
// @ts-expect-error no such event
void client.call("sya", "hi");
// @ts-expect-error a server is neither handler nor controller
expectTypeOf<EventsOf<Server>>();
// @ts-expect-error neither is a map of events
expectTypeOf<EventsOf<ClientToServer>>();
