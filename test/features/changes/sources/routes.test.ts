import { once } from "node:events";
import { request } from "node:http";
import type { AddressInfo } from "node:net";
import express from "express";
import Fastify from "fastify";
import { Hono } from "hono";
import { describe, expect, it } from "vitest";
import { expressChanges, fastifyChanges, honoChanges, type ModelDefinition } from "socket-ingress/changes";
import { deferred } from "../../../fixtures/deferred.js";
import { byRole, followed, type Post, post } from "../followed.js";
import { onNode, type Work, withExpress, withFastify, withHono } from "./servers.js";

const plain: ModelDefinition<Post> = { id: ({ id }) => id };
const byAuthor: ModelDefinition<Post> = { ...plain, topics: ({ authorId }) => [`author/${authorId}`] };

async function server(definition: ModelDefinition<Post>, options: Parameters<typeof followed>[1] = {}) {
  const door = await followed((changes) => changes.define<Post>("post", definition), options);
  const client = await door.enter({ user: "admin.1" });
  await client.join("post");
  return { door, client, posts: door.models };
}

describe.each([
  ["Express", withExpress],
  ["Fastify", withFastify],
  ["Hono", withHono],
] as const)("the routes of %s", (_name, serve) => {
  it("4. When a route answers 404/500/GET, Then nothing; 204 on DELETE /7, Then `DELETE` of 7.", async () => {
    const { door, client, posts } = await server(plain);
    await using _door = door;
    const answers: Record<string, Awaited<ReturnType<Work>>> = {
      "GET ": { status: 200, body: [post(1)] },
      "GET 7": { status: 200, body: post(7) },
      "POST ": { status: 201, body: post(42) },
      "PUT 7": { status: 200, body: post(7, { title: "put" }) },
      "PATCH 7": { status: 200, body: post(7, { title: "patch" }) },
      "PATCH 404": { status: 404, body: { error: "none" } },
      "DELETE 7": { status: 204 },
      "DELETE 8": { status: 200, body: { ok: true } },
      "DELETE 9": { status: 200, body: post(9) },
    };
    await using routes = await serve(posts, (method, id) => {
      const answer = answers[`${method} ${id ?? ""}`];
      if (answer === undefined) throw new Error("the route fails");
      return answer;
    });
    const statuses = [];
    for (const [method, id] of [
      ["GET", ""],
      ["GET", "7"],
      ["PATCH", "404"],
      ["POST", "500"],
      ["POST", ""],
      ["PUT", "7"],
      ["PATCH", "7"],
      ["DELETE", "7"],
      ["DELETE", "8"],
      ["DELETE", "9"],
    ] as const)
      statuses.push((await routes.send(method, id === "" ? "/posts" : `/posts/${id}`)).status);
    expect(statuses).toEqual([200, 200, 404, 500, 201, 200, 200, 204, 200, 200]);
    for (let i = 0; i < 6; i++) await client.next("change");
    await client.caughtUp();
    expect(client.got("change")).toMatchObject([
      { method: "POST", id: 42, many: false, payload: post(42) },
      { method: "PUT", id: 7, payload: { title: "put" } },
      { method: "PATCH", id: 7, payload: { title: "patch" } },
      { method: "DELETE", id: 7, many: false, payload: { id: 7 } },
      { method: "DELETE", id: 8, payload: { id: 8 } },
      { method: "DELETE", id: 9, payload: post(9) },
    ]);
    expect(door.errors).toEqual([]);
  });

  it("says that it is not known what the records of a written list were, and tells of a list that was deleted", async () => {
    const { door, client, posts } = await server(byAuthor);
    await using _door = door;
    const body = [post(1), post(2)];
    await using routes = await serve(posts, () => ({ status: 200, body }), { loadOld: () => undefined });
    for (const method of ["PUT", "PATCH", "DELETE"]) {
      await routes.send(method, "/posts");
      expect(await client.next("change")).toMatchObject({ method, many: true, payload: [{ id: 1 }, { id: 2 }] });
    }
    expect(door.errors).toEqual([[expect.any(String), expect.stringContaining("a list was written")]]);
  });

  it("3. Given a list of rows in one response, Then one change with `many: true, id: null`; GET only where it is asked for.", async () => {
    const { door, client, posts } = await server({ ...plain, methods: ["GET", "POST"] });
    await using _door = door;
    await using routes = await serve(posts, (method) => ({
      status: 200,
      body: method === "GET" ? [post(1), post(2)] : [post(3)],
    }));
    const heard: unknown[] = [];
    posts.watch(({ id }) => heard.push(id));
    await routes.send("GET", "/posts");
    await client.next("change");
    await routes.send("PUT", "/posts/1");
    await routes.send("POST", "/posts");
    await client.next("change");
    await client.caughtUp();
    expect(client.got("change")).toMatchObject([
      { method: "GET", many: true, id: null, payload: [{ id: 1 }, { id: 2 }] },
      { method: "POST", many: true, id: null, payload: [{ id: 3 }] },
    ]);
    // Nothing has happened to what was read.
    expect(heard).toEqual([3]);
  });

  it("publish never before the response has left", async () => {
    const { door, client, posts } = await server(plain);
    await using _door = door;
    const order: string[] = [];
    posts.watch(() => order.push("published"));
    const big = "x".repeat(20_000_000);
    await using routes = await serve(posts, () => ({ status: 201, body: post(1, { title: big }) }));
    await new Promise<void>((resolve, reject) => {
      const sent = request(`${routes.url}/posts`, { method: "POST" }, (response) => {
        // Nobody reads: it can't have left.
        setTimeout(() => {
          order.push("read");
          response.on("end", resolve).on("error", reject).resume();
        }, 100);
      });
      sent.on("error", reject).end();
    });
    await expect.poll(() => order).toEqual(["read", "published"]);
    expect(client.socket.connected).toBe(true);
  });

  it("5. Given the serialiser throws, Then the response is as it was, and the next change arrives.", async () => {
    const { door, client, posts } = await server({
      ...plain,
      serialise: (row) => {
        if (row.title === "bad") throw new Error("no shape");
        return row;
      },
    });
    await using _door = door;
    let n = 0;
    await using routes = await serve(posts, () => ({
      status: 201,
      body: post(++n, { title: n === 1 ? "bad" : "good" }),
    }));
    const { status, text } = await routes.send("POST", "/posts");
    expect([status, JSON.parse(text)]).toEqual([201, post(1, { title: "bad" })]);
    await routes.send("POST", "/posts");
    await client.next("change");
    expect(client.got("change")).toMatchObject([{ id: 2 }]);
    expect(door.errors).toEqual(
      [["post.created", "Error: no shape"]].map(([, message]) => [expect.any(String) as string, message]),
    );
  });

  it("15. Given a source without old records and a model with narrower topics, Then wiring is a TypeError that names `loadOld`; with it, case 10 holds.", async () => {
    const { door, client, posts } = await server(byAuthor);
    await using _door = door;
    await expect(serve(posts, () => ({ status: 200 }))).rejects.toThrow(/has narrower topics.*loadOld/);
    const [seven, eight] = [await door.enter(), await door.enter()];
    await seven.join("post/author/7");
    await eight.join("post/author/8");
    const table = new Map<number, Post>([
      [1, post(1)],
      [2, post(2)],
    ]);
    const asked: unknown[] = [];
    const work: Work = async (method, id) => {
      const key = Number(id);
      if (method === "DELETE") return { status: table.delete(key) || key > 100 ? 204 : 404 };
      const row = { ...(table.get(key) as Post), authorId: 8 };
      table.set(key, row);
      // An answer that says nothing of the record: it is looked up.
      return { status: 200, body: key === 2 ? { ok: true } : row };
    };
    await using routes = await serve(posts, work, {
      loadOld: async (id, model) => {
        asked.push([id, model]);
        if (id === 13) throw new Error("the database is down");
        return table.get(Number(id));
      },
    });
    await routes.send("PATCH", "/posts/1");
    await client.next("change");
    await routes.send("PATCH", "/posts/2");
    await client.next("change");
    await routes.send("DELETE", "/posts/101"); // there was none
    await routes.send("DELETE", "/posts/1");
    await client.next("change");
    for (const each of [client, seven, eight]) await each.caughtUp();
    expect(seven.got("change")).toMatchObject([
      { method: "DELETE", id: 1, payload: { id: 1 } },
      { method: "DELETE", id: 2, payload: { id: 2 } },
    ]);
    expect(eight.got("change")).toMatchObject([
      { method: "PATCH", id: 1, payload: post(1, { authorId: 8 }), changes: { authorId: [7, 8] } },
      { method: "PATCH", id: 2, payload: post(2, { authorId: 8 }) },
      { method: "DELETE", id: 1 },
    ]);
    expect(client.got("change")).toHaveLength(3);
    expect(asked[0]).toEqual([1, "post"]);
    // One that fails keeps no request.
    expect((await routes.send("PATCH", "/posts/13")).status).toBe(200);
    await expect.poll(() => door.errors.some(([, message]) => message.includes("the database is down"))).toBe(true);
  });

  it("29. delay no request by publishing, and hide what fields hide", async () => {
    const { door, client, posts } = await server({ ...plain, fields: { admin: ["id", "title"] } }, { changes: byRole });
    await using _door = door;
    await using routes = await serve(posts, () => ({ status: 201, body: post(1, { email: "a@b" }) }));
    expect(JSON.parse((await routes.send("POST", "/posts")).text)).toEqual(post(1, { email: "a@b" }));
    await client.next("change");
    expect(client.got("change")).toMatchObject([{ payload: { id: 1, title: "post 1" } }]);
    expect(JSON.stringify(client.got("change"))).not.toContain("a@b");
  });

  it("say once that an answer is not the record", async () => {
    const { door, client, posts } = await server(plain);
    await using _door = door;
    await using routes = await serve(posts, (method) => ({
      status: 200,
      ...(method === "POST" && { body: { ok: true } }),
    }));
    await routes.send("POST", "/posts");
    await routes.send("PUT", "/posts/7");
    await routes.send("DELETE", "/posts");
    await expect.poll(() => door.errors.length).toBe(1);
    await client.caughtUp();
    expect(door.errors[0]?.[1]).toContain("must be the record");
    // And of a deletion without a record nobody knows what has gone.
    expect(client.got("change")).toEqual([]);
  });
});

