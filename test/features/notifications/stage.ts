import { Kysely, SqliteDialect } from "kysely";
import Database from "libsql";
import { createClient, type Client } from "socket-ingress/client";
import {
  KyselyNotificationStore,
  MemoryNotificationStore,
  Notifications,
  type NotificationsOptions,
  type NotificationStore,
} from "socket-ingress/notifications";
import { type Inbox, type InboxOptions, type InboxSnapshot, openInbox } from "socket-ingress/notifications/client";
import type { ConnectOptions } from "../../fixtures/serve.js";
import { deferred, type Deferred } from "../../fixtures/deferred.js";
import { type Client as Entered, type Door, type DoorOptions, open } from "../realtime/door.js";

/** A tab of a user: its connection, and its inbox. */
export interface Tab {
  readonly entered: Entered;
  readonly client: Client;
  readonly inbox: Inbox;
  /** The titles it shows, the newest first; with a mark behind those that are unread. */
  titles(): string[];
  /** Resolves when it shows what fits. */
  until(fits: (snapshot: InboxSnapshot) => boolean): Promise<InboxSnapshot>;
  /** Resolves when it is live and shows so many unread. */
  unread(count: number): Promise<InboxSnapshot>;
}

/** A server with notifications, and tabs. */
export interface Stage extends AsyncDisposable {
  readonly door: Door;
  readonly notifications: Notifications;
  /** A tab whose inbox is live. */
  tab(user: string, options?: InboxOptions, connect?: ConnectOptions): Promise<Tab>;
}

/** What a test may say about its server. */
export interface StageOptions extends Omit<NotificationsOptions, "realtime"> {
  readonly server?: DoorOptions["server"];
  readonly io?: DoorOptions["io"];
  readonly ingress?: DoorOptions["ingress"];
  readonly memory?: boolean;
}

/** Clients that come back at once, for tests that cut their connections. */
export const comesBack: ConnectOptions = { reconnection: true, reconnectionDelay: 1, reconnectionDelayMax: 5 };

/** Starts a server with notifications. */
export async function openStage({ server, io, ingress, memory, ...options }: StageOptions = {}): Promise<Stage> {
  let notifications!: Notifications;
  const door = await open({
    ...(server && { server }),
    ...(io && { io }),
    ...(ingress && { ingress }),
    ...(memory !== undefined && { memory }),
    before: (manager, realtime) => {
      notifications = new Notifications({ realtime, ...options });
      manager.registerHandler(notifications);
    },
  });
  return {
    door,
    notifications,
    async tab(user, inboxOptions, connect) {
      const tab = openTab(await door.enter({ user }, connect), inboxOptions);
      await tab.inbox.ready;
      return tab;
    },
    [Symbol.asyncDispose]: () => door[Symbol.asyncDispose](),
  };
}

/** Opens the inbox of a connection. */
export function openTab(entered: Entered, options?: InboxOptions): Tab {
  const client = createClient(entered.socket, { logger: { warn: () => undefined, error: () => undefined } });
  const inbox = openInbox(client, options);
  const until: Tab["until"] = (fits) => until_(inbox, fits);
  return {
    entered,
    client,
    inbox,
    until,
    titles: () => inbox.getSnapshot().items.map(({ title, readAt }) => (readAt === null ? `${title}*` : title)),
    unread: (count) => until(({ unread, status }) => unread === count && status === "live"),
  };
}

function until_(inbox: Inbox, fits: (snapshot: InboxSnapshot) => boolean): Promise<InboxSnapshot> {
  return new Promise((resolve) => {
    const off = inbox.subscribe((snapshot) => {
      if (!fits(snapshot)) return;
      resolve(snapshot);
      queueMicrotask(() => off());
    });
  });
}

/** A connection that is lost, as in a tunnel. */
export function cut({ entered }: Tab): void {
  entered.socket.io.engine.close();
}

/** A store in a test's hands: it can be down, and its pages can be held back. */
export class StoreInHand implements NotificationStore {
  readonly #store: NotificationStore;
  down = false;
  /** How many of each call there were. */
  readonly calls = { add: 0, page: 0, mark: 0, prune: 0 };
  #held: Deferred | undefined;

  constructor(store: NotificationStore = new MemoryNotificationStore()) {
    this.#store = store;
  }

  /** Pages are read, and held back until what is returned is called. */
  holdPages(): () => void {
    const held = deferred();
    this.#held = held;
    return () => {
      this.#held = undefined;
      held.resolve();
    };
  }

  async add(...args: Parameters<NotificationStore["add"]>) {
    this.#look("add");
    return this.#store.add(...args);
  }

  async page(...args: Parameters<NotificationStore["page"]>) {
    this.#look("page");
    const page = await this.#store.page(...args);
    await this.#held?.promise;
    return page;
  }

  async mark(...args: Parameters<NotificationStore["mark"]>) {
    this.#look("mark");
    return this.#store.mark(...args);
  }

  async prune(...args: Parameters<NotificationStore["prune"]>) {
    this.#look("prune");
    return this.#store.prune(...args);
  }

  #look(call: keyof StoreInHand["calls"]): void {
    this.calls[call]++;
    if (this.down) throw new Error("the database is away");
  }
}

/** An SQLite database in memory, or in a file. */
export function sqlite(file = ":memory:"): Kysely<unknown> {
  return new Kysely({ dialect: new SqliteDialect({ database: new Database(file) }) });
}

/** A store on SQLite, with its tables. */
export async function sqliteStore(db: Kysely<unknown> = sqlite()): Promise<KyselyNotificationStore> {
  const store = new KyselyNotificationStore(db);
  await store.migrate();
  return store;
}
