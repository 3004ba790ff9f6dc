import { setImmediate } from "node:timers/promises";
import { describe, expect, it, vi } from "vitest";
import { type EventContext, Handler, Service, ServiceManager } from "socket-ingress";
import { deferred } from "../fixtures/deferred.js";
import { recordingLog } from "../fixtures/recording-log.js";
import { received, serve } from "../fixtures/serve.js";

type Drain = (signal: AbortSignal) => unknown;
const never = () => new Promise<never>(() => undefined);

class Draining extends Handler {
  readonly name: string;
  readonly events = { slow: "slow" } as const;
  readonly begun = deferred();
  readonly gate = deferred();
  /** The event was given up. */
  readonly cut = deferred();
  readonly drain: Drain;
  constructor(name: string, drain: Drain = () => undefined) {
    super();
    this.name = name;
    this.drain = drain;
  }
  async slow({ signal }: EventContext) {
    signal.addEventListener("abort", () => this.cut.resolve());
    this.begun.resolve();
    await this.gate.promise;
    return "slow";
  }
  protected override onDrain(signal: AbortSignal) {
    return this.drain(signal);
  }
}

class Worker extends Service {
  readonly name: string;
  readonly drain: Drain;
  constructor(name: string, drain: Drain = () => undefined) {
    super();
    this.name = name;
    this.drain = drain;
  }
  override onDrain(signal: AbortSignal) {
    return this.drain(signal);
  }
}

describe("onDrain", () => {
  it("is called when the shutdown begins, beside the running events, the newest first, adopted ones included", async () => {
    await using app = await serve();
    const told: string[] = [];
    const tell = (name: string) => () => void told.push(name);
    const parent = new Worker("parent", tell("parent"));
    const handler = new Draining("handler", () => {
      tell("handler")();
      app.io.emit("bye", "soon");
    });
    const manager = new ServiceManager(app.io, { logger: recordingLog() })
      .registerService(parent)
      .registerHandler(handler);
    await manager.boot();
    const [child, idle] = [
      parent.adopt(new Worker("child", tell("child"))),
      parent.adopt(new Worker("idle", tell("idle"))),
    ];
    await child.start();
    const client = await app.connect();
    const bye = received(client, "bye");
    const slow = client.emitWithAck("slow");
    await handler.begun.promise;
    const down = manager.shutdown();
    expect(await bye).toEqual(["soon"]);
    expect(told).toEqual(["handler", "parent", "child"]);
    expect(idle.health().status).toBe("idle");
    handler.gate.resolve();
    expect([await slow, await down]).toMatchObject(["slow", { cut: [], failures: [] }]);
  });

  it("is waited for within the grace, while the connections are open, and its signal aborts at the end", async () => {
    await using app = await serve();
    const gate = deferred();
    const asked = deferred<AbortSignal>();
    const steps: string[] = [];
    const worker = new Worker("worker", async (signal) => {
      asked.resolve(signal);
      await gate.promise;
      steps.push(`drained, ${app.io.sockets.sockets.size} connected, ${signal.aborted ? "aborted" : "not aborted"}`);
    });
    worker.onStop = () => void steps.push("stopped");
    const manager = new ServiceManager(app.io, { logger: recordingLog() }).registerService(worker);
    await manager.boot();
    await app.connect();
    const down = manager.shutdown({ graceMs: 60_000 });
    const signal = await asked.promise;
    gate.resolve();
    expect((await down).failures).toEqual([]);
    expect(steps).toEqual(["drained, 1 connected, not aborted", "stopped"]);
    expect(signal.aborted).toBe(true);
  });

  it.each([
    ["", false],
    [", also where a timer is early by the clock, as Node's may be by a part of a millisecond", true],
  ])(
    "has 250 ms kept for it where running events used the grace up, and what takes longer is reported%s",
    async (_when, isEarly) => {
      await using app = await serve();
      let stuck: AbortSignal | undefined;
      const steps: string[] = [];
      const handler = new Draining("handler");
      const manager = new ServiceManager(app.io, { logger: recordingLog() })
        .registerService(
          new Worker("stuck", (signal) => {
            stuck = signal;
            return never();
          }),
        )
        .registerService(
          new Worker("late", async () => {
            await handler.cut.promise; // the grace is used up
            await setImmediate(); // before any further timer, however busy the machine is
            steps.push("late");
          }),
        )
        .registerHandler(handler);
      await manager.boot();
      const slow = (await app.connect()).emitWithAck("slow");
      await handler.begun.promise;
      if (isEarly) vi.spyOn(performance, "now").mockReturnValue(performance.now());
      const report = await manager.shutdown({ graceMs: 20 });
      expect(await slow).toMatchObject({ error: { code: "SHUTTING_DOWN" } });
      expect(steps).toEqual(["late"]);
      expect(report.failures).toEqual([
        { kind: "service", name: "stuck", error: new Error("it did not drain in time") },
      ]);
      expect(stuck?.aborted).toBe(true);
    },
  );

  it("that throws is reported and logged, stops nobody, and is told again at the next shutdown", async () => {
    const log = recordingLog();
    const failing = new Worker("failing", () => {
      throw new Error("not now");
    });
    let drained = 0;
    const manager = new ServiceManager(undefined, { logger: log })
      .registerService(new Worker("other", () => drained++))
      .registerService(failing);
    for (const times of [1, 2]) {
      await manager.boot();
      const { failures } = await manager.shutdown();
      expect(failures).toEqual([{ kind: "service", name: "failing", error: new Error("not now") }]);
      expect(drained).toBe(times);
    }
    expect(log.lines.filter(({ message }) => message === "a service failed to drain")).toHaveLength(2);
  });
});

describe("a boot that a shutdown interrupts", () => {
  it("rejects, also when a start hangs for ever, and what was registered late is not waited for either", async () => {
    const hanging = new Worker("hanging");
    const begun = deferred();
    hanging.onStart = () => {
      begun.resolve();
      return never();
    };
    const manager = new ServiceManager(undefined, { logger: recordingLog() }).registerService(hanging);
    const boot = manager.boot().catch((error: unknown) => error);
    await begun.promise;
    await manager.shutdown({ graceMs: 20 });
    expect(await boot).toEqual(new Error("the manager was shut down while it booted"));

    const other = new ServiceManager(undefined, { logger: recordingLog() });
    await other.boot();
    const late = new Worker("late");
    late.onStart = never;
    const settled = other.registerService(late).settled();
    await other.shutdown({ graceMs: 20 });
    await settled;
  });
});
