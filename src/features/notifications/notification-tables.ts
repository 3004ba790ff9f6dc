import type { ColumnType, Kysely, Migration } from "kysely";

/** A number of eight bytes, which PostgreSQL's driver gives as text. */
type Integer = ColumnType<number | string, number, number>;

/** The tables of a `KyselyNotificationStore`, as Kysely knows them: their names begin with a prefix, which is left out here. */
export interface NotificationTables {
  /** A row for each notification. */
  notification: {
    user_id: string;
    /** The user's version when it was added. */
    seq: Integer;
    id: string;
    title: string;
    message: string;
    icon: string;
    /** As JSON. */
    data: string;
    idempotency_key: string | null;
    created_at: Integer;
    read_at: ColumnType<number | string | null, number | null, number | null>;
  };
  /** A row for each user who ever had one. It stays when the notifications go, so that a version never comes twice. */
  notification_user: {
    user_id: string;
    version: Integer;
  };
}

/** The names of the tables, under the type of those without a prefix: a name is all that differs. */
export function tableNames(prefix: string): { rows: "notification"; users: "notification_user" } {
  return {
    rows: `${prefix}notification` as "notification",
    users: `${prefix}notification_user` as "notification_user",
  };
}

/** Makes and removes the tables, on SQLite and PostgreSQL. Those that are there already stay as they are. */
export function notificationMigration(prefix: string): Migration {
  const { rows, users } = tableNames(prefix);
  return {
    async up(db: Kysely<any>): Promise<void> {
      await db.schema
        .createTable(users)
        .ifNotExists()
        .addColumn("user_id", "text", (column) => column.primaryKey())
        .addColumn("version", "bigint", (column) => column.notNull())
        .execute();
      await db.schema
        .createTable(rows)
        .ifNotExists()
        .addColumn("user_id", "text", (column) => column.notNull())
        .addColumn("seq", "bigint", (column) => column.notNull())
        .addColumn("id", "text", (column) => column.notNull().unique())
        .addColumn("title", "text", (column) => column.notNull())
        .addColumn("message", "text", (column) => column.notNull())
        .addColumn("icon", "text", (column) => column.notNull())
        .addColumn("data", "text", (column) => column.notNull())
        .addColumn("idempotency_key", "text")
        .addColumn("created_at", "bigint", (column) => column.notNull())
        .addColumn("read_at", "bigint")
        .addPrimaryKeyConstraint(`${rows}_key`, ["user_id", "seq"])
        .addUniqueConstraint(`${rows}_once`, ["user_id", "idempotency_key"])
        .execute();
      await db.schema
        .createIndex(`${rows}_unread`)
        .ifNotExists()
        .on(rows)
        // What is unread is counted in the index alone.
        .columns(["user_id", "created_at", "read_at"])
        .where("read_at", "is", null)
        .execute();
      await db.schema.createIndex(`${rows}_age`).ifNotExists().on(rows).column("created_at").execute();
    },
    async down(db: Kysely<any>): Promise<void> {
      await db.schema.dropTable(rows).ifExists().execute();
      await db.schema.dropTable(users).ifExists().execute();
    },
  };
}
