import { describe, expect, it } from "vitest";
import { EventError } from "socket-ingress";
import { Changes, Model, type ModelDefinition } from "socket-ingress/changes";
import { Realtime } from "socket-ingress/realtime";
import { codeOf } from "../../fixtures/ingress.js";
import { serve } from "../../fixtures/serve.js";
import { readPositions } from "../realtime/position-reader.js";
import { followed, type Post, post } from "./followed.js";

const plain: ModelDefinition<Post> = { id: ({ id }) => id };
const byAuthor: ModelDefinition<Post> = { ...plain, topics: ({ authorId }) => [`author/${authorId}`] };

describe("a change that is published", () => {
  it("1. Given clients on `author`, `all`, both, `book`, When author 42 is created by POST, Then the first three get exactly one change, the last none.", async () => {
    await using door = await followed((changes) => ({
      authors: changes.define<{ id: number; name: string }>("author", { id: ({ id }) => id }),
      books: changes.define<Post>("book", plain),
    }));
    const topics = [["author"], ["all"], ["author", "all"], ["book"]];
    const clients = await Promise.all(topics.map(() => door.enter()));
    for (const [i, client] of clients.entries()) for (const topic of topics[i] ?? []) await client.join(topic);
    door.models.authors.created({ id: 42, name: "Ada" });
    for (const client of clients) await client.caughtUp();
    const told = {
      ts: expect.any(Number) as number,
      model: "author",
      method: "POST",
      id: 42,
      many: false,
      payload: { id: 42, name: "Ada" },
    };
    expect(clients.map((client) => client.got("change"))).toEqual([[told], [told], [told], []]);
    // A plain client: one argument and no more.
    expect(clients[0]?.events.map((event) => event.length)).toEqual([2]);
  });

  it("2. Given topic `Author`, Then it is `author`; an unknown one is refused `FORBIDDEN`, as every topic that is not declared.", async () => {
    await using door = await followed((changes) => changes.define<Post>("Author", byAuthor));
    const [client, narrower] = [await door.enter(), await door.enter()];
    expect(door.models.name).toBe("author");
    expect(await client.join("AUTHOR")).toEqual({});
    expect(await narrower.join("Author/author/7")).toEqual({});
    for (const name of ["authors", "author/7", "author/author/7/x", "ALL/x", "author/admin"])
      expect(codeOf(await client.join(name)), name).toBe("FORBIDDEN");
    door.models.created(post(1));
    await client.caughtUp();
    await narrower.caughtUp();
    expect(client.got("change")).toMatchObject([{ model: "author", id: 1 }]);
    expect(narrower.got("change")).toMatchObject([{ model: "author", id: 1 }]);
    expect(await client.leave("AUTHOR")).toEqual({});
    door.models.created(post(2));
    await client.caughtUp();
    expect(client.got("change")).toHaveLength(1);
  });

  it("3. Given a list of rows in one call, Then one change with `many: true, id: null`.", async () => {
    await using door = await followed((changes) => changes.define<Post>("post", plain));
    const client = await door.enter();
    await client.join("post");
    door.models.created([post(1), post(2)]);
    door.models.updated([post(1, { title: "a" })], [post(1)]);
    door.models.deleted([post(1), post(2)]);
    door.models.created([]);
    await client.caughtUp();
    expect(client.got("change")).toMatchObject([
      { method: "POST", many: true, id: null, payload: [{ id: 1 }, { id: 2 }] },
      { method: "PATCH", many: true, id: null, payload: [{ id: 1, title: "a" }] },
      { method: "DELETE", many: true, id: null, payload: [{ id: 1 }, { id: 2 }] },
    ]);
  });

  it("says what is different where what it was is known, and is a PATCH", async () => {
    await using door = await followed((changes) => changes.define<Post>("post", plain));
    const client = await door.enter();
    await client.join("post");
    door.models.updated(post(1, { title: "new" }), post(1, { email: "a@b" }));
    door.models.updated(post(1));
    door.models.deleted(post(1));
    await client.caughtUp();
    const [first, second, third] = client.got("change") as Record<string, unknown>[];
    expect(first).toMatchObject({ method: "PATCH", changes: { title: ["post 1", "new"], email: ["a@b", null] } });
    expect(second).not.toHaveProperty("changes");
    expect(third).toMatchObject({ method: "DELETE", id: 1, payload: post(1) });
  });

  it("16. Given a primary key that changes, Then DELETE of the old and POST of the new id.", async () => {
    await using door = await followed((changes) => changes.define<Post>("post", byAuthor));
    const client = await door.enter();
    await client.join("post");
    door.models.updated(post(2), post(1));
    door.models.updated([post(4), post(5)], [post(3), post(5)]);
    await client.caughtUp();
    expect(client.got("change")).toMatchObject([
      { method: "DELETE", id: 1 },
      { method: "POST", id: 2, payload: post(2) },
      { method: "DELETE", id: 3 },
      { method: "POST", id: 4 },
      { method: "PATCH", id: 5 },
    ]);
  });
});

