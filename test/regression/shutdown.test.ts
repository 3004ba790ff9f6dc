import { describe, expect, it } from "vitest";
import { type EventContext, type EventMap, Handler, ServiceManager, SocketIngress } from "socket-ingress";
import { deferred } from "../fixtures/deferred.js";
import { codeOf, serveIngress } from "../fixtures/ingress.js";
import { recordingLog } from "../fixtures/recording-log.js";
import { type ConnectError, serve } from "../fixtures/serve.js";

/** Never settles. */
const never = (): Promise<never> => new Promise<never>(() => undefined);

describe("a drain", () => {
  it("is over when the ingress is attached again, to the server that it never left", async () => {
    await using app = await serveIngress();
    app.ingress.subscribe("x", () => "x");
    await app.ingress.drain();
    expect(app.ingress.draining).toBe(true);
    app.ingress.attach(app.io);
    expect(app.ingress.draining).toBe(false);
    const client = await app.connect();
    expect(await client.emitWithAck("x")).toBe("x");
  });

  it("refuses a client about whom `connect` subscribers were still thinking when it began", async () => {
    await using app = await serveIngress();
    const [asked, verdict] = [deferred(), deferred<boolean>()];
    let connections = 0;
    app.ingress.subscribe("connect", () => {
      asked.resolve();
      return verdict.promise;
    });
    app.ingress.subscribe("connection", () => void connections++);
    const refused = app.connect().catch((error: ConnectError) => error.data);
    await asked.promise;
    const drained = app.ingress.drain();
    verdict.resolve(true);
    expect(await refused).toMatchObject({ code: "SHUTTING_DOWN" });
    expect(await drained).toEqual({ cut: [] });
    expect(connections).toBe(0);
    expect(app.io.sockets.sockets.size).toBe(0);
  });

  it("reports every event it cuts: what ran, what waited for a place, and what waited for `connection` subscribers", async () => {
    await using app = await serveIngress({ maxInFlight: 1 });
    app.ingress.subscribe("running", never);
    app.ingress.subscribe("waiting", () => 1);
    const busy = await app.connect();
    const replies = [busy.emitWithAck("running"), busy.emitWithAck("waiting"), busy.emitWithAck("waiting")];
    await busy.emitWithAck("a round trip");
    app.ingress.subscribe("connection", never);
    const held = await app.connect();
    app.ingress.subscribe("held", () => 1);
    replies.push(held.emitWithAck("held"));
    await held.emitWithAck("a round trip");
    const { cut } = await app.ingress.drain({ graceMs: 0 });
    expect((await Promise.all(replies)).map(codeOf)).toEqual(Array(4).fill("SHUTTING_DOWN"));
    expect(cut.map(({ event, socketId }) => `${event} of ${socketId === busy.id ? "busy" : "held"}`).sort()).toEqual([
      "connection of held",
      "held of held",
      "running of busy",
      "waiting of busy",
      "waiting of busy",
    ]);
  });

  it("still tells `disconnect` subscribers of a client that left while its `connection` subscribers ran", async () => {
    await using app = await serveIngress();
    const [begun, left] = [deferred(), deferred()];
    const gone: unknown[] = [];
    app.ingress.subscribe("connection", () => {
      begun.resolve();
      return never();
    });
    app.ingress.subscribe("disconnecting", () => left.resolve());
    app.ingress.subscribe("disconnect", ({ socket }, reason: string) => void gone.push([socket.id, reason]));
    const client = await app.connect();
    const { id } = client;
    await begun.promise;
    client.disconnect();
    await left.promise;
    expect(gone).toEqual([]); // behind what arrived before it
    await app.ingress.drain({ graceMs: 0 });
    expect(gone).toEqual([[id, "client namespace disconnect"]]);
  });
});

describe("the shutdown of a manager", () => {
  it("closes the server of an ingress that its owner attached after the boot", async () => {
    const log = recordingLog();
    const ingress = new SocketIngress({ logger: log });
    const manager = new ServiceManager(undefined, { ingress, logger: log });
    await using app = await serve();
    await manager.boot();
    ingress.attach(app.io);
    const client = await app.connect();
    const left = new Promise((resolve) => void client.once("disconnect", resolve));
    const report = await manager.shutdown();
    expect(await left).toBe("transport close");
    expect(app.httpServer.listening).toBe(false);
    expect(report.failures).toEqual([]);
  });

  it("closes the server to which the owner of its ingress attached that", async () => {
    const log = recordingLog();
    const ingress = new SocketIngress({ logger: log });
    const manager = new ServiceManager(undefined, { ingress, logger: log });
    await using app = await serve((io) => void ingress.attach(io));
    await manager.boot();
    const client = await app.connect();
    const left = new Promise((resolve) => client.once("disconnect", resolve));
    const { failures } = await manager.shutdown();
    expect(failures).toEqual([]);
    expect(await left).toBe("transport close");
    expect(app.httpServer.listening).toBe(false);
  });

  it("refuses signals that a process can't listen to, and leaves no listener for the others", () => {
    const manager = new ServiceManager(undefined, { logger: recordingLog() });
    const before = process.listenerCount("SIGTERM");
    expect(() => manager.shutdownOnSignals({ signals: ["SIGTERM", "SIGKILL"] })).toThrow(/SIGKILL/);
    expect(() => manager.shutdownOnSignals({ signals: ["SIGTERM", "SIGFOO" as NodeJS.Signals] })).toThrow(/SIGFOO/);
    expect(process.listenerCount("SIGTERM")).toBe(before);
  });

  it("takes the listeners for signals with it", async () => {
    const manager = new ServiceManager(undefined, { logger: recordingLog() });
    const before = process.listenerCount("SIGTERM");
    manager.shutdownOnSignals();
    expect(process.listenerCount("SIGTERM")).toBe(before + 1);
    await manager.shutdown();
    expect(process.listenerCount("SIGTERM")).toBe(before);
  });

  it("closes what a handler opened in its constructor when boot failed before its turn", async () => {
    let closed = 0;
    class Owning extends Handler {
      readonly name = "owning";
      readonly events = { x: "x" } satisfies EventMap<Owning>;
      readonly connection = this.own({ close: () => void closed++ });
      x(_context: EventContext): void {}
    }
    class Failing extends Handler {
      readonly name = "failing";
      readonly events = { y: "y" } satisfies EventMap<Failing>;
      protected override onSetup(): never {
        throw new Error("it can't");
      }
      y(_context: EventContext): void {}
    }
    const manager = new ServiceManager(undefined, { logger: recordingLog() });
    manager.registerHandler(new Failing()).registerHandler(new Owning());
    await expect(manager.boot()).rejects.toThrow(/failing/);
    await manager.shutdown();
    expect(closed).toBe(1);
  });
});
