import { afterEach, describe, expect, it, vi } from "vitest";
import { SocketIngress } from "socket-ingress";
import { fakeServer } from "socket-ingress/testing";
import { deferred } from "../fixtures/deferred.js";
import { codeOf, serveIngress } from "../fixtures/ingress.js";
import { recordingLog } from "../fixtures/recording-log.js";

type Answer = (value: unknown) => void;

afterEach(() => void vi.useRealTimers());

describe("an event that nobody but a catch-all of the application's own hears", () => {
  it("is answered by the catch-all, whenever it answers within the time limit, and not overtaken by UNKNOWN_EVENT", async () => {
    await using app = await serveIngress();
    const gate = deferred();
    app.io.on("connection", (socket) => {
      socket.onAny((_event, ...args: unknown[]) => void gate.promise.then(() => (args.at(-1) as Answer)("app")));
    });
    app.ingress.subscribe("known", () => "known");
    const client = await app.connect();
    const late = client.emitWithAck("late");
    expect(await client.emitWithAck("known")).toBe("known");
    gate.resolve();
    expect(await late).toBe("app");
    expect(app.ingress.counters.unknownEvents).toBe(0);
  });

  it.for([
    ["without middleware", false],
    ["behind middleware", true],
  ] as const)("is answered by one that asks the socket who listens, %s", async ([, behind]) => {
    await using app = await serveIngress({ timeoutMs: Infinity });
    app.io.on("connection", (socket) => {
      if (behind) socket.use((_event, next) => void setImmediate(next));
      socket.onAny((event: string, ...args: unknown[]) => {
        if (socket.listenerCount(event) > 0 || socket.eventNames().includes(event)) return;
        (args.at(-1) as Answer)(`no ${event} here`);
      });
    });
    app.ingress.subscribe("known", () => "known");
    const client = await app.connect();
    const events = ["nobody", "known", "nobody else"];
    expect(await Promise.all(events.map((event) => client.emitWithAck(event)))).toEqual([
      "no nobody here",
      "known",
      "no nobody else here",
    ]);
    expect(await client.emitWithAck("nobody")).toBe("no nobody here");
    expect(app.ingress.counters.unknownEvents).toBe(0);
  });

  it("is answered UNKNOWN_EVENT once the time limit is over, exactly once, and leaves nothing behind", async () => {
    await using app = await serveIngress({ timeoutMs: 40 });
    app.io.on("connection", (socket) => void socket.onAny(() => undefined));
    const client = await app.connect();
    expect(codeOf(await client.emitWithAck("nobody"))).toBe("UNKNOWN_EVENT");
    expect(codeOf(await client.emitWithAck("nobody"))).toBe("UNKNOWN_EVENT");
    expect(app.ingress.counters.unknownEvents).toBe(2);
    expect(app.serverSide(client).listenerCount("disconnect")).toBe(0);
    expect(app.serverSide(client).listenerCount("nobody")).toBe(0);
  });

  it("is at once answered UNKNOWN_EVENT on a socket that has none", async () => {
    await using app = await serveIngress({ timeoutMs: Infinity });
    let first = true;
    app.io.on("connection", (socket) => {
      if (first) socket.prependAny(() => undefined);
      first = false;
    });
    await app.connect();
    const other = await app.connect();
    expect(codeOf(await other.emitWithAck("nobody"))).toBe("UNKNOWN_EVENT");
  });

  it("is held, too, where the catch-all took itself off meanwhile", async () => {
    await using app = await serveIngress();
    app.io.on("connection", (socket) => {
      const once = (_event: string, ...args: unknown[]): void => {
        socket.offAny(once);
        setImmediate(() => (args.at(-1) as Answer)("app"));
      };
      socket.onAny(once);
    });
    const client = await app.connect();
    expect(await client.emitWithAck("late")).toBe("app");
    expect(codeOf(await client.emitWithAck("late"))).toBe("UNKNOWN_EVENT");
  });

  it("is answered SHUTTING_DOWN when a shutdown is over, and is waited for by none", async () => {
    await using app = await serveIngress();
    app.io.on("connection", (socket) => void socket.onAny(() => undefined));
    const client = await app.connect();
    const reply = client.emitWithAck("nobody");
    await vi.waitFor(() => expect(app.serverSide(client).listenerCount("disconnect")).toBe(1));
    await app.ingress.drain({ graceMs: 60_000 });
    expect(codeOf(await reply)).toBe("SHUTTING_DOWN");
  });

  it("is answered when the ingress leaves the server", async () => {
    await using app = await serveIngress();
    app.io.on("connection", (socket) => void socket.onAny(() => undefined));
    const client = await app.connect();
    const reply = client.emitWithAck("nobody");
    await vi.waitFor(() => expect(app.serverSide(client).listenerCount("disconnect")).toBe(1));
    await app.ingress.detach();
    expect(codeOf(await reply)).toBe("UNKNOWN_EVENT");
    expect(app.serverSide(client).listenerCount("disconnect")).toBe(0);
  });

  it("does not count two ingresses of one server as the application", async () => {
    await using app = await serveIngress({ timeoutMs: Infinity });
    const second = new SocketIngress({ logger: recordingLog(), timeoutMs: Infinity }).attach(app.io);
    const client = await app.connect();
    expect(codeOf(await client.emitWithAck("nobody"))).toBe("UNKNOWN_EVENT");
    await second.detach();
  });

  it("is kept in bounds: of more than a thousand of one connection the oldest is answered", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
    await using io = fakeServer();
    const ingress = new SocketIngress({ logger: recordingLog() }).attach(io);
    io.on("connection", (socket) => void socket.onAny(() => undefined));
    const client = await io.connect();
    const heard: unknown[] = [];
    for (let i = 0; i < 1_002; i++) client.emit(`event-${i % 3}`, (reply: unknown) => void heard.push(codeOf(reply)));
    await vi.waitFor(() => expect(heard).toEqual(["UNKNOWN_EVENT", "UNKNOWN_EVENT"]));
    // One that has left is forgotten with all it waited for.
    await client.disconnect();
    await vi.advanceTimersByTimeAsync(31_000);
    expect(ingress.counters.unknownEvents).toBe(2);
    expect(vi.getTimerCount()).toBe(0);
    await ingress.detach();
  });
});
