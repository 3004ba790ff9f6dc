import { Server, type Socket } from "socket.io";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { ControllerHandler } from "../src/events/controller-handler.js";
import { Controller } from "../src/controller.js";
import type { EventContext } from "../src/events/event-context.js";
import type { EventMap } from "../src/events/event-map.js";
import { Handler } from "../src/handler.js";
import { Service } from "../src/service.js";
import { ServiceManager, type ServiceManagerOptions } from "../src/service-manager.js";
import { SocketIngress } from "../src/socket-ingress.js";
import { recordingLog } from "./fixtures/recording-log.js";
import { serve } from "./fixtures/serve.js";

class Step extends Service {
  readonly name: string;
  override readonly requires: readonly (string | typeof Step)[];
  readonly steps: string[];
  starting: () => unknown = () => {};
  stopping: () => unknown = () => {};

  constructor(name: string, steps: string[] = [], requires: readonly (string | typeof Step)[] = []) {
    super();
    this.name = name;
    this.steps = steps;
    this.requires = requires;
  }
  override async onStart() {
    this.steps.push(`+${this.name}`);
    await this.starting();
  }
  override async onStop() {
    this.steps.push(`-${this.name}`);
    await this.stopping();
  }
}

class EchoHandler extends Handler {
  readonly name: string;
  readonly events = { echo: "handleEcho" } satisfies EventMap<EchoHandler>;
  readonly steps: string[];
  settingUp: () => unknown = () => {};

  constructor(name: string, steps: string[] = []) {
    super();
    this.name = name;
    this.steps = steps;
  }
  handleEcho(_: EventContext, value: unknown) {
    return { by: this.name, value };
  }
  protected override onSetup() {
    this.steps.push(`+${this.name}`);
    return this.settingUp();
  }
  protected override onTeardown() {
    this.steps.push(`-${this.name}`);
  }
}

class ShoutController extends Controller {
  readonly name = "shout";
  readonly steps: string[];
  starting: () => unknown = () => {};

  constructor(steps: string[] = []) {
    super();
    this.steps = steps;
  }
  override buildEvents(handler: ControllerHandler) {
    handler.on("shout", this.onShout);
  }
  override async onStart() {
    this.steps.push("+shout");
    await this.starting();
  }
  override onStop() {
    this.steps.push("-shout");
  }
  private onShout(_: EventContext, text: string) {
    return text.toUpperCase();
  }
}

function make(options: ServiceManagerOptions = {}, io?: Server) {
  const log = recordingLog();
  const steps: string[] = [];
  return { log, steps, manager: new ServiceManager(io, { logger: log, ...options }) };
}

function deferred<T = void>() {
  let resolve!: (value: T) => void;
  const promise = new Promise<T>((yes) => (resolve = yes));
  return { promise, resolve };
}

afterEach(() => void vi.useRealTimers());

