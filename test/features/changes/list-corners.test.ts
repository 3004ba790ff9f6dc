import { EventError } from "socket-ingress";
import { type List, type ListOptions, openList } from "socket-ingress/changes/client";
import { describe, expect, it, vi } from "vitest";
import { VIEW } from "../../../src/features/changes/protocol.js";
import { CAUGHT_UP } from "../../../src/wire/caught-up.js";
import { deferred } from "../../fixtures/deferred.js";
import { type Post, type Posts, type Reader, servePosts } from "./posts-by-hand.js";

const soon = { interval: 5 };

function open({ client }: Reader, posts: Posts, options: Partial<ListOptions<Post>> = {}): List<Post> {
  return openList<Post>(client, { topic: "post", load: () => posts.all(), ...options });
}

const titles = (list: List<Post>): string[] => list.getSnapshot().rows.map(({ title }) => title);

/** Has the server refuse to say that a client has caught up, while it answers with a code; `asked` settles when it is asked. */
function refusing({ realtime }: Posts, code: "FORBIDDEN" | "RATE_LIMITED") {
  const [asked, told] = [deferred(), { code: code as string | undefined }];
  realtime.ingress?.beforeEvent(({ event }) => {
    if (event !== CAUGHT_UP) return;
    asked.resolve();
    if (told.code !== undefined) throw new EventError(told.code, "not now", { retryAfterMs: 5 });
  });
  return { asked: asked.promise, answer: () => (told.code = undefined) };
}

describe("a list that can't be told that it has caught up", () => {
  it("is stale and loads again where it is refused", async () => {
    await using posts = await servePosts();
    posts.create("one");
    const refused = refusing(posts, "FORBIDDEN");
    await using list = open(await posts.reader(), posts);
    await vi.waitFor(
      () => expect(list.getSnapshot()).toMatchObject({ status: "stale", error: { code: "FORBIDDEN" } }),
      soon,
    );
    refused.answer();
    await list.ready;
    expect(titles(list)).toEqual(["one"]);
  });

  it("asks again where that passes, and does not load again", async () => {
    await using posts = await servePosts();
    const refused = refusing(posts, "RATE_LIMITED");
    const load = vi.fn(() => posts.all());
    await using list = open(await posts.reader(), posts, { load });
    await refused.asked;
    expect(list.getSnapshot().status).toBe("loading");
    refused.answer();
    await list.ready;
    expect(load).toHaveBeenCalledTimes(1);
  });

  it("is lost where its client is closed meanwhile", async () => {
    await using posts = await servePosts();
    const refused = refusing(posts, "RATE_LIMITED");
    const reader = await posts.reader();
    await using list = open(reader, posts);
    await refused.asked;
    reader.client.close();
    await vi.waitFor(
      () => expect(list.getSnapshot()).toMatchObject({ status: "lost", error: { code: "ABORTED" } }),
      soon,
    );
  });

  it("is closed as it is, at whatever moment: nothing is shown any more", async () => {
    await using posts = await servePosts();
    posts.create("one");
    const loaded = deferred<Post[]>();
    const reader = await posts.reader();
    const list = open(reader, posts, { load: () => loaded.promise });
    // While the topic is joined, and while rows are loaded.
    await using early = open(reader, posts);
    early.close();
    await using other = open(reader, posts);
    await other.ready;
    list.close();
    loaded.resolve(posts.all());
    await reader.client.call(CAUGHT_UP as never);
    expect([list.getSnapshot().rows, early.getSnapshot().rows]).toEqual([[], []]);
  });

  it("is closed before its topic is refused", async () => {
    const [asked, verdict] = [deferred(), deferred<boolean>()];
    await using posts = await servePosts({
      join: () => {
        asked.resolve();
        return verdict.promise;
      },
    });
    const reader = await posts.reader();
    const list = open(reader, posts);
    const told = vi.fn();
    list.subscribe(told);
    await asked.promise;
    list.close();
    const { calls } = told.mock;
    const before = calls.length;
    verdict.resolve(false);
    await expect(reader.client.joinTopic("post")).rejects.toMatchObject({ code: "FORBIDDEN" });
    expect(calls.length).toBe(before);
  });
});

describe("a list whose user is shown another view", () => {
  it("has not shown anything yet while its topic is joined, so it turns nothing over", async () => {
    const [asked, verdict] = [deferred(), deferred<boolean>()];
    await using posts = await servePosts({
      join: () => {
        asked.resolve();
        return verdict.promise;
      },
    });
    posts.create("one");
    const reader = await posts.reader();
    const load = vi.fn(() => posts.all());
    await using list = open(reader, posts, { load });
    await asked.promise;
    const told = new Promise((resolve) => void reader.socket.once(VIEW, resolve));
    posts.app.serverSide(reader.socket).emit(VIEW, { topic: "post" });
    await told;
    expect(list.getSnapshot()).toEqual({ rows: [], status: "loading" });
    verdict.resolve(true);
    await list.ready;
    expect([titles(list), load.mock.calls.length]).toEqual([["one"], 1]);
  });

  it("loads nothing where it is closed by whoever hears of that", async () => {
    await using posts = await servePosts();
    posts.create("one");
    const reader = await posts.reader();
    const load = vi.fn(() => posts.all());
    await using list = open(reader, posts, { load });
    await list.ready;
    const closed = deferred();
    list.subscribe(({ status }) => {
      if (status === "live") return;
      list.close();
      closed.resolve();
    });
    posts.app.serverSide(reader.socket).emit(VIEW, { topic: "post" });
    await closed.promise;
    await reader.client.call(CAUGHT_UP as never);
    expect(load).toHaveBeenCalledTimes(1);
  });
});

