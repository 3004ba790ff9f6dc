import type { Server } from "socket.io";
import type { Socket } from "socket.io-client";
import { type EventContext, type EventMap, type EventsOf, Handler } from "socket-ingress";
import {
  type AskedOnce,
  type CallName,
  type Client,
  ClientModule,
  type ClientSocket,
  createClient,
  type RefetchRest,
  type TopicJoin,
} from "socket-ingress/client";
import { expectTypeOf } from "vitest";

interface Item {
  id: number;
}
interface ClientToServer {
  message(data: { text: string }, reply: (r: { id: number }) => void): void;
  add(a: number, b: number, reply: (sum: number) => void): void;
  get_items(reply: (items: Item[]) => void): void;
  get_item(query: { id: number }, reply: (item: Item | { error: { code: string; message: string } }) => void): void;
  find_items(query: { text: string } | undefined, reply: (items: Item[]) => void): void;
  page_items(page?: number, reply?: (items: Item[]) => void): void;
  items_from(first: number, size?: number): void;
  items_between(first: number, last: number, reply: (items: Item[]) => void): void;
  typing(): void;
  disconnect(reason: string): void;
}
interface ServerToClient {
  disconnect(reason: string): void;
  presence(who: string[]): void;
  items_changed(change: { source: string }): void;
  poll(question: string, reply: (answer: number) => void): void;
}
type App = Server<ClientToServer, ServerToClient, Record<string, never>, { user: string }>;

declare const client: Client<App>;
declare const plainSocket: Socket;
declare const typedSocket: Socket<ServerToClient, ClientToServer>;
declare const double: ClientSocket;

// Any socket of socket.io-client will do, and is still one afterwards.
expectTypeOf(createClient<App>(plainSocket)).toEqualTypeOf<Client<App, Socket<any, any>>>();
expectTypeOf(createClient<App>(typedSocket)).toExtend<Client<App>>();
createClient<App>(plainSocket).socket.disconnect();
createClient<App>(typedSocket).socket.io.engine.close();
expectTypeOf(createClient(typedSocket).socket).toEqualTypeOf<typeof typedSocket>();
expectTypeOf(createClient<App, typeof typedSocket>(typedSocket).socket).toEqualTypeOf<typeof typedSocket>();
// So is a double, which has no more than it has.
expectTypeOf(createClient<App>(double)).toEqualTypeOf<Client<App>>();
// @ts-expect-error a double that can't disconnect
createClient<App>(double).socket.disconnect();
// @ts-expect-error something else is no socket
createClient<App>({ connected: true });

// A call takes the event's arguments without the acknowledgement, and resolves to what that receives.
expectTypeOf(client.call("message", { text: "hi" })).resolves.toEqualTypeOf<{ id: number }>();
expectTypeOf(client.invoke("add", 1, 2)).resolves.toEqualTypeOf<number>();
expectTypeOf(client.call("get_items")).resolves.toEqualTypeOf<Item[]>();
expectTypeOf(client.call("typing")).resolves.toEqualTypeOf<unknown>();
expectTypeOf(client.with({ retries: 2 }).call("add", 1, 2)).resolves.toEqualTypeOf<number>();
// A failure is thrown, so it is no part of the value.
expectTypeOf(client.call("get_item", { id: 1 })).resolves.toEqualTypeOf<Item>();
// @ts-expect-error no such event
void client.call("mesage", { text: "hi" });
// @ts-expect-error a wrong argument
void client.call("message", { txt: "hi" });
// @ts-expect-error an argument is missing
void client.call("add", 1);
// @ts-expect-error an argument too many
void client.call("get_items", 1);
// @ts-expect-error the acknowledgement is the client's business
void client.call("get_items", () => {});
// @ts-expect-error a reserved name can't be sent
void client.call("disconnect", "bye");
// @ts-expect-error a push of the server can't be called
void client.call("presence");
// @ts-expect-error no such option
client.with({ timeout: 5 });

