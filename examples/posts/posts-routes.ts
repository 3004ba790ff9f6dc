// oxlint-disable oxc/no-async-endpoint-handlers -- Express 5 hands on what a handler rejects with
import express, { type ErrorRequestHandler, type Router } from "express";
import type { Model } from "socket-ingress/changes";
import { z } from "zod";
import { AUTHORS, newPost, type Post, postPatch } from "./app.js";
import type { Written } from "./follower-news.js";
import type { PostsRepository } from "./posts-repository.js";
import { visitorOf } from "./visitors.js";

const which = z.object({ id: z.coerce.number().int() });
const query = z.object({ author: z.enum(AUTHORS).optional() });

/**
 * Reads and writes posts over HTTP; what was written is published.
 *
 * @param onWritten - told who has changed or deleted a post; nothing waits for it
 */
export function postsRoutes(
  repository: PostsRepository,
  posts: Model<Post>,
  onWritten: (written: Written) => Promise<void>,
): Router {
  return express
    .Router()
    .use(express.json({ limit: "20kb" }))
    .get("/", async (request, response) => {
      response.json(await repository.all(query.parse(request.query).author));
    })
    .post("/", async (request, response) => {
      const post = await repository.create(newPost.parse(request.body));
      posts.created(post);
      response.status(201).json(post);
    })
    .patch("/:id", async (request, response) => {
      const written = await repository.update(which.parse(request.params).id, postPatch.parse(request.body));
      if (written === undefined) return void response.status(404).json({ message: "this post is gone" });
      posts.updated(written.post, written.old);
      void onWritten({ action: "updated", post: written.post, by: visitorOf(request)?.name });
      response.json(written.post);
    })
    .delete("/:id", async (request, response) => {
      const gone = await repository.remove(which.parse(request.params).id);
      if (gone === undefined) return void response.status(404).json({ message: "this post is gone" });
      posts.deleted(gone);
      void onWritten({ action: "deleted", post: gone, by: visitorOf(request)?.name });
      response.status(204).end();
    })
    .use(asJson);
}

/** What is wrong, for whoever asked: the first of what the schema found, or no more than that something failed. */
const asJson: ErrorRequestHandler = (error: unknown, _request, response, _next) => {
  if (error instanceof z.ZodError)
    response.status(400).json({ message: error.issues[0]?.message ?? "this does not fit" });
  else if (error instanceof SyntaxError) response.status(400).json({ message: "this is no JSON" });
  else {
    console.error(error);
    response.status(500).json({ message: "the server failed" });
  }
};
