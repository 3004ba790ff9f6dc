import { describe, expect, it, vi } from "vitest";
import { type EventContext, type EventMap, Handler, ServiceManager, Service } from "socket-ingress";
import { deferred } from "./fixtures/deferred.js";
import { codeOf } from "./fixtures/ingress.js";
import { recordingLog } from "./fixtures/recording-log.js";
import { serve } from "./fixtures/serve.js";

class Heart extends Handler {
  readonly name: string = "heart";
  readonly events: object = { heartbeat: "beat" } satisfies EventMap<Heart>;
  readonly beats: unknown[] = [];
  readonly calls: string[] = [];
  beat(_context: EventContext, beat: unknown) {
    this.beats.push(beat);
    return { ok: true };
  }
  protected override onSetup(): unknown {
    this.calls.push(`setup ${this.registered}`);
    return undefined;
  }
  protected override onTeardown(): unknown {
    this.calls.push(`teardown ${this.registered}`);
    return undefined;
  }
}

describe("a handler", () => {
  it("is set up once however often it is asked, torn down and set up again", async () => {
    await using app = await serve();
    const early = await app.connect();
    const heart = new Heart();
    expect([heart.registered, heart.io, heart.ingress]).toEqual([false, undefined, undefined]);
    await Promise.all([heart.setup(app.io), heart.setup(app.io)]);
    expect([heart.registered, heart.io]).toEqual([true, app.io]);
    const late = await app.connect();
    expect(await early.emitWithAck("heartbeat", { a: 1 })).toEqual({ ok: true });
    expect(await late.emitWithAck("heartbeat", { a: 2 })).toEqual({ ok: true });
    expect(heart.beats).toEqual([{ a: 1 }, { a: 2 }]);
    await Promise.all([heart.teardown(), heart.stop()]);
    await heart.teardown();
    expect(heart.calls).toEqual(["setup true", "teardown true"]);
    const down = heart.setup(app.io).then(() => heart.teardown());
    await down;
    const again = heart.setup(app.io);
    await again;
    expect(await late.emitWithAck("heartbeat", 3)).toEqual({ ok: true });
    expect(heart.beats.length).toBe(3);
    await heart[Symbol.asyncDispose]();
  });

  it("a setup asked for during a teardown comes after it", async () => {
    await using app = await serve();
    const heart = new Heart();
    await heart.setup(app.io);
    const down = heart.teardown();
    await heart.setup(app.io);
    await down;
    expect(heart.calls).toEqual(["setup true", "teardown true", "setup true"]);
    expect(heart.registered).toBe(true);
    await heart.teardown();
  });

  it("once teardown has resolved, no method of it is running or will run", async () => {
    await using app = await serve();
    const gate = deferred();
    const log: string[] = [];
    class Slow extends Handler {
      readonly name = "slow";
      readonly events = { x: "run" } satisfies EventMap<Slow>;
      async run() {
        log.push("begin");
        await gate.promise;
        log.push("end");
        return 1;
      }
    }
    const slow = new Slow();
    await slow.setup(app.io);
    app.io.on("connection", (socket) => void socket.on("ping", (pong: () => void) => pong()));
    const client = await app.connect();
    const reply = client.emitWithAck("x");
    await vi.waitFor(() => expect(log).toEqual(["begin"]));
    let down = false;
    const teardown = slow.teardown().then(() => (down = true));
    await client.emitWithAck("ping");
    expect(down).toBe(false);
    gate.resolve();
    await teardown;
    expect(log).toEqual(["begin", "end"]);
    expect(await reply).toBe(1);
  });

  it("a failing onSetup leaves nothing, tells its caller, and a second try works", async () => {
    await using app = await serve();
    let fails = true;
    const cleaned = vi.fn();
    class Picky extends Heart {
      protected override onSetup(): unknown {
        this.addCleanup(cleaned);
        if (fails) throw new Error("not yet");
        return undefined;
      }
    }
    const picky = new Picky();
    await expect(picky.setup(app.io)).rejects.toThrow("not yet");
    await picky.teardown();
    expect(cleaned).toHaveBeenCalledOnce();
    expect(app.io.sockets.listenerCount("connection")).toBe(0);
    fails = false;
    await picky.setup(app.io);
    expect(picky.registered).toBe(true);
    await picky.teardown();
  });

  it("a teardown during a setup that fails is over when that is", async () => {
    await using app = await serve();
    const gate = deferred();
    class Late extends Heart {
      protected override onSetup(): unknown {
        return gate.promise;
      }
    }
    const late = new Late();
    const up = late.setup(app.io);
    const down = late.teardown();
    gate.reject(new Error("no"));
    await expect(up).rejects.toThrow("no");
    await down;
    expect(late.registered).toBe(false);
  });

  it("onTeardown throws: the events are unbound and every cleanup runs all the same, in reverse", async () => {
    await using app = await serve();
    const log = recordingLog();
    const order: string[] = [];
    class Rough extends Heart {
      protected override onTeardown(): unknown {
        throw new Error("teardown");
      }
    }
    const rough = new Rough();
    await using manager = new ServiceManager(app.io, { logger: log }).registerHandler(rough);
    await manager.boot();
    rough.addCleanup(() => void order.push("first"));
    rough.addCleanup(() => {
      order.push("second");
      throw new Error("cleanup");
    });
    const forget = rough.addCleanup(() => void order.push("forgotten"));
    forget();
    const resource = { close: vi.fn() };
    expect(rough.own(resource)).toBe(resource);
    expect(rough.own(null)).toBeNull();
    expect(() => rough.own({})).toThrow(TypeError);
    await rough.teardown();
    expect(order).toEqual(["second", "first"]);
    expect(resource.close).toHaveBeenCalledOnce();
    const client = await app.connect();
    expect(codeOf(await client.emitWithAck("heartbeat"))).toBe("UNKNOWN_EVENT");
    expect(log.lines.filter(({ level }) => level === "error").map(({ fields }) => String(fields["err"]))).toEqual([
      "Error: teardown",
      "Error: cleanup",
    ]);
  });

  it("events by name, by reference and as objects; priorities from the map win over eventPriorities", async () => {
    await using app = await serve();
    class Mixed extends Handler {
      readonly name = "mixed";
      readonly order: string[] = [];
      readonly events = {
        a: "byName",
        disconnect: this.byReference,
        b: { run: "byName", priority: 5 },
        c: { run: (context: EventContext) => context.event },
      } satisfies EventMap<Mixed>;
      override readonly eventPriorities = { a: 10, b: 20 };
      byName({ event }: EventContext) {
        return `${event} ${this.name}`;
      }
      private byReference(_context: EventContext, reason: string) {
        this.order.push(reason);
      }
    }
    const mixed = new Mixed();
    await mixed.setup(app.io);
    const client = await app.connect();
    expect([await client.emitWithAck("a"), await client.emitWithAck("b"), await client.emitWithAck("c")]).toEqual([
      "a mixed",
      "b mixed",
      "c",
    ]);
    expect(mixed.ingress?.describe().map(({ event, priority, method }) => [event, priority, method])).toEqual([
      ["a", 10, "byName"],
      ["b", 5, "byName"],
      ["c", 100, "run"],
      ["disconnect", 100, "byReference"],
    ]);
    client.disconnect();
    await vi.waitFor(() => expect(mixed.order).toEqual(["client namespace disconnect"]));
    await mixed.teardown();
  });

  it("its interceptors are inside those of the ingress", async () => {
    const order: string[] = [];
    class Wrapped extends Heart {
      override readonly use = [
        (_context: EventContext, next: () => Promise<unknown>) => {
          order.push("handler");
          return next();
        },
      ];
    }
    await using app = await serve();
    await using manager = new ServiceManager(app.io, {
      logger: recordingLog(),
      use: [
        (_context, next) => {
          order.push("ingress");
          return next();
        },
      ],
    });
    manager.registerHandler(new Wrapped());
    await manager.boot();
    await (await app.connect()).emitWithAck("heartbeat");
    expect(order).toEqual(["ingress", "handler"]);
  });

  it("finds what its manager's registry holds; without a manager there is nothing", async () => {
    await using app = await serve();
    const alone = new Heart();
    expect(alone.resolve("db")).toBeUndefined();
    expect(() => alone.require("db")).toThrow(/db/);
    const managed = new Heart();
    await using manager = new ServiceManager(app.io, { logger: recordingLog() }).registerHandler(managed);
    manager.provide("db", { rows: 1 });
    expect(managed.require("db")).toEqual({ rows: 1 });
    expect(managed.resolve("db")).toEqual({ rows: 1 });
    expect(managed.io).toBe(app.io);
    expect(managed.log).toBe(managed.log);
  });

  it("owned by a service, is torn down when the service stops", async () => {
    await using app = await serve();
    class Parent extends Service {
      readonly name = "parent";
    }
    const parent = new Parent();
    const child = new Heart();
    await parent.start();
    parent.own(child);
    await child.setup(app.io);
    await parent.stop();
    expect(child.registered).toBe(false);
  });

  it("set up with its manager's server goes through the manager's ingress", async () => {
    await using app = await serve();
    await using manager = new ServiceManager(app.io, { logger: recordingLog() });
    const heart = new Heart();
    manager.registerHandler(heart);
    await heart.setup(app.io);
    expect(heart.ingress).toBe(manager.ingress);
    await heart.teardown();
  });
});

