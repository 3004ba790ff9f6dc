import { describe, expect, it, vi } from "vitest";
import { type EventContext, Handler, SocketIngress } from "socket-ingress";
import { deferred } from "../../fixtures/deferred.js";
import { codeOf, serveIngress } from "../../fixtures/ingress.js";
import { recordingLog } from "../../fixtures/recording-log.js";

/** Never settles. */
const never = (): Promise<never> => new Promise<never>(() => undefined);

/** Subscribers that run until they are let go one by one. */
function gated() {
  const gates = new Map<unknown, (value: unknown) => void>();
  const started: unknown[] = [];
  return {
    started,
    run: (_context: EventContext, name: unknown): Promise<unknown> => {
      started.push(name);
      return new Promise((resolve) => gates.set(name, resolve));
    },
    open: (name: unknown) => gates.get(name)?.(name),
  };
}

describe("what runs and what waits on one connection", () => {
  it("keeps the order of thousands that wait", async () => {
    await using app = await serveIngress({ maxInFlight: 1, maxPending: 3_000 });
    const gate = deferred();
    const order: number[] = [];
    app.ingress.subscribe("x", async (_context, n: number) => {
      order.push(n);
      if (n === 0) await gate.promise;
      return n;
    });
    const client = await app.connect();
    const numbers = Array.from({ length: 3_001 }, (_, n) => n);
    const replies = Promise.all(numbers.map((n) => client.emitWithAck("x", n)));
    await client.emitWithAck("a round trip");
    gate.resolve();
    expect(await replies).toEqual(numbers);
    expect(order).toEqual(numbers);
  });

  it("gives the place of an event that waits for a lane to others, and back before any that has not started", async () => {
    await using app = await serveIngress({ maxInFlight: 2 });
    const { run, open, started } = gated();
    // Asynchronous before the lane: it has a place already when it comes to wait.
    app.ingress.subscribe("laned", run, {
      concurrency: 1,
      use: [
        async (_context, next) => {
          await Promise.resolve();
          return next();
        },
      ],
    });
    app.ingress.subscribe("free", run);
    const client = await app.connect();
    const replies = [client.emitWithAck("laned", "a"), client.emitWithAck("laned", "b")];
    await vi.waitFor(() => expect(started).toEqual(["a"]));
    replies.push(client.emitWithAck("free", "c"), client.emitWithAck("free", "d"));
    // b waits for its lane, so c has its place; d waits for a place.
    await vi.waitFor(() => expect(started).toEqual(["a", "c"]));
    await client.emitWithAck("a round trip");
    open("a"); // b may go on, although d came to wait for a place before it did
    await vi.waitFor(() => expect(started).toEqual(["a", "c", "b"]));
    replies.push(client.emitWithAck("free", "e"));
    open("c");
    await vi.waitFor(() => expect(started).toEqual(["a", "c", "b", "d"]));
    open("b");
    await vi.waitFor(() => expect(started).toEqual(["a", "c", "b", "d", "e"]));
    for (const name of ["d", "e"]) open(name);
    expect(await Promise.all(replies)).toEqual(["a", "b", "c", "d", "e"]);
  });

  it("loses no place to one that was given up while it waited to go on", async () => {
    await using app = await serveIngress({ maxInFlight: 1, maxPending: 10 });
    const { run, open, started } = gated();
    const slow = app.ingress.subscribe("laned", run, { concurrency: 1, timeoutMs: 40 });
    app.ingress.subscribe("free", run);
    const client = await app.connect();
    const a = client.emitWithAck("laned", "a");
    const b = client.emitWithAck("laned", "b");
    const c = client.emitWithAck("free", "c");
    expect(codeOf(await a)).toBe("TIMEOUT");
    expect(codeOf(await b)).toBe("TIMEOUT");
    await vi.waitFor(() => expect(started).toContain("c"));
    open("c");
    expect(await c).toBe("c");
    slow();
    for (const name of ["d", "e"]) {
      const reply = client.emitWithAck("free", name);
      await vi.waitFor(() => expect(started).toContain(name));
      open(name);
      expect(await reply).toBe(name);
    }
    expect(await app.ingress.drain({ graceMs: 0 })).toEqual({ cut: [] });
  });

  it("gives no place beyond the limit to one that gave up waiting for its lane, and goes on with the next subscriber", async () => {
    await using app = await serveIngress({ maxInFlight: 1 });
    const { run, open, started } = gated();
    const gaveUp = deferred<string>();
    app.ingress.subscribe("laned", run, {
      concurrency: 1,
      key: () => "one for all",
      priority: 1,
      use: [(context, next) => (context.socket === undefined ? next() : Promise.race([next(), gaveUp.promise]))],
    });
    app.ingress.subscribe("laned", (context) => run(context, "second"));
    app.ingress.subscribe("free", run);
    const client = await app.connect();
    // By hand and without a socket: it holds the lane, and no place of the connection.
    const holder = app.ingress.dispatch("laned", {}, "holder");
    const waits = client.emitWithAck("laned", "waits");
    const free = client.emitWithAck("free", "free");
    await vi.waitFor(() => expect(started).toEqual(["holder", "free"]));
    gaveUp.resolve("its interceptor answered");
    await client.emitWithAck("a round trip");
    expect(started).toEqual(["holder", "free"]);
    open("free");
    expect(await free).toBe("free");
    await vi.waitFor(() => expect(started).toEqual(["holder", "free", "second"]));
    open("second");
    expect(await waits).toBe("second");
    open("holder");
    await vi.waitFor(() => expect(started).toEqual(["holder", "free", "second", "second"]));
    open("second");
    expect(await holder).toBe("second");
  });

  it("takes a place back that one is granted after it had given up", async () => {
    await using app = await serveIngress({ maxInFlight: 1 });
    const { run, open, started } = gated();
    const lane = { concurrency: 1, key: () => "one for all" };
    app.ingress.subscribe("laned", run, {
      ...lane,
      use: [(context, next) => (context.socket === undefined ? next() : Promise.race([next(), gaveUp.promise]))],
    });
    const gaveUp = deferred<string>();
    app.ingress.subscribe("free", run);
    const client = await app.connect();
    const holder = app.ingress.dispatch("laned", {}, "holder");
    const waits = client.emitWithAck("laned", "waits");
    const free = client.emitWithAck("free", "free");
    await vi.waitFor(() => expect(started).toEqual(["holder", "free"]));
    open("holder"); // the lane is free, the one that waits has to wait for a place
    await holder;
    gaveUp.resolve("its interceptor answered");
    expect(await waits).toBe("its interceptor answered");
    open("free");
    expect(await free).toBe("free");
    const next = client.emitWithAck("free", "next");
    await vi.waitFor(() => expect(started).toEqual(["holder", "free", "next"]));
    open("next");
    expect(await next).toBe("next");
  });

  it("lets no more of the events that waited for connection subscribers run at once than may", async () => {
    await using app = await serveIngress({ maxInFlight: 2 });
    const { run, open, started } = gated();
    const gate = deferred();
    app.ingress.subscribe("connection", () => gate.promise);
    app.ingress.subscribe("x", run);
    const client = await app.connect();
    const replies = Promise.all([1, 2, 3, 4].map((n) => client.emitWithAck("x", n)));
    await client.emitWithAck("a round trip");
    gate.resolve();
    await vi.waitFor(() => expect(started.length).toBeGreaterThanOrEqual(2));
    await client.emitWithAck("a round trip");
    expect(started).toEqual([1, 2]);
    open(2);
    await vi.waitFor(() => expect(started).toEqual([1, 2, 3]));
    for (const n of [1, 3]) open(n);
    await vi.waitFor(() => expect(started).toEqual([1, 2, 3, 4]));
    open(4);
    expect(await replies).toEqual([1, 2, 3, 4]);
  });

  it("lets a dispatch from inside an event wait for a lane, and go on in the place of that event", async () => {
    await using app = await serveIngress({ maxInFlight: 1 });
    const { run, open, started } = gated();
    app.ingress.subscribe("laned", run, { concurrency: 1, key: () => "one for all" });
    app.ingress.subscribe("outer", (context, name: string) => app.ingress.dispatch("laned", context, name));
    const [one, two] = [await app.connect(), await app.connect()];
    const replies = [one.emitWithAck("laned", "a")];
    await vi.waitFor(() => expect(started).toEqual(["a"]));
    replies.push(two.emitWithAck("outer", "b"));
    await two.emitWithAck("a round trip");
    open("a");
    await vi.waitFor(() => expect(started).toEqual(["a", "b"]));
    open("b");
    expect(await Promise.all(replies)).toEqual(["a", "b"]);
  });

  it("lets a dispatch from inside an event wait, go on, and give up, after an interceptor that took time", async () => {
    await using app = await serveIngress({ maxInFlight: 1, maxPending: 10 });
    const { run, open, started } = gated();
    const gaveUp = deferred<string>();
    app.ingress.subscribe("laned", run, {
      concurrency: 1,
      key: () => "one for all",
      use: [
        async (_context, next) => {
          await Promise.resolve();
          return Promise.race([next(), gaveUp.promise]);
        },
      ],
    });
    app.ingress.subscribe("outer", (context, name: string) => app.ingress.dispatch("laned", context, name));
    app.ingress.subscribe("free", () => "free");
    const [one, two] = [await app.connect(), await app.connect()];
    const a = one.emitWithAck("outer", "a");
    await vi.waitFor(() => expect(started).toEqual(["a"]));
    const b = two.emitWithAck("outer", "b");
    await two.emitWithAck("a round trip");
    open("a");
    expect(await a).toBe("a");
    await vi.waitFor(() => expect(started).toEqual(["a", "b"]));
    const c = one.emitWithAck("outer", "c");
    await one.emitWithAck("a round trip");
    gaveUp.resolve("gave up");
    expect(await Promise.all([b, c])).toEqual(["gave up", "gave up"]);
    open("b");
    expect([await one.emitWithAck("free"), await two.emitWithAck("free")]).toEqual(["free", "free"]);
    expect(started).toEqual(["a", "b"]);
  });

  it("drops and counts what is too much and was sent without an acknowledgement", async () => {
    await using app = await serveIngress({ maxInFlight: 1, maxPending: 1 });
    const { run, open, started } = gated();
    app.ingress.subscribe("x", run);
    const client = await app.connect();
    for (const name of ["a", "b", "c", "d"]) client.emit("x", name);
    await client.emitWithAck("a round trip");
    expect(app.ingress.counters.overloaded).toBe(2);
    open("a");
    await vi.waitFor(() => expect(started).toEqual(["a", "b"]));
    open("b");
    const last = client.emitWithAck("x", "e");
    await vi.waitFor(() => expect(started).toEqual(["a", "b", "e"]));
    open("e");
    expect(await last).toBe("e");
  });
});

