import { createClient, EventFailure } from "socket-ingress/client";
import { type Inbox, type InboxItem, type InboxOptions, openInbox } from "socket-ingress/notifications/client";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { failure, FakeSocket, settled } from "../../client/fixtures/fake-socket.js";

// The client's part by itself: a test says what the server answers, and in which order it comes.

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const item = (seq: number, readAt: number | null = null): InboxItem => ({
  id: `n${seq}`,
  seq,
  title: `title ${seq}`,
  message: "",
  icon: "",
  data: null,
  createdAt: seq * 1_000,
  readAt,
});
const arrival = (seq: number, unread: number, version = seq) => ({ notification: item(seq), unread, version });

interface Opened {
  readonly socket: FakeSocket;
  readonly inbox: Inbox;
  readonly warnings: string[];
  /** What it shows, in short: `3* 2 1, 1 unread, live`. */
  shown(): string;
}

function open(options?: InboxOptions, socket: FakeSocket = FakeSocket.connected()): Opened {
  const warnings: string[] = [];
  const note = (message: string): void => void warnings.push(message);
  const client = createClient(socket, { logger: { warn: note, error: note } });
  const inbox = openInbox(client, options);
  return {
    socket,
    inbox,
    warnings,
    shown() {
      const { items, unread, more, status } = inbox.getSnapshot();
      const list = items.map(({ seq, readAt }) => (readAt === null ? `${seq}*` : seq)).join(" ");
      return `${list}${more ? "..." : ""}, ${unread} unread, ${status}`;
    },
  };
}

/** One whose first page is there. */
async function live(
  items: InboxItem[],
  more: { unread?: number; version?: number; next?: number } = {},
): Promise<Opened> {
  const opened = open();
  const unread = items.filter(({ readAt }) => readAt === null).length;
  opened.socket.takeOne().reply({ items, unread, version: items[0]?.seq ?? 0, ...more });
  await settled();
  return opened;
}

describe("opening", () => {
  it("asks for a page at once, is ready with it, and shows it", async () => {
    const { socket, inbox, shown } = open({ limit: 20 });
    expect(shown()).toBe(", 0 unread, loading");
    const sent = socket.takeOne();
    expect([sent.event, sent.args]).toEqual(["notifications:page", [{ limit: 20 }]]);
    sent.reply({ items: [item(2), item(1, 5)], unread: 1, version: 2 });
    await inbox.ready;
    expect(shown()).toBe("2* 1, 1 unread, live");
  });

  it("waits for a connection, for as long as that takes", async () => {
    const { socket, inbox, shown } = open({}, new FakeSocket());
    await vi.advanceTimersByTimeAsync(60_000);
    expect([socket.take(), shown()]).toEqual([[], ", 0 unread, loading"]);
    socket.connect();
    socket.takeOne().reply({ items: [], unread: 0, version: 0 });
    await inbox.ready;
  });

  it("a limit that is none is a TypeError", () => {
    for (const limit of [0, -1, NaN, "x", "5", null])
      expect(() => open({ limit: limit as number })).toThrow(/limit must be a number from 1, got/);
  });

  it("refused for good it is lost, `ready` rejects, and the next connection brings it back", async () => {
    const { socket, inbox, shown } = open();
    socket.takeOne().reply(failure("UNAUTHENTICATED"));
    await expect(inbox.ready).rejects.toThrow(EventFailure);
    expect(shown()).toBe(", 0 unread, lost");
    expect(inbox.getSnapshot().error).toMatchObject({ code: "UNAUTHENTICATED" });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(socket.take()).toEqual([]);
    socket.drop();
    socket.connect();
    socket.takeOne().reply({ items: [item(1)], unread: 1, version: 1 });
    await settled();
    expect(shown()).toBe("1*, 1 unread, live");
    expect(inbox.getSnapshot()).not.toHaveProperty("error");
  });

  it("of a page that is malformed nothing is shown", async () => {
    for (const page of [null, 5, {}, { items: 1, unread: 1, version: 1 }, { items: [], unread: "1", version: 1 }]) {
      const { socket, shown } = open();
      socket.takeOne().reply(page);
      await settled();
      expect(shown()).toBe(", 0 unread, lost");
    }
  });

  it("refused for a reason that passes it asks again, later and later, when the server says", async () => {
    const { socket, shown } = open();
    socket.takeOne().reply(failure("INTERNAL"));
    await settled();
    expect(shown()).toBe(", 0 unread, stale");
    await vi.advanceTimersByTimeAsync(1_000);
    socket.takeOne().reply(failure("RATE_LIMITED", { retryAfterMs: 5_000 }));
    await vi.advanceTimersByTimeAsync(4_900);
    expect(socket.take()).toEqual([]);
    await vi.advanceTimersByTimeAsync(200);
    socket.takeOne().reply({ items: [], unread: 0, version: 0 });
    await settled();
    expect(shown()).toBe(", 0 unread, live");
  });
});