it.each([
  ["Express", withExpress],
  ["Fastify", withFastify],
  ["Hono", withHono],
] as const)(
  "a response of %s whose client has gone is published all the same, as the record was written",
  async (_name, serve) => {
    const { door, client, posts } = await server(plain);
    await using _door = door;
    const gone = deferred();
    const asked = deferred();
    await using routes = await serve(posts, async () => {
      asked.resolve();
      await gone.promise;
      return { status: 201, body: post(1) };
    });
    const sent = request(`${routes.url}/posts`, { method: "POST" });
    sent.on("error", () => undefined).end();
    await asked.promise;
    sent.destroy();
    setTimeout(gone.resolve, 50);
    expect(await client.next("change")).toMatchObject({ id: 1 });
  },
);

it("what loadOld finds may be a list of one, and what is no record is not taken for it", async () => {
  const { door, client, posts } = await server(byAuthor);
  await using _door = door;
  let found: unknown;
  const app = new Hono();
  app.use("/posts/*", honoChanges(posts, { loadOld: () => found as Post }));
  app.patch("/posts/:id", (context) => context.json(post(1, { authorId: 8 })));
  app.delete("/posts/:id", (context) => context.body(null, 204));
  const send = async (method: string, old: unknown): Promise<unknown> => {
    found = old;
    await app.request("/posts/1", { method });
    return client.next("change");
  };
  expect(await send("PATCH", [post(1)])).toMatchObject({ method: "PATCH", changes: { authorId: [7, 8] } });
  expect(await send("DELETE", [post(1)])).toMatchObject({ method: "DELETE", payload: post(1) });
  for (const wrong of [[post(1), post(2)], "a text", 5, { title: "no id" }]) {
    expect(await send("PATCH", wrong)).not.toHaveProperty("changes");
    expect(await send("DELETE", wrong)).toMatchObject({ method: "DELETE", id: 1, payload: { id: 1 } });
  }
  expect(door.errors).toHaveLength(8);
  expect(door.errors[0]).toEqual([
    "post.honoChanges loadOld",
    'TypeError: model "post": expected to find the record, got an array',
  ]);
  found = [];
  await app.request("/posts/1", { method: "DELETE" });
  await client.caughtUp();
  expect(client.got("change")).toHaveLength(10);
});

