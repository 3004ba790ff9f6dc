import { createClient } from "socket-ingress/client";
import { describe, expect, it, vi } from "vitest";
import { FakeSocket, settled } from "./fixtures/fake-socket.js";
import { recordingLogger } from "./fixtures/recorder.js";

describe("listening to a push", () => {
  it("puts one listener on the socket however many listen, and none when the last has gone", () => {
    const socket = FakeSocket.connected();
    const client = createClient(socket);
    const heard: string[] = [];
    const offs = ["a", "b", "c"].map((name) => client.on("presence", (who) => heard.push(`${name}${String(who)}`)));
    expect(socket.heard.get("presence")?.size).toBe(1);
    socket.push("presence", 1);
    expect(heard).toEqual(["a1", "b1", "c1"]);
    offs[0]?.();
    offs[0]?.();
    offs[1]?.();
    expect(socket.heard.get("presence")?.size).toBe(1);
    offs[2]?.();
    expect(socket.heard.has("presence")).toBe(false);
  });

  it("gives every argument on, the acknowledgement of a push included", () => {
    const socket = FakeSocket.connected();
    const replies: unknown[] = [];
    createClient(socket).on("poll", (question, more, reply) => reply(`${String(question)}${String(more)}!`));
    socket.push("poll", "q", 2, (value: unknown) => replies.push(value));
    expect(replies).toEqual(["q2!"]);
  });

  it("counts the same function twice as two listeners", () => {
    const socket = FakeSocket.connected();
    const client = createClient(socket);
    const fn = vi.fn<() => void>();
    const off = client.on("tick", fn);
    client.on("tick", fn);
    off();
    socket.push("tick");
    expect(fn).toHaveBeenCalledOnce();
  });

  it("does not tell a listener that was removed before its turn, nor one that was added meanwhile", () => {
    const socket = FakeSocket.connected();
    const client = createClient(socket);
    const heard: string[] = [];
    client.on("tick", () => {
      heard.push("a");
      off();
      client.on("tick", () => heard.push("late"));
    });
    const off = client.on("tick", () => heard.push("b"));
    socket.push("tick");
    expect(heard).toEqual(["a"]);
  });

  it("goes on when a listener throws or rejects, and logs what it threw", async () => {
    const socket = FakeSocket.connected();
    const logger = recordingLogger();
    const client = createClient(socket, { logger });
    const last = vi.fn<() => void>();
    client.on("tick", () => {
      throw new Error("thrown");
    });
    client.on("tick", () => Promise.reject(new Error("rejected")));
    client.on("tick", last);
    socket.push("tick");
    await settled();
    expect(last).toHaveBeenCalledOnce();
    expect(logger.lines).toEqual([
      'error: socket-ingress: a listener of "tick" failed Error: thrown',
      'error: socket-ingress: a listener of "tick" failed Error: rejected',
    ]);
  });

  it("refuses what is no function, and leaves nothing on the socket", () => {
    const socket = FakeSocket.connected();
    const client = createClient(socket);
    const before = socket.heard.size;
    expect(() => client.on("tick", undefined as never)).toThrow(
      new TypeError('a listener of "tick" must be a function, got undefined'),
    );
    expect(socket.heard.size).toBe(before);
  });

  it.each(["__proto__", "constructor", "toString"])("takes %s for an ordinary name", (name) => {
    const socket = FakeSocket.connected();
    const client = createClient(socket, { logger: recordingLogger() });
    const heard = vi.fn<(data: unknown) => void>();
    client.on(name, heard);
    client.onCustomEvent(name, heard);
    socket.push(name, 1);
    socket.push("ingress:notify", { event: name, data: 2 });
    expect(heard.mock.calls).toEqual([[1], [2]]);
  });
});

describe("a notice", () => {
  it("reaches the listeners of its name, and without a name the default listener", () => {
    const socket = FakeSocket.connected();
    const client = createClient(socket);
    const heard: unknown[] = [];
    client.receive((data) => heard.push(["receive", data]));
    client.onCustomEvent("NewOffer", (data) => heard.push(["a", data]));
    client.onCustomEvent("NewOffer", (data) => heard.push(["b", data]));
    socket.push("ingress:notify", { event: "NewOffer", data: 3.5 });
    socket.push("ingress:notify", { data: "hello" });
    expect(heard).toEqual([
      ["a", 3.5],
      ["b", 3.5],
      ["receive", "hello"],
    ]);
  });

  it("that nobody hears is a warning, no exception", () => {
    const socket = FakeSocket.connected();
    const logger = recordingLogger();
    const client = createClient(socket, { logger });
    client.onCustomEvent("Other", () => {})();
    for (const notice of [{ data: 1 }, { event: "NewOffer", data: 2 }, { event: "Other", data: 3 }]) {
      socket.push("ingress:notify", notice);
    }
    expect(logger.lines).toEqual([
      "warn: socket-ingress: nobody listens to receive 1",
      'warn: socket-ingress: nobody listens to "NewOffer" 2',
      'warn: socket-ingress: nobody listens to "Other" 3',
    ]);
  });

  it("goes to the console's warnings when no logger was given", () => {
    const warn = vi.spyOn(console, "warn").mockReturnValue();
    const socket = FakeSocket.connected();
    createClient(socket);
    socket.push("ingress:notify", { data: 1 });
    expect(warn).toHaveBeenCalledOnce();
  });
});

