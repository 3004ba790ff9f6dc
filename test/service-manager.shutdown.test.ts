import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, get } from "node:http";
import type { AddressInfo } from "node:net";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Server } from "socket.io";
import { io as openClient } from "socket.io-client";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { EventContext } from "../src/events/event-context.js";
import type { EventMap } from "../src/events/event-map.js";
import { Handler } from "../src/handler.js";
import { Service } from "../src/service.js";
import { ServiceManager, type ServiceManagerOptions } from "../src/service-manager.js";
import { deafPeer } from "./fixtures/deaf-peer.js";
import { loopTime } from "./fixtures/loop-time.js";
import { recordingLog } from "./fixtures/recording-log.js";
import { type Served, serve } from "./fixtures/serve.js";

/** Answers `work` when it is released, with what it was asked for. */
class WorkHandler extends Handler {
  readonly name = "work";
  readonly events = { work: "work", disconnect: "gone" } satisfies EventMap<WorkHandler>;
  readonly goneFor: string[] = [];
  readonly waiting: (() => void)[] = [];
  begun: () => void = () => {};

  async work(_: EventContext, value: unknown) {
    await new Promise<void>((resolve) => {
      this.waiting.push(resolve);
      this.begun();
    });
    return value;
  }
  gone(_: EventContext, reason: string) {
    this.goneFor.push(reason);
  }
  /** Resolves once `count` runs are under way. */
  busy(count: number): Promise<void> {
    return new Promise((resolve) => {
      this.begun = () => this.waiting.length >= count && resolve();
      this.begun();
    });
  }
  release() {
    for (const resolve of this.waiting.splice(0)) resolve();
  }
}

class Plain extends Service {
  readonly name: string;
  stopping: () => unknown = () => {};
  constructor(name: string) {
    super();
    this.name = name;
  }
  override onStop() {
    return this.stopping();
  }
}

async function fixture(options: ServiceManagerOptions = {}) {
  const server: Served = await serve();
  const log = recordingLog();
  const handler = new WorkHandler();
  const manager = new ServiceManager(server.io, { logger: log, ...options }).registerHandler(handler);
  return {
    ...server,
    server,
    log,
    handler,
    manager,
    async [Symbol.asyncDispose]() {
      handler.release();
      await manager.shutdown();
      await server.close();
    },
  };
}

function never() {
  return new Promise<void>(() => {});
}

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

