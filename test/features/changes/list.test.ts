import { EventError } from "socket-ingress";
import { type List, type ListOptions, type ListState, openList } from "socket-ingress/changes/client";
import { createClient, EventFailure } from "socket-ingress/client";
import { MemoryTopicLog, type TopicLog } from "socket-ingress/realtime";
import { inMemory } from "socket-ingress/testing";
import { describe, expect, it, vi } from "vitest";
import { deferred } from "../../fixtures/deferred.js";
import { type Post, type Posts, type Reader, servePosts } from "./posts-by-hand.js";

const soon = { interval: 5 };

/** A list of all posts, loaded from the table of the server. */
function open({ client }: Reader, posts: Posts, options: Partial<ListOptions<Post>> = {}): List<Post> {
  return openList<Post>(client, { topic: "post", load: () => posts.all(), ...options });
}

const titles = (list: List<Post>): string[] => list.getSnapshot().rows.map(({ title }) => title);

async function shows(list: List<Post>, ...expected: string[]): Promise<void> {
  await vi.waitFor(() => expect(titles(list)).toEqual(expected), soon);
}

async function has<Row>(list: List<Row>, status: ListState<Row>["status"]): Promise<void> {
  await vi.waitFor(() => expect(list.getSnapshot().status).toBe(status), soon);
}

/** Cuts a client off, and resolves when it is back. */
async function cut({ socket, client }: Reader, meanwhile: () => void = () => {}): Promise<void> {
  const back = new Promise((resolve) => void client.onReconnect(resolve));
  socket.io.engine.close();
  meanwhile();
  await back;
}

