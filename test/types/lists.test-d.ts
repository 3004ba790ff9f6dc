import type { Server } from "socket.io";
import { type Change, type List, type ListState, openList } from "socket-ingress/changes/client";
import { type Client, ClientModule } from "socket-ingress/client";
import { expectTypeOf } from "vitest";

interface Post {
  id: number;
  title: string;
}
interface ServerToClient {
  change(change: Change<Post>): void;
}
type App = Server<{ posts(reply: (rows: Post[]) => void): void }, ServerToClient>;
type Other = Server<Record<string, never>, { hello(): void }>;

declare const client: Client<App>;
declare const other: Client<Other>;
declare const row: Post;

// --- what compiles ----------------------------------------------------------------------------------------------------------

const list = openList<Post>(client, {
  topic: "post",
  load: ({ signal }) => client.with({ signal }).call("posts"),
  id: ({ id }) => id,
  filter: ({ title }) => title !== "",
  sort: (one, another) => one.id - another.id,
});
expectTypeOf(list).toEqualTypeOf<List<Post>>();
expectTypeOf(list.getSnapshot()).toEqualTypeOf<ListState<Post>>();
expectTypeOf(list.getSnapshot().rows).toEqualTypeOf<readonly Post[]>();
expectTypeOf(list.getSnapshot().status).toEqualTypeOf<"loading" | "live" | "stale" | "lost">();
expectTypeOf(list.ready).toEqualTypeOf<Promise<void>>();
expectTypeOf(list.subscribe(({ rows }) => rows.length)).toEqualTypeOf<() => void>();
// What is given is given back, whatever it resolves with.
expectTypeOf(list.optimistically(row, Promise.resolve(7))).toEqualTypeOf<Promise<number>>();
// Rows are what `load` gives, an application need not know of the event, and what is at hand is no promise.
expectTypeOf(openList(other, { topic: "post", load: () => [row] })).toEqualTypeOf<List<Post>>();
openList<Post>(client, { topic: "post", load: async () => (await fetch("/posts")).json() as Promise<Post[]> });
class Posts extends ClientModule<App, { posts: readonly Post[] }> {
  protected override onStart(): Promise<void> {
    const own = openList<Post>(this.client, { topic: "post", load: () => [row] });
    this.addCleanup(own.close);
    return own.ready;
  }
}
expectTypeOf(new Posts(client).state.posts).toEqualTypeOf<readonly Post[]>();

// --- what does not ----------------------------------------------------------------------------------------------------------

// @ts-expect-error a topic is missing
openList<Post>(client, { load: () => [row] });
// @ts-expect-error what loads is missing
openList<Post>(client, { topic: "post" });
// @ts-expect-error these are no posts
openList<Post>(client, { topic: "post", load: () => [{ id: 1 }] });
// @ts-expect-error no list of rows
openList<Post>(client, { topic: "post", load: async () => row });
// @ts-expect-error rows are objects
openList<string>(client, { topic: "post", load: () => ["row"] });
// @ts-expect-error an id is a string or a number
openList<Post>(client, { topic: "post", load: () => [row], id: () => row });
// @ts-expect-error a post has no name
openList<Post>(client, { topic: "post", load: () => [row], filter: ({ name }) => name });
// @ts-expect-error an order is a number
openList<Post>(client, { topic: "post", load: () => [row], sort: (one, another) => one.title < another.title });
// @ts-expect-error no such option
openList<Post>(client, { topic: "post", load: () => [row], event: "change" });
// @ts-expect-error no client
openList<Post>(client.socket, { topic: "post", load: () => [row] });
// @ts-expect-error a row of another kind
void list.optimistically({ id: 1 }, Promise.resolve());
// @ts-expect-error nothing to wait for
void list.optimistically(row, row);
// @ts-expect-error what is shown is not written to
list.getSnapshot().rows.push(row);
// @ts-expect-error no such status
void (list.getSnapshot().status === "ready");
