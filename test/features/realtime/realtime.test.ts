import type { Server } from "socket.io";
import { describe, expect, it, vi } from "vitest";
import { type ControllerHandler, type EventContext, ServiceManager, SocketIngress } from "socket-ingress";
import { everyone, Realtime, RealtimeController, RealtimeService, user } from "socket-ingress/realtime";
import { recordingLog } from "../../fixtures/recording-log.js";
import { serve } from "../../fixtures/serve.js";
import { deferred, open, record } from "./door.js";

class Items extends RealtimeController {
  readonly name = "items";
  override buildEvents(handler: ControllerHandler): void {
    handler.on("add_item", this.addItem);
  }
  private addItem(context: EventContext, item: string): { added: string } {
    void this.emitSocket("items_changed", { item }, { except: user("nobody") });
    void this.emitSocketRefetch("get_items", { event: "items_changed" });
    void this.notify(context, everyone(), item, { event: "Added" });
    void this.sendTo(everyone(), item);
    return { added: item };
  }
}

class Prices extends RealtimeService {
  readonly name = "prices";
  override onStart(): void {
    this.interval(() => this.emitSocket("price", 1), 5);
  }
}

describe("controllers and services", () => {
  it("push by themselves, through the door of their manager", async () => {
    await using door = await open({
      before: (manager) => {
        manager.registerService(new Prices()).registerController(new Items());
      },
    });
    const client = await door.enter();
    expect(await client.socket.emitWithAck("add_item", "apple")).toEqual({ added: "apple" });
    await client.next("price");
    expect(client.got("items_changed")).toEqual([{ item: "apple" }]);
    expect(client.got("ingress:refetch")).toEqual([{ action: "get_items", event: "items_changed" }]);
    expect(client.got("ingress:notify")).toEqual([{ event: "Added", data: "apple" }, { data: "apple" }]);
  });

  it("without a door are told so", async () => {
    await using served = await serve();
    const log = recordingLog();
    const manager = new ServiceManager(served.io, { logger: log }).registerController(new Items());
    await manager.boot();
    const client = await served.connect();
    expect(await client.emitWithAck("add_item", "apple")).toMatchObject({ error: { code: "INTERNAL" } });
    await manager.shutdown({ graceMs: 10 });
    const errors = log.lines.flatMap(({ fields }) => (fields["err"] instanceof Error ? [fields["err"].message] : []));
    expect(errors.join()).toContain("Realtime");
  });
});

