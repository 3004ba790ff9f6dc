import { describe, expect, it, vi } from "vitest";
import { deferred } from "../fixtures/deferred.js";
import type { SocketIngressOptions } from "socket-ingress";
import { codeOf, serveIngress } from "../fixtures/ingress.js";

// Socket.IO runs its catch-alls at once and the listeners of an event a tick later, or much later behind asynchronous middleware:
// the subscribers may have changed in between.

describe("an event that is on its way while the last subscriber of its name goes", () => {
  it("is answered UNKNOWN_EVENT when nobody is left, as with a subscriber that serves one event only", async () => {
    await using app = await serveIngress();
    const off = app.ingress.subscribe("once", () => {
      off();
      return "first";
    });
    const client = await app.connect({ ackTimeout: 20_000 });
    const replies = await Promise.all([client.emitWithAck("once"), client.emitWithAck("once")]);
    expect(replies.map(codeOf)).toEqual(["first", "UNKNOWN_EVENT"]);
  });

  it("is answered by the subscriber that the first of the same turn put in its place", async () => {
    await using app = await serveIngress();
    const off = app.ingress.subscribe("x", () => {
      off();
      app.ingress.subscribe("x", () => "new");
      return "old";
    });
    const client = await app.connect({ ackTimeout: 20_000 });
    const replies = await Promise.all([1, 2, 3].map(() => client.emitWithAck("x")));
    expect(replies).toEqual(["old", "new", "new"]);
  });

  it("is answered by the new subscriber if the old one was replaced while asynchronous middleware had the event", async () => {
    await using app = await serveIngress();
    const gate = deferred();
    const held: unknown[] = [];
    app.io.on("connection", (socket) => {
      socket.use(([event], next) => {
        held.push(event);
        void gate.promise.then(() => next());
      });
    });
    const off = app.ingress.subscribe("x", () => "old");
    const client = await app.connect({ ackTimeout: 20_000 });
    const reply = client.emitWithAck("x");
    await vi.waitFor(() => expect(held).toEqual(["x"]));
    off();
    app.ingress.subscribe("x", () => "new");
    gate.resolve();
    expect(await reply).toBe("new");
  });
});

/** Keeps each event named `x` in asynchronous middleware until `gate` opens. */
async function serveBehindMiddleware(options: SocketIngressOptions = {}) {
  const app = await serveIngress(options);
  const gate = deferred();
  const held: string[] = [];
  app.io.on("connection", (socket) => {
    socket.use(([event], next) => {
      if (event !== "x") return next();
      held.push(event);
      void gate.promise.then(() => next());
    });
  });
  return Object.assign(app, { gate, held });
}

/** More than the ticks in which an event that nothing holds reaches its listeners. */
const ticks = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

