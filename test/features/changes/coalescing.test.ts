import { describe, expect, it } from "vitest";
import type { ModelDefinition } from "socket-ingress/changes";
import { followed, type Post, post } from "./followed.js";

const gathered: ModelDefinition<Post> = {
  id: ({ id }) => id,
  topics: ({ authorId }) => [`author/${authorId}`],
  coalesceMs: 60_000,
};

describe("changes that are gathered", () => {
  it("11. Given 100 updates of one row within `coalesceMs`, Then one change with the first old and the last new value; created+deleted is none.", async () => {
    await using door = await followed((changes) => changes.define<Post>("post", { ...gathered, coalesceMs: 20 }));
    const client = await door.enter();
    await client.join("post");
    for (let i = 1; i <= 100; i++) door.models.updated(post(1, { title: `${i}` }), post(1, { title: `${i - 1}` }));
    door.models.created(post(2));
    door.models.deleted(post(2));
    door.models.created(post(3));
    door.models.updated(post(3, { title: "later" }), post(3));
    await client.next("change");
    await client.next("change");
    await client.caughtUp();
    expect(client.got("change")).toMatchObject([
      { method: "PATCH", id: 1, changes: { title: ["0", "100"] }, payload: { title: "100" } },
      { method: "POST", id: 3, payload: { title: "later" } },
    ]);
  });

  it("come to what happened from the first to the last, in the topics of both", async () => {
    await using door = await followed((changes) => changes.define<Post>("post", gathered));
    const [client, seven] = [await door.enter(), await door.enter()];
    await client.join("post");
    await seven.join("post/author/7");
    const { models } = door;
    models.updated(post(1, { authorId: 8 }), post(1));
    models.deleted(post(1, { authorId: 8 }));
    models.deleted(post(2));
    models.created(post(2, { title: "again" }));
    models.updated(post(4), post(3)); // another id
    models.updated(post(5), post(4));
    // What can't be gathered comes behind what was.
    models.created([post(6)]);
    await client.caughtUp();
    await seven.caughtUp();
    expect(client.got("change")).toMatchObject([
      { method: "DELETE", id: 1, payload: { authorId: 7 } },
      { method: "PATCH", id: 2, changes: { title: ["post 2", "again"] } },
      { method: "DELETE", id: 3 },
      { method: "POST", id: 5 },
      { method: "POST", many: true },
    ]);
    expect((seven.got("change") as { id: number }[])[0]).toMatchObject({ method: "DELETE", id: 1 });
  });

  it("are told to watchers at once, one by one, and as they were", async () => {
    await using door = await followed((changes) => changes.define<Post>("post", gathered));
    const client = await door.enter();
    await client.join("post");
    const heard: string[] = [];
    door.models.watch(({ action }) => heard.push(action));
    const row = { ...post(1) };
    door.models.created(row);
    Object.assign(row, { title: "changed by whoever published" });
    door.models.deleted(post(9));
    expect(heard).toEqual(["created", "deleted"]);
    door.models.created([]);
    door.models.created([post(2)]);
    await client.caughtUp();
    expect(client.got("change")).toMatchObject([{ id: 1, payload: { title: "post 1" } }, { id: 9 }, { many: true }]);
  });

  it("wait in bounds, and are told when the server goes", async () => {
    const door = await followed((changes) => changes.define<Post>("post", gathered));
    const client = await door.enter();
    await client.join("all");
    for (let id = 0; id <= 1_000; id++) door.models.created(post(id));
    await client.caughtUp();
    expect(client.got("change")).toHaveLength(1_001);
    door.models.created(post(5_000));
    await client.caughtUp();
    expect(client.got("change")).toHaveLength(1_001);
    const gone = new Promise((resolve) => client.socket.once("disconnect", resolve));
    await door[Symbol.asyncDispose]();
    await gone;
    expect(client.got("change").at(-1)).toMatchObject({ id: 5_000 });
  });
});
