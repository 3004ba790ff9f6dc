import { loopTime } from "../fixtures/loop-time.js";
import { createHook } from "node:async_hooks";
import { readdir, readFile } from "node:fs/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Namespace, Server, Socket } from "socket.io";
import * as msgpack from "socket.io-msgpack-parser";
import { expect, it, vi } from "vitest";
import { z } from "zod";
import {
  EventError,
  type EventContext,
  Handler,
  type HandlerEvents,
  recoverAfterAsking,
  Service,
  ServiceManager,
  SocketIngress,
} from "socket-ingress";
import { deafPeer } from "../fixtures/deaf-peer.js";
import { deferred } from "../fixtures/deferred.js";
import { codeOf, serveIngress } from "../fixtures/ingress.js";
import { RawClient } from "../fixtures/raw-client.js";
import { recordingLog } from "../fixtures/recording-log.js";
import { serve } from "../fixtures/serve.js";

// One test for each promise of the package, named by its sentence, over real sockets. Other tests go into the corners.

/** Never settles. */
const never = (): Promise<never> => new Promise<never>(() => undefined);

/** Resolves with what an emitter is told next; unlike `once` of Node, an `error` meanwhile is none of its business. */
function next(emitter: object, event: string): Promise<unknown[]> {
  return new Promise((resolve) => {
    (emitter as NodeJS.EventEmitter).once(event, (...args: unknown[]) => resolve(args));
  });
}

it("1. One dispatcher per event, made once and shared by all sockets: however many subscribers, a socket carries at most one listener of ours for it (`socket.listenerCount(event) <= 1`), and none after the last subscriber is gone. No closure is made per socket. It runs where a `socket.on` listener would: after the application's `socket.use` middleware.", async () => {
  await using app = await serveIngress();
  app.io.on("connection", (socket) => {
    socket.use(([, word], next) => {
      if (word === "forbidden") return next(new Error("middleware"));
      socket.data.passed = true;
      next();
    });
  });
  const offs = Array.from({ length: 20 }, () => app.ingress.subscribe("x", ({ socket }) => socket.data.passed));
  const refusedRan = vi.fn();
  app.ingress.subscribe("refused", refusedRan);
  const clients = [await app.connect(), await app.connect()];
  const sockets = clients.map((client) => app.serverSide(client));
  expect(sockets.map((socket) => socket.listenerCount("x") <= 1)).toEqual([true, true]);
  // It is the middleware that let it pass, so it ran before.
  for (const client of clients) expect(await client.emitWithAck("x", "welcome")).toBe(true);
  expect(sockets.map((socket) => socket.listenerCount("x"))).toEqual([1, 1]);
  const [one, two] = sockets.map((socket) => [...socket.listeners("x"), ...socket.listenersAny()]);
  expect(two).toEqual(one);
  expect(one?.every((listener, i) => listener === two?.[i])).toBe(true);

  // Of another name: one that middleware keeps looks the same as one that it has yet to let through (decision 0002).
  const refused = next(sockets[0] as Socket, "error");
  clients[0]?.emit("refused", "forbidden");
  await refused;
  await clients[0]?.emitWithAck("refused", "welcome");
  expect(refusedRan).toHaveBeenCalledOnce();

  app.ingress.subscribe("x", () => undefined);
  for (const off of offs) off();
  expect(sockets.map((socket) => socket.listenerCount("x"))).toEqual([1, 1]);
  app.ingress.clear();
  await new Promise((resolve) => setImmediate(resolve)); // what has been observed is still answered
  expect(sockets.map((socket) => socket.listenerCount("x"))).toEqual([0, 0]);
});

it("2. Lower priority runs first; ties keep subscription order, across handlers. A priority that is not a finite number is a `TypeError` and leaves no record. Guards run before all that are none.", async () => {
  await using app = await serveIngress();
  const order: string[] = [];
  class Orderly extends Handler {
    readonly name: string;
    readonly events = { x: { run: this.tie }, late: { run: this.tie, priority: 0 } };
    constructor(name: string) {
      super();
      this.name = name;
    }
    tie() {
      order.push(this.name);
    }
  }
  app.ingress.subscribe("x", () => void order.push("200"), { priority: 200 });
  const [first, second] = [new Orderly("first"), new Orderly("second")];
  await first.setup(app.io);
  app.ingress.subscribe("x", () => void order.push("default"));
  await second.setup(app.io);
  app.ingress.subscribe("x", () => void order.push("0"), { priority: 0 });
  app.ingress.subscribe("x", () => void order.push("-5"), { priority: -5 });
  app.ingress.subscribe("x", () => void order.push("99.5"), { priority: 99.5 });
  app.ingress.subscribe("x", () => void order.push("guard"), { guard: true });
  app.ingress.subscribe("x", () => void order.push("guard 1"), { guard: true, priority: 1 });
  const client = await app.connect();
  await client.emitWithAck("x");
  expect(order).toEqual(["guard 1", "guard", "-5", "0", "99.5", "first", "default", "second", "200"]);

  const before = app.ingress.describe();
  for (const priority of [NaN, Infinity, -Infinity, "10", null, {}] as never[]) {
    expect(() => app.ingress.subscribe("x", () => undefined, { priority })).toThrow(TypeError);
    class Wrong extends Handler {
      readonly name = "wrong";
      readonly events = { fine: "method", x: { run: "method", priority } };
      method() {}
    }
    expect(() => new Wrong().setup(app.io)).toThrow(TypeError);
  }
  expect(app.ingress.describe()).toEqual(before);
});

it("3. Subscribers run one after another; an async one is awaited before the next starts. When all are synchronous and nothing asks for more (no schema, limit or interceptor), no promise is made and the reply leaves in the same tick.", async () => {
  await using app = await serveIngress();
  const steps: string[] = [];
  const gate = deferred();
  app.ingress.subscribe("async", async () => {
    steps.push("one begins");
    await gate.promise;
    steps.push("one ends");
  });
  app.ingress.subscribe("async", () => void steps.push("two"));
  const client = await app.connect();
  const reply = client.emitWithAck("async");
  await client.emitWithAck("a round trip"); // by then it has begun
  expect(steps).toEqual(["one begins"]);
  gate.resolve();
  await reply;
  expect(steps).toEqual(["one begins", "one ends", "two"]);

  let promises = 0;
  let sameTick = false;
  const counts: number[] = [];
  const ticks: boolean[] = [];
  const hook = createHook({
    init: (_id, type) => {
      if (type === "PROMISE") promises++;
    },
  });
  const socket = app.serverSide(client);
  // From the application's middleware, behind which the dispatcher runs, to the packet that leaves.
  socket.use((_event, go) => {
    promises = 0;
    hook.enable();
    go();
  });
  socket.conn.on("packetCreate", () => {
    hook.disable();
    counts.push(promises);
    ticks.push(sameTick);
  });
  app.ingress.subscribe("sync", () => {
    sameTick = true;
    process.nextTick(() => (sameTick = false));
    return 1;
  });
  for (let n = 0; n < 9; n++) app.ingress.subscribe("sync", () => 2);
  for (let n = 0; n < 20; n++) expect(await client.emitWithAck("sync")).toBe(2);
  // A test runner in the same process may make one now and then; one of ours would be in every count.
  expect(Math.min(...counts)).toBe(0);
  expect(ticks).toEqual(Array(20).fill(true));
  counts.length = 0;
  for (let n = 0; n < 5; n++) await client.emitWithAck("async");
  expect(Math.min(...counts)).toBeGreaterThan(0);
});

