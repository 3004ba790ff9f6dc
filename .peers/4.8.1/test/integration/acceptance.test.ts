import { describe, expect, it } from "vitest";
import {
  Controller,
  type ControllerHandler,
  type EventContext,
  EventError,
  type EventMap,
  Handler,
  ServiceManager,
  SocketIngress,
} from "socket-ingress";
import { deferred } from "../fixtures/deferred.js";
import { codeOf, serveIngress } from "../fixtures/ingress.js";
import { recordingLog } from "../fixtures/recording-log.js";
import { serve } from "../fixtures/serve.js";

// The cases a newcomer would try first, one behaviour each, over real sockets. What is tested beside its class is not repeated here.

class Heart extends Handler {
  readonly name: string = "heart";
  readonly events = { heartbeat: "beat" } satisfies EventMap<Heart>;
  readonly beats: unknown[][] = [];
  beat(_context: EventContext, ...args: unknown[]) {
    this.beats.push(args);
    return { ok: true };
  }
}

describe("a handler", () => {
  it("runs the method of an event once, with what the client sent", async () => {
    await using app = await serve();
    const heart = new Heart();
    await heart.setup(app.io);
    const client = await app.connect();
    client.emit("heartbeat", { a: 1 });
    await client.emitWithAck("a round trip");
    expect(heart.beats).toEqual([[{ a: 1 }]]);
    await heart.teardown();
  });

  it("answers with what the method returns", async () => {
    await using app = await serve();
    const heart = new Heart();
    await heart.setup(app.io);
    expect(await (await app.connect()).emitWithAck("heartbeat")).toEqual({ ok: true });
    await heart.teardown();
  });

  it("passes on as many arguments as the client sent, too few or too many, without shifting the context", async () => {
    await using app = await serve();
    const heart = new Heart();
    await heart.setup(app.io);
    const client = await app.connect();
    await client.emitWithAck("heartbeat");
    await client.emitWithAck("heartbeat", 1, null, "three", [4], { five: 5 });
    expect(heart.beats).toEqual([[], [1, null, "three", [4], { five: 5 }]]);
    await heart.teardown();
  });

  it("that is set up twice runs its method once for one event", async () => {
    await using app = await serve();
    const heart = new Heart();
    await heart.setup(app.io);
    await heart.setup(app.io);
    await (await app.connect()).emitWithAck("heartbeat", 1);
    expect(heart.beats).toEqual([[1]]);
    await heart.teardown();
  });

  it("serves clients that were connected before it was set up as well as later ones, once each", async () => {
    await using app = await serve();
    const early = await app.connect();
    const heart = new Heart();
    await heart.setup(app.io);
    const late = await app.connect();
    await early.emitWithAck("heartbeat", "early");
    await late.emitWithAck("heartbeat", "late");
    expect(heart.beats).toEqual([["early"], ["late"]]);
    await heart.teardown();
  });

  it("that was set up, torn down and set up again runs its method exactly once", async () => {
    await using app = await serve();
    const heart = new Heart();
    const client = await app.connect();
    await heart.setup(app.io);
    await heart.teardown();
    await heart.setup(app.io);
    await client.emitWithAck("heartbeat", 1);
    expect(heart.beats).toEqual([[1]]);
    await heart.teardown();
  });

  it("is registered inside onSetup, and serves every event already", async () => {
    await using app = await serve();
    const client = await app.connect();
    const seen: unknown[] = [];
    class Eager extends Heart {
      protected override async onSetup() {
        seen.push(this.registered, await client.emitWithAck("heartbeat"));
      }
    }
    const eager = new Eager();
    await eager.setup(app.io);
    expect(seen).toEqual([true, { ok: true }]);
    await eager.teardown();
  });

  it("closes what it owns once at teardown, by whatever way there is", async () => {
    await using app = await serve();
    const heart = new Heart();
    await heart.setup(app.io);
    const closed: string[] = [];
    const ways = ["close", "stop", "disconnect", "destroy", "terminate", "kill", Symbol.dispose, Symbol.asyncDispose];
    for (const way of ways) heart.own({ [way]: () => closed.push(String(way)) });
    expect(heart.own(null)).toBeNull();
    expect(() => heart.own({ halt: () => undefined })).toThrow(TypeError);
    await heart.teardown();
    await heart.teardown();
    expect(closed).toEqual(ways.map(String).reverse());
  });

  it("is told of a disconnect once, with the reason, and the rooms are complete while it is disconnecting", async () => {
    const told: unknown[] = [];
    const done = deferred();
    class Presence extends Handler {
      readonly name = "presence";
      readonly events = { join: "join", disconnecting: "leaving", disconnect: "left" } satisfies EventMap<Presence>;
      async join({ socket }: EventContext, ...rooms: string[]) {
        await socket.join(rooms);
        return rooms.length;
      }
      leaving({ socket }: EventContext, reason: string) {
        told.push(["disconnecting", reason, [...socket.rooms].filter((room) => room !== socket.id)]);
      }
      left({ socket }: EventContext, reason: string) {
        told.push(["disconnect", reason, socket.rooms.size]);
        done.resolve();
      }
    }
    await using app = await serve();
    const presence = new Presence();
    await presence.setup(app.io);
    const client = await app.connect();
    await client.emitWithAck("join", "a", "b");
    client.disconnect();
    await done.promise;
    expect(told).toEqual([
      ["disconnecting", "client namespace disconnect", ["a", "b"]],
      ["disconnect", "client namespace disconnect", 0],
    ]);
    await presence.teardown();
  });
});

