import type { Client } from "socket-ingress/client";
import { type List, openList } from "socket-ingress/changes/client";
import type { App, NewPost, Post } from "../app.js";
import { byId, onSubmit, showItems } from "../../page/dom.js";
import { Followed } from "./followed.js";
import { addPost, readPosts, removePost, savePost } from "./api.js";
import { createPostRow, type PostRow } from "./post-row.js";

/** What of the posts is shown. */
interface Choice {
  /** One author's, or everybody's if empty: another topic. */
  author: string;
  /** Only those that are not published: another filter. */
  drafts: boolean;
  order: "newest" | "title";
}

/** Those that are not saved yet have ids below 0, and are the newest. */
const place = ({ id }: Post): number => (id < 0 ? 1e9 - id : id);

const orders: Record<Choice["order"], (one: Post, other: Post) => number> = {
  newest: (one, other) => place(other) - place(one),
  title: (one, other) => one.title.localeCompare(other.title),
};

const statusTexts: Record<string, string> = {
  loading: "loading",
  live: "live",
  stale: "not up to date",
  lost: "lost",
};

/** The list of posts, what chooses from it, and the form that adds to it. */
export function showPosts(client: Client<App>): void {
  const rows = new Map<number, PostRow>();
  let list: List<Post> | undefined;

  const followed = new Followed(client, () => {
    for (const row of rows.values()) row.show();
  });
  const actions = {
    save: (post: Post, patch: Partial<Post>) => {
      const saved = savePost(post.id, patch);
      return list?.optimistically({ ...post, ...patch }, saved) ?? saved;
    },
    remove: (post: Post) => removePost(post.id),
    follow: (post: Post) => followed.flip(post.id),
    isFollowed: (post: Post) => followed.has(post.id),
  };

  const choice = (): Choice => {
    const form = new FormData(byId<HTMLFormElement>("choice"));
    return {
      author: String(form.get("author")),
      drafts: form.has("drafts"),
      order: form.get("order") === "title" ? "title" : "newest",
    };
  };

  const open = (): void => {
    const { author, drafts, order } = choice();
    list?.close();
    list = openList<Post>(client, {
      topic: author === "" ? "post" : `post/author/${author}`,
      load: ({ signal }) => readPosts(author, signal),
      sort: orders[order],
      ...(drafts && { filter: ({ published }: Post) => !published }),
    });
    list.subscribe(({ rows: posts, status, error }) => {
      byId("list-status").textContent = statusTexts[status] ?? status;
      byId("list-status").dataset["state"] = status;
      byId("list-error").textContent = error === undefined ? "" : (error as Error).message;
      byId("posts").ariaBusy = String(status === "loading");
      if (status === "loading" && posts.length === 0) return; // what was shown before stays while another choice loads
      for (const id of rows.keys()) if (!posts.some((post) => post.id === id)) rows.delete(id);
      for (const post of posts) {
        const row = rows.get(post.id);
        if (row) row.show(post);
        else rows.set(post.id, createPostRow(post, actions));
      }
      showItems(
        byId("posts"),
        posts,
        ({ id }) => String(id),
        ({ id }) => (rows.get(id) as PostRow).element,
      );
      byId("count").textContent = `${posts.length} ${posts.length === 1 ? "post" : "posts"}`;
    });
  };

  byId("choice").addEventListener("change", open);
  open();

  let drafted = 0;
  onSubmit("new", async () => {
    const form = byId<HTMLFormElement>("new");
    const given = new FormData(form);
    const post = { author: given.get("author"), title: given.get("title") } as NewPost;
    const title = form.querySelector<HTMLInputElement>("[name=title]");
    byId("new-failed").textContent = "";
    if (title) title.value = "";
    try {
      // It has no id before it is saved: any that no other post has will do.
      const early: Post = { ...post, id: --drafted, text: "", published: false, edits: 0 };
      const saved = addPost(post);
      const { author } = choice();
      await (author === "" || author === post.author ? list?.optimistically(early, saved) : saved);
    } catch (error) {
      // Unless the next one is being written already.
      if (title?.value === "") title.value = post.title;
      byId("new-failed").textContent = (error as Error).message;
    }
  });
}
