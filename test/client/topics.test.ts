import { type Client, createClient, type EventFailure, type JoinOptions, type TopicJoin } from "socket-ingress/client";
import type { PresenceChange, PresenceNews } from "socket-ingress/realtime";
import { afterEach, beforeEach, describe, expect, it, type Mock, vi } from "vitest";
import { failure, FakeSocket, settled } from "./fixtures/fake-socket.js";
import { recordingLogger } from "./fixtures/recorder.js";
import { rejection } from "./fixtures/rejection.js";
import { unhandledDuring } from "./fixtures/unhandled.js";

/** Answers whatever was sent with success. */
const answerAll = async (socket: FakeSocket, value: unknown = {}): Promise<string[]> => {
  const taken = socket.take();
  for (const { args, reply } of taken) {
    const [topics] = args;
    reply(Array.isArray(topics) ? { answers: topics.map(() => value) } : value);
  }
  await settled();
  return taken.map(({ event, args }) => `${event} ${String(args[0])}`);
};

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("a topic", () => {
  it("is joined at once, and left with the function that the promise gave", async () => {
    const socket = FakeSocket.connected();
    const joining = createClient(socket).joinTopic("room:42");
    expect(await answerAll(socket)).toEqual(["ingress:join room:42"]);
    const leave = await joining;
    leave();
    await settled();
    expect(await answerAll(socket)).toEqual(["ingress:leave room:42"]);
  });

  it("joined by two is asked for once, and left when the second has gone", async () => {
    const socket = FakeSocket.connected();
    const client = createClient(socket);
    const first = client.joinTopic("room:42");
    const second = client.joinTopic("room:42");
    expect(await answerAll(socket)).toEqual(["ingress:join room:42"]);
    await Promise.all([first, second]);
    first.leave();
    first.leave();
    await settled();
    expect(socket.sent).toEqual([]);
    second.leave();
    await settled();
    expect(socket.frames()).toEqual(['ingress:leave "room:42"']);
  });

  it("that is joined already is joined again without asking", async () => {
    const socket = FakeSocket.connected();
    const client = createClient(socket);
    void client.joinTopic("room:42");
    await answerAll(socket);
    await client.joinTopic("room:42");
    expect(socket.sent).toEqual([]);
  });

  it("joined, left and joined in one go is joined once and not left", async () => {
    const socket = FakeSocket.connected();
    const client = createClient(socket);
    client.joinTopic("room:42").leave();
    const last = client.joinTopic("room:42");
    await settled();
    expect(await answerAll(socket)).toEqual(["ingress:join room:42"]);
    await last;
    await settled();
    expect(socket.sent).toEqual([]);
  });

  it("left while joining is left once the join is answered; the join resolves all the same", async () => {
    const socket = FakeSocket.connected();
    const joining = createClient(socket).joinTopic("room:42");
    joining.leave();
    await joining;
    await settled();
    expect(await answerAll(socket)).toEqual(["ingress:join room:42"]);
    expect(await answerAll(socket)).toEqual(["ingress:leave room:42"]);
    expect(await answerAll(socket)).toEqual([]);
  });

  it("joined while it is being left is joined again after the leave is answered", async () => {
    const socket = FakeSocket.connected();
    const client = createClient(socket);
    const first = client.joinTopic("room:42");
    await answerAll(socket);
    first.leave();
    await settled();
    const second = client.joinTopic("room:42");
    expect(await answerAll(socket)).toEqual(["ingress:leave room:42"]);
    expect(await answerAll(socket)).toEqual(["ingress:join room:42"]);
    await second;
  });

  it("is a stranger to other topics", async () => {
    const socket = FakeSocket.connected();
    const client = createClient(socket);
    void client.joinTopic("a");
    void client.joinTopic("b");
    expect(await answerAll(socket)).toEqual(["ingress:join a", "ingress:join b"]);
  });

  it("must have a name", () => {
    const client = createClient(FakeSocket.connected());
    expect(() => client.joinTopic("")).toThrow(new TypeError('a topic to join must be a non-empty string, got ""'));
    expect(() => client.joinTopic(5 as never)).toThrow(
      new TypeError("a topic to join must be a non-empty string, got 5"),
    );
  });
});

