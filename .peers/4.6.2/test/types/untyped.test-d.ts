import type { Server } from "socket.io";
import {
  type EventContext,
  type EventMap,
  type EventName,
  Handler,
  ServiceManager,
  SocketIngress,
} from "socket-ingress";
import { expectTypeOf } from "vitest";

// A server without types: every name, any arguments, any reply.
declare const io: Server;

class ChatHandler extends Handler {
  readonly name = "chat";
  readonly events = {
    message: "handleMessage",
    "room:join": this.join,
    typing: { run: "handleTyping", priority: 10, key: (_context, room) => room.id },
    inline: (context, first, second) => {
      expectTypeOf(context).toEqualTypeOf<EventContext>();
      expectTypeOf(context.socket.data).toBeAny();
      expectTypeOf(first).toBeAny();
      return first + second;
    },
    connect: ({ socket }) => socket.handshake.auth["token"] === "s3cret",
    disconnect: (_context, reason) => {
      expectTypeOf(reason).toEqualTypeOf<string>();
    },
  } satisfies EventMap<ChatHandler>;

  handleMessage({ socket }: EventContext, data: { text: string }) {
    socket.broadcast.emit("message", data);
    return data.text.length;
  }
  async handleTyping() {}
  private join(_context: EventContext, room: string, silent?: boolean) {
    return { room, silent };
  }
}
expectTypeOf<EventName<Server>>().toEqualTypeOf<string>();
void new ChatHandler().setup(io);
void new ServiceManager(io).registerHandler(new ChatHandler());

const ingress = new SocketIngress().attach(io);
ingress
  .on("anything", (context, first, second) => {
    expectTypeOf(context.socket.data).toBeAny();
    return first.x + second;
  })
  .on("typed", (_context: EventContext, data: { text: string }) => data.text)
  .on("disconnect", (_context, reason) => {
    expectTypeOf(reason).toEqualTypeOf<string>();
  });

// What is known is checked all the same.
class UnknownMethod extends ChatHandler {
  // @ts-expect-error there is no such method
  readonly more = { message: "handleMesage" } satisfies EventMap<UnknownMethod>;
}
class ForbiddenEvent extends Handler {
  readonly name = "forbidden";
  // @ts-expect-error not an event that a client can send
  readonly events = { error: () => {} } satisfies EventMap<ForbiddenEvent>;
}
class ConnectReplies extends Handler {
  readonly name = "connect";
  // @ts-expect-error connect answers true or false
  readonly events = { connect: () => "welcome" } satisfies EventMap<ConnectReplies>;
}
class NoContext extends Handler {
  readonly name = "context";
  // @ts-expect-error the context comes first
  readonly events = { message: "handle" } satisfies EventMap<NoContext>;
  handle(data: { text: string }) {
    return data.text;
  }
}
class NotRunnable extends Handler {
  readonly name = "runnable";
  // @ts-expect-error true can't run
  readonly events = { message: true } satisfies EventMap<NotRunnable>;
}
class UnknownOption extends Handler {
  readonly name = "option";
  // @ts-expect-error there is no such option
  readonly events = { message: { run: () => {}, prio: 1 } } satisfies EventMap<UnknownOption>;
}
void [UnknownMethod, ForbiddenEvent, ConnectReplies, NoContext, NotRunnable, UnknownOption];
// @ts-expect-error the reason is a string
ingress.on("disconnect", (_context, reason: number) => reason);
// @ts-expect-error not an event that a client can send
ingress.on("newListener", () => {});
// @ts-expect-error not a function
ingress.on("message", "handleMessage");
// @ts-expect-error a priority is a number
ingress.on("message", () => {}, { priority: "high" });
// @ts-expect-error a namespace is a name or a pattern
ingress.on("message", () => {}, { namespace: 5 });
// @ts-expect-error an owner can be given cleanups
ingress.on("message", () => {}, { owner: {} });