describe("a narrower topic", () => {
  it("10. Given `author/7` and an update to authorId 8, Then `author/7` sees a DELETE with the id only, `author/8` the row.", async () => {
    await using door = await followed((changes) => changes.define<Post>("post", byAuthor));
    const [seven, eight, all] = [await door.enter(), await door.enter(), await door.enter()];
    await seven.join("post/author/7");
    await eight.join("post/author/8");
    for (const topic of ["post", "all", "post/author/7", "post/author/8"]) await all.join(topic);
    door.models.updated(post(1, { authorId: 8, title: "secret" }), post(1));
    for (const client of [seven, eight, all]) await client.caughtUp();
    const row = { method: "PATCH", id: 1, payload: post(1, { authorId: 8, title: "secret" }) };
    const left = {
      ts: expect.any(Number) as number,
      model: "post",
      method: "DELETE",
      id: 1,
      many: false,
      payload: { id: 1 },
      topic: "post/author/7",
    };
    expect(seven.got("change")).toEqual([left]);
    expect(eight.got("change")).toMatchObject([row]);
    // Who is in all of them ends with the row, and has each once.
    expect(all.got("change")).toMatchObject([left, row]);
    expect(all.got("change:entered")).toEqual([{ topic: "post/author/8", ids: [1] }]);
  });

  it("announces what comes into it, directly before, and nothing else", async () => {
    await using door = await followed((changes) => changes.define<Post>("post", byAuthor));
    const client = await door.enter();
    for (const topic of ["post", "post/author/7"]) await client.join(topic);
    door.models.created(post(1));
    door.models.updated(post(1, { title: "a" }), post(1));
    door.models.created(post(2, { authorId: 8 }));
    door.models.deleted(post(1));
    await client.caughtUp();
    expect(
      client.events.filter(([name]) => name.startsWith("change")).map(([name, data]) => [name, data]),
    ).toMatchObject([
      ["change:entered", { topic: "post/author/7", ids: [1] }],
      ["change", { id: 1, method: "POST" }],
      ["change", { id: 1, method: "PATCH" }],
      ["change", { id: 2, method: "POST" }],
      ["change", { id: 1, method: "DELETE" }],
    ]);
  });

  it("has its own records of a list, and says that they are its own", async () => {
    await using door = await followed((changes) => changes.define<Post>("post", byAuthor));
    const [narrow, wide] = [await door.enter(), await door.enter()];
    await narrow.join("post/author/8");
    await wide.join("post");
    door.models.created([post(1), post(2, { authorId: 8 })]);
    door.models.updated([post(1, { authorId: 8 }), post(2)], [post(1), post(2, { authorId: 8 })]);
    await narrow.caughtUp();
    await wide.caughtUp();
    expect(narrow.got("change")).toMatchObject([
      { many: true, payload: [{ id: 2 }], topic: "post/author/8" },
      { many: false, method: "DELETE", id: 2, payload: { id: 2 } },
      { many: true, method: "PATCH", payload: [{ id: 1 }] },
    ]);
    expect(wide.got("change")).toMatchObject([
      { many: true, payload: [{ id: 1 }, { id: 2 }] },
      { many: true, payload: [{ id: 1 }, { id: 2 }] },
    ]);
    expect(JSON.stringify(wide.got("change"))).not.toContain("author/");
  });

  it("is not told what a record was that its members could not read", async () => {
    await using door = await followed((changes) =>
      changes.define<Post>("post", { ...byAuthor, mayRead: (_context, { value }) => value === "8" }),
    );
    const client = await door.enter();
    await client.join("post/author/8");
    door.models.updated(post(1, { authorId: 8, title: "now" }), post(1, { title: "before" }));
    await client.caughtUp();
    expect(client.got("change")).toMatchObject([{ payload: { title: "now" } }]);
    expect(JSON.stringify(client.events)).not.toContain("before");
  });

  it("whose name can't be one is told to the error subscribers, and the model's own topic has the change", async () => {
    await using door = await followed((changes) =>
      changes.define<Post>("post", { ...plain, topics: ({ title }) => [title] }),
    );
    const client = await door.enter();
    await client.join("post");
    door.models.created(post(1, { title: "a/b/c" }));
    door.models.created(post(2, { title: "a:b/c" }));
    door.models.updated(post(3, { title: "a/b" }));
    await client.caughtUp();
    expect(client.got("change")).toMatchObject([{ id: 1 }, { id: 2 }, { id: 3 }]);
    expect(door.errors).toEqual([
      ["post.created", expect.stringContaining("topics must return a list of field/value") as string],
      ["post.created", expect.stringContaining("topics must return a list of field/value") as string],
      ["post.updated", expect.stringContaining("updated was not told what the record was") as string],
    ]);
  });
});