it("4. One subscriber's throw, rejection or timeout never stops the others, unless it is a guard: then none of the others runs and its failure is the reply. Nothing ever ends the process, whatever was thrown (`null`, a frozen error, a revoked proxy, an error whose `message` throws).", async () => {
  await using app = await serveIngress();
  const { proxy, revoke } = Proxy.revocable(new Error("revoked"), {});
  revoke();
  const thrown: unknown[] = [
    null,
    undefined,
    Object.freeze(new Error("frozen")),
    proxy,
    Object.defineProperty(new Error("x"), "message", {
      get: () => {
        throw new Error("message");
      },
    }),
  ];
  const ended = vi.fn();
  process.on("uncaughtExceptionMonitor", ended);
  let others = 0;
  app.ingress.subscribe("throws", (_context, n: number) => {
    throw thrown[n];
  });
  app.ingress.subscribe("rejects", (_context, n: number) => Promise.reject(thrown[n] as Error));
  app.ingress.subscribe("hangs", never, { timeoutMs: 5 });
  for (const event of ["throws", "rejects", "hangs"]) app.ingress.subscribe(event, () => void others++);
  const client = await app.connect();
  for (const n of thrown.keys()) {
    expect(codeOf(await client.emitWithAck("throws", n))).toBe("INTERNAL");
    expect(codeOf(await client.emitWithAck("rejects", n))).toBe("INTERNAL");
  }
  expect(codeOf(await client.emitWithAck("hangs"))).toBe("TIMEOUT");
  expect(others).toBe(thrown.length * 2 + 1);
  app.ingress.subscribe(
    "guarded",
    () => {
      throw new EventError("FORBIDDEN", "not you");
    },
    { guard: true },
  );
  app.ingress.subscribe("guarded", () => others++, { priority: -1 });
  expect(codeOf(await client.emitWithAck("guarded"))).toBe("FORBIDDEN");
  expect(others).toBe(thrown.length * 2 + 1);
  process.off("uncaughtExceptionMonitor", ended);
  expect(ended).not.toHaveBeenCalled();
});

it("5. `ctx.stop()` keeps later subscribers from running.", async () => {
  await using app = await serveIngress();
  const later = vi.fn();
  for (const event of ["sync", "async"]) {
    app.ingress.subscribe(event, () => "before", { priority: 1 });
    app.ingress.subscribe(event, later, { priority: 200 });
  }
  app.ingress.subscribe("sync", (context) => context.stop());
  app.ingress.subscribe("async", async (context) => {
    await Promise.resolve();
    context.stop();
  });
  const client = await app.connect();
  expect([await client.emitWithAck("sync"), await client.emitWithAck("async")]).toEqual(["before", "before"]);
  expect(later).not.toHaveBeenCalled();
});

it("6. A subscriber removed before its turn does not run, one added during a dispatch waits for the next event. Once `teardown()` has resolved, no method of that handler is running or will run; called from inside an event of that handler it does not wait for itself.", async () => {
  await using app = await serveIngress();
  const removed = vi.fn();
  const added = vi.fn();
  const off = app.ingress.subscribe("x", removed, { priority: 200 });
  let busy = false;
  app.ingress.subscribe("x", () => {
    off();
    if (!busy) app.ingress.subscribe("x", added, { priority: 300 });
    busy = true;
  });
  const client = await app.connect();
  await client.emitWithAck("x");
  expect([removed.mock.calls.length, added.mock.calls.length]).toEqual([0, 0]);
  await client.emitWithAck("x");
  expect([removed.mock.calls.length, added.mock.calls.length]).toEqual([0, 1]);

  const gate = deferred();
  let running = 0;
  let runs = 0;
  class Busy extends Handler {
    readonly name = "busy";
    readonly events = { work: { run: "work", concurrency: 1, timeoutMs: Infinity }, quick: "work", leave: "leave" };
    async leave() {
      await this.teardown();
      return "left";
    }
    async work() {
      runs++;
      running++;
      await gate.promise;
      running--;
      return "done";
    }
  }
  const handler = new Busy();
  await handler.setup(app.io);
  const replies = [client.emitWithAck("work"), client.emitWithAck("work"), client.emitWithAck("quick")];
  await vi.waitFor(() => expect(running).toBe(2));
  let resolved = false;
  const torn = handler.teardown().then(() => {
    resolved = true;
    return running;
  });
  expect(codeOf(await client.emitWithAck("quick"))).toBe("UNKNOWN_EVENT");
  expect(resolved).toBe(false);
  gate.resolve();
  expect(await torn).toBe(0);
  // The one that waited for its turn never had it.
  expect((await Promise.all(replies)).map(codeOf)).toEqual(["done", "UNKNOWN_EVENT", "done"]);
  expect(codeOf(await client.emitWithAck("work"))).toBe("UNKNOWN_EVENT");
  expect(runs).toBe(2);
  await handler.setup(app.io);
  expect(await client.emitWithAck("leave")).toBe("left");
});

it("7. Subscriptions work for sockets connected before and after them, and can be added, replaced and removed while clients stay connected.", async () => {
  await using app = await serve();
  const early = await app.connect();
  const ingress = new SocketIngress({ logger: recordingLog() });
  const off = ingress.subscribe("x", () => "first");
  ingress.attach(app.io);
  const late = await app.connect();
  const ask = async (): Promise<unknown[]> =>
    (await Promise.all([early.emitWithAck("x"), late.emitWithAck("x")])).map(codeOf);
  expect(await ask()).toEqual(["first", "first"]);
  const offMore = ingress.subscribe("x", () => "added");
  expect(await ask()).toEqual(["added", "added"]);
  offMore();
  off();
  const offOther = ingress.subscribe("x", () => "replaced");
  expect(await ask()).toEqual(["replaced", "replaced"]);
  offOther();
  expect(await ask()).toEqual(["UNKNOWN_EVENT", "UNKNOWN_EVENT"]);
  ingress.subscribe("x", () => "again");
  expect(await ask()).toEqual(["again", "again"]);
  await ingress.detach();
});