describe("a topic that is refused", () => {
  it("rejects everyone who asked, with the code, and nothing is left of it", async () => {
    const socket = FakeSocket.connected();
    const client = createClient(socket);
    const all = Promise.allSettled([client.joinTopic("room:42"), client.joinTopic("room:42")]);
    socket.takeOne().reply(failure("FORBIDDEN"));
    // The second one came while the first was being asked for: it asks for itself.
    await settled();
    socket.takeOne().reply(failure("FORBIDDEN"));
    for (const result of await all) {
      expect(result).toMatchObject({ status: "rejected", reason: { code: "FORBIDDEN", answered: true } });
    }
    socket.drop();
    socket.connect();
    expect(socket.sent).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("is left, to be sure, when the join was never answered", async () => {
    const socket = FakeSocket.connected();
    const refused = rejection(createClient(socket, { timeoutMs: 100 }).joinTopic("room:42"));
    socket.take();
    await vi.advanceTimersByTimeAsync(100);
    expect((await refused).code).toBe("TIMEOUT");
    expect(socket.frames()).toEqual(['ingress:leave "room:42"']);
    // Nor does it go on for ever if that isn't answered either.
    await vi.advanceTimersByTimeAsync(100_000);
    expect(socket.sent).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("to a second component leaves the first one in", async () => {
    const socket = FakeSocket.connected();
    const client = createClient(socket);
    const onLost = vi.fn<(failure: EventFailure) => void>();
    const first = client.joinTopic("room:42", { onLost });
    await answerAll(socket);
    const second = rejection(client.joinTopic("room:42", { onJoined: () => {} }));
    socket.takeOne().reply(failure("FORBIDDEN"));
    expect((await second).code).toBe("FORBIDDEN");
    expect(onLost).not.toHaveBeenCalled();
    (await first)();
    await settled();
    expect(socket.frames()).toEqual(['ingress:leave "room:42"']);
  });
});

describe("a refusal that nobody awaits", () => {
  it("is a warning, and no unhandled rejection", async () => {
    const socket = FakeSocket.connected();
    const logger = recordingLogger();
    const unhandled = await unhandledDuring(async () => {
      const cleanup = createClient(socket, { logger }).joinTopic("room:42").leave;
      socket.takeOne().reply(failure("FORBIDDEN"));
      await settled();
      cleanup();
    });
    expect(unhandled).toEqual([]);
    expect(logger.lines).toEqual([
      'warn: socket-ingress: the topic "room:42" was not joined: FORBIDDEN, refused with FORBIDDEN',
    ]);
  });

  it.each<[string, (join: TopicJoin) => Promise<unknown>]>([
    ["then", (join) => join.then(() => {})],
    ["catch", (join) => join.catch((error: unknown) => Promise.reject(error as Error))],
    ["finally", (join) => join.finally(() => {})],
    ["Promise.race", (join) => Promise.race([join, new Promise(() => {})])],
    [
      "await",
      async (join) => {
        const leave = await join;
        leave();
      },
    ],
  ])("is one for whoever does, by %s: the rejection is theirs and nothing is logged", async (_, hear) => {
    const socket = FakeSocket.connected();
    const logger = recordingLogger();
    const join = createClient(socket, { logger }).joinTopic("room:42");
    expect(join).toBeInstanceOf(Promise);
    const heard = rejection(hear(join));
    socket.takeOne().reply(failure("FORBIDDEN"));
    expect((await heard).code).toBe("FORBIDDEN");
    expect(logger.lines).toEqual([]);
  });

  it("is told to whoever asks later, too", async () => {
    const socket = FakeSocket.connected();
    const join = createClient(socket, { logger: recordingLogger() }).joinTopic("room:42");
    socket.takeOne().reply(failure("FORBIDDEN"));
    await settled();
    expect((await rejection(join)).code).toBe("FORBIDDEN");
  });

  it("stays an unhandled rejection for whoever goes on from it and hears no failure", async () => {
    const socket = FakeSocket.connected();
    const unhandled = await unhandledDuring(async () => {
      void createClient(socket, { logger: recordingLogger() })
        .joinTopic("room:42")
        .then(() => {});
      socket.takeOne().reply(failure("FORBIDDEN"));
      await settled();
    });
    expect(unhandled).toMatchObject([{ code: "FORBIDDEN" }]);
  });
});

describe.each(["onJoined", "onSnapshot"] as const)("a snapshot, taken with %s,", (form) => {
  const taking = (fn: (snapshot: unknown) => unknown): JoinOptions =>
    form === "onSnapshot" ? { onSnapshot: fn } : { onJoined: ({ snapshot }) => fn(snapshot) };

  it("comes before the join resolves", async () => {
    const socket = FakeSocket.connected();
    const seen: unknown[] = [];
    const joining = createClient(socket)
      .joinTopic(
        "room:42",
        taking((snapshot) => seen.push(snapshot)),
      )
      .then(() => seen.push("joined"));
    socket.takeOne().reply({ snapshot: { n: 1 } });
    await joining;
    expect(seen).toEqual([{ n: 1 }, "joined"]);
  });

  it("is fresh for a second component, which the first does not hear of", async () => {
    const socket = FakeSocket.connected();
    const client = createClient(socket);
    const [first, second] = [vi.fn<(s: unknown) => void>(), vi.fn<(s: unknown) => void>()];
    void client.joinTopic("room:42", taking(first));
    socket.takeOne().reply({ snapshot: 1 });
    await settled();
    void client.joinTopic("room:42", taking(second));
    socket.takeOne().reply({ snapshot: 2 });
    await settled();
    expect([first.mock.calls, second.mock.calls]).toEqual([[[1]], [[2]]]);
  });

  it("comes to everyone again after a rejoin", async () => {
    const socket = FakeSocket.connected();
    const client = createClient(socket);
    const onSnapshot = vi.fn<(s: unknown) => void>();
    void client.joinTopic("room:42", taking(onSnapshot));
    socket.takeOne().reply({ snapshot: 1 });
    await settled();
    socket.drop();
    socket.connect();
    socket.takeOne().reply({ snapshot: 2 });
    await settled();
    expect(onSnapshot.mock.calls).toEqual([[1], [2]]);
  });

  it("whose receiver throws is logged, and the topic is joined", async () => {
    const socket = FakeSocket.connected();
    const logger = recordingLogger();
    const joining = createClient(socket, { logger }).joinTopic(
      "room:42",
      taking(() => {
        throw new Error("no");
      }),
    );
    socket.takeOne().reply({ snapshot: 1 });
    await joining;
    expect(logger.lines).toEqual([`error: socket-ingress: ${form} of "room:42" failed Error: no`]);
  });
});

describe("onSnapshot", () => {
  it("is told behind onJoined, and not of a join that brought no snapshot", async () => {
    const socket = FakeSocket.connected();
    const told: unknown[] = [];
    const client = createClient(socket);
    void client.joinTopic("room:42", {
      onJoined: ({ snapshot, rejoined }) => told.push(["onJoined", snapshot, rejoined]),
      onSnapshot: (snapshot) => told.push(["onSnapshot", snapshot]),
    });
    for (const answer of [{ snapshot: null }, {}, { snapshot: 0 }]) {
      socket.takeOne().reply(answer);
      await settled();
      socket.drop();
      socket.connect();
    }
    expect(told).toEqual([
      ["onJoined", null, false],
      ["onSnapshot", null],
      ["onJoined", undefined, true],
      ["onJoined", 0, true],
      ["onSnapshot", 0],
    ]);
  });
});

describe("after a reconnect", () => {
  it("topics are joined again, before calls that waited go out", async () => {
    const socket = FakeSocket.connected();
    const client = createClient(socket);
    void client.joinTopic("room:42");
    await answerAll(socket);
    socket.drop();
    void client.call("ask");
    socket.connect();
    expect(socket.frames()).toEqual(['ingress:join "room:42" true', "ask"]);
  });

  it("that was recovered nothing is asked", async () => {
    const socket = FakeSocket.connected();
    const client = createClient(socket);
    void client.joinTopic("room:42");
    await answerAll(socket);
    socket.drop();
    const second = client.joinTopic("room:42");
    socket.connect({ recovered: true });
    await second;
    expect(socket.sent).toEqual([]);
  });

  it("a join that waited for a connection is made", async () => {
    const socket = new FakeSocket();
    const joining = createClient(socket).joinTopic("room:42");
    await vi.advanceTimersByTimeAsync(3_600_000);
    socket.connect();
    expect(await answerAll(socket)).toEqual(["ingress:join room:42"]);
    await joining;
  });

  it.each([[false], [true]])("a join that was cut off is made again (recovered: %j)", async (recovered) => {
    const socket = FakeSocket.connected();
    const joining = createClient(socket).joinTopic("room:42");
    expect(socket.frames()).toHaveLength(1);
    socket.drop();
    await settled();
    socket.connect({ recovered });
    expect(await answerAll(socket)).toEqual(["ingress:join room:42"]);
    await joining;
  });

  it("a join that was cut off is made again even if the connection is back in the same tick", async () => {
    const socket = FakeSocket.connected();
    const joining = createClient(socket).joinTopic("room:42");
    socket.take();
    socket.drop();
    socket.connect();
    await settled();
    expect(await answerAll(socket)).toEqual(["ingress:join room:42"]);
    await joining;
  });

  it("a leave that was cut off is made again only if the connection was recovered", async () => {
    for (const recovered of [true, false]) {
      const socket = FakeSocket.connected();
      const joining = createClient(socket).joinTopic("room:42");
      await answerAll(socket);
      joining.leave();
      await settled();
      expect(socket.frames()).toEqual(['ingress:leave "room:42"']);
      socket.drop();
      await settled();
      socket.connect({ recovered });
      expect(await answerAll(socket)).toEqual(recovered ? ["ingress:leave room:42"] : []);
    }
  });

  it("what was left while there was no connection is not joined again", async () => {
    const socket = FakeSocket.connected();
    const joining = createClient(socket).joinTopic("room:42");
    await answerAll(socket);
    socket.drop();
    joining.leave();
    await settled();
    socket.connect();
    expect(socket.sent).toEqual([]);
  });

  it("a refused rejoin is told, and not tried again", async () => {
    const socket = FakeSocket.connected();
    const onLost = vi.fn<(failure: EventFailure) => void>();
    const joining = createClient(socket).joinTopic("room:42", { onLost });
    await answerAll(socket);
    socket.drop();
    socket.connect();
    socket.takeOne().reply(failure("FORBIDDEN"));
    await settled();
    expect(onLost).toHaveBeenCalledOnce();
    expect(onLost.mock.calls[0]?.[0]).toMatchObject({ code: "FORBIDDEN" });
    socket.drop();
    socket.connect();
    (await joining)();
    await settled();
    expect(socket.sent).toEqual([]);
  });

  it("a rejoin that failed for the moment is tried again, when the server said or a little later each time", async () => {
    vi.spyOn(Math, "random").mockReturnValue(1);
    const socket = FakeSocket.connected();
    const onLost = vi.fn<(failure: EventFailure) => void>();
    void createClient(socket).joinTopic("room:42", { onLost });
    await answerAll(socket);
    socket.drop();
    socket.connect();
    for (const [code, details, pauseMs] of [
      ["RATE_LIMITED", { retryAfterMs: 5_000 }, 5_000],
      ["OVERLOADED", undefined, 1_000],
      ["SHUTTING_DOWN", undefined, 2_000],
    ] as const) {
      socket.takeOne().reply(failure(code, details));
      await settled();
      await vi.advanceTimersByTimeAsync(pauseMs - 1);
      expect(socket.sent).toEqual([]);
      await vi.advanceTimersByTimeAsync(1);
    }
    socket.takeOne().reply({});
    await settled();
    expect(onLost).not.toHaveBeenCalled();
    expect(vi.getTimerCount()).toBe(0);
  });

  it.each([[2 ** 31], [1e300]])(
    "a rejoin waits as long as a timer can when it is told to wait %d ms",
    async (retryAfterMs) => {
      const socket = FakeSocket.connected();
      const client = createClient(socket);
      void client.joinTopic("room:42");
      await answerAll(socket);
      socket.drop();
      socket.connect();
      socket.takeOne().reply(failure("RATE_LIMITED", { retryAfterMs }));
      await settled();
      await vi.advanceTimersByTimeAsync(2 ** 31 - 2);
      expect(socket.sent).toEqual([]);
      await vi.advanceTimersByTimeAsync(1);
      expect(socket.frames()).toEqual(['ingress:join "room:42" true']);
      client.close();
    },
  );

  it.each([[-1], [Number.NaN], ["5000"], [null], [0]])(
    "a rejoin that is told to wait %s ms is tried a little later each time, as if nothing were said",
    async (retryAfterMs) => {
      vi.spyOn(Math, "random").mockReturnValue(1);
      const socket = FakeSocket.connected();
      const client = createClient(socket);
      void client.joinTopic("room:42");
      await answerAll(socket);
      socket.drop();
      socket.connect();
      for (const pauseMs of [1_000, 2_000]) {
        socket.takeOne().reply(failure("RATE_LIMITED", { retryAfterMs }));
        await settled();
        await vi.advanceTimersByTimeAsync(pauseMs - 1);
        expect(socket.sent).toEqual([]);
        await vi.advanceTimersByTimeAsync(1);
      }
      client.close();
    },
  );

  it("a rejoin that pauses is not tried once it is not wanted", async () => {
    const socket = FakeSocket.connected();
    const joining = createClient(socket).joinTopic("room:42");
    await answerAll(socket);
    socket.drop();
    socket.connect();
    socket.takeOne().reply(failure("OVERLOADED"));
    await settled();
    joining.leave();
    await settled();
    expect(vi.getTimerCount()).toBe(0);
    expect(socket.sent).toEqual([]);
  });
});

describe("an eviction", () => {
  it("drops the topic for everyone who was in, and tells each", async () => {
    const socket = FakeSocket.connected();
    const logger = recordingLogger();
    const client = createClient(socket, { logger });
    const onLost = vi.fn<(failure: EventFailure) => void>();
    const first = client.joinTopic("room:42", { onLost });
    void client.joinTopic("room:42");
    await answerAll(socket);
    socket.push("ingress:evicted", { topic: "room:42", code: "FORBIDDEN", message: "you were removed" });
    expect(onLost.mock.calls[0]?.[0]).toMatchObject({ code: "FORBIDDEN", message: "you were removed", answered: true });
    expect(logger.lines).toEqual(['warn: socket-ingress: the topic "room:42" was lost: FORBIDDEN, you were removed']);
    (await first)();
    socket.drop();
    socket.connect();
    await settled();
    expect(socket.sent).toEqual([]);
  });

  it.each(["TIMEOUT", "OVERLOADED", "RATE_LIMITED", "SHUTTING_DOWN", "INTERNAL"])(
    "for a reason that passes (%s) is no loss: the topic is asked for again, as after a refused rejoin",
    async (code) => {
      vi.spyOn(Math, "random").mockReturnValue(1);
      const socket = FakeSocket.connected();
      const logger = recordingLogger();
      const client = createClient(socket, { logger });
      const onLost = vi.fn<() => void>();
      const refetched = vi.fn<() => void>();
      client.refetchOnSocket("items_changed", refetched);
      void client.joinTopic("room:42", { onLost });
      socket.takeOne().reply({ presence: { version: ["e", 1], state: ["ann"] } });
      await settled();
      socket.push("ingress:evicted", { topic: "room:42", code, message: "" });
      expect(client.presence("room:42")).toEqual([]);
      await vi.advanceTimersByTimeAsync(999);
      expect(socket.sent).toEqual([]);
      await vi.advanceTimersByTimeAsync(1);
      socket.takeOne().reply(failure(code));
      await vi.advanceTimersByTimeAsync(2_000);
      expect(refetched).not.toHaveBeenCalled();
      socket.takeOne().reply({ presence: { version: ["e", 2], state: ["bob"] } });
      await settled();
      // What was pushed to the topic meanwhile was missed.
      expect(refetched).toHaveBeenCalledOnce();
      expect(client.presence("room:42")).toEqual([{ user: "bob" }]);
      await vi.advanceTimersByTimeAsync(50); // the pause after a refetch
      expect(refetched).toHaveBeenCalledOnce();
      expect([onLost.mock.calls, logger.lines, vi.getTimerCount()]).toEqual([[], [], 0]);
    },
  );

  it("for a reason that passes is a loss after all if the next answer is a no for good", async () => {
    const socket = FakeSocket.connected();
    const onLost = vi.fn<(failure: EventFailure) => void>();
    void createClient(socket).joinTopic("room:42", { onLost });
    await answerAll(socket);
    socket.push("ingress:evicted", { topic: "room:42", code: "INTERNAL", message: "" });
    await vi.advanceTimersByTimeAsync(1_000);
    socket.takeOne().reply(failure("FORBIDDEN"));
    await settled();
    expect(onLost.mock.calls).toMatchObject([[{ code: "FORBIDDEN" }]]);
    expect([socket.sent, vi.getTimerCount()]).toEqual([[], 0]);
  });

  it.each([["leave"], ["close"]])("for a reason that passes leaves no timer after a %s", async (end) => {
    const socket = FakeSocket.connected();
    const client = createClient(socket);
    const join = client.joinTopic("room:42");
    await answerAll(socket);
    for (let n = 0; n < 2; n++) socket.push("ingress:evicted", { topic: "room:42", code: "INTERNAL", message: "" });
    expect(vi.getTimerCount()).toBe(1);
    if (end === "leave") join.leave();
    else client.close();
    await settled();
    expect([socket.sent, vi.getTimerCount()]).toEqual([[], 0]);
  });

  it("for a reason that passes, while the connection goes, is made good by the rejoin alone", async () => {
    const socket = FakeSocket.connected();
    void createClient(socket).joinTopic("room:42");
    await answerAll(socket);
    socket.push("ingress:evicted", { topic: "room:42", code: "SHUTTING_DOWN", message: "" });
    socket.drop();
    socket.connect();
    expect(await answerAll(socket)).toEqual(["ingress:join room:42"]);
    await vi.advanceTimersByTimeAsync(100_000);
    expect([socket.sent, vi.getTimerCount()]).toEqual([[], 0]);
  });

  it.each(["FORBIDDEN", "INTERNAL"])(
    "right behind the answer of a join (%s) is not overruled by it, though its promise tells later",
    async (code) => {
      const socket = FakeSocket.connected();
      const logger = recordingLogger();
      const join = createClient(socket, { logger }).joinTopic("room:42");
      // Both frames in one read of the transport: the second is heard before the first's promise has settled.
      socket.takeOne().reply({});
      socket.push("ingress:evicted", { topic: "room:42", code, message: "" });
      await join;
      await settled();
      socket.takeOne().reply(failure("FORBIDDEN"));
      await settled();
      expect(logger.lines).toEqual([
        'warn: socket-ingress: the topic "room:42" was lost: FORBIDDEN, refused with FORBIDDEN',
      ]);
      // The first answer may be the later word still: then the server has it in, and a refusal changes nothing about that.
      expect(await answerAll(socket)).toEqual(["ingress:leave room:42"]);
      expect([socket.sent, vi.getTimerCount()]).toEqual([[], 0]);
    },
  );

  it("of a topic that is unknown changes nothing", () => {
    const socket = FakeSocket.connected();
    createClient(socket);
    expect(() => socket.push("ingress:evicted", { topic: "__proto__", code: "X", message: "" })).not.toThrow();
  });

  it("does not keep anyone from asking again", async () => {
    const socket = FakeSocket.connected();
    const client = createClient(socket, { logger: recordingLogger() });
    void client.joinTopic("room:42");
    await answerAll(socket);
    socket.push("ingress:evicted", { topic: "room:42", code: "FORBIDDEN", message: "" });
    void client.joinTopic("room:42");
    expect(await answerAll(socket)).toEqual(["ingress:join room:42"]);
  });
});

describe("presence", () => {
  const ann = { user: "ann", info: { name: "Ann" } };
  const bob = { user: "bob" };
  let n = 0;
  /** What a server says of a topic's presence, each time under the next version. */
  const news = (what: Partial<PresenceNews>): PresenceNews => ({ version: ["e", ++n], ...what });
  const change = (what: Partial<PresenceNews>): PresenceChange => ({ topic: "room:42", ...news(what) });
  const PRESENCE = "ingress:presence";
  type Told = (members: readonly unknown[], change: unknown) => void;

  /** A client that is in a topic of which it was told this. */
  async function joined(
    what: Partial<PresenceNews>,
    logger = recordingLogger(),
  ): Promise<{ socket: FakeSocket; client: Client<any>; told: Mock<Told> }> {
    const socket = FakeSocket.connected();
    const client = createClient<any>(socket, { logger });
    void client.joinTopic("room:42");
    socket.takeOne().reply({ presence: news(what) });
    await settled();
    const told = vi.fn<Told>();
    client.onPresence("room:42", told);
    told.mockClear();
    return { socket, client, told };
  }

  it("is the state of the join, then the differences", async () => {
    const socket = FakeSocket.connected();
    const client = createClient(socket);
    const told: unknown[] = [];
    client.onPresence("room:42", (members, { joined, left, count }) => told.push([members, joined, left, count]));
    expect(client.presence("room:42")).toEqual([]);
    void client.joinTopic("room:42");
    socket.takeOne().reply({ presence: news({ state: [ann] }) });
    await settled();
    socket.push(PRESENCE, change({ joined: ["bob"] }));
    socket.push(PRESENCE, change({ left: ["ann", "nobody knows"] }));
    expect(told).toEqual([
      [[ann], [ann], [], 1],
      [[ann, bob], [bob], [], 2],
      [[bob], [], [ann], 1],
    ]);
    expect([client.presence("room:42"), client.presenceCount("room:42")]).toEqual([[bob], 1]);
  });

  it("is told at once to whoever comes later, and to nobody who has gone", async () => {
    const { socket, client } = await joined({ state: [ann] });
    const late = vi.fn<Told>();
    const off = client.onPresence("room:42", late);
    expect(late).toHaveBeenCalledWith([ann], { joined: [ann], left: [], count: 1 });
    off();
    socket.push(PRESENCE, change({ joined: ["bob"] }));
    expect(late).toHaveBeenCalledOnce();
  });

  it("is the same array until it changes, so that it does as a snapshot", async () => {
    const { socket, client, told } = await joined({ state: [ann] });
    expect(client.presence("room:43")).toBe(client.presence("room:43"));
    const before = client.presence("room:42");
    expect(client.presence("room:42")).toBe(before);
    socket.push(PRESENCE, change({ joined: [ann], left: ["nobody knows"] }));
    expect(told).not.toHaveBeenCalled();
    expect(client.presence("room:42")).toBe(before);
    socket.push(PRESENCE, change({ joined: [{ ...ann, info: { name: "Anna" } }] }));
    expect(client.presence("room:42")).toEqual([{ user: "ann", info: { name: "Anna" } }]);
    expect(client.presence("room:42")).not.toBe(before);
  });

  it("takes the answer of the join for everything that came before it", async () => {
    const socket = FakeSocket.connected();
    const client = createClient(socket);
    void client.joinTopic("room:42");
    const [early, answer] = [change({ joined: ["bob", "cyd"] }), news({ state: [ann, "bob"] })];
    socket.push(PRESENCE, early);
    expect(client.presence("room:42")).toEqual([]);
    socket.takeOne().reply({ presence: answer });
    await settled();
    expect(client.presence("room:42")).toEqual([ann, bob]);
  });

  it("counts what comes right behind the answer of the join, though its promise tells later", async () => {
    const socket = FakeSocket.connected();
    const client = createClient(socket);
    const told = vi.fn<Told>();
    client.onPresence("room:42", told);
    const join = client.joinTopic("room:42");
    socket.takeOne().reply({ presence: news({ state: [ann] }) });
    socket.push(PRESENCE, change({ joined: ["bob"] }));
    socket.push(PRESENCE, change({ left: ["ann"] }));
    await join;
    expect(told.mock.calls).toEqual([[[bob], { joined: [bob], left: [], count: 1 }]]);
    // After a rejoin, too, where the old state is known still.
    socket.drop();
    socket.connect();
    socket.takeOne().reply({ presence: news({ state: ["bob"] }) });
    socket.push(PRESENCE, change({ state: [ann] }));
    socket.push(PRESENCE, change({ joined: ["bob"] }));
    await settled();
    expect(client.presence("room:42")).toEqual([ann, bob]);
  });

  it("is a number where they are too many to be listed, and nobody has left for that", async () => {
    const { socket, client, told } = await joined({ state: [ann, "bob"] });
    socket.push(PRESENCE, change({ count: 501 }));
    expect([client.presence("room:42"), client.presenceCount("room:42")]).toEqual([[], 501]);
    socket.push(PRESENCE, change({ count: 501 }));
    socket.push(PRESENCE, change({ count: 502 }));
    const late = vi.fn<Told>();
    client.onPresence("room:42", late);
    expect(late).toHaveBeenCalledWith([], { joined: [], left: [], count: 502 });
    socket.push(PRESENCE, change({ state: ["bob"] }));
    expect(told.mock.calls).toEqual([
      [[], { joined: [], left: [], count: 501 }],
      [[], { joined: [], left: [], count: 502 }],
      [[bob], { joined: [bob], left: [], count: 1 }],
    ]);
    expect(client.presenceCount("room:43")).toBe(0);
  });

  it.each([[5], [null], ["ab"], [[]], [{ state: 5 }], [{ state: [null] }], [{ count: "1" }], [{ version: 5 }]])(
    "of another shape in the answer to a join is ignored with one warning: %j",
    async (presence) => {
      const socket = FakeSocket.connected();
      const logger = recordingLogger();
      const client = createClient(socket, { logger });
      const join = client.joinTopic("room:42");
      socket.takeOne().reply({ presence });
      await join;
      expect(client.presence("room:42")).toEqual([]);
      expect(logger.lines).toEqual([
        expect.stringContaining('warn: socket-ingress: the server sent a malformed presence of "room:42"'),
      ]);
    },
  );

  it("is replaced whole when the server says it whole, after a recovery for instance", async () => {
    const { socket, told } = await joined({ state: [ann] });
    socket.push(PRESENCE, change({ state: ["bob"] }));
    expect(told).toHaveBeenLastCalledWith([bob], { joined: [bob], left: [ann], count: 1 });
  });

  it("has changed when what is said of a member has, in JSON or not, and breaks nothing", async () => {
    const bytes = (value: number): ArrayBuffer => new Uint8Array([value]).buffer;
    const { socket, told } = await joined({ state: [{ user: "ann", info: 0 }] });
    const infos = [1n, 1n, 2n, bytes(1), bytes(1), bytes(2)];
    for (const info of infos) socket.push(PRESENCE, change({ joined: [{ user: "ann", info }] }));
    expect(told.mock.calls.map(([[member]]) => (member as { info: unknown }).info)).toEqual([
      1n,
      2n,
      bytes(1),
      bytes(2),
    ]);
  });

  it("is asked for from the version that is known, and told only what is different after a rejoin", async () => {
    const { socket, told } = await joined({ state: [ann] });
    socket.push(PRESENCE, change({ joined: ["bob"] }));
    told.mockClear();
    const rejoined = async (what: Partial<PresenceNews>): Promise<void> => {
      socket.drop();
      socket.connect();
      const known = ["e", n];
      const join = socket.takeOne();
      expect([join.event, join.args]).toEqual(["ingress:join", [{ topic: "room:42", presence: known }, true]]);
      join.reply({ presence: news(what) });
      await settled();
    };
    await rejoined({});
    await rejoined({ joined: ["cyd"] });
    await rejoined({ left: ["ann"] });
    await rejoined({ state: ["bob", "cyd"] });
    await rejoined({ count: 501 });
    await rejoined({ state: ["bob"] });
    const cyd = { user: "cyd" };
    expect(told.mock.calls).toEqual([
      [[ann, bob, cyd], { joined: [cyd], left: [], count: 3 }],
      [[bob, cyd], { joined: [], left: [ann], count: 2 }],
      [[], { joined: [], left: [], count: 501 }],
      [[bob], { joined: [bob], left: [], count: 1 }],
    ]);
  });

  it("is forgotten when the topic is left or lost", async () => {
    const socket = FakeSocket.connected();
    const client = createClient(socket, { logger: recordingLogger() });
    const told = vi.fn<Told>();
    client.onPresence("room:42", told);
    for (const end of ["leave", "evict"]) {
      const joining = client.joinTopic("room:42");
      const join = socket.takeOne();
      expect(join.args).toEqual(["room:42", true]);
      join.reply({ presence: news({ state: [ann] }) });
      const leave = await joining;
      if (end === "leave") leave();
      else socket.push("ingress:evicted", { topic: "room:42", code: "FORBIDDEN", message: "" });
      await settled();
      await answerAll(socket);
      expect(client.presence("room:42")).toEqual([]);
      expect(told).toHaveBeenLastCalledWith([], { joined: [], left: [ann], count: 0 });
      // What was on its way.
      socket.push(PRESENCE, change({ joined: ["bob"] }));
      socket.push(PRESENCE, change({ state: ["bob"] }));
      expect(client.presence("room:42")).toEqual([]);
    }
  });

  it("that was forgotten while a join said its version is not put together from what is different since", async () => {
    const { socket, client } = await joined({ state: [ann] });
    socket.drop();
    socket.connect();
    const join = socket.takeOne();
    socket.push("ingress:evicted", { topic: "room:42", code: "INTERNAL", message: "" });
    join.reply({ presence: news({ joined: ["bob"] }) });
    await settled();
    expect(client.presence("room:42")).toEqual([]);
    const again = socket.takeOne();
    expect(again.args).toEqual(["room:42", true]);
    again.reply({ presence: news({ state: [ann, "bob"] }) });
    await settled();
    expect(client.presence("room:42")).toEqual([ann, bob]);
  });

  it("of a topic that was never joined is not kept", () => {
    const socket = FakeSocket.connected();
    const client = createClient(socket);
    const told = vi.fn<Told>();
    client.onPresence("room:42", told);
    for (const what of [{ state: [ann] }, { joined: ["bob"] }, { count: 501 }]) socket.push(PRESENCE, change(what));
    expect([client.presence("room:42"), client.presenceCount("room:42"), told.mock.calls]).toEqual([[], 0, []]);
  });
});

describe("closing the client", () => {
  it("ends the pause before a rejoin", async () => {
    const socket = FakeSocket.connected();
    const client = createClient(socket);
    void client.joinTopic("room:42");
    await answerAll(socket);
    socket.drop();
    socket.connect();
    socket.takeOne().reply(failure("OVERLOADED"));
    await settled();
    expect(vi.getTimerCount()).toBe(1);
    client.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  it("rejects joins that wait, without an unhandled rejection, and takes no topic up again", async () => {
    const socket = FakeSocket.connected();
    const client = createClient(socket);
    const awaited = client.joinTopic("a");
    void client.joinTopic("b");
    socket.take();
    client.close();
    await expect(awaited).rejects.toMatchObject({ code: "ABORTED" });
    socket.drop();
    socket.connect();
    expect(socket.sent).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });
});
