import { randomUUID } from "node:crypto";
import type { Server } from "socket.io";
import type { EventContext } from "../../events/event-context.js";
import { type Belongings, builtIn, has } from "../../events/managed.js";
import { beOnlyOne } from "../../events/only-one.js";
import type { AppServer } from "../../events/subscriber.js";
import { Handler } from "../../handler.js";
import { isOfOneProcess } from "../../push/one-process.js";
import { withoutStack } from "../../wire/event-error.js";
import { ignore, printable } from "../../wire/values.js";
import { type Realtime, user as userOf } from "../realtime/index.js";
import { toEach } from "./each-user.js";
import { fallBack } from "./fallbacks.js";
import { type Content, type NewNotification, readNotification, readUsers } from "./new-notification.js";
import type { Notification, NotificationStore, ReadMarks } from "./notification-store.js";
import {
  type CheckedNotificationsOptions,
  checkNotificationsOptions,
  type NotificationsOptions,
} from "./notifications-options.js";
import {
  ANEW,
  CHANGED,
  type InboxArrival,
  type InboxChange,
  type InboxItem,
  type InboxMarked,
  type InboxPage,
  NOTIFICATION,
  PAGE,
  READ,
  READ_ALL,
} from "./protocol.js";
import { readIds, readRange, readUpTo } from "./requests.js";

/** What became of something that was sent to one user. */
export interface Sent {
  /** As it is kept; of an idempotency key that was sent before, the one that was there. Nothing if the user does not want it. */
  readonly notification: Notification | undefined;
  /**
   * How many tabs and devices have it: those connected, or, where there are fallbacks, those that said so. 0 for what was sent before.
   */
  readonly reached: number;
  /** How it got there: `"socket"`, the name of the fallback that took it, or nothing yet. */
  readonly via: string | undefined;
}

/** So many users are pruned by one call of the store. */
const PRUNED_AT_ONCE = 100;

/** How often what is too old is looked for, at most and at least, in milliseconds. */
const PRUNE_EVERY_MS = { least: 1_000, most: 60_000 };

/** Sockets that have asked a door for a page: the one that there is then tells them when they are another user's (decision 0088). */
const asking = new WeakSet<object>();

/** Those of them that have asked for no first page since: what they mark is on its way since they were somebody else's. */
const turning = new WeakSet<object>();

/**
 * Notifications that are kept until their user has read them, for as long as `keepMs` says: pushed to every tab and device of the user,
 * counted, marked as read, and handed to fallbacks where nobody has them. It is a handler: register it beside its `Realtime`, whose
 * identity says whose notifications a client sees. In the browser `openInbox` of `socket-ingress/notifications/client` is its counterpart.
 *
 * A namespace has one; a second one is refused when it is set up.
 *
 * @typeParam App - the `Server<...>` type of the application
 *
 * @example
 * const notifications = new Notifications<App>({ realtime, store: new KyselyNotificationStore(db), fallbacks: [email] });
 * manager.registerHandler(realtime).registerHandler(notifications);
 *
 * await notifications.send("ada", { title: "Shipped", message: "Order 7 is on its way", idempotencyKey: "order-7-shipped" });
 */
export class Notifications<App extends AppServer = Server> extends Handler<App> {
  readonly name: string;
  override readonly namespace: string;
  readonly events: object = {
    [PAGE]: this.#onPage,
    [READ]: this.#onRead,
    [READ_ALL]: this.#onReadAll,
  };
  /** @internal */
  readonly [builtIn]: true = true;
  readonly #options: CheckedNotificationsOptions<App>;
  readonly #store: NotificationStore;
  readonly #hasOwnStore: boolean;
  /** What is being sent: a shutdown waits for it. */
  readonly #sending = new Set<Promise<unknown>>();
  #pruning: Promise<void> | undefined;

  /** @throws TypeError naming an option that does not fit */
  constructor(options: NotificationsOptions<App>) {
    super();
    this.#options = checkNotificationsOptions(options);
    this.#store = this.#options.store;
    this.#hasOwnStore = options.store === undefined;
    this.namespace = this.#options.realtime.namespace;
    this.name = this.namespace === "/" ? "notifications" : `notifications of ${this.namespace}`;
  }