describe("shutdown under traffic", () => {
  it("answers what runs, refuses new events and connections meanwhile, and then closes the connections", async () => {
    await using app = await fixture();
    await app.manager.boot();
    const client = await app.connect();
    const answered = client.emitWithAck("work", 1);
    await app.handler.busy(1);
    const gone = new Promise((resolve) => client.once("disconnect", resolve));

    const shutdown = app.manager.shutdown();
    expect(app.manager.health()).toMatchObject({ status: "draining", ready: false });
    expect(await client.emitWithAck("work", 2)).toMatchObject({ error: { code: "SHUTTING_DOWN" } });
    await expect(app.connect()).rejects.toMatchObject({ data: { code: "SHUTTING_DOWN" } });

    app.handler.release();
    expect(await answered).toBe(1);
    const report = await shutdown;
    expect(report).toMatchObject({ cut: [], failures: [] });
    // As when a connection is lost, after which clients come back by themselves.
    expect(await gone).toBe("transport close");
    expect(app.handler.goneFor).toHaveLength(1);
    expect(app.httpServer.listening).toBe(false);
  });

  it("cuts what does not finish within the grace, answers its caller, and reports it by event, handler and socket", async () => {
    await using app = await fixture();
    await app.manager.boot();
    const client = await app.connect();
    const answered = client.emitWithAck("work", 1);
    await app.handler.busy(1);
    using time = loopTime();
    const report = await app.manager.shutdown({ graceMs: 50 });
    expect(time.ms).toBeLessThan(550);
    expect(await answered).toMatchObject({ error: { code: "SHUTTING_DOWN" } });
    expect(report.cut).toEqual([{ event: "work", handler: "work", namespace: "/", socketId: expect.any(String) }]);
    expect(app.log.lines.at(-1)).toMatchObject({ level: "warn", message: "shut down", fields: { cut: report.cut } });
  });

  it("delivers every reply of many clients with many running calls, with a deaf peer beside them", async () => {
    await using app = await fixture();
    await app.manager.boot();
    await using peer = await deafPeer(app.port);
    const clients = await Promise.all(Array.from({ length: 20 }, () => app.connect()));
    const calls = clients.flatMap((client) => Array.from({ length: 50 }, (_, i) => client.emitWithAck("work", i)));
    await app.handler.busy(1_000);
    const shutdown = app.manager.shutdown({ graceMs: 5_000 });
    setImmediate(() => app.handler.release());
    const replies = await Promise.all(calls);
    expect(replies).toEqual(clients.flatMap(() => Array.from({ length: 50 }, (_, i) => i)));
    expect(await shutdown).toMatchObject({ cut: [], failures: [] });
    await peer.cut;
  });

  it("stops handlers and services past the grace all the same, and reports what did not stop in time", async () => {
    await using app = await fixture();
    const [first, second, third] = [new Plain("S1"), new Plain("S2"), new Plain("S3")];
    const stopped: string[] = [];
    first.stopping = () => stopped.push("S1");
    second.stopping = never;
    third.stopping = () => Promise.reject(new Error("stuck"));
    app.manager.registerService(third).registerService(first).registerService(second);
    await app.manager.boot();
    using time = loopTime();
    const report = await app.manager.shutdown({ graceMs: 50 });
    expect(time.ms).toBeLessThan(550);
    expect(stopped).toEqual(["S1"]);
    expect(report.failures).toEqual(
      expect.arrayContaining([
        { kind: "service", name: "S2", error: new Error("it did not stop in time") },
        { kind: "service", name: "S3", error: new Error("stuck") },
      ]),
    );
    expect(app.httpServer.listening).toBe(false);
  });

  it("closes connections in batches, with a pause that varies by chance, so that clients don't come back at once", async () => {
    await using app = await fixture();
    await app.manager.boot();
    await Promise.all(Array.from({ length: 5 }, () => app.connect()));
    vi.spyOn(Math, "random").mockReturnValue(0.25);
    // How many were gone at each pause: 8 ms, less a quarter of them by this chance.
    const goneAtPause: number[] = [];
    const { setTimeout: schedule } = globalThis;
    vi.spyOn(globalThis, "setTimeout").mockImplementation((fn: () => void, ms?: number, ...args: []) => {
      if (ms === 6) goneAtPause.push(app.handler.goneFor.length);
      return schedule(fn, ms, ...args);
    });
    await app.manager.shutdown({ batch: 2, intervalMs: 8 });
    expect(goneAtPause).toEqual([2, 4]);
    expect(app.handler.goneFor).toHaveLength(5);
  });

  it("closes the rest at once when the grace is over between two batches", async () => {
    await using app = await fixture();
    await app.manager.boot();
    const clients = await Promise.all(Array.from({ length: 3 }, () => app.connect()));
    const gone = clients.map((client) => new Promise((resolve) => client.once("disconnect", resolve)));
    using time = loopTime();
    const report = await app.manager.shutdown({ batch: 1, intervalMs: 60_000, graceMs: 30 });
    expect(time.ms).toBeLessThan(530);
    await Promise.all(gone);
    expect(report.failures).toEqual([]);
  });

  it("waits for the disconnect subscribers that closing sets off, and cuts those that hang", async () => {
    await using app = await fixture();
    await app.manager.boot();
    await app.connect();
    const said: string[] = [];
    app.manager.ingress.on("disconnect", async () => {
      await new Promise((resolve) => setImmediate(resolve));
      said.push("goodbye");
    });
    app.manager.ingress.on("disconnect", never);
    using time = loopTime();
    const report = await app.manager.shutdown({ graceMs: 500 });
    expect(time.ms).toBeLessThan(1_000);
    expect(said).toEqual(["goodbye"]);
    expect(report.cut).toMatchObject([{ event: "disconnect" }]);
    expect(report.failures).toEqual([]);
  });

  it("closes a connection that comes between two batches, too", async () => {
    await using app = await fixture();
    await app.manager.boot();
    await Promise.all([app.connect(), app.connect()]);
    const raw = new Promise<void>((resolve) => {
      app.io.engine.once("connection", (connection: { once(event: "close", fn: () => void): void }) =>
        connection.once("close", resolve),
      );
    });
    const shutdown = app.manager.shutdown({ batch: 1, intervalMs: 1_500 });
    // Refused by the namespace, it stays connected to the engine.
    await expect(app.connect()).rejects.toMatchObject({ data: { code: "SHUTTING_DOWN" } });
    await shutdown;
    await raw;
  });

  it("reports a server that fails to close", async () => {
    await using app = await fixture();
    await app.manager.boot();
    const { close } = app.io;
    app.io.close = () => Promise.reject(new Error("broken"));
    const report = await app.manager.shutdown();
    expect(report.failures).toEqual([{ kind: "server", name: "close", error: new Error("broken") }]);
    app.io.close = close;
    await app.io.close();
  });

  it("names an option that does not fit, and goes on", async () => {
    const manager = new ServiceManager(undefined, { logger: recordingLog() });
    expect(() => manager.shutdown({ graceMs: -1 })).toThrow(
      new TypeError("shutdown: graceMs must be a number from 0 up, got -1"),
    );
    expect(() => manager.shutdown({ batch: 0 })).toThrow("shutdown: batch must be a number from 1 up, got 0");
    expect(() => manager.shutdown({ intervalMs: "1" as never })).toThrow(/intervalMs must be/);
    expect(() => manager.shutdownOnSignals({ graceMs: Number.NaN })).toThrow(TypeError);
    expect(manager.health().status).toBe("idle");
    expect(process.listenerCount("SIGTERM")).toBe(0);
    await manager.shutdown();
  });
});