describe("an ingress", () => {
  it("runs both handlers that bind one event, once each, and they share one listener", async () => {
    await using app = await serve();
    class Other extends Heart {
      override readonly name = "other";
    }
    const [one, two] = [new Heart(), new Other()];
    await Promise.all([one.setup(app.io), two.setup(app.io)]);
    const client = await app.connect();
    await client.emitWithAck("heartbeat", 1);
    expect([one.beats, two.beats]).toEqual([[[1]], [[1]]]);
    expect(app.serverSide(client).listenerCount("heartbeat")).toBe(1);
    await Promise.all([one.teardown(), two.teardown()]);
  });

  it("runs priorities 100, 10 and 50 as 10, 50, 100; negative and zero come before", async () => {
    await using app = await serveIngress();
    const order: string[] = [];
    const priorities = { A: 100, B: 10, C: 50, zero: 0, negative: -1 };
    for (const [name, priority] of Object.entries(priorities)) {
      app.ingress.subscribe("message", () => void order.push(name), { priority });
    }
    app.ingress.subscribe("message", () => void order.push("default"));
    await (await app.connect()).emitWithAck("message");
    expect(order).toEqual(["negative", "zero", "B", "C", "A", "default"]);
  });

  it("runs the others when one throws, and the log line names the event and the handler", async () => {
    const ran: string[] = [];
    class Broken extends Handler {
      readonly name = "broken";
      readonly events = { message: "handle" } satisfies EventMap<Broken>;
      handle() {
        throw new Error("boom");
      }
    }
    await using app = await serveIngress();
    app.ingress.subscribe("message", () => void ran.push("A"), { priority: 1 });
    await new Broken().setup(app.io);
    app.ingress.subscribe("message", () => void ran.push("C"), { priority: 200 });
    await (await app.connect()).emitWithAck("message");
    expect(ran).toEqual(["A", "C"]);
    expect(app.log.lines).toMatchObject([
      { level: "error", message: 'broken.handle failed on "message"', fields: { event: "message", handler: "broken" } },
    ]);
  });

  for (const [results, reply, expected] of [
    [[undefined, false, undefined], "last", false],
    [["a", "b", undefined], "last", "b"],
    [["a", "b", undefined], "first", "a"],
  ] as const) {
    it(`answers ${JSON.stringify(expected)} to ${JSON.stringify(results)} with reply: "${reply}"`, async () => {
      await using app = await serveIngress({ reply });
      for (const result of results) app.ingress.subscribe("message", () => result);
      expect(await (await app.connect()).emitWithAck("message")).toBe(expected);
    });
  }

  it("stops a subscriber by the function that subscribe returned; called again it does nothing", async () => {
    await using app = await serveIngress();
    let runs = 0;
    const off = app.ingress.subscribe("x", () => ++runs);
    app.ingress.subscribe("x", () => "other");
    const client = await app.connect();
    await client.emitWithAck("x");
    off();
    off();
    expect(await client.emitWithAck("x")).toBe("other");
    expect(runs).toBe(1);
  });

  it("runs a function that was subscribed twice and undone once, once per event", async () => {
    await using app = await serveIngress();
    let runs = 0;
    const subscriber = (): number => ++runs;
    const off = app.ingress.subscribe("x", subscriber);
    app.ingress.subscribe("x", subscriber);
    const client = await app.connect();
    expect(await client.emitWithAck("x")).toBe(2);
    off();
    off();
    expect(await client.emitWithAck("x")).toBe(3);
  });

  it("runs a subscriber that was subscribed during a dispatch from the next event on", async () => {
    await using app = await serveIngress();
    const ran: string[] = [];
    const off = app.ingress.subscribe("x", () => {
      off();
      app.ingress.subscribe("x", () => void ran.push("new"));
      ran.push("old");
    });
    const client = await app.connect();
    await client.emitWithAck("x");
    expect(ran).toEqual(["old"]);
    await client.emitWithAck("x");
    expect(ran).toEqual(["old", "new"]);
  });

  it("serves what was subscribed before it was attached, once, however often the same server is attached", async () => {
    let runs = 0;
    const ingress = new SocketIngress({ logger: recordingLog() }).on("x", () => ++runs);
    await using app = await serve((io) => void ingress.attach(io).attach(io));
    const client = await app.connect();
    ingress.attach(app.io);
    expect(await client.emitWithAck("x")).toBe(1);
    await ingress.detach();
  });

  it("refuses a connection at once when a connect subscriber refuses, whatever the others say, with its code", async () => {
    await using app = await serveIngress();
    app.ingress.subscribe("connect", () => true, { priority: 1 });
    app.ingress.subscribe("connect", ({ socket }) => {
      if (socket.handshake.auth["banned"] === true) throw new EventError("FORBIDDEN", "you are banned");
    });
    app.ingress.subscribe("connect", async () => true, { priority: 200 });
    expect((await app.connect()).connected).toBe(true);
    await expect(app.connect({ auth: { banned: true } })).rejects.toMatchObject({
      message: "you are banned",
      data: { code: "FORBIDDEN" },
    });
  });
});