describe("what comes", () => {
  it("is shown with the server's count, told once, in the order of the notifications", async () => {
    const heard: number[] = [];
    const { socket, inbox, shown } = open({ onNew: ({ seq }) => heard.push(seq) });
    socket.takeOne().reply({ items: [item(1)], unread: 1, version: 1 });
    await settled();
    const told = vi.fn();
    inbox.subscribe(told);
    socket.push("notification", arrival(3, 3));
    socket.push("notification", arrival(2, 2));
    socket.push("notification", arrival(2, 2));
    await settled();
    expect(shown()).toBe("3* 2* 1*, 3 unread, live");
    expect(told).toHaveBeenCalledTimes(2);
    expect(heard).toEqual([3, 2, 2]);
  });

  it("while the page is on its way is not lost, and an older page brings no old count back", async () => {
    const { socket, inbox, shown } = open();
    const page = socket.takeOne();
    socket.push("notification", arrival(3, 3));
    socket.push("notifications:changed", { read: ["n1", "n3"], at: 7, unread: 1, version: 4 });
    await settled();
    const counts: number[] = [];
    inbox.subscribe(({ unread }) => counts.push(unread));
    page.reply({ items: [item(2), item(1)], unread: 2, version: 2 });
    await settled();
    expect(shown()).toBe("3 2* 1, 1 unread, live");
    expect(counts).toEqual([0, 1]);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(socket.take()).toEqual([]);
  });

  it("out of order is shown in order: count and list are always of one version", async () => {
    const { socket, shown } = await live([item(1)]);
    socket.push("notifications:changed", { readUpTo: 2, at: 7, unread: 1, version: 4 });
    socket.push("notification", arrival(3, 3));
    expect(shown()).toBe("1*, 1 unread, live");
    socket.push("notification", arrival(2, 2));
    expect(shown()).toBe("3* 2 1, 1 unread, live");
    socket.push("notification", arrival(2, 2));
    expect(shown()).toBe("3* 2 1, 1 unread, live");
  });

  it("with a hole that nothing fills, the first page is asked for again", async () => {
    const { socket, shown } = await live([item(1)]);
    socket.push("notification", arrival(4, 3));
    expect(socket.take()).toEqual([]);
    await vi.advanceTimersByTimeAsync(150);
    socket.takeOne().reply({ items: [item(4), item(3), item(1, 9)], unread: 2, version: 4 });
    await settled();
    expect(shown()).toBe("4* 3* 1, 2 unread, live");
    // A page of a time that has passed says nothing.
    socket.push("notification", arrival(7, 4));
    await vi.advanceTimersByTimeAsync(150);
    socket.takeOne().reply({ items: [item(3)], unread: 1, version: 3 });
    await settled();
    expect(shown()).toBe("4* 3* 1, 2 unread, live");
    await vi.advanceTimersByTimeAsync(150);
    socket.takeOne().reply({ items: [item(7), item(4), item(3), item(1, 9)], unread: 3, version: 7 });
    await settled();
    expect(shown()).toBe("7* 4* 3* 1, 3 unread, live");
    await vi.advanceTimersByTimeAsync(1_000);
    expect(socket.take()).toEqual([]);
  });

  it("behind a hole is kept back, a hundred changes at most: the page brings the others", async () => {
    const { socket, shown, inbox } = await live([item(1)]);
    for (let seq = 3; seq <= 400; seq++) socket.push("notification", arrival(seq, seq));
    await settled();
    expect(shown()).toBe("1*, 1 unread, live");
    socket.push("notification", arrival(2, 2));
    expect(inbox.getSnapshot().unread).toBe(102);
    await vi.advanceTimersByTimeAsync(150);
    socket.takeOne().reply({ items: [item(400)], unread: 400, version: 400, next: 400 });
    await settled();
    expect(shown()).toBe("400*..., 400 unread, live");
  });

  it("that is gone is shown no more", async () => {
    const { socket, shown } = await live([item(3), item(2), item(1)]);
    socket.push("notifications:changed", { gone: 2_000, at: 9_000, unread: 1, version: 4 });
    expect(shown()).toBe("3*, 1 unread, live");
  });

  it("malformed is a warning, and nothing else", async () => {
    const { socket, shown, warnings } = await live([item(1)]);
    for (const frame of [undefined, null, 7, {}, { notification: { id: 1 }, unread: 1, version: 2 }, { unread: 1 }])
      socket.push("notification", frame);
    for (const frame of [undefined, null, { unread: 1, version: "2" }, { unread: 1, version: 2, read: 5 }])
      socket.push("notifications:changed", frame);
    await settled();
    expect(shown()).toBe("1*, 1 unread, live");
    expect(warnings).toHaveLength(10);
  });

  it("in great number leaves the oldest out, which are on the next page", async () => {
    const { socket, inbox } = await live([item(1)]);
    for (let seq = 2; seq <= 400; seq++) socket.push("notification", arrival(seq, seq));
    const { items, unread, more } = inbox.getSnapshot();
    expect([items.length, items[0]?.seq, unread, more]).toEqual([101, 400, 400, true]);
    void inbox.loadMore();
    await settled();
    expect(socket.frames()).toEqual(['notifications:page {"limit":50,"before":300}']);
  });
});