describe("a frame of our own that no server of ours would send", () => {
  it.each(
    [
      ["ingress:notify", [undefined, null, 5, "x", true, [], [null], { event: 5 }, { event: null }]],
      ["ingress:refetch", [undefined, null, 5, "x", [], {}, { action: 5 }, { action: "get", event: 5 }]],
      [
        "ingress:presence",
        [
          ...[undefined, null, 5, "x", [], {}, { topic: 5 }, { topic: "room:42", state: 5 }],
          ...[5, null, {}, "ab", [null], [5], [{}], [{ user: 5 }]].flatMap((list) => [
            { topic: "room:42", joined: list },
            { topic: "room:42", left: list },
            { topic: "room:42", state: list },
          ]),
          { topic: "room:42", left: [{ user: "ann" }] },
          ...[null, "1", [], {}].map((count) => ({ topic: "room:42", count })),
          ...[null, 1, "e", [], [1, 1], ["e"], ["e", "1"]].map((version) => ({ topic: "room:42", version })),
        ],
      ],
      ["ingress:evicted", [undefined, null, 5, [], {}, { topic: "room:42" }, { topic: "room:42", code: 5 }]],
    ].flatMap(([event, frames]) => (frames as unknown[]).map((frame) => [event as string, frame] as const)),
  )("is ignored with one warning: %s %j", async (event, frame) => {
    const socket = FakeSocket.connected();
    const logger = recordingLogger();
    const client = createClient(socket, { logger });
    const heard = vi.fn<(...args: unknown[]) => void>();
    client.receive(heard);
    client.refetchOnSocket("items_changed", "get", heard);
    const join = client.joinTopic("room:42", { onLost: heard });
    socket.takeOne().reply({ presence: { version: ["e", 1], state: ["ann"] } });
    await join;
    socket.push(event, frame);
    expect(logger.lines).toEqual([
      expect.stringContaining(`warn: socket-ingress: the server sent a malformed "${event}"`),
    ]);
    expect(heard).not.toHaveBeenCalled();
    expect(socket.sent).toEqual([]);
    expect(client.presence("room:42")).toEqual([{ user: "ann" }]);
  });

  it("does not keep those that follow from being heard", () => {
    const socket = FakeSocket.connected();
    const client = createClient(socket, { logger: recordingLogger() });
    const heard = vi.fn<(data: unknown) => void>();
    client.receive(heard);
    socket.push("ingress:notify", null);
    socket.push("ingress:notify", { data: 1 });
    expect(heard.mock.calls).toEqual([[1]]);
  });

  it("may lack its data: what can't be said in JSON is left out on the way", () => {
    const socket = FakeSocket.connected();
    const heard = vi.fn<(data: unknown) => void>();
    createClient(socket).receive(heard);
    socket.push("ingress:notify", {});
    expect(heard.mock.calls).toEqual([[undefined]]);
  });
});

describe("onReady", () => {
  it("runs at once when there is a connection, and not again", () => {
    const socket = FakeSocket.connected();
    const fn = vi.fn<() => void>();
    createClient(socket).onReady(fn)();
    expect(fn).toHaveBeenCalledOnce();
    socket.drop();
    socket.connect();
    expect(fn).toHaveBeenCalledOnce();
  });

  it("runs once with the first connection, unless it was undone", () => {
    const socket = new FakeSocket();
    const client = createClient(socket);
    const [fn, undone] = [vi.fn<() => void>(), vi.fn<() => void>()];
    client.onReady(fn);
    client.onReady(undone)();
    expect(fn).not.toHaveBeenCalled();
    socket.connect();
    socket.drop();
    socket.connect();
    expect(fn).toHaveBeenCalledOnce();
    expect(undone).not.toHaveBeenCalled();
  });

  it("that throws is logged", () => {
    const logger = recordingLogger();
    createClient(FakeSocket.connected(), { logger }).onReady(() => {
      throw new Error("no");
    });
    expect(logger.lines).toEqual(['error: socket-ingress: a listener of "onReady" failed Error: no']);
  });
});

