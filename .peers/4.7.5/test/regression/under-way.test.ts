import { expect, it, vi } from "vitest";
import { type EventContext, Handler, SocketIngress } from "socket-ingress";
import { deferred } from "../fixtures/deferred.js";
import { codeOf, serveIngress } from "../fixtures/ingress.js";
import { recordingLog } from "../fixtures/recording-log.js";

it("an event that waits in the application's middleware while a handler is torn down and set up again is served", async () => {
  class Served extends Handler {
    readonly name = "served";
    readonly events = { x: () => "served" };
  }
  await using app = await serveIngress();
  const gate = deferred();
  const held = deferred();
  app.io.on("connection", (socket) => {
    socket.use((_event, next) => {
      held.resolve();
      void gate.promise.then(() => next());
    });
  });
  const handler = new Served();
  await handler.setup(app.io);
  const client = await app.connect();
  const reply = client.emitWithAck("x");
  await held.promise;
  const down = handler.teardown();
  const up = handler.setup(app.io);
  await Promise.all([down, up]);
  gate.resolve();
  expect(await reply).toBe("served");
});

it("lines that two handlers of one event log each name their own handler", async () => {
  class Talker extends Handler {
    readonly name: string;
    readonly events = { x: "talk" } as const;
    constructor(name: string) {
      super();
      this.name = name;
    }
    talk({ log }: EventContext) {
      log.info("sync");
    }
  }
  await using app = await serveIngress();
  await new Talker("one").setup(app.io);
  await new Talker("two").setup(app.io);
  await (await app.connect()).emitWithAck("x");
  expect(app.log.lines.map(({ fields }) => fields["handler"])).toEqual(["one", "two"]);
});

it("an ingress that leaves a server takes nothing from a second one that stays", async () => {
  await using app = await serveIngress();
  const second = new SocketIngress({ logger: recordingLog() }).attach(app.io);
  second.subscribe("x", () => "second");
  app.ingress.subscribe("y", () => "first");
  const client = await app.connect();
  const { conn } = app.serverSide(client);
  await Promise.all([client.emitWithAck("x"), client.emitWithAck("y")]);
  // Socket.IO listens to it as well.
  const guarded = (): number => conn.listenerCount("data") + app.io.engine.listenerCount("connection");
  const before = guarded();
  await app.ingress.detach();
  expect(conn.listenerCount("data")).toBeGreaterThan(1);
  expect(guarded()).toBeLessThanOrEqual(before);
  expect(await client.emitWithAck("x")).toBe("second");
  await second.detach();
  expect(conn.listenerCount("data")).toBe(1);
});

it("what an interceptor starts after its event timed out never reaches the method", async () => {
  await using app = await serveIngress();
  const gate = deferred();
  const later = deferred();
  const ran = vi.fn();
  app.ingress.subscribe("x", ran, {
    timeoutMs: 5,
    use: [
      async (_context, next) => {
        await gate.promise;
        await next().catch(() => undefined);
        later.resolve();
      },
    ],
  });
  const client = await app.connect();
  expect(codeOf(await client.emitWithAck("x"))).toBe("TIMEOUT");
  gate.resolve();
  await later.promise;
  expect(ran).not.toHaveBeenCalled();
});

it("events that were waiting when a shutdown ran out of time are in its report, too", async () => {
  await using app = await serveIngress({ maxInFlight: 1 });
  app.ingress.subscribe("x", () => new Promise(() => undefined));
  const client = await app.connect();
  const replies = Promise.all(["runs", "waits"].map((name) => client.emitWithAck("x", name)));
  await client.emitWithAck("a round trip");
  const { cut } = await app.ingress.drain({ graceMs: 1 });
  expect((await replies).map(codeOf)).toEqual(["SHUTTING_DOWN", "SHUTTING_DOWN"]);
  expect(cut.map(({ event, socketId }) => [event, socketId])).toEqual([
    ["x", client.id],
    ["x", client.id],
  ]);
});

it("a schema that never settles holds up nobody in its lane beyond its own time", async () => {
  await using app = await serveIngress();
  const input = {
    "~standard": {
      version: 1 as const,
      vendor: "test",
      validate: (value: unknown) =>
        value === "hangs" ? new Promise<never>(() => undefined) : Promise.resolve({ value }),
    },
  };
  const order: unknown[] = [];
  app.ingress.subscribe("x", async (_context, value: unknown) => order.push(value), {
    concurrency: 1,
    timeoutMs: 250,
    input,
  });
  const client = await app.connect();
  const hangs = client.emitWithAck("x", "hangs");
  expect(codeOf(await hangs)).toBe("TIMEOUT");
  expect(await client.emitWithAck("x", "next")).toBe(1);
  expect(order).toEqual(["next"]);
});