describe("a subscriber removed before its turn", () => {
  it("is no error: nobody is told of one, nothing around it runs, and it leaves no trace in the reply", async () => {
    await using app = await serveIngress();
    const told = vi.fn();
    const around = vi.fn();
    const ran = vi.fn();
    app.ingress.subscribeErrorDefault(told);
    app.ingress.subscribe("sync", () => off(), { priority: 1 });
    app.ingress.subscribe("async", async () => offLate(), { priority: 1 });
    const options = {
      concurrency: 1,
      key: around,
      use: [around],
      input: { "~standard": { version: 1 as const, vendor: "test", validate: around } },
    };
    const off = app.ingress.subscribe("sync", ran, options);
    const offLate = app.ingress.subscribe("async", ran, options);
    const client = await app.connect();
    expect(await client.emitWithAck("sync", 1)).toBeUndefined();
    expect(await client.emitWithAck("async", 1)).toBeUndefined();
    expect([told, around, ran].map((fn) => fn.mock.calls.length)).toEqual([0, 0, 0]);
  });
});

describe("a lane", () => {
  it("passes over those that gave up waiting", async () => {
    vi.useFakeTimers();
    try {
      const ingress = new SocketIngress({ logger: recordingLog() });
      const { run, open, started } = gated();
      const lane = { concurrency: 1, key: () => "k" };
      ingress.subscribe("x", run, { ...lane, timeoutMs: 100 });
      const first = ingress.dispatch("x", {}, "first");
      await vi.advanceTimersByTimeAsync(50);
      const second = ingress.dispatch("x", {}, "second");
      await vi.advanceTimersByTimeAsync(45);
      const third = ingress.dispatch("x", {}, "third");
      open("first");
      expect(await first).toBe("first");
      await vi.advanceTimersByTimeAsync(56); // the second, which runs, is over its time; the third goes on
      expect(codeOf(await second)).toBe("TIMEOUT");
      await vi.advanceTimersByTimeAsync(0);
      expect(started).toEqual(["first", "second", "third"]);
      const fourth = ingress.dispatch("x", {}, "fourth");
      await vi.advanceTimersByTimeAsync(45);
      expect(codeOf(await third)).toBe("TIMEOUT");
      await vi.advanceTimersByTimeAsync(0);
      open("fourth");
      expect(await fourth).toBe("fourth");
    } finally {
      vi.useRealTimers();
    }
  });

  it("passes over one that gave up while it waited, and gives its place in the queue away", async () => {
    vi.useFakeTimers();
    try {
      const ingress = new SocketIngress({ logger: recordingLog() });
      const { run, open, started } = gated();
      ingress.subscribe("x", run, {
        concurrency: 1,
        queueMax: 1,
        key: () => "k",
        timeoutMs: 100,
        // The early one spends half of its time here, so it gives up while the other one still runs.
        use: [
          async (_context, next) => {
            if (started.length === 0) await new Promise<void>((resolve) => setTimeout(resolve, 50));
            return next();
          },
        ],
      });
      const early = ingress.dispatch("x", {}, "early");
      ingress.subscribe("y", () => started.push("y"));
      await ingress.dispatch("y");
      await vi.advanceTimersByTimeAsync(20);
      const runs = ingress.dispatch("x", {}, "runs");
      await vi.advanceTimersByTimeAsync(79);
      expect(codeOf(await Promise.race([early, Promise.resolve("waits")]))).toBe("waits");
      await vi.advanceTimersByTimeAsync(1);
      expect(codeOf(await early)).toBe("TIMEOUT");
      const takes = ingress.dispatch("x", {}, "takes its place");
      expect(codeOf(await Promise.race([takes, Promise.resolve("waits")]))).toBe("waits");
      open("runs");
      expect(await runs).toBe("runs");
      await vi.advanceTimersByTimeAsync(0);
      expect(started).toEqual(["y", "runs", "takes its place"]);
      open("takes its place");
      expect(await takes).toBe("takes its place");
    } finally {
      vi.useRealTimers();
    }
  });

  it("is left to others by one that gave up while it waited", async () => {
    vi.useFakeTimers();
    try {
      const ingress = new SocketIngress({ logger: recordingLog() });
      const { run, open, started } = gated();
      let slow = true;
      ingress.subscribe("x", run, {
        concurrency: 1,
        key: () => "k",
        timeoutMs: 100,
        use: [
          async (_context, next) => {
            if (slow) await new Promise<void>((resolve) => setTimeout(resolve, 50));
            return next();
          },
        ],
      });
      const early = ingress.dispatch("x", {}, "early");
      slow = false;
      await vi.advanceTimersByTimeAsync(20);
      const runs = ingress.dispatch("x", {}, "runs");
      await vi.advanceTimersByTimeAsync(80);
      expect(codeOf(await early)).toBe("TIMEOUT");
      open("runs");
      expect(await runs).toBe("runs");
      const last = ingress.dispatch("x", {}, "last");
      await vi.advanceTimersByTimeAsync(0);
      expect(started).toEqual(["runs", "last"]);
      open("last");
      expect(await last).toBe("last");
    } finally {
      vi.useRealTimers();
    }
  });

  it("of two places gives each back, and serves all in order", async () => {
    const ingress = new SocketIngress({ logger: recordingLog() });
    const { run, open, started } = gated();
    ingress.subscribe("x", run, { concurrency: 2 });
    const names = ["a", "b", "c", "d"];
    const replies = Promise.all(names.map((name) => ingress.dispatch("x", {}, name)));
    expect(started).toEqual(["a", "b"]);
    open("b");
    await vi.waitFor(() => expect(started).toEqual(["a", "b", "c"]));
    for (const name of ["a", "c"]) open(name);
    await vi.waitFor(() => expect(started).toEqual(names));
    open("d");
    expect(await replies).toEqual(names);
  });

  it("whose queue is full of those that gave up takes new ones", async () => {
    vi.useFakeTimers();
    try {
      const ingress = new SocketIngress({ logger: recordingLog() });
      const { run, open } = gated();
      const gate = deferred();
      const input = {
        "~standard": {
          version: 1 as const,
          vendor: "test",
          validate: async (value: unknown) => {
            if (value === "slow") await gate.promise;
            return { value };
          },
        },
      };
      // The schema takes its time out of the 100 ms, so the one behind it gives up while it waits.
      ingress.subscribe("x", run, { concurrency: 1, queueMax: 1, key: () => "k", timeoutMs: 100, input });
      const slow = ingress.dispatch("x", {}, "slow");
      await vi.advanceTimersByTimeAsync(60);
      gate.resolve();
      await vi.advanceTimersByTimeAsync(0);
      const late = ingress.dispatch("x", {}, "late");
      await vi.advanceTimersByTimeAsync(60); // slow is over its time, late has its place
      expect(codeOf(await slow)).toBe("TIMEOUT");
      const next = ingress.dispatch("x", {}, "next");
      await vi.advanceTimersByTimeAsync(0);
      open("late");
      expect(await late).toBe("late");
      await vi.advanceTimersByTimeAsync(0);
      open("next");
      expect(await next).toBe("next");
    } finally {
      vi.useRealTimers();
    }
  });

  it("is named by a string: a key of any other kind is the server's fault, and nothing runs", async () => {
    const log = recordingLog();
    const ingress = new SocketIngress({ logger: log });
    const ran = vi.fn();
    const keys = [undefined, 5, Symbol("k"), { id: 1 }, Promise.reject(new Error("nobody listens"))];
    for (const [n, key] of keys.entries()) ingress.subscribe(`x${n}`, ran, { concurrency: 1, key: () => key as never });
    for (const n of keys.keys()) expect(codeOf(await ingress.dispatch(`x${n}`))).toBe("INTERNAL");
    expect(ran).not.toHaveBeenCalled();
    expect(log.lines.map(({ fields }) => String(fields["err"]))).toEqual(
      ["undefined", "5", "Symbol(k)", "an object", "an instance of Promise"].map((what) =>
        expect.stringContaining(`key must return a string, got ${what}`),
      ),
    );
  });

  it("with a synchronous schema is entered in the same tick, and a handler's key is called on the handler", async () => {
    await using app = await serveIngress();
    const order: string[] = [];
    class Rooms extends Handler {
      readonly name = "rooms";
      readonly prefix = "room ";
      readonly events = { x: { run: "enter", concurrency: 1, key: this.keyOf, input: text } };
      enter(_context: EventContext, room: string) {
        order.push(room);
        return this.prefix + room;
      }
      keyOf(_context: EventContext, room: string) {
        return this.prefix + room;
      }
    }
    await new Rooms().setup(app.io);
    const client = await app.connect();
    expect(await Promise.all(["a", "b"].map((room) => client.emitWithAck("x", room)))).toEqual(["room a", "room b"]);
    expect(codeOf(await client.emitWithAck("x", 5))).toBe("INVALID_INPUT");
    expect(order).toEqual(["a", "b"]);
  });
});

