import { createClient, type EventFailure, type JoinedTopic } from "socket-ingress/client";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FakeSocket, failure, settled } from "./fixtures/fake-socket.js";
import { recordingLogger } from "./fixtures/recorder.js";
import { rejection } from "./fixtures/rejection.js";
import { unhandledDuring } from "./fixtures/unhandled.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Answers the one join that was asked. */
async function answer(socket: FakeSocket, value: unknown = {}): Promise<unknown[]> {
  const { args, reply } = socket.takeOne();
  reply(value);
  await settled();
  return args;
}

describe("the input of a join", () => {
  it("is said at each join and rejoin; a function is asked anew", async () => {
    const socket = FakeSocket.connected();
    let draft = true;
    void createClient(socket).joinTopic("doc", { input: () => ({ draft }) });
    expect(await answer(socket)).toEqual([{ topic: "doc", input: { draft: true } }, true]);
    draft = false;
    socket.drop();
    socket.connect();
    expect(await answer(socket)).toEqual([{ topic: "doc", input: { draft: false } }, true]);
  });

  it("is said again after a recovered connection: the server has forgotten it", async () => {
    const socket = FakeSocket.connected();
    const client = createClient(socket);
    void client.joinTopic("doc", { input: 1 });
    await answer(socket);
    void client.joinTopic("plain");
    await answer(socket);
    socket.drop();
    socket.connect({ recovered: true });
    expect(await answer(socket)).toEqual([{ topic: "doc", input: 1 }, true]);
  });

  it("of a second share is said at once, and from then on", async () => {
    const socket = FakeSocket.connected();
    const client = createClient(socket);
    void client.joinTopic("doc", { input: 1 });
    await answer(socket);
    void client.joinTopic("doc", { input: 2 });
    expect(await answer(socket)).toEqual([{ topic: "doc", input: 2 }, true]);
    void client.joinTopic("doc");
    await settled();
    socket.drop();
    socket.connect();
    expect(await answer(socket)).toEqual([{ topic: "doc", input: 2 }, true]);
  });

  it("that can't be made rejects its join alone", async () => {
    const socket = new FakeSocket();
    const client = createClient(socket);
    const cause = new Error("no draft");
    const bad = rejection(
      client.joinTopic("bad", {
        input: () => {
          throw cause;
        },
      }),
    );
    const good = client.joinTopic("good");
    socket.connect();
    await settled();
    const [joins, others] = [socket.sent.filter(({ event }) => event === "ingress:join"), socket.take()];
    expect(joins.map(({ args }) => args)).toEqual([["good", true]]);
    for (const { reply } of others) reply({});
    await good;
    expect(await bad).toMatchObject({ cause });
    expect(socket.sent).toEqual([]);
  });
});

describe("a join with a signal", () => {
  it.each([["before it is asked"], ["while it is asked"]])("aborted %s rejects with ABORTED, quietly", async (when) => {
    const socket = when === "while it is asked" ? FakeSocket.connected() : new FakeSocket();
    const logger = recordingLogger();
    const client = createClient(socket, { logger });
    const controller = new AbortController();
    const unhandled = await unhandledDuring(async () => {
      const awaited = rejection(client.joinTopic("t", { signal: controller.signal }));
      void client.joinTopic("t", { signal: controller.signal });
      controller.abort("enough");
      expect(await awaited).toMatchObject({ code: "ABORTED", cause: "enough" });
    });
    for (const { reply } of socket.take()) reply({});
    await settled();
    if (socket.connected) expect(socket.frames()).toEqual(['ingress:leave "t"']);
    else {
      socket.connect();
      expect(socket.sent).toEqual([]);
    }
    expect([unhandled, logger.lines]).toEqual([[], []]);
  });

  it("that was aborted before asks nothing", async () => {
    const socket = FakeSocket.connected();
    const signal = AbortSignal.abort("over");
    expect(await rejection(createClient(socket).joinTopic("t", { signal }))).toMatchObject({ code: "ABORTED" });
    await settled();
    expect(socket.sent).toEqual([]);
  });

  it("aborted when it is joined gives the share back, and no listener stays on the signal", async () => {
    const socket = FakeSocket.connected();
    const client = createClient(socket);
    const controller = new AbortController();
    const removed = vi.spyOn(controller.signal, "removeEventListener");
    const onLost = vi.fn<() => void>();
    void client.joinTopic("t", { signal: controller.signal, onLost });
    await answer(socket);
    controller.abort();
    await settled();
    expect(socket.frames()).toEqual(['ingress:leave "t"']);
    expect([removed.mock.calls.length, onLost.mock.calls.length]).toEqual([1, 0]);
  });
});

