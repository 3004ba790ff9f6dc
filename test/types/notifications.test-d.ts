import type { Server } from "socket.io";
import { type Client, createClient } from "socket-ingress/client";
import {
  MemoryNotificationStore,
  Notifications,
  type NotificationStore,
  type Sent,
} from "socket-ingress/notifications";
import { type Inbox, openInbox } from "socket-ingress/notifications/client";
import { Realtime } from "socket-ingress/realtime";
import { io } from "socket.io-client";

interface ClientToServer {
  say(text: string, reply: (r: { ok: true }) => void): void;
}
interface ServerToClient {
  said(text: string): void;
}
type App = Server<ClientToServer, ServerToClient, Record<string, never>, { user?: string }>;

// --- the server ---

const realtime = new Realtime<App>({ user: ({ data }) => data.user });
const notifications = new Notifications<App>({
  realtime,
  store: new MemoryNotificationStore(),
  wants: ({ user, title }) => user !== title,
  fallbacks: [
    { name: "email", deliver: async ({ user, readAt }, signal) => user !== "" && readAt === null && !signal.aborted },
  ],
});
export const store: NotificationStore = new MemoryNotificationStore();
export const one: Promise<Sent> = notifications.send("ada", { title: "1", data: { any: ["thing"] } });
export const several: Promise<Sent[]> = notifications.send(["ada", "bob"], { title: "1" });
export const either = (to: string | string[]): Promise<Sent | Sent[]> => notifications.send(to, { title: "1" });

// @ts-expect-error -- without a realtime door nobody knows whose a socket is
new Notifications<App>({ store });
// @ts-expect-error -- a door of another application
new Notifications<App>({ realtime: new Realtime<Server<{ other(): void }>>() });
// @ts-expect-error -- a title is what it takes at least
void notifications.send("ada", { message: "1" });
// @ts-expect-error -- no such member
void notifications.send("ada", { title: "1", titel: "2" });
// @ts-expect-error -- a user is a string
void notifications.send(7, { title: "1" });
// @ts-expect-error -- a fallback says whether it took it
new Notifications<App>({ realtime, fallbacks: [{ name: "email", deliver: () => "yes" }] });
// @ts-expect-error -- of one user it is one answer
export const wrong: Promise<Sent[]> = notifications.send("ada", { title: "1" });

// --- the client ---

const client: Client<App> = createClient<App>(io());
const inbox: Inbox<{ order: number }> = openInbox<{ order: number }>(client, {
  limit: 10,
  onNew: ({ data, title }) => [data.order.toFixed(), title.length],
});
const { items, unread, more, status } = inbox.getSnapshot();
export const order: number | undefined = items[0]?.data.order;
export const shown: [number, boolean, "loading" | "live" | "stale" | "lost"] = [unread, more, status];
export const undo: () => void = inbox.subscribe(({ items: now }) => now.map(({ readAt }) => readAt));
export const untyped: unknown = openInbox(createClient(io())).getSnapshot().items[0]?.data;
await using held = inbox;
void held.markRead(["a", "b"]);

// @ts-expect-error -- what nobody has said is unknown
export const guessed: number = openInbox(client).getSnapshot().items[0]?.data.order;
// @ts-expect-error -- a number
openInbox(client, { limit: "10" });
// @ts-expect-error -- the list is not ours to change
inbox.getSnapshot().items.push(items[0]);
// @ts-expect-error -- ids are strings
void inbox.markRead(7);
