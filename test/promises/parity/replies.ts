import { expect } from "vitest";
import { EventError, SocketIngress } from "socket-ingress";
import { recordingLog } from "../../fixtures/recording-log.js";
import type { Environment, Register } from "./environment.js";
import { deferred } from "./fixtures.js";

/** A schema of nobody's library: any Standard Schema will do. */
const positive = {
  "~standard": {
    version: 1 as const,
    vendor: "test",
    validate: (value: unknown) =>
      typeof (value as { n?: unknown })?.n === "number" && (value as { n: number }).n > 0
        ? { value: { n: (value as { n: number }).n, checked: true } }
        : { issues: [{ message: "must be positive", path: ["n"] }] },
  },
};

const unencodable: readonly (readonly [string, () => unknown])[] = [
  [
    "circular",
    () => {
      const value: Record<string, unknown> = {};
      value["self"] = value;
      return value;
    },
  ],
  ["a BigInt", () => 1n],
  [
    "an object whose getter throws",
    () => ({
      get broken() {
        throw new Error("secret");
      },
    }),
  ],
];

const file = Buffer.from("a file");

/** What encodes, and what the decoder at the other end refuses. */
export const undecodable: readonly (readonly [string, () => unknown])[] = [
  ["a Blob", () => new Blob(["x"])],
  ["eleven attachments", () => Array.from({ length: 11 }, () => file)],
  ["a forged placeholder", () => ({ file, note: { _placeholder: true, num: 7 } })],
  ["a placeholder that names the attachment of another", () => ({ file, note: { _placeholder: true, num: 0 } })],
  ["a Blob, deep inside", () => ({ list: [{ photo: [new Blob(["x"])] }] })],
  ["a Blob behind toJSON", () => ({ photo: { toJSON: () => ({ blob: new Blob(["x"]) }) } })],
  ["a forged placeholder behind toJSON", () => [file, { toJSON: () => ({ _placeholder: true, num: "x" }) }]],
];

const internal = { error: { code: "INTERNAL", message: expect.any(String) } };