describe("a policy", () => {
  const mine: ModelDefinition<Post> = {
    ...byAuthor,
    mayRead: ({ user }, { field, value }) => (field === "author" ? value === user : user === "root"),
  };

  it("is asked with what the name of the topic says", async () => {
    await using door = await followed((changes) => changes.define<Post>("post", mine));
    const seven = await door.enter({ user: "7" });
    expect(await seven.join("post/author/7")).toEqual({});
    for (const topic of ["post", "post/author/8", "all"]) expect(codeOf(await seven.join(topic))).toBe("FORBIDDEN");
    const root = await door.enter({ user: "root" });
    expect(await root.join("post")).toEqual({});
  });

  it("refuses the topic of all models to who may not read one of them as a whole", async () => {
    await using door = await followed((changes) => ({
      posts: changes.define<Post>("post", mine),
      books: changes.define<Post>("book", {
        ...plain,
        mayRead: ({ user }) => {
          if (user === undefined) throw new EventError("UNAUTHENTICATED", "sign in");
          return true;
        },
      }),
    }));
    const answers = [];
    for (const as of [{}, { user: "7" }, { user: "root" }])
      answers.push(codeOf(await (await door.enter(as)).join("all")));
    expect(answers).toEqual(["FORBIDDEN", "FORBIDDEN", {}]);
    // One that says who may read it can't come when somebody was let in who was not asked.
    expect(() => door.changes.define<Post>("late", mine)).toThrow(/somebody is in "all"/);
    door.changes.define<Post>("later", plain);
  });
});

describe("wiring", () => {
  const realtime = (): Realtime => new Realtime();

  it("names what does not fit, and leaves nothing behind", async () => {
    const changes = new Changes({ realtime: realtime() });
    const define = (name: unknown, definition: unknown) => (): unknown =>
      changes.define(name as string, definition as ModelDefinition<Post>);
    expect(define("all", plain)).toThrow(/"all" is the topic of all models/);
    expect(define("All", plain)).toThrow(TypeError);
    for (const name of ["", "a/b", "a:b", "a b", "{a}", 5])
      expect(define(name, plain), String(name)).toThrow(/a model needs a name/);
    expect(define("post", undefined)).toThrow(TypeError);
    expect(define("post", {})).toThrow(/model "post": id must be a function/);
    expect(define("post", { ...plain, feilds: {} })).toThrow(/there is no option "feilds"/);
    expect(define("post", { ...plain, coalesceMs: -1 })).toThrow(/coalesceMs must be whole milliseconds/);
    expect(define("post", { ...plain, methods: ["HEAD"] })).toThrow(/methods must be a list of POST/);
    expect(define("post", { ...plain, fields: { user: ["id"] } })).toThrow(/give Changes the option variant/);
    expect(changes.define("post", plain)).toBeInstanceOf(Model);
    expect(define("Post", plain)).toThrow(/there is a model "post" already/);
    expect(() => new Changes({} as never)).toThrow(/realtime must be the Realtime/);
    expect(() => new Changes({ realtime: realtime(), variants: ["a"] })).toThrow(
      /variants name what the option variant/,
    );
    expect(() => new Changes({ realtime: realtime(), prefix: "{a}" })).toThrow(/prefix must be a string/);
    expect(() => new Changes({ realtime: realtime(), history: { keep: 0 } })).toThrow(/history.keep/);
  });

  it("refuses a name that is taken, and has a prefix for applications that have such topics", async () => {
    const door = realtime();
    door.topics.define("all", { public: true });
    expect(() => new Changes({ realtime: door })).toThrow(/topic "all" is defined already/);
    door.topics.define("db:post/{x}/{y}", { public: true });
    const changes = new Changes({ realtime: door, prefix: "db:" });
    expect(() => changes.define("post", byAuthor)).toThrow(/is defined already/);
    // Both topics of a model, or none.
    expect(door.topics.match("db:post")).toBeUndefined();
    changes.define("book", byAuthor);
    expect(["db:all", "db:book", "db:book/author/7"].map((name) => door.topics.match(name) !== undefined)).toEqual([
      true,
      true,
      true,
    ]);
  });

  it("tells its topics by their prefix, and says so on the wire", async () => {
    await using door = await followed((changes) => changes.define<Post>("post", byAuthor), {
      changes: { prefix: "db:" },
    });
    const client = await door.enter();
    for (const topic of ["db:all", "DB:Post/author/7"]) expect(await client.join(topic)).not.toHaveProperty("error");
    door.models.created(post(1));
    await client.caughtUp();
    expect(client.got("change")).toMatchObject([{ model: "post" }]);
    expect(client.got("change:entered")).toEqual([{ topic: "db:post/author/7", ids: [1] }]);
  });

  it("is part of what the topics are described by", async () => {
    await using door = await followed((changes) => changes.define<Post>("post", byAuthor), {
      changes: { history: { keep: 5 } },
    });
    const described = door.realtime.topics.describe();
    expect(described.map(({ pattern, policy }) => [pattern, policy])).toEqual([
      ["all", "join"],
      ["post", "public"],
      ["post/{field}/{value}", "public"],
    ]);
    expect(described.every(({ history }) => history?.keep === 5)).toBe(true);
  });
});