describe("a list", () => {
  it("shows what was loaded, and follows what is created, updated and deleted", async () => {
    await using posts = await servePosts();
    posts.create("one");
    await using list = open(await posts.reader(), posts);
    expect(list.getSnapshot()).toEqual({ rows: [], status: "loading" });
    await list.ready;
    expect(list.getSnapshot()).toEqual({ rows: [{ id: 1, authorId: 7, title: "one" }], status: "live" });
    posts.create("two");
    await shows(list, "one", "two");
    posts.update(1, "uno");
    await shows(list, "uno", "two");
    posts.remove(1);
    await shows(list, "two");
    expect(list.getSnapshot().status).toBe("live");
  });

  it("what is written right after `await list.ready` arrives", async () => {
    await using posts = await servePosts();
    const reader = await posts.reader();
    for (let round = 0; round < 10; round++) {
      await using list = open(reader, posts);
      await list.ready;
      const { title } = posts.create(`written in round ${round}`);
      await vi.waitFor(() => expect(titles(list)).toContain(title), soon);
    }
  });

  it("filters and sorts: a row that changes leaves, comes and moves", async () => {
    await using posts = await servePosts();
    for (const title of ["b", "a", "x hidden"]) posts.create(title);
    await using list = open(await posts.reader(), posts, {
      filter: ({ title }) => !title.startsWith("x"),
      sort: (one, other) => one.title.localeCompare(other.title),
    });
    await list.ready;
    expect(titles(list)).toEqual(["a", "b"]);
    posts.update(3, "c");
    await shows(list, "a", "b", "c");
    posts.update(2, "d");
    await shows(list, "b", "c", "d");
    posts.update(1, "x");
    await shows(list, "c", "d");
    posts.update(1, "e");
    await shows(list, "c", "d", "e");
  });

  it("the snapshot and its rows are the same objects until something changes", async () => {
    await using posts = await servePosts();
    posts.create("one");
    posts.create("two");
    await using list = open(await posts.reader(), posts);
    await list.ready;
    const before = list.getSnapshot();
    expect(list.getSnapshot()).toBe(before);
    posts.tell({ model: "author", method: "POST", id: 1, payload: { id: 1 } } as never, ["post"]);
    posts.update(2, "zwei");
    await shows(list, "one", "zwei");
    const after = list.getSnapshot();
    expect(after).not.toBe(before);
    expect(before.rows.map(({ title }) => title)).toEqual(["one", "two"]);
    expect(after.rows[0]).toBe(before.rows[0]);
  });

  it("tells each subscriber at once, and then once for all that changes in a turn", async () => {
    await using posts = await servePosts();
    await using list = open(await posts.reader(), posts);
    await list.ready;
    const [told, other] = [vi.fn<(state: ListState<Post>) => void>(), vi.fn<() => void>()];
    list.subscribe(told);
    const off = list.subscribe(other);
    expect(told.mock.calls).toEqual([[list.getSnapshot()]]);
    for (let id = 1; id <= 50; id++) void list.optimistically({ id, authorId: 7, title: "t" }, new Promise(() => {}));
    off();
    await Promise.resolve();
    await Promise.resolve();
    expect(told).toHaveBeenCalledTimes(2);
    expect(told.mock.lastCall?.[0].rows).toHaveLength(50);
    expect(other).toHaveBeenCalledTimes(1);
  });

  it("a subscriber, a filter or an order that throws is logged, and stops nobody", async () => {
    await using posts = await servePosts();
    for (const title of ["one", "two", "three"]) posts.create(title);
    const reader = await posts.reader();
    await using list = open(reader, posts, {
      filter: ({ title }) => {
        if (title === "two") throw new Error("no two");
        return true;
      },
      sort: () => {
        throw new Error("no order");
      },
    });
    list.subscribe(() => {
      throw new Error("no subscriber");
    });
    const told = vi.fn<() => void>();
    list.subscribe(told);
    await list.ready;
    expect(titles(list)).toEqual(["one", "three"]);
    expect(told).toHaveBeenCalled();
    for (const said of ["no two", "no order", "no subscriber"])
      expect(reader.logger.lines.some((line) => line.startsWith("error") && line.includes(said))).toBe(true);
  });

  it("closed, it has left its topic, and tells nobody; closing again does nothing", async () => {
    await using posts = await servePosts();
    const list = open(await posts.reader(), posts);
    await list.ready;
    const told = vi.fn<() => void>();
    list.subscribe(told);
    list.close();
    list.close();
    await vi.waitFor(async () => expect((await posts.realtime.count({ topic: "post" })).sockets).toBe(0), soon);
    posts.create("late");
    expect(titles(list)).toEqual([]);
    expect(list.getSnapshot().status).toBe("live");
    expect(told).toHaveBeenCalledTimes(1);
    await list[Symbol.asyncDispose]();
  });

  it("closed before it is live, it is ready, and what it loads is told that nobody waits", async () => {
    await using posts = await servePosts();
    const asked = deferred<AbortSignal>();
    const list = open(await posts.reader(), posts, {
      load: ({ signal }) => {
        asked.resolve(signal);
        return new Promise(() => {});
      },
    });
    const signal = await asked.promise;
    list.close();
    await list.ready;
    expect(signal.aborted).toBe(true);
  });

  it("is given a topic and a function that loads, or is refused at once", async () => {
    await using posts = await servePosts();
    const reader = await posts.reader();
    expect(() => open(reader, posts, { topic: "" })).toThrow(
      new TypeError('a topic to join must be a non-empty string, got ""'),
    );
    expect(() => open(reader, posts, { load: 7 as never })).toThrow(
      new TypeError("`load` of a list must be a function, got 7"),
    );
    await using list = open(reader, posts);
    expect(() => list.optimistically({ title: "no id" } as never, Promise.resolve())).toThrow(
      new TypeError("a row of a list must be an object with an id, got object"),
    );
  });
});

