import { expect, it } from "vitest";
import type { ModelDefinition, Watched } from "socket-ingress/changes";
import { followed, type Post, post } from "./followed.js";

const plain: ModelDefinition<Post> = { id: ({ id }) => id };

it("13. Given `watch(Post)`, Then created/updated/deleted with row, old, `changes`; a throwing watcher does not stop the others or the request.", async () => {
  await using door = await followed((changes) => changes.define<Post>("post", plain));
  const heard: Watched<Post>[] = [];
  door.models.watch(function throws() {
    throw new Error("a watcher");
  });
  door.models.watch(async () => {
    throw new Error("a watcher that takes time");
  });
  const off = door.models.watch((watched) => heard.push(watched));
  door.models.created(post(1));
  door.models.updated(post(1, { title: "b" }), post(1));
  door.models.updated([post(1), post(2)]);
  door.models.deleted(post(1));
  expect(heard).toEqual([
    { action: "created", method: "POST", id: 1, row: post(1), old: undefined, changes: undefined },
    {
      action: "updated",
      method: "PATCH",
      id: 1,
      row: post(1, { title: "b" }),
      old: post(1),
      changes: { title: ["post 1", "b"] },
    },
    { action: "updated", method: "PATCH", id: 1, row: post(1), old: undefined, changes: undefined },
    { action: "updated", method: "PATCH", id: 2, row: post(2), old: undefined, changes: undefined },
    { action: "deleted", method: "DELETE", id: 1, row: post(1), old: post(1), changes: undefined },
  ]);
  await new Promise((resolve) => setImmediate(resolve));
  expect(door.errors.filter(([, message]) => message === "Error: a watcher")).toHaveLength(5);
  expect(door.errors[0]).toEqual(["post.watch throws", "Error: a watcher"]);
  expect(door.errors.filter(([, message]) => message === "Error: a watcher that takes time")).toHaveLength(5);
  off();
  off();
  door.models.created(post(3));
  expect(heard).toHaveLength(5);
});

it("a watcher goes with its owner, and may publish itself", async () => {
  await using door = await followed((changes) => ({
    posts: changes.define<Post>("post", plain),
    log: changes.define<{ id: string }>("log", { id: ({ id }) => id }),
  }));
  const { posts, log } = door.models;
  const cleanups: (() => void)[] = [];
  const owner = { addCleanup: (fn: () => void) => cleanups.push(fn) };
  posts.watch(({ action, id }) => log.created({ id: `${action} ${id}` }), { owner });
  const client = await door.enter();
  await client.join("all");
  posts.created(post(1));
  for (const cleanup of cleanups) cleanup();
  posts.created(post(2));
  await client.caughtUp();
  expect(client.got("change")).toMatchObject([
    { model: "post", id: 1 },
    { model: "log", id: "created 1" },
    { model: "post", id: 2 },
  ]);
  expect(() => posts.watch(5 as never)).toThrow(/watch expects a function/);
  expect(() => posts.watch(() => 1, { owner: {} as never })).toThrow(/watch expects an owner/);
});

it("a watcher that is undone is forgotten by its owner", async () => {
  await using door = await followed((changes) => changes.define<Post>("post", { id: ({ id }) => id }));
  const cleanups = new Set<() => unknown>();
  const owner = {
    addCleanup: (fn: () => unknown) => {
      cleanups.add(fn);
      return () => void cleanups.delete(fn);
    },
  };
  const off = door.models.watch(() => undefined, { owner });
  expect(cleanups.size).toBe(1);
  off();
  off();
  expect(cleanups.size).toBe(0);
});