describe("onReconnect", () => {
  it("runs on reconnects only, and says whether the connection was recovered", () => {
    const socket = new FakeSocket();
    const client = createClient(socket);
    const fn = vi.fn<(info: { recovered: boolean }) => void>();
    const off = client.onReconnect(fn);
    socket.connect();
    expect(fn).not.toHaveBeenCalled();
    socket.drop();
    socket.connect({ recovered: true });
    socket.drop();
    socket.connect();
    expect(fn.mock.calls).toEqual([[{ recovered: true }], [{ recovered: false }]]);
    off();
    socket.drop();
    socket.connect();
    expect(fn).toHaveBeenCalledTimes(2);
  });

  it("counts the next connection as a reconnect when the client was made on a connected socket", () => {
    const socket = FakeSocket.connected();
    const fn = vi.fn<() => void>();
    createClient(socket).onReconnect(fn);
    socket.drop();
    socket.connect();
    expect(fn).toHaveBeenCalledOnce();
  });
});

describe("closing", () => {
  it("leaves no listener on the socket, rejects what is pending, and can be done twice", async () => {
    const socket = FakeSocket.connected();
    const client = createClient(socket);
    client.on("presence", () => {});
    client.refetchOnSocket("items_changed", "get_items", () => {});
    client.onReconnect(() => {});
    const call = client.call("ask");
    client.close();
    client[Symbol.dispose]();
    expect(socket.heard.size).toBe(0);
    await expect(call).rejects.toMatchObject({ code: "ABORTED", message: "the client is closed" });
    await expect(client.call("ask")).rejects.toMatchObject({ code: "ABORTED" });
  });

  it.each([[true], [false]])("leaves nothing to be taken afterwards (connected: %j)", async (connected) => {
    const socket = connected ? FakeSocket.connected() : new FakeSocket();
    const client = createClient(socket, { logger: recordingLogger() });
    client.close();
    const fn = vi.fn<() => void>();
    const offs = [
      client.on("presence", fn),
      client.receive(fn),
      client.onCustomEvent("NewOffer", fn),
      client.onReady(fn),
      client.onReconnect(fn),
      client.onPresence("room:42", fn),
      client.refetchOnSocket("items_changed", "get_items", fn, { immediate: true }),
      client.refetchOnSocket("items_changed", fn, fn, { immediate: true }),
    ];
    await expect(client.joinTopic("room:42")).rejects.toMatchObject({ code: "ABORTED" });
    await expect(client.with({ retries: 3 }).call("ask")).rejects.toMatchObject({ code: "ABORTED" });
    client.joinTopic("room:42").leave();
    socket.connect();
    socket.push("presence");
    socket.push("items_changed");
    await settled();
    expect(socket.heard.size).toBe(0);
    expect(socket.sent).toEqual([]);
    expect(fn).not.toHaveBeenCalled();
    for (const off of offs) off();
  });

  it("in the middle of closing nothing can be taken either", async () => {
    const socket = FakeSocket.connected();
    const client = createClient(socket, { logger: recordingLogger() });
    const fetch = vi.fn<() => void>();
    client.refetchOnSocket(
      "items_changed",
      ({ signal }) => {
        signal.addEventListener("abort", () => {
          client.on("late", () => {});
          client.refetchOnSocket("late", fetch, () => {}, { immediate: true });
          client.joinTopic("room:42").catch(() => {});
        });
        return new Promise(() => {});
      },
      () => {},
      { immediate: true },
    );
    client.close();
    await settled();
    expect(fetch).not.toHaveBeenCalled();
    expect(socket.sent).toEqual([]);
    expect(socket.heard.size).toBe(0);
  });

  it("happens at the end of a block that holds the client with `using`", () => {
    const socket = FakeSocket.connected();
    {
      using client = createClient(socket);
      client.on("presence", () => {});
    }
    expect(socket.heard.size).toBe(0);
  });
});

it("options that do not fit are refused at once, and nothing is left on the socket", () => {
  const socket = FakeSocket.connected();
  expect(() => createClient(socket, { timeoutMs: -1 })).toThrow(
    new TypeError("timeoutMs must be a number of milliseconds above 0, got -1"),
  );
  expect(socket.heard.size).toBe(0);
});

it("methods can be taken out of the client", async () => {
  const socket = FakeSocket.connected();
  const { call, on, joinTopic, with: withOptions, onReady, presence } = createClient(socket);
  on("presence", () => {});
  void joinTopic("room:42");
  void withOptions({ timeoutMs: 100 }).call("ask");
  const answer = call("ask");
  onReady(() => {});
  expect(presence("room:42")).toEqual([]);
  // All are answered: what is left would time out while other tests run.
  for (const { reply } of socket.take()) reply(1);
  await expect(answer).resolves.toBe(1);
});
