import type { Database } from "./database.js";

/** Who follows which post. */
export class FollowersRepository {
  private readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  /** The ids of the posts that somebody follows. */
  async followedBy(user: string): Promise<number[]> {
    const rows = await this.database.selectFrom("followers").select("post").where("user", "=", user).execute();
    return rows.map(({ post }) => post);
  }

  async followersOf(post: number): Promise<string[]> {
    const rows = await this.database.selectFrom("followers").select("user").where("post", "=", post).execute();
    return rows.map(({ user }) => user);
  }

  /** A post that is not there has no followers: nothing is written. */
  async follow(post: number, user: string): Promise<void> {
    const { database } = this;
    await database
      .insertInto("followers")
      .columns(["post", "user"])
      .expression((query) =>
        query
          .selectFrom("posts")
          .select(({ val }) => ["id", val(user).as("user")])
          .where("id", "=", post),
      )
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }

  async unfollow(post: number, user: string): Promise<void> {
    await this.database.deleteFrom("followers").where("post", "=", post).where("user", "=", user).execute();
  }

  /** The post is gone. */
  async forget(post: number): Promise<void> {
    await this.database.deleteFrom("followers").where("post", "=", post).execute();
  }
}