it("8. Events that arrive while the async `connection` subscribers of their socket still run are kept, in order and bounded, and dispatched afterwards: none is lost, none runs early. Those of a connection that was refused meanwhile are dropped.", async () => {
  await using app = await serveIngress({ maxPending: 20 });
  const gate = deferred();
  const order: unknown[] = [];
  app.ingress.subscribe("connection", async () => {
    await gate.promise;
    order.push("connection is over");
  });
  app.ingress.subscribe("odd", (_context, n: number) => order.push(n));
  app.ingress.subscribe("even", async (_context, n: number) => order.push(n));
  const client = await app.connect();
  const replies = Array.from({ length: 22 }, (_, n) => client.emitWithAck(n % 2 === 0 ? "even" : "odd", n));
  expect((await Promise.all(replies.slice(20))).map(codeOf)).toEqual(["OVERLOADED", "OVERLOADED"]);
  expect(order).toEqual([]);
  gate.resolve();
  const numbers = Array.from({ length: 20 }, (_, n) => n);
  expect(await Promise.all(replies.slice(0, 20))).toEqual(numbers.map((n) => n + 2));
  expect(order).toEqual(["connection is over", ...numbers]);

  app.ingress.clear();
  const verdict = deferred();
  app.ingress.subscribe("connection", async ({ socket }) => {
    await verdict.promise;
    socket.disconnect();
  });
  app.ingress.subscribe("odd", (_context, n: number) => order.push(n));
  const stranger = await app.connect();
  stranger.emit("odd", 99);
  await stranger.emitWithAck("a round trip");
  const gone = next(stranger, "disconnect");
  verdict.resolve();
  await gone;
  expect(await app.ingress.drain()).toEqual({ cut: [] });
  expect(order).not.toContain(99);
});

it("9. Every event sent with an acknowledgement that the application's own middleware lets through gets exactly one reply, always, while its connection lives: the value, or a failure. That holds for a throwing subscriber, invalid input, an unknown event, a timeout, overload, shutdown, a subscriber that goes while the event is on its way, and a result that can't be encoded (circular, BigInt, a throwing getter) or that the other end's decoder would refuse (a Blob, more attachments than it takes, a forged placeholder). Where the application has a catch-all of its own, which may answer, `UNKNOWN_EVENT` is held back for the time limit, then sent.", async () => {
  await using app = await serveIngress();
  const circular: { self?: unknown } = {};
  circular.self = circular;
  const subscribers: [event: string, code: string, fn: () => unknown, options?: object][] = [
    ["value", "a value", () => "a value"],
    ["throws", "INTERNAL", () => Promise.reject(new Error("x"))],
    ["invalid", "INVALID_INPUT", () => 1, { input: z.number() }],
    ["hangs", "TIMEOUT", never, { timeoutMs: 10 }],
    ["circular", "INTERNAL", () => circular],
    ["bigint", "INTERNAL", () => ({ n: 5n })],
    [
      "getter",
      "INTERNAL",
      () => Object.defineProperty({}, "x", { enumerable: true, get: () => JSON.parse("not JSON") as unknown }),
    ],
    ["blob", "INTERNAL", () => ({ photo: new Blob(["x"]) })],
    ["attachments", "INTERNAL", () => Array.from({ length: 11 }, () => Buffer.from("x"))],
    ["placeholder", "INTERNAL", () => [Buffer.from("x"), { _placeholder: true, num: 7 }]],
    ["twice", "by hand", (context?: unknown) => (context as EventContext).reply("by hand") && "and a value"],
  ];
  for (const [event, , fn, options = {}] of subscribers) app.ingress.subscribe(event, fn, options);
  const gate = deferred();
  app.ingress.subscribe("busy", () => gate.promise.then(() => "busy"), { concurrency: 1, queueMax: 0 });
  const client = await app.connect();
  const replies = new Map<string, unknown[]>();
  let told = deferred();
  const call = (name: string): void => {
    replies.set(name, []);
    client.emit(name.split(" ")[0] as string, "not a number", (reply: unknown) => {
      replies.get(name)?.push(codeOf(reply));
      told.resolve();
    });
  };
  const all = ["busy 1", "busy 2", "nobody", ...subscribers.map(([event]) => event)];
  for (const name of all) call(name);
  const count = (): number => [...replies.values()].flat().length;
  // All but the one that runs.
  while (count() < all.length - 1) {
    await told.promise;
    told = deferred();
  }
  const drained = app.ingress.drain();
  call("value late");
  await vi.waitFor(() => expect(replies.get("value late")).toEqual(["SHUTTING_DOWN"]));
  gate.resolve();
  await drained;
  await client.emitWithAck("a round trip");
  expect(Object.fromEntries(replies)).toEqual({
    "busy 1": ["busy"],
    "busy 2": ["OVERLOADED"],
    nobody: ["UNKNOWN_EVENT"],
    "value late": ["SHUTTING_DOWN"],
    ...Object.fromEntries(subscribers.map(([event, code]) => [event, [code]])),
  });
  expect(client.connected).toBe(true);

  // A subscriber that goes while the event is on its way, and a catch-all of the application's own that may answer.
  await using other = await serveIngress({ timeoutMs: 20 });
  const [letThrough, kept] = [deferred(), deferred()];
  other.io.on("connection", (socket) => {
    socket.use(([event], go) => {
      if (event !== "kept") return go();
      kept.resolve();
      void letThrough.promise.then(() => go());
    });
    socket.onAny((event: string, reply: (value: string) => void) => {
      if (event === "caught") setImmediate(reply, "the application's");
    });
  });
  const off = other.ingress.subscribe("kept", () => "kept");
  const caller = await other.connect();
  const reply = caller.emitWithAck("kept");
  await kept.promise;
  off();
  await new Promise((resolve) => setImmediate(resolve));
  letThrough.resolve();
  expect(codeOf(await reply)).toBe("UNKNOWN_EVENT");
  expect(await caller.emitWithAck("caught")).toBe("the application's");
  expect(codeOf(await caller.emitWithAck("not caught"))).toBe("UNKNOWN_EVENT");
});

