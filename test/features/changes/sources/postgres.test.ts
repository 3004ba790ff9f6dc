import { drizzle } from "drizzle-orm/node-postgres";
import { eq } from "drizzle-orm";
import { integer, pgTable, text } from "drizzle-orm/pg-core";
import { Kysely, PostgresDialect } from "kysely";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { follow, kyselyChanges } from "socket-ingress/changes";
import { needs } from "../../../fixtures/needs.js";
import { ownPostgres, type OwnPostgres } from "../../../fixtures/postgres.js";
import { followed, type Post, post } from "../followed.js";
import { kyselySuite, type Tables } from "./kysely-suite.js";

const table = pgTable("post", {
  id: integer("id").primaryKey(),
  title: text("title").notNull(),
  authorId: integer("authorId").notNull(),
});
const create = 'create table post (id integer primary key, title text not null, "authorId" integer not null)';

needs("postgres")("on a PostgreSQL", () => {
  let postgres: OwnPostgres;
  beforeAll(async () => {
    postgres = await ownPostgres();
  }, 60_000);
  afterAll(async () => {
    await postgres[Symbol.asyncDispose]();
  }, 60_000);
  afterEach(async () => {
    await postgres.pool().query("drop table if exists post, other");
  });

  kyselySuite("PostgreSQL", async () => ({
    dialect: new PostgresDialect({ pool: postgres.pool() }),
    close: async () => undefined,
  }));

  it("a record is asked for on another connection, where it is what it was until the transaction has committed", async () => {
    await using door = await followed((changes) =>
      changes.define<Post>("post", { id: ({ id }) => id, topics: ({ authorId }) => [`author/${authorId}`] }),
    );
    const client = await door.enter();
    await client.join("post/author/7");
    const pool = postgres.pool();
    await pool.query(create);
    await pool.query("insert into post values (1, 'post 1', 7)");
    const loadOld = async (id: string | number): Promise<never> =>
      (await pool.query<Post>("select * from post where id = $1", [id])).rows[0] as never;
    const db = new Kysely<Tables>({
      dialect: new PostgresDialect({ pool: postgres.pool() }),
      plugins: [kyselyChanges({ post: door.models }, { loadOld })],
    });
    await door.changes.transaction(() =>
      db.transaction().execute((trx) => trx.updateTable("post").set({ authorId: 8 }).returningAll("post").execute()),
    );
    await client.caughtUp();
    expect(client.got("change")).toMatchObject([{ method: "DELETE", id: 1, payload: { id: 1 } }]);
    await db.destroy();
  });

  it("a repository on Drizzle is followed", async () => {
    await using door = await followed((changes) =>
      changes.define<Post>("post", { id: ({ id }) => id, topics: ({ authorId }) => [`author/${authorId}`] }),
    );
    const [client, seven] = [await door.enter(), await door.enter()];
    await client.join("post");
    await seven.join("post/author/7");
    const pool = postgres.pool();
    await pool.query(create);
    const db = drizzle(pool);
    const posts = follow(door.models, {
      get: async (id: number) => (await db.select().from(table).where(eq(table.id, id)))[0],
      create: async (row: Post) => (await db.insert(table).values(row).returning())[0],
      update: async (id: number, patch: Partial<Post>) =>
        (await db.update(table).set(patch).where(eq(table.id, id)).returning())[0],
      remove: async (id: number) => (await db.delete(table).where(eq(table.id, id)).returning())[0],
    });
    await posts.create(post(1));
    await posts.update(1, { authorId: 8 });
    await expect(posts.create(post(1))).rejects.toThrow(/Failed query|duplicate key/);
    await posts.remove(1);
    for (const each of [client, seven]) await each.caughtUp();
    expect(client.got("change")).toMatchObject([
      { method: "POST", payload: post(1) },
      { method: "PATCH", changes: { authorId: [7, 8] } },
      { method: "DELETE", payload: post(1, { authorId: 8 }) },
    ]);
    expect(seven.got("change")).toMatchObject([{ method: "POST" }, { method: "DELETE", payload: { id: 1 } }]);
  });
});
