/**
 * Notifications that are kept until they are read: pushed to every tab and device of their user, counted, and handed to mail or web push
 * where nobody has them. They stand on `socket-ingress/realtime`; the counterpart in the browser is `socket-ingress/notifications/client`.
 *
 * @module
 *
 * @example
 * ```ts
 * import { Server } from "socket.io";
 * import { ServiceManager } from "socket-ingress";
 * import { Notifications } from "socket-ingress/notifications";
 * import { Realtime } from "socket-ingress/realtime";
 *
 * type App = Server<Record<string, never>, Record<string, never>, Record<string, never>, { user?: string }>;
 *
 * const realtime = new Realtime<App>({ user: ({ data }) => data.user });
 * const notifications = new Notifications<App>({
 *   realtime,
 *   fallbacks: [{ name: "email", deliver: ({ user, title }) => sendMail(`${user}@example.com`, title) }],
 * });
 * const manager = new ServiceManager<App>(new Server(3000)).registerHandler(realtime).registerHandler(notifications);
 * await manager.boot();
 *
 * const { reached, via } = await notifications.send("ada", { title: "Shipped", idempotencyKey: "order-7-shipped" });
 * console.log(reached > 0 ? `on ${reached} screens` : `by ${via ?? "nobody yet"}`);
 * await manager.shutdown();
 *
 * async function sendMail(to: string, subject: string): Promise<boolean> {
 *   console.log(to, subject);
 *   return true;
 * }
 * ```
 */
export type { Fallback } from "./fallbacks.js";
export { KyselyNotificationStore } from "./kysely-notification-store.js";
export type { KyselyNotificationStoreOptions } from "./kysely-notification-store.js";
export { MemoryNotificationStore } from "./memory-notification-store.js";
export type { MemoryNotificationStoreOptions } from "./memory-notification-store.js";
export type { NewNotification } from "./new-notification.js";
export type {
  Kept,
  KeptBefore,
  Marked,
  Notification,
  NotificationStore,
  NotificationToKeep,
  PageRange,
  Pruned,
  ReadMarks,
  StoredPage,
} from "./notification-store.js";
export { Notifications } from "./notifications.js";
export type { Sent } from "./notifications.js";
export type { NotificationsOptions, WantedNotification } from "./notifications-options.js";
export type { InboxItem, Unread } from "./protocol.js";