it('10. The reply is the last value that is not `undefined` (`null`, `false`, `0` and `""` are values); `reply: "first"` answers as soon as there is one. If nobody returned a value and one failed, the reply is the first failure.', async () => {
  await using last = await serveIngress();
  await using first = await serveIngress({ reply: "first" });
  const values = [null, false, 0, ""];
  const gate = deferred();
  for (const { ingress } of [last, first]) {
    for (const [n, value] of values.entries()) {
      ingress.subscribe(`value ${n}`, () => undefined);
      ingress.subscribe(`value ${n}`, async () => value);
      ingress.subscribe(`value ${n}`, () => {
        throw new Error("a failure among values");
      });
      ingress.subscribe(`value ${n}`, () => undefined);
    }
    ingress.subscribe("two", () => "a");
    ingress.subscribe("two", () => "b");
    ingress.subscribe("failures", () => Promise.reject(new EventError("NOT_FOUND", "one")));
    ingress.subscribe("failures", () => {
      throw new EventError("CONFLICT", "two");
    });
    ingress.subscribe("failures", () => undefined);
  }
  first.ingress.subscribe("early", () => "now");
  first.ingress.subscribe("early", () => gate.promise);
  for (const [app, two] of [
    [last, "b"],
    [first, "a"],
  ] as const) {
    const client = await app.connect();
    for (const [n, value] of values.entries()) expect(await client.emitWithAck(`value ${n}`)).toBe(value);
    expect(await client.emitWithAck("two")).toBe(two);
    expect(await client.emitWithAck("failures")).toEqual({ error: { code: "NOT_FOUND", message: "one" } });
  }
  const client = await first.connect();
  expect(await client.emitWithAck("early")).toBe("now"); // the second one still runs
  gate.resolve();
});

it("11. Failures carry a stable code. An error the subscriber meant for the caller (`EventError`) is sent as it was written; anything else becomes `INTERNAL` with a fixed message: no stack, no message, no path ever leaves the server.", async () => {
  await using app = await serveIngress();
  app.ingress.subscribe("meant", () => {
    throw new EventError("SEAT_TAKEN", "somebody sits there", {
      details: { seat: 12 },
      retryAfterMs: 50,
      cause: new Error("secret"),
    });
  });
  const secrets: Record<string, () => unknown> = {
    plain: () => new Error("secret /etc/passwd"),
    type: () => new TypeError("secret"),
    lookalike: () => ({ code: "FORBIDDEN", message: "secret", details: "secret" }),
    coded: () => Object.assign(new Error("secret"), { code: "ENOENT", path: "/secret" }),
    text: () => "secret",
  };
  for (const [event, make] of Object.entries(secrets)) {
    app.ingress.subscribe(event, () => {
      throw make();
    });
  }
  app.ingress.subscribe("connect", ({ socket }) => {
    if (socket.handshake.auth["bad"] === true) throw new Error("secret");
  });
  const client = await app.connect();
  expect(await client.emitWithAck("meant")).toEqual({
    error: { code: "SEAT_TAKEN", message: "somebody sits there", details: { seat: 12, retryAfterMs: 50 } },
  });
  const internal = { code: "INTERNAL", message: "internal error" };
  for (const event of Object.keys(secrets)) expect(await client.emitWithAck(event)).toEqual({ error: internal });
  await expect(app.connect({ auth: { bad: true } })).rejects.toMatchObject({
    message: internal.message,
    data: internal,
  });
});

it("12. Every subscriber error reaches the error subscribers once, with the event, the handler, the socket id and the arguments; an error subscriber that fails itself is logged and the rest still run. Without any, the error is logged; what the client is to blame for is no warning, and a flood of it is one line a second.", async () => {
  await using app = await serveIngress();
  class Shop extends Handler {
    readonly name = "shop";
    readonly events = { buy: "buy", sell: "sell" };
    buy() {
      throw new Error("buy");
    }
    async sell() {
      throw new Error("sell");
    }
  }
  await new Shop().setup(app.io);
  const client = await app.connect();
  await client.emitWithAck("buy", "unheard");
  expect(app.log.lines).toMatchObject([
    { level: "error", fields: { event: "buy", handler: "shop", namespace: "/", socketId: client.id } },
  ]);
  app.log.lines.length = 0;
  app.ingress.subscribe("refuses", () => {
    throw new EventError("FORBIDDEN", "not you");
  });
  const now = vi.spyOn(performance, "now").mockReturnValue(performance.now());
  await Promise.all(Array.from({ length: 200 }, () => client.emitWithAck("refuses")));
  now.mockRestore();
  expect(app.log.lines.filter(({ level }) => level !== "debug").map(({ level }) => level)).toEqual(["info"]);
  app.log.lines.length = 0;

  const told: unknown[] = [];
  app.ingress.subscribeErrorDefault(
    () => {
      throw new Error("broken at once");
    },
    { priority: 1 },
  );
  app.ingress.subscribeErrorDefault(() => Promise.reject(new Error("broken later")), { priority: 2 });
  app.ingress.subscribeErrorDefault((error, { event, handler, socketId, args }) =>
    told.push([(error as Error).message, event, handler, socketId, args]),
  );
  await client.emitWithAck("buy", 1, { two: 2 });
  await client.emitWithAck("sell");
  await vi.waitFor(() => expect(told.length).toBe(2));
  expect(told).toEqual([
    ["buy", "buy", "shop", client.id, [1, { two: 2 }]],
    ["sell", "sell", "shop", client.id, []],
  ]);
  expect(app.log.lines.map(({ fields }) => String(fields["err"])).sort()).toEqual([
    "Error: broken at once",
    "Error: broken at once",
    "Error: broken later",
    "Error: broken later",
  ]);
});

it("13. `input`: any Standard Schema validator. Invalid input never reaches the method; the failure is `INVALID_INPUT` with the issues. The method receives the parsed value.", async () => {
  await using app = await serveIngress();
  const received = vi.fn((_context: EventContext, value: unknown) => value);
  const byHand = {
    "~standard": {
      version: 1 as const,
      vendor: "by hand",
      validate: (value: unknown) =>
        value === "yes" ? { value: true } : { issues: [{ message: "say yes", path: [{ key: "answer" }] }] },
    },
  };
  app.ingress.subscribe("zod", received, { input: z.object({ at: z.coerce.number() }) });
  app.ingress.subscribe("hand", received, { input: byHand });
  const client = await app.connect();
  expect(await client.emitWithAck("zod", { at: "soon" })).toMatchObject({
    error: { code: "INVALID_INPUT", details: { issues: [{ path: ["at"], message: expect.any(String) }] } },
  });
  expect(await client.emitWithAck("hand", "no")).toMatchObject({
    error: { code: "INVALID_INPUT", details: { issues: [{ path: ["answer"], message: "say yes" }] } },
  });
  expect(received).not.toHaveBeenCalled();
  expect(await client.emitWithAck("zod", { at: "5", more: "unasked" })).toEqual({ at: 5 });
  expect(await client.emitWithAck("hand", "yes")).toBe(true);
});