describe("a list that loads", () => {
  it("joins first, and puts what changes meanwhile on top of what it loads", async () => {
    await using posts = await servePosts();
    posts.create("one");
    posts.create("two");
    const reader = await posts.reader();
    const loading = deferred<Post[]>();
    const load = vi.fn<() => Promise<Post[]>>(() => loading.promise);
    await using list = open(reader, posts, { load });
    await vi.waitFor(() => expect(load).toHaveBeenCalled(), soon);
    expect((await posts.realtime.count({ topic: "post" })).sockets).toBe(1);
    const rows = posts.all();
    posts.update(1, "uno");
    posts.remove(2);
    posts.create("three");
    await reader.client.call("nobody_listens" as never).catch(() => {});
    expect(list.getSnapshot()).toEqual({ rows: [], status: "loading" });
    loading.resolve(rows);
    await list.ready;
    expect(titles(list)).toEqual(["uno", "three"]);
  });

  it("never shows a row older than it has: loaded rows may be ahead of the changes that have come", async () => {
    await using posts = await servePosts();
    posts.create("0");
    await using memory = await inMemory(posts.app.io);
    const socket = await memory.connect();
    const client = createClient(socket);
    const link = memory.link(socket);
    const loading = deferred<Post[]>();
    await using list = openList<Post>(client, { topic: "post", load: () => loading.promise });
    const seen: string[] = [];
    list.subscribe(({ rows: [row] }) => row && seen.push(row.title));
    await vi.waitFor(async () => expect((await posts.realtime.count({ topic: "post" })).sockets).toBe(1), soon);
    // Each change comes in a turn of its own, and after the rows.
    link.delay("toClient", 20);
    for (const title of ["1", "2", "3"]) posts.update(1, title);
    loading.resolve(posts.all());
    await list.ready;
    posts.update(1, "4");
    await shows(list, "4");
    expect(seen).toEqual(["3", "4"]);
  });

  it("nor over a log that is slow, as one that nodes share may be", async () => {
    const memory = new MemoryTopicLog();
    // Entries have their place at once, and are told of late.
    const log: TopicLog = {
      append: async (topics, entry) => {
        const logged = memory.append(topics, entry);
        await new Promise((resolve) => setTimeout(resolve, 30));
        return logged;
      },
      head: async () => memory.head(),
      since: async (position) => memory.since(position),
      after: async (topics, position) => memory.after(topics, position),
    };
    await using posts = await servePosts({ log });
    posts.create("0");
    const reader = await posts.reader();
    let n = 0;
    for (let round = 0; round < 10; round++) {
      const load = (): Post[] => {
        for (let i = 0; i < 3; i++) posts.update(1, String(++n));
        return posts.all();
      };
      await using list = open(reader, posts, { load });
      const seen: number[] = [];
      list.subscribe(({ rows }) => seen.push(...rows.map(({ title }) => Number(title))));
      await list.ready;
      posts.update(1, String(++n));
      await shows(list, String(n));
      expect(seen).toEqual(seen.toSorted((one, other) => one - other));
    }
  });

  it("shows what changes while it loads again", async () => {
    await using posts = await servePosts();
    posts.create("one");
    const again = deferred<Post[]>();
    let loads = 0;
    const reader = await posts.reader();
    await using list = open(reader, posts, { load: () => (++loads === 1 ? posts.all() : again.promise) });
    await list.ready;
    posts.tell({ method: "PUT", id: null, payload: { ok: true } } as never);
    await has(list, "stale");
    await vi.waitFor(() => expect(loads).toBe(2), soon);
    posts.update(1, "uno");
    await shows(list, "uno");
    posts.create("two");
    await shows(list, "uno", "two");
    again.resolve([{ id: 1, authorId: 7, title: "one" }]);
    await has(list, "live");
    expect(titles(list)).toEqual(["uno", "two"]);
  });

  it("loads again when a change does not say enough: soon, and once for many", async () => {
    await using posts = await servePosts();
    posts.create("one");
    const load = vi.fn<() => Post[]>(() => posts.all());
    await using list = open(await posts.reader(), posts, { load });
    await list.ready;
    for (let i = 0; i < 20; i++) posts.tell({ method: "DELETE", id: null, payload: undefined } as never);
    await vi.waitFor(() => expect(load).toHaveBeenCalledTimes(2), soon);
    await has(list, "live");
    expect(load.mock.calls.length).toBeLessThanOrEqual(3);
  });

  it("keeps at most 10,000 changes while it loads, and loads again after more", { timeout: 60_000 }, async () => {
    await using posts = await servePosts({ history: { keep: 20_000, maxAgeMs: 60_000 } });
    posts.create("0");
    const first = deferred<Post[]>();
    const reader = await posts.reader();
    let loads = 0;
    await using list = open(reader, posts, { load: () => (++loads === 1 ? first.promise : posts.all()) });
    await vi.waitFor(() => expect(loads).toBe(1), soon);
    const rows = posts.all();
    for (let n = 1; n <= 10_001; n++) posts.update(1, String(n));
    await new Promise<void>((resolve) => {
      reader.client.on("change", (change) => {
        if ((change as { payload: Post }).payload.title === "10001") resolve();
      });
    });
    const seen: string[] = [];
    list.subscribe(({ rows: [row] }) => row && seen.push(row.title));
    first.resolve(rows);
    await list.ready;
    expect(loads).toBe(2);
    expect(seen).toEqual(["10001"]);
  });

  it("that fails is stale with the error, and tries again", async () => {
    await using posts = await servePosts();
    posts.create("one");
    let fails = 0;
    let isDown = true;
    const down = Object.assign(new Error("the database is down"), { retryAfterMs: 10 });
    await using list = open(await posts.reader(), posts, {
      load() {
        if (!isDown) return posts.all();
        fails++;
        throw down;
      },
    });
    await has(list, "stale");
    expect(list.getSnapshot()).toEqual({ rows: [], status: "stale", error: down });
    await vi.waitFor(() => expect(fails).toBeGreaterThan(1), soon);
    isDown = false;
    await list.ready;
    expect(list.getSnapshot()).toEqual({ rows: posts.all(), status: "live" });
  });

  it("and says that it will be down for longer than a timer can wait is not asked in a loop", async () => {
    await using posts = await servePosts();
    const load = vi.fn(() => {
      throw Object.assign(new Error("gone for a month"), { retryAfterMs: 40 * 86_400_000 });
    });
    const soonAgain = vi.fn(() => {
      throw Object.assign(new Error("gone for a moment"), { retryAfterMs: 5 });
    });
    await using list = open(await posts.reader(), posts, { load });
    await has(list, "stale");
    posts.create("one");
    await using _other = open(await posts.reader(), posts, { load: soonAgain });
    await vi.waitFor(() => expect(soonAgain.mock.calls.length).toBeGreaterThan(3), soon);
    expect(load).toHaveBeenCalledTimes(1);
  });

  it.each([[{ posts: [] }], [[{ title: "no id" }]], [[null]], [undefined]])(
    "something that is no rows, such as %j, has failed",
    async (loaded) => {
      await using posts = await servePosts();
      await using list = open(await posts.reader(), posts, { load: () => loaded as never });
      await has(list, "stale");
      expect(list.getSnapshot().error).toBeInstanceOf(TypeError);
      expect(list.getSnapshot().rows).toEqual([]);
    },
  );
});

