import { describe, expect, it } from "vitest";
import type { Changes, ModelDefinition } from "socket-ingress/changes";
import { memoryCluster } from "socket-ingress/testing";
import { codeOf } from "../../fixtures/ingress.js";
import { readPositions } from "../realtime/position-reader.js";
import { SharedLog } from "../realtime/two-nodes/history-nodes.js";
import { byRole, followed, type Post, post } from "./followed.js";

const fields: ModelDefinition<Post> = {
  id: ({ id }) => id,
  topics: ({ authorId }) => [`author/${authorId}`],
  fields: { admin: "*", user: ["id", "title"] },
};
const email = "ada@example.org";

describe("what a variant is shown", () => {
  it("is nothing of a list of which it may see no record", async () => {
    const model: ModelDefinition<Post> = {
      id: ({ id }) => id,
      serialise: (row, variant) => (variant === "admin" ? row : undefined),
    };
    await using door = await followed((changes) => changes.define<Post>("post", model), { changes: byRole });
    const [user, admin] = [await door.enter({ user: "user.1" }), await door.enter({ user: "admin.1" })];
    for (const client of [user, admin]) await client.join("post");
    door.models.created([post(1), post(2)]);
    door.models.deleted([post(1), post(2)]);
    for (const client of [user, admin]) await client.caughtUp();
    expect(user.got("change")).toEqual([]);
    expect(admin.got("change")).toMatchObject([
      { method: "POST", many: true },
      { method: "DELETE", many: true },
    ]);
  });

  it("6. Given `fields` hide `email` from `user`, Then no frame to a user, replayed ones included, contains it; admin gets it; joining the admin topic is FORBIDDEN.", async () => {
    await using door = await followed((changes) => changes.define<Post>("post", fields), { changes: byRole });
    const [user, admin, nobody] = [
      await door.enter({ user: "user.1" }),
      await door.enter({ user: "admin.1" }),
      await door.enter(),
    ];
    const frames: unknown[] = [];
    user.socket.onAny((...frame: unknown[]) => frames.push(frame));
    const [reader, root] = [readPositions(user.socket), readPositions(admin.socket)];
    await reader.join("post", "all", "post/author/7");
    await root.join("post", "all", "post/author/7");
    await nobody.join("post");
    for (const topic of ["post/admin", "admin/post", "post:admin", "post/variant/admin/x"])
      expect(codeOf(await user.join(topic)), topic).toBe("FORBIDDEN");
    const publish = (): void => {
      door.models.created(post(1, { email }));
      door.models.updated(post(1, { email: `new ${email}`, title: "b" }), post(1, { email }));
      door.models.updated(post(1, { email, authorId: 8 }), post(1, { email: `new ${email}` }));
      door.models.updated([post(1, { email, authorId: 7 })], [post(1, { email, authorId: 8 })]);
      door.models.deleted(post(1, { email, authorId: 7 }));
    };
    publish();
    await user.caughtUp();
    user.socket.disconnect();
    publish();
    user.socket.connect();
    await reader.rejoined();
    await user.caughtUp();
    await admin.caughtUp();
    await nobody.caughtUp();
    expect(reader.got.length).toBeGreaterThan(10);
    expect(reader.gaps).toEqual([]);
    expect(JSON.stringify(frames)).not.toContain("example.org");
    expect(JSON.stringify(reader.frames)).not.toContain("authorId");
    expect(reader.got[2]).toMatchObject({ method: "PATCH", changes: { title: ["post 1", "b"] } });
    expect(JSON.stringify(root.got)).toContain(`new ${email}`);
    // Who has no variant sees nothing.
    expect(nobody.got("change")).toEqual([]);
  });

  it("is not a record that serialise hides: it comes when it is shown, and goes when it is not", async () => {
    await using door = await followed(
      (changes) =>
        changes.define<Post>("post", {
          ...fields,
          fields: { admin: "*" },
          serialise: (row, variant) =>
            row.title.startsWith("draft") && variant !== "admin" ? undefined : { id: row.id, title: row.title },
        }),
      { changes: { ...byRole, variants: ["user"] } },
    );
    const [user, admin] = [await door.enter({ user: "user.1" }), await door.enter({ user: "admin.1" })];
    for (const client of [user, admin]) await client.join("post");
    const [draft, done] = [post(1, { title: "draft" }), post(1, { title: "done" })];
    door.models.created(draft);
    door.models.updated(post(1, { title: "draft 2" }), draft);
    door.models.updated(done, draft);
    door.models.updated(draft, done);
    door.models.deleted(draft);
    door.models.created([draft, post(2)]);
    for (const client of [user, admin]) await client.caughtUp();
    expect(user.got("change")).toMatchObject([
      { method: "PATCH", id: 1, payload: { id: 1, title: "done" } },
      { method: "DELETE", id: 1, payload: { id: 1 } },
      { method: "POST", many: true, payload: [{ id: 2 }] },
    ]);
    expect(JSON.stringify(user.got("change"))).not.toContain("draft");
    expect(user.got("change")[0]).not.toHaveProperty("changes");
    expect(admin.got("change")).toHaveLength(6);
  });

  it("is nothing of a model that says nothing, which is warned of", async () => {
    await using door = await followed((changes) => changes.define<Post>("post", { id: ({ id }) => id }), {
      changes: byRole,
    });
    const client = await door.enter({ user: "admin.1" });
    await client.join("post");
    door.models.created(post(1));
    await client.caughtUp();
    expect(client.got("change")).toEqual([]);
  });
});

