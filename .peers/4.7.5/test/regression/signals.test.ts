import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it, vi } from "vitest";
import { type DispatchInit, type EventContext, SocketIngress } from "socket-ingress";
import { deferred } from "../fixtures/deferred.js";
import { codeOf, serveIngress } from "../fixtures/ingress.js";
import { recordingLog } from "../fixtures/recording-log.js";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

describe("the signal of a `connection` subscriber", () => {
  it("aborts at the latest when the ingress leaves the server, though the socket stays", async () => {
    await using app = await serveIngress();
    const read = deferred<AbortSignal>();
    app.ingress.subscribe("connection", ({ signal }) => read.resolve(signal));
    const client = await app.connect();
    const signal = await read.promise;
    await app.ingress.drain();
    await app.ingress.detach();
    expect(signal.aborted).toBe(true);
    expect(client.connected).toBe(true);
  });

  it("aborts when the ingress leaves the server without a shutdown, too", async () => {
    await using app = await serveIngress();
    const read = deferred<AbortSignal>();
    app.ingress.subscribe("connection", ({ signal }) => read.resolve(signal));
    await app.connect();
    const signal = await read.promise;
    expect(signal.aborted).toBe(false);
    await app.ingress.detach();
    expect(signal.aborted).toBe(true);
  });

  it("aborts when the socket goes while the ingress stays", async () => {
    await using app = await serveIngress();
    const read = deferred<AbortSignal>();
    app.ingress.subscribe("connection", ({ signal }) => read.resolve(signal));
    const client = await app.connect();
    const signal = await read.promise;
    expect(signal.aborted).toBe(false);
    client.disconnect();
    await vi.waitFor(() => expect(signal.aborted).toBe(true));
  });
});

describe("a signal that is first read after its event is over", () => {
  it("is not kept for as long as the socket lives", async () => {
    await using app = await serveIngress();
    const kept: EventContext[] = [];
    app.ingress.subscribe("x", (context) => void kept.push(context));
    const client = await app.connect();
    for (let i = 0; i < 50; i++) await client.emitWithAck("x");
    const signals = kept.splice(0).map((context) => new WeakRef(context.signal));
    expect(signals).toHaveLength(50);
    await vi.waitFor(() => {
      collect();
      expect(signals.filter((signal) => signal.deref() !== undefined)).toEqual([]);
    });
    expect(client.connected).toBe(true);
  });

  it("is not kept for ever if its event was dispatched without a socket", async () => {
    const ingress = new SocketIngress({ logger: recordingLog() });
    const kept: EventContext[] = [];
    ingress.subscribe("x", (context) => void kept.push(context));
    for (let i = 0; i < 50; i++) await ingress.dispatch("x");
    const signals = kept.splice(0).map((context) => new WeakRef(context.signal));
    await vi.waitFor(() => {
      collect();
      expect(signals.filter((signal) => signal.deref() !== undefined)).toEqual([]);
    });
  });
});

describe("an event that is dispatched by hand", () => {
  it("has a signal that is not aborted when its socket does not say whether it is connected", async () => {
    const ingress = new SocketIngress({ logger: recordingLog() });
    ingress.subscribe("x", ({ signal }) => signal.aborted);
    // As much of a socket as a test of one's own may bring.
    expect(await ingress.dispatch("x", { socket: { id: "s" } } as unknown as DispatchInit)).toBe(false);
  });

  it("takes no init for an empty one", async () => {
    const ingress = new SocketIngress({ logger: recordingLog() });
    ingress.subscribe("x", (_context, value: unknown) => value);
    expect(await ingress.dispatch("x", null, 1)).toBe(1);
    expect(await ingress.dispatch("x", undefined, 2)).toBe(2);
  });

  it("that nobody ever listened to is not said to have lost its listeners", async () => {
    const ingress = new SocketIngress({ logger: recordingLog() });
    expect(await ingress.dispatch("", {})).toEqual({
      error: { code: "UNKNOWN_EVENT", message: "nobody listens to this event" },
    });
  });

  it("is refused during a shutdown, also with the context of a synchronous event that is over", async () => {
    await using app = await serveIngress();
    let kept: EventContext | undefined;
    app.ingress.subscribe("x", (context) => {
      kept = context;
    });
    let ran = 0;
    app.ingress.subscribe("y", () => ++ran);
    await (await app.connect()).emitWithAck("x");
    await app.ingress.drain();
    expect(codeOf(await app.ingress.dispatch("y", kept))).toBe("SHUTTING_DOWN");
    expect(codeOf(await app.ingress.dispatch("y", {}))).toBe("SHUTTING_DOWN");
    expect(ran).toBe(0);
  });

  it("with the context of a synchronous event that is over waits for a place like any other", async () => {
    await using app = await serveIngress({ maxInFlight: 1 });
    const gate = deferred();
    let kept: EventContext | undefined;
    let started = false;
    app.ingress.subscribe("x", (context) => {
      kept = context;
    });
    app.ingress.subscribe("slow", () => {
      started = true;
      return gate.promise;
    });
    let ran = 0;
    app.ingress.subscribe("y", () => ++ran);
    const client = await app.connect();
    await client.emitWithAck("x");
    const slow = client.emitWithAck("slow");
    await vi.waitFor(() => expect(started).toBe(true));
    const reply = app.ingress.dispatch("y", kept);
    expect(ran).toBe(0);
    gate.resolve();
    expect(await reply).toBe(1);
    await slow;
  });
});