describe.each([
  ["without recovery", {}],
  ["with connection state recovery", { connectionStateRecovery: { maxDisconnectionDuration: 60_000 } }],
])("a list whose client is cut off, on a server %s", (_, server) => {
  it("is stale, and has all that it missed without loading again", async () => {
    await using posts = await servePosts({ server });
    posts.create("one");
    const reader = await posts.reader();
    const load = vi.fn<() => Post[]>(() => posts.all());
    await using list = open(reader, posts, { load });
    const states: string[] = [];
    list.subscribe(({ status }) => states.push(status));
    await list.ready;
    await cut(reader, () => {
      posts.update(1, "uno");
      posts.create("two");
      posts.remove(1);
    });
    await shows(list, "two");
    await has(list, "live");
    await cut(reader);
    await has(list, "live");
    expect(load).toHaveBeenCalledOnce();
    expect(states.filter((state, at) => state !== states[at - 1])).toEqual([
      "loading",
      "live",
      "stale",
      "live",
      "stale",
      "live",
    ]);
  });

  it("loads again after more than is kept", async () => {
    await using posts = await servePosts({ server, history: { keep: 2, maxAgeMs: 60_000 } });
    posts.create("one");
    const reader = await posts.reader();
    const load = vi.fn<() => Post[]>(() => posts.all());
    await using list = open(reader, posts, { load });
    await list.ready;
    await cut(reader, () => {
      for (const title of ["two", "three", "four", "five"]) posts.create(title);
    });
    await shows(list, "one", "two", "three", "four", "five");
    await has(list, "live");
    expect(load).toHaveBeenCalledTimes(2);
  });

  it("goes on with what it is loading when nothing was missed, and anew when something was", async () => {
    await using posts = await servePosts({ server, history: { keep: 3, maxAgeMs: 60_000 } });
    posts.create("one");
    const reader = await posts.reader();
    const loads: { rows: Post[]; done: (rows: Post[]) => void; signal: AbortSignal }[] = [];
    const load: ListOptions<Post>["load"] = ({ signal }) =>
      new Promise((done) => loads.push({ rows: posts.all(), done, signal }));
    await using list = open(reader, posts, { load });
    await vi.waitFor(() => expect(loads).toHaveLength(1), soon);
    await cut(reader, () => void posts.update(1, "uno"));
    loads[0]?.done(loads[0].rows);
    await shows(list, "uno");
    await has(list, "live");
    expect(loads).toHaveLength(1);

    posts.tell({ method: "PUT", id: null, payload: undefined } as never);
    await vi.waitFor(() => expect(loads).toHaveLength(2), soon);
    await cut(reader, () => {
      for (const title of ["two", "three", "four", "five"]) posts.create(title);
    });
    await vi.waitFor(() => expect(loads).toHaveLength(3), soon);
    expect(loads[1]?.signal.aborted).toBe(true);
    loads[1]?.done(loads[1].rows);
    loads[2]?.done(loads[2].rows);
    await shows(list, "uno", "two", "three", "four", "five");
  });
});