describe("marking", () => {
  it("is shown at once, in this tick, and stays when the server has done it", async () => {
    const { socket, inbox, shown } = await live([item(2), item(1)]);
    const marking = inbox.markRead("n1");
    expect(shown()).toBe("2* 1, 1 unread, live");
    const sent = socket.takeOne();
    expect([sent.event, sent.args]).toEqual(["notifications:read", [["n1"]]]);
    sent.reply({ read: ["n1"], at: 5, unread: 1, version: 3 });
    await marking;
    expect(shown()).toBe("2* 1, 1 unread, live");
    expect(inbox.getSnapshot().items[1]?.readAt).toBe(5);
  });

  it("that the server has told before it answers counts once", async () => {
    const { socket, inbox, shown } = await live([item(3), item(2), item(1)]);
    void inbox.markRead(["n1", "n2"]);
    const change = { read: ["n1", "n2"], at: 5, unread: 1, version: 4 };
    socket.push("notifications:changed", change);
    expect(shown()).toBe("3* 2 1, 1 unread, live");
    socket.takeOne().reply(change);
    await settled();
    expect(shown()).toBe("3* 2 1, 1 unread, live");
  });

  it("that fails is taken back, what came meanwhile stays, and the truth is asked for", async () => {
    const { socket, inbox, shown, warnings } = await live([item(2), item(1)]);
    const marking = inbox.markAllRead();
    const sent = socket.takeOne();
    expect([sent.event, sent.args, shown()]).toEqual(["notifications:readAll", [2], "2 1, 0 unread, live"]);
    socket.push("notification", arrival(3, 3));
    expect(shown()).toBe("3* 2 1, 1 unread, live");
    sent.reply(failure("INTERNAL"));
    await expect(marking).rejects.toMatchObject({ code: "INTERNAL" });
    expect(shown()).toBe("3* 2* 1*, 3 unread, live");
    expect(socket.frames()).toEqual(['notifications:page {"limit":50}']);
    expect(warnings).toEqual(["socket-ingress: marking all notifications as read failed"]);
  });

  it("that nobody hears of is no unhandled rejection", async () => {
    const { socket, inbox } = await live([item(1)]);
    void inbox.markRead("n1");
    void inbox.markAllRead();
    void inbox.loadMore();
    socket.drop();
    await settled();
  });

  it("several at once are each taken back by themselves", async () => {
    const { socket, inbox, shown } = await live([item(3), item(2), item(1)]);
    const failing = inbox.markRead("n1").catch(() => undefined);
    void inbox.markRead("n2");
    const [first, second] = socket.take();
    expect(shown()).toBe("3* 2 1, 1 unread, live");
    first?.reply(failure("FORBIDDEN"));
    await failing;
    expect(shown()).toBe("3* 2 1*, 2 unread, live");
    second?.reply({ read: ["n2"], at: 5, unread: 2, version: 4 });
    await settled();
    expect(shown()).toBe("3* 2 1*, 2 unread, live");
  });

  it("what is read already asks nobody, what is not shown is asked for all the same", async () => {
    const { socket, inbox } = await live([item(2, 1)], { unread: 4, next: 2 });
    await inbox.markRead("n2");
    await inbox.markRead([]);
    expect(socket.take()).toEqual([]);
    void inbox.markRead("elsewhere");
    expect(socket.frames()).toEqual(['notifications:read ["elsewhere"]']);
    expect(inbox.getSnapshot().unread).toBe(4);
  });

  it("all of them includes those that are on later pages", async () => {
    const { socket, inbox, shown } = await live([item(9), item(8)], { unread: 7, next: 8 });
    void inbox.markAllRead();
    expect(shown()).toBe("9 8..., 0 unread, live");
    expect(socket.frames()).toEqual(["notifications:readAll 9"]);
  });

  it("all leaves those out that overtook one, and are not shown yet", async () => {
    const { socket, inbox } = await live([item(1)]);
    socket.push("notification", arrival(3, 3));
    void inbox.markAllRead();
    expect(socket.frames()).toEqual(["notifications:readAll 1"]);
  });

  it("what another tab has read a moment ago does not bring a count back that is not true any more", async () => {
    const { socket, inbox, shown } = await live([item(2), item(1)]);
    const marking = inbox.markRead("n1");
    // It was read already, and that is still on its way.
    socket.takeOne().reply({ unread: 1, version: 3 });
    await marking;
    expect(shown()).toBe("2* 1, 1 unread, live");
    socket.push("notifications:changed", { read: ["n1"], at: 5, unread: 1, version: 3 });
    expect(shown()).toBe("2* 1, 1 unread, live");
  });

  it("what was answered and never came is asked for", async () => {
    const { socket, inbox, shown } = await live([item(2), item(1)]);
    void inbox.markRead("n1");
    socket.takeOne().reply({ unread: 1, version: 3 });
    await vi.advanceTimersByTimeAsync(150);
    socket.takeOne().reply({ items: [item(2), item(1, 5)], unread: 1, version: 3 });
    await settled();
    expect(shown()).toBe("2* 1, 1 unread, live");
    await vi.advanceTimersByTimeAsync(1_000);
    expect(socket.take()).toEqual([]);
  });

  it("answered with something malformed is taken back", async () => {
    for (const answer of [undefined, {}, 5, { version: 3 }]) {
      const { socket, inbox, shown } = await live([item(1)]);
      const marking = inbox.markRead("n1");
      socket.takeOne().reply(answer);
      await expect(marking).rejects.toThrow(TypeError);
      expect(shown()).toBe("1*, 1 unread, live");
    }
  });

  it("nothing in an empty inbox asks nobody", async () => {
    const { socket, inbox } = await live([]);
    await inbox.markAllRead();
    expect(socket.take()).toEqual([]);
  });
});

