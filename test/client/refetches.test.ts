import { createClient } from "socket-ingress/client";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Deferred, deferred } from "./fixtures/deferred.js";
import { failure, FakeSocket, settled } from "./fixtures/fake-socket.js";
import { recordingLogger } from "./fixtures/recorder.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** The time after the beginning of a fetch, after which the next one may begin. */
const gap = (): Promise<unknown> => vi.advanceTimersByTimeAsync(50);

/** A fetching function whose answers the test gives, one by one. */
function fetching(): { fetch: () => Promise<string>; runs: Deferred<string>[] } {
  const runs: Deferred<string>[] = [];
  return {
    runs,
    fetch: () => {
      const run = deferred<string>();
      runs.push(run);
      return run.promise;
    },
  };
}

describe("refetchOnSocket", () => {
  it("calls the action once for a signal, and hands its value on", async () => {
    const socket = FakeSocket.connected();
    const onResult = vi.fn<(items: unknown) => void>();
    createClient(socket).refetchOnSocket("items_changed", "get_items", onResult);
    expect(socket.sent).toEqual([]);
    socket.push("items_changed", { source: "import" });
    const sent = socket.takeOne();
    expect([sent.event, sent.args]).toEqual(["get_items", []]);
    sent.reply(["a"]);
    await settled();
    expect(onResult.mock.calls).toEqual([[["a"]]]);
  });

  it("calls the action with the payload it was given", () => {
    const socket = FakeSocket.connected();
    createClient(socket).refetchOnSocket("item_changed", "get_item", () => {}, { payload: { id: 7 } });
    socket.push("item_changed");
    expect(socket.frames()).toEqual(['get_item {"id":7}']);
  });

  it("runs a function instead, with the signal's data", async () => {
    const socket = FakeSocket.connected();
    const [fetch, onResult] = [
      vi.fn<(context: { data: unknown }) => string>(() => "fresh"),
      vi.fn<(s: string) => void>(),
    ];
    createClient(socket).refetchOnSocket("items_changed", fetch, onResult);
    socket.push("items_changed", { source: "import" });
    await settled();
    expect(fetch.mock.calls[0]?.[0]).toMatchObject({ data: { source: "import" }, signal: { aborted: false } });
    expect(onResult.mock.calls).toEqual([["fresh"]]);
  });

  it("needs no receiver when the function does it all", async () => {
    const socket = FakeSocket.connected();
    const fetch = vi.fn<() => void>();
    createClient(socket).refetchOnSocket("items_changed", fetch);
    socket.push("items_changed");
    await settled();
    expect(fetch).toHaveBeenCalledOnce();
  });

  it("turns fifty signals into two calls, and the second is asked for after the last signal", async () => {
    const socket = FakeSocket.connected();
    const seen: unknown[] = [];
    const { fetch, runs } = fetching();
    createClient(socket).refetchOnSocket("items_changed", fetch, (value) => seen.push(value));
    for (let n = 0; n < 50; n++) socket.push("items_changed", n);
    await settled();
    expect(runs).toHaveLength(1);
    runs[0]?.resolve("old");
    await gap();
    expect(runs).toHaveLength(2);
    runs[1]?.resolve("fresh");
    await gap();
    expect(runs).toHaveLength(2);
    expect(seen).toEqual(["old", "fresh"]);
  });

  it("turns fifty signals spread over 20 ms into two calls, however quickly they are answered", async () => {
    const socket = FakeSocket.connected();
    const seen: unknown[] = [];
    let news = 0;
    const fetch = vi.fn<() => number>(() => news);
    createClient(socket).refetchOnSocket("items_changed", fetch, (value) => seen.push(value));
    for (let n = 1; n <= 50; n++) {
      news = n;
      socket.push("items_changed", n);
      await vi.advanceTimersByTimeAsync(n % 5 === 0 ? 2 : 0);
    }
    await gap();
    expect(fetch).toHaveBeenCalledTimes(2);
    expect(seen).toEqual([1, 50]);
    await gap();
    expect([fetch.mock.calls.length, vi.getTimerCount()]).toEqual([2, 0]);
  });

  it("pauses between two fetches as long as it is told to, or not at all", async () => {
    const socket = FakeSocket.connected();
    const client = createClient<any>(socket);
    for (const [event, pauseMs] of [
      ["slow", 200],
      ["eager", 0],
    ] as const) {
      const fetch = vi.fn<() => number>(() => 1);
      client.refetchOnSocket(event, fetch, () => {}, { pauseMs });
      socket.push(event);
      socket.push(event);
      await vi.advanceTimersByTimeAsync(pauseMs && pauseMs - 1);
      expect(fetch).toHaveBeenCalledTimes(pauseMs === 0 ? 2 : 1);
      await vi.advanceTimersByTimeAsync(1);
      expect(fetch).toHaveBeenCalledTimes(2);
    }
    for (const pauseMs of [-1, Number.NaN])
      expect(() =>
        client.refetchOnSocket(
          "x",
          () => 1,
          () => {},
          { pauseMs },
        ),
      ).toThrow(new TypeError(`pauseMs must be a number of milliseconds from 0, got ${pauseMs}`));
  });

  it("asks at once where the first answer took longer than a burst", async () => {
    const socket = FakeSocket.connected();
    const { fetch, runs } = fetching();
    createClient(socket).refetchOnSocket("items_changed", fetch, () => {});
    socket.push("items_changed");
    socket.push("items_changed");
    await vi.advanceTimersByTimeAsync(1_000);
    runs[0]?.resolve("old");
    await settled();
    expect(runs).toHaveLength(2);
  });

  it("undone between two fetches leaves no timer", async () => {
    const socket = FakeSocket.connected();
    const { fetch, runs } = fetching();
    const off = createClient(socket).refetchOnSocket("items_changed", fetch, () => {});
    socket.push("items_changed");
    socket.push("items_changed");
    runs[0]?.resolve("x");
    await settled();
    expect(vi.getTimerCount()).toBe(1);
    off();
    expect(vi.getTimerCount()).toBe(0);
    await gap();
    expect(runs).toHaveLength(1);
  });

  it("is free again after that", async () => {
    const socket = FakeSocket.connected();
    const { fetch, runs } = fetching();
    createClient(socket).refetchOnSocket("items_changed", fetch, () => {});
    for (let n = 0; n < 3; n++) {
      socket.push("items_changed");
      runs[n]?.resolve("x");
      await gap();
    }
    expect(runs).toHaveLength(3);
  });

  it("keeps the second's state when the first resolves after it", async () => {
    const socket = FakeSocket.connected();
    const seen: unknown[] = [];
    const { fetch, runs } = fetching();
    createClient(socket).refetchOnSocket("items_changed", fetch, (value) => seen.push(value));
    socket.push("items_changed");
    socket.drop();
    socket.connect();
    expect(runs).toHaveLength(2);
    runs[1]?.resolve("second");
    await settled();
    runs[0]?.resolve("first");
    await settled();
    expect(seen).toEqual(["second"]);
  });

  it("fetches at once too when it is told to", async () => {
    const socket = FakeSocket.connected();
    createClient(socket).refetchOnSocket("items_changed", "get_items", () => {}, { immediate: true });
    expect(socket.frames()).toEqual(["get_items"]);
  });

  it("undone, it calls no more, drops the answer that is on its way and aborts the fetch", async () => {
    const socket = FakeSocket.connected();
    const onResult = vi.fn<() => void>();
    const signals: AbortSignal[] = [];
    const run = deferred<string>();
    const off = createClient(socket).refetchOnSocket(
      "items_changed",
      ({ signal }) => {
        signals.push(signal);
        return run.promise;
      },
      onResult,
    );
    socket.push("items_changed");
    off();
    off();
    expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
    run.resolve("late");
    await settled();
    socket.push("items_changed");
    socket.drop();
    socket.connect();
    expect(onResult).not.toHaveBeenCalled();
    expect(signals).toHaveLength(1);
    expect(socket.heard.has("items_changed")).toBe(false);
  });

  it("skips what this connection caused itself, if told so", () => {
    const socket = FakeSocket.connected();
    const client = createClient(socket);
    client.refetchOnSocket("items_changed", "all", () => {});
    client.refetchOnSocket("items_changed", "others", () => {}, { skipOwn: true });
    socket.push("items_changed", { origin: socket.id });
    socket.push("ingress:refetch", { action: "others", event: "items_changed", origin: socket.id });
    expect(socket.frames()).toEqual(["all"]);
    socket.push("items_changed", { origin: "someone" });
    expect(socket.frames()).toEqual(["others"]);
  });
});