describe("a variant that nobody has named", () => {
  const serialise: ModelDefinition<Post> = {
    id: ({ id }) => id,
    serialise: (row, variant) => ({ ...row, for: variant }),
  };

  it("is published for once a member of it has come, on all nodes", async () => {
    const { adapter } = memoryCluster();
    const log = new SharedLog();
    const node = () =>
      followed((changes) => changes.define<Post>("post", serialise), { changes: byRole, log, server: { adapter } });
    await using one = await node();
    await using two = await node();
    const guest = await one.enter({ user: "guest.1" });
    const answer = await guest.join("post");
    expect(answer.snapshot).toEqual({ view: expect.stringMatching(/^[\w-]{12}\.\w{8}$/) as string });
    two.models.created(post(1));
    await guest.next("change");
    await using three = await node();
    three.models.created(post(2));
    await guest.next("change");
    expect(guest.got("change")).toMatchObject([
      { payload: { id: 1, for: "guest" } },
      { payload: { id: 2, for: "guest" } },
    ]);
    // Another node has published for it since another time, so that what a client has of it may lack something.
    const elsewhere = await (await two.enter({ user: "guest.2" })).join("post");
    expect(elsewhere.snapshot).not.toEqual(answer.snapshot);
  });

  it("has a view that is the same everywhere once it is named", async () => {
    const node = () =>
      followed((changes) => changes.define<Post>("post", serialise), {
        changes: { ...byRole, variants: ["guest", "user"] },
      });
    await using one = await node();
    await using two = await node();
    const views = [];
    for (const [door, user] of [
      [one, "guest.1"],
      [two, "guest.2"],
      [one, "user.1"],
    ] as const)
      views.push(((await (await door.enter({ user })).join("post")).snapshot as { view: string }).view);
    expect(views[0]).toBe(views[1]);
    expect(views[0]).not.toBe(views[2]);
    expect(views[0]).not.toContain("guest");
  });

  it("can't be anything, and there can't be any number", async () => {
    await using door = await followed((changes) => changes.define<Post>("post", serialise), {
      changes: { variant: ({ user }) => (user === "bad" ? (5 as never) : user) },
    });
    expect(codeOf(await (await door.enter({ user: "bad" })).join("post"))).toBe("INTERNAL");
    const client = await door.enter({ user: "v0" });
    const socket = door.served.serverSide(client.socket);
    await client.join("post");
    for (let i = 1; i < 100; i++) await door.realtime.setUser(socket, `v${i}`);
    expect(client.got("ingress:evicted")).toEqual([]);
    await door.realtime.setUser(socket, "one too many");
    await client.caughtUp();
    expect(client.got("ingress:evicted")).toMatchObject([{ topic: "post", code: "INTERNAL" }]);
    expect(door.log.lines.some(({ fields }) => String(fields["err"]).includes("more than 100 variants"))).toBe(true);
  });
});

describe("a login", () => {
  it("14. Given a login (`setUser`) that changes the audience, Then the client is told that it is shown something else, and no old field stays.", async () => {
    await using door = await followed((changes) => changes.define<Post>("post", fields), { changes: byRole });
    const client = await door.enter({ user: "admin.1" });
    const { snapshot } = await client.join("post");
    await client.join("all");
    const socket = door.served.serverSide(client.socket);
    door.models.created(post(1, { email }));
    await client.caughtUp();
    await door.realtime.setUser(socket, "admin.2");
    await client.caughtUp();
    expect(client.got("change:view")).toEqual([]);
    await door.realtime.setUser(socket, "user.1");
    await client.caughtUp();
    const told = client.got("change:view") as { topic: string; view: string }[];
    expect(told.map(({ topic }) => topic).sort()).toEqual(["all", "post"]);
    expect(told[0]?.view).not.toBe((snapshot as { view: string }).view);
    door.models.created(post(2, { email }));
    await client.caughtUp();
    expect(client.got("change")).toMatchObject([{ payload: { email } }, { payload: { id: 2, title: "post 2" } }]);
    expect(JSON.stringify(client.got("change")[1])).not.toContain(email);
    // Left and joined again it is told by the answer.
    await client.leave("post");
    await door.realtime.setUser(socket, "admin.1");
    expect((await client.join("post")).snapshot).toEqual(snapshot);
    await client.caughtUp();
    expect((client.got("change:view") as { topic: string }[]).filter(({ topic }) => topic === "post")).toHaveLength(1);
  });

  it("of more sockets than topics is remembered for those they are in", async () => {
    await using door = await followed((changes) => changes.define<Post>("post", fields), { changes: byRole });
    const client = await door.enter({ user: "user.1" });
    for (let i = 0; i < 300; i++) {
      await client.join(`post/author/${i}`);
      if (i >= 90) await client.leave(`post/author/${i}`);
    }
    await door.realtime.setUser(door.served.serverSide(client.socket), "admin.1");
    await client.caughtUp();
    expect(client.got("change:view")).toHaveLength(90);
  });
});

it("Changes without variants answers joins as it is", async () => {
  await using door = await followed((changes: Changes) => changes.define<Post>("post", { id: ({ id }) => id }));
  expect(await (await door.enter()).join("post")).toEqual({});
});
