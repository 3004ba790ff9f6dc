import { describe, expect, it } from "vitest";
import { follow, type ModelDefinition } from "socket-ingress/changes";
import { followed, type Post, post } from "../followed.js";

const plain: ModelDefinition<Post> = { id: ({ id }) => id };
const byAuthor: ModelDefinition<Post> = { ...plain, topics: ({ authorId }) => [`author/${authorId}`] };

/** A repository with private members, over a map. */
class Posts {
  readonly #rows = new Map<number, Post>();
  get(id: number): Post | undefined {
    return this.#rows.get(id);
  }
  async create(row: Post): Promise<Post> {
    this.#rows.set(row.id, row);
    return row;
  }
  async update(id: number, patch: Partial<Post>): Promise<Post | undefined> {
    const old = this.#rows.get(id);
    if (old === undefined) return undefined;
    const row = { ...old, ...patch };
    this.#rows.delete(id);
    this.#rows.set(row.id, row);
    return row;
  }
  async remove(id: number): Promise<Post | undefined> {
    const old = this.#rows.get(id);
    this.#rows.delete(id);
    return old;
  }
  async fails(): Promise<never> {
    throw new Error(`${this.#rows.size} rows`);
  }
}

describe("a repository that is followed", () => {
  it("publishes what it has written, with what it was, and does as it did", async () => {
    await using door = await followed((changes) => changes.define<Post>("post", byAuthor));
    const [client, seven] = [await door.enter(), await door.enter()];
    await client.join("post");
    await seven.join("post/author/7");
    const repository = follow(door.models, new Posts());
    expect(await repository.create(post(1))).toEqual(post(1));
    expect(await repository.update(1, { authorId: 8 })).toEqual(post(1, { authorId: 8 }));
    expect(await repository.update(2, { authorId: 8 })).toBeUndefined();
    expect(await repository.update(1, { id: 3 })).toEqual(post(1, { id: 3, authorId: 8 }));
    expect(await repository.remove(3)).toEqual(post(1, { id: 3, authorId: 8 }));
    expect(await repository.remove(3)).toBeUndefined();
    expect(repository.get(3)).toBeUndefined();
    await expect(repository.fails()).rejects.toThrow("0 rows");
    for (const each of [client, seven]) await each.caughtUp();
    expect(client.got("change")).toMatchObject([
      { method: "POST", id: 1 },
      { method: "PATCH", id: 1, changes: { authorId: [7, 8] } },
      { method: "DELETE", id: 1 },
      { method: "POST", id: 3 },
      { method: "DELETE", id: 3, payload: post(1, { id: 3, authorId: 8 }) },
    ]);
    expect(seven.got("change")).toMatchObject([{ method: "POST" }, { method: "DELETE", payload: { id: 1 } }]);
  });

  it("need not return records where it can be asked for them, and is held back in a transaction", async () => {
    await using door = await followed((changes) => changes.define<Post>("post", byAuthor));
    const client = await door.enter();
    await client.join("post");
    const rows = new Map([[1, post(1)]]);
    const repository = follow(door.models, {
      get: async (id: number) => rows.get(id),
      update: async (id: number, patch: Partial<Post>): Promise<void> =>
        void rows.set(id, { ...(rows.get(id) as Post), ...patch }),
      delete: async (id: number): Promise<boolean> => rows.delete(id),
    });
    await expect(
      door.changes.transaction(async () => {
        await repository.update(1, { title: "never" });
        throw new Error("rolled back");
      }),
    ).rejects.toThrow("rolled back");
    rows.set(1, post(1));
    await door.changes.transaction(() => repository.update(1, { title: "b" }));
    expect(await repository.delete(2)).toBe(false);
    expect(await repository.delete(1)).toBe(true);
    await client.caughtUp();
    expect(client.got("change")).toMatchObject([
      { method: "PATCH", changes: { title: ["post 1", "b"] } },
      { method: "DELETE", payload: { title: "b" } },
    ]);
  });

  it("that can't be asked says the id of what it has removed, and answers at once if it did", async () => {
    await using door = await followed((changes) => changes.define<Post>("post", plain));
    const client = await door.enter();
    await client.join("post");
    const repository = follow(door.models, {
      create: (rows: Post[]) => rows,
      update: (id: number) => id,
      remove: (_id: number): void => undefined,
    });
    expect(repository.create([post(1), post(2)])).toHaveLength(2);
    expect(repository.remove(7)).toBeUndefined();
    expect(repository.update(7)).toBe(7);
    await client.caughtUp();
    expect(client.got("change")).toMatchObject([{ many: true }, { method: "DELETE", id: 7, payload: { id: 7 } }]);
    expect(door.errors).toEqual([["post.follow", expect.stringContaining("update must return the record") as string]]);
  });

  it("may be given records for their ids, and return lists of one", async () => {
    await using door = await followed((changes) => changes.define<Post>("post", byAuthor));
    const [client, seven] = [await door.enter(), await door.enter()];
    await client.join("post");
    await seven.join("post/author/7");
    const rows = new Map([[0, post(0)]]);
    const repository = follow(door.models, {
      get: (id: number) => rows.get(id),
      update: async (row: Post): Promise<Post[]> => [...rows.set(row.id, row).values()],
      delete: async ({ id }: Post): Promise<void> => void rows.delete(id),
    });
    await repository.update(post(0, { authorId: 8 }));
    await repository.delete(post(0));
    for (const each of [client, seven]) await each.caughtUp();
    expect(client.got("change")).toMatchObject([
      { method: "PATCH", many: true, payload: [{ id: 0, authorId: 8 }] },
      { method: "DELETE", id: 0, payload: { authorId: 8 } },
    ]);
    expect(seven.got("change")).toMatchObject([{ method: "DELETE", id: 0, payload: { id: 0 } }]);
    expect(door.errors).toEqual([]);
  });

  it("keeps what is no method, tells nothing of what was not written, and says what it can't tell", async () => {
    await using door = await followed((changes) => changes.define<Post>("post", byAuthor));
    const client = await door.enter();
    await client.join("post");
    const rows = new Map([1, 2, 3].map((id) => [id, post(id)]));
    const repository = follow(
      door.models,
      {
        table: "posts",
        create: (): undefined => undefined,
        update: async (...ids: number[]): Promise<Post[] | undefined> => {
          if (ids[0] === 3) rows.delete(3);
          return ids[0] === 3 ? undefined : ids.map((id) => post(id, { title: "b" }));
        },
        remove: async (..._all: unknown[]): Promise<void> => undefined,
      },
      { loadOld: (id) => rows.get(Number(id)) },
    );
    expect(repository.table).toBe("posts");
    expect(repository.create()).toBeUndefined();
    await repository.update(1, 2);
    await repository.update(3);
    await repository.remove({ where: "title" });
    await client.caughtUp();
    expect(client.got("change")).toMatchObject([{ method: "PATCH", many: true, payload: [{ id: 1 }, { id: 2 }] }]);
    expect(door.errors.map(([, message]) => message)).toEqual(
      ["a list was written", "update must return the record", "remove must be given the id"].map(
        (part) => expect.stringContaining(part) as string,
      ),
    );
  });

  it("15. Given neither `get` nor `loadOld` and a model with narrower topics, Then wiring is a TypeError that names `loadOld`.", async () => {
    await using door = await followed((changes) => changes.define<Post>("post", byAuthor));
    const repository = { create: (row: Post) => row };
    expect(() => follow(door.models, repository)).toThrow(/loadOld/);
    expect(follow(door.models, repository, { loadOld: () => undefined }).create(post(1))).toEqual(post(1));
    for (const wrong of [{}, { get: () => 1 }, undefined, 5])
      expect(() => follow(door.models, wrong as object)).toThrow(/expected a repository with create, update/);
  });
});