describe("an event that asynchronous middleware has while the last subscriber of its name goes", () => {
  it("is answered UNKNOWN_EVENT when it is let through, and then no listener of ours stays", async () => {
    await using app = await serveBehindMiddleware();
    const off = app.ingress.subscribe("x", () => "old");
    const [client, other] = [await app.connect({ ackTimeout: 20_000 }), await app.connect({ ackTimeout: 20_000 })];
    const replies = [client.emitWithAck("x", 1), client.emitWithAck("x", 2, 3), client.emitWithAck("x")];
    await vi.waitFor(() => expect(app.held).toHaveLength(3));
    const late = other.emitWithAck("x");
    await vi.waitFor(() => expect(app.held).toHaveLength(4));
    off();
    await ticks();
    app.gate.resolve();
    expect((await Promise.all([...replies, late])).map(codeOf)).toEqual(Array(4).fill("UNKNOWN_EVENT"));
    for (const one of [client, other]) expect(app.serverSide(one).listenerCount("x")).toBe(0);
  });

  it("is run by whoever subscribed meanwhile, with and without an acknowledgement", async () => {
    await using app = await serveBehindMiddleware();
    const off = app.ingress.subscribe("x", () => "old");
    const client = await app.connect({ ackTimeout: 20_000 });
    const reply = client.emitWithAck("x", "acknowledged");
    client.emit("x", "silent");
    await vi.waitFor(() => expect(app.held).toHaveLength(2));
    off();
    await ticks();
    const ran: unknown[] = [];
    app.ingress.subscribe("x", (_context, how: string) => {
      ran.push(how);
      return "new";
    });
    app.gate.resolve();
    expect(await reply).toBe("new");
    await client.emitWithAck("a round trip");
    expect(ran).toEqual(["acknowledged", "silent"]);
    // Once, also where the socket has got the new dispatcher.
    expect(await client.emitWithAck("x", "again")).toBe("new");
    expect(ran).toEqual(["acknowledged", "silent", "again"]);
    expect(app.serverSide(client).listenerCount("x")).toBe(1);
  });

  it("is run by whoever subscribed meanwhile if nobody had subscribed before", async () => {
    await using app = await serveBehindMiddleware();
    const client = await app.connect({ ackTimeout: 20_000 });
    const reply = client.emitWithAck("x");
    await vi.waitFor(() => expect(app.held).toEqual(["x"]));
    app.ingress.subscribe("x", () => "new");
    app.gate.resolve();
    expect(await reply).toBe("new");
  });

  it("is left to a listener of the application's own", async () => {
    await using app = await serveBehindMiddleware();
    app.io.on("connection", (socket) => void socket.on("x", (reply: (value: string) => void) => reply("own")));
    const off = app.ingress.subscribe("x", () => undefined);
    const client = await app.connect({ ackTimeout: 20_000 });
    const reply = client.emitWithAck("x");
    await vi.waitFor(() => expect(app.held).toEqual(["x"]));
    off();
    await ticks();
    app.gate.resolve();
    expect(await reply).toBe("own");
  });

  it("is answered UNKNOWN_EVENT at once when the ingress is detached, and no listener of ours stays", async () => {
    await using app = await serveBehindMiddleware();
    app.ingress.subscribe("x", () => "old");
    const client = await app.connect({ ackTimeout: 20_000 });
    const reply = client.emitWithAck("x");
    await vi.waitFor(() => expect(app.held).toEqual(["x"]));
    await app.ingress.detach();
    expect(codeOf(await reply)).toBe("UNKNOWN_EVENT");
    const socket = app.serverSide(client);
    expect([socket.listenerCount("x"), socket.listenersAny().length]).toEqual([0, 0]);
    app.gate.resolve();
    await client
      .timeout(2_000)
      .emitWithAck("x")
      .catch(() => undefined);
  });

  it("is kept in mind for the socket that sent it alone, and bounded: 1,000 of a name", async () => {
    await using app = await serveBehindMiddleware();
    const off = app.ingress.subscribe("x", () => "old");
    const [client, other] = [await app.connect({ ackTimeout: 20_000 }), await app.connect()];
    other.emit("x");
    await vi.waitFor(() => expect(app.held).toHaveLength(1));
    const answers: unknown[] = [];
    for (let n = 0; n < 1_100; n++) client.emit("x", (_error: unknown, reply: unknown) => answers.push(codeOf(reply)));
    await vi.waitFor(() => expect(app.held).toHaveLength(1_101));
    other.disconnect();
    off();
    await ticks();
    expect(app.serverSide(client).listenerCount("x")).toBe(1);
    app.gate.resolve();
    await vi.waitFor(() => expect(answers).toHaveLength(1_100));
    expect(new Set(answers)).toEqual(new Set(["UNKNOWN_EVENT"]));
  });
});

describe("an event that waits while its subscriber is replaced", () => {
  it("is run by the new one when its `connection` subscribers are done", async () => {
    await using app = await serveIngress();
    const gate = deferred();
    app.ingress.subscribe("connection", () => gate.promise);
    const off = app.ingress.subscribe("x", () => "old");
    const client = await app.connect({ ackTimeout: 20_000 });
    const reply = client.emitWithAck("x");
    await client.emitWithAck("a round trip");
    off();
    app.ingress.subscribe("x", () => "new");
    gate.resolve();
    expect(await reply).toBe("new");
  });

  it("is run by the new one when a place among the running events is free", async () => {
    await using app = await serveIngress({ maxInFlight: 1 });
    const gate = deferred();
    app.ingress.subscribe("slow", () => gate.promise);
    const off = app.ingress.subscribe("x", () => "old");
    const client = await app.connect({ ackTimeout: 20_000 });
    const slow = client.emitWithAck("slow");
    const reply = client.emitWithAck("x");
    await client.emitWithAck("a round trip");
    off();
    app.ingress.subscribe("x", () => "new");
    gate.resolve();
    expect(await reply).toBe("new");
    await slow;
  });

  it("is answered UNKNOWN_EVENT if nobody took its place", async () => {
    await using app = await serveIngress();
    const gate = deferred();
    app.ingress.subscribe("connection", () => gate.promise);
    const off = app.ingress.subscribe("x", () => "old");
    const client = await app.connect({ ackTimeout: 20_000 });
    const reply = client.emitWithAck("x");
    await client.emitWithAck("a round trip");
    off();
    gate.resolve();
    expect(codeOf(await reply)).toBe("UNKNOWN_EVENT");
  });
});

it("an event whose last subscriber goes between its arrival and its turn is answered UNKNOWN_EVENT", async () => {
  await using app = await serveIngress();
  const off = app.ingress.subscribe("x", () => 1);
  app.io.on("connection", (socket) => {
    socket.use(([event], next) => {
      if (event === "x") off();
      next();
    });
  });
  const client = await app.connect();
  expect((await Promise.all([client.emitWithAck("x"), client.emitWithAck("x")])).map(codeOf)).toEqual([
    "UNKNOWN_EVENT",
    "UNKNOWN_EVENT",
  ]);
  await client.emitWithAck("a round trip");
  expect(app.serverSide(client).listenerCount("x")).toBe(0);
});