it("ids that are strings stay strings, whatever they look like", async () => {
  const door = await followed((changes) => changes.define<{ id: string }>("tag", { id: ({ id }) => id }));
  await using _door = door;
  const client = await door.enter();
  await client.join("tag");
  door.models.created({ id: "7" });
  const app = new Hono();
  app.use("/tags/*", honoChanges(door.models));
  app.delete("/tags/:id", (context) => context.body(null, 204));
  for (const id of ["7", "a%20b", "%E0%A4%A"]) await app.request(`/tags/${id}`, { method: "DELETE" });
  for (let i = 0; i < 4; i++) await client.next("change");
  expect((client.got("change") as { id: unknown }[]).map(({ id }) => id)).toEqual(["7", "7", "a b", "%E0%A4%A"]);
});

it("a source is given a model, and options that fit", async () => {
  const { door, posts } = await server(plain);
  await using _door = door;
  for (const source of [expressChanges, fastifyChanges, honoChanges]) {
    expect(() => source(undefined as never)).toThrow(/expected a model, as Changes.define returns it/);
    expect(() => source(posts, { loadOld: 5 as never })).toThrow(/loadOld must be a function/);
  }
});

it("a record is called by the parameter that its path ends with, and by none of another record", async () => {
  const { door, client, posts } = await server(plain);
  await using _door = door;
  const app = new Hono();
  app.use("/authors/:author/posts/*", honoChanges(posts));
  app.delete("/authors/:author/posts", (context) => context.body(null, 204));
  app.delete("/authors/:author/posts/:key", (context) => context.body(null, 204));
  for (const path of ["/authors/5/posts", "/authors/5/posts/7", "/authors/5/posts/8/?all=1"])
    await app.request(path, { method: "DELETE" });
  await client.next("change");
  await client.caughtUp();
  expect((client.got("change") as { id: unknown }[]).map(({ id }) => id)).toEqual([7]);
});

