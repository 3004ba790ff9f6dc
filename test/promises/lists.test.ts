import { createClient } from "socket-ingress/client";
import { type List, type ListState, openList } from "socket-ingress/changes/client";
import { describe, expect, it, vi } from "vitest";
import { byRole, followed, type Post, post } from "../features/changes/followed.js";

// The same two promises as the lists of the browser keep them: a whole model and two narrower topics on one connection, which comes and
// goes, and whose user becomes another.

type Shown = Partial<Post> & Pick<Post, "id">;

const soon = { interval: 5 };

/** Looks at every state of a list, and writes down each row that was shown older than before. */
function onlyForward(wrong: string[]): (state: ListState<Shown>) => void {
  const newest = new Map<number, number>();
  return ({ rows }) => {
    for (const { id, title = "" } of rows) {
      const version = Number(title.split(" ")[1]);
      if (version < (newest.get(id) ?? 0)) wrong.push(`${id} went from ${newest.get(id)} to ${version}`);
      newest.set(id, version);
    }
  };
}

describe.each([
  ["over real sockets", false],
  ["in memory", true],
])("%s", (_where, memory) => {
  it("29. and 30. *Changes*: a live list equals the table once it is quiet, never shows a row older than it has shown, and nothing that its user may not see", async () => {
    await using door = await followed(
      (changes) =>
        changes.define<Post>("post", {
          id: ({ id }) => id,
          topics: ({ authorId }) => [`author/${authorId}`],
          fields: { admin: "*", user: ["id", "title", "authorId"] },
        }),
      { memory, changes: byRole },
    );
    const posts = door.models;
    const { socket } = await door.enter({ user: "admin.1" });
    const client = createClient(socket);
    const table = new Map<number, Post>();
    let mayRead = (row: Post): Shown => row;
    const wrong: string[] = [];
    const secrets: string[] = [];
    const lists = [undefined, 7, 8].map((author) => {
      const wanted = (): Shown[] =>
        [...table.values()]
          .filter(({ authorId }) => author === undefined || authorId === author)
          .map((row) => mayRead(row));
      const list: List<Shown> = openList<Shown>(client, {
        topic: author === undefined ? "post" : `post/author/${author}`,
        load: wanted,
        sort: (one, other) => one.id - other.id,
      });
      list.subscribe(onlyForward(wrong));
      return { list, wanted };
    });
    const equal = (): Promise<void> =>
      vi.waitFor(() => {
        for (const { list, wanted } of lists) {
          const rows = wanted().toSorted((one, other) => one.id - other.id);
          expect(list.getSnapshot()).toEqual({ rows, status: "live" });
        }
      }, soon);

    let version = 0;
    const storm = async (): Promise<void> => {
      for (let i = 0; i < 150; i++) {
        const id = (i * 7) % 13;
        const old = table.get(id);
        const row = post(id, {
          title: `version ${++version}`,
          authorId: i % 3 === 0 ? 8 : 7,
          email: `${i}@example.org`,
        });
        if (old !== undefined && i % 11 === 0 && table.delete(id)) posts.deleted(old);
        else {
          table.set(id, row);
          if (old === undefined) posts.created(row);
          else posts.updated(row, old);
        }
        if (i % 40 === 20) socket.disconnect();
        if (i % 40 === 30) socket.connect();
        if (i % 5 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      socket.connect();
      await equal();
    };
    await storm();
    expect(JSON.stringify(lists.map(({ list }) => list.getSnapshot()))).toContain("@example.org");

    mayRead = ({ id, title, authorId }) => ({ id, title, authorId });
    const [side] = door.served.io.sockets.sockets.values();
    await door.realtime.setUser(side as never, "user.1");
    await equal();
    for (const { list } of lists) list.subscribe(({ rows }) => void secrets.push(JSON.stringify(rows)));
    socket.auth = { user: "user.1" };
    await storm();
    expect(secrets.join()).not.toContain("@example.org");
    expect(wrong).toEqual([]);
    for (const { list } of lists) list.close();
  });
});
