import { sql } from "kysely";
import type { Post, PostPatch } from "./app.js";
import type { Database } from "./database.js";

/** The table of posts. Whoever writes learns what was there before, and so can say what has changed. */
export class PostsRepository {
  private readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  async all(author?: string): Promise<Post[]> {
    let query = this.database.selectFrom("posts").selectAll().orderBy("id");
    if (author !== undefined) query = query.where("author", "=", author);
    return (await query.execute()).map(toPost);
  }

  async create({ published, ...post }: Omit<Post, "id" | "edits">): Promise<Post> {
    const values = { ...post, published: toFlag(published) };
    return toPost(await this.database.insertInto("posts").values(values).returningAll().executeTakeFirstOrThrow());
  }

  /** Returns what it was, and what it is; nothing if there is no such post. */
  update(id: number, { published, ...patch }: PostPatch): Promise<{ old: Post; post: Post } | undefined> {
    return this.database.transaction().execute(async (trx) => {
      const old = await trx.selectFrom("posts").selectAll().where("id", "=", id).executeTakeFirst();
      if (old === undefined) return undefined;
      const post = await trx
        .updateTable("posts")
        .set({ ...patch, ...(published !== undefined && { published: toFlag(published) }), edits: sql`edits + 1` })
        .where("id", "=", id)
        .returningAll()
        .executeTakeFirstOrThrow();
      return { old: toPost(old), post: toPost(post) };
    });
  }

  async remove(id: number): Promise<Post | undefined> {
    const gone = await this.database.deleteFrom("posts").where("id", "=", id).returningAll().executeTakeFirst();
    return gone && toPost(gone);
  }
}

function toFlag(published: boolean): 0 | 1 {
  return published ? 1 : 0;
}

function toPost(row: Omit<Post, "author" | "published"> & { author: string; published: 0 | 1 }): Post {
  // Nobody else is let into the table.
  return { ...row, author: row.author as Post["author"], published: row.published === 1 };
}