describe("boot and shutdown", () => {
  it("starts services, then handlers, in the order of registration, and stops them in the exact reverse", async () => {
    const { manager, steps } = make();
    manager
      .registerService(new Step("S1", steps))
      .registerHandler(new EchoHandler("H1", steps))
      .registerService(new Step("S2", steps))
      .registerHandler(new EchoHandler("H2", steps));
    await manager.boot();
    expect(steps).toEqual(["+S1", "+S2", "+H1", "+H2"]);
    await manager.shutdown();
    expect(steps.slice(4)).toEqual(["-H2", "-H1", "-S2", "-S1"]);
  });

  it("boots once and shuts down once, however often it is asked", async () => {
    const { manager, steps } = make();
    manager.registerService(new Step("S1", steps));
    const boot = manager.boot();
    expect(manager.boot()).toBe(boot);
    await boot;
    await manager.boot();
    const shutdown = manager.shutdown();
    expect(manager.shutdown()).toBe(shutdown);
    const report = await shutdown;
    expect(await manager.shutdown()).toBe(report);
    expect(steps).toEqual(["+S1", "-S1"]);
  });

  it("lets a service's onStart find the services before it, and itself, in the registry", async () => {
    const { manager } = make();
    const [first, second] = [new Step("S1"), new Step("S2")];
    let found: unknown[] = [];
    second.starting = () => {
      found = [manager.resolve("S1"), second.require("S1"), manager.resolve("S2"), second.resolve(Step)];
    };
    await manager.registerService(first).registerService(second).boot();
    expect(found).toEqual([first, first, second, first]);
    await manager.shutdown();
    expect(manager.resolve("S1")).toBeUndefined();
  });

  it("boots again after a shutdown, with a fresh server: events work again", async () => {
    const { manager } = make();
    manager.registerHandler(new EchoHandler("H1")).registerController(new ShoutController());
    for (let life = 0; life < 2; life++) {
      await using server = await serve();
      manager.attach(server.io);
      await manager.boot();
      const client = await server.connect();
      expect(await client.emitWithAck("echo", life)).toEqual({ by: "H1", value: life });
      expect(await client.emitWithAck("shout", "hi")).toBe("HI");
      await manager.shutdown();
      expect(manager.io).toBeUndefined();
    }
  });

  it("goes on stopping when a service throws in its stop, and reports it", async () => {
    const { manager, steps, log } = make();
    const second = new Step("S2", steps);
    second.stopping = () => Promise.reject(new Error("stuck"));
    await manager.registerService(new Step("S1", steps)).registerService(second).boot();
    const report = await manager.shutdown({ reason: "test" });
    expect(steps).toEqual(["+S1", "+S2", "-S2", "-S1"]);
    expect(report).toMatchObject({
      reason: "test",
      cut: [],
      failures: [{ kind: "service", name: "S2", error: new Error("stuck") }],
    });
    expect(log.lines.find(({ message }) => message === "a service failed to stop")?.fields).toMatchObject({
      service: "S2",
      err: new Error("stuck"),
    });
    expect(log.lines.at(-1)).toMatchObject({
      level: "warn",
      message: "shut down",
      fields: { failures: ["service S2"] },
    });
    expect(manager.health()).toMatchObject({
      status: "stopped",
      failures: [{ kind: "service", name: "S2", phase: "stop", reason: "Error: stuck" }],
    });
  });

  it("starts what a service requires before it, by name or by class, whatever the order of registration", async () => {
    class Base extends Step {}
    const { manager, steps } = make();
    manager
      .registerService(new Step("S2", steps, ["S1", Base]))
      .registerService(new Step("S3", steps))
      .registerService(new Step("S1", steps))
      .registerService(new Base("base", steps));
    await manager.boot();
    expect(steps).toEqual(["+S1", "+base", "+S2", "+S3"]);
    await manager.shutdown();
    expect(steps.slice(4)).toEqual(["-S3", "-S2", "-base", "-S1"]);
  });

  it("refuses a service that closes a circle of requirements, naming the circle", async () => {
    const { manager, steps } = make();
    manager.registerService(new Step("A", steps, ["B"])).registerService(new Step("B", steps, ["C"]));
    const closing = new Step("C", steps, ["A"]);
    expect(() => manager.registerService(closing)).toThrow(
      new Error('services require each other in a circle: "A" -> "B" -> "C" -> "A"'),
    );
    expect(() => manager.registerService(new Step("D", steps, ["D"]))).toThrow('in a circle: "D" -> "D"');
    // Nothing of the refused ones is kept.
    await manager.registerService(new Step("C", steps)).boot();
    expect(steps).toEqual(["+C", "+B", "+A"]);
    await manager.shutdown();
  });

  it("starts controllers after services, unless a service requires them, and before handlers", async () => {
    const { manager, steps } = make();
    manager.registerHandler(new EchoHandler("H1", steps)).registerController(new ShoutController(steps));
    manager.registerService(new Step("S1", steps));
    await manager.boot();
    expect(steps).toEqual(["+S1", "+shout", "+H1"]);
    await manager.shutdown();
    expect(steps.slice(3)).toEqual(["-H1", "-shout", "-S1"]);

    const other = make();
    other.manager.registerController(new ShoutController(other.steps));
    other.manager.registerService(new Step("S1", other.steps, ["shout"]));
    await other.manager.boot();
    expect(other.steps).toEqual(["+shout", "+S1"]);
    await other.manager.shutdown();
  });

  it("starts what is registered while it boots in the same boot", async () => {
    const { manager, steps } = make();
    const first = new Step("S1", steps);
    first.starting = () => {
      manager.registerService(new Step("S2", steps));
    };
    await manager.registerService(first).registerHandler(new EchoHandler("H1", steps)).boot();
    expect(steps).toEqual(["+S1", "+S2", "+H1"]);
    await manager.shutdown();
  });

  it("works with await using", async () => {
    const { manager, steps } = make();
    {
      await using used = manager.registerService(new Step("S1", steps));
      await used.boot();
    }
    expect(steps).toEqual(["+S1", "-S1"]);
  });

  it("says shutting down of itself from the call on, and idle, starting, ok and stopped in their time", async () => {
    const { manager } = make();
    const gate = deferred();
    const service = new Step("S1");
    service.starting = () => gate.promise;
    manager.registerService(service);
    const seen = [manager.health()];
    const boot = manager.boot();
    await Promise.resolve();
    seen.push(manager.health());
    gate.resolve();
    await boot;
    seen.push(manager.health());
    const shutdown = manager.shutdown();
    seen.push(manager.health());
    await shutdown;
    seen.push(manager.health());
    expect(seen.map(({ status, ready }) => [status, ready])).toEqual([
      ["idle", false],
      ["starting", false],
      ["ok", true],
      ["draining", false],
      ["stopped", false],
    ]);
  });

  it("shuts down a boot that has not finished: what starts is told, what started is stopped", async () => {
    const { manager, steps } = make();
    const second = new Step("S2", steps);
    const started = deferred();
    second.starting = () => {
      started.resolve();
      return new Promise((_, reject) => second.signal.addEventListener("abort", () => reject(second.signal.reason)));
    };
    manager.registerService(new Step("S1", steps)).registerService(second).registerService(new Step("S3", steps));
    const boot = manager.boot();
    const failed = boot.catch((error: unknown) => error);
    await started.promise;
    const report = await manager.shutdown();
    expect(await failed).toEqual(new Error("the manager was shut down while it booted"));
    expect(steps).toEqual(["+S1", "+S2", "-S1"]);
    expect(report.failures).toEqual([]);
    expect(manager.health().status).toBe("stopped");
  });

  it("never starts anything for a boot that is shut down in the same tick", async () => {
    const { manager, steps } = make();
    manager.registerService(new Step("S1", steps));
    void manager.boot();
    await manager.shutdown();
    expect(steps).toEqual([]);
  });

  it("shuts down in time when a service hangs in its start, and boots again later", async () => {
    const { manager, steps } = make();
    const hanging = new Step("S1", steps);
    const gate = deferred();
    const begun = deferred();
    hanging.starting = () => {
      begun.resolve();
      return gate.promise;
    };
    manager.registerService(hanging);
    const boot = manager.boot().catch((error: unknown) => error);
    await begun.promise;
    await manager.shutdown({ graceMs: 20 });
    // The boot is over, whatever becomes of the start that hung.
    expect(await boot).toBeInstanceOf(Error);
    gate.resolve();
    await hanging.stop();
    expect(steps).toEqual(["+S1", "-S1"]);
    hanging.starting = () => {};
    await manager.boot();
    expect(manager.health().status).toBe("ok");
    await manager.shutdown();
  });

  it("reports a service that hangs in its start past the grace", async () => {
    const { manager } = make();
    const hanging = new Step("S1");
    const gate = deferred();
    const begun = deferred();
    hanging.starting = () => {
      begun.resolve();
      return gate.promise;
    };
    const boot = manager
      .registerService(hanging)
      .boot()
      .catch(() => {});
    await begun.promise;
    const report = await manager.shutdown({ graceMs: 10 });
    expect(report.failures).toEqual([{ kind: "service", name: "S1", error: new Error("it did not stop in time") }]);
    gate.resolve();
    await boot;
  });

  it("stops what was started by hand after boot had failed to, and what never started but owns something", async () => {
    const { manager, steps } = make({ onStartFailure: "continue" });
    const [first, second] = [new Step("S1", steps), new Step("S2", steps, ["S1"])];
    const owned = vi.fn<() => void>();
    second.addCleanup(owned);
    first.starting = () => Promise.reject(new Error("not yet"));
    await manager.registerService(first).registerService(second).boot();
    first.starting = () => {};
    await first.start();
    const report = await manager.shutdown({ graceMs: Infinity });
    expect(steps).toEqual(["+S1", "+S1", "-S1"]);
    expect(owned).toHaveBeenCalledOnce();
    expect(report.failures).toEqual([]);
  });

  it("does not log what boot throws, and logs what fails while it takes the rest back", async () => {
    const { manager, log } = make();
    const [first, second] = [new Step("S1"), new Step("S2")];
    first.stopping = () => Promise.reject(new Error("stuck"));
    second.starting = () => Promise.reject(new Error("no database"));
    await expect(manager.registerService(first).registerService(second).boot()).rejects.toThrow("no database");
    expect(log.lines).toMatchObject([{ message: "a service failed to stop", fields: { service: "S1" } }]);
    expect((await manager.shutdown()).failures).toEqual([]);
  });
});

