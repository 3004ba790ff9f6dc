import { describe, expect, it } from "vitest";
import type { ModelDefinition } from "socket-ingress/changes";
import { deferred } from "../../fixtures/deferred.js";
import { followed, type Post, post } from "./followed.js";

const plain: ModelDefinition<Post> = { id: ({ id }) => id };

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function watched() {
  const door = await followed((changes) => changes.define<Post>("post", plain));
  const client = await door.enter();
  await client.join("post");
  const heard: unknown[] = [];
  door.models.watch(({ id }) => heard.push(id));
  const got = async (): Promise<unknown[]> => {
    await client.caughtUp();
    return (client.got("change") as { id: unknown }[]).map(({ id }) => id);
  };
  return { door, heard, got, posts: door.models, changes: door.changes };
}

describe("a transaction", () => {
  it("7. Given a transaction that rolls back, Then nothing; that commits, Then all of it, after the commit, in order.", async () => {
    const { door, heard, got, posts, changes } = await watched();
    await using _door = door;
    const failed = changes.transaction(async () => {
      posts.created(post(1));
      await turn();
      posts.created(post(2));
      throw new Error("rolled back");
    });
    await expect(failed).rejects.toThrow("rolled back");
    expect([await got(), heard]).toEqual([[], []]);

    const committed = await changes.transaction(async () => {
      posts.created(post(3));
      await turn();
      posts.created([post(4), post(5)]);
      posts.updated(post(6), post(6));
      expect([await got(), heard]).toEqual([[], []]);
      return "value";
    });
    expect(committed).toBe("value");
    expect(heard).toEqual([3, 4, 5, 6]);
    expect(await got()).toEqual([3, null, 6]);
    // Beside it, nothing is held back.
    posts.created(post(7));
    expect(heard.at(-1)).toBe(7);
  });

  it("that is a query, which begins when it is awaited, holds back what that publishes", async () => {
    const { door, heard, posts, changes } = await watched();
    await using _door = door;
    // As Prisma's `$transaction([...])` and the builders of Drizzle are.
    const query = (run: () => Promise<string>): PromiseLike<string> => ({
      then: (resolve, reject) => run().then(resolve, reject),
    });
    const failed = changes.transaction(() =>
      query(async () => {
        posts.created(post(1));
        await turn();
        throw new Error("rolled back");
      }),
    );
    await expect(failed).rejects.toThrow("rolled back");
    const committed = changes.transaction(() =>
      query(async () => {
        posts.created(post(2));
        await turn();
        expect(heard).toEqual([]);
        return "value";
      }),
    );
    expect(await committed).toBe("value");
    expect(heard).toEqual([2]);
  });

  it("inside another one is held back by that, and dropped alone", async () => {
    const { door, heard, posts, changes } = await watched();
    await using _door = door;
    await changes.transaction(async () => {
      posts.created(post(1));
      const inner = changes.transaction(async () => {
        posts.created(post(2));
        await turn();
        posts.created(post(4));
      });
      posts.created(post(3));
      await inner;
      await expect(
        changes.transaction(() => {
          posts.created(post(99));
          throw new Error("inner");
        }),
      ).rejects.toThrow("inner");
      posts.created(post(5));
      expect(heard).toEqual([]);
    });
    // As they were published, whichever held them.
    expect(heard).toEqual([1, 2, 3, 4, 5]);
    await expect(
      changes.transaction(async () => {
        await changes.transaction(() => posts.created(post(98)));
        throw new Error("outer");
      }),
    ).rejects.toThrow("outer");
    expect(heard).toHaveLength(5);
  });

  it("has work that nobody awaited publish as it ended", async () => {
    const { door, heard, posts, changes } = await watched();
    await using _door = door;
    const gate = deferred();
    const late: Promise<unknown>[] = [];
    const work = (id: number): void => {
      late.push(gate.promise.then(() => posts.created(post(id))));
    };
    await changes.transaction(() => work(1));
    await changes.transaction(() => Promise.reject(new Error("no"))).catch(() => undefined);
    await changes
      .transaction(() => {
        work(2);
        throw new Error("no");
      })
      .catch(() => undefined);
    // One that outlives the transaction it is in, itself a transaction.
    await changes.transaction(() => {
      late.push(
        changes.transaction(async () => {
          posts.created(post(3));
          await gate.promise;
        }),
      );
    });
    expect(heard).toEqual([]);
    gate.resolve();
    await Promise.all(late);
    expect(new Set(heard)).toEqual(new Set([1, 3]));
  });

  it("tells records as they were when they were published", async () => {
    const { door, posts, changes } = await watched();
    await using _door = door;
    const titles: string[] = [];
    posts.watch(({ row }) => titles.push(row?.title ?? ""));
    await changes.transaction(() => {
      const row = { ...post(1) };
      posts.created(row);
      Object.assign(row, { title: "later" });
      posts.updated(row, row);
    });
    expect(titles).toEqual(["post 1", "later"]);
  });
});