describe("peers that won't go", () => {
  it.each(["websocket", "upgrade"] as const)(
    "cuts a peer that ignores the close frame, connected by %s, within the grace",
    async (by) => {
      await using app = await fixture();
      await app.manager.boot();
      await using peer = await deafPeer(app.port, by);
      using time = loopTime();
      const report = await app.manager.shutdown({ graceMs: 100 });
      expect(time.ms).toBeLessThan(600);
      await peer.cut;
      expect(report.failures).toEqual([]);
      expect(app.httpServer.listening).toBe(false);
    },
  );

  it("cuts one that was connected before the server was attached, and one on a server that was given its port later", async () => {
    await using server = await serve();
    await using early = await deafPeer(server.port);
    const manager = new ServiceManager(undefined, { logger: recordingLog() });
    await manager.boot();
    manager.attach(server.io);
    await manager.shutdown({ graceMs: 100 });
    await early.cut;

    const io = new Server();
    manager.attach(io);
    await manager.boot();
    const httpServer = createServer().listen(0, "127.0.0.1");
    await once(httpServer, "listening");
    io.attach(httpServer);
    await using late = await deafPeer((httpServer.address() as AddressInfo).port);
    const report = await manager.shutdown({ graceMs: 100 });
    await late.cut;
    expect(report.failures).toEqual([]);
  });

  it("waits no longer than it has to when a deaf peer is all that is left of a long grace", async () => {
    await using app = await fixture();
    await app.manager.boot();
    await using peer = await deafPeer(app.port);
    using time = loopTime();
    await app.manager.shutdown({ graceMs: 30_000 });
    expect(time.ms).toBeLessThan(2_000);
    await peer.cut;
  });

  it("lets other requests of the HTTP server finish within the grace, and cuts them after it", async () => {
    await using app = await fixture();
    let finish = () => {};
    const asked = new Promise<void>((resolve) => {
      app.httpServer.on("request", (request, response) => {
        if (request.url !== "/slow") return;
        response.write("begun ");
        finish = () => response.end("done");
        resolve();
      });
    });
    await app.manager.boot();
    const body = fetch(`${app.url}/slow`).then((response) => response.text());
    await asked;
    using time = loopTime();
    const shutdown = app.manager.shutdown({ graceMs: 10_000 });
    finish();
    expect(await body).toBe("begun done");
    await shutdown;
    expect(time.ms).toBeLessThan(2_000);

    await using other = await fixture();
    await other.manager.boot();
    const cut = new Promise<unknown>((resolve) => {
      const request = get(`${other.url}/slow`, (response) => {
        response.resume();
        response.on("error", resolve);
      });
      request.on("error", resolve);
    });
    const begun = new Promise<void>((resolve) => {
      other.httpServer.on("request", (request, response) => {
        if (request.url !== "/slow") return;
        response.write("begun");
        resolve();
      });
    });
    await begun;
    using otherTime = loopTime();
    await other.manager.shutdown({ graceMs: 100 });
    expect(otherTime.ms).toBeLessThan(600);
    expect(await cut).toMatchObject({ code: "ECONNRESET" });
  });

  it("closes clients that poll", async () => {
    await using app = await fixture();
    await app.manager.boot();
    const client = openClient(app.url, { transports: ["polling"], reconnection: false, forceNew: true });
    await new Promise<void>((resolve) => client.once("connect", () => resolve()));
    const gone = new Promise((resolve) => client.once("disconnect", resolve));
    const report = await app.manager.shutdown();
    await gone;
    client.close();
    expect(report.failures).toEqual([]);
    expect(app.handler.goneFor).toHaveLength(1);
  });

  it(
    "lets the process exit by itself within the grace and half a second, deaf peers and all",
    { timeout: 30_000 },
    async () => {
      const graceMs = 1_500;
      const script = fileURLToPath(new URL("./fixtures/doomed-process.ts", import.meta.url));
      const child: ChildProcess = spawn(process.execPath, ["--import", "tsx", script, String(graceMs)], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      const exited = once(child, "exit");
      const said = createInterface(child.stdout!)[Symbol.asyncIterator]();
      const port = Number((await said.next()).value);
      await using _direct = await deafPeer(port);
      await using _upgraded = await deafPeer(port, "upgrade");
      const client = openClient(`http://127.0.0.1:${port}`, { transports: ["websocket"], reconnection: false });
      await new Promise<void>((resolve) => client.once("connect", () => resolve()));
      const answered: Promise<unknown> = client.emitWithAck("work");
      // Answered in order, so the first one runs by then.
      client.emit("release");
      expect(await answered).toBe("done");
      child.kill("SIGTERM");
      expect(await exited).toEqual([0, null]);
      expect(Number((await said.next()).value)).toBeLessThan(graceMs + 500);
      client.close();
    },
  );
});

describe("signals", () => {
  function signalled() {
    const exit = vi.spyOn(process, "exit").mockImplementation((() => undefined) as never);
    const manager = new ServiceManager(undefined, { logger: recordingLog() });
    return { exit, manager };
  }

  it("shut the manager down, then the process ends, and the listeners are gone", async () => {
    const { exit, manager } = signalled();
    await manager.boot();
    const before = [process.listenerCount("SIGTERM"), process.listenerCount("SIGINT")];
    manager.shutdownOnSignals({ graceMs: 1_000 });
    expect([process.listenerCount("SIGTERM"), process.listenerCount("SIGINT")]).toEqual(before.map((n) => n + 1));
    process.emit("SIGTERM", "SIGTERM");
    expect(manager.health().status).toBe("draining");
    const report = await manager.shutdown();
    expect(report.reason).toBe("SIGTERM");
    expect([process.listenerCount("SIGTERM"), process.listenerCount("SIGINT")]).toEqual(before);
    expect(exit).not.toHaveBeenCalled();
    await vi.waitFor(() => expect(exit).toHaveBeenCalledExactlyOnceWith());
  });

  it("end the process at once when they come a second time", async () => {
    const { exit, manager } = signalled();
    const service = new Plain("S1");
    let stop = () => {};
    service.stopping = () => new Promise<void>((resolve) => (stop = resolve));
    await manager.registerService(service).boot();
    manager.shutdownOnSignals({ exit: false });
    process.emit("SIGINT", "SIGINT");
    process.emit("SIGINT", "SIGINT");
    expect(exit).toHaveBeenCalledExactlyOnceWith(130);
    await vi.waitFor(() => expect(service.health().status).toBe("stopping"));
    stop();
    await manager.shutdown();
  });

  it("leave the process alone once the listening is ended, and leave its end to you when told so", async () => {
    vi.useFakeTimers();
    const { exit, manager } = signalled();
    const before = process.listenerCount("SIGUSR2");
    const off = manager.shutdownOnSignals({ signals: ["SIGUSR2"], exit: false });
    expect(process.listenerCount("SIGUSR2")).toBe(before + 1);
    off();
    off();
    expect(process.listenerCount("SIGUSR2")).toBe(before);
    manager.shutdownOnSignals({ signals: ["SIGUSR2"], exit: false });
    process.emit("SIGUSR2", "SIGUSR2");
    await manager.shutdown();
    await vi.runAllTimersAsync();
    expect(exit).not.toHaveBeenCalled();
  });
});