describe("registering", () => {
  it("refuses what is no service, handler or controller, naming what it got, stores nothing, and chains", async () => {
    const { manager } = make();
    expect(() => manager.registerService({} as never)).toThrow(
      new TypeError("registerService expects a Service, got an object"),
    );
    expect(() => manager.registerHandler({} as never)).toThrow(
      new TypeError("registerHandler expects a Handler, got an object"),
    );
    expect(() => manager.registerController({} as never)).toThrow(
      new TypeError("registerController expects a Controller, got an object"),
    );
    expect(() => manager.registerController(new Step("S1") as never)).toThrow(
      /expects a Controller, got an instance of Step/,
    );
    expect(() => manager.registerService(new ShoutController())).toThrow(
      /got an instance of ShoutController: use registerController$/,
    );
    const { services, handlers, controllers } = manager.health();
    expect([services, handlers, controllers]).toEqual([[], [], []]);
    expect(manager.registerService(new Step("S1")).registerHandler(new EchoHandler("H1"))).toBe(manager);
    await manager.shutdown();
  });

  it.each([undefined, "", "  ", 7])("refuses a name that is none: %j", (name) => {
    const { manager } = make();
    const nameless = new Step(name as string);
    expect(() => manager.registerService(nameless)).toThrow(
      /^Step: name must be a non-blank string, a field of the class; got/,
    );
    expect(() => manager.registerHandler(new EchoHandler(name as string))).toThrow(
      /^EchoHandler: name must be a non-blank string/,
    );
    expect(manager.health().services).toEqual([]);
    expect(nameless.resolve("anything")).toBeUndefined();
  });

  it("refuses a second service or controller of the same name, and the same thing twice", () => {
    const { manager } = make();
    const service = new Step("shout");
    const handler = new EchoHandler("shout");
    manager.registerService(service).registerHandler(handler).registerHandler(new EchoHandler("shout"));
    expect(() => manager.registerService(service)).toThrow('service "shout" is registered already');
    expect(() => manager.registerHandler(handler)).toThrow('handler "shout" is registered already');
    expect(() => manager.registerController(new ShoutController())).toThrow(
      'controller "shout" can\'t be registered: there is a service "shout" already',
    );
    manager.provide("taken", 1);
    expect(() => manager.registerService(new Step("taken"))).toThrow(
      'service "taken" can\'t be registered: something else is provided under its name',
    );
    expect(manager.health().services).toHaveLength(1);
    expect(manager.health().controllers).toEqual([]);
  });

  it.each([[["", "S1"]], ["S1"], [[undefined]]])("refuses requirements that are none: %j", (requires) => {
    const { manager } = make();
    expect(() => manager.registerService(new Step("S2", [], requires as string[]))).toThrow(
      /^Step "S2": requires must be a list of names, tokens and classes, got/,
    );
  });

  it("keeps a service out that belongs to another manager", () => {
    const { manager } = make();
    const service = new Step("S1");
    manager.registerService(service);
    const other = make();
    expect(() => other.manager.registerService(service)).toThrow('"S1" belongs to a manager already');
    expect(other.manager.health().services).toEqual([]);
  });

  it("lets others find a handler by its class from registration on", () => {
    const { manager } = make();
    const handler = new EchoHandler("H1");
    manager.registerHandler(handler).registerHandler(new EchoHandler("H2"));
    expect(manager.require(EchoHandler)).toBe(handler);
  });

  it("takes effect at once after boot, for connected sockets too", async () => {
    await using server = await serve();
    const { manager, steps } = make({}, server.io);
    await manager.boot();
    const client = await server.connect();
    manager
      .registerService(new Step("S1", steps))
      .registerHandler(new EchoHandler("H1", steps))
      .registerController(new ShoutController(steps));
    await manager.settled();
    expect(steps).toEqual(["+S1", "+H1", "+shout"]);
    expect(await client.emitWithAck("echo", 1)).toEqual({ by: "H1", value: 1 });
    expect(await client.emitWithAck("shout", "a")).toBe("A");
    await manager.shutdown();
    expect(steps.slice(3)).toEqual(["-shout", "-H1", "-S1"]);
  });

  it("is degraded, and goes on, when what is registered after boot fails to start, until that starts after all", async () => {
    const { manager, steps, log } = make();
    await manager.boot();
    const service = new Step("S1", steps);
    service.starting = () => Promise.reject(new Error("no database"));
    manager.registerService(service).registerService(new Step("S2", steps));
    await manager.settled();
    expect(steps).toEqual(["+S1", "+S2"]);
    expect(manager.health()).toMatchObject({
      status: "degraded",
      ready: true,
      failures: [{ kind: "service", name: "S1", phase: "start", reason: "Error: no database" }],
    });
    expect(log.lines).toMatchObject([{ level: "error", message: "a service failed to start" }]);

    service.starting = () => {};
    await service.start();
    expect(manager.health()).toMatchObject({ status: "ok", failures: [] });
    await service.stop();
    await manager.shutdown();
  });

  it("waits for the next boot when it comes during a shutdown", async () => {
    const { manager, steps } = make();
    await manager.boot();
    const shutdown = manager.shutdown();
    manager.registerService(new Step("S1", steps));
    await shutdown;
    expect(steps).toEqual([]);
    await manager.boot();
    expect(steps).toEqual(["+S1"]);
    await manager.shutdown();
  });

  it("drops what was registered late when the shutdown comes first", async () => {
    const { manager, steps } = make();
    await manager.boot();
    const first = new Step("S1", steps);
    const begun = deferred();
    first.starting = () => {
      begun.resolve();
      return new Promise((resolve) => first.signal.addEventListener("abort", resolve));
    };
    first.stopping = () => Promise.reject(new Error("stuck"));
    manager.registerService(first).registerService(new Step("S2", steps));
    await begun.promise;
    await manager.shutdown();
    expect(steps).toEqual(["+S1", "-S1"]);
    expect(manager.health().failures).toMatchObject([{ name: "S1", phase: "stop", reason: "Error: stuck" }]);
  });
});