describe("a controller", () => {
  it("runs the callback of priority 10 before that of 50, declared in one chain", async () => {
    const order: number[] = [];
    class Chain extends Controller {
      readonly name = "chain";
      override buildEvents(handler: ControllerHandler): void {
        handler
          .on("a", () => void order.push(50), { priority: 50 })
          .on("a", () => void order.push(10), { priority: 10 })
          .on("b", () => "b");
      }
    }
    await using app = await serve();
    await using manager = new ServiceManager(app.io, { logger: recordingLog() }).registerController(new Chain());
    await manager.boot();
    const client = await app.connect();
    await client.emitWithAck("a");
    expect([order, await client.emitWithAck("b")]).toEqual([[10, 50], "b"]);
  });

  it("is asked for its events once however often its handler is read", () => {
    let asked = 0;
    class Counted extends Controller {
      readonly name = "counted";
      override buildEvents(handler: ControllerHandler): void {
        asked++;
        handler.on("a", () => 1);
      }
    }
    const counted = new Counted();
    expect(counted.handler).toBe(counted.handler);
    expect(counted.health()).toMatchObject({ name: "counted", events: ["a"] });
    expect(asked).toBe(1);
  });

  it("of a namespace hears the clients of that namespace only", async () => {
    const heard: unknown[] = [];
    class Admin extends Controller {
      readonly name = "admin";
      override readonly namespace = "/admin";
      override buildEvents(handler: ControllerHandler): void {
        handler.on("x", ({ namespace }, from: string) => heard.push([namespace, from]));
      }
    }
    await using app = await serve();
    await using manager = new ServiceManager(app.io, { logger: recordingLog() }).registerController(new Admin());
    await manager.boot();
    const [root, admin] = [await app.connect(), await app.connect({ namespace: "/admin" })];
    expect(codeOf(await root.emitWithAck("x", "root"))).toBe("UNKNOWN_EVENT");
    await admin.emitWithAck("x", "admin");
    expect(heard).toEqual([["/admin", "admin"]]);
  });
});
