import type { RequestHandler } from "express";
import type { FastifyPluginCallback } from "fastify";
import type { MiddlewareHandler } from "hono";
import type { KyselyPlugin } from "kysely";
import type { Server } from "socket.io";
import {
  type Change,
  Changes,
  expressChanges,
  fastifyChanges,
  follow,
  honoChanges,
  kyselyChanges,
  type Model,
  prismaChanges,
  type RecordId,
} from "socket-ingress/changes";
import type { Realtime } from "socket-ingress/realtime";
import { expectTypeOf } from "vitest";

interface Post {
  id: number;
  title: string;
  authorId: number;
}
interface ServerToClient {
  change(change: Change<Post>): void;
}
type App = Server<Record<string, never>, ServerToClient, Record<string, never>, { user: string }>;

declare const realtime: Realtime<App>;
declare const row: Post;

// --- what compiles ----------------------------------------------------------------------------------------------------------

const changes = new Changes<App>({ realtime, variant: ({ user, socket }) => user ?? socket.data.user });
const posts = changes.define<Post>("post", {
  id: (post) => post.id,
  topics: (post) => [`author/${post.authorId}`],
  fields: { admin: "*", user: ["id", "title"] },
  serialise: (post, variant) => (variant === "user" ? undefined : post),
  mayRead: ({ user, socket }, { field, value }) => field === undefined || value === user || socket.data.user === "root",
  methods: ["POST", "GET"],
});
expectTypeOf(posts).toEqualTypeOf<Model<Post>>();
// The records are inferred from what names them.
expectTypeOf(changes.define("tag", { id: (tag: { name: string }) => tag.name })).toEqualTypeOf<
  Model<{ name: string }>
>();
posts.created(row);
posts.created([row, row]);
posts.updated(row, { ...row, title: "old" });
posts.updated([row], [row]);
posts.deleted(row);
posts.watch(({ action, row: post, old, changes: different }) => {
  expectTypeOf(old).toEqualTypeOf<Post | undefined>();
  if (action === "updated") {
    expectTypeOf(post).toEqualTypeOf<Post>();
    expectTypeOf(different?.title).toEqualTypeOf<[old: string, now: string] | undefined>();
  }
  if (action === "deleted") expectTypeOf(post).toEqualTypeOf<Post | undefined>();
});
expectTypeOf(changes.transaction(async () => 5)).toEqualTypeOf<Promise<number>>();
expectTypeOf(changes.transaction(() => "now")).toEqualTypeOf<Promise<string>>();

const express: RequestHandler = expressChanges(posts, { loadOld: async (id) => ({ ...row, id: Number(id) }) });
const fastify: FastifyPluginCallback = fastifyChanges(posts);
const hono: MiddlewareHandler = honoChanges(posts, { param: "postId" });
const kysely: KyselyPlugin = kyselyChanges({
  post: posts,
  tag: changes.define("tag", { id: (tag: { id: string }) => tag.id }),
});
void [express, fastify, hono, kysely, prismaChanges({ Post: posts })];
const repository = follow(posts, { create: async (title: string) => ({ ...row, title }), count: (): number => 5 });
expectTypeOf(repository.create).parameters.toEqualTypeOf<[title: string]>();
expectTypeOf(repository.count).returns.toEqualTypeOf<number>();

declare const change: Change<Post>;
if (change.many) expectTypeOf(change.id).toEqualTypeOf<null>();
else expectTypeOf(change.id).toEqualTypeOf<RecordId>();

// --- what does not -----------------------------------------------------------------------------------------------------------

// @ts-expect-error -- no record of the model
posts.created({ id: 1 });
// @ts-expect-error -- nothing is published without a record
posts.created();
// @ts-expect-error -- a field that there is not
changes.define<Post>("post", { id: (post) => post.id, fields: { user: ["nothing"] } });
// @ts-expect-error -- an id is needed
changes.define<Post>("post", {});
// @ts-expect-error -- an id is a string or a number
changes.define<Post>("post", { id: () => null });
// @ts-expect-error -- topics are a list
changes.define<Post>("post", { id: (post) => post.id, topics: (post) => `author/${post.authorId}` });
// @ts-expect-error -- a method that nothing can be told of
changes.define<Post>("post", { id: (post) => post.id, methods: ["HEAD"] });
// @ts-expect-error -- the door that it goes through is needed
void new Changes<App>({});
// @ts-expect-error -- another record than the model's
expressChanges(posts, { loadOld: () => ({ id: "x" }) });
// @ts-expect-error -- nothing to be followed
follow(posts, 5);
// @ts-expect-error -- a misspelt option
changes.define<Post>("post", { id: (post) => post.id, coalesce: 5 });