describe("when something fails to start", () => {
  it("stops what it started, in reverse, and rejects with an error that names the culprit", async () => {
    const { manager, steps } = make();
    const failure = new Error("no database");
    const third = new Step("S3", steps);
    third.starting = () => Promise.reject(failure);
    manager
      .registerService(new Step("S1", steps))
      .registerService(new Step("S2", steps))
      .registerService(third)
      .registerHandler(new EchoHandler("H1", steps));
    const error = await manager.boot().catch((thrown: unknown) => thrown);
    expect(error).toEqual(new Error('boot failed: service "S3" did not start: Error: no database'));
    expect((error as Error).cause).toBe(failure);
    expect(steps).toEqual(["+S1", "+S2", "+S3", "-S2", "-S1"]);
    expect(manager.health()).toMatchObject({ status: "stopped", failures: [{ name: "S3", phase: "start" }] });

    third.starting = () => {};
    await manager.boot();
    expect(manager.health()).toMatchObject({ status: "ok", failures: [] });
    expect(steps.slice(5)).toEqual(["+S1", "+S2", "+S3", "+H1"]);
    await manager.shutdown();
  });

  it("names a handler that can't be set up", async () => {
    const { manager, steps } = make();
    const handler = new EchoHandler("H2", steps);
    handler.settingUp = () => Promise.reject(new Error("no"));
    manager.registerHandler(new EchoHandler("H1", steps)).registerHandler(handler);
    await expect(manager.boot()).rejects.toThrow('boot failed: handler "H2" did not start: Error: no');
    expect(steps).toEqual(["+H1", "+H2", "-H1"]);
    expect(manager.describe().events).toEqual([]);
    await manager.shutdown();
  });

  it("names what a service requires and does not find", async () => {
    const { manager, steps } = make();
    manager.registerService(new Step("S1", steps, ["db"]));
    await expect(manager.boot()).rejects.toThrow(
      'service "S1" did not start: Error: it requires "db", but no such service is registered and nothing was provided under this key',
    );
    expect(steps).toEqual([]);
    manager.provide("db", 1);
    await manager.boot();
    await manager.shutdown();
  });

  it("boots on when told to continue: the failed service is not found, the rest starts, and health is degraded and says why", async () => {
    const { manager, steps } = make({ onStartFailure: "continue" });
    const first = new Step("S1", steps);
    first.starting = () => Promise.reject(new Error("no database"));
    manager
      .registerService(first)
      .registerService(new Step("S2", steps))
      .registerService(new Step("S3", steps, ["S1"]))
      .registerHandler(new EchoHandler("H1", steps));
    await manager.boot();
    expect(manager.resolve("S1")).toBeUndefined();
    expect(steps).toEqual(["+S1", "+S2", "+H1"]);
    expect(manager.health()).toMatchObject({
      status: "degraded",
      ready: true,
      services: [
        { name: "S1", status: "failed", reason: "Error: no database" },
        { name: "S2", status: "ok" },
        { name: "S3", status: "idle" },
      ],
      failures: [
        { kind: "service", name: "S1", phase: "start", reason: "Error: no database" },
        { kind: "service", name: "S3", phase: "start", reason: 'Error: it requires "S1", which did not start' },
      ],
    });
    await manager.shutdown();
    expect(steps.slice(3)).toEqual(["-H1", "-S2"]);
  });
});

