import Sqlite from "libsql";
import { type Generated, Kysely, SqliteDialect } from "kysely";

interface Tables {
  posts: {
    id: Generated<number>;
    author: string;
    title: string;
    text: string;
    /** SQLite has no booleans. */
    published: 0 | 1;
    edits: Generated<number>;
  };
  followers: { post: number; user: string };
}

export type Database = Kysely<Tables>;

/** Opens the database in a file, or in memory, and makes the tables that are missing. */
export async function openDatabase(path: string): Promise<Database> {
  const database = new Kysely<Tables>({ dialect: new SqliteDialect({ database: new Sqlite(path) }) });
  await database.schema
    .createTable("posts")
    .ifNotExists()
    .addColumn("id", "integer", (column) => column.primaryKey().autoIncrement())
    .addColumn("author", "text", (column) => column.notNull())
    .addColumn("title", "text", (column) => column.notNull())
    .addColumn("text", "text", (column) => column.notNull())
    .addColumn("published", "integer", (column) => column.notNull())
    .addColumn("edits", "integer", (column) => column.notNull().defaultTo(0))
    .execute();
  await database.schema
    .createTable("followers")
    .ifNotExists()
    .addColumn("post", "integer", (column) => column.notNull())
    .addColumn("user", "text", (column) => column.notNull())
    .addPrimaryKeyConstraint("followers_key", ["post", "user"])
    .execute();
  return database;
}
