import type { NewPost, Post, PostPatch } from "../app.js";

/** Asks the server over HTTP. What it refuses is an error with its message. */
async function ask<Answer>(path: string, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(path, init);
  const answer: unknown = response.status === 204 ? undefined : await response.json();
  if (!response.ok) throw new Error((answer as { message: string }).message);
  return answer as Answer;
}

const sending = (method: string, data: unknown): RequestInit => ({
  method,
  headers: { "content-type": "application/json" },
  body: JSON.stringify(data),
});

export const readMe = (): Promise<{ name: string | null }> => ask("me");

export const saveMe = (name: string): Promise<{ name: string }> => ask("me", sending("PUT", { name }));

export const readPosts = (author: string, signal: AbortSignal): Promise<Post[]> =>
  ask(author === "" ? "posts" : `posts?author=${encodeURIComponent(author)}`, { signal });

export const addPost = (post: NewPost): Promise<Post> => ask("posts", sending("POST", post));

export const savePost = (id: number, patch: PostPatch): Promise<Post> => ask(`posts/${id}`, sending("PATCH", patch));

export const removePost = (id: number): Promise<void> => ask(`posts/${id}`, { method: "DELETE" });