describe("servers", () => {
  it("binds waiting handlers and controllers to a server that is attached after boot", async () => {
    const { manager } = make();
    await manager.registerHandler(new EchoHandler("H1")).registerController(new ShoutController()).boot();
    await using server = await serve();
    const client = await server.connect();
    expect(manager.io).toBeUndefined();
    expect(manager.attach(server.io).attach(server.io)).toBe(manager);
    expect(manager.io).toBe(server.io);
    expect(await client.emitWithAck("echo", 1)).toEqual({ by: "H1", value: 1 });
    expect(await client.emitWithAck("shout", "a")).toBe("A");
    await manager.shutdown();
  });

  it("lets no event reach a controller before its onStart has finished", async () => {
    await using server = await serve();
    const { manager } = make({}, server.io);
    const controller = new ShoutController();
    const gate = deferred();
    const begun = deferred();
    controller.starting = () => {
      begun.resolve();
      return gate.promise;
    };
    const boot = manager.registerController(controller).boot();
    const client = await server.connect();
    await begun.promise;
    expect(await client.emitWithAck("shout", "a")).toMatchObject({ error: { code: "UNKNOWN_EVENT" } });
    gate.resolve();
    await boot;
    expect(await client.emitWithAck("shout", "a")).toBe("A");
    await manager.shutdown();
  });

  it("tears a handler down that a service adopted, when the service stops", async () => {
    await using server = await serve();
    const { manager, steps } = make({}, server.io);
    const service = new Step("S1", steps);
    service.starting = () => service.adopt(new EchoHandler("H1", steps)).setup();
    await manager.registerService(service).boot();
    const client = await server.connect();
    expect(await client.emitWithAck("echo", 1)).toEqual({ by: "H1", value: 1 });
    await service.stop();
    expect(steps).toEqual(["+S1", "+H1", "-S1", "-H1"]);
    expect(await client.emitWithAck("echo", 1)).toMatchObject({ error: { code: "UNKNOWN_EVENT" } });
    await manager.shutdown();
  });

  it("lets a handler require what was provided, and names the key when nothing was", async () => {
    const { manager } = make();
    const handler = new EchoHandler("H1");
    manager.registerHandler(handler);
    expect(() => handler.require("db")).toThrow(/^"db" is required/);
    expect(handler.resolve("db")).toBeUndefined();
    manager.provide("db", 7);
    expect(handler.require("db")).toBe(7);
    expect(await manager.waitFor("db")).toBe(7);
    expect(manager.require("db")).toBe(7);
  });

  it("says of a controller its status, name and events, and its server is the manager's, or undefined", async () => {
    const { manager } = make();
    const controller = new ShoutController();
    expect(controller.io).toBeUndefined();
    manager.registerController(controller);
    expect(controller.health()).toMatchObject({ name: "shout", status: "idle", events: ["shout"] });
    const io = new Server();
    manager.attach(io);
    expect(controller.io).toBe(io);
    await manager.boot();
    expect(manager.health().controllers).toMatchObject([{ name: "shout", status: "ok", events: ["shout"] }]);
    await manager.shutdown();
  });

  it("leaves a server it is not to close, and serves it again at the next boot", async () => {
    await using server = await serve();
    const own = vi.fn<(socket: Socket) => void>();
    server.io.on("connection", own);
    const { manager } = make({ closeServer: false }, server.io);
    await manager.registerHandler(new EchoHandler("H1")).boot();
    const client = await server.connect();
    await manager.shutdown();
    expect(client.connected).toBe(true);
    expect(own).toHaveBeenCalledOnce();
    await manager.boot();
    expect(await client.emitWithAck("echo", 1)).toEqual({ by: "H1", value: 1 });
    await manager.shutdown();
  });

  it("closes a server that was never attached to anything", async () => {
    const { manager } = make({}, new Server());
    await manager.boot();
    expect((await manager.shutdown()).failures).toEqual([]);
  });

  it("leaves no listener of its own behind", async () => {
    await using server = await serve();
    const count = () =>
      [server.io.of("/"), server.io.engine, server.httpServer].map((emitter) =>
        emitter.eventNames().reduce((sum, name) => sum + emitter.listenerCount(name), 0),
      );
    const before = count();
    const { manager } = make({ closeServer: false }, server.io);
    manager.registerHandler(new EchoHandler("H1"));
    for (let life = 0; life < 3; life++) {
      await manager.boot();
      const client = await server.connect();
      await client.emitWithAck("echo", 1);
      await manager.shutdown();
      expect(count()).toEqual(before);
    }
  });
});