// Listening takes the pushes, with their arguments.
client.on("presence", (who) => expectTypeOf(who).toEqualTypeOf<string[]>());
client.on("poll", (question, reply) => {
  expectTypeOf(question).toEqualTypeOf<string>();
  expectTypeOf(reply).toEqualTypeOf<(answer: number) => void>();
});
expectTypeOf(client.on("presence", () => {})).toEqualTypeOf<() => void>();
// @ts-expect-error the server pushes no such event
client.on("message", () => {});
// @ts-expect-error Socket.IO keeps this name: no server can push it
client.on("disconnect", () => {});
// @ts-expect-error the wrong argument
client.on("presence", (who: number) => who);

// Topics.
expectTypeOf(client.joinTopic("room:42")).toEqualTypeOf<TopicJoin>();
expectTypeOf(await client.joinTopic("room:42")).toEqualTypeOf<() => void>();
// @ts-expect-error a topic is a string
void client.joinTopic(42);

// Refetching by the action's name gives its value, by a function the function's.
client.refetchOnSocket("items_changed", "get_items", (items) => expectTypeOf(items).toEqualTypeOf<Item[]>());
client.refetchOnSocket("items_changed", "get_item", (item) => expectTypeOf(item).toEqualTypeOf<Item>(), {
  payload: { id: 7 },
});
client.refetchOnSocket(
  "items_changed",
  ({ signal, data }) => {
    expectTypeOf(data).toEqualTypeOf<{ source: string } | undefined>();
    return client.with({ signal }).call("get_items");
  },
  (items) => expectTypeOf(items).toEqualTypeOf<Item[]>(),
);
client.refetchOnSocket("items_changed", () => 5);
client.refetchOnSocket(
  "items_changed",
  async () => 5,
  (n) => expectTypeOf(n).toEqualTypeOf<number>(),
  { skipOwn: true },
);
// A payload may be missing where the action can do without, and one that the server says is said to be missing.
client.refetchOnSocket("items_changed", "find_items", (found) => expectTypeOf(found).toEqualTypeOf<Item[]>());
client.refetchOnSocket("items_changed", "page_items", (page) => expectTypeOf(page).toEqualTypeOf<Item[]>());
client.refetchOnSocket("items_changed", "page_items", () => {}, { payload: 2, immediate: true });
client.refetchOnSocket("items_changed", "items_from", () => {}, { payload: 2 });
client.refetchOnSocket("items_changed", "get_item", () => {}, { payload: undefined });
// What wraps it for any action has types to say so.
export function keep<Action extends CallName<App>>(
  action: Action & AskedOnce<App, Action>,
  ...rest: RefetchRest<App, Action>
): () => void {
  return client.refetchOnSocket<"items_changed", Action>("items_changed", action, ...rest);
}
// @ts-expect-error no such signal
client.refetchOnSocket("items_chnged", "get_items", () => {});
// @ts-expect-error no such action
client.refetchOnSocket("items_changed", "get_itms", () => {});
// @ts-expect-error the action takes something else
client.refetchOnSocket("items_changed", "get_item", () => {}, { payload: { id: "7" } });
// @ts-expect-error the value is something else
client.refetchOnSocket("items_changed", "get_items", (items: string) => items);
client.refetchOnSocket(
  "items_changed",
  () => 5,
  // @ts-expect-error the value of the function is something else
  (text: string) => text,
);
// @ts-expect-error the action takes a payload, and there is none
client.refetchOnSocket("items_changed", "get_item", () => {});
// @ts-expect-error nor is there in these options
client.refetchOnSocket("items_changed", "get_item", () => {}, { immediate: true });
// @ts-expect-error the action takes no payload
client.refetchOnSocket("items_changed", "get_items", () => {}, { payload: 7 });
// @ts-expect-error the action takes two arguments, and a refetch has one
client.refetchOnSocket("items_changed", "items_between", () => {});
// @ts-expect-error a list is not two arguments
client.refetchOnSocket("items_changed", "items_between", () => {}, { payload: [1, 2] });
// @ts-expect-error an action must have a receiver
client.refetchOnSocket("items_changed", "get_items");
// @ts-expect-error no such option
client.refetchOnSocket("items_changed", "get_items", () => {}, { imediate: true });