describe("the server's shorthand", () => {
  it("calls the action it names with its payload, only where that action is listed", async () => {
    const socket = FakeSocket.connected();
    const client = createClient(socket);
    const onResult = vi.fn<(item: unknown) => void>();
    client.refetchOnSocket("item_changed", "get_item", onResult);
    client.refetchOnSocket("items_changed", "get_items", () => {});
    socket.push("ingress:refetch", { action: "get_item", payload: { id: 7 }, event: "" });
    socket.push("ingress:refetch", { action: "delete_everything", event: "" });
    const sent = socket.takeOne();
    expect([sent.event, sent.args]).toEqual(["get_item", [{ id: 7 }]]);
    sent.reply({ id: 7, name: "x" });
    await settled();
    expect(onResult.mock.calls).toEqual([[{ id: 7, name: "x" }]]);
  });

  it("that names a signal means those who listen to that signal, functions too", () => {
    const socket = FakeSocket.connected();
    const client = createClient(socket);
    const fetch = vi.fn<(context: { data: unknown }) => void>();
    client.refetchOnSocket("seven_changed", "get_item", () => {}, { payload: { id: 7 } });
    client.refetchOnSocket("eight_changed", "get_item", () => {}, { payload: { id: 8 } });
    client.refetchOnSocket("seven_changed", fetch);
    socket.push("ingress:refetch", { action: "get_item", event: "seven_changed" });
    expect(socket.frames()).toEqual(['get_item {"id":7}']);
    expect(fetch).toHaveBeenCalledOnce();
  });

  it("coalesces by payload: none of several items is forgotten", async () => {
    const socket = FakeSocket.connected();
    const client = createClient(socket);
    client.refetchOnSocket("item_changed", "get_item", () => {});
    for (let n = 0; n < 10; n++) {
      socket.push("ingress:refetch", { action: "get_item", payload: { id: n % 2 }, event: "item_changed" });
    }
    const first = socket.take();
    expect(first.map(({ args }) => args[0])).toEqual([{ id: 0 }, { id: 1 }]);
    for (const { reply } of first) reply("x");
    await gap();
    expect(socket.frames()).toEqual(['get_item {"id":0}', 'get_item {"id":1}']);
  });
});

