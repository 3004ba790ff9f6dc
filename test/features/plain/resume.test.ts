import { EventSource } from "eventsource";
import { describe, expect, it, vi } from "vitest";
import { MemoryTopicLog, user } from "socket-ingress/realtime";
import { EventError, recoverAfterAsking } from "socket-ingress";
import { memoryCluster } from "socket-ingress/testing";
import { SharedLog } from "../realtime/two-nodes/history-nodes.js";
import { failureOf } from "./event-reader.js";
import type { DoorOptions } from "../realtime/door.js";
import { envelope, openPlain } from "./plain-door.js";

const idsOf = (changes: any[]): number[] => changes.map(({ id }) => Number(id));

describe("Last-Event-ID", () => {
  it("Given a drop during a storm, Then the stream goes on with `Last-Event-ID`, in order, each once.", async () => {
    await using plain = await openPlain();
    const got: number[] = [];
    let n = 0;
    let lastId: string | undefined;
    for (let round = 0; round < 8; round++) {
      const stream = await plain.stream("?topic=author&topic=book", { lastId });
      const from = n;
      const storm = (async () => {
        for (let i = 0; i < 20; i++)
          await plain.change(++n, n % 3 === 0 ? ["author", "book"] : [n % 2 === 0 ? "author" : "book"]);
      })();
      // Cut somewhere in the middle of it.
      await stream.until(() => stream.events.some(({ data }) => Number(data.id) >= from + 3 + round));
      stream.close();
      await stream.ended;
      got.push(...idsOf(stream.got("change")));
      expect(stream.got("refetch")).toEqual([]);
      ({ lastId } = stream);
      await storm;
    }
    await using last = await plain.stream("?topic=author&topic=book", { lastId });
    await plain.change(++n);
    await last.until(() => last.events.some(({ data }) => Number(data.id) === n));
    got.push(...idsOf(last.got("change")));
    expect(got).toEqual(Array.from({ length: n }, (_, i) => i + 1));
  });

  it("is what an EventSource of Node's says by itself when its connection is lost", async () => {
    await using plain = await openPlain({ retryMs: 20 });
    const source = new EventSource(`${plain.url}/events?topic=author`);
    const got: { id: string; lastEventId: string }[] = [];
    source.addEventListener("change", ({ data, lastEventId }) => {
      got.push({ id: (JSON.parse(data as string) as { id: string }).id, lastEventId });
    });
    await new Promise((resolve) => source.addEventListener("open", resolve, { once: true }));
    await plain.change(1);
    await vi.waitFor(() => expect(got).toHaveLength(1));
    const [socket] = plain.door.served.io.sockets.sockets.values();
    const gone = new Promise((resolve) => socket!.once("disconnect", resolve));
    socket!.conn.close();
    await gone;
    await plain.change(2);
    await plain.sockets(1);
    await plain.change(3);
    await vi.waitFor(() => expect(got).toHaveLength(3));
    source.close();
    expect(got.map(({ id }) => id)).toEqual(["1", "2", "3"]);
    expect(got[0]?.lastEventId).toMatch(/^1\./);
  });

  it("is said before any event, so that a drop before the first one loses nothing", async () => {
    await using plain = await openPlain();
    await plain.change(1);
    const stream = await plain.stream("?topic=author");
    await stream.until(() => stream.lastId !== undefined);
    stream.close();
    await stream.ended;
    await plain.change(2);
    await using back = await plain.stream("?topic=author", { lastId: stream.lastId });
    await back.until(() => back.events.length === 1);
    expect(back.got("change")).toEqual([envelope(2)]);
  });

  it("is understood by every node that shares the log, and pushes of all of them are heard", async () => {
    const { adapter } = memoryCluster();
    const log = new SharedLog();
    const options = { log, server: { adapter } };
    await using here = await openPlain({}, options);
    await using there = await openPlain({}, options);
    const stream = await here.stream("?user=ada&topic=author");
    await there.change(1);
    await here.change(2);
    await stream.until(() => stream.events.length === 2);
    expect(await there.door.realtime.count(user("ada"))).toMatchObject({ sockets: 1, complete: true });
    stream.close();
    await stream.ended;
    await there.change(3);
    await here.change(4);
    await using back = await there.stream("?user=ada&topic=author", { lastId: stream.lastId });
    await here.change(5);
    await back.until(() => back.events.length === 3);
    expect([...idsOf(stream.got("change")), ...idsOf(back.got("change"))]).toEqual([1, 2, 3, 4, 5]);
    await here.door.realtime.revoke("ada", "author");
    await back.ended;
    expect(back.got("ended")).toMatchObject([{ code: "FORBIDDEN", topic: "author" }]);
  });

  it("may be said in the query, by clients that can't set a header", async () => {
    await using plain = await openPlain();
    const stream = await plain.stream("?topic=author");
    await stream.until(() => stream.lastId !== undefined);
    stream.close();
    await stream.ended;
    await plain.change(1);
    await using back = await plain.stream(`?topic=author&lastEventId=${encodeURIComponent(stream.lastId ?? "")}`);
    await back.until(() => back.events.length === 1);
    expect(back.got("change")).toEqual([envelope(1)]);
  });

  it.each([
    ["of another epoch", "3.another"],
    ["of the future", undefined],
    ["that nobody has said", "%%/garbage\u00e4"],
    ["that is no position at all", "42"],
  ])(
    "Given an id no longer kept or of another epoch (%s), Then one `refetch` event before live ones.",
    async (_what, id) => {
      await using plain = await openPlain();
      await using now = await plain.stream("?topic=author");
      await now.until(() => now.lastId !== undefined);
      const lastId = id ?? `99.${now.lastId?.split(".")[1]}`;
      await plain.change(1);
      await using back = await plain.stream("?topic=author&topic=book", { lastId });
      await plain.change(2);
      await back.until(() => back.got("change").length > 0);
      expect(back.events.map(({ event }) => event)).toEqual(["refetch", "change"]);
      expect(back.got("refetch")).toEqual([{ topics: ["author", "book"] }]);
      expect(back.got("change")).toEqual([envelope(2)]);
      // It is where the log is again.
      back.close();
      await back.ended;
      await plain.change(3);
      await using again = await plain.stream("?topic=author&topic=book", { lastId: back.lastId });
      await again.until(() => again.events.length > 0);
      expect(again.events.map(({ event, data }) => [event, data.id as unknown])).toEqual([["change", "3"]]);
    },
  );

  it("Given an id no longer kept of one of two topics, Then that one is named, and the other has all of its own before", async () => {
    await using plain = await openPlain();
    await using stream = await plain.stream("?topic=author&topic=short");
    await stream.until(() => stream.lastId !== undefined);
    stream.close();
    await stream.ended;
    for (const n of [1, 2, 3]) await plain.change(n, ["short"]);
    await plain.change(4);
    await using back = await plain.stream("?topic=author&topic=short", { lastId: stream.lastId });
    await plain.change(5);
    await back.until(() => back.got("change").length === 2);
    expect(back.events.map(({ event }) => event)).toEqual(["change", "refetch", "change"]);
    expect(back.got("refetch")).toEqual([{ topics: ["short"] }]);
  });

  it("what was missed comes in parts, where it is more than half of `maxBufferedBytes`, in order, each once", async () => {
    await using plain = await openPlain({ maxBufferedBytes: 4_000 });
    const stream = await plain.stream("?user=ada&topic=author&topic=book");
    await stream.until(() => stream.lastId !== undefined);
    stream.close();
    await stream.ended;
    for (let n = 1; n <= 100; n++) await plain.change(n, n % 5 === 0 ? ["author", "book"] : ["author"]);
    await using back = await plain.stream("?user=ada&topic=author&topic=book", { lastId: stream.lastId });
    expect(back.got("change").length).toBeLessThan(100);
    for (let n = 101; n <= 120; n++) {
      await plain.change(n);
      await plain.door.realtime.emitSocket("hello", n, user("ada"));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await back.until(() => back.got("change").length === 120);
    expect(idsOf(back.got("change"))).toEqual(Array.from({ length: 120 }, (_, i) => i + 1));
    expect(back.got("hello")).toHaveLength(20);
    expect(back.got("refetch")).toEqual([]);
    // Wherever it is cut, the last id is true.
    const ids = back.events.filter(({ event }) => event === "change").map(({ id }) => Number(id?.split(".")[0]));
    expect(ids).toEqual(ids.toSorted((one, other) => one - other));
  });

  it("nothing comes behind the end of a stream whose topic was taken away, so that its last id is no further than what it has", async () => {
    await using plain = await openPlain({ filter: () => Promise.resolve(true) });
    await using stream = await plain.stream("?user=ada&topic=author&topic=book");
    await stream.until(() => stream.lastId !== undefined);
    const socket = plain.door.served.io.sockets.sockets.values().next().value;
    // As realtime says it, with what was pushed in the same turn before and behind it.
    for (let n = 1; n <= 4; n++) {
      void plain.change(n, [n % 2 === 0 ? "author" : "book"]);
      if (n === 2) socket?.emit("ingress:evicted", { topic: "book", code: "INTERNAL", message: "the server failed" });
    }
    await stream.ended;
    expect(stream.events.at(-1)).toMatchObject({ event: "ended", data: { topic: "book" } });
  });

  it.each([
    ["comes back with the recovery", {}],
    ["is asked before", { adapter: recoverAfterAsking(), connectionStateRecovery: { skipMiddlewares: false } }],
  ] as const)(
    "a topic that could not be asked about once is no obstacle the next time, where it %s",
    async (_how, server) => {
      let isDown = false;
      await using plain = await openPlain(
        {},
        {
          server: { connectionStateRecovery: {}, ...server },
          ingress: { recovery: "askAgain" },
          before: (_, { topics }) =>
            topics.define("moody", {
              history: {},
              join() {
                if (isDown) throw new EventError("OVERLOADED", "ask again");
                return true;
              },
            }),
        },
      );
      const stream = await plain.stream("?topic=moody");
      await stream.until(() => stream.lastId !== undefined);
      stream.close();
      await plain.sockets(0);
      isDown = true;
      await using refused = await plain.stream("?topic=moody", { lastId: stream.lastId });
      expect(refused.status).toBe(503);
      await plain.sockets(0);
      isDown = false;
      await plain.change(1, ["moody"]);
      await using back = await plain.stream("?topic=moody", { lastId: stream.lastId });
      expect(back.status).toBe(200);
      await back.until(() => back.got("change").length > 0);
      expect(back.got("refetch")).toEqual([]);
    },
  );

  it("what was missed comes in parts, however many, and no limit on how often clients join ends the stream", async () => {
    await using plain = await openPlain({ maxBufferedBytes: 800, filter: () => Promise.resolve(true) });
    const stream = await plain.stream("?topic=author&topic=book");
    await stream.until(() => stream.lastId !== undefined);
    stream.close();
    await plain.sockets(0);
    for (let n = 1; n <= 300; n++) await plain.change(n, [n % 2 === 0 ? "author" : "book"]);
    await using back = await plain.stream("?topic=author&topic=book", { lastId: stream.lastId });
    await back.until(() => back.got("change").length === 300);
    expect(idsOf(back.got("change"))).toEqual(Array.from({ length: 300 }, (_, i) => i + 1));
    expect(back.got("refetch")).toEqual([]);
  });

  it("a topic that can't be joined again for the next part, while others can, is told as missed before the stream ends", async () => {
    let isDown = false;
    await using plain = await openPlain(
      { maxBufferedBytes: 800, filter: () => Promise.resolve(true) },
      {
        before: (_, { topics }) =>
          topics.define("moody", {
            history: {},
            join() {
              if (isDown) throw new EventError("OVERLOADED", "ask again");
              return true;
            },
          }),
      },
    );
    const stream = await plain.stream("?topic=author&topic=moody");
    await stream.until(() => stream.lastId !== undefined);
    stream.close();
    await plain.sockets(0);
    for (let n = 1; n <= 20; n++) await plain.change(n, [n % 2 === 0 ? "author" : "moody"]);
    await using back = await plain.stream("?topic=author&topic=moody", { lastId: stream.lastId });
    isDown = true;
    await back.ended;
    expect(back.events.at(-1)).toMatchObject({ event: "ended", data: { code: "OVERLOADED", topic: "moody" } });
    expect(back.events.at(-2)).toMatchObject({ event: "refetch", data: { topics: ["moody"] } });
  });

  it("what was missed comes in parts through a filter that takes its time, too", async () => {
    const filter = async (): Promise<boolean> => {
      await new Promise((resolve) => setImmediate(resolve));
      return true;
    };
    await using plain = await openPlain({ maxBufferedBytes: 4_000, filter });
    const stream = await plain.stream("?topic=author");
    await stream.until(() => stream.lastId !== undefined);
    stream.close();
    await stream.ended;
    for (let n = 1; n <= 50; n++) await plain.change(n);
    await using back = await plain.stream("?topic=author", { lastId: stream.lastId });
    await back.until(() => back.got("change").length === 50);
    expect(idsOf(back.got("change"))).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
    expect(back.got("refetch")).toEqual([]);
  });

  it("a stream that may not come back when its node can't go on ends, and says why", async () => {
    const log = new SharedLog();
    await using plain = await openPlain({}, { log });
    await using stream = await plain.stream("?user=ada&topic=author");
    await using socket = await plain.socket("?user=ada&topic=author");
    await socket.ask({ event: "sync" });
    await plain.change(1);
    await stream.until(() => stream.events.length === 1);
    plain.banned.add("ada");
    log.inner = new MemoryTopicLog();
    await plain.change(2);
    await stream.ended;
    expect(stream.got("ended")).toMatchObject([{ code: "FORBIDDEN", topic: "author" }]);
    expect((await socket.closed).code).toBe(4003);
  });

  it("a part that is cut goes on where it was", async () => {
    await using plain = await openPlain({ maxBufferedBytes: 4_000 });
    const first = await plain.stream("?topic=author");
    await first.until(() => first.lastId !== undefined);
    first.close();
    await first.ended;
    for (let n = 1; n <= 60; n++) await plain.change(n);
    const got: number[] = [];
    let { lastId } = first;
    while (got.at(-1) !== 60) {
      const next = await plain.stream("?topic=author", { lastId });
      await next.until(() => next.got("change").length >= Math.min(7, 60 - got.length));
      next.close();
      await next.ended;
      got.push(...idsOf(next.got("change")));
      ({ lastId } = next);
    }
    expect(got).toEqual(Array.from({ length: 60 }, (_, i) => i + 1));
  });

  it("holds for a topic that is asked for in another case, where it allows that", async () => {
    const log = new SharedLog();
    await using plain = await openPlain(
      {},
      {
        log,
        before: (_manager, { topics }) => void topics.define("post/{id}", { public: true, anyCase: true, history: {} }),
      },
    );
    await using stream = await plain.stream("?user=ada&topic=Post/Ann");
    await using socket = await plain.socket("?user=ada&topic=POST/Ann");
    await socket.ask({ event: "sync" });
    await plain.change(1, ["post/Ann"]);
    await stream.until(() => stream.got("change").length === 1);
    // The log is lost, and all that read positions join again.
    log.inner = new MemoryTopicLog();
    await plain.change(2, ["post/Ann"]);
    await stream.until(() => stream.got("refetch").length === 1);
    await plain.change(3, ["post/Ann"]);
    await stream.until(() => stream.got("change").some(({ id }) => id === "3"));
    await socket.until(() => socket.frames.some(({ id }) => id === "3"));
    await plain.door.realtime.revoke("ada");
    await stream.ended;
    expect((await socket.closed).code).toBe(4003);
  });

  it("a topic that a WebSocket lost for the moment, and subscribes to again, brings what was missed of it meanwhile", async () => {
    await using plain = await openPlain();
    await using socket = await plain.socket("?user=ada&topic=author");
    await socket.ask({ subscribe: "book" });
    await plain.change(1, ["author", "book"]);
    await socket.until(() => socket.frames.length === 2);
    await plain.door.realtime.revoke("ada", "book", { code: "OVERLOADED", message: "later" });
    await plain.change(2, ["book"]);
    await plain.change(3, ["author"]);
    await socket.until(() => socket.frames.length === 4);
    await socket.ask({ subscribe: "book" });
    await plain.change(4, ["author", "book"]);
    await socket.until(() => socket.frames.length === 7);
    expect(socket.frames.flatMap((frame) => frame.payload?.id ?? frame.unsubscribed ?? frame.subscribed)).toEqual([
      "book",
      1,
      "book",
      3,
      2,
      "book",
      4,
    ]);
  });

  it("a client whose node can't go on, as its log was lost, is told a refetch, and hears what comes then", async () => {
    const log = new SharedLog();
    await using plain = await openPlain({}, { log });
    await using stream = await plain.stream("?topic=author");
    await using socket = await plain.socket("?topic=author");
    await socket.ask({ event: "sync" });
    await plain.change(1);
    await stream.until(() => stream.events.length === 1);
    log.inner = new MemoryTopicLog();
    await plain.change(2);
    await stream.until(() => stream.got("refetch").length === 1);
    await socket.until(() => socket.frames.some(({ event }) => event === "refetch"));
    await plain.change(3);
    await stream.until(() => stream.got("change").some(({ id }) => id === "3"));
    await socket.until(() => socket.frames.some(({ id }) => id === "3"));
    expect(stream.got("refetch")).toEqual([{ topics: ["author"] }]);
    expect(socket.frames.filter(({ event }) => event === "refetch")).toEqual([
      { event: "refetch", data: { topics: ["author"] } },
    ]);
  });
});

describe.each([
  ["as Socket.IO does it", { server: { connectionStateRecovery: {} }, ingress: { recovery: "askAgain" } }],
  ["after asking", { server: { adapter: recoverAfterAsking(), connectionStateRecovery: { skipMiddlewares: false } } }],
] satisfies [string, DoorOptions][])("connection state recovery, %s", (_how, options: DoorOptions) => {
  it("brings what was missed of all other events, in order, each once, under the same socket id", async () => {
    await using plain = await openPlain({}, options);
    const { realtime, served } = plain.door;
    const stream = await plain.stream("?user=ada&topic=author&topic=chat");
    const [id] = served.io.sockets.sockets.keys();
    await realtime.emitSocket("hello", 1, user("ada"));
    await plain.change(1);
    await stream.until(() => stream.events.some(({ event }) => event === "change"));
    expect(stream.got("hello")).toEqual([1]);
    stream.close();
    await stream.ended;
    await plain.sockets(0);
    await realtime.emitSocket("hello", 2, user("ada"));
    await plain.change(2);
    await realtime.emitSocket("said", 3, { topic: "chat" });
    await realtime.emitSocket("hello", 4, user("ada"));
    await using back = await plain.stream("?user=ada&topic=author&topic=chat", { lastId: stream.lastId });
    await realtime.emitSocket("hello", 5, user("ada"));
    await plain.change(3);
    await back.until(() => back.got("change").length === 2 && back.got("hello").length === 3);
    expect([...served.io.sockets.sockets.keys()]).toEqual([id]);
    expect(back.got("hello")).toEqual([2, 4, 5]);
    expect(back.got("said")).toEqual([3]);
    expect(idsOf(back.got("change"))).toEqual([2, 3]);
    expect(back.got("refetch")).toEqual([]);
  });

  it("that does not come about is a refetch of what has no history, and nothing else is lost", async () => {
    await using plain = await openPlain({}, options);
    const stream = await plain.stream("?user=ada&topic=author&topic=chat");
    await plain.door.realtime.emitSocket("hello", "text", user("ada"));
    await plain.change(1);
    await stream.until(() => stream.events.some(({ event }) => event === "change"));
    expect(stream.got("hello")).toEqual(["text"]);
    stream.close();
    await stream.ended;
    await plain.change(2);
    const lastId = stream.lastId?.replace(/\/[^/]+\//, "/another/");
    await using back = await plain.stream("?user=ada&topic=author&topic=chat", { lastId });
    await back.until(() => back.got("change").length === 1 && back.got("refetch").length === 1);
    expect(back.got("refetch")).toEqual([{ topics: ["chat"] }]);
    expect(idsOf(back.got("change"))).toEqual([2]);
  });

  it("of a client that may come in no more is refused, and nothing that was missed leaves", async () => {
    await using plain = await openPlain({}, options);
    const stream = await plain.stream("?user=ada");
    await plain.door.realtime.emitSocket("hello", 1, user("ada"));
    await stream.until(() => stream.events.length === 1);
    stream.close();
    await stream.ended;
    await plain.sockets(0);
    await plain.door.realtime.emitSocket("hello", "a secret", user("ada"));
    plain.door.ingress.subscribe("connect", () => false);
    const refused = await failureOf(`${plain.url}/events?user=ada`, { "last-event-id": stream.lastId ?? "" });
    expect(refused.status).toBe(403);
    expect(JSON.stringify(refused.body)).not.toContain("secret");
    await plain.sockets(0);
  });

  it("leaves the topics that are not asked for any more", async () => {
    await using plain = await openPlain({}, options);
    const stream = await plain.stream("?user=ada&topic=chat&topic=author");
    await plain.door.realtime.emitSocket("hello", 1, user("ada"));
    await stream.until(() => stream.got("hello").length === 1);
    stream.close();
    await stream.ended;
    await plain.sockets(0);
    await using back = await plain.stream("?user=ada&topic=author", { lastId: stream.lastId });
    await back.until(() => back.lastId !== stream.lastId || true);
    const [socket] = plain.door.served.io.sockets.sockets.values();
    while (plain.door.realtime.topicsOf(socket!).length > 1) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(plain.door.realtime.topicsOf(socket!)).toEqual(["author"]);
  });
});