it("a timeout keeps what came before it: the value, the answer by hand, the first failure", async () => {
  await using app = await serveIngress();
  const hang = (): Promise<never> => new Promise(() => undefined);
  const late = { timeoutMs: 5, priority: 200 };
  app.ingress.subscribe("value", () => "a value");
  app.ingress.subscribe("by hand", (context) => void context.reply("by hand"));
  app.ingress.subscribe("failure", () => Promise.reject(new Error("the first failure")));
  for (const event of ["value", "by hand", "failure"]) {
    app.ingress.subscribe(event, hang, late);
    app.ingress.subscribe(event, () => undefined, { priority: 300 });
  }
  const client = await app.connect();
  const replies: unknown[] = [];
  for (const event of ["value", "by hand", "failure"]) {
    await new Promise<void>((resolve) => {
      client.emit(event, (reply: unknown) => {
        replies.push(codeOf(reply));
        resolve();
      });
    });
  }
  await client.emitWithAck("a round trip");
  expect(replies).toEqual(["a value", "by hand", "INTERNAL"]);
  expect(app.ingress.counters).toMatchObject({ secondReplies: 0 });
});

it("a connect subscriber that times out refuses, in a dynamic namespace as in the main one, and names it", async () => {
  await using app = await serveIngress();
  const told: unknown[] = [];
  app.ingress.subscribeErrorDefault((_error, { event, namespace, code }) => told.push([event, namespace, code]));
  app.ingress.subscribe("connect", () => new Promise<boolean>(() => undefined), {
    timeoutMs: 5,
    namespace: /^\/t-\d$/,
  });
  app.ingress.subscribe("connect", ({ namespace }) => void told.push(namespace), { namespace: /^\/t-\d$/ });
  await expect(app.connect({ namespace: "/t-1" })).rejects.toMatchObject({ data: { code: "TIMEOUT" } });
  expect(told).toEqual([["connect", "/t-1", "TIMEOUT"], "/t-1"]);
});

it("a dispatch from inside an event goes on in its place after one of its subscribers timed out", async () => {
  await using app = await serveIngress({ maxInFlight: 1 });
  app.ingress.subscribe("inner", () => new Promise(() => undefined), { timeoutMs: 5, priority: 1 });
  app.ingress.subscribe("inner", async () => "the second one");
  app.ingress.subscribe("outer", (context) => app.ingress.dispatch("inner", context));
  const client = await app.connect();
  expect(await client.emitWithAck("outer")).toBe("the second one");
});

it("a dispatch by hand stays in its namespace after one of its subscribers timed out", async () => {
  const ingress = new SocketIngress({ logger: recordingLog() });
  const namespace = "/room";
  ingress.subscribe("x", () => new Promise(() => undefined), { timeoutMs: 5, namespace });
  ingress.subscribe("x", (context) => context.namespace, { namespace });
  expect(await ingress.dispatch("x", { namespace })).toBe(namespace);
});

it("a disconnect that waits behind other events is told when a shutdown cuts these", async () => {
  await using app = await serveIngress({ maxInFlight: 1 });
  const told: unknown[] = [];
  const ran: unknown[] = [];
  app.ingress.subscribe("x", (_context, n: number) => {
    ran.push(n);
    return new Promise(() => undefined);
  });
  app.ingress.subscribe("disconnect", (_context, reason) => void told.push(reason));
  const client = await app.connect();
  const { promise: gone, resolve } = deferred();
  app.serverSide(client).on("disconnect", () => resolve());
  client.emit("x", 1);
  client.emit("x", 2);
  await client.emitWithAck("a round trip");
  client.disconnect();
  await gone;
  expect([ran, told]).toEqual([[1], []]);
  const { cut } = await app.ingress.drain({ graceMs: 1 });
  expect([ran, told]).toEqual([[1], ["client namespace disconnect"]]);
  expect(cut.map(({ event }) => event)).toEqual(["x", "x"]);
});

it("a caller that was answered before a timeout is not answered again after it, and the second try is counted", async () => {
  await using app = await serveIngress();
  const answered: boolean[] = [];
  app.ingress.subscribe(
    "x",
    (context) => {
      answered.push(context.reply("the first"));
      return new Promise(() => undefined);
    },
    { timeoutMs: 5 },
  );
  app.ingress.subscribe("x", (context) => void answered.push(context.reply("the second")));
  const done = new Promise<void>((resolve) => app.ingress.subscribe("x", () => resolve(), { priority: 200 }));
  const client = await app.connect();
  expect(await client.emitWithAck("x")).toBe("the first");
  await done;
  expect(answered).toEqual([true, false]);
  expect(app.ingress.counters.secondReplies).toBe(1);
});

it("a schema that needs itself to validate does so whatever number of arguments a client sends", async () => {
  class Word {
    readonly version = 1;
    readonly vendor = "test";
    readonly least = 2;
    validate(value: unknown) {
      return typeof value === "string" && value.length >= this.least
        ? { value }
        : { issues: [{ message: `at least ${this.least} characters` }] };
    }
  }
  await using app = await serveIngress();
  app.ingress.subscribe("say", (_context, word: string) => word, { input: { "~standard": new Word() } as never });
  const client = await app.connect();
  expect(await client.emitWithAck("say", "hi")).toBe("hi");
  expect(await client.emitWithAck("say", "hi", "there")).toBe("hi");
  expect(codeOf(await client.emitWithAck("say"))).toBe("INVALID_INPUT");
});