describe("a join with a time limit", () => {
  it("rejects with DISCONNECTED when no connection came, with TIMEOUT when no answer did", async () => {
    const socket = new FakeSocket();
    const client = createClient(socket, { logger: recordingLogger() });
    const offline = rejection(client.joinTopic("t", { timeoutMs: 100 }));
    await vi.advanceTimersByTimeAsync(100);
    expect(await offline).toMatchObject({ code: "DISCONNECTED", answered: false });
    socket.connect();
    expect(socket.sent).toEqual([]);
    const unanswered = rejection(client.joinTopic("t", { timeoutMs: 100 }));
    await vi.advanceTimersByTimeAsync(100);
    expect(await unanswered).toMatchObject({ code: "TIMEOUT", answered: false });
    // Whatever the answer says: nobody wants it any more.
    await answer(socket);
    expect(socket.frames()).toEqual(['ingress:leave "t"']);
  });

  it("that was joined in time has no timer left, and is not lost when the time is up", async () => {
    const socket = FakeSocket.connected();
    const onLost = vi.fn<() => void>();
    void createClient(socket).joinTopic("t", { timeoutMs: 100, onLost });
    await answer(socket);
    expect(vi.getTimerCount()).toBe(0);
  });

  it.each([[0], [-1], [Number.NaN]])("of %s ms is a TypeError", (timeoutMs) => {
    const client = createClient(FakeSocket.connected());
    expect(() => client.joinTopic("t", { timeoutMs })).toThrow(TypeError);
  });
});

describe("what is told", () => {
  it("is how it was joined, each time, before the join resolves", async () => {
    const socket = FakeSocket.connected();
    const told: unknown[] = [];
    const onJoined = (joined: JoinedTopic): unknown => told.push(joined);
    const join = createClient(socket).joinTopic("t", { onJoined });
    void join.then(() => told.push("resolved"));
    await answer(socket, { snapshot: 1 });
    socket.drop();
    socket.connect();
    await answer(socket);
    expect(told).toEqual([
      { snapshot: 1, rejoined: false, recovered: false },
      "resolved",
      { snapshot: undefined, rejoined: true, recovered: false },
    ]);
  });

  it.each([[{ error: {} }], [{ error: "no" }], [{ error: { code: 5 } }], ["yes"], [7], [[]]])(
    "by an answer that is none (%j) is no yes",
    async (value) => {
      const socket = FakeSocket.connected();
      const onLost = vi.fn<(failure: EventFailure) => void>();
      const client = createClient(socket);
      const refused = rejection(client.joinTopic("t", { onLost }));
      await answer(socket, value);
      expect(await refused).toMatchObject({ code: "INTERNAL", answered: true });
    },
  );

  it("at a short pause of the server's choice is asked no more than seven times in three seconds", async () => {
    const socket = FakeSocket.connected();
    void createClient(socket).joinTopic("t");
    await answer(socket);
    socket.drop();
    socket.connect();
    let joins = 0;
    for (let ms = 0; ms < 3_000; ms++) {
      for (const { reply } of socket.take()) {
        joins++;
        reply(failure("RATE_LIMITED", { retryAfterMs: 0.001 }));
      }
      await vi.advanceTimersByTimeAsync(1);
    }
    expect(joins).toBeGreaterThan(3);
    expect(joins).toBeLessThanOrEqual(7);
  });
});

describe("topics that come back together", () => {
  it("are joined by one call, each with its own answer", async () => {
    const socket = new FakeSocket();
    const client = createClient(socket, { logger: recordingLogger() });
    const [a, b, c] = [client.joinTopic("a"), client.joinTopic("b", { input: 1 }), client.joinTopic("c")];
    const refused = rejection(b);
    const failed = rejection(c);
    socket.connect();
    const args = await answer(socket, { answers: [{}, failure("FORBIDDEN"), { error: {} }] });
    expect(args).toEqual([["a", { topic: "b", input: 1 }, "c"], true]);
    await a;
    expect([(await refused).code, (await failed).code]).toEqual(["FORBIDDEN", "INTERNAL"]);
  });

  it("are asked for one by one where the whole list is refused, so that one that does not fit harms no other", async () => {
    const socket = new FakeSocket();
    const client = createClient(socket);
    const a = client.joinTopic("a");
    const b = rejection(client.joinTopic("b"));
    socket.connect();
    await answer(socket, failure("INVALID_INPUT"));
    const [first, second] = socket.take();
    expect([first?.args, second?.args]).toEqual([
      ["a", true],
      ["b", true],
    ]);
    first?.reply({});
    second?.reply(failure("INVALID_INPUT"));
    await a;
    expect((await b).code).toBe("INVALID_INPUT");
  });

  it.each([[{}], [{ answers: [{}] }], [{ answers: 5 }], [undefined]])(
    "and are answered with no list (%j) are not joined",
    async (value) => {
      const socket = new FakeSocket();
      const client = createClient(socket);
      client.joinTopic("a").catch(() => {});
      const second = rejection(client.joinTopic("b"));
      socket.connect();
      const { reply } = socket.takeOne();
      reply(value);
      expect((await second).code).toBe("INTERNAL");
    },
  );
});