it("14. `timeoutMs` [30 000]: the reply is `TIMEOUT`, `ctx.signal` aborts. `ctx.signal` also aborts on disconnect and shutdown.", async () => {
  await using app = await serveIngress({ timeoutMs: 20 });
  const aborted: unknown[] = [];
  const hang = ({ signal, event }: EventContext): Promise<never> => {
    signal.addEventListener("abort", () => aborted.push([event, (signal.reason as EventError).code]));
    return never();
  };
  const started = deferred();
  app.ingress.subscribe("by the ingress", hang);
  app.ingress.subscribe("by the event", hang, { timeoutMs: 5 });
  app.ingress.subscribe("disconnects", hang, { timeoutMs: Infinity });
  app.ingress.subscribe("shut down", hang, { timeoutMs: Infinity });
  app.ingress.subscribe("shut down", () => started.resolve(), { priority: 1 });
  const client = await app.connect();
  expect(codeOf(await client.emitWithAck("by the ingress"))).toBe("TIMEOUT");
  expect(codeOf(await client.emitWithAck("by the event"))).toBe("TIMEOUT");
  client.emit("disconnects");
  await client.emitWithAck("a round trip");
  const gone = next(app.serverSide(client), "disconnect");
  client.disconnect();
  await gone;
  const other = await app.connect();
  const reply = other.emitWithAck("shut down");
  await started.promise;
  await app.ingress.drain({ graceMs: 1 });
  expect(codeOf(await reply)).toBe("SHUTTING_DOWN");
  expect(aborted).toEqual([
    ["by the ingress", "TIMEOUT"],
    ["by the event", "TIMEOUT"],
    ["disconnects", "DISCONNECTED"],
    ["shut down", "SHUTTING_DOWN"],
  ]);
});

it('15. `concurrency` per socket [unbounded], or per `key(ctx, ...args)`; with `queueMax` [100] and `overflow: "reject" | "dropOldest"`. `concurrency: 1` keeps arrival order.', async () => {
  await using app = await serveIngress();
  let running = 0;
  let most = 0;
  let gate = deferred();
  let order: number[] = [];
  const run = async (_context: EventContext, n: number): Promise<number> => {
    order.push(n);
    most = Math.max(most, ++running);
    await gate.promise;
    running--;
    return n;
  };
  const flood = async (event: string, clients: readonly { emitWithAck: Function }[], count: number) => {
    [running, most, gate, order] = [0, 0, deferred(), []];
    const replies = Array.from({ length: count }, (_, n) => clients[n % clients.length]?.emitWithAck(event, n));
    await Promise.all(clients.map((client) => client.emitWithAck("a round trip")));
    gate.resolve();
    return { replies: (await Promise.all(replies)).map(codeOf), most, order };
  };
  const refused = (replies: unknown[]): number[] => [...replies.keys()].filter((n) => replies[n] === "OVERLOADED");
  app.ingress.subscribe("free", run);
  app.ingress.subscribe("one", run, { concurrency: 1 });
  app.ingress.subscribe("three", run, { concurrency: 3 });
  app.ingress.subscribe("keyed", run, { concurrency: 1, key: (_context, n: number) => `room ${n % 3}` });
  app.ingress.subscribe("newest", run, { concurrency: 1, queueMax: 2, overflow: "dropOldest" });
  const [a, b] = [await app.connect(), await app.connect()];
  expect(await flood("free", [a], 50)).toMatchObject({ most: 50 });
  const one = await flood("one", [a], 103);
  expect(one.most).toBe(1);
  expect(one.order).toEqual(Array.from({ length: 101 }, (_, n) => n));
  expect(refused(one.replies)).toEqual([101, 102]); // one runs, a hundred wait
  expect((await flood("one", [a, b], 4)).most).toBe(2);
  expect((await flood("three", [a], 10)).most).toBe(3);
  expect((await flood("keyed", [a, b], 12)).most).toBe(3);
  const newest = await flood("newest", [a], 6);
  expect([newest.order, refused(newest.replies)]).toEqual([
    [0, 4, 5],
    [1, 2, 3],
  ]);
});

it("16. `maxInFlight` per connection (transport) [100] run at once; above it events wait in order, up to `maxPending` [1 000] wherever they wait, lanes included; above that they are answered `OVERLOADED`. Whatever the package keeps for a client is bounded in number, and in bytes where the client decides the size.", async () => {
  await using app = await serveIngress();
  const gate = deferred();
  const order: number[] = [];
  const run = async (_context: EventContext, n: number): Promise<number> => {
    order.push(n);
    await gate.promise;
    return n;
  };
  app.ingress.subscribe("x", run);
  app.ingress.subscribe("x", run, { namespace: "/other" });
  const client = app.client();
  const sibling = client.io.socket("/other"); // a second namespace on the same transport
  const ready = Promise.all([next(client, "connect"), next(sibling, "connect")]);
  client.connect();
  sibling.connect();
  await ready;
  const replies = Array.from({ length: 1_103 }, (_, n) => (n % 2 === 0 ? client : sibling).emitWithAck("x", n));
  expect((await Promise.all(replies.slice(1_100))).map(codeOf)).toEqual(Array(3).fill("OVERLOADED"));
  const numbers = Array.from({ length: 1_100 }, (_, n) => n);
  expect(order).toEqual(numbers.slice(0, 100));
  // Another connection has places of its own.
  const stranger = await app.connect();
  const other = stranger.emitWithAck("x", 5_000);
  await vi.waitFor(() => expect(order.at(-1)).toBe(5_000));
  gate.resolve();
  expect(await Promise.all(replies.slice(0, 1_100))).toEqual(numbers);
  expect(await other).toBe(5_000);
  expect(order.filter((n) => n < 5_000)).toEqual(numbers);

  // Nor is a lane for each key that a client thinks of a queue of its own.
  const open = deferred();
  app.ingress.subscribe("laned", () => open.promise, { concurrency: 1, key: (_context, key: string) => key });
  const answers: unknown[] = [];
  for (let n = 0; n < 1_500; n++)
    void client.emitWithAck("laned", String(n % 100)).then((answer) => answers.push(codeOf(answer)));
  await vi.waitFor(() => expect(answers).toEqual(Array(400).fill("OVERLOADED")));
  open.resolve();
  await vi.waitFor(() => expect(answers).toHaveLength(1_500));
});

