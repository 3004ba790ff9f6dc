import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import express from "express";
import Fastify from "fastify";
import { Hono } from "hono";
import { expect, it } from "vitest";
import { expressChanges, fastifyChanges, honoChanges, type Model, type RouteOptions } from "socket-ingress/changes";
import { followed, type Post, post } from "../followed.js";

/** Sends a request to routes of a post, and of something of a post. */
type Send = (method: string, path: string) => Promise<unknown>;

const written = (id: string, author: string): Post => post(Number(id), { authorId: Number(author) });

async function express5(model: Model<Post>, options: RouteOptions<Post>): Promise<[Send, () => Promise<unknown>]> {
  const app = express();
  const router = express.Router();
  router.put("/:id/author/:author", ({ params }, response) => void response.json(written(params.id, params.author)));
  router.delete("/:id/comments/:comment", (_request, response) => void response.status(204).end());
  router.delete("/:id", (_request, response) => void response.status(204).end());
  app.use("/posts", expressChanges(model, options), router);
  const server = createServer(app).listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return [
    (method, path) => fetch(url + path, { method, headers: { connection: "close" } }),
    async () => {
      server.closeAllConnections();
      server.close();
    },
  ];
}

async function fastify5(model: Model<Post>, options: RouteOptions<Post>): Promise<[Send, () => Promise<unknown>]> {
  const app = Fastify();
  await app.register(
    async (scope) => {
      await scope.register(fastifyChanges(model, options));
      scope.put<{ Params: { id: string; author: string } }>("/:id/author/:author", async ({ params }) =>
        written(params.id, params.author),
      );
      for (const path of ["/:id/comments/:comment", "/:id"])
        scope.delete(path, async (_request, reply) => reply.status(204).send());
    },
    { prefix: "/posts" },
  );
  return [(method, url) => app.inject({ method: method as "PUT", url }), () => app.close()];
}

async function hono4(model: Model<Post>, options: RouteOptions<Post>): Promise<[Send, () => Promise<unknown>]> {
  const app = new Hono();
  app.use("/posts/*", honoChanges(model, options));
  app.put("/posts/:id/author/:author", (context) =>
    context.json(written(context.req.param("id"), context.req.param("author"))),
  );
  app.delete("/posts/:id/comments/:comment", (context) => context.body(null, 204));
  app.delete("/posts/:id", (context) => context.body(null, 204));
  return [async (method, path) => app.request(path, { method }), async () => undefined];
}

it.each([
  ["Express", express5],
  ["Fastify", fastify5],
  ["Hono", hono4],
] as const)(
  "a path of %s that goes on behind the record's id deletes no record, and none is taken for another",
  async (_name, serve) => {
    const topics = ({ authorId }: Post): string[] => [`author/${authorId}`];
    await using door = await followed((changes) => changes.define<Post>("post", { id: ({ id }) => id, topics }));
    const client = await door.enter();
    await client.join("post");
    const [send, close] = await serve(door.models, { loadOld: (id) => post(Number(id)) });
    for (const [method, path] of [
      ["PUT", "/posts/5/author/8"],
      ["DELETE", "/posts/5/comments/9"],
      ["DELETE", "/posts/6"],
    ] as const)
      await send(method, path);
    while ((client.got("change") as { id: unknown }[]).at(-1)?.id !== 6) await client.next("change");
    await client.caughtUp();
    expect(client.got("change")).toMatchObject([
      { method: "PUT", id: 5, payload: { authorId: 8 } },
      { method: "DELETE", id: 6, payload: post(6) },
    ]);
    expect(door.errors.map(([, message]) => message)).toContainEqual(expect.stringContaining("goes on behind"));
    await close();
  },
);