describe("a list whose topic is refused", () => {
  it("is lost with the failure, and `ready` rejects with it", async () => {
    await using posts = await servePosts({
      join: () => {
        throw new EventError("FORBIDDEN", "not for you");
      },
    });
    const reader = await posts.reader();
    const load = vi.fn<() => Post[]>(() => []);
    await using list = open(reader, posts, { load });
    const failure: unknown = await list.ready.catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(EventFailure);
    expect(failure).toMatchObject({ code: "FORBIDDEN", message: "not for you" });
    expect(list.getSnapshot()).toEqual({ rows: [], status: "lost", error: failure });
    expect(load).not.toHaveBeenCalled();
    expect(reader.logger.lines).toEqual([
      'warn: socket-ingress: the list of "post" was lost EventFailure: not for you',
    ]);
  });

  it("later is lost, too, and shows nothing any more", async () => {
    await using posts = await servePosts();
    posts.create("one");
    const reader = await posts.reader();
    await using list = open(reader, posts);
    const told: ListState<Post>[] = [];
    list.subscribe((state) => told.push(state));
    await list.ready;
    await posts.realtime.revoke("ada", "post");
    await has(list, "lost");
    expect(told.at(-1)).toMatchObject({ rows: [], status: "lost", error: { code: "FORBIDDEN" } });
    posts.create("two");
    await cut(reader);
    expect(titles(list)).toEqual([]);
  });

  it("for the moment is stale with the failure, and asks again", async () => {
    let refusals = 0;
    let isFull = true;
    await using posts = await servePosts({
      join: () => {
        if (!isFull) return;
        refusals++;
        throw new EventError("OVERLOADED", "too many", { details: { retryAfterMs: 10 } });
      },
    });
    posts.create("one");
    await using list = open(await posts.reader(), posts);
    await has(list, "stale");
    expect(list.getSnapshot().error).toMatchObject({ code: "OVERLOADED" });
    await vi.waitFor(() => expect(refusals).toBeGreaterThan(1), soon);
    isFull = false;
    await list.ready;
    expect(titles(list)).toEqual(["one"]);
  });
});

