import { type Dialect, Kysely, sql } from "kysely";
import { describe, expect, it } from "vitest";
import { kyselyChanges, type ModelDefinition } from "socket-ingress/changes";
import { followed, type Post, post } from "../followed.js";

/** The tables of the tests. */
export interface Tables {
  post: { id: number; title: string; authorId: number };
  other: { id: number };
}

const plain: ModelDefinition<Post> = { id: ({ id }) => id };

/** What holds for Kysely on any database. `open` gives a dialect of an empty one, and closes it. */
export function kyselySuite(database: string, open: () => Promise<{ dialect: Dialect; close(): Promise<void> }>): void {
  const start = async () => {
    const { dialect, close } = await open();
    const door = await followed((changes) => changes.define<Post>("post", plain));
    const db = new Kysely<Tables>({ dialect, plugins: [kyselyChanges({ post: door.models })] });
    await db.schema
      .createTable("post")
      .addColumn("id", "integer", (column) => column.primaryKey())
      .addColumn("title", "text")
      .addColumn("authorId", "integer")
      .execute();
    await db.schema.createTable("other").addColumn("id", "integer").execute();
    const client = await door.enter();
    await client.join("all");
    return {
      door,
      db,
      client,
      [Symbol.asyncDispose]: async () => {
        await door[Symbol.asyncDispose]();
        for (const table of ["post", "other"]) await db.schema.dropTable(table).execute();
        await db.destroy();
        await close();
      },
    };
  };

  describe(`Kysely on ${database}`, () => {
    it("tells the ids of many that were deleted where nothing else comes back", async () => {
      await using started = await start();
      const { db, client } = started;
      await db
        .insertInto("post")
        .values([post(1), post(2)])
        .execute();
      await db.deleteFrom("post").returning("id").execute();
      await client.caughtUp();
      expect(client.got("change")).toMatchObject([{ method: "DELETE", many: true, payload: [{ id: 1 }, { id: 2 }] }]);
    });

    it("knows a table by another name that a statement gives it", async () => {
      await using started = await start();
      const { db, client } = started;
      await db.insertInto("post").values(post(1)).execute();
      await db.updateTable("post as p").set({ title: "b" }).where("p.id", "=", 1).returningAll().execute();
      await client.caughtUp();
      expect(client.got("change")).toMatchObject([{ method: "PATCH", id: 1, payload: { title: "b" } }]);
    });

    it("publishes the rows that statements return", async () => {
      await using started = await start();
      const { db, client, door } = started;
      const [row] = await db.insertInto("post").values(post(1)).returningAll().execute();
      expect(row).toEqual(post(1));
      await db
        .insertInto("post")
        .values([post(2), post(3)])
        .returningAll()
        .execute();
      await db.updateTable("post").set({ title: "b" }).where("id", "=", 1).returningAll().execute();
      await db.updateTable("post").set({ title: "b" }).where("id", "=", 99).returningAll().execute();
      await db
        .insertInto("post")
        .values(post(1))
        .onConflict((on) => on.column("id").doUpdateSet({ title: "c" }))
        .returningAll()
        .execute();
      await db.deleteFrom("post").where("id", "=", 2).returning("id").execute();
      await db.deleteFrom("post").where("id", "=", 3).returningAll().execute();
      await db.insertInto("other").values({ id: 1 }).returningAll().execute();
      await db.selectFrom("post").selectAll().execute();
      // What says nothing of its records.
      await db.updateTable("post").set({ title: "unseen" }).execute();
      await db.updateTable("post").set({ title: "unseen" }).returning("id").execute();
      await client.caughtUp();
      expect(client.got("change")).toMatchObject([
        { method: "POST", id: 1, payload: post(1) },
        { method: "POST", many: true, payload: [post(2), post(3)] },
        { method: "PATCH", id: 1, payload: { title: "b" } },
        { method: "PUT", id: 1, payload: { title: "c" } },
        { method: "DELETE", id: 2, payload: { id: 2 } },
        { method: "DELETE", id: 3, payload: post(3) },
      ]);
      expect(door.errors).toEqual([
        ["post.kyselyChanges", expect.stringContaining("without returningAll()") as string],
        ["post.kyselyChanges", expect.stringContaining("does not return all columns") as string],
      ]);
    });

    it("7. Given a transaction that rolls back, Then nothing; that commits, Then all of it, after the commit, in order.", async () => {
      await using started = await start();
      const { db, client, door } = started;
      const insert = (id: number, fails: boolean): Promise<void> =>
        door.changes.transaction(() =>
          db.transaction().execute(async (trx) => {
            await trx.insertInto("post").values(post(id)).returningAll().execute();
            await trx.updateTable("post").set({ title: "b" }).where("id", "=", id).returningAll().execute();
            await client.caughtUp();
            expect(client.got("change")).toEqual([]);
            if (fails) throw new Error("rolled back");
          }),
        );
      await expect(insert(1, true)).rejects.toThrow("rolled back");
      await insert(2, false);
      await client.caughtUp();
      expect(client.got("change")).toMatchObject([
        { method: "POST", id: 2, payload: { title: "post 2" } },
        { method: "PATCH", id: 2, payload: { title: "b" } },
      ]);
      expect(await sql<{ id: number }>`select id from post`.execute(db)).toMatchObject({ rows: [{ id: 2 }] });
    });
  });
}
