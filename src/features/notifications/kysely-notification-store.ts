import type { Insertable, Kysely, Migration, Selectable, Transaction } from "kysely";
import { readOptions } from "../../events/option-table.js";
import { checkKysely, makeTables, tablePrefix } from "../../lifecycle/own-tables.js";
import type {
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
import { notificationMigration, tableNames, type NotificationTables } from "./notification-tables.js";
import type { Unread } from "./protocol.js";

/** Where a {@link KyselyNotificationStore} has its tables. */
export interface KyselyNotificationStoreOptions {
  /** What the names of its tables and indexes begin with: at most 30 letters, digits and `_`. @default "ingress_" */
  prefix?: string;
}

type Tables = Kysely<NotificationTables>;
type Row = NotificationTables["notification"];

/** Thrown to roll a transaction back in which nothing has changed, so that the version stays what it was. */
class Unchanged<Result> extends Error {
  readonly result: Result;

  constructor(result: Result) {
    super("nothing has changed");
    this.result = result;
  }
}

/**
 * A {@link NotificationStore} in the database of an application: SQLite or PostgreSQL, through its own Kysely instance. Have its tables
 * made by {@link KyselyNotificationStore.migrate}, or by your own Migrator with {@link KyselyNotificationStore.migration}.
 *
 * A change is one transaction of at most four statements. The first writes the row that holds the user's version, so that changes of one
 * user stand in line while those of others go beside them, and the count is read from the rows behind the change (decision 0068). With
 * SQLite, which has one connection, don't send while a transaction of the same instance waits for it.
 *
 * @example
 * const db = new Kysely<Database>({ dialect: new PostgresDialect({ pool }) });
 * const store = new KyselyNotificationStore(db);
 * await store.migrate();
 * const notifications = new Notifications<App>({ realtime, store });
 */
export class KyselyNotificationStore implements NotificationStore {
  /** Makes and removes its tables: for the `Migrator` of an application. */
  readonly migration: Migration;
  readonly #db: Tables;
  readonly #rows: "notification";
  readonly #users: "notification_user";

  /**
   * Made with the application's instance, which stays the application's to close. Its plugins are left aside.
   *
   * @throws TypeError if it is no instance of Kysely, or naming the option that does not fit
   */
  // Kysely's own types are invariant in the tables, so that only `any` takes every application's instance.
  constructor(db: Kysely<any>, options: KyselyNotificationStoreOptions = {}) {
    checkKysely("KyselyNotificationStore", db);
    const { prefix } = readOptions("KyselyNotificationStore", { prefix: tablePrefix }, options);
    this.#db = db.withoutPlugins() as Tables;
    const { rows, users } = tableNames(prefix);
    this.#rows = rows;
    this.#users = users;
    this.migration = notificationMigration(prefix);
  }

  /** Makes the tables and indexes that are not there yet. */
  migrate(): Promise<void> {
    return makeTables(this.migration, this.#db);
  }

  /** Keeps a notification, unless one with its idempotency key is there. */
  async add({ idempotencyKey, ...given }: NotificationToKeep, since: number): Promise<Kept | KeptBefore> {
    const key = idempotencyKey ?? null;
    return this.#change<Kept | KeptBefore>(given.user, async (trx, version) => {
      const notification: Notification = { ...given, seq: version, readAt: null };
      for (;;) {
        const { numInsertedOrUpdatedRows } = await trx
          .insertInto(this.#rows)
          .values(rowOf(notification, key))
          .onConflict((conflict) => conflict.columns(["user_id", "idempotency_key"]).doNothing())
          .executeTakeFirstOrThrow();
        if (numInsertedOrUpdatedRows !== 0n)
          return { notification, isNew: true, version, unread: await this.#count(trx, given.user, since) };
        const before = await trx
          .selectFrom(this.#rows)
          .selectAll()
          .where("user_id", "=", given.user)
          .where("idempotency_key", "=", key)
          .executeTakeFirstOrThrow();
        const kept = notificationOf(before);
        if (kept.createdAt > since) throw new Unchanged<KeptBefore>({ notification: kept, isNew: false });
        // Too old to be kept. It goes with a pruning, which tells the tabs; its key is free (decision 0086).
        await trx.updateTable(this.#rows).set({ idempotency_key: null }).where("id", "=", kept.id).execute();
      }
    });
  }

  /** Some of a user's notifications, the newest first. */
  async page(user: string, { before, limit }: PageRange, since: number): Promise<StoredPage> {
    // Version and count by one statement, which sees one state of the database. Rows that were added since are left out by their
    // `seq`, which is a later version (decision 0068).
    const state = await this.#db
      .selectNoFrom((eb) => [
        eb.selectFrom(this.#users).select("version").where("user_id", "=", user).as("version"),
        this.#counted(this.#db, user, since).as("unread"),
      ])
      .executeTakeFirstOrThrow();
    const version = Number(state.version ?? 0);
    const rows = await this.#db
      .selectFrom(this.#rows)
      .selectAll()
      .where("user_id", "=", user)
      .where("created_at", ">", since)
      .where("seq", "<", before ?? version + 1)
      .orderBy("seq", "desc")
      .limit(limit + 1)
      .execute();
    return {
      items: rows.slice(0, limit).map(notificationOf),
      more: rows.length > limit,
      unread: Number(state.unread),
      version,
    };
  }

  /** Marks notifications as read. */
  async mark(user: string, { ids, upTo }: ReadMarks, at: number, since: number): Promise<Marked> {
    return this.#change(user, async (trx, version) => {
      const unread = trx
        .updateTable(this.#rows)
        .set({ read_at: at })
        .where("user_id", "=", user)
        .where("read_at", "is", null)
        .where("created_at", ">", since);
      const { numUpdatedRows } = await (
        ids === undefined ? unread.where("seq", "<=", upTo) : unread.where("id", "in", ids.length > 0 ? ids : [""])
      ).executeTakeFirstOrThrow();
      const changed = Number(numUpdatedRows);
      const count = await this.#count(trx, user, since);
      if (changed === 0) throw new Unchanged<Marked>({ changed, unread: count, version: version - 1 });
      return { changed, unread: count, version };
    });
  }

  /** Removes what is too old, user by user, and tells of whom. */
  async prune(since: number, limit: number): Promise<Pruned[]> {
    const users = await this.#db
      .selectFrom(this.#rows)
      .select("user_id")
      .distinct()
      .where("created_at", "<=", since)
      .limit(limit)
      .execute();
    const pruned: Pruned[] = [];
    for (const { user_id: user } of users) {
      const state = await this.#change<Unread | undefined>(user, async (trx, version) => {
        const { numDeletedRows } = await trx
          .deleteFrom(this.#rows)
          .where("user_id", "=", user)
          .where("created_at", "<=", since)
          .executeTakeFirstOrThrow();
        // Another node was there first, and tells of it.
        if (numDeletedRows === 0n) throw new Unchanged(undefined);
        return { unread: await this.#count(trx, user, since), version };
      });
      if (state !== undefined) pruned.push({ user, ...state });
    }
    return pruned;
  }

  /** Runs a change of one user, who is locked by it: the row with the version is the first that is written. */
  async #change<Result>(
    user: string,
    change: (trx: Transaction<NotificationTables>, version: number) => Promise<Result>,
  ): Promise<Result> {
    try {
      // By the row that is locked each sees what those before it have done. A stricter database would refuse it for that.
      const transaction = this.#db.transaction().setIsolationLevel("read committed");
      return await transaction.execute(async (trx) => {
        const { version } = await trx
          .insertInto(this.#users)
          .values({ user_id: user, version: 1 })
          .onConflict((conflict) =>
            conflict
              .column("user_id")
              .doUpdateSet((eb) => ({ version: eb(eb.ref(`${this.#users}.version`).$castTo<number>(), "+", 1) })),
          )
          .returning("version")
          .executeTakeFirstOrThrow();
        return change(trx, Number(version));
      });
    } catch (thrown) {
      if (thrown instanceof Unchanged) return thrown.result as Result; // thrown by this very change
      throw thrown;
    }
  }

  async #count(db: Tables, user: string, since: number): Promise<number> {
    return Number((await this.#counted(db, user, since).executeTakeFirstOrThrow()).unread);
  }

  /** Counted from the rows, always (decision 0067). */
  #counted(db: Tables, user: string, since: number) {
    return db
      .selectFrom(this.#rows)
      .select((eb) => eb.fn.countAll().as("unread"))
      .where("user_id", "=", user)
      .where("read_at", "is", null)
      .where("created_at", ">", since);
  }
}

function rowOf(notification: Notification, idempotencyKey: string | null): Insertable<Row> {
  const { id, seq, user, title, message, icon, data, createdAt, readAt } = notification;
  return {
    id,
    seq,
    user_id: user,
    title,
    message,
    icon,
    data: JSON.stringify(data),
    created_at: createdAt,
    read_at: readAt,
    idempotency_key: idempotencyKey,
  };
}

/** A row as it is read: PostgreSQL's driver gives numbers of eight bytes as text. */
function notificationOf(row: Selectable<Row>): Notification {
  return {
    id: row.id,
    seq: Number(row.seq),
    user: row.user_id,
    title: row.title,
    message: row.message,
    icon: row.icon,
    data: JSON.parse(row.data) as unknown,
    createdAt: Number(row.created_at),
    readAt: row.read_at === null ? null : Number(row.read_at),
  };
}