describe("a list of a narrower topic, beside one of the model on the same connection", () => {
  it("takes what comes in and what changes, lets go what leaves, and nothing else", async () => {
    await using posts = await servePosts();
    posts.create("mine");
    posts.create("other", { authorId: 8 });
    const reader = await posts.reader();
    const mine = (): Post[] => posts.all().filter(({ authorId }) => authorId === 7);
    await using all = open(reader, posts);
    await using narrow = open(reader, posts, { topic: "post/author/7", load: mine });
    await Promise.all([all.ready, narrow.ready]);
    expect([titles(all), titles(narrow)]).toEqual([["mine", "other"], ["mine"]]);
    // Not its own, and made known by the other topic alone.
    posts.update(2, "still other");
    posts.update(1, "still mine");
    await shows(all, "still mine", "still other");
    expect(titles(narrow)).toEqual(["still mine"]);
    // One comes in: announced to the narrower topic, then told to both.
    void posts.realtime.emitSocket("change:entered", { topic: "post/author/7", ids: [3] } as never, {
      topic: "post/author/7",
    });
    posts.create("new");
    await shows(narrow, "still mine", "new");
    // One leaves: told to both topics' members as it is now, and to those of the narrower one that it is gone there.
    posts.tell({ id: 1, payload: { id: 1, authorId: 8, title: "moved" } }, ["post", "all", "post/author/8"]);
    posts.tell({ method: "DELETE", id: 1, payload: { id: 1 }, topic: "post/author/7" }, ["post/author/7"]);
    await shows(narrow, "new");
    expect(titles(all)).toEqual(["moved", "still other", "new"]);
    posts.tell({ id: 1, payload: { id: 1, authorId: 8, title: "again" } }, ["post", "all"]);
    await shows(all, "again", "still other", "new");
    expect(titles(narrow)).toEqual(["new"]);
  });

  it("remembers what it has though its filter turns it down", async () => {
    await using posts = await servePosts();
    posts.create("x");
    await using list = open(await posts.reader(), posts, {
      topic: "post/author/7",
      filter: ({ title }) => title !== "x",
    });
    await list.ready;
    expect(titles(list)).toEqual([]);
    posts.update(1, "y");
    await shows(list, "y");
    posts.update(1, "x");
    await shows(list);
    posts.update(1, "z");
    await shows(list, "z");
  });
});

describe("a list whose view changes", () => {
  it("turns over: nothing of the old view stays", async () => {
    await using posts = await servePosts();
    posts.create("one");
    const reader = await posts.reader();
    let fields: (row: Post) => object = (row) => ({ ...row, email: "secret" });
    const loading = deferred();
    let loads = 0;
    await using list = openList<object>(reader.client, {
      topic: "post",
      load: async () => {
        if (++loads > 1) await loading.promise;
        return posts.all().map(fields);
      },
    });
    await list.ready;
    expect(list.getSnapshot().rows).toEqual([{ id: 1, authorId: 7, title: "one", email: "secret" }]);
    fields = (row) => row;
    posts.app.serverSide(reader.socket).emit("change:view", { topic: "post", view: "user" });
    await has(list, "loading");
    expect(list.getSnapshot()).toEqual({ rows: [], status: "loading" });
    loading.resolve();
    await has(list, "live");
    expect(list.getSnapshot().rows).toEqual([{ id: 1, authorId: 7, title: "one" }]);
  });

  it("while it was away turns over as well", async () => {
    let view = "admin";
    await using posts = await servePosts({ snapshot: () => ({ view }) });
    posts.create("one");
    const reader = await posts.reader();
    const load = vi.fn<() => Post[]>(() => posts.all().map((row) => ({ ...row, title: `${row.title} for ${view}` })));
    await using list = open(reader, posts, { load });
    await list.ready;
    await cut(reader);
    await has(list, "live");
    expect(load).toHaveBeenCalledOnce();
    await cut(reader, () => {
      view = "user";
    });
    await shows(list, "one for user");
    expect(load).toHaveBeenCalledTimes(2);
  });
});