describe("a list that hears what it can make nothing of", () => {
  it("loads again where a change does not say what the record is, while it loads, too", async () => {
    await using posts = await servePosts();
    posts.create("one");
    const reader = await posts.reader();
    const gates = [deferred(), deferred(), deferred()];
    let loads = 0;
    await using list = open(reader, posts, {
      load: async () => {
        await gates[loads++]?.promise;
        return posts.all();
      },
    });
    gates[0]!.resolve();
    await list.ready;
    posts.tell({ id: 1, payload: "no record" });
    await vi.waitFor(() => expect(loads).toBe(2), soon);
    posts.tell({ id: 1, payload: ["no record"] });
    await using other = open(reader, posts);
    await other.ready;
    gates[1]!.resolve();
    await vi.waitFor(() => expect(loads).toBe(3), soon);
    expect(list.getSnapshot()).toMatchObject({ status: "stale", rows: [{ title: "one" }] });
    gates[2]!.resolve();
    await vi.waitFor(() => expect(list.getSnapshot().status).toBe("live"), soon);
  });

  it("does not heed what was only read, and is of a topic", async () => {
    await using posts = await servePosts();
    posts.create("one");
    const reader = await posts.reader();
    await using list = open(reader, posts);
    await list.ready;
    posts.tell({ method: "GET", id: 1, payload: { id: 1, authorId: 7, title: "read" } });
    posts.update(1, "uno");
    await vi.waitFor(() => expect(titles(list)).toEqual(["uno"]), soon);
    expect(() => openList(reader.client, { topic: 5 as never, load: () => [] })).toThrow(TypeError);
  });
});

describe("what is shown before the server has it", () => {
  const draft: Post = { id: 1, authorId: 7, title: "draft" };

  it("goes with the list, and nobody is told of its end", async () => {
    await using posts = await servePosts();
    const reader = await posts.reader();
    const list = open(reader, posts);
    await list.ready;
    const [saved, failed] = [deferred<Post>(), deferred()];
    void list.optimistically({ ...draft, id: -1 }, saved.promise);
    const failing = list.optimistically({ ...draft, id: -2 }, failed.promise);
    list.close();
    saved.resolve({ ...draft, id: 9 });
    failed.reject(new Error("not saved"));
    await expect(failing).rejects.toThrow("not saved");
    await Promise.resolve();
    expect([list.getSnapshot().rows.length <= 2, reader.logger.lines]).toEqual([true, []]);
  });

  it("is the newest of what was given for a row: one that fails, or is saved as what is shown, takes nothing away", async () => {
    await using posts = await servePosts();
    posts.create("one");
    const reader = await posts.reader();
    await using list = open(reader, posts);
    await list.ready;
    const [first, second, third] = [deferred(), deferred<Post>(), deferred<Post>()];
    const failing = list.optimistically({ ...draft, title: "a" }, first.promise);
    void list.optimistically({ ...draft, title: "b" }, second.promise);
    void list.optimistically({ ...draft, title: "c" }, third.promise);
    first.reject(new Error("not saved"));
    await expect(failing).rejects.toThrow("not saved");
    await vi.waitFor(() => expect(reader.logger.lines.join()).toContain("not saved"), soon);
    expect(titles(list)).toEqual(["c"]);
    second.resolve({ ...draft, title: "b" });
    await second.promise;
    await Promise.resolve();
    expect(titles(list)).toEqual(["c"]);
    // Under another id it is a row of its own.
    third.resolve({ ...draft, id: 2, title: "c" });
    await vi.waitFor(() => expect(titles(list)).toEqual(["one", "c"]), soon);
  });

  it("gives way to a change that comes while rows are loaded", async () => {
    await using posts = await servePosts();
    posts.create("one");
    const reader = await posts.reader();
    const again = deferred();
    let loads = 0;
    await using list = open(reader, posts, {
      load: async () => {
        if (++loads === 2) await again.promise;
        return posts.all();
      },
    });
    await list.ready;
    await list.optimistically({ ...draft, title: "saved" }, Promise.resolve());
    await vi.waitFor(() => expect(titles(list)).toEqual(["saved"]), soon);
    posts.tell({ id: null, payload: "unclear" as never });
    await vi.waitFor(() => expect(loads).toBe(2), soon);
    posts.update(1, "uno");
    await vi.waitFor(() => expect(titles(list)).toEqual(["uno"]), soon);
    again.resolve();
    await vi.waitFor(
      () => expect(list.getSnapshot()).toMatchObject({ status: "live", rows: [{ title: "uno" }] }),
      soon,
    );
  });
});