// A notice of a push's name carries what that carries; any other, anything.
client.onCustomEvent("items_changed", (data) => expectTypeOf(data).toEqualTypeOf<{ source: string }>());
client.onCustomEvent("NewOffer", (data) => expectTypeOf(data).toEqualTypeOf<unknown>());
client.receive((data) => expectTypeOf(data).toEqualTypeOf<unknown>());
// @ts-expect-error the wrong data
client.onCustomEvent("items_changed", (data: number) => data);

// A map of events does as well as a server; then anything may be pushed.
const byMap = createClient<ClientToServer>(plainSocket);
expectTypeOf(byMap.call("add", 1, 2)).resolves.toEqualTypeOf<number>();
byMap.on("anything", (data) => void data);
byMap.refetchOnSocket("anything", "get_items", (items) => expectTypeOf(items).toEqualTypeOf<Item[]>());
// @ts-expect-error no such event
void byMap.call("ad", 1, 2);

// So does what the handlers themselves say.
class Greeter extends Handler {
  readonly name = "greeter";
  readonly events = { greet: "handleGreet" } satisfies EventMap<Greeter>;
  handleGreet(_: EventContext, name: string): { greeting: string } {
    return { greeting: `hello ${name}` };
  }
}
const byHandlers = createClient<EventsOf<[Greeter]>>(plainSocket);
expectTypeOf(byHandlers.call("greet", "ann")).resolves.toEqualTypeOf<{ greeting: string }>();
// @ts-expect-error a wrong argument
void byHandlers.call("greet", 5);
// @ts-expect-error no such event
void byHandlers.call("great", "ann");

// Nothing said, nothing known.
const untyped = createClient(plainSocket);
expectTypeOf(untyped.call("anything", 1, "x")).resolves.toEqualTypeOf<unknown>();
untyped.on("anything", (...args) => void args);
untyped.refetchOnSocket("anything", "whatever", (value) => void value, { payload: 1 });
untyped.refetchOnSocket(
  "anything",
  ({ data }) => data,
  (value) => void value,
);

// A module has the same types, and a state.
class Items extends ClientModule<App, { items: Item[]; loading: boolean }> {
  override state = { items: [] as Item[], loading: false };
  protected override onStart(): void {
    this.onSocket("presence", (who) => expectTypeOf(who).toEqualTypeOf<string[]>());
    this.refetchOnSocket("items_changed", "get_items", (items) => this.setState({ items }));
    expectTypeOf(this.callAction("get_items")).resolves.toEqualTypeOf<Item[]>();
    this.setState((state) => ({ loading: !state.loading }));
    // @ts-expect-error the action takes a payload, and there is none
    this.refetchOnSocket("items_changed", "get_item", () => {});
    // @ts-expect-error no such event
    void this.callAction("get_itms");
    // @ts-expect-error no such push
    this.onSocket("presnce", () => {});
    // @ts-expect-error the state has no such member
    this.setState({ itms: [] });
    // @ts-expect-error of another type
    this.setState({ loading: 1 });
  }
}
const items = new Items(client);
expectTypeOf(items.getSnapshot()).toEqualTypeOf<Readonly<{ items: Item[]; loading: boolean }>>();
items.subscribe((state) => expectTypeOf(state.items).toEqualTypeOf<Item[]>());

class WrongState extends ClientModule<App, { items: Item[] }> {
  // @ts-expect-error the state is of another type
  override state = { items: [1] };
}
void WrongState;