it("17. Interceptors `use: [(ctx, next) => ...]` wrap event subscribers, `connect` included, on the ingress, the handler or the event, outermost first. `beforeEvent` runs once for each event a client sends.", async () => {
  const order: string[] = [];
  const wrap =
    (name: string) =>
    async (context: { event: string }, go: () => Promise<unknown>): Promise<unknown> => {
      order.push(`${context.event} ${name} in`);
      const value = await go();
      order.push(`${context.event} ${name} out`);
      return context.event === "x" ? `${name}(${String(value)})` : value;
    };
  class Wrapped extends Handler {
    readonly name = "wrapped";
    override readonly use = [wrap("handler")];
    readonly events = {
      connect: { run: () => true, use: [wrap("event")] },
      x: { run: () => "x", use: [wrap("event")] },
    };
  }
  await using app = await serveIngress({ use: [wrap("ingress"), wrap("second")] });
  await new Wrapped().setup(app.io);
  const client = await app.connect();
  const around = (event: string): string[] => [
    ...["ingress", "second", "handler", "event"].map((name) => `${event} ${name} in`),
    ...["event", "handler", "second", "ingress"].map((name) => `${event} ${name} out`),
  ];
  expect(order).toEqual(around("connect"));
  order.length = 0;
  expect(await client.emitWithAck("x")).toBe("ingress(second(handler(event(x))))");
  expect(order).toEqual(around("x"));
  const asked: string[] = [];
  app.ingress.beforeEvent(({ event }) => void asked.push(event));
  const sender = await app.connect();
  for (let i = 0; i < 3; i++) app.ingress.subscribe("sent", () => i);
  expect(await sender.emitWithAck("sent")).toBe(2);
  expect(asked).toEqual(["sent"]);
});

it("18. Shutdown: new connections are refused, whichever HTTP server and engine they come through, and new events answered `SHUTTING_DOWN`; Handlers and Services are told (`onDrain`) when it begins; running subscribers get `graceMs` to finish and their replies are delivered; then handlers are torn down, services stopped, all in reverse; what was cut is reported. It ends on time even with a peer that ignores the close, and a `boot()` that it interrupts rejects.", async () => {
  const steps: string[] = [];
  const gate = deferred();
  const begun = deferred();
  class Step extends Service {
    readonly name: string;
    constructor(name: string) {
      super();
      this.name = name;
    }
    override onDrain() {
      steps.push(`${this.name} is told`);
    }
    override onStop() {
      steps.push(this.name);
    }
  }
  class Work extends Handler {
    readonly name: string;
    readonly events: Record<string, "work" | "hang">;
    constructor(name: string, events: Record<string, "work" | "hang"> = {}) {
      super();
      this.name = name;
      this.events = events;
    }
    async work() {
      await gate.promise;
      steps.push("the work is done");
      return "done";
    }
    hang() {
      begun.resolve();
      return never();
    }
    protected override onTeardown() {
      steps.push(this.name);
    }
  }
  await using app = await serve();
  const manager = new ServiceManager(app.io, { logger: recordingLog() })
    .registerService(new Step("S1"))
    .registerService(new Step("S2"))
    .registerHandler(new Work("H1", { work: "work", hang: "hang" }))
    .registerHandler(new Work("H2"));
  await manager.boot();
  const client = await app.connect();
  await using deaf = await deafPeer(app.port);
  const working = client.emitWithAck("work");
  const hanging = client.emitWithAck("hang");
  await begun.promise;
  using time = loopTime();
  const down = manager.shutdown({ graceMs: 2_000 });
  expect(codeOf(await client.emitWithAck("work"))).toBe("SHUTTING_DOWN");
  await expect(app.connect()).rejects.toMatchObject({ data: { code: "SHUTTING_DOWN" } });
  expect(steps).toEqual(["S2 is told", "S1 is told"]);
  gate.resolve();
  expect(await working).toBe("done");
  const report = await down;
  expect(time.ms).toBeLessThan(2_000 + 1_000);
  expect(codeOf(await hanging)).toBe("SHUTTING_DOWN");
  expect(steps.slice(2)).toEqual(["the work is done", "H2", "H1", "S2", "S1"]);
  expect(report.cut).toMatchObject([{ event: "hang", handler: "H1", namespace: "/", socketId: expect.any(String) }]);
  await deaf.cut;

  const starting = deferred();
  const stuck = new Step("S3");
  stuck.onStart = () => {
    starting.resolve();
    return never();
  };
  const other = new ServiceManager(undefined, { logger: recordingLog() }).registerService(stuck);
  const boot = other.boot().catch((error: unknown) => error);
  await starting.promise;
  await other.shutdown({ graceMs: 20 });
  expect(await boot).toEqual(new Error("the manager was shut down while it booted"));
});

it("19. After any number of set-up/tear-down cycles nothing is left: no listener on a socket, namespace, engine or process, no timer, no reference.", async () => {
  await using app = await serve();
  const client = await app.connect();
  const socket = app.serverSide(client);
  const namespace = app.io.of("/");
  const emitters: Record<string, NodeJS.EventEmitter> = {
    socket,
    namespace,
    server: app.io.httpServer,
    engine: app.io.engine,
    connection: socket.conn,
    process,
  };
  const listeners = (): Record<string, number> => ({
    any: socket.listenersAny().length,
    ...Object.fromEntries(
      Object.entries(emitters).map(([name, emitter]) => [
        name,
        emitter.eventNames().reduce((sum, event) => sum + emitter.listenerCount(event), 0),
      ]),
    ),
  });
  const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
  const served = deferred();
  const cycle = async (): Promise<WeakRef<object>[]> => {
    class Cycled extends Handler {
      readonly name = "cycled";
      readonly events: HandlerEvents = {
        x: "x",
        wait: { run: "x", concurrency: 1 },
        disconnect: "x",
        connection: "x",
        connect: "x",
      };
      x({ signal }: EventContext) {
        return signal.aborted ? undefined : "x";
      }
    }
    const handler = new Cycled();
    const manager = new ServiceManager(app.io, { logger: recordingLog(), closeServer: false }).registerHandler(handler);
    manager.shutdownOnSignals();
    await manager.boot();
    expect(await Promise.all([client.emitWithAck("x"), client.emitWithAck("wait")])).toEqual(["x", "x"]);
    await manager.shutdown({ graceMs: 1_000 });
    return [new WeakRef(handler), new WeakRef(manager), new WeakRef(manager.ingress)];
  };
  await cycle();
  const before = listeners();
  const timersBefore = timers();
  const references: WeakRef<object>[] = [];
  for (let n = 0; n < 25; n++) references.push(...(await cycle()));
  served.resolve();
  expect(listeners()).toEqual(before);
  expect(timers()).toBeLessThanOrEqual(timersBefore);
  expect(
    await client
      .timeout(20)
      .emitWithAck("x")
      .catch(() => "nobody answers"),
  ).toBe("nobody answers");

  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  await vi.waitFor(() => {
    collect();
    expect(references.filter((reference) => reference.deref() !== undefined).length).toBe(0);
  });
});