describe("payloads that JSON tells nothing of", () => {
  const bytes = (...values: number[]): ArrayBuffer => new Uint8Array(values).buffer;

  it.each<[string, unknown[]]>([
    ["binary ones", [bytes(1), bytes(2), bytes()]],
    ["binary ones inside others", [{ of: bytes(1) }, { of: bytes(2) }]],
    ["views of binary ones", [new DataView(bytes(1)), new DataView(bytes(2))]],
    ["big integers", [1n, 2n, [1n], [2n]]],
    ["blobs", [new Blob(["a"]), new Blob(["b"])]],
    ["nothing and emptiness", [undefined, null, "", "null", [], {}]],
  ])("are kept apart: %s", async (_, payloads) => {
    const socket = FakeSocket.connected();
    createClient(socket).refetchOnSocket("item_changed", "get_item", () => {});
    for (const payload of payloads) socket.push("ingress:refetch", { action: "get_item", payload });
    expect(socket.take().map(({ args }) => args[0])).toEqual(payloads);
  });

  it("are one when they say the same", () => {
    const socket = FakeSocket.connected();
    createClient(socket).refetchOnSocket("item_changed", "get_item", () => {});
    for (const payload of [bytes(1, 2), bytes(1, 2), [1n], [1n]]) {
      socket.push("ingress:refetch", { action: "get_item", payload });
    }
    expect(socket.take()).toHaveLength(2);
  });

  it("and have no JSON at all break nothing: each is one by itself", () => {
    const socket = FakeSocket.connected();
    const circle: Record<string, unknown> = {};
    circle["self"] = circle;
    createClient(socket).refetchOnSocket("item_changed", "get_item", () => {}, { payload: circle });
    for (let n = 0; n < 3; n++) socket.push("item_changed");
    socket.push("ingress:refetch", { action: "get_item", payload: { ...circle } });
    expect(socket.take()).toHaveLength(2);
    socket.drop();
    socket.connect();
    expect(socket.take()).toHaveLength(2);
  });
});

