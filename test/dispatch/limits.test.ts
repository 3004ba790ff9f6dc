import { type } from "arktype";
import * as v from "valibot";
import type { Socket } from "socket.io";
import { afterEach, describe, expect, it, vi } from "vitest";
import { z } from "zod";
import { EventError, SocketIngress, type EventContext, type Interceptor } from "socket-ingress";
import { deferred } from "../fixtures/deferred.js";
import { codeOf, serveIngress } from "../fixtures/ingress.js";
import { recordingLog } from "../fixtures/recording-log.js";

const quiet = (): SocketIngress => new SocketIngress({ logger: recordingLog() });

describe("input: any Standard Schema validator", () => {
  const schemas = {
    zod: z.object({ text: z.string() }),
    valibot: v.object({ text: v.string() }),
    arktype: type({ text: "string" }),
  };
  for (const [library, input] of Object.entries(schemas)) {
    it(`invalid input never reaches the method, and the failure says where (${library})`, async () => {
      await using app = await serveIngress();
      const seen = vi.fn((_context: EventContext, { text }: { text: string }) => text);
      app.ingress.subscribe("say", seen, { input });
      const client = await app.connect();
      expect(await client.emitWithAck("say", { text: 5 })).toMatchObject({
        error: { code: "INVALID_INPUT", details: { issues: [{ path: ["text"], message: expect.any(String) }] } },
      });
      expect(codeOf(await client.emitWithAck("say"))).toBe("INVALID_INPUT");
      expect(codeOf(await client.emitWithAck("say", null))).toBe("INVALID_INPUT");
      expect(seen).not.toHaveBeenCalled();
      expect(await client.emitWithAck("say", { text: "hi" })).toBe("hi");
    });
  }

  it("the method receives the parsed value, and nothing that was not validated", async () => {
    const ingress = quiet();
    const seen = vi.fn();
    ingress.subscribe("n", seen, { input: z.string().transform(Number) });
    await ingress.dispatch("n", {}, "42", "smuggled");
    expect(seen).toHaveBeenCalledExactlyOnceWith(expect.anything(), 42);
  });

  it("a tuple validates each argument, and the path begins with its index", async () => {
    const ingress = quiet();
    ingress.subscribe("pair", (_context, a: number, b: string) => `${a}${b}`, { input: [z.number(), z.string()] });
    expect(await ingress.dispatch("pair", {}, 1, "x", "more")).toBe("1x");
    expect(await ingress.dispatch("pair", {}, "1", 2)).toMatchObject({
      error: { code: "INVALID_INPUT", details: { issues: [{ path: [0] }, { path: [1] }] } },
    });
    expect(codeOf(await ingress.dispatch("pair", {}, 1))).toBe("INVALID_INPUT");
  });

  it("an asynchronous schema is awaited, alone and in a tuple", async () => {
    const ingress = quiet();
    const even = z.number().refine(async (n) => (await Promise.resolve(n)) % 2 === 0);
    ingress.subscribe("one", (_context, n: number) => n, { input: even });
    ingress.subscribe("two", (_context, n: number, m: number) => n + m, { input: [even, z.number()] });
    expect(await ingress.dispatch("one", {}, 2)).toBe(2);
    expect(codeOf(await ingress.dispatch("one", {}, 3))).toBe("INVALID_INPUT");
    expect(await ingress.dispatch("two", {}, 2, 3)).toBe(5);
    expect(codeOf(await ingress.dispatch("two", {}, 3, 3))).toBe("INVALID_INPUT");
  });

  it("a schema that throws is the server's fault", async () => {
    const ingress = quiet();
    const broken = {
      "~standard": {
        version: 1 as const,
        vendor: "test",
        validate: () => {
          throw new Error("secret");
        },
      },
    };
    ingress.subscribe("x", () => 1, { input: broken });
    expect(await ingress.dispatch("x", {}, 1)).toEqual({ error: { code: "INTERNAL", message: "internal error" } });
  });

  it("ten thousand issues are not listed in full, and odd paths become strings", async () => {
    const ingress = quiet();
    const issues = Array.from({ length: 10_000 }, () => ({ message: "no", path: [{ key: Symbol("s") }, 3] }));
    const picky = { "~standard": { version: 1 as const, vendor: "test", validate: () => ({ issues }) } };
    ingress.subscribe("x", () => 1, { input: picky });
    const reply = (await ingress.dispatch("x", {}, 1)) as { error: { details: { issues: unknown[] } } };
    expect(reply.error.details.issues.length).toBe(50);
    expect(reply.error.details.issues[0]).toEqual({ path: ["Symbol(s)", 3], message: "no" });
  });

  it("a bad payload without an acknowledgement is heard of on the server", async () => {
    await using app = await serveIngress();
    const heard = deferred<string>();
    app.ingress.subscribe("say", () => 1, { input: z.string() });
    app.ingress.subscribeErrorDefault((_error, info) =>
      heard.resolve(`${info.event} ${info.code} ${JSON.stringify(info.args)}`),
    );
    const client = await app.connect();
    client.emit("say", 5);
    expect(await heard.promise).toBe("say INVALID_INPUT [5]");
  });
});