it("20. A recovered connection (`connectionStateRecovery`) is asked again by `connect` before anything of it runs; with `recoverAfterAsking`, before anything it missed is sent, and a recovery id is spent once.", async () => {
  await using app = await serveIngress({ recovery: "askAgain" }, { connectionStateRecovery: {} });
  const steps: unknown[] = [];
  let gate: Promise<boolean> = Promise.resolve(true);
  app.ingress.subscribe("connect", async ({ socket }) => {
    steps.push(["connect", socket.recovered]);
    return gate;
  });
  app.ingress.subscribe("connection", ({ socket }) => void steps.push(["connection", socket.recovered]));
  app.ingress.subscribe("x", (_context, n: number) => steps.push(n));
  const client = await app.connect({ reconnection: true, reconnectionDelay: 1, reconnectionDelayMax: 2 });
  app.io.emit("offset"); // without a packet there is nothing to recover from
  await next(client, "offset");
  const again = async (): Promise<void> => {
    const connects = next(client, "connect");
    client.io.engine.close();
    await connects;
    expect(client.recovered).toBe(true);
  };
  const asked = deferred<boolean>();
  gate = asked.promise;
  await again();
  const reply = client.emitWithAck("x", 1);
  await vi.waitFor(() => expect(steps.length).toBe(3));
  expect(steps).toEqual([
    ["connect", false],
    ["connection", false],
    ["connect", true],
  ]);
  asked.resolve(true);
  await reply;
  expect(steps.slice(3)).toEqual([["connection", true], 1]);

  gate = Promise.resolve(false);
  const gone = next(client, "disconnect").then(() => next(client, "disconnect"));
  await again();
  client.emit("x", 2);
  expect(await gone).toEqual(["io server disconnect", undefined]);
  expect(steps.slice(5)).toEqual([["connect", true]]);

  const recovery = { connectionStateRecovery: { skipMiddlewares: false }, adapter: recoverAfterAsking() };
  await using later = await serveIngress({}, recovery);
  const told: unknown[] = [];
  const verdict = deferred<boolean>();
  const askedAgain = deferred();
  later.ingress.subscribe("connect", ({ socket }) => {
    if (!socket.recovered) return true;
    askedAgain.resolve();
    return verdict.promise;
  });
  const member = await later.connect({ reconnection: false });
  member.on("n", (n) => told.push(n));
  later.io.emit("n", "first");
  await next(member, "n");
  const { _pid: pid, _lastOffset: offset } = member as unknown as { _pid: string; _lastOffset: string };
  const there = next(later.serverSide(member), "disconnect");
  member.io.engine.close();
  await there;
  later.io.emit("n", "missed");
  const back = next(member, "connect");
  member.connect();
  await askedAgain.promise;
  expect(told).toEqual(["first"]);
  verdict.resolve(true);
  await back;
  await vi.waitFor(() => expect(told).toEqual(["first", "missed"]));
  expect(member.recovered).toBe(true);
  // Spent: whoever gives the id again is somebody new.
  const thief = await later.connect({ auth: { pid, offset } });
  expect([thief.recovered, thief.id === member.id]).toEqual([false, false]);
});

it("21. Event names and keys from the wire are never looked up in a plain object (`__proto__`, `constructor`, `toString`). Names the client must not send (`error`, `disconnect`, ...) never reach a subscriber. One transport has one socket in a namespace: a second CONNECT, while one is asked about or admitted, ends the transport, as cheaply as it came.", async () => {
  await using app = await serveIngress({}, { parser: msgpack }); // it lets through what the default parser stops
  const names = ["__proto__", "constructor", "toString", "hasOwnProperty", "valueOf"];
  let running = 0;
  const gate = deferred();
  app.ingress.subscribe(
    "keyed",
    async (_context, key: string) => {
      running++;
      await gate.promise;
      return key;
    },
    { concurrency: 1, key: (_context, key: string) => key },
  );
  const client = await app.connect({ parser: msgpack });
  for (const name of names) expect(codeOf(await client.emitWithAck(name, {}))).toBe("UNKNOWN_EVENT");
  const keyed = Promise.all(names.map((name) => client.emitWithAck("keyed", name)));
  await vi.waitFor(() => expect(running).toBe(names.length)); // each has a lane of its own
  gate.resolve();
  expect(await keyed).toEqual(names);
  for (const name of names) app.ingress.subscribe(name, () => `mine: ${name}`);
  for (const name of names) expect(await client.emitWithAck(name)).toBe(`mine: ${name}`);

  const told: unknown[] = [];
  for (const event of ["connect", "connection", "disconnecting", "disconnect"]) {
    app.ingress.subscribe(event, ({ event: name }, reason?: unknown) => void told.push([name, reason]));
  }
  expect(() => app.ingress.subscribe("error" as never, () => undefined)).toThrow(TypeError);
  for (const forged of [
    "error",
    "connect",
    "connect_error",
    "connection",
    "disconnecting",
    "disconnect",
    "newListener",
    "removeListener",
  ]) {
    told.length = 0;
    const peer = await app.connect({ parser: msgpack });
    const socket = app.serverSide(peer);
    const gone = next(socket, "disconnect");
    // The client's own check has to be passed by: what goes out is a packet like any other.
    (peer as unknown as { packet(packet: object): void }).packet({ type: 2, data: [forged, "forged"], options: {} });
    peer.emit("a last one", () => peer.disconnect());
    await gone;
    await vi.waitFor(() => expect(told.length).toBe(4));
    expect(told.map((row) => (row as unknown[])[0])).toEqual(["connect", "connection", "disconnecting", "disconnect"]);
    expect(JSON.stringify(told)).not.toContain("forged");
  }

  await using plain = await serveIngress();
  let made = 0;
  plain.io.use((_socket, proceed) => {
    made++;
    proceed();
  });
  plain.ingress.subscribe("connect", ({ socket }) => (socket.handshake.auth["wait"] === true ? never() : true));
  for (const whileAsked of [true, false]) {
    const transport = await RawClient.open(plain.url);
    if (whileAsked) transport.sendConnect("/", { wait: true });
    else await transport.connect();
    const before = made;
    for (let i = 0; i < 500; i++) transport.sendConnect();
    await transport.untilClosed();
    await vi.waitFor(() => expect(plain.io.sockets.sockets.size).toBe(0));
    expect(made - before).toBe(0); // no socket was made for any of them
  }
});