describe("a refetch that fails", () => {
  it("tells onError and leaves the state", async () => {
    const socket = FakeSocket.connected();
    const [onResult, onError] = [vi.fn<() => void>(), vi.fn<(error: unknown) => void>()];
    createClient(socket).refetchOnSocket("items_changed", "get_items", onResult, { onError });
    socket.push("items_changed");
    socket.takeOne().reply(failure("FORBIDDEN"));
    await settled();
    expect(onError.mock.calls[0]?.[0]).toMatchObject({ code: "FORBIDDEN" });
    expect(onResult).not.toHaveBeenCalled();
  });

  it("is logged without onError, and the next signal is heard", async () => {
    const socket = FakeSocket.connected();
    const logger = recordingLogger();
    createClient(socket, { logger }).refetchOnSocket("items_changed", () => {
      throw new Error("no");
    });
    socket.push("items_changed");
    await gap();
    socket.push("items_changed");
    await gap();
    const line = 'warn: socket-ingress: the refetch of "items_changed" failed Error: no';
    expect(logger.lines).toEqual([line, line]);
  });

  it("runs again if a signal came meanwhile", async () => {
    const socket = FakeSocket.connected();
    const seen: unknown[] = [];
    const { fetch, runs } = fetching();
    createClient(socket, { logger: recordingLogger() }).refetchOnSocket("items_changed", fetch, (v) => seen.push(v));
    socket.push("items_changed");
    socket.push("items_changed");
    runs[0]?.reject(new Error("no"));
    await gap();
    runs[1]?.resolve("fresh");
    await settled();
    expect(seen).toEqual(["fresh"]);
  });

  it("has the errors of its receivers logged", async () => {
    const socket = FakeSocket.connected();
    const logger = recordingLogger();
    const client = createClient(socket, { logger });
    const broken = (): never => {
      throw new Error("broken");
    };
    client.refetchOnSocket("items_changed", () => 1, broken);
    client.refetchOnSocket(
      "items_changed",
      () => Promise.reject(new Error("no")),
      () => {},
      { onError: broken },
    );
    socket.push("items_changed");
    await settled();
    expect(logger.lines).toEqual([
      'error: socket-ingress: onResult of the refetch of "items_changed" failed Error: broken',
      'error: socket-ingress: onError of the refetch of "items_changed" failed Error: broken',
    ]);
  });
});

