import type { Server } from "socket.io";
import type { Change } from "socket-ingress/changes/client";
import type { JobUpdate } from "socket-ingress/queue/client";
import { z } from "zod";

export const AUTHORS = ["Ada", "Bea", "Cem"] as const;

const fields = {
  author: z.enum(AUTHORS, "an author has to be one of us"),
  title: z.string().trim().min(1, "a title, please").max(80, "80 characters make a title"),
  text: z.string().trim().max(2_000, "2000 characters, please"),
  published: z.boolean(),
};

export const newPost = z.object({
  ...fields,
  text: fields.text.default(""),
  published: fields.published.default(false),
});
export type NewPost = z.input<typeof newPost>;

export const postPatch = z.object(fields).partial().strict();
export type PostPatch = z.infer<typeof postPatch>;

export interface Post extends z.output<typeof newPost> {
  id: number;
  /** How often it was changed. */
  edits: number;
}

export const followWish = z.object({ post: z.int().positive(), isFollowed: z.boolean() });
export type FollowWish = z.infer<typeof followWish>;

export const exportWish = z.object({ author: z.enum(AUTHORS).optional() });
export type ExportWish = z.infer<typeof exportWish>;

export interface ClientToServer {
  /** Answered, like the next one, with the ids of all posts that are followed. */
  follow(wish: FollowWish, reply: (ids: number[]) => void): void;
  followed(reply: (ids: number[]) => void): void;
  /** Answered with the id of a job, which `trackJob` follows. */
  export(wish: ExportWish, reply: (id: string) => void): void;
}

export interface ServerToClient {
  change(change: Change<Post>): void;
  followed(ids: number[]): void;
  /** What has become of an export of this session. */
  "queue:job"(update: JobUpdate<number, string>): void;
  /** This browser is somebody else now. */
  becameSomebody(name: string): void;
}

/** Posts are read and written over HTTP; the socket tells what has changed, and knows who follows what. */
export type App = Server<ClientToServer, ServerToClient>;