describe("options", () => {
  it("passes the options of an ingress on to the one it makes", () => {
    const { manager } = make({ timeoutMs: 5, reply: "first" });
    expect(manager.ingress).toBeInstanceOf(SocketIngress);
    expect(() => make({ timeoutMs: Number.NaN })).toThrow(TypeError);
    expect(() => make({ nonsense: 1 } as never)).toThrow(/nonsense/);
  });

  it("works with an ingress of your own, and with its server", async () => {
    await using server = await serve();
    const ingress = new SocketIngress().attach(server.io);
    ingress.on("ping", () => "pong");
    const manager = new ServiceManager(undefined, { logger: recordingLog(), ingress });
    expect(manager.ingress).toBe(ingress);
    expect(manager.io).toBe(server.io);
    const client = await server.connect();
    expect(await client.emitWithAck("ping")).toBe("pong");
    const gone = new Promise((resolve) => client.once("disconnect", resolve));
    await manager.shutdown();
    await gone;
  });

  it("names an option that does not fit", () => {
    const ingress = new SocketIngress({ logger: recordingLog() });
    expect(() => make({ onStartFailure: "ignore" as never })).toThrow(
      'ServiceManager: onStartFailure must be "abort" or "continue", got "ignore"',
    );
    expect(() => make({ closeServer: 1 as never })).toThrow("ServiceManager: closeServer must be true or false, got 1");
    expect(() => make({ ingress: {} as never })).toThrow(
      "ServiceManager: ingress must be a SocketIngress, got an object",
    );
    expect(() => make({ ingress, timeoutMs: 5 })).toThrow(
      "ServiceManager expects an ingress or options for the one it makes, got both: timeoutMs",
    );
    expect(() => new ServiceManager({} as never, { logger: recordingLog() })).toThrow(TypeError);
  });
});