const text = {
  "~standard": {
    version: 1 as const,
    vendor: "test",
    validate: (value: unknown) =>
      typeof value === "string" ? { value } : { issues: [{ message: "a string, please" }] },
  },
};

describe("an output schema", () => {
  it("that refuses without saying why is told of all the same, and the caller hears INTERNAL", async () => {
    const log = recordingLog();
    const ingress = new SocketIngress({ logger: log });
    const output = { "~standard": { version: 1 as const, vendor: "test", validate: () => ({ issues: [] }) } };
    ingress.subscribe("x", () => 1, { output });
    expect(await ingress.dispatch("x")).toEqual({ error: { code: "INTERNAL", message: "internal error" } });
    expect(String(log.lines[0]?.fields["err"])).toContain(
      'the reply to "x" does not fit its output schema at its root',
    );
  });
});

describe("coalesceWrites", () => {
  it("takes its options, and nothing else but true and false", async () => {
    for (const coalesceWrites of [null, 5, "yes"] as never[]) {
      expect(() => new SocketIngress({ coalesceWrites })).toThrow(/coalesceWrites must be true, false or/);
    }
    await using app = await serveIngress({ coalesceWrites: { maxBytes: 4_096 } });
    app.ingress.subscribe("x", (_context, n: number) => n);
    const client = await app.connect();
    const numbers = Array.from({ length: 30 }, (_, n) => n);
    expect(await Promise.all(numbers.map((n) => client.emitWithAck("x", n)))).toEqual(numbers);
    expect(app.io.engine.listenerCount("flush")).toBe(2);
    await app.ingress.detach();
    expect(app.io.engine.listenerCount("flush")).toBe(0);
  });
});

