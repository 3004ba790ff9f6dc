import type { Server } from "socket.io";
import type { EventContext } from "socket-ingress";
import {
  group,
  otherInGroup,
  Realtime,
  RealtimeController,
  RealtimeService,
  user,
  type Reach,
} from "socket-ingress/realtime";
import { expectTypeOf } from "vitest";

interface ClientToServer {
  get_item(query: { id: number }, reply: (item: { id: number; name: string }) => void): void;
  get_items(reply: (items: string[]) => void): void;
}
interface ServerToClient {
  items_changed(change: { source: string }): void;
  typing(who?: string): void;
  reload(): void;
  moved(x: number, y: number): void;
  asked(question: string, answer: (text: string) => void): void;
}
type App = Server<ClientToServer, ServerToClient, Record<string, never>, { user: string }>;

declare const realtime: Realtime<App>;
declare const context: EventContext<App>;

// --- what compiles ----------------------------------------------------------------------------------------------------------

expectTypeOf(realtime.emitSocket("items_changed", { source: "import" })).toEqualTypeOf<Promise<void>>();
expectTypeOf(realtime.emitSocket("items_changed", { source: "a" }, { topic: "t" }, { count: true })).toEqualTypeOf<
  Promise<Reach>
>();
void realtime.emitSocket("items_changed", { source: "a" }, user("u1"), { volatile: true });
void realtime.emitSocket("items_changed", { source: "a" }, [group("g"), { sessionId: ["s", "t"] }]);
void realtime.emitSocket("typing", undefined);
void realtime.emitSocket("typing", "ada");
void realtime.emitSocket("reload", undefined, { except: user("u1") });
void realtime.emitSocketRefetch("get_items", { event: "items_changed", topic: "room:42" });
void realtime.emitSocketRefetch("get_item", { payload: { id: 7 } });
void realtime.notify(context, otherInGroup(context), { anything: true }, { event: "NewOffer" });
// A notice of a push's name carries what that carries, as the client's listeners are promised; any other, anything.
void realtime.notify(context, group("g"), { source: "a" }, { event: "items_changed" });
void realtime.notify(context, group("g"), undefined, { event: "typing" });
declare const someName: string;
void realtime.notify(context, group("g"), 1, { event: someName, volatile: true });
expectTypeOf(realtime.sendTo(group("g"), { source: "a" }, { event: "items_changed", count: true })).toEqualTypeOf<
  Promise<Reach>
>();
void realtime.sendTo({ user: "ada" }, 1);
expectTypeOf(realtime.sendTo(group("g"), 1, { count: true })).toEqualTypeOf<Promise<Reach>>();

realtime.topics.define("org/{org}/room:{room}", {
  join({ socket }, params) {
    expectTypeOf(params).toEqualTypeOf<{ readonly org: string; readonly room: string }>();
    return socket.data.user === params.org;
  },
});
realtime.topics.define("lobby", {
  public: true,
  snapshot: (_context, params) => void expectTypeOf(params).toEqualTypeOf<{}>(),
});
declare const pattern: string;
realtime.topics.define(pattern, { join: (_context, params) => params["anything"] === "x" });

// Without types of its own, an application may push anything.
const untyped = new Realtime();
void untyped.emitSocket("whatever", { x: 1 }, { topic: "t" });
void untyped.emitSocketRefetch("whatever", { payload: 1, event: "anything" });
void untyped.sendTo(group("g"), 1, { event: "anything" });

new Realtime<App>({ user: ({ data }) => data.user, session: async () => "s", namespace: "/chat" });

class Items extends RealtimeController<App> {
  readonly name = "items";
  override buildEvents(): void {
    void this.emitSocket("items_changed", { source: "a" }, { topic: "t" });
    // @ts-expect-error the data has another shape
    void this.emitSocket("items_changed", { from: "a" });
    // @ts-expect-error no such event
    void this.emitSocket("items_change", { source: "a" });
    // @ts-expect-error the notice of this name carries something else
    void this.notify(context, group("g"), 5, { event: "items_changed" });
  }
}
class Prices extends RealtimeService<App> {
  readonly name = "prices";
  override onStart(): void {
    void this.emitSocketRefetch("get_items");
    // @ts-expect-error no such action
    void this.emitSocketRefetch("get_prices");
  }
}
void [Items, Prices];

// --- what does not ----------------------------------------------------------------------------------------------------------

declare const perhaps: { topic: string } | undefined;

// @ts-expect-error no such event
void realtime.emitSocket("items_change", { source: "a" });
// @ts-expect-error the data has another shape
void realtime.emitSocket("items_changed", { source: 5 });
// @ts-expect-error the data is missing
void realtime.emitSocket("items_changed");
// @ts-expect-error the event has no data
void realtime.emitSocket("reload", 1);
// @ts-expect-error a push carries one argument
void realtime.emitSocket("moved", 1);
// @ts-expect-error a push has no acknowledgement
void realtime.emitSocket("asked", "why?");
// @ts-expect-error a target that may be missing would be everyone
void realtime.emitSocket("typing", "ada", perhaps);
// @ts-expect-error an option that may be missing would be everyone
void realtime.emitSocket("typing", "ada", { topic: perhaps?.topic });
// @ts-expect-error a name alone says nothing about what it names
void realtime.emitSocket("typing", "ada", "room:42");
// @ts-expect-error misspelt
void realtime.emitSocket("typing", "ada", { topik: "room:42" });
// @ts-expect-error ids are strings
user(5);
// @ts-expect-error no such action
void realtime.emitSocketRefetch("get_itemz");
// @ts-expect-error the action takes another payload
void realtime.emitSocketRefetch("get_item", { payload: { id: "7" } });
// @ts-expect-error nobody can listen to a signal of this name
void realtime.emitSocketRefetch("get_items", { event: "itmes_changed" });
// @ts-expect-error `client.onCustomEvent("items_changed", ({ source }) => ...)` is promised a source
void realtime.notify(context, group("g"), 3.5, { event: "items_changed" });
// @ts-expect-error nor when it is sent from anywhere
void realtime.sendTo(group("g"), 3.5, { event: "items_changed" });
// @ts-expect-error nor when it is counted
void realtime.sendTo(group("g"), 3.5, { event: "items_changed", count: true });
// @ts-expect-error misspelt
void realtime.notify(context, group("g"), 3.5, { evnt: "NewOffer" });
// @ts-expect-error no such parameter
realtime.topics.define("room:{id}", { join: (_context, { room }) => room === "x" });
// @ts-expect-error the context of an event comes first
void realtime.notify(group("g"), 1);
// @ts-expect-error the user of a socket is a string
new Realtime<App>({ user: () => 5 });
