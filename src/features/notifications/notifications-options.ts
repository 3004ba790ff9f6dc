import type { Server } from "socket.io";
import { duration, expected, option, type Option, readOptions, type Options } from "../../events/option-table.js";
import type { AppServer } from "../../events/subscriber.js";
import { type Awaitable, isObject } from "../../wire/values.js";
import { Emitter, Realtime } from "../realtime/index.js";
import type { Fallback } from "./fallbacks.js";
import { MemoryNotificationStore } from "./memory-notification-store.js";
import type { Content } from "./new-notification.js";
import type { NotificationStore } from "./notification-store.js";

// Declarations are made file by file (isolatedDeclarations), so that each line of a table says its type by an `as`.
// oxlint-disable typescript/no-unnecessary-type-assertion

/** Something that is to be sent to a user, before it is kept. */
export interface WantedNotification extends Content {
  /** Whose it would be. */
  readonly user: string;
}

/** How {@link Notifications} works. Only `realtime` has no default. */
export interface NotificationsOptions<App extends AppServer = Server> {
  /**
   * What knows whose a socket is, and pushes; its clients are served. A worker without a server has an `Emitter`: it sends, and is not
   * registered or set up.
   */
  realtime: Realtime<App> | Emitter<App>;
  /** Where notifications are kept. Nodes and workers must share one. @default a `MemoryNotificationStore` */
  store?: NotificationStore;
  /** How long a notification is kept, read or not, in milliseconds. @default 604_800_000, a week */
  keepMs?: number;
  /**
   * Whether a user wants something at all, asked before it is kept. Anything but `false` is a yes; if it throws or rejects, that is logged
   * and the notification is kept.
   *
   * @default everybody wants everything
   */
  wants?: (notification: WantedNotification) => Awaitable<boolean>;
  /** Who is asked, one after another, where no tab or device has said that it has a notification. @default nobody */
  fallbacks?: readonly Fallback[];
  /** How long one fallback may take, in milliseconds. @default 5_000 */
  fallbackTimeoutMs?: number;
}

const isFunction = (value: unknown): boolean => typeof value === "function";

const table = {
  realtime: option(
    undefined,
    "a Realtime, or an Emitter",
    (value) => value instanceof Realtime || value instanceof Emitter,
  ) as Option<unknown>,
  store: option(undefined, "a NotificationStore, with methods add, page, mark and prune", isStore) as Option<
    NotificationStore | undefined
  >,
  keepMs: option(
    7 * 86_400_000,
    "milliseconds from 1, or Infinity for no limit",
    (value) => typeof value === "number" && value >= 1,
  ) as Option<number>,
  wants: option(undefined, "a function", isFunction) as Option<
    ((notification: WantedNotification) => Awaitable<boolean>) | undefined
  >,
  fallbacks: option([], "a list of { name, deliver(notification, signal) }", areFallbacks) as Option<
    readonly Fallback[]
  >,
  fallbackTimeoutMs: duration(5_000) as Option<number>,
};

/** The options, read. */
export interface CheckedNotificationsOptions<App extends AppServer> extends Omit<
  Options<typeof table>,
  "realtime" | "store"
> {
  readonly realtime: Realtime<App>;
  readonly store: NotificationStore;
}

/** @throws TypeError naming the option that does not fit */
export function checkNotificationsOptions<App extends AppServer>(
  options: NotificationsOptions<App>,
): CheckedNotificationsOptions<App> {
  const { realtime, store, ...rest } = readOptions("Notifications", table, options);
  if (realtime === undefined) throw expected("Notifications", "realtime", table.realtime.expects, realtime);
  const isWorker = realtime instanceof Emitter;
  if (isWorker && store === undefined)
    throw expected("Notifications", "store", "the one that the servers have, beside an Emitter", store);
  return {
    ...rest,
    store: store ?? new MemoryNotificationStore(),
    // Its line of the table knows the class, the type says of which application.
    realtime: (isWorker ? realtime.realtime : realtime) as Realtime<App>,
  };
}

function isStore(value: unknown): boolean {
  if (!isObject(value)) return false;
  return (["add", "page", "mark", "prune"] as const).every((name) =>
    isFunction((value as Partial<NotificationStore>)[name]),
  );
}

function areFallbacks(value: unknown): boolean {
  return (
    Array.isArray(value) &&
    value.every((one: Partial<Fallback> | null) => typeof one?.name === "string" && isFunction(one.deliver))
  );
}
