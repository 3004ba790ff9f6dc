import { describe, expect, it, vi } from "vitest";
import { SocketIngress } from "socket-ingress";
import { deferred } from "../../fixtures/deferred.js";
import { codeOf, serveIngress } from "../../fixtures/ingress.js";
import { recordingLog } from "../../fixtures/recording-log.js";

describe("drain", () => {
  it("new connections are refused and new events answered SHUTTING_DOWN, while what runs may finish", async () => {
    await using app = await serveIngress();
    const gate = deferred();
    app.ingress.subscribe("x", async (_context, n: number) => {
      await gate.promise;
      return n;
    });
    const client = await app.connect();
    const running = client.emitWithAck("x", 1);
    await vi.waitFor(() => expect(app.io.engine.clientsCount).toBe(1));
    await client.emitWithAck("sync"); // a round trip: the first event has arrived
    const drained = app.ingress.drain({ graceMs: 5_000 });
    expect(app.ingress.draining).toBe(true);
    expect(codeOf(await client.emitWithAck("x", 2))).toBe("SHUTTING_DOWN");
    expect(codeOf(await client.emitWithAck("unknown"))).toBe("SHUTTING_DOWN");
    await expect(app.connect()).rejects.toMatchObject({ data: { code: "SHUTTING_DOWN" } });
    gate.resolve();
    expect(await running).toBe(1);
    expect(await drained).toEqual({ cut: [] });
    expect(app.ingress.counters.refusedByShutdown).toBe(1);
  });

  it("events that were waiting when it began are run within the grace", async () => {
    await using app = await serveIngress({ maxInFlight: 1 });
    const gate = deferred();
    app.ingress.subscribe("x", async (_context, n: number) => {
      await gate.promise;
      return n;
    });
    const client = await app.connect();
    const replies = [1, 2, 3].map((n) => client.emitWithAck("x", n));
    await client.emitWithAck("sync");
    const drained = app.ingress.drain({ graceMs: 5_000 });
    gate.resolve();
    expect(await Promise.all(replies)).toEqual([1, 2, 3]);
    expect(await drained).toEqual({ cut: [] });
  });

  it("what is still there at the deadline is cut: answered, aborted and reported", async () => {
    await using app = await serveIngress({ maxInFlight: 2 });
    const aborted: unknown[] = [];
    class Slow {
      readonly never = new Promise<never>(() => undefined);
    }
    const slow = new Slow();
    app.ingress.subscribe("x", function hang({ signal }) {
      signal.addEventListener("abort", () => aborted.push((signal.reason as { code: string }).code));
      return slow.never;
    });
    app.ingress.subscribe("lane", () => slow.never, { concurrency: 1 });
    const client = await app.connect();
    const replies = [
      client.emitWithAck("lane"),
      client.emitWithAck("lane"),
      client.emitWithAck("x"),
      client.emitWithAck("x"),
    ];
    await client
      .timeout(1_000)
      .emitWithAck("sync")
      .catch(() => undefined);
    const { cut } = await app.ingress.drain({ graceMs: 20 });
    expect((await Promise.all(replies)).map(codeOf)).toEqual(Array(4).fill("SHUTTING_DOWN"));
    expect(cut.map(({ event }) => event).sort()).toEqual(["lane", "lane", "x", "x"]);
    expect(cut[0]).toMatchObject({ namespace: "/", socketId: client.id });
    expect(aborted).toEqual(["SHUTTING_DOWN"]);
  });

  it("cuts events that wait behind connection subscribers, and signals of sockets that stay", async () => {
    await using app = await serveIngress();
    const aborted = deferred<unknown>();
    app.ingress.subscribe("connection", ({ signal }) => {
      signal.addEventListener("abort", () => aborted.resolve(signal.reason));
      return new Promise(() => undefined);
    });
    app.ingress.subscribe("x", () => 1);
    const client = await app.connect();
    const reply = client.emitWithAck("x");
    await vi.waitFor(() => expect(app.io.sockets.sockets.size).toBe(1));
    await client.emitWithAck("sync");
    await app.ingress.drain({ graceMs: 10 });
    expect(codeOf(await reply)).toBe("SHUTTING_DOWN");
    expect(await aborted.promise).toMatchObject({ code: "SHUTTING_DOWN" });
  });

  it("without anything under way it is over at once; dispatched by hand counts as under way", async () => {
    const ingress = new SocketIngress({ logger: recordingLog() });
    expect(await ingress.drain()).toEqual({ cut: [] });
    const other = new SocketIngress({ logger: recordingLog() });
    other.subscribe("x", ({ signal }) => new Promise((resolve) => signal.addEventListener("abort", () => resolve(1))));
    const reply = other.dispatch("x");
    expect((await other.drain({ graceMs: 0 })).cut).toEqual([
      { event: "x", namespace: "/", handler: undefined, socketId: undefined },
    ]);
    expect(codeOf(await reply)).toBe("SHUTTING_DOWN");
    await expect(other.drain({ graceMs: -1 })).rejects.toThrow(/graceMs/);
  });

  it("attach opens it again", async () => {
    await using app = await serveIngress();
    app.ingress.subscribe("x", () => 1);
    await app.ingress.drain();
    await app.ingress.detach();
    app.ingress.attach(app.io);
    const client = await app.connect();
    expect(await client.emitWithAck("x")).toBe(1);
  });
});
