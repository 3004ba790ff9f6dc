/**
 * Lists that follow: rows that are loaded once, and kept equal to the records of a model by the changes that the server publishes. It
 * needs a client of `socket-ingress/client`, and the server's `socket-ingress/changes`.
 *
 * @example
 * ```ts
 * import { io } from "socket.io-client";
 * import { openList } from "socket-ingress/changes/client";
 * import { createClient } from "socket-ingress/client";
 *
 * interface Post {
 *   id: number;
 *   title: string;
 * }
 *
 * const client = createClient(io("http://localhost:3000"));
 * const list = openList<Post>(client, {
 *   topic: "post",
 *   load: async ({ signal }) => (await fetch("/posts", { signal })).json(),
 *   sort: (one, other) => one.id - other.id,
 * });
 * list.subscribe(({ rows, status }) => console.log(status, rows.map(({ title }) => title).join(", ")));
 * ```
 *
 * @module
 */

export type { Opened, OpenedState, OpenedStatus } from "../../client/opened.js";
export { type List, type ListOptions, type ListState, openList } from "./client/list.js";
export type {
  Change,
  ChangeMethod,
  ChangeOf,
  Deleted,
  Differences,
  ManyChange,
  OneChange,
  RecordId,
} from "./protocol.js";
