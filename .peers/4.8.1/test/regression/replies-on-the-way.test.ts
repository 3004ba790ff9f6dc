import { describe, expect, it, vi } from "vitest";
import { deferred } from "../fixtures/deferred.js";
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
    const client = await app.connect({ ackTimeout: 2_000 });
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
    const client = await app.connect({ ackTimeout: 2_000 });
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
    const client = await app.connect({ ackTimeout: 2_000 });
    const reply = client.emitWithAck("x");
    await vi.waitFor(() => expect(held).toEqual(["x"]));
    off();
    app.ingress.subscribe("x", () => "new");
    gate.resolve();
    expect(await reply).toBe("new");
  });
});

describe("an event that waits while its subscriber is replaced", () => {
  it("is run by the new one when its `connection` subscribers are done", async () => {
    await using app = await serveIngress();
    const gate = deferred();
    app.ingress.subscribe("connection", () => gate.promise);
    const off = app.ingress.subscribe("x", () => "old");
    const client = await app.connect({ ackTimeout: 2_000 });
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
    const client = await app.connect({ ackTimeout: 2_000 });
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
    const client = await app.connect({ ackTimeout: 2_000 });
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