describe("publishing", () => {
  it("never throws: before the door is set up, after it was torn down, and whatever is given", async () => {
    const realtime = new Realtime();
    const changes = new Changes({ realtime });
    const posts = changes.define<Post>("post", byAuthor);
    const heard: unknown[] = [];
    posts.watch(({ action }) => heard.push(action));
    posts.created(post(1));
    await using served = await serve();
    await realtime.setup(served.io);
    await changes.setup(served.io);
    posts.deleted(post(1));
    await changes.teardown();
    posts.updated(post(1), post(1));
    await realtime.teardown();
    posts.created(post(2));
    for (const wrong of [undefined, null, 5, "x", {}, [undefined], { id: {} }]) {
      posts.created(wrong as never);
      posts.updated(wrong as never, wrong as never);
      posts.deleted(wrong as never);
    }
    posts.updated([post(1)], post(1));
    expect(heard).toEqual(["created", "deleted", "updated", "created"]);
  });

  it("5. Given the serialiser throws, or a payload is circular or has a BigInt, Then the error hook is told (and may throw), connections stay, and the next change arrives with no gap told.", async () => {
    await using door = await followed((changes) =>
      changes.define<Post>("post", {
        ...plain,
        serialise: (row) => {
          if (row.title === "throw") throw new Error("no shape");
          if (row.title === "promise") return Promise.reject(new Error("later"));
          return row;
        },
      }),
    );
    door.ingress.subscribeErrorDefault(() => {
      throw new Error("the hook itself");
    });
    const client = await door.enter();
    const reader = readPositions(client.socket);
    await reader.join("post");
    const circular: Record<string, unknown> = { ...post(3) };
    circular["self"] = circular;
    door.models.created(post(1, { title: "throw" }));
    door.models.created(post(1, { title: "promise" }));
    door.models.created({ ...post(2), size: 1n } as never);
    door.models.created(circular as never);
    door.models.created(post(4));
    await client.caughtUp();
    expect(reader.got).toMatchObject([{ id: 4 }]);
    expect(reader.gaps).toEqual([]);
    expect(client.socket.connected).toBe(true);
    expect(door.errors.map(([method, message]) => [method, message.slice(0, 30)])).toEqual(
      [
        ["post.created", "Error: no shape"],
        ["post.created", 'TypeError: model "post": serial'],
        ["post.created", 'TypeError: "change": a push to '],
        ["post.created", 'TypeError: "change": a push to '],
      ].map(([method, message]) => [method, (message as string).slice(0, 30)]),
    );
  });

  it("8. Given a client that missed 3 of 1000 kept, Then it is sent 3; none, nothing; more than kept, or a new epoch, or a position from the future, a gap.", async () => {
    await using door = await followed((changes) => changes.define<Post>("post", plain), {
      changes: { history: { keep: 10 } },
    });
    const client = await door.enter();
    const reader = readPositions(client.socket, { byHand: true });
    await reader.join("post");
    const away = async (count: number, at?: readonly [string, number]): Promise<void> => {
      client.socket.disconnect();
      for (let i = 0; i < count; i++) door.models.created(post(i));
      if (at) reader.position = at;
      const back = new Promise<void>((resolve) => client.socket.once("connect", resolve));
      client.socket.connect();
      await back;
      await reader.rejoin();
      await client.caughtUp();
    };
    door.models.created(post(0));
    await client.caughtUp();
    const had = (): number => reader.got.length;
    expect(had()).toBe(1);
    await away(3);
    expect([had(), reader.gaps]).toEqual([4, []]);
    await away(0);
    expect([had(), reader.gaps]).toEqual([4, []]);
    await away(11);
    expect([had(), reader.gaps]).toEqual([4, ["post"]]);
    await away(0, ["another", 3]);
    expect([had(), reader.gaps]).toEqual([4, ["post", "post"]]);
    await away(0, [reader.position?.[0] ?? "", 99_999]);
    expect([had(), reader.gaps]).toEqual([4, ["post", "post", "post"]]);
  });
});
