import { ClientModule } from "socket-ingress/client";
import { openList } from "socket-ingress/changes/client";
import type { Server } from "socket.io";
import { expect, it, vi } from "vitest";
import { type Post, servePosts } from "./posts-by-hand.js";

it("a module owns a list: it shows its rows, and gives it back when it stops", async () => {
  await using posts = await servePosts();
  posts.create("one");
  class Posts extends ClientModule<Server, { posts: readonly Post[] }> {
    override state: { posts: readonly Post[] } = { posts: [] };
    protected override onStart(): Promise<void> {
      const list = openList<Post>(this.client, { topic: "post", load: () => posts.all() });
      this.addCleanup(list.close);
      list.subscribe(({ rows }) => this.setState({ posts: rows }));
      return list.ready;
    }
  }
  const { client } = await posts.reader();
  const module = new Posts(client);
  await module.start();
  expect(module.state.posts.map(({ title }) => title)).toEqual(["one"]);
  posts.create("two");
  await vi.waitFor(() => expect(module.state.posts.map(({ title }) => title)).toEqual(["one", "two"]));
  await module.stop();
  await vi.waitFor(async () => expect((await posts.realtime.count({ topic: "post" })).sockets).toBe(0));
  await module.start();
  expect(module.state.posts).toHaveLength(2);
  await module.stop();
});