  /**
   * Sends to a user: asks `wants`, keeps it, pushes it to every tab and device, and where there are fallbacks and none has said that it
   * has it, asks these. Resolves when all of that is done. Call it from anywhere: an event, a job, a process that serves nobody.
   *
   * A rejection that nobody hears is logged and ends no process. Send again what was rejected: with an `idempotencyKey` nothing comes twice.
   *
   * @throws TypeError at once if the user or the notification does not fit; from the promise, what the store rejected with
   */
  send(user: string, notification: NewNotification): Promise<Sent>;
  /**
   * Sends to each of some users, who are in no order among themselves; one who is named twice gets it once. It rejects with the first
   * failure, when those that were begun are done: some may have it then.
   */
  send(users: readonly string[], notification: NewNotification): Promise<Sent[]>;
  /** Sends to a user, or to each of some. */
  send(to: string | readonly string[], notification: NewNotification): Promise<Sent | Sent[]>;
  send(to: string | readonly string[], notification: NewNotification): Promise<Sent | Sent[]> {
    const users = readUsers(to);
    const { content, idempotencyKey } = readNotification(notification);
    const deliver = (user: string): Promise<Sent> => this.#deliver(user, content, idempotencyKey);
    const sending = typeof to === "string" ? deliver(to) : toEach(users, deliver);
    this.#sending.add(sending);
    sending
      .catch((error: unknown) => this.log.error({ err: printable(error) }, "a notification could not be sent"))
      .finally(() => this.#sending.delete(sending))
      .catch(ignore);
    return sending;
  }

  /**
   * Removes what is older than `keepMs`, and tells the open tabs. It runs by itself while the handler is set up, so call it only to have it
   * done now. A call while one runs is that one.
   *
   * @throws from the promise, what the store rejected with
   */
  prune(): Promise<void> {
    return (this.#pruning ??= this.#prune().finally(() => (this.#pruning = undefined)));
  }

  /** @internal */
  [has](): Belongings {
    const { keepMs, wants, fallbacks, fallbackTimeoutMs } = this.#options;
    const names = fallbacks.map(({ name }) => name);
    return { inboxes: [{ keepMs, wants: wants !== undefined, fallbacks: names, fallbackTimeoutMs }] };
  }

  /** @internal */
  protected override onSetup(): void {
    const { io } = this;
    if (this.#hasOwnStore && io !== undefined && !isOfOneProcess(io.of(this.namespace)))
      throw new Error(
        `${this.name}: several nodes need a store that they share, such as store: new KyselyNotificationStore(db); the namespace ` +
          `${this.namespace} has ${io.of(this.namespace).adapter.constructor.name}`,
      );
    beOnlyOne(this, "a Notifications", this.#options.realtime);
    const turnOver = (socket: { emit(event: string): unknown }): void => {
      if (!asking.has(socket)) return;
      turning.add(socket);
      socket.emit(ANEW);
    };
    this.addCleanup(this.#realtime().onUserChanged(turnOver));
    // Of what happened since there was a door before, nobody told them.
    for (const socket of io?.of(this.namespace).sockets.values() ?? []) turnOver(socket);
    const { least, most } = PRUNE_EVERY_MS;
    const { keepMs } = this.#options;
    if (keepMs === Infinity) return;
    const timer = setInterval(
      () => {
        this.prune().catch((error: unknown) =>
          this.log.warn({ err: printable(error) }, "notifications could not be pruned; they will be later"),
        );
      },
      Math.min(most, Math.max(least, keepMs / 10)),
    );
    timer.unref();
    this.addCleanup(() => clearInterval(timer));
  }

  /** What is being sent when a shutdown begins is waited for, within the grace. @internal */
  protected override async onDrain(): Promise<void> {
    await Promise.allSettled(this.#sending);
  }

  async #deliver(user: string, content: Content, idempotencyKey: string | undefined): Promise<Sent> {
    const nothing: Sent = { notification: undefined, reached: 0, via: undefined };
    if (!(await this.#isWanted(user, content))) return nothing;
    const now = Date.now();
    const kept = await this.#store.add(
      { ...content, id: randomUUID(), user, createdAt: now, idempotencyKey },
      this.#since(now),
    );
    const { notification } = kept;
    if (!kept.isNew) return { ...nothing, notification };
    const { unread, version } = kept;
    const reached = await this.#arrive(user, { notification: itemOf(notification), unread, version });
    if (reached > 0) return { notification, reached, via: "socket" };
    const { fallbacks, fallbackTimeoutMs } = this.#options;
    const via = await fallBack(fallbacks, notification, fallbackTimeoutMs, ({ name }, error) =>
      this.log.warn({ err: printable(error), fallback: name }, "a fallback failed; the next one is asked"),
    );
    return { notification, reached, via };
  }

  async #isWanted(user: string, content: Content): Promise<boolean> {
    const { wants } = this.#options;
    if (wants === undefined) return true;
    try {
      // Only a false refuses, whatever is returned by one who forgot the types.
      const answer: unknown = await wants({ user, ...content });
      return answer !== false;
    } catch (error) {
      this.log.error({ err: printable(error) }, "whether a notification is wanted can't be told; it is kept");
      return true;
    }
  }

  /** Pushes what has come; resolves to how many have it. Receipts cost a question to each socket, so only fallbacks are a reason (decision 0070). */
  async #arrive(user: string, arrival: InboxArrival): Promise<number> {
    const push = this.#realtime();
    if (this.#options.fallbacks.length === 0)
      return (await push.emitSocket(NOTIFICATION, arrival, userOf(user), { count: true })).sockets;
    return (await push.emitSocket(NOTIFICATION, arrival, userOf(user), { receipts: {} })).received;
  }

  #tell(user: string, change: InboxChange): void {
    void this.#realtime().emitSocket(CHANGED, change, userOf(user));
  }

  /** These events are ours, and in no application's type. */
  #realtime(): Realtime {
    return this.#options.realtime as Realtime;
  }

  async #onPage(context: EventContext<App>, asked: unknown): Promise<InboxPage> {
    const { socket } = context;
    const range = readRange(asked);
    asking.add(socket);
    if (range.before === undefined) turning.delete(socket);
    const user = this.#userOf(socket);
    const { items, more, unread, version } = await this.#store.page(user, range, this.#since());
    if (this.#userOf(socket) !== user) return this.#onPage(context, asked);
    const last = items.at(-1);
    return { items: items.map(itemOf), unread, version, user, ...(more && last !== undefined && { next: last.seq }) };
  }

  #onRead({ socket }: EventContext<App>, asked: unknown, of: unknown): Promise<InboxMarked> {
    const ids = readIds(asked);
    return this.#mark(socket, of, { ids }, { read: ids });
  }

  #onReadAll({ socket }: EventContext<App>, asked: unknown, of: unknown): Promise<InboxMarked> {
    const upTo = readUpTo(asked);
    return this.#mark(socket, of, { upTo }, { readUpTo: upTo });
  }

  /** @param of whose notifications the client has seen, if it says so: it may have been another connection, of another user */
  async #mark(
    socket: EventContext<App>["socket"],
    of: unknown,
    marks: ReadMarks,
    said: Pick<InboxChange, "read" | "readUpTo">,
  ): Promise<InboxMarked> {
    const user = this.#userOf(socket);
    if (turning.has(socket) || (typeof of === "string" && of !== user)) throw changedMeanwhile();
    const at = Date.now();
    const { changed, unread, version } = await this.#store.mark(user, marks, at, this.#since(at));
    const change: InboxChange = { ...said, at, unread, version };
    if (changed > 0) this.#tell(user, change);
    // What it comes to is the business of whoever has asked, and that connection is another user's by now.
    if (this.#userOf(socket) !== user) throw changedMeanwhile();
    return changed > 0 ? change : { unread, version };
  }

  async #prune(): Promise<void> {
    const at = Date.now();
    const gone = this.#since(at);
    for (let count = PRUNED_AT_ONCE; count === PRUNED_AT_ONCE;) {
      const pruned = await this.#store.prune(gone, PRUNED_AT_ONCE);
      for (const { user, unread, version } of pruned) this.#tell(user, { at, gone, unread, version });
      count = pruned.length;
    }
  }

  /** What was sent at this time or before is too old. */
  #since(now: number = Date.now()): number {
    return Math.max(-1, now - this.#options.keepMs);
  }

  #userOf(socket: EventContext<App>["socket"]): string {
    const { user } = this.#options.realtime.identify(socket);
    if (user === undefined) throw withoutStack("UNAUTHENTICATED", "notifications belong to a user: sign in first");
    return user;
  }
}

function changedMeanwhile(): Error {
  return withoutStack("CONFLICT", "the user of this connection has changed meanwhile");
}

/** What a client is told: all but whose it is. */
function itemOf({ id, seq, title, message, icon, data, createdAt, readAt }: Notification): InboxItem {
  return { id, seq, title, message, icon, data, createdAt, readAt };
}