describe("output: a reply that does not fit is the server's fault", () => {
  afterEach(() => vi.unstubAllEnvs());

  it("the caller gets INTERNAL, the log what does not fit", async () => {
    const log = recordingLog();
    const ingress = new SocketIngress({ logger: log });
    ingress.subscribe("x", (_context, reply: unknown) => reply, { output: z.object({ id: z.number() }) });
    expect(codeOf(await ingress.dispatch("x", {}, { id: "1" }))).toBe("INTERNAL");
    expect(codeOf(await ingress.dispatch("x", {}, 5))).toBe("INTERNAL");
    expect(String(log.lines[0]?.fields["err"])).toContain("output schema at id");
    expect(String(log.lines[1]?.fields["err"])).toContain("at its root");
    expect(await ingress.dispatch("x", {}, { id: 1 })).toEqual({ id: 1 });
    expect(await ingress.dispatch("x", {}, undefined)).toBeUndefined();
  });

  it("an asynchronous reply is checked, too", async () => {
    const ingress = quiet();
    ingress.subscribe("x", async (_context, reply: unknown) => reply, { output: z.number() });
    expect(codeOf(await ingress.dispatch("x", {}, "no"))).toBe("INTERNAL");
    expect(await ingress.dispatch("x", {}, 7)).toBe(7);
  });

  it("production does not check", async () => {
    vi.stubEnv("NODE_ENV", "production");
    const ingress = quiet();
    ingress.subscribe("x", () => "wrong", { output: z.number() });
    expect(await ingress.dispatch("x")).toBe("wrong");
  });
});