describe("more pages", () => {
  it("are added behind those that are there; what was read meanwhile is read in them", async () => {
    const { socket, inbox, shown } = await live([item(9), item(8)], { unread: 4, next: 8 });
    const adding = inbox.loadMore();
    expect(inbox.loadMore()).toBe(adding);
    await settled();
    const sent = socket.takeOne();
    expect(sent.args).toEqual([{ limit: 50, before: 8 }]);
    socket.push("notifications:changed", { read: ["n7"], at: 5, unread: 3, version: 10 });
    sent.reply({ items: [item(7), item(6)], unread: 4, version: 9 });
    await adding;
    expect(shown()).toBe("9* 8* 7 6*, 3 unread, live");
    await inbox.loadMore();
    expect(socket.take()).toEqual([]);
  });

  it("that were asked for before the first one was asked for again are dropped", async () => {
    const { socket, inbox, shown } = await live([item(9), item(8)], { unread: 4, next: 8 });
    void inbox.loadMore();
    await settled();
    const stale = socket.takeOne();
    socket.push("notification", arrival(12, 5));
    await vi.advanceTimersByTimeAsync(150);
    socket.takeOne().reply({ items: [item(12), item(11)], unread: 5, version: 12, next: 11 });
    await settled();
    stale.reply({ items: [item(7)], unread: 4, version: 9 });
    await settled();
    expect(shown()).toBe("12* 11*..., 5 unread, live");
  });

  it("that can't be had are a rejection, and the list stays", async () => {
    const { socket, inbox, shown } = await live([item(9)], { unread: 4, next: 9 });
    const adding = inbox.loadMore();
    await settled();
    socket.takeOne().reply(failure("OVERLOADED"));
    await expect(adding).rejects.toMatchObject({ code: "OVERLOADED" });
    expect(shown()).toBe("9*..., 4 unread, live");
  });
});