describe("a handler that is wired wrongly throws at setup, naming what, and a second, correct try works", () => {
  const cases: [string, (heart: Record<string, unknown>) => void, RegExp][] = [
    [
      "no name",
      (h) => void (h["name"] = undefined),
      /Heart: name must be a non-blank string, a field of the class; got undefined/,
    ],
    ["a blank name", (h) => void (h["name"] = " "), /name must be a non-blank string/],
    ["no events", (h) => void (h["events"] = undefined), /Heart "heart": events must be an object.*got undefined/],
    ["events as a list", (h) => void (h["events"] = ["a"]), /events must be an object/],
    [
      "an unknown method",
      (h) => void (h["events"] = { good: "beat", heartbeat: "baet" }),
      /event "heartbeat" names the method "baet", which Heart does not have; it has beat, onSetup, onTeardown/,
    ],
    [
      "a method of every handler",
      (h) => void (h["events"] = { x: "teardown" }),
      /names the method "teardown", which is every/,
    ],
    [
      "a method that takes the place of one of every handler",
      (h) => Object.assign(h, { stop: () => "stopped", events: { stop: "stop" } }),
      /event "stop" names the method "stop", which is every handler's own; give yours another name/,
    ],
    ["a method of Object", (h) => void (h["events"] = { x: "toString" }), /names the method "toString"/],
    [
      "a value that is nothing",
      (h) => void (h["events"] = { x: 5 }),
      /must name a method, be a function, or an object with one of them as run, got 5/,
    ],
    ["an object without run", (h) => void (h["events"] = { x: { priority: 1 } }), /as run, got undefined/],
    [
      "a wrong option",
      (h) => void (h["events"] = { good: "beat", x: { run: "beat", priority: "high" } }),
      /Heart|heart, event "x": priority must be/,
    ],
    ["a reserved event", (h) => void (h["events"] = { newListener: "beat" }), /"newListener" is reserved/],
    [
      "a priority for no event",
      (h) => void (h["eventPriorities"] = { heartbaet: 1 }),
      /eventPriorities names "heartbaet", which is not among its events/,
    ],
    ["priorities that are none", (h) => void (h["eventPriorities"] = "high"), /eventPriorities must be an object/],
    ["use", (h) => void (h["use"] = "auth"), /use must be an array of functions/],
    ["namespace", (h) => void (h["namespace"] = 5), /namespace must be a name like/],
  ];
  it.for(cases)("%s", async ([, spoil, message]) => {
    await using app = await serve();
    const heart = new Heart();
    const before = Object.assign({}, heart);
    spoil(heart as unknown as Record<string, unknown>);
    expect(() => heart.setup(app.io)).toThrow(message);
    expect(heart.registered).toBe(false);
    expect(app.io.sockets.listenerCount("connection")).toBe(0);
    delete (heart as { eventPriorities?: unknown }).eventPriorities;
    delete (heart as { use?: unknown }).use;
    Object.assign(heart, before);
    await heart.setup(app.io);
    expect(await (await app.connect()).emitWithAck("heartbeat")).toEqual({ ok: true });
    await heart.teardown();
  });

  it("no server and no manager, or something that is no server", () => {
    expect(() => new Heart().setup()).toThrow(/setup expects a Socket.IO server, or a manager/);
    expect(() => new Heart().setup({} as never)).toThrow(/setup expects a Socket.IO server, got an object/);
    expect(() => new Heart().setup(null as never)).toThrow(/got null/);
  });

  it("a handler without methods says so", async () => {
    await using app = await serve();
    class Empty extends Handler {
      readonly name = "empty";
      readonly events = { x: "gone" } as object;
    }
    expect(() => new Empty().setup(app.io)).toThrow(/it has none/);
  });
});