describe("a reconnect", () => {
  it("fetches once for each subscription, and not at all when it was recovered", async () => {
    const socket = FakeSocket.connected();
    const client = createClient(socket);
    client.refetchOnSocket("items_changed", "get_items", () => {});
    client.refetchOnSocket("item_changed", "get_item", () => {}, { payload: { id: 7 } });
    socket.drop();
    socket.connect({ recovered: true });
    expect(socket.sent).toEqual([]);
    socket.drop();
    socket.connect();
    expect(socket.frames()).toEqual(["get_items", 'get_item {"id":7}']);
  });

  it("does not fetch on the first connection", () => {
    const socket = new FakeSocket();
    createClient(socket).refetchOnSocket("items_changed", "get_items", () => {});
    socket.connect();
    expect(socket.sent).toEqual([]);
  });

  it("fetches with the payload that the server gave last", async () => {
    const socket = FakeSocket.connected();
    createClient(socket).refetchOnSocket("item_changed", "get_item", () => {});
    socket.push("ingress:refetch", { action: "get_item", payload: { id: 7 }, event: "item_changed" });
    socket.takeOne().reply("x");
    await settled();
    socket.drop();
    socket.connect();
    expect(socket.frames()).toEqual(['get_item {"id":7}']);
  });

  it.each([[true], [false]])(
    "fetches again what the lost connection cut off, and calls that no error (recovered: %j)",
    async (recovered) => {
      const socket = FakeSocket.connected();
      const logger = recordingLogger();
      const seen: unknown[] = [];
      createClient(socket, { logger }).refetchOnSocket("items_changed", "get_items", (items) => seen.push(items));
      socket.push("items_changed");
      expect(socket.frames()).toEqual(["get_items"]);
      socket.drop();
      await settled();
      socket.connect({ recovered });
      socket.takeOne().reply(["fresh"]);
      await settled();
      expect(seen).toEqual([["fresh"]]);
      expect(logger.lines).toEqual([]);
    },
  );

  it("waits until the topics are joined again: what changes in between would be signalled to nobody", async () => {
    const socket = FakeSocket.connected();
    const client = createClient(socket);
    void client.joinTopic("room:42");
    socket.takeOne().reply({});
    await settled();
    client.refetchOnSocket("items_changed", "get_items", () => {});
    socket.drop();
    socket.connect();
    const join = socket.takeOne();
    await settled();
    expect(socket.sent).toEqual([]);
    join.reply({});
    await settled();
    expect(socket.frames()).toEqual(["get_items"]);
  });

  it("that is lost before the topics are joined again leaves the fetch to the next one", async () => {
    const socket = FakeSocket.connected();
    const client = createClient(socket);
    void client.joinTopic("room:42");
    socket.takeOne().reply({});
    await settled();
    client.refetchOnSocket("items_changed", "get_items", () => {});
    for (let n = 0; n < 2; n++) {
      socket.drop();
      await settled();
      socket.connect();
    }
    const [cutOff, join] = socket.take();
    expect([cutOff?.event, join?.event]).toEqual(["ingress:join", "ingress:join"]);
    join?.reply({});
    await settled();
    expect(socket.frames()).toEqual(["get_items"]);
  });

  it("that the client is closed in the middle of fetches nothing, and logs nothing", async () => {
    const socket = FakeSocket.connected();
    const logger = recordingLogger();
    const client = createClient(socket, { logger });
    void client.joinTopic("room:42");
    socket.takeOne().reply({});
    await settled();
    client.refetchOnSocket("items_changed", "get_items", () => {});
    socket.drop();
    socket.connect();
    client.close();
    await settled();
    expect(socket.frames()).toEqual(['ingress:join "room:42" true']);
    expect(logger.lines).toEqual([]);
  });

  it("whose topics are joined late fetches again then", async () => {
    const socket = FakeSocket.connected();
    const client = createClient(socket);
    void client.joinTopic("room:42");
    socket.takeOne().reply({});
    await settled();
    client.refetchOnSocket("items_changed", "get_items", () => {});
    socket.drop();
    socket.connect();
    socket.takeOne().reply(failure("OVERLOADED", { retryAfterMs: 50 }));
    await settled();
    socket.takeOne().reply([]);
    await vi.advanceTimersByTimeAsync(50);
    socket.takeOne().reply({});
    await settled();
    expect(socket.frames()).toEqual(["get_items"]);
  });

  it("whose topics are joined late one by one fetches twice, not once for each", async () => {
    const socket = FakeSocket.connected();
    const client = createClient(socket);
    const rooms = Array.from({ length: 10 }, (_, index) => `room:${index}`);
    for (const room of rooms) {
      void client.joinTopic(room);
      socket.takeOne().reply({});
    }
    await settled();
    const fetch = vi.fn<() => number>(() => 1);
    client.refetchOnSocket("items_changed", fetch, () => {});
    for (const room of rooms) socket.push("ingress:evicted", { topic: room, code: "INTERNAL", message: "" });
    await vi.advanceTimersByTimeAsync(1_000);
    expect(fetch).not.toHaveBeenCalled();
    for (const { reply } of socket.take()) {
      reply({});
      await settled();
    }
    await vi.advanceTimersByTimeAsync(1_000);
    expect(fetch).toHaveBeenCalledTimes(2);
  });

  it("that was recovered fetches all the same if a topic had to be asked for again", async () => {
    const socket = FakeSocket.connected();
    const client = createClient(socket);
    void client.joinTopic("room:42");
    socket.takeOne().reply({});
    await settled();
    const fetch = vi.fn<() => number>(() => 1);
    client.refetchOnSocket("items_changed", fetch, () => {});
    socket.push("ingress:evicted", { topic: "room:42", code: "INTERNAL", message: "" });
    socket.drop();
    socket.connect({ recovered: true });
    socket.takeOne().reply({});
    await settled();
    expect(fetch).toHaveBeenCalledOnce();
  });

  it("gives up a fetch that hangs, and tells it so", async () => {
    const socket = FakeSocket.connected();
    const signals: AbortSignal[] = [];
    createClient(socket).refetchOnSocket("items_changed", ({ signal }) => {
      signals.push(signal);
      return new Promise(() => {});
    });
    socket.push("items_changed");
    socket.drop();
    socket.connect();
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
  });
});