describe("a connection", () => {
  it("that goes leaves what was shown as stale; the next one asks anew, and what it says holds", async () => {
    const { socket, shown } = await live([item(9), item(8)], { unread: 4 });
    socket.drop();
    await settled();
    expect(shown()).toBe("9* 8*, 4 unread, stale");
    socket.connect();
    // A server with a store in memory has begun anew.
    socket.takeOne().reply({ items: [item(1)], unread: 1, version: 1 });
    await settled();
    expect(shown()).toBe("1*, 1 unread, live");
    socket.push("notification", arrival(2, 2));
    expect(shown()).toBe("2* 1*, 2 unread, live");
  });

  it("that goes while the page is on its way is asked again when it is back", async () => {
    const { socket, inbox, shown } = open();
    socket.take();
    socket.drop();
    await settled();
    expect(shown()).toBe(", 0 unread, loading");
    socket.connect();
    socket.takeOne().reply({ items: [], unread: 0, version: 0 });
    await inbox.ready;
    expect(shown()).toBe(", 0 unread, live");
  });

  it("that the server ends for good makes it lost", async () => {
    const { socket, shown } = await live([item(1)]);
    socket.push("ingress:ended", { code: "UNAUTHENTICATED", message: "signed out" });
    socket.drop("io server disconnect");
    await settled();
    expect(shown()).toBe("1*, 1 unread, lost");
  });
});

it("what is marked while there is no connection is shown when there is one again, until the server has answered", async () => {
  const { socket, inbox, shown } = await live([item(2), item(1)]);
  socket.drop();
  const marking = inbox.markRead("n1");
  expect(shown()).toBe("2* 1, 1 unread, stale");
  socket.connect();
  const sent = socket.take();
  const [page, mark] = ["notifications:page", "notifications:read"].map((event) =>
    sent.find((each) => each.event === event)!,
  );
  page!.reply({ items: [item(2), item(1)], unread: 2, version: 2 });
  await settled();
  expect(shown()).toBe("2* 1, 1 unread, live");
  mark!.reply({ read: ["n1"], at: 5, unread: 1, version: 3 });
  await marking;
  expect([shown(), inbox.getSnapshot().items[1]?.readAt]).toEqual(["2* 1, 1 unread, live", 5]);
});

it("a mark that a server has answered is not shown on a page of one that begins anew", async () => {
  const { socket, inbox, shown } = await live([item(2), item(1)]);
  const marking = inbox.markRead("n1");
  // What lies between is on its way.
  socket.takeOne().reply({ read: ["n1"], at: 5, unread: 4, version: 9 });
  await marking;
  expect(shown()).toBe("2* 1, 1 unread, live");
  socket.drop();
  socket.connect();
  socket.takeOne().reply({ items: [item(2), item(1)], unread: 2, version: 2 });
  await settled();
  expect(shown()).toBe("2* 1*, 2 unread, live");
});

describe("closing", () => {
  it("takes everything off the socket, asks for nothing more, and keeps what was shown", async () => {
    const socket = FakeSocket.connected();
    const client = createClient(socket, { logger: { warn: () => undefined, error: () => undefined } });
    const before = [...socket.heard.keys()];
    const inbox = openInbox(client);
    socket.takeOne().reply({ items: [item(1)], unread: 1, version: 1 });
    await inbox.ready;
    const told = vi.fn();
    inbox.subscribe(told);
    socket.push("notification", arrival(2, 2));
    socket.push("notification", arrival(9, 9));
    await settled();
    const marking = inbox.markRead("n1");
    inbox.close();
    inbox.close();
    // What was marked is marked.
    socket.takeOne().reply({ read: ["n1"], at: 5, unread: 1, version: 3 });
    await marking;
    socket.push("notification", arrival(6, 3));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(socket.take()).toEqual([]);
    expect([...socket.heard.keys()]).toEqual(before);
    expect(vi.getTimerCount()).toBe(0);
    expect(told).toHaveBeenCalledTimes(2);
    expect(inbox.getSnapshot().items.map(({ seq }) => seq)).toEqual([2, 1]);
  });

  it("before it is live resolves `ready`, and `await using` closes", async () => {
    const { socket, inbox } = open();
    {
      await using held = inbox;
      void held;
    }
    await inbox.ready;
    socket.takeOne().reply({ items: [item(1)], unread: 1, version: 1 });
    await settled();
    expect(inbox.getSnapshot().items).toEqual([]);
  });
});