describe("the door", () => {
  it("serves a namespace of its own, beside others", async () => {
    await using served = await serve();
    const ingress = new SocketIngress({ logger: recordingLog() }).attach(served.io);
    ingress.subscribe("sync", () => true).call(undefined);
    const [main, chat] = [new Realtime(), new Realtime({ namespace: "chat" })];
    await main.setup(served.io);
    await chat.setup(served.io);
    chat.topics.define("t", { public: true });
    const client = record(served.client({ namespace: "/chat" }));
    const other = record(served.client());
    const both = [client, other].map(({ socket }) => new Promise<void>((resolve) => socket.once("connect", resolve)));
    client.socket.connect();
    other.socket.connect();
    await Promise.all(both);
    expect(await client.join("t")).toEqual({});
    await main.emitSocket("e", "main");
    await chat.emitSocket("e", "chat", { topic: "t" });
    expect(await client.next("e")).toBe("chat");
    expect(await other.next("e")).toBe("main");
    expect(client.got("e")).toEqual(["chat"]);
    await Promise.all([main.teardown(), chat.teardown()]);
  });

  it("takes in sockets that were there before their server was attached", async () => {
    await using served = await serve();
    const early = record(await served.connect({ auth: { user: "early" } }));
    const manager = new ServiceManager(undefined, { logger: recordingLog() });
    const realtime = new Realtime({ user: ({ handshake }) => handshake.auth["user"] as string });
    const chat = new Realtime({ namespace: "/chat" });
    await manager.registerHandler(realtime).registerHandler(chat).boot();
    manager.attach(served.io);
    await realtime.emitSocket("e", 1, everyone());
    await realtime.emitSocket("e", 2, user("early"));
    expect(await early.next("e")).toBe(1);
    expect(await early.next("e")).toBe(2);
    await manager.shutdown({ graceMs: 10 });
  });

  it("is one to a namespace: a second is refused and leaves nothing behind", async () => {
    await using door = await open();
    const second = new Realtime();
    await expect(second.setup(door.served.io)).rejects.toThrow(/already/);
    expect(second.registered).toBe(false);
    const client = await door.enter();
    await door.realtime.emitSocket("e", 1);
    await client.caughtUp();
    expect(client.got("e")).toEqual([1]);
  });

  it("works with a server that is attached after the boot", async () => {
    const log = recordingLog();
    const manager = new ServiceManager(undefined, { logger: log });
    const realtime = new Realtime({ user: ({ handshake }) => handshake.auth["user"] as string });
    realtime.topics.define("t", { public: true });
    await manager.registerHandler(realtime).boot();
    await using served = await serve((io: Server) => void manager.attach(io));
    const client = record(served.client({ auth: { user: "ada" } }));
    client.socket.connect();
    expect(await client.join("t")).toEqual({});
    await realtime.emitSocket("e", 1, user("ada"));
    expect(await client.next("e")).toBe(1);
    await manager.shutdown({ graceMs: 10 });
  });

  it("leaves nothing behind after any number of lives", async () => {
    await using served = await serve();
    const namespace = served.io.of("/");
    const client = await served.connect();
    const serverSide = served.serverSide(client);
    const listeners = (): number[] => [
      ...[namespace, namespace.adapter, serverSide, process].map((emitter) =>
        (emitter as NodeJS.EventEmitter)
          .eventNames()
          .reduce((sum, name) => sum + (emitter as NodeJS.EventEmitter).listenerCount(name), 0),
      ),
    ];
    const before = listeners();
    const realtime = new Realtime({ user: () => "ada", session: () => "S" });
    realtime.topics.define("t", { public: true, presence: true });
    for (let life = 0; life < 20; life++) {
      await realtime.setup(served.io);
      expect(await client.emitWithAck("ingress:join", "t")).toMatchObject({ presence: { state: ["ada"] } });
      realtime.watchForDropout("grace", () => undefined, 60_000);
      await realtime.teardown();
    }
    // The middleware of an ingress stays, since Socket.IO can't take one off again; listeners do not.
    expect(listeners()).toEqual(before);
    expect([...serverSide.rooms]).toEqual([serverSide.id]);
    expect(realtime.stats()).toMatchObject({ pushes: 0, waiting: 0, watched: 0 });
  });

  it("sees to a socket whose interceptors take their time", async () => {
    const slow = async (_context: unknown, next: () => Promise<unknown>): Promise<unknown> => {
      await new Promise((resolve) => setImmediate(resolve));
      return next();
    };
    await using door = await open({ ingress: { use: [slow] }, presence: { graceMs: 10 } });
    door.realtime.topics.define("t", { public: true, presence: true });
    const [ada, grace] = [await door.enter({ user: "ada" }), await door.enter({ user: "grace" })];
    await grace.join("t");
    await ada.join("t");
    const dropped = deferred();
    door.realtime.watchForDropout("ada", dropped.resolve, 0);
    ada.socket.disconnect();
    await dropped.promise;
    await vi.waitFor(() => expect(grace.got("ingress:presence").at(-1)).toMatchObject({ topic: "t", left: ["ada"] }));
  });

  it.each<[string, object]>([
    ["namespace", { namespace: "" }],
    ["namespace", { namespace: /x/ }],
    ["user", { user: "ada" }],
    ["session", { session: 5 }],
    ["topicMaxLength", { topicMaxLength: 0 }],
    ["topicsPerSocket", { topicsPerSocket: 1.5 }],
    ["presence.graceMs", { presence: { graceMs: -1 } }],
    ["presence.heartbeatMs", { presence: { heartbeatMs: 0 } }],
    ["calls.windowMs", { calls: { windowMs: 0 } }],
  ])("refuses a wrong %s when it is made", (name, options) => {
    expect(() => new Realtime(options)).toThrow(TypeError);
    expect(() => new Realtime(options)).toThrow(name);
  });

  it("says what is missing when it is used before it is set up", async () => {
    const realtime = new Realtime();
    expect(() => realtime.watchForDropout("ada", () => undefined, 1)).toThrow(/not set up/);
    expect(() => realtime.revoke("ada")).toThrow(/not set up/);
    await expect(realtime.enroll(everyone(), "ada")).rejects.toThrow(/not set up/);
    expect(realtime.list("t")).toEqual([]);
    expect(await realtime.count(everyone())).toEqual({ sockets: 0, nodes: 0, complete: true });
  });

  it("is told apart from the application's own events by a manager", async () => {
    await using served = await serve();
    const manager = new ServiceManager(served.io, { logger: recordingLog() });
    manager.registerHandler(new Realtime());
    await manager.boot();
    manager.ingress.on("mine", () => 1);
    const { events, builtIn } = manager.describe();
    expect(events.map(({ event }) => event)).toEqual(["mine"]);
    expect(builtIn.map(({ event }) => event)).toEqual(expect.arrayContaining(["connection", "ingress:join"]));
    await manager.shutdown();
  });

  it("speaks only event names that begin with ingress:", async () => {
    await using door = await open();
    const names = door.ingress
      .describe()
      .filter(({ handler }) => handler === "realtime")
      .map(({ event }) => event);
    expect(names.filter((name) => !name.startsWith("ingress:")).sort()).toEqual(["connection", "disconnecting"]);
  });
});