describe("timeoutMs: the reply is TIMEOUT and the signal aborts", () => {
  afterEach(() => void vi.useRealTimers());

  it("a subscriber that never settles does not keep the others from running", async () => {
    await using app = await serveIngress();
    const ran: string[] = [];
    let reason: unknown;
    app.ingress.subscribe(
      "x",
      ({ signal }) => {
        signal.addEventListener("abort", () => void (reason = signal.reason));
        return new Promise(() => undefined);
      },
      { timeoutMs: 20 },
    );
    app.ingress.subscribe("x", () => void ran.push("second"));
    const client = await app.connect();
    expect(codeOf(await client.emitWithAck("x"))).toBe("TIMEOUT");
    expect(ran).toEqual(["second"]);
    expect(reason).toMatchObject({ code: "TIMEOUT" });
  });

  it("30 seconds by default", async () => {
    vi.useFakeTimers();
    const ingress = quiet();
    ingress.subscribe("x", () => new Promise(() => undefined));
    const reply = ingress.dispatch("x");
    await vi.advanceTimersByTimeAsync(29_999);
    let settled = false;
    void reply.then(() => (settled = true));
    await vi.advanceTimersByTimeAsync(0);
    expect(settled).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(codeOf(await reply)).toBe("TIMEOUT");
    expect(vi.getTimerCount()).toBe(0);
  });

  it("a late result, a late rejection and a late answer by hand are dropped and counted", async () => {
    vi.useFakeTimers();
    const ingress = quiet();
    const gate = deferred();
    const late: unknown[] = [];
    ingress.subscribe(
      "ok",
      async (context) => {
        await gate.promise;
        late.push(context.reply("late"));
        context.stop();
        return "late";
      },
      { timeoutMs: 10 },
    );
    ingress.subscribe(
      "bad",
      async () => {
        await gate.promise;
        throw new Error("late");
      },
      { timeoutMs: 10 },
    );
    const replies = Promise.all([ingress.dispatch("ok"), ingress.dispatch("bad")]);
    await vi.advanceTimersByTimeAsync(10);
    expect((await replies).map(codeOf)).toEqual(["TIMEOUT", "TIMEOUT"]);
    gate.resolve();
    await vi.advanceTimersByTimeAsync(0);
    expect(late).toEqual([false]);
    expect(ingress.counters).toMatchObject({ lateResults: 2, lateReplies: 1 });
  });

  it("a signal first read after the timeout is aborted already", async () => {
    vi.useFakeTimers();
    const ingress = quiet();
    let context: EventContext | undefined;
    ingress.subscribe(
      "x",
      (given) => {
        context = given;
        return new Promise(() => undefined);
      },
      { timeoutMs: 5 },
    );
    const reply = ingress.dispatch("x");
    await vi.advanceTimersByTimeAsync(5);
    await reply;
    expect(context?.signal.aborted).toBe(true);
  });

  it("Infinity never times out, and leaves no timer", () => {
    vi.useFakeTimers();
    const ingress = quiet();
    ingress.subscribe("x", () => new Promise(() => undefined), { timeoutMs: Infinity });
    void ingress.dispatch("x");
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("ctx.signal", () => {
  it("aborts when the client disconnects, with a reason that says so", async () => {
    await using app = await serveIngress();
    const started = deferred();
    const reason = deferred<unknown>();
    app.ingress.subscribe("x", ({ signal, socket }) => {
      signal.addEventListener("abort", () => reason.resolve(signal.reason));
      expect(socket.listenerCount("disconnect")).toBe(1);
      started.resolve();
      return reason.promise;
    });
    const client = await app.connect();
    client.emit("x");
    await started.promise;
    client.disconnect();
    expect(await reason.promise).toMatchObject({ code: "DISCONNECTED" });
  });

  it("of an event that is over still aborts on disconnect, for what the subscriber started", async () => {
    await using app = await serveIngress();
    const aborted = deferred<unknown>();
    app.ingress.subscribe("watch", (context) => {
      const { signal } = context;
      expect(context.signal).toBe(signal);
      signal.addEventListener("abort", () => aborted.resolve((signal.reason as { code: string }).code));
      return { ok: true };
    });
    const client = await app.connect();
    expect(await client.emitWithAck("watch")).toEqual({ ok: true });
    client.disconnect();
    expect(await aborted.promise).toBe("DISCONNECTED");
  });

  it("costs one listener on the socket, however many events read it, and none after detach", async () => {
    await using app = await serveIngress();
    let signal: AbortSignal | undefined;
    app.ingress.subscribe("x", (context) => {
      signal = context.signal;
      return 1;
    });
    const client = await app.connect();
    for (let i = 0; i < 3; i++) await client.emitWithAck("x");
    expect(app.serverSide(client).listenerCount("disconnect")).toBe(1);
    expect(signal?.aborted).toBe(false);
    await app.ingress.detach();
    expect(app.serverSide(client).listenerCount("disconnect")).toBe(0);
    expect(signal?.aborted).toBe(true);
  });

  it("that a connection subscriber read lives as long as the socket", async () => {
    await using app = await serveIngress();
    const aborted = deferred();
    app.ingress.subscribe("connection", ({ signal }) => signal.addEventListener("abort", () => aborted.resolve()));
    const client = await app.connect();
    client.disconnect();
    await aborted.promise;
  });

  it("is aborted at once for a socket that has left, except while its disconnect is told", async () => {
    await using app = await serveIngress();
    const told = deferred<boolean>();
    const after = deferred<boolean>();
    let context: EventContext | undefined;
    app.ingress.subscribe("keep", (given) => {
      context = given;
      return "kept";
    });
    app.ingress.subscribe("disconnect", ({ signal }) => {
      told.resolve(signal.aborted);
      after.resolve(context?.signal.aborted ?? false);
    });
    const client = await app.connect();
    await client.emitWithAck("keep");
    client.disconnect();
    expect([await told.promise, await after.promise]).toEqual([false, true]);
  });
});

describe("concurrency, per socket or per key", () => {
  /** Subscribers that run until they are let go, and what is running. */
  function gated(): {
    run: (context: EventContext, n: number) => Promise<number>;
    open: (n: number) => void;
    running: number[];
  } {
    const gates = new Map<number, (value: number) => void>();
    const running: number[] = [];
    return {
      running,
      run: (_context, n) => {
        running.push(n);
        return new Promise((resolve) => gates.set(n, resolve));
      },
      open: (n) => gates.get(n)?.(n),
    };
  }

  it("concurrency: 1 keeps arrival order, one at a time", async () => {
    await using app = await serveIngress();
    const log: string[] = [];
    app.ingress.subscribe(
      "x",
      async (_context, n: number) => {
        log.push(`+${n}`);
        await Promise.resolve();
        log.push(`-${n}`);
        return n;
      },
      { concurrency: 1 },
    );
    const client = await app.connect();
    expect(await Promise.all([1, 2, 3].map((n) => client.emitWithAck("x", n)))).toEqual([1, 2, 3]);
    expect(log).toEqual(["+1", "-1", "+2", "-2", "+3", "-3"]);
  });

  it("an asynchronous schema lets no event overtake another on the way into its lane", async () => {
    const ingress = quiet();
    const gates = [deferred(), deferred(), deferred()];
    const order: number[] = [];
    const input = z.number().refine(async (n) => {
      await gates[n]?.promise;
      return n !== 1;
    });
    ingress.subscribe(
      "x",
      async (_context, n: number) => {
        order.push(n);
        return n;
      },
      { input, concurrency: 1 },
    );
    const replies = Promise.all([0, 1, 2].map((n) => ingress.dispatch("x", {}, n)));
    gates[2]?.resolve();
    gates[1]?.resolve();
    gates[0]?.resolve();
    expect((await replies).map(codeOf)).toEqual([0, "INVALID_INPUT", 2]);
    expect(order).toEqual([0, 2]);
  });

  it("what the package refuses collects no stack, whatever of an event was too much", async () => {
    const ingress = new SocketIngress();
    const errors: Error[] = [];
    ingress.subscribeErrorDefault((error) => errors.push(error as Error));
    ingress.subscribe("lane", () => new Promise(() => undefined), { concurrency: 1, queueMax: 0, timeoutMs: 5 });
    ingress.subscribe("oldest", () => new Promise(() => undefined), {
      concurrency: 1,
      queueMax: 1,
      overflow: "dropOldest",
      timeoutMs: 5,
    });
    ingress.subscribe("input", () => 1, { input: z.object({ id: z.number() }) });
    const events = ["lane", "lane", "oldest", "oldest", "oldest", "input"];
    const replies = await Promise.all(events.map((event) => ingress.dispatch(event, {}, "no object")));
    const codes = ["TIMEOUT", "OVERLOADED", "TIMEOUT", "OVERLOADED", "TIMEOUT", "INVALID_INPUT"];
    expect(replies.map(codeOf)).toEqual(codes);
    expect(errors.map((error) => (error as EventError).code).sort()).toEqual([...codes].sort());
    expect(errors.filter(({ stack }) => stack?.includes("\n    at "))).toEqual([]);
  });

  it("events beyond queueMax are refused with OVERLOADED", async () => {
    const ingress = quiet();
    const { run, open } = gated();
    ingress.subscribe("x", run, { concurrency: 1, queueMax: 1 });
    const replies = Promise.all([1, 2, 3].map((n) => ingress.dispatch("x", {}, n)));
    await Promise.resolve();
    open(1);
    await vi.waitFor(() => open(2));
    await vi.waitFor(async () => {
      open(2);
      expect((await Promise.race([replies, Promise.resolve([])])).map(codeOf)).toEqual([1, 2, "OVERLOADED"]);
    });
  });

  it('overflow: "dropOldest" keeps the newest: the last position of a cursor', async () => {
    const ingress = quiet();
    const { run, open, running } = gated();
    ingress.subscribe("cursor", run, { concurrency: 1, queueMax: 1, overflow: "dropOldest" });
    const replies = [1, 2, 3, 4].map((n) => ingress.dispatch("cursor", {}, n));
    expect((await Promise.all([replies[1], replies[2]])).map(codeOf)).toEqual(["OVERLOADED", "OVERLOADED"]);
    open(1);
    expect(await replies[0]).toBe(1);
    await vi.waitFor(() => expect(running).toEqual([1, 4]));
    open(4);
    expect(await replies[3]).toBe(4);
  });

  it("queueMax: 0 drops what comes while one is running, either way", async () => {
    const ingress = quiet();
    const { run, open } = gated();
    ingress.subscribe("a", run, { concurrency: 1, queueMax: 0 });
    ingress.subscribe("b", run, { concurrency: 1, queueMax: 0, overflow: "dropOldest" });
    const first = ingress.dispatch("a", {}, 1);
    const other = ingress.dispatch("b", {}, 2);
    expect(codeOf(await ingress.dispatch("a", {}, 3))).toBe("OVERLOADED");
    expect(codeOf(await ingress.dispatch("b", {}, 4))).toBe("OVERLOADED");
    open(1);
    open(2);
    expect([await first, await other]).toEqual([1, 2]);
  });

  it("sockets have lanes of their own; a key has one for all of them", async () => {
    await using app = await serveIngress();
    const { run, open, running } = gated();
    app.ingress.subscribe("own", run, { concurrency: 1 });
    app.ingress.subscribe("room", run, { concurrency: 1, key: (_context, n: number) => (n < 30 ? "a" : "b") });
    const [one, two] = [await app.connect(), await app.connect()];
    const own = [one.emitWithAck("own", 1), two.emitWithAck("own", 2)];
    await vi.waitFor(() => expect(running).toEqual(expect.arrayContaining([1, 2])));
    open(1);
    open(2);
    await Promise.all(own);
    const rooms = [one.emitWithAck("room", 10)];
    await vi.waitFor(() => expect(running).toContain(10));
    rooms.push(two.emitWithAck("room", 20), two.emitWithAck("room", 30));
    await vi.waitFor(() => expect(running).toContain(30));
    expect(running).not.toContain(20);
    open(10);
    await vi.waitFor(() => expect(running).toContain(20));
    open(20);
    open(30);
    expect(await Promise.all(rooms)).toEqual([10, 20, 30]);
  });

  it("a failing, a synchronous and a timed-out run all give their place back", async () => {
    const ingress = quiet();
    const seen: string[] = [];
    ingress.subscribe(
      "x",
      (_context, what: string) => {
        seen.push(what);
        if (what === "throw") throw new Error("x");
        if (what === "reject") return Promise.reject(new Error("x"));
        if (what === "hang") return new Promise(() => undefined);
        return what;
      },
      { concurrency: 1, timeoutMs: 15 },
    );
    const replies = ["throw", "reject", "hang", "sync", "sync"].map((what) => ingress.dispatch("x", {}, what));
    // The last two wait behind the one that hangs, and time out with it or run right after it.
    expect((await Promise.all(replies)).slice(0, 3).map(codeOf)).toEqual(["INTERNAL", "INTERNAL", "TIMEOUT"]);
    expect(await ingress.dispatch("x", {}, "sync")).toBe("sync");
    expect(seen.filter((what) => what === "hang").length).toBe(1);
  });

  it("one that timed out while it waited is not run, and holds no place in the queue", async () => {
    vi.useFakeTimers();
    try {
      const ingress = quiet();
      const ran: number[] = [];
      const gate = deferred();
      ingress.subscribe(
        "x",
        async (_context, n: number) => {
          ran.push(n);
          if (n === 1) await gate.promise;
          return n;
        },
        { concurrency: 1, queueMax: 1, timeoutMs: 50, key: () => "k" },
      );
      ingress.subscribe("y", () => "y");
      const first = ingress.dispatch("x", {}, 1);
      await vi.advanceTimersByTimeAsync(30);
      const second = ingress.dispatch("x", {}, 2);
      await vi.advanceTimersByTimeAsync(25); // the first timed out and gave its place to the second
      expect(codeOf(await first)).toBe("TIMEOUT");
      expect(await second).toBe(2);
      gate.resolve();
      expect(ran).toEqual([1, 2]);
    } finally {
      vi.useRealTimers();
    }
  });

  it("a subscriber removed while an event waited for its lane does not run", async () => {
    const ingress = quiet();
    const { run, open, running } = gated();
    const off = ingress.subscribe("x", run, { concurrency: 1 });
    const [first, second] = [ingress.dispatch("x", {}, 1), ingress.dispatch("x", {}, 2)];
    off();
    open(1);
    expect(await first).toBe(1);
    expect(codeOf(await second)).toBe("UNKNOWN_EVENT");
    expect(running).toEqual([1]);
  });

  it("events that wait for a lane leave the connection free for others", async () => {
    await using app = await serveIngress({ maxInFlight: 2 });
    const { run, open, running } = gated();
    app.ingress.subscribe("serial", run, { concurrency: 1 });
    app.ingress.subscribe("free", () => "free");
    const client = await app.connect();
    const serial = [1, 2, 3, 4].map((n) => client.emitWithAck("serial", n));
    expect(await client.emitWithAck("free")).toBe("free");
    for (const n of [1, 2, 3, 4]) {
      await vi.waitFor(() => expect(running).toContain(n));
      open(n);
    }
    expect(await Promise.all(serial)).toEqual([1, 2, 3, 4]);
  });

  it("the second subscriber of an event may have a lane, too", async () => {
    await using app = await serveIngress({ maxInFlight: 1 });
    const { run, open, running } = gated();
    app.ingress.subscribe("x", async () => undefined, { priority: 1 });
    app.ingress.subscribe("x", run, { concurrency: 1 });
    const client = await app.connect();
    const replies = [1, 2].map((n) => client.emitWithAck("x", n));
    await vi.waitFor(() => expect(running).toEqual([1]));
    open(1);
    await vi.waitFor(() => expect(running).toEqual([1, 2]));
    open(2);
    expect(await Promise.all(replies)).toEqual([1, 2]);
  });
});

describe("maxInFlight per connection", () => {
  it("above it events wait in order, up to maxPending; above that they are answered OVERLOADED", async () => {
    await using app = await serveIngress({ maxInFlight: 2, maxPending: 3 });
    const gate = deferred();
    const started: number[] = [];
    app.ingress.subscribe("x", async (_context, n: number) => {
      started.push(n);
      await gate.promise;
      return n;
    });
    const client = await app.connect();
    const replies = [1, 2, 3, 4, 5, 6, 7].map((n) => client.emitWithAck("x", n));
    expect((await Promise.all(replies.slice(5))).map(codeOf)).toEqual(["OVERLOADED", "OVERLOADED"]);
    expect(started).toEqual([1, 2]);
    gate.resolve();
    expect(await Promise.all(replies.slice(0, 5))).toEqual([1, 2, 3, 4, 5]);
    expect(started).toEqual([1, 2, 3, 4, 5]);
    expect(app.ingress.counters.overloaded).toBe(2);
    const said = app.log.lines.filter(({ message }) => message?.includes("more events than may wait"));
    expect(said.map(({ level }) => level)).toEqual(["debug", "info", "debug"]);
  });

  it("counts over all namespaces of a transport, and other connections are not concerned", async () => {
    await using app = await serveIngress({ maxInFlight: 1, maxPending: 0 });
    const gate = deferred();
    app.ingress.subscribe("x", () => gate.promise.then(() => "slow"));
    app.ingress.subscribe("x", () => "other", { namespace: "/other" });
    const client = app.client({ forceNew: true });
    const sibling = client.io.socket("/other");
    const ready = new Promise<void>((resolve) => sibling.on("connect", resolve));
    client.connect();
    sibling.connect();
    await ready;
    const slow = client.emitWithAck("x");
    expect(codeOf(await sibling.emitWithAck("x"))).toBe("OVERLOADED");
    const stranger = await app.connect({ namespace: "/other" });
    expect(await stranger.emitWithAck("x")).toBe("other");
    gate.resolve();
    expect(await slow).toBe("slow");
    expect(await sibling.emitWithAck("x")).toBe("other");
  });

  it("events that wait are run although their client has left, and its disconnect is told behind them", async () => {
    await using app = await serveIngress({ maxInFlight: 1 });
    const gate = deferred();
    const order: unknown[] = [];
    const done = deferred();
    app.ingress.subscribe("x", async (_context, n: number) => {
      order.push(n);
      await gate.promise;
    });
    app.ingress.subscribe("disconnecting", () => void order.push("disconnecting"));
    app.ingress.subscribe("disconnect", (_context, reason) => {
      order.push(reason);
      done.resolve();
    });
    const client = await app.connect();
    client.emit("x", 1);
    client.emit("x", 2);
    await vi.waitFor(() => expect(order).toEqual([1]));
    client.disconnect();
    await vi.waitFor(() => expect(order).toEqual([1, "disconnecting"]));
    gate.resolve();
    await done.promise;
    expect(order).toEqual([1, "disconnecting", 2, "client namespace disconnect"]);
  });

  it("a dispatch from inside an event takes no place of its own", async () => {
    await using app = await serveIngress({ maxInFlight: 1, maxPending: 0 });
    app.ingress.subscribe("inner", async (_context, n: number) => n + 1);
    app.ingress.subscribe("outer", async (context, n: number) => app.ingress.dispatch("inner", context, n));
    const client = await app.connect();
    expect(await client.emitWithAck("outer", 1)).toBe(2);
  });

  it("a dispatch by hand for a socket waits like its client's events", async () => {
    await using app = await serveIngress({ maxInFlight: 1, maxPending: 1 });
    const gate = deferred();
    app.ingress.subscribe("x", () => gate.promise.then(() => 1));
    const client = await app.connect();
    const socket = app.serverSide(client);
    const replies = [1, 2, 3].map(() => app.ingress.dispatch("x", { socket }));
    expect(codeOf(await replies[2])).toBe("OVERLOADED");
    gate.resolve();
    expect(await Promise.all(replies.slice(0, 2))).toEqual([1, 1]);
  });
});

describe("interceptors wrap subscribers, outermost first", () => {
  it("on the ingress, then the event, around the method", async () => {
    const order: string[] = [];
    const wrap = (name: string) => async (_context: unknown, next: () => Promise<unknown>) => {
      order.push(`${name}(`);
      const value = await next();
      order.push(`)${name}`);
      return value;
    };
    const ingress = new SocketIngress({ logger: recordingLog(), use: [wrap("a"), wrap("b")] });
    ingress.subscribe(
      "x",
      () => {
        order.push("method");
        return 1;
      },
      { use: [wrap("c")] },
    );
    expect(await ingress.dispatch("x")).toBe(1);
    expect(order).toEqual(["a(", "b(", "c(", "method", ")c", ")b", ")a"]);
  });

  it("one that returns nothing passes on what next() gave, awaited or not", async () => {
    const ingress = quiet();
    ingress.subscribe("x", () => 1, {
      use: [
        async (_context, next) => {
          await next();
        },
      ],
    });
    ingress.subscribe("y", () => 2, {
      use: [
        (_context, next) => {
          void next();
        },
      ],
    });
    expect([await ingress.dispatch("x"), await ingress.dispatch("y")]).toEqual([1, 2]);
  });

  describe("around what is synchronous", () => {
    /** What the caller has heard by the time the listener returns. */
    async function heardAtOnce(options: { use: Interceptor[]; concurrency?: number }): Promise<unknown[]> {
      await using app = await serveIngress({ use: [(_context, next) => next()] });
      app.ingress.subscribe("add", (_context: EventContext, a: number) => a + 1, options);
      const client = await app.connect();
      await client.emitWithAck("add", 0);
      const [socket] = await app.io.local.fetchSockets();
      const heard: unknown[] = [];
      const [listener] = (socket as unknown as Socket).listeners("add");
      listener?.(1, (reply: unknown) => heard.push(reply));
      return heard;
    }

    it.each<[string, { use: Interceptor[]; concurrency?: number }]>([
      ["hands next() on", { use: [(_context, next) => next()] }],
      ["looks away from it", { use: [(_context, next) => void next()] }],
      ["in a lane that is free", { use: [(_context, next) => next()], concurrency: 1 }],
      ["has others around it", { use: [(_context, next) => next(), (_context, next) => next()] }],
    ])("no promise is made, and the reply leaves in the same tick: one that %s", async (_how, options) => {
      expect(await heardAtOnce(options)).toEqual([2]);
    });

    it("what next() gives is awaited, chained and raced as a promise is", async () => {
      const ingress = quiet();
      const told: string[] = [];
      const fails = (): never => {
        throw new EventError("FORBIDDEN", "no");
      };
      const use = (interceptor: Interceptor) => ({ use: [interceptor] });
      ingress.subscribe(
        "awaited",
        () => 1,
        use(async (_context, next) => [await next()]),
      );
      ingress.subscribe(
        "chained",
        () => 1,
        use((_context, next) => next().then((value) => [value])),
      );
      ingress.subscribe(
        "raced",
        () => 1,
        use((_context, next) => Promise.race([next(), deferred().promise])),
      );
      ingress.subscribe(
        "at last",
        () => 1,
        use((_context, next) => next().finally(() => told.push("at last"))),
      );
      ingress.subscribe(
        "caught",
        fails,
        use((_context, next) => next().catch((error: Error) => error.message)),
      );
      ingress.subscribe(
        "not caught",
        fails,
        use((_context, next) => next().finally(() => told.push("not caught"))),
      );
      ingress.subscribe(
        "looked away from",
        fails,
        use((_context, next) => (void next(), "instead")),
      );
      const replies = ["awaited", "chained", "raced", "at last", "caught", "looked away from"].map((event) =>
        ingress.dispatch(event),
      );
      expect(await Promise.all(replies)).toEqual([[1], [1], 1, 1, "no", "instead"]);
      expect(codeOf(await ingress.dispatch("not caught"))).toBe("FORBIDDEN");
      expect(told).toEqual(["at last", "not caught"]);
    });
  });

  it("one that does not call next() answers in the method's place, or refuses by throwing", async () => {
    const ingress = quiet();
    const method = vi.fn();
    ingress.subscribe("x", method, { use: [() => "cached"] });
    ingress.subscribe("y", method, {
      use: [
        () => {
          throw new EventError("FORBIDDEN", "no");
        },
      ],
    });
    ingress.subscribe("z", method, { use: [() => undefined] });
    expect([await ingress.dispatch("x"), codeOf(await ingress.dispatch("y")), await ingress.dispatch("z")]).toEqual([
      "cached",
      "FORBIDDEN",
      undefined,
    ]);
    expect(method).not.toHaveBeenCalled();
  });

  it("next called twice is an error, told once, and the method runs once", async () => {
    const ingress = quiet();
    const errors: string[] = [];
    ingress.subscribeErrorDefault((error) => void errors.push(String(error)));
    const method = vi.fn(() => 1);
    ingress.subscribe("x", method, {
      use: [
        async (_context, next) => {
          await next();
          void next();
          return 2;
        },
      ],
    });
    expect(codeOf(await ingress.dispatch("x"))).toBe("INTERNAL");
    expect(method).toHaveBeenCalledOnce();
    expect(errors).toEqual([expect.stringContaining("called next() twice")]);
  });

  it("next called after the end is an error, too", async () => {
    const ingress = quiet();
    const told = deferred<string>();
    ingress.subscribeErrorDefault((error) => told.resolve(String(error)));
    let later: (() => Promise<unknown>) | undefined;
    const method = vi.fn();
    ingress.subscribe("x", method, {
      use: [
        (_context, next) => {
          later = next;
          return 1;
        },
      ],
    });
    expect(await ingress.dispatch("x")).toBe(1);
    await expect(later?.()).rejects.toThrow("after it had ended");
    expect(await told.promise).toContain("after it had ended");
    expect(method).not.toHaveBeenCalled();
  });

  it("one may swallow the method's failure and answer instead", async () => {
    const ingress = quiet();
    ingress.subscribe(
      "x",
      () => {
        throw new Error("x");
      },
      { use: [async (_context, next) => next().catch(() => "instead")] },
    );
    expect(await ingress.dispatch("x")).toBe("instead");
  });

  it("connect included", async () => {
    const seen: string[] = [];
    await using app = await serveIngress({
      use: [
        async (context, next) => {
          seen.push(context.event);
          return next();
        },
      ],
    });
    app.ingress.subscribe("connect", () => true);
    await app.connect();
    expect(seen).toEqual(["connect"]);
  });
});