it("22. Attaching the ingress changes nothing for code that does not use it: existing `socket.on` listeners, catch-alls that answer, middleware, rooms and acknowledgements behave as before, and the same packets go over the wire in the same order. It needs no patch of Socket.IO and no private member of it; where only a private member would do, a decision says so and a test per supported Socket.IO minor guards it.", async () => {
  const patched = (io: Server, socket?: Socket): unknown => {
    const methods = (object: object | undefined): unknown[] =>
      Object.entries(Object.getOwnPropertyDescriptors(object ?? {})).filter(
        ([, { value }]) => typeof value === "function",
      );
    return [
      Server.prototype,
      Namespace.prototype,
      Socket.prototype,
      io,
      io.of("/"),
      io.engine,
      socket,
      socket?.conn,
    ].map(methods);
  };
  const story = async (attach: boolean): Promise<unknown> => {
    const told: unknown[] = [];
    await using app = await serve((io) => {
      io.use((socket, go) => {
        told.push("namespace middleware");
        if (socket.handshake.auth["bad"] === true) return go(Object.assign(new Error("theirs"), { data: { code: 7 } }));
        go();
      });
      io.on("connection", (socket) => {
        told.push(["connection", socket.rooms.size]);
        socket.use(([event, ...args], go) => {
          told.push(["middleware", event, args.length]);
          if (event === "stopped") return go(new Error("stopped"));
          if (event === "renamed") args[0] = "renamed";
          go();
        });
        socket.onAny((event) => told.push(["any", event]));
        socket.onAny((event: string, ...args: unknown[]) => {
          if (event === "caught") setImmediate(args.at(-1) as (value: string) => void, "by the catch-all");
        });
        socket.prependAny((event) => told.push(["first of all", event]));
        socket.on("error", (error: Error) => told.push(["error", error.message]));
        socket.on("echo", (value: unknown, reply: (...all: unknown[]) => void) => reply(value, "and more"));
        socket.on("later", (reply: (value: string) => void) => setImmediate(reply, "later"));
        socket.once("once", (reply: (value: string) => void) => reply("once"));
        socket.on("join", async (room: string, reply: (rooms: string[]) => void) => {
          await socket.join(room);
          socket.to(room).emit("joined", room);
          io.to(room).emit("to all", room);
          reply([...socket.rooms].filter((name) => name !== socket.id));
        });
        socket.on("disconnecting", (reason) => told.push(["disconnecting", reason, socket.rooms.size]));
        socket.on("disconnect", (reason) => told.push(["disconnect", reason, socket.rooms.size]));
      });
    });
    const before = patched(app.io);
    if (attach) {
      const ingress = new SocketIngress({ logger: recordingLog() }).attach(app.io);
      ingress.subscribe("mine", () => "mine");
      ingress.subscribe("connect", () => true);
      ingress.subscribe("connection", () => undefined);
      ingress.subscribe("disconnect", () => undefined);
    }
    expect(patched(app.io)).toEqual(before);
    await app.connect({ auth: { bad: true } }).catch((error: unknown) => told.push({ ...(error as object) }));
    const [one, two] = [await app.connect(), await app.connect()];
    for (const [n, client] of [one, two].entries()) client.onAny((...all: unknown[]) => told.push([n, ...all]));
    const heard = [next(one, "joined"), next(one, "to all")];
    // What goes over the wire to it in this order, apart from ids.
    const packets: string[] = [];
    const id = one.id ?? "";
    one.io.engine.on("data", (data: unknown) => {
      if (typeof data === "string") packets.push(data.replaceAll(id, "its id"));
    });
    told.push(packets);
    told.push(
      await new Promise((resolve) =>
        one.emit("echo", { a: [1, null, Buffer.from("b")] }, (...all: unknown[]) => resolve(all)),
      ),
    );
    told.push(await one.emitWithAck("later"), await one.emitWithAck("once"), await one.emitWithAck("caught"));
    one.emit("stopped");
    told.push(await one.emitWithAck("join", "room"), await two.emitWithAck("join", "room"));
    await Promise.all(heard);
    told.push((await app.io.in("room").fetchSockets()).length);
    told.push(
      await app.io
        .timeout(1_000)
        .emitWithAck("nobody answers")
        .catch(() => "in vain"),
    );
    const socket = app.serverSide(one);
    const methods = patched(app.io, socket);
    expect(Object.keys(Object.getOwnPropertyDescriptors(socket)).sort()).toEqual(
      Object.keys(Object.getOwnPropertyDescriptors(app.serverSide(two))).sort(),
    );
    const gone = next(socket, "disconnect");
    one.disconnect();
    await gone;
    return JSON.parse(JSON.stringify({ told, methods })) as unknown;
  };
  expect(await story(true)).toEqual(await story(false));

  // What begins with an underscore is Socket.IO's own; TypeScript keeps us from what it declares private.
  const src = new URL("../../src/", import.meta.url);
  const members = new Set<string>();
  for (const file of await readdir(src, { recursive: true })) {
    if (!file.endsWith(".ts")) continue;
    for (const [, member] of (await readFile(new URL(file, src), "utf8")).matchAll(
      /^(?!\s*(?:\*|\/\/)).*\.(_[a-z]\w*)/gim,
    ))
      members.add(member as string);
  }
  const folder = new URL("../../docs/decisions/", import.meta.url);
  const texts = (await readdir(folder)).map((file) => readFile(new URL(file, folder), "utf8"));
  const decisions = (await Promise.all(texts)).join("\n");
  expect([...members].filter((member) => !decisions.includes(member))).toEqual([]);
  const io = new Server();
  expect(io._nsps).toBeInstanceOf(Map);
  expect(io._opts).toBeTypeOf("object");
});