/** Promises 9 to 17: one reply, which one, and what keeps an event from running. */
export function replyBehaviour({ start }: Environment, test: Register): void {
  for (const value of [null, false, 0, "", [], {}]) {
    test(`${JSON.stringify(value)} is a value like any other`, async () => {
      await using running = await start();
      const ingress = new SocketIngress({ logger: recordingLog() }).attach(running.io);
      ingress.subscribe("go", () => "first");
      ingress.subscribe("go", () => value);
      ingress.subscribe("go", () => undefined);
      const peer = await running.connect();
      expect(await peer.call("go")).toEqual(value);
    });
  }

  test("the reply is the last value, or with reply: first the first, sent as soon as there is one", async () => {
    await using running = await start();
    const gate = deferred();
    const last = new SocketIngress({ logger: recordingLog() }).attach(running.io);
    last.subscribe("last", () => "a");
    last.subscribe("last", () => "b");
    const peer = await running.connect();
    expect(await peer.call("last")).toBe("b");
    await last.detach();
    const first = new SocketIngress({ logger: recordingLog(), reply: "first" }).attach(running.io);
    first.subscribe("first", () => "a");
    first.subscribe("first", async () => {
      await gate.promise;
      return "b";
    });
    expect(await peer.call("first")).toBe("a");
    gate.resolve();
  });

  test("when nobody returns a value the caller is answered all the same", async () => {
    await using running = await start();
    const ingress = new SocketIngress({ logger: recordingLog() }).attach(running.io);
    ingress.subscribe("go", () => {});
    ingress.subscribe("later", async () => {});
    const peer = await running.connect();
    expect(await peer.call("go")).toBeUndefined();
    expect(await peer.call("later")).toBeUndefined();
  });

  test("a value beats a failure, and the first failure the later ones", async () => {
    await using running = await start();
    const ingress = new SocketIngress({ logger: recordingLog() }).attach(running.io);
    const fail = (code: string) => () => {
      throw new EventError(code, code.toLowerCase());
    };
    ingress.subscribe("failures", fail("ONE"));
    ingress.subscribe("failures", fail("TWO"));
    ingress.subscribe("value", fail("ONE"));
    ingress.subscribe("value", () => "value");
    const peer = await running.connect();
    expect(await peer.call("failures")).toEqual({ error: { code: "ONE", message: "one" } });
    expect(await peer.call("value")).toBe("value");
  });

  test("an error meant for the caller is sent as it was written", async () => {
    await using running = await start();
    const ingress = new SocketIngress({ logger: recordingLog() }).attach(running.io);
    ingress.subscribe("go", () => {
      throw new EventError("ROOM_FULL", "no seat left", {
        details: { seats: 4 },
        retryAfterMs: 500,
        cause: new Error("secret"),
      });
    });
    const peer = await running.connect();
    expect(await peer.call("go")).toEqual({
      error: { code: "ROOM_FULL", message: "no seat left", details: { seats: 4, retryAfterMs: 500 } },
    });
  });

  test("any other error is INTERNAL, and nothing of it leaves the server", async () => {
    await using running = await start();
    const ingress = new SocketIngress({ logger: recordingLog() }).attach(running.io);
    ingress.subscribe("go", () => {
      throw Object.assign(new Error("the password is 1234"), { code: "EPASSWORD", details: { path: "/etc" } });
    });
    const peer = await running.connect();
    const reply = await peer.call("go");
    expect(reply).toEqual(internal);
    expect(JSON.stringify(reply)).not.toMatch(/1234|EPASSWORD|etc|stack/);
  });

  for (const [what, value] of unencodable) {
    test(`a result that is ${what}, and can't be encoded, is answered INTERNAL`, async () => {
      await using running = await start();
      const ingress = new SocketIngress({ logger: recordingLog() }).attach(running.io);
      ingress.subscribe("go", value);
      ingress.subscribe("later", async () => value());
      const peer = await running.connect();
      expect(await peer.call("go")).toEqual(internal);
      expect(await peer.call("later")).toEqual(internal);
    });
  }

  for (const [what, value] of undecodable) {
    test(`a result that is ${what}, and can't be decoded, is answered INTERNAL and logged, and the connection lives`, async () => {
      await using running = await start();
      const log = recordingLog();
      const ingress = new SocketIngress({ logger: log }).attach(running.io);
      ingress.subscribe("go", value);
      ingress.subscribe("later", async () => value());
      ingress.subscribe("byHand", (context) => void context.reply(value()));
      ingress.subscribe("errorFirst", value, { callback: "errorFirst" });
      ingress.subscribe("details", () => {
        throw new EventError("NO", "no", { details: { of: value() } });
      });
      const peer = await running.connect();
      for (const event of ["go", "later", "byHand", "errorFirst"]) expect(await peer.call(event)).toEqual(internal);
      expect(await peer.call("details")).toEqual({ error: { code: "NO", message: "no" } });
      expect(log.lines.filter(({ level }) => level === "error").map(({ fields }) => fields["event"])).toEqual([
        "go",
        "later",
        "byHand",
        "errorFirst",
        "details",
      ]);
      expect(peer.connected).toBe(true);
    });
  }

  test("what only looks like it can't be decoded is sent as it is", async () => {
    await using running = await start();
    const ingress = new SocketIngress({ logger: recordingLog() }).attach(running.io);
    const ten = Array.from({ length: 10 }, () => file);
    ingress.subscribe("ten", () => ten);
    ingress.subscribe("text", () => ({ note: { _placeholder: true, num: 7 } }));
    const peer = await running.connect();
    expect(await peer.call("ten")).toEqual(ten);
    expect(await peer.call("text")).toEqual({ note: { _placeholder: true, num: 7 } });
  });

  for (const successor of [undefined, "new"]) {
    test(`an event in asynchronous middleware while its last subscriber goes is answered ${successor ?? "UNKNOWN_EVENT"}`, async () => {
      await using running = await start();
      const [gate, arrived] = [deferred(), deferred()];
      running.io.on("connection", (socket) => {
        socket.use(([event], next) => {
          if (event !== "kept") return next();
          arrived.resolve();
          void gate.promise.then(() => next());
        });
      });
      const ingress = new SocketIngress({ logger: recordingLog() }).attach(running.io);
      const off = ingress.subscribe("kept", () => "old");
      const peer = await running.connect();
      const reply = peer.call("kept");
      await arrived.promise;
      off();
      await new Promise((resolve) => setImmediate(resolve));
      if (successor !== undefined) ingress.subscribe("kept", () => successor);
      gate.resolve();
      const unknown = { error: { code: "UNKNOWN_EVENT", message: expect.any(String) as unknown } };
      expect(await reply).toEqual(successor ?? unknown);
    });
  }

  test("events that wait for lanes count against maxPending, whatever their keys, and dropPending reaches them", async () => {
    await using running = await start();
    const ingress = new SocketIngress({ logger: recordingLog(), maxInFlight: 3, maxPending: 4 }).attach(running.io);
    const gate = deferred();
    ingress.subscribe("go", () => gate.promise, { concurrency: 1, key: (_context, key: string) => key });
    const peer = await running.connect();
    const answers: unknown[] = [];
    const codes = (): unknown[] =>
      answers.map((answer) => (answer as { error?: { code: string } } | undefined)?.error?.code);
    for (let n = 0; n < 9; n++) void peer.call("go", String(n % 3)).then((answer) => answers.push(answer));
    await peer.settle();
    expect(codes()).toEqual(["OVERLOADED", "OVERLOADED"]);
    expect(ingress.dropPending(peer.server, new EventError("GONE", "gone"))).toBe(4);
    await peer.settle();
    expect(codes().slice(2)).toEqual(["GONE", "GONE", "GONE", "GONE"]);
    gate.resolve();
    await expect.poll(() => answers.length).toBe(9);
  });

  test("a caller answered twice by hand hears once", async () => {
    await using running = await start();
    const ingress = new SocketIngress({ logger: recordingLog() }).attach(running.io);
    const answers: boolean[] = [];
    ingress.subscribe("go", (context) => {
      answers.push(context.reply("one"), context.reply("two"));
      return "three";
    });
    const peer = await running.connect();
    let heard = 0;
    peer.emit("go", () => heard++);
    expect(await peer.call("go")).toBe("one");
    expect(heard).toBe(1);
    expect(answers).toEqual([true, false, true, false]);
    expect(ingress.counters.secondReplies).toBe(2);
  });

  test("an unknown event is answered UNKNOWN_EVENT", async () => {
    await using running = await start();
    new SocketIngress({ logger: recordingLog() }).attach(running.io);
    const peer = await running.connect();
    expect(await peer.call("nowhere", 1, 2)).toMatchObject({ error: { code: "UNKNOWN_EVENT" } });
  });

  test("a subscriber that never settles is answered TIMEOUT, its signal aborts and the others run", async () => {
    await using running = await start();
    const ingress = new SocketIngress({ logger: recordingLog() }).attach(running.io);
    let aborted = false;
    let ran = false;
    ingress.subscribe(
      "go",
      ({ signal }) => {
        signal.addEventListener("abort", () => (aborted = true));
        return new Promise<never>(() => {});
      },
      { timeoutMs: 10 },
    );
    ingress.subscribe("go", () => void (ran = true));
    const peer = await running.connect();
    expect(await peer.call("go")).toMatchObject({ error: { code: "TIMEOUT" } });
    expect([aborted, ran]).toEqual([true, true]);
  });

  test("invalid input is answered with its issues and never reaches the subscriber; valid input arrives as parsed", async () => {
    await using running = await start();
    const ingress = new SocketIngress({ logger: recordingLog() }).attach(running.io);
    const seen: unknown[] = [];
    ingress.subscribe("go", (_context, value) => void seen.push(value), { input: positive });
    const peer = await running.connect();
    expect(await peer.call("go", { n: -1 })).toEqual({
      error: {
        code: "INVALID_INPUT",
        message: expect.any(String),
        details: { issues: [{ path: ["n"], message: "must be positive" }] },
      },
    });
    expect(await peer.call("go")).toMatchObject({ error: { code: "INVALID_INPUT" } });
    await peer.call("go", { n: 1, more: "dropped" });
    expect(seen).toEqual([{ n: 1, checked: true }]);
  });

  test("binary data goes in and comes out as it was", async () => {
    await using running = await start();
    const ingress = new SocketIngress({ logger: recordingLog() }).attach(running.io);
    ingress.subscribe("go", (_context, { data }: { data: Buffer }) => ({ buffer: Buffer.isBuffer(data), data }));
    const peer = await running.connect();
    const reply = (await peer.call("go", { data: Buffer.from([1, 2, 255]) })) as { buffer: boolean; data: Uint8Array };
    expect(reply.buffer).toBe(true);
    expect(Buffer.from(reply.data)).toEqual(Buffer.from([1, 2, 255]));
    expect(Buffer.isBuffer(reply.data)).toBe(true);
  });

  test("values that JSON does not know arrive as JSON writes them", async () => {
    await using running = await start();
    const ingress = new SocketIngress({ logger: recordingLog() }).attach(running.io);
    let seen: unknown;
    ingress.subscribe("go", (_context, value) => {
      seen = value;
      return { at: new Date(0), gone: undefined, nan: Number.NaN, map: new Map([[1, 2]]) };
    });
    const peer = await running.connect();
    expect(await peer.call("go", { at: new Date(0), gone: undefined, list: [undefined] })).toStrictEqual({
      at: "1970-01-01T00:00:00.000Z",
      nan: null,
      map: {},
    });
    expect(seen).toStrictEqual({ at: "1970-01-01T00:00:00.000Z", list: [null] });
  });

  test("every error reaches the error subscribers once, with where it happened", async () => {
    await using running = await start();
    const ingress = new SocketIngress({ logger: recordingLog() }).attach(running.io);
    const told: unknown[] = [];
    const boom = new Error("boom");
    ingress.subscribeErrorDefault((error, { event, namespace, socketId, args, code }) =>
      told.push({ error, event, namespace, socketId, args, code }),
    );
    ingress.subscribe("go", () => {
      throw boom;
    });
    const peer = await running.connect();
    await peer.call("go", 1, "two");
    expect(told).toEqual([
      { error: boom, event: "go", namespace: "/", socketId: peer.id, args: [1, "two"], code: "INTERNAL" },
    ]);
  });

  test("concurrency 1 keeps arrival order", async () => {
    await using running = await start();
    const ingress = new SocketIngress({ logger: recordingLog() }).attach(running.io);
    const gate = deferred();
    const order: string[] = [];
    ingress.subscribe(
      "go",
      async (_context, n: number) => {
        order.push(`${n} starts`);
        if (n === 1) await gate.promise;
        order.push(`${n} ends`);
      },
      { concurrency: 1 },
    );
    const peer = await running.connect();
    const replies = [peer.call("go", 1), peer.call("go", 2)];
    await peer.settle();
    expect(order).toEqual(["1 starts"]);
    gate.resolve();
    await Promise.all(replies);
    expect(order).toEqual(["1 starts", "1 ends", "2 starts", "2 ends"]);
  });

  test("beyond what may run and wait, an event is answered OVERLOADED", async () => {
    await using running = await start();
    const ingress = new SocketIngress({ logger: recordingLog(), maxInFlight: 1, maxPending: 1 }).attach(running.io);
    const gate = deferred();
    ingress.subscribe("go", async (_context, n: number) => {
      await gate.promise;
      return n;
    });
    const peer = await running.connect();
    const [one, two, three] = [peer.call("go", 1), peer.call("go", 2), peer.call("go", 3)];
    expect(await three).toMatchObject({ error: { code: "OVERLOADED" } });
    gate.resolve();
    expect([await one, await two]).toEqual([1, 2]);
  });

  test("a drain answers new events SHUTTING_DOWN, refuses new connections and delivers what was under way", async () => {
    await using running = await start();
    const ingress = new SocketIngress({ logger: recordingLog() }).attach(running.io);
    const gate = deferred();
    ingress.subscribe("slow", async () => {
      await gate.promise;
      return "done";
    });
    ingress.subscribe("quick", () => "quick");
    const peer = await running.connect();
    const slow = peer.call("slow");
    await peer.settle();
    const drained = ingress.drain({ graceMs: 60_000 });
    expect(await peer.call("quick")).toMatchObject({ error: { code: "SHUTTING_DOWN" } });
    await expect(running.connect()).rejects.toMatchObject({ data: { code: "SHUTTING_DOWN" } });
    gate.resolve();
    expect(await slow).toBe("done");
    expect(await drained).toEqual({ cut: [] });
  });
}
