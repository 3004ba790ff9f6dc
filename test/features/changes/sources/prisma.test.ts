import { describe, expect, it } from "vitest";
import { type ModelDefinition, prismaChanges, type PrismaChangesExtension } from "socket-ingress/changes";
import { followed, type Post, post } from "../followed.js";

const plain: ModelDefinition<Post> = { id: ({ id }) => id };

/** What `$extends` makes of an extension: each query of a model goes through it. No client can be generated without a download. */
function extended(extension: PrismaChangesExtension, rows: Map<number, Post>) {
  const run = (
    operation: string,
    args: { data?: unknown; where?: { id: number }; create?: unknown; update?: unknown },
  ): unknown => {
    const id = args.where?.id ?? 0;
    const old = rows.get(id);
    const write = (row: Post): Post => (rows.set(row.id, row), row);
    switch (operation) {
      case "create":
        return write(args.data as Post);
      case "createManyAndReturn":
        return (args.data as Post[]).map(write);
      case "update":
        if (old === undefined) throw new Error("P2025");
        return write({ ...old, ...(args.data as Partial<Post>) });
      case "upsert":
        return write(old === undefined ? (args.create as Post) : { ...old, ...(args.update as Partial<Post>) });
      case "delete":
        rows.delete(id);
        return old;
      case "findMany":
        return [...rows.values()];
      default:
        return { count: rows.size };
    }
  };
  const { $allOperations } = extension.query.$allModels;
  return (operation: string, args: object = {}, model = "Post"): Promise<unknown> =>
    $allOperations({ model, operation, args, query: async (given: object) => run(operation, given) });
}

describe("an extension of Prisma", () => {
  it("publishes what queries return, and returns it", async () => {
    await using door = await followed((changes) => changes.define<Post>("post", plain));
    const client = await door.enter();
    await client.join("post");
    const query = extended(prismaChanges({ Post: door.models }), new Map());
    expect(await query("create", { data: post(1) })).toEqual(post(1));
    await query("createManyAndReturn", { data: [post(2), post(3)] });
    await query("update", { where: { id: 1 }, data: { title: "b" } });
    await query("upsert", { where: { id: 4 }, create: post(4), update: {} });
    await query("delete", { where: { id: 2 } });
    expect(await query("findMany")).toHaveLength(3);
    expect(await query("updateMany", { data: {} })).toEqual({ count: 3 });
    await query("deleteMany");
    await query("create", { data: post(9) }, "Other");
    await expect(query("update", { where: { id: 99 }, data: {} })).rejects.toThrow("P2025");
    await query("create", { data: post(10), select: { id: true } });
    await client.caughtUp();
    expect(client.got("change")).toMatchObject([
      { method: "POST", id: 1 },
      { method: "POST", many: true, payload: [{ id: 2 }, { id: 3 }] },
      { method: "PATCH", id: 1, payload: { title: "b" } },
      { method: "PUT", id: 4 },
      { method: "DELETE", id: 2, payload: post(2) },
    ]);
    expect(door.errors.map(([, message]) => message)).toEqual(
      ["updateMany only counts", "deleteMany only counts", "select or omit"].map(
        (part) => expect.stringContaining(part) as string,
      ),
    );
  });

  it("leaves raw queries alone, tells a deletion by its id, and says where it can't know what a record was", async () => {
    await using door = await followed((changes) => changes.define<Post>("post", plain));
    const client = await door.enter();
    await client.join("post");
    const rows = new Map([1, 2].map((id) => [id, post(id)]));
    const extension = prismaChanges({ Post: door.models });
    const { $allOperations } = extension.query.$allModels;
    expect(await $allOperations({ operation: "$queryRaw", args: undefined, query: async () => "raw" })).toBe("raw");
    expect(
      await $allOperations({ model: "Post", operation: "create", args: undefined, query: async () => post(5) }),
    ).toEqual(post(5));
    await extended(extension, rows)("delete", { where: { id: 1 }, select: { id: true } });
    await client.caughtUp();
    expect(client.got("change")).toMatchObject([
      { method: "POST", id: 5 },
      { method: "DELETE", id: 1, payload: { id: 1 } },
    ]);

    await using narrow = await followed((changes) =>
      changes.define<Post>("post", { ...plain, topics: ({ authorId }) => [`author/${authorId}`] }),
    );
    const all = prismaChanges({ Post: narrow.models }, { loadOld: (id) => rows.get(Number(id)) }).query.$allModels;
    const done = (operation: string, args: object): Promise<unknown> =>
      all.$allOperations({ model: "Post", operation, args, query: async () => post(2) });
    await done("update", { where: { slug: "a" } });
    await done("upsert", { where: { slug: "a" } });
    await done("delete", { where: { slug: "a" } });
    await done("delete", { where: { id: 2 }, select: { id: true } });
    expect(narrow.errors.map(([, message]) => message)).toEqual(
      ["asked by the id of its where", "select or omit"].map((part) => expect.stringContaining(part) as string),
    );
  });

  it("15. Given a model with narrower topics, Then it asks for `loadOld`, and with it case 10 holds.", async () => {
    await using door = await followed((changes) =>
      changes.define<Post>("post", { ...plain, topics: ({ authorId }) => [`author/${authorId}`] }),
    );
    expect(() => prismaChanges({ Post: door.models })).toThrow(/loadOld/);
    expect(() => prismaChanges({ Post: 5 as never })).toThrow(/expected a model/);
    const client = await door.enter();
    await client.join("post/author/7");
    const rows = new Map([[1, post(1)]]);
    const query = extended(prismaChanges({ Post: door.models }, { loadOld: (id) => rows.get(Number(id)) }), rows);
    await query("update", { where: { id: 1 }, data: { authorId: 8 } });
    await client.caughtUp();
    expect(client.got("change")).toMatchObject([{ method: "DELETE", id: 1, payload: { id: 1 } }]);
    await query("update", { where: { slug: "a" }, data: {} }).catch(() => undefined);
  });
});
