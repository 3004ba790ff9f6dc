import { loopTime } from "../fixtures/loop-time.js";
import { describe, expect, it } from "vitest";
import type { Change, Entered, ModelDefinition, RecordId } from "socket-ingress/changes";
import { followed, byRole, type Post, post } from "../features/changes/followed.js";
import { readPositions } from "../features/realtime/position-reader.js";

// The promises of changes that the server keeps, over real sockets and in memory. What a list of the browser does with it is in
// test/features/changes, where its client is; nodes over Redis are beside that.

const definition: ModelDefinition<Post> = {
  id: ({ id }) => id,
  topics: ({ authorId }) => [`author/${authorId}`],
  fields: { admin: "*", user: ["id", "title"] },
};

/** A list as PROTOCOL.md has it, of a topic. */
function listOf(topic: string, frames: readonly unknown[]): Map<RecordId, unknown> {
  const rows = new Map<RecordId, unknown>();
  const entered = new Set<RecordId>();
  const isNarrow = topic.includes("/");
  for (const frame of frames as (Change<Post> | Entered)[]) {
    if ("ids" in frame) {
      if (frame.topic === topic) for (const id of frame.ids) entered.add(id);
      continue;
    }
    if (frame.topic !== undefined && frame.topic !== topic) continue;
    const records = frame.many ? frame.payload : [frame.payload];
    for (const record of records) {
      const id = frame.many ? (record as Post).id : frame.id;
      if (frame.method === "DELETE") rows.delete(id);
      else if (!isNarrow || frame.topic !== undefined || rows.has(id) || entered.has(id)) rows.set(id, record);
      if (frame.method === "DELETE") entered.delete(id);
    }
  }
  return rows;
}

describe.each([
  ["over real sockets", false],
  ["in memory", true],
])("%s", (_where, memory) => {
  it("29. *Changes*: publishing never fails or delays the request; what a transaction holds back is published only if it commits, in order. A live list equals the table once it is quiet, and never shows a row older than it has shown.", async () => {
    await using door = await followed((changes) => changes.define<Post>("post", definition), {
      memory,
      changes: byRole,
    });
    const { models: posts, changes } = door;
    const client = await door.enter({ user: "admin.1" });
    const reader = readPositions(client.socket);
    const topics = ["post", "post/author/7", "post/author/8"];
    await reader.join(...topics);

    // Whatever is wrong, the request goes on.
    const circular: Record<string, unknown> = { ...post(0) };
    circular["self"] = circular;
    posts.watch(() => {
      throw new Error("a watcher");
    });
    using time = loopTime();
    posts.created(circular as never);
    posts.created({ ...post(0), size: 1n } as never);
    posts.created(undefined as never);
    expect(time.ms).toBeLessThan(5_000);

    const table = new Map<number, Post>();
    const write = (row: Post): void => {
      const old = table.get(row.id);
      table.set(row.id, row);
      if (old === undefined) posts.created(row);
      else posts.updated(row, old);
    };
    const remove = (id: number): void => {
      const old = table.get(id);
      if (old !== undefined && table.delete(id)) posts.deleted(old);
    };
    // The same storm each time: what is written, by a transaction that commits or one that does not, while the client comes and goes.
    let seed = 42;
    const random = (below: number): number => (seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31) % below;
    for (let i = 0; i < 300; i++) {
      const id = random(20);
      const row = post(id, { title: `version ${i}`, authorId: 7 + random(2), email: `${i}@example.org` });
      const kind = random(10);
      if (kind < 6) write(row);
      else if (kind < 7) remove(id);
      else if (kind < 8) await changes.transaction(() => (write(row), remove((id + 1) % 20)));
      else if (kind < 9)
        await changes
          .transaction(() => {
            posts.created(row);
            throw new Error("rolled back");
          })
          .catch(() => undefined);
      else if (client.socket.connected) client.socket.disconnect();
      else {
        const back = reader.rejoined();
        client.socket.connect();
        await back;
      }
    }
    if (!client.socket.connected) {
      const back = reader.rejoined();
      client.socket.connect();
      await back;
    }
    await client.caughtUp();
    expect(reader.gaps).toEqual([]);
    const frames = reader.got;
    expect(Object.fromEntries(listOf("post", frames))).toEqual(Object.fromEntries(table));
    for (const author of [7, 8]) {
      const own = [...table].filter(([, row]) => row.authorId === author);
      expect(Object.fromEntries(listOf(`post/author/${author}`, frames)), `${author}`).toEqual(Object.fromEntries(own));
    }
    const shown = new Map<RecordId | null, number>();
    for (const change of frames as Change<Post>[]) {
      const { title } = (change.payload ?? {}) as Partial<Post>;
      if (title === undefined || change.method === "DELETE") continue;
      const version = Number(title.split(" ")[1]);
      expect(version).toBeGreaterThan(shown.get(change.id) ?? -1);
      shown.set(change.id, version);
    }
  });

  it("30. *Changes*: nobody receives a field, a record or a deletion that their variant or policy does not show, replays included.", async () => {
    await using door = await followed(
      (changes) => ({
        posts: changes.define<Post>("post", {
          ...definition,
          mayRead: ({ user }, { value }) => value === undefined || user !== "user.2",
        }),
        secrets: changes.define<Post>("secret", {
          id: ({ id }) => id,
          serialise: (row, variant) => (variant === "admin" ? row : undefined),
          mayRead: ({ user }) => user !== "user.2",
        }),
      }),
      { memory, changes: byRole },
    );
    const { posts, secrets } = door.models;
    const client = await door.enter({ user: "user.1" });
    const other = await door.enter({ user: "user.2" });
    const frames: unknown[] = [];
    for (const { socket } of [client, other]) socket.onAny((...frame: unknown[]) => frames.push(frame));
    const [reader, second] = [readPositions(client.socket), readPositions(other.socket)];
    const { refused } = await second.join("post", "secret", "all", "post/author/7");
    expect(refused).toEqual(["secret", "all", "post/author/7"]);
    await reader.join("post", "secret", "all", "post/author/7");
    const publish = (): void => {
      const hidden = { email: "hidden@example.org" };
      posts.created(post(1, hidden));
      posts.updated(post(1, { ...hidden, authorId: 8 }), post(1, { email: "older@example.org" }));
      posts.deleted(post(1, hidden));
      secrets.created(post(666, { title: "hidden title" }));
      secrets.updated(post(666, { title: "hidden again" }), post(666, { title: "hidden title" }));
      secrets.deleted(post(666, { title: "hidden again" }));
    };
    publish();
    client.socket.disconnect();
    publish();
    client.socket.connect();
    await reader.rejoined();
    for (const each of [client, other]) await each.caughtUp();
    expect(reader.got.length).toBeGreaterThan(8);
    expect(second.got.length).toBeGreaterThan(2);
    const all = JSON.stringify(frames);
    for (const hidden of ["example.org", "hidden", '"id":666', "authorId"]) expect(all, hidden).not.toContain(hidden);
  });
});