describe("a row that is shown optimistically", () => {
  const draft: Post = { id: 1, authorId: 7, title: "draft" };

  it("is rolled back when the promise rejects, which the caller hears, too", async () => {
    await using posts = await servePosts();
    posts.create("one");
    const reader = await posts.reader();
    await using list = open(reader, posts);
    await list.ready;
    const save = deferred<Post>();
    const saved = list.optimistically(draft, save.promise);
    const added = list.optimistically({ ...draft, id: -1, title: "new" }, save.promise);
    expect(saved).toBe(save.promise);
    expect(titles(list)).toEqual(["draft", "new"]);
    save.reject(new Error("no room"));
    await expect(added).rejects.toThrow("no room");
    await shows(list, "one");
    expect(reader.logger.lines[0]).toBe(
      'warn: socket-ingress: a row of the list of "post" was not saved, and is taken back Error: no room',
    );
  });

  it("gives way to the server's row", async () => {
    await using posts = await servePosts();
    posts.create("one");
    await using list = open(await posts.reader(), posts);
    await list.ready;
    const save = deferred<unknown>();
    void list.optimistically(draft, save.promise);
    expect(titles(list)).toEqual(["draft"]);
    posts.update(1, "the server's");
    await shows(list, "the server's");
    save.resolve(draft);
    await save.promise;
    posts.create("two");
    await shows(list, "the server's", "two");
  });

  it("stays until its change arrives when the promise resolves before", async () => {
    await using posts = await servePosts();
    posts.create("one");
    await using list = open(await posts.reader(), posts);
    await list.ready;
    await list.optimistically(draft, Promise.resolve(new Response()));
    posts.create("two");
    await shows(list, "draft", "two");
    posts.update(1, "draft, saved");
    await shows(list, "draft, saved", "two");
  });

  it("is replaced by the row that the promise resolves with, under its real id", async () => {
    await using posts = await servePosts();
    await using list = open(await posts.reader(), posts);
    await list.ready;
    const seen: string[][] = [];
    list.subscribe(({ rows }) => seen.push(rows.map(({ id, title }) => `${id} ${title}`)));
    await list.optimistically({ ...draft, id: -1 }, Promise.resolve({ ...draft, id: 1, title: "saved" }));
    posts.create("saved, and told");
    await shows(list, "saved, and told");
    expect(seen.at(-1)).toEqual(["1 saved, and told"]);
    expect(seen).toContainEqual(["1 saved"]);
    expect(Math.max(...seen.map(({ length }) => length))).toBe(1);
  });

  it("is replaced by what is told before the promise resolves, and not by what that says", async () => {
    await using posts = await servePosts();
    await using list = open(await posts.reader(), posts);
    await list.ready;
    const save = deferred<Post>();
    void list.optimistically({ ...draft, id: -1 }, save.promise);
    posts.create("newest");
    await shows(list, "newest", "draft");
    save.resolve({ ...draft, title: "older" });
    await shows(list, "newest");
  });

  it("that is saved while the list loads again is not taken back by rows that were read before; one saved earlier is among them", async () => {
    await using posts = await servePosts();
    posts.create("one");
    posts.create("two");
    const loads: ((rows: Post[]) => void)[] = [];
    const load = (): Promise<Post[]> => new Promise((done) => loads.push(done));
    await using list = open(await posts.reader(), posts, { load });
    await vi.waitFor(() => expect(loads).toHaveLength(1), soon);
    loads[0]?.(posts.all());
    await list.ready;
    await list.optimistically({ id: 1, authorId: 7, title: "saved before" }, Promise.resolve());
    const read = posts.all();
    posts.tell({ method: "PUT", id: null, payload: undefined } as never);
    await vi.waitFor(() => expect(loads).toHaveLength(2), soon);
    await list.optimistically({ id: 2, authorId: 7, title: "saved meanwhile" }, Promise.resolve());
    loads[1]?.(read);
    await has(list, "live");
    expect(titles(list)).toEqual(["one", "saved meanwhile"]);
    posts.update(2, "told");
    await shows(list, "one", "told");
  });

  it("that is never told of goes after a while", async () => {
    await using posts = await servePosts();
    posts.create("one");
    await using list = open(await posts.reader(), posts);
    await list.ready;
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      await list.optimistically(draft, Promise.resolve());
      await vi.advanceTimersByTimeAsync(4_900);
      expect(titles(list)).toEqual(["draft"]);
      await vi.advanceTimersByTimeAsync(200);
      expect(titles(list)).toEqual(["one"]);
    } finally {
      vi.useRealTimers();
    }
  });
});

it("a malformed change is logged, and a list goes on", async () => {
  await using posts = await servePosts();
  const reader = await posts.reader();
  await using list = open(reader, posts);
  await list.ready;
  const hostile = [null, 7, "change", [], {}, { model: "post" }, { model: "post", method: "POST", many: true }];
  for (const each of hostile) void posts.realtime.emitSocket("change", each as never, { topic: "post" });
  posts.create("one");
  await shows(list, "one");
  expect(reader.logger.lines.filter((line) => line.includes('a malformed "change"'))).toHaveLength(hostile.length);
  void posts.realtime.emitSocket("change:entered", null as never, { topic: "post" });
  void posts.realtime.emitSocket("change:view", "x" as never, { topic: "post" });
  posts.create("two");
  await shows(list, "one", "two");
});