describe("health and describe", () => {
  it("is degraded by the background work of a service, and by a health() that throws", async () => {
    const { manager } = make();
    const broken = new Step("S1");
    broken.health = () => {
      throw new Error("ill");
    };
    await manager.registerService(broken).boot();
    expect(manager.health()).toMatchObject({
      status: "degraded",
      services: [{ name: "S1", status: "degraded", failures: 0, reason: "health() failed: Error: ill" }],
      failures: [],
    });
    await manager.shutdown();

    const other = make();
    const working = new Step("S1");
    await other.manager.registerService(working).boot();
    working.spawn(() => Promise.reject(new Error("died")));
    await vi.waitFor(() => expect(other.manager.health().status).toBe("degraded"));
    await other.manager.shutdown();
  });

  it("tells what there is and who listens to what, in order", async () => {
    const { manager } = make();
    manager
      .registerService(new Step("S1", [], ["S2"]))
      .registerService(new Step("S2"))
      .registerHandler(new EchoHandler("H1"))
      .registerController(new ShoutController());
    await manager.boot();
    expect(manager.describe()).toEqual({
      services: [
        { name: "S1", class: "Step", requires: ['"S2"'] },
        { name: "S2", class: "Step", requires: [] },
      ],
      controllers: [{ name: "shout", class: "ShoutController", requires: [] }],
      handlers: [{ name: "H1", class: "EchoHandler", requires: [] }],
      events: [
        expect.objectContaining({ event: "echo", handler: "H1", method: "handleEcho" }),
        expect.objectContaining({ event: "shout", handler: "shout", method: "onShout" }),
      ],
      builtIn: [],
      beforeEvents: [],
      features: [],
      booted: true,
      settings: expect.objectContaining({ reply: "last", timeoutMs: 30_000, maxInFlight: 100, maxPending: 1_000 }),
    });
    await manager.shutdown();
  });

  it("takes services and controllers whatever their state is", async () => {
    class Counter extends Service<{ n: number }> {
      readonly name = "counter";
      override state = { n: 0 };
    }
    type App = Server<{ ping(reply: (n: number) => void): void }>;
    class Pings extends Controller<App, { pings: number }> {
      readonly name = "pings";
      override state = { pings: 0 };
      override buildEvents(handler: ControllerHandler<App>) {
        handler.on("ping", () => 1);
      }
    }
    const manager = new ServiceManager<App>(undefined, { logger: recordingLog() });
    await manager.registerService(new Counter()).registerController(new Pings()).boot();
    expect(manager.require(Counter).state.n).toBe(0);
    expect(await manager.ingress.dispatch("ping", {})).toBe(1);
    await manager.shutdown();
  });

  it("shares nothing with another manager of the process", async () => {
    const [one, two] = [make(), make()];
    one.manager.provide("db", 1);
    const heard = vi.fn<() => void>();
    two.manager.bus.listen("tick", heard);
    one.manager.bus.emit("tick");
    expect(two.manager.resolve("db")).toBeUndefined();
    expect(heard).not.toHaveBeenCalled();
    await Promise.all([one.manager.shutdown(), two.manager.shutdown()]);
  });
});