describe("what was given up", () => {
  it("while its asynchronous schema was at work never reaches the method", async () => {
    const ingress = new SocketIngress({ logger: recordingLog() });
    const ran = vi.fn();
    const gate = deferred();
    const input = {
      "~standard": {
        version: 1 as const,
        vendor: "test",
        validate: (value: unknown) => gate.promise.then(() => ({ value })),
      },
    };
    ingress.subscribe("x", ran, { input, timeoutMs: 5 });
    expect(codeOf(await ingress.dispatch("x", {}, 1))).toBe("TIMEOUT");
    gate.resolve();
    await vi.waitFor(() => expect(ingress.counters.lateResults).toBe(1));
    expect(ran).not.toHaveBeenCalled();
  });

  it("at the deadline of a shutdown is answered once, also when it had answered by hand", async () => {
    await using app = await serveIngress();
    const begun = deferred();
    app.ingress.subscribe("x", (context) => {
      context.reply("by hand");
      begun.resolve();
      return never();
    });
    const client = await app.connect();
    const replies: unknown[] = [];
    client.emit("x", (reply: unknown) => replies.push(reply));
    await begun.promise;
    const { cut } = await app.ingress.drain({ graceMs: 1 });
    expect(cut.length).toBe(1);
    await client.emitWithAck("a round trip");
    expect(replies).toEqual(["by hand"]);
  });

  it("is nothing with a grace without end: the drain waits for what runs", async () => {
    await using app = await serveIngress();
    const { run, open, started } = gated();
    app.ingress.subscribe("x", run);
    const client = await app.connect();
    const reply = client.emitWithAck("x", "a");
    await vi.waitFor(() => expect(started).toEqual(["a"]));
    const drained = app.ingress.drain({ graceMs: Infinity });
    open("a");
    expect([await reply, await drained]).toEqual(["a", { cut: [] }]);
  });
});
