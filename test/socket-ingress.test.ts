import { subscribe, tracingChannel, unsubscribe } from "node:diagnostics_channel";
import { Server } from "socket.io";
import * as msgpack from "socket.io-msgpack-parser";
import { describe, expect, it, vi } from "vitest";
import { EventError, type EventContext, SocketIngress, type SocketIngressOptions } from "socket-ingress";
import { z } from "zod";
import { deferred } from "./fixtures/deferred.js";
import { codeOf, serveIngress } from "./fixtures/ingress.js";
import { recordingLog } from "./fixtures/recording-log.js";
import { serve } from "./fixtures/serve.js";

const quiet = (options: SocketIngressOptions = {}): SocketIngress =>
  new SocketIngress({ logger: recordingLog(), ...options });

describe("wiring mistakes throw at once, name the thing, what was expected and what was given, and leave nothing behind", () => {
  const ok = (): void => undefined;
  const mistakes: [string, (ingress: SocketIngress) => unknown, RegExp][] = [
    ["a blank event", (i) => i.subscribe("", ok), /subscribe: an event must be a non-blank string, got ""/],
    ["an event of spaces", (i) => i.subscribe("  ", ok), /non-blank string, got " {2}"/],
    ["an event that is no string", (i) => i.subscribe(5 as never, ok), /non-blank string, got 5/],
    ["a reserved event", (i) => i.subscribe("newListener" as never, ok), /"newListener" is reserved/],
    ["error", (i) => i.subscribe("error" as never, ok), /"error" is reserved/],
    ["no function", (i) => i.subscribe("x", {} as never), /event "x": a subscriber must be a function, got an object/],
    ["options that are none", (i) => i.subscribe("x", ok, null as never), /options must be an object, got null/],
    [
      "an unknown option",
      (i) => i.subscribe("x", ok, { prio: 1 } as never),
      /there is no option "prio"; there are priority/,
    ],
    ["priority NaN", (i) => i.subscribe("x", ok, { priority: NaN }), /priority must be a finite number.*got NaN/],
    [
      "priority high",
      (i) => i.subscribe("x", ok, { priority: "high" as never }),
      /priority must be a finite number.*got "high"/,
    ],
    [
      "an owner without addCleanup",
      (i) => i.subscribe("x", ok, { owner: {} as never }),
      /owner must be an object with addCleanup/,
    ],
    ["a timeout of 0", (i) => i.subscribe("x", ok, { timeoutMs: 0 }), /timeoutMs must be milliseconds from 1.*got 0/],
    ["a timeout too long for a timer", (i) => i.subscribe("x", ok, { timeoutMs: 2 ** 31 }), /timeoutMs must be/],
    ["concurrency 0", (i) => i.subscribe("x", ok, { concurrency: 0 }), /concurrency must be a whole number from 1/],
    ["queueMax -1", (i) => i.subscribe("x", ok, { queueMax: -1 }), /queueMax must be a whole number from 0/],
    [
      "overflow",
      (i) => i.subscribe("x", ok, { overflow: "drop" as never }),
      /overflow must be "reject" or "dropOldest"/,
    ],
    [
      "a key that is no function",
      (i) => i.subscribe("x", ok, { key: "k" as never }),
      /key must be a function, got "k"/,
    ],
    ["use that is no list", (i) => i.subscribe("x", ok, { use: ok as never }), /use must be an array of functions/],
    [
      "an input that is no schema",
      (i) => i.subscribe("x", ok, { input: {} as never }),
      /input must be a Standard Schema/,
    ],
    [
      "an input list with a hole",
      (i) => i.subscribe("x", ok, { input: [null] as never }),
      /input must be a Standard Schema/,
    ],
    [
      "an output that is no schema",
      (i) => i.subscribe("x", ok, { output: 5 as never }),
      /output must be a Standard Schema/,
    ],
    ["a blank namespace", (i) => i.subscribe("x", ok, { namespace: " " }), /namespace must be a name like/],
    ["a stateful pattern", (i) => i.subscribe("x", ok, { namespace: /a/g }), /without the g and y flags, got \/a\/g/],
    [
      "an error subscriber that is none",
      (i) => i.subscribeErrorDefault(1 as never),
      /subscribeErrorDefault expects a function, got 1/,
    ],
    ["its owner", (i) => i.subscribeErrorDefault(ok, { owner: 1 as never }), /owner must be/],
    ["its priority", (i) => i.subscribeErrorDefault(ok, { priority: Infinity }), /priority must be/],
    ["attach to nothing", (i) => i.attach(undefined as never), /attach expects a Socket.IO server, got undefined/],
    ["attach to an object", (i) => i.attach({} as never), /attach expects a Socket.IO server, got an object/],
  ];
  it.for(mistakes)("%s", ([, attempt, message]) => {
    const ingress = quiet();
    expect(() => attempt(ingress)).toThrow(TypeError);
    expect(() => attempt(ingress)).toThrow(message);
    expect(ingress.describe()).toEqual([]);
    expect(ingress.io).toBeUndefined();
  });

  const options: [string, object, RegExp][] = [
    ["logger", { logger: {} }, /logger must be shaped like pino's/],
    ["reply", { reply: "all" }, /reply must be "last" or "first", got "all"/],
    ["unknownEvents", { unknownEvents: "x" }, /unknownEvents must be/],
    ["recovery", { recovery: true }, /recovery must be/],
    ["maxInFlight", { maxInFlight: 0 }, /maxInFlight must be/],
    ["maxPending", { maxPending: -1 }, /maxPending must be/],
    ["admitTimeoutMs", { admitTimeoutMs: "1s" }, /admitTimeoutMs must be/],
    ["coalesceWrites", { coalesceWrites: "yes" }, /coalesceWrites must be true, false or/],
    ["an unknown one", { timeout: 5 }, /there is no option "timeout"/],
  ];
  it.for(options)("of the ingress: %s", ([, given, message]) => {
    expect(() => new SocketIngress(given as never)).toThrow(message);
  });

  it("of the ingress: options that are no object", () => {
    expect(() => new SocketIngress([] as never)).toThrow(/options must be an object, got an array/);
  });
});

describe("attach and detach", () => {
  it("attaching the same server twice does not double; another one is refused until detach", async () => {
    await using app = await serveIngress();
    const seen = vi.fn(() => 1);
    app.ingress.attach(app.io).subscribe("x", seen);
    const client = await app.connect();
    await client.emitWithAck("x");
    expect(seen).toHaveBeenCalledOnce();
    const other = new Server();
    expect(() => app.ingress.attach(other)).toThrow(/serves another server/);
    await app.ingress.detach();
    await app.ingress.detach();
    expect(app.ingress.attach(other).io).toBe(other);
  });

  it("SocketIngress.of(io) is the one that is attached, or one of its own that leaves with its last subscriber", async () => {
    await using app = await serve();
    const before = app.io.sockets.listenerCount("connection");
    const shared = SocketIngress.of(app.io);
    expect(SocketIngress.of(app.io)).toBe(shared);
    const off = shared.subscribe("x", () => 1);
    off();
    await new Promise((resolve) => setImmediate(resolve)); // what has been observed is still answered
    expect(shared.io).toBeUndefined();
    expect(app.io.sockets.listenerCount("connection")).toBe(before);
    expect(app.io.sockets.listenerCount("new_namespace")).toBe(0);
    const mine = quiet().attach(app.io);
    expect(SocketIngress.of(app.io)).toBe(mine);
    await mine.detach();
    expect(SocketIngress.of(app.io)).not.toBe(mine);
  });

  it("after detach no listener of ours is on a socket, and subscriptions are kept for the next attach", async () => {
    await using app = await serveIngress();
    app.ingress.subscribe("x", () => 1);
    app.ingress.subscribe("disconnect", () => undefined);
    app.ingress.subscribe("disconnecting", () => undefined);
    const client = await app.connect();
    await client.emitWithAck("x");
    const socket = app.serverSide(client);
    const count = (): number[] => [
      ...["x", "disconnect", "disconnecting"].map((name) => socket.listenerCount(name)),
      socket.listenersAny().length,
    ];
    expect(count()).toEqual([1, 1, 1, 1]);
    await app.ingress.detach();
    expect(count()).toEqual([0, 0, 0, 0]);
    app.ingress.attach(app.io);
    expect(await client.emitWithAck("x")).toBe(1);
  });

  it("clear forgets everything, for connected sockets too, and what runs goes on", async () => {
    await using app = await serveIngress();
    const gate = deferred();
    app.ingress
      .subscribe("x", async () => {
        await gate.promise;
        return 1;
      })
      .call(undefined);
    app.ingress.subscribe("x", async () => {
      await gate.promise;
      return 1;
    });
    app.ingress.onErrorDefault(() => undefined);
    const client = await app.connect();
    const reply = client.emitWithAck("x");
    await client.emitWithAck("unknown");
    app.ingress.clear();
    gate.resolve();
    expect(await reply).toBe(1);
    expect(codeOf(await client.emitWithAck("x"))).toBe("UNKNOWN_EVENT");
    expect(app.ingress.describe()).toEqual([]);
  });

  it("what an owner subscribed goes with the owner, and what was undone by hand is not kept for it", async () => {
    const ingress = quiet();
    const cleanups = new Set<() => unknown>();
    const owner = {
      addCleanup: (fn: () => unknown) => {
        cleanups.add(fn);
        return () => void cleanups.delete(fn);
      },
    };
    const off = ingress.subscribe("a", () => 1, { owner });
    ingress.subscribe("b", () => 1, { owner });
    ingress.subscribeErrorDefault(() => undefined, { owner });
    off();
    off();
    expect(cleanups.size).toBe(2);
    for (const cleanup of cleanups) await cleanup();
    expect(ingress.describe()).toEqual([]);
  });
});

describe("namespaces", () => {
  it("a pattern serves dynamic namespaces that exist, and those to come", async () => {
    await using app = await serveIngress();
    app.io.of(/^\/old-\d+$/);
    const early = await app.connect({ namespace: "/old-1" });
    app.ingress.subscribe("where", ({ namespace }) => namespace, { namespace: /^\/(old|new)-\d+$/ });
    app.ingress.subscribe("where", () => undefined, { namespace: /^\/(old|new)-\d+$/ });
    const late = await app.connect({ namespace: "/new-2" });
    expect([await early.emitWithAck("where"), await late.emitWithAck("where")]).toEqual(["/old-1", "/new-2"]);
    const root = await app.connect();
    expect(codeOf(await root.emitWithAck("where"))).toBe("UNKNOWN_EVENT");
  });

  it("a namespace without a slash is the one with it; one that came back after it was empty is served again", async () => {
    await using app = await serveIngress({}, { cleanupEmptyChildNamespaces: true });
    app.ingress.subscribe("x", () => 1, { namespace: "plain" });
    app.ingress.subscribe("y", () => 2, { namespace: /^\/d-\d+$/ });
    expect(await (await app.connect({ namespace: "/plain" })).emitWithAck("x")).toBe(1);
    for (let i = 0; i < 3; i++) {
      const client = await app.connect({ namespace: "/d-1" });
      expect(await client.emitWithAck("y")).toBe(2);
      const gone = new Promise((resolve) => app.serverSide(client, "/d-1").once("disconnect", resolve));
      client.disconnect();
      await gone;
    }
  });

  it("without the list of namespaces, those older than the first subscription are not served, and nothing else changes", async () => {
    const ingress = quiet();
    await using app = await serve((io) => {
      Object.defineProperty(io, "_nsps", { value: io._nsps, configurable: true });
      ingress.attach(io);
    });
    expect(app.io._nsps instanceof Map).toBe(true); // the pin: Socket.IO 4.8 has it
    ingress.subscribe("x", () => 1, { namespace: /^\/p-\d+$/ });
    expect(await (await app.connect({ namespace: "/p-1" })).emitWithAck("x")).toBe(1);
  });
});

describe("names the client must not send never reach a subscriber", () => {
  it("with a parser that lets them through, the connection is closed and disconnect is told once, as it is", async () => {
    const ingress = quiet();
    await using app = await serve((io) => void ingress.attach(io), { parser: msgpack });
    for (const forged of ["disconnect", "disconnecting", "connect", "newListener"]) {
      const told: unknown[] = [];
      const done = deferred();
      const off = [
        ingress.subscribe("disconnecting", (_context, reason) => void told.push(reason)),
        ingress.subscribe("disconnect", (_context, reason) => {
          told.push(reason);
          done.resolve();
        }),
      ];
      const client = await app.connect({ parser: msgpack });
      // Its own check has to be passed by: what goes out is a packet like any other.
      (client as unknown as { packet(packet: object): void }).packet({
        type: 2,
        data: [forged, "forged"],
        options: {},
      });
      await done.promise;
      expect(told).toEqual(["server namespace disconnect", "server namespace disconnect"]);
      for (const undo of off) undo();
    }
  });

  it("error, connection, connect_error and names of Object.prototype are events nobody listens to", async () => {
    await using app = await serveIngress();
    const told = vi.fn();
    app.ingress.subscribe("connection", told);
    const client = await app.connect();
    for (const name of ["error", "connection", "__proto__", "constructor", "toString", "hasOwnProperty", " "]) {
      expect(codeOf(await client.emitWithAck(name, {})), name).toBe("UNKNOWN_EVENT");
    }
    expect(told).toHaveBeenCalledOnce();
    app.ingress.subscribe("__proto__", () => "mine");
    expect(await client.emitWithAck("__proto__")).toBe("mine");
  });
});

describe("unknown events", () => {
  it("are answered once each, however many are on their way, and leave no listener", async () => {
    await using app = await serveIngress();
    const client = await app.connect();
    const replies = await Promise.all(["a", "a", "b", "a"].map((name) => client.emitWithAck(name)));
    expect(replies.map(codeOf)).toEqual(Array(4).fill("UNKNOWN_EVENT"));
    const socket = app.serverSide(client);
    expect(["a", "b"].map((name) => socket.listenerCount(name))).toEqual([0, 0]);
    expect(app.ingress.counters.unknownEvents).toBe(4);
    client.emit("a");
    await client.emitWithAck("a");
    expect(app.ingress.counters.unknownEvents).toBe(5);
  });

  it("that the application handles itself are left alone, also when it answers later or in its middleware", async () => {
    await using app = await serveIngress();
    app.io.on("connection", (socket) => {
      socket.on("mine", (cb: (reply: string) => void) => void setImmediate(cb, "mine"));
      socket.use(([name, cb], next) => {
        if (name === "middle") (cb as (reply: string) => void)("middle");
        else next();
      });
      socket.use(([name], next) => {
        if (name === "late") socket.once("late", (cb: (reply: string) => void) => cb("late"));
        next();
      });
    });
    const client = await app.connect();
    expect(await client.emitWithAck("mine")).toBe("mine");
    expect(await client.emitWithAck("middle")).toBe("middle");
    expect(await client.emitWithAck("late")).toBe("late");
  });

  it("that middleware swallows leave at most a thousand listeners on a socket, the oldest are answered, and none is left after detach", async () => {
    await using app = await serveIngress();
    const swallowed = deferred();
    let left = 1_100;
    app.io.on(
      "connection",
      (socket) =>
        void socket.use(([name], next) => (name.startsWith("s") ? void (--left === 0 && swallowed.resolve()) : next())),
    );
    const client = await app.connect();
    let answered = 0;
    for (let i = 0; i < 1_100; i++) client.emit(`s${i}`, () => void answered++);
    await swallowed.promise;
    const socket = app.serverSide(client);
    const ours = (): number => socket.eventNames().filter((name) => String(name).startsWith("s")).length;
    expect(ours()).toBe(1_000);
    await client.emitWithAck("other");
    expect(answered).toBe(101); // one more name had to make room for the last
    await app.ingress.detach();
    expect(ours()).toBe(0);
  });

  it('are left alone with unknownEvents: "leave"', async () => {
    await using app = await serveIngress({ unknownEvents: "leave" });
    app.io.on(
      "connection",
      (socket) => void socket.onAny((_name, cb: (reply: string) => void) => void setImmediate(cb, "caught")),
    );
    const client = await app.connect();
    expect(await client.emitWithAck("x")).toBe("caught");
  });

  it("of two ingresses on one server are answered by one of them, and each serves its own", async () => {
    await using app = await serveIngress();
    const second = quiet().attach(app.io);
    app.ingress.subscribe("a", () => "a");
    second.subscribe("b", () => "b");
    second.subscribe("both", () => "both");
    app.ingress.subscribe("both", () => undefined);
    const client = await app.connect();
    expect(await client.emitWithAck("a")).toBe("a");
    expect(await client.emitWithAck("b")).toBe("b");
    expect(codeOf(await client.emitWithAck("c"))).toBe("UNKNOWN_EVENT");
    await client.emitWithAck("both"); // answered, by whichever was attached first
  });
});

describe("replies", () => {
  it("a reply sent twice by hand reaches the caller once; the second is counted and logged once", async () => {
    await using app = await serveIngress();
    const answered: boolean[] = [];
    app.ingress.subscribe("x", (context) => void answered.push(context.reply("one")));
    app.ingress.subscribe("x", (context) => void answered.push(context.reply("two")));
    app.ingress.subscribe("x", () => "three");
    const client = await app.connect();
    expect(await client.emitWithAck("x")).toBe("one");
    expect(answered).toEqual([true, false]);
    expect(app.ingress.counters.secondReplies).toBe(1);
    expect(app.log.lines.filter(({ message }) => message?.startsWith("a second reply")).length).toBe(1);
  });

  it("a promise given to reply() is a mistake that is told, and a hostile value is INTERNAL", async () => {
    await using app = await serveIngress();
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    app.ingress.subscribe("promise", (context) => void context.reply(Promise.resolve(1)));
    app.ingress.subscribe("proxy", (context) => void context.reply(proxy));
    app.ingress.subscribe("nothing", (context) => void context.reply());
    const client = await app.connect();
    expect(codeOf(await client.emitWithAck("promise"))).toBe("INTERNAL");
    expect(codeOf(await client.emitWithAck("proxy"))).toBe("INTERNAL");
    expect(await client.emitWithAck("nothing")).toBeUndefined();
    expect(String(app.log.lines[0]?.fields["err"])).toContain("await it, or return it");
    expect(codeOf(await app.ingress.dispatch("proxy"))).toBe("INTERNAL");
  });

  it("details that can't be encoded are left out of a failure", async () => {
    await using app = await serveIngress();
    const circular: { self?: unknown } = {};
    circular.self = circular;
    app.ingress.subscribe("x", () => {
      throw new EventError("CONFLICT", "taken", { details: circular });
    });
    const client = await app.connect();
    expect(await client.emitWithAck("x")).toEqual({ error: { code: "CONFLICT", message: "taken" } });
  });

  it("retryAfterMs travels in the details, whatever these are", async () => {
    const ingress = quiet();
    for (const [details, sent] of [
      [undefined, { retryAfterMs: 5 }],
      [{ a: 1 }, { a: 1, retryAfterMs: 5 }],
      ["why", { value: "why", retryAfterMs: 5 }],
    ]) {
      ingress.clear();
      ingress.subscribe("x", () => {
        throw new EventError("RATE_LIMITED", "slow down", { details, retryAfterMs: 5 });
      });
      expect(await ingress.dispatch("x")).toEqual({
        error: { code: "RATE_LIMITED", message: "slow down", details: sent },
      });
    }
  });

  it("an EventError whose parts can't be read is INTERNAL", async () => {
    const ingress = quiet();
    const odd = Object.defineProperty(new EventError("X", "x"), "details", {
      get: () => {
        throw new Error("x");
      },
    });
    ingress.subscribe("getter", () => {
      throw odd;
    });
    ingress.subscribe("code", () => {
      throw Object.assign(new EventError("X", "x"), { code: 5 });
    });
    expect([await ingress.dispatch("getter"), await ingress.dispatch("code")].map(codeOf)).toEqual([
      "INTERNAL",
      "INTERNAL",
    ]);
  });

  it('reply: "first" answers as soon as there is a value, and the others still run', async () => {
    await using app = await serveIngress({ reply: "first" });
    const gate = deferred();
    const done = deferred();
    app.ingress.subscribe("x", () => undefined);
    app.ingress.subscribe("x", () => null);
    app.ingress.subscribe("x", async () => {
      await gate.promise;
      done.resolve();
      return "late";
    });
    const client = await app.connect();
    expect(await client.emitWithAck("x")).toBeNull();
    gate.resolve();
    await done.promise;
  });

  it("without a value, a listener of the application's own answers; its failure is ours to send", async () => {
    await using app = await serveIngress();
    app.io.on(
      "connection",
      (socket) => void socket.on("x", (cb: (reply: string) => void) => void setImmediate(cb, "theirs")),
    );
    const watch = app.ingress.subscribe("x", () => undefined);
    const client = await app.connect();
    expect(await client.emitWithAck("x")).toBe("theirs");
    watch();
    app.ingress.subscribe("x", () => {
      throw new Error("x");
    });
    expect(codeOf(await client.emitWithAck("x"))).toBe("INTERNAL");
  });

  it("arguments are passed by their number, whatever it is", async () => {
    const ingress = quiet();
    ingress.subscribe("x", (_context: EventContext, ...args: unknown[]) => args);
    for (let n = 0; n < 6; n++) {
      const args = Array.from({ length: n }, (_, i) => i);
      expect(await ingress.dispatch("x", {}, ...args)).toEqual(args);
    }
  });
});

describe("error subscribers", () => {
  it("hear of each error once, in priority order, with the event, the handler, the socket id and the arguments", async () => {
    await using app = await serveIngress();
    const told: unknown[] = [];
    app.ingress
      .onErrorDefault((_error, info) => void told.push(["second", info.event]))
      .subscribeErrorDefault(
        (error, { event, namespace, handler, method, socketId, args, code }) =>
          void told.push([String(error), event, namespace, handler, method, socketId, args, code]),
        { priority: 10 },
      );
    app.ingress.subscribe("x", function broken() {
      throw new Error("boom");
    });
    const client = await app.connect();
    await client.emitWithAck("x", 1, "two");
    expect(told).toEqual([
      ["Error: boom", "x", "/", undefined, "broken", client.id, [1, "two"], "INTERNAL"],
      ["second", "x"],
    ]);
    expect(app.log.lines).toEqual([]);
  });

  it("one that fails itself, now or later, is logged and the rest still run", async () => {
    const log = recordingLog();
    const ingress = new SocketIngress({ logger: log });
    const last = deferred();
    ingress.subscribeErrorDefault(() => {
      throw new Error("first");
    });
    ingress.subscribeErrorDefault(() => Promise.reject(new Error("second")));
    ingress.subscribeErrorDefault(() => Promise.resolve());
    const off = ingress.subscribeErrorDefault(() => last.resolve());
    ingress.subscribe("x", () => {
      throw new Error("x");
    });
    await ingress.dispatch("x");
    await last.promise;
    expect(log.lines.map(({ message, fields }) => [message, String(fields["err"])])).toEqual([
      ["an error subscriber failed", "Error: first"],
      ["an error subscriber failed", "Error: second"],
    ]);
    off();
  });

  it("without any, the error is logged, naming event and handler; a refusal is no warning", async () => {
    const log = recordingLog();
    const ingress = new SocketIngress({ logger: log });
    ingress.subscribe("x", function save() {
      throw new Error("x");
    });
    ingress.subscribe("y", () => {
      throw new EventError("CONFLICT", "taken");
    });
    await ingress.dispatch("x");
    await ingress.dispatch("y");
    expect(log.lines).toMatchObject([
      {
        level: "error",
        message: 'subscriber.save failed on "x"',
        fields: { event: "x", method: "save", code: "INTERNAL" },
      },
      { level: "debug", fields: { event: "y", code: "CONFLICT", reason: "taken" } },
      { level: "info", fields: { event: "y", code: "CONFLICT", reason: "taken" } },
    ]);
  });

  it("whatever was thrown is logged, also by a logger that can't serialise it, and by none at all", async () => {
    const lines: [string, object][] = [];
    let mood: "well" | "picky" | "broken" = "well";
    const write = (fields: object | string): void => {
      if (mood === "broken" || (mood === "picky" && "err" in (fields as object))) throw new Error("logger");
      lines.push([mood, fields as object]);
    };
    const logger = {
      trace: write,
      debug: write,
      info: write,
      warn: write,
      error: write,
      fatal: write,
      child: () => logger,
    };
    const stderr = vi.spyOn(process.stderr, "write").mockReturnValue(true);
    const ingress = new SocketIngress({ logger });
    const { proxy, revoke } = Proxy.revocable(new Error("x"), {});
    revoke();
    const hostile = [
      null,
      undefined,
      "text",
      "x".repeat(500),
      Symbol("s"),
      5n,
      { toString: null },
      proxy,
      Object.freeze(new Error("frozen")),
      Object.defineProperty(new Error("x"), "message", {
        get: () => {
          throw new Error("getter");
        },
      }),
    ];
    for (const thrown of hostile) {
      ingress.clear();
      ingress.subscribe("x", () => {
        throw thrown;
      });
      mood = "well";
      expect(codeOf(await ingress.dispatch("x"))).toBe("INTERNAL");
      mood = "picky";
      await ingress.dispatch("x");
    }
    expect(lines.length).toBe(hostile.length * 2);
    expect(
      lines.filter(([at, fields]) => at === "well" && (fields as { err?: unknown }).err instanceof Error).length,
    ).toBe(hostile.length);
    mood = "broken";
    await ingress.dispatch("x");
    expect(stderr).toHaveBeenCalledOnce();
    stderr.mockImplementation(() => {
      throw new Error("closed");
    });
    await ingress.dispatch("x");
  });
});

describe("dispatch by hand", () => {
  it("runs the subscribers without any server and gives the result, as a caller would get it", async () => {
    const ingress = quiet();
    ingress.subscribe("x", (context, n: number) => ({
      n,
      namespace: context.namespace,
      signal: context.signal.aborted,
    }));
    expect(await ingress.dispatch("x", {}, 1)).toEqual({ n: 1, namespace: "/", signal: false });
    expect(codeOf(await ingress.dispatch("nobody"))).toBe("UNKNOWN_EVENT");
    ingress.subscribe("room", () => "in room", { namespace: "/room" });
    expect(await ingress.dispatch("room", { namespace: "/room" })).toBe("in room");
    expect(codeOf(await ingress.dispatch("room"))).toBe("UNKNOWN_EVENT");
  });

  it("the context's log carries event, handler, namespace and socket id", async () => {
    await using app = await serveIngress();
    app.ingress.subscribe("x", ({ log }) => {
      log.info({ a: 1 }, "hello");
      return 1;
    });
    const client = await app.connect();
    await client.emitWithAck("x");
    expect(app.log.lines).toMatchObject([
      { fields: { event: "x", namespace: "/", socketId: client.id, a: 1 }, message: "hello" },
    ]);
  });
});

describe("coalesceWrites", () => {
  it("merges what is written for a connection at once, while the ingress is attached", async () => {
    await using app = await serveIngress({ coalesceWrites: true });
    const packets = new Set<number>();
    app.io.engine.on("flush", (_connection: unknown, buffer: unknown[]) => packets.add(buffer.length));
    app.ingress.subscribe("x", (_context, n: number) => n);
    const client = await app.connect();
    const call = () => Promise.all(Array.from({ length: 50 }, (_, n) => client.emitWithAck("x", n)));
    expect(await call()).toEqual(Array.from({ length: 50 }, (_, n) => n));
    const listeners = app.io.engine.listenerCount("flush");
    expect(listeners).toBeGreaterThan(1);
    await app.ingress.detach();
    expect(app.io.engine.listenerCount("flush")).toBe(1);
  });
});

describe("describe", () => {
  it("lists who listens to what, by namespace and event, in the order in which they run", () => {
    const ingress = quiet();
    ingress
      .on("b", function second() {}, { priority: 50 })
      .on("b", function first() {}, { priority: -1 })
      .on("a", () => 1, { namespace: /^\/x/ });
    ingress.on("a", () => 1);
    const standard = {
      priority: 100,
      guard: false,
      handler: undefined,
      method: undefined,
      input: undefined,
      readsArguments: false,
      output: false,
      use: [],
      timeoutMs: 30_000,
      concurrency: Infinity,
      keyed: false,
      queueMax: 100,
      overflow: "reject",
      callback: "reply",
      builtIn: false,
      owner: undefined,
      source: undefined,
    };
    expect(ingress.describe()).toEqual([
      { ...standard, namespace: "/", event: "a", order: 1 },
      { ...standard, namespace: "/", event: "b", order: 1, priority: -1, method: "first" },
      { ...standard, namespace: "/", event: "b", order: 2, priority: 50, method: "second" },
      { ...standard, namespace: "/^\\/x/", event: "a", order: 1 },
    ]);
  });

  it("tells the limits of each, its own before those of the ingress", () => {
    const ingress = quiet({ timeoutMs: 5_000, queueMax: 7 });
    const limits = { concurrency: 2, queueMax: 1, overflow: "dropOldest" } as const;
    ingress.on("a", () => 1, { ...limits, guard: true, key: () => "k", input: z.string(), callback: "errorFirst" });
    ingress.on("b", () => 1, { timeoutMs: 10 });
    expect(ingress.describe()).toMatchObject([
      { ...limits, guard: true, keyed: true, input: [{ type: "string" }], callback: "errorFirst", timeoutMs: 5_000 },
      { concurrency: Infinity, queueMax: 7, overflow: "reject", timeoutMs: 10 },
    ]);
  });
});

describe("the tracing channel", () => {
  it("tells of each dispatch while somebody listens: start and end, asyncEnd when it took time, error when one failed", async () => {
    const ingress = quiet();
    ingress.subscribe("sync", () => 1);
    ingress.subscribe("async", async () => 1);
    ingress.subscribe("fails", () => {
      throw new Error("x");
    });
    const told: string[] = [];
    const channels = tracingChannel("socket-ingress:dispatch");
    const handlers = Object.fromEntries(
      (["start", "end", "asyncStart", "asyncEnd", "error"] as const).map((name) => [
        name,
        (trace: unknown) => void told.push(`${(trace as { event: string }).event} ${name}`),
      ]),
    );
    channels.subscribe(handlers as never);
    await ingress.dispatch("sync");
    await ingress.dispatch("async");
    await ingress.dispatch("fails");
    channels.unsubscribe(handlers as never);
    await ingress.dispatch("sync");
    expect(told).toEqual([
      "sync start",
      "sync end",
      "async start",
      "async end",
      "async asyncStart",
      "async asyncEnd",
      "fails start",
      "fails error",
      "fails end",
    ]);
    const only = vi.fn();
    subscribe("tracing:socket-ingress:dispatch:error", only);
    await ingress.dispatch("fails");
    unsubscribe("tracing:socket-ingress:dispatch:error", only);
    expect(only.mock.calls[0]?.[0]).toMatchObject({ event: "fails", error: { code: "INTERNAL" } });
  });
});
