/**
 * The inbox of a user in the browser, or in another program: what `socket-ingress/notifications` keeps, as it changes. It knows no
 * framework, and weighs at most 2 kB.
 *
 * @example
 * ```ts
 * import { io } from "socket.io-client";
 * import { createClient } from "socket-ingress/client";
 * import { openInbox } from "socket-ingress/notifications/client";
 *
 * const inbox = openInbox(createClient(io()), { onNew: ({ title }) => console.log("new:", title) });
 * inbox.subscribe(({ items, unread, status }) => console.log(`${unread} of ${items.length} unread, ${status}`));
 * await inbox.ready;
 * await inbox.markAllRead();
 * ```
 *
 * @module
 */

export type { Opened, OpenedState, OpenedStatus } from "../../client/opened.js";
export { type Inbox, type InboxOptions, type InboxSnapshot, openInbox } from "./client/inbox.js";
export type { InboxItem } from "./protocol.js";