it.each(["in the process", "behind Node's server"])(
  "a route of Hono %s, inside a transaction, is told when that has committed, and not if it failed",
  async (where) => {
    const { door, client, posts } = await server(plain);
    await using _door = door;
    const app = new Hono();
    app.use("/posts/*", async (context, next) => {
      await door.changes.transaction(async () => {
        await next();
        if (context.req.path.endsWith("8")) throw new Error("rolled back");
      });
    });
    app.use("/posts/*", honoChanges(posts));
    app.put("/posts/:id", (context) => context.json(post(Number(context.req.param("id")))));
    app.onError((_error, context) => context.text("failed", 500));
    const isServed = where !== "in the process";
    await using routes = isServed ? await onNode(app) : undefined;
    const statuses = [];
    for (const id of [7, 8, 9]) {
      const path = `/posts/${id}`;
      const { status } = await (routes?.send("PUT", path) ?? app.request(path, { method: "PUT" }));
      statuses.push(status);
    }
    expect(statuses).toEqual([200, 500, 200]);
    for (const id of [7, 9]) expect(await client.next("change")).toMatchObject({ id });
    await client.caughtUp();
    expect(client.got("change")).toHaveLength(2);
  },
);

it.each(["Express", "Fastify"])(
  "a transaction in a route of %s has the last word, though it was answered",
  async (name) => {
    const { door, client, posts } = await server(plain);
    await using _door = door;
    const answer = (id: number, send: (row: Post) => unknown): Promise<unknown> =>
      door.changes
        .transaction(() => {
          send(post(id));
          if (id === 8) throw new Error("not committed");
        })
        .catch(() => undefined);
    const [expressed, fastified] = [express(), Fastify()];
    expressed.put("/posts/:id", expressChanges(posts), ({ params }, response) => {
      void answer(Number(params["id"]), (row) => response.json(row));
    });
    await fastified.register(fastifyChanges(posts));
    fastified.put<{ Params: { id: string } }>("/posts/:id", async ({ params }, reply) => {
      await answer(Number(params.id), (row) => reply.send(row));
      return reply;
    });
    const http = name === "Express" ? expressed.listen(0, "127.0.0.1") : fastified.server;
    if (name === "Fastify") await fastified.listen({ port: 0, host: "127.0.0.1" });
    else await once(http, "listening");
    const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
    for (const id of [7, 8, 9])
      await (await fetch(`${url}/posts/${id}`, { method: "PUT", headers: { connection: "close" } })).text();
    for (const id of [7, 9]) expect(await client.next("change")).toMatchObject({ id });
    await client.caughtUp();
    expect(client.got("change")).toHaveLength(2);
    if (name === "Express") http.close();
    await fastified.close();
  },
);
