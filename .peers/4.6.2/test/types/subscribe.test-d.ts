import type { Server } from "socket.io";
import {
  type AppServer,
  Controller,
  type ControllerHandler,
  type EventContext,
  type SocketIngress,
} from "socket-ingress";
import { expectTypeOf } from "vitest";
import { z } from "zod";

interface ClientToServer {
  heartbeat(beat: { since: string }, reply: (r: { ok: true }) => void): void;
  move(x: number, y: number): void;
  say(text: string): void;
}
type App = Server<ClientToServer, { presence(who: string[]): void }, Record<string, never>, { user: string }>;

declare const ingress: SocketIngress<App>;
const beatSchema = z.object({ since: z.coerce.date() });

// --- what compiles ----------------------------------------------------------------------------------------------------------

expectTypeOf(ingress.subscribe("say", (_context, text) => text.length)).toEqualTypeOf<() => void>();
ingress
  .on("heartbeat", (context, beat) => {
    expectTypeOf(context).toEqualTypeOf<EventContext<App>>();
    expectTypeOf(beat).toEqualTypeOf<{ since: string }>();
    return { ok: true };
  })
  .on("move", (_context, x, y) => void expectTypeOf([x, y]).toEqualTypeOf<number[]>(), { namespace: /^\/t-\d+$/ })
  .on("say", async () => {}, { priority: -1, owner: { addCleanup: () => () => {} } })
  .on("connect", async ({ socket }) => socket.data.user !== "")
  .on("disconnect", (_context, reason) => void expectTypeOf(reason).toEqualTypeOf<string>());
// Code that serves any server takes any ingress.
const any: SocketIngress<AppServer> = ingress;
any.on("whatever", () => 1);

class ChatController extends Controller<App> {
  readonly name = "chat";
  override readonly namespace = "/chat";
  override buildEvents(handler: ControllerHandler<App>) {
    handler
      .on("heartbeat", this.onBeat, { priority: 50, input: beatSchema })
      .on("say", this.onSay)
      .on("heartbeat", (_context, beat) => (beat.since.getTime() > 0 ? { ok: true } : undefined), { input: beatSchema })
      .on("move", (_context, x, y) => void expectTypeOf(y).toEqualTypeOf<1 | 2>(), {
        input: [z.number(), z.literal([1, 2])],
        concurrency: 1,
        key: (_context, x, y) => {
          expectTypeOf([x, y]).toEqualTypeOf<number[]>();
          return String(y);
        },
      });
    // @ts-expect-error the method takes other arguments
    handler.on("say", this.onBeat);
    // @ts-expect-error what comes out of the schema is no string
    handler.on("say", this.onSay, { input: z.coerce.number() });
    // @ts-expect-error the controller says the namespace
    handler.on("say", this.onSay, { namespace: "/other" });
    // @ts-expect-error there is no such option
    handler.on("say", this.onSay, { priorty: 1 });
    // @ts-expect-error clients send no such event
    handler.on("sya", this.onSay);
  }
  private onBeat(_context: EventContext<App>, beat: { since: Date }) {
    return beat.since.getTime() > 0 ? { ok: true as const } : undefined;
  }
  private onSay(_context: EventContext<App>, text: string) {
    return text.length;
  }
}
void ChatController;

// --- what must not compile --------------------------------------------------------------------------------------------------

// @ts-expect-error clients send no such event
ingress.on("sya", () => {});
// @ts-expect-error Node's own event
ingress.on("newListener", () => {});
// @ts-expect-error the acknowledgement takes { ok: true }
ingress.on("heartbeat", () => ({ ok: false }));
// @ts-expect-error the acknowledgement takes { ok: true }, also later
ingress.subscribe("heartbeat", async () => 5);
// @ts-expect-error connect answers true or false
ingress.on("connect", () => "welcome");
// @ts-expect-error y is a number
ingress.on("move", (_context: EventContext<App>, x: number, y: string) => x + y);
// @ts-expect-error the context comes first
ingress.on("say", (text: string) => text);
// @ts-expect-error the event sends no third argument
ingress.on("move", (_context: EventContext<App>, _x: number, _y: number, z: number) => z);
// @ts-expect-error a date, since the schema makes one
ingress.on("heartbeat", (_context, beat) => ({ ok: beat.since === "now" }) as { ok: true }, { input: beatSchema });
// @ts-expect-error the schema reads something else than the event sends
ingress.on("heartbeat", () => ({ ok: true }), { input: z.object({ text: z.string() }) });
// @ts-expect-error the second schema reads a string, the event sends a number
ingress.on("move", () => {}, { input: [z.number(), z.string()] });
// @ts-expect-error a function is no schema
ingress.on("say", () => {}, { input: (text: string) => text });
// @ts-expect-error no schema at all
ingress.on("move", () => {}, { input: [] });
// @ts-expect-error a key is a string
ingress.on("say", () => {}, { key: (_context, text) => text.length });
// @ts-expect-error there is no such policy
ingress.on("say", () => {}, { overflow: "newest" });
// @ts-expect-error not for this server
ingress.attach({} as Server<{ other(): void }>);
