import type { Socket } from "socket.io";
import { expect } from "vitest";
import { EventError, type EventContext, Handler, SocketIngress } from "socket-ingress";
import { recordingLog } from "../../fixtures/recording-log.js";
import type { Environment, Register } from "./environment.js";
import { deferred, Recorder, throwers } from "./fixtures.js";

/** Promises 1 to 8: who runs, when, and in which order. */
export function dispatchBehaviour({ start }: Environment, test: Register): void {
  test("a handler's method runs once with the arguments, and what it returns is the reply", async () => {
    await using running = await start();
    const handler = new Recorder();
    await handler.setup(running.io);
    const peer = await running.connect();
    expect(await peer.call("record", { a: 1 })).toEqual({ ok: true, count: 1 });
    expect(handler.calls).toEqual([[{ a: 1 }]]);
    expect(handler.contexts[0]?.socket).toBe(peer.server);
    expect(handler.contexts[0]?.event).toBe("record");
    expect(handler.contexts[0]?.namespace).toBe("/");
  });

  test("a handler set up twice runs once", async () => {
    await using running = await start();
    const handler = new Recorder();
    await Promise.all([handler.setup(running.io), handler.setup(running.io)]);
    await handler.setup(running.io);
    const peer = await running.connect();
    await peer.call("record", 1);
    expect(handler.calls).toHaveLength(1);
  });

  test("clients from before the setup are served as well as later ones, once each", async () => {
    await using running = await start();
    const before = await running.connect();
    const handler = new Recorder();
    await handler.setup(running.io);
    const after = await running.connect();
    await before.call("record", "before");
    await after.call("record", "after");
    expect(handler.calls).toEqual([["before"], ["after"]]);
  });

  test("set up, torn down and set up again, a handler runs once", async () => {
    await using running = await start();
    const peer = await running.connect();
    const handler = new Recorder();
    await handler.setup(running.io);
    await handler.teardown();
    await handler.setup(running.io);
    await peer.call("record", 1);
    expect(handler.calls).toHaveLength(1);
  });

  test("after the teardown nothing of a handler runs and no listener of it is left", async () => {
    await using running = await start();
    const ingress = new SocketIngress({ logger: recordingLog() }).attach(running.io);
    const peer = await running.connect();
    const handler = new Recorder();
    await handler.setup(running.io);
    await peer.call("record", 1);
    expect(peer.server.listenerCount("record")).toBe(1);
    await handler.teardown();
    expect(peer.server.listenerCount("record")).toBe(0);
    expect(await peer.call("record", 2)).toMatchObject({ error: { code: "UNKNOWN_EVENT" } });
    expect(handler.calls).toHaveLength(1);
    await ingress.detach();
  });

  test("however many subscribers there are, a socket carries one listener for an event, shared by all sockets", async () => {
    await using running = await start();
    const ingress = new SocketIngress({ logger: recordingLog() }).attach(running.io);
    const ran: number[] = [];
    for (let i = 0; i < 5; i++) ingress.subscribe("many", () => void ran.push(i));
    const [a, b] = [await running.connect(), await running.connect()];
    await a.call("many");
    await b.call("many");
    expect(ran).toEqual([0, 1, 2, 3, 4, 0, 1, 2, 3, 4]);
    expect(a.server.listenerCount("many")).toBe(1);
    expect(a.server.listeners("many")).toEqual(b.server.listeners("many"));
  });

  test("subscribers run by priority, lower first; ties keep the order of subscription, across handlers", async () => {
    await using running = await start();
    const ingress = new SocketIngress({ logger: recordingLog() }).attach(running.io);
    const order: string[] = [];
    const subscribe = (name: string, priority?: number): unknown =>
      ingress.subscribe("go", () => void order.push(name), priority === undefined ? {} : { priority });
    subscribe("default 1");
    subscribe("10", 10);
    subscribe("50", 50);
    subscribe("-1", -1);
    subscribe("0", 0);
    subscribe("100", 100);
    subscribe("default 2");
    subscribe("0.5", 0.5);
    const peer = await running.connect();
    await peer.call("go");
    expect(order).toEqual(["-1", "0", "0.5", "10", "50", "default 1", "100", "default 2"]);
  });

  test("a priority that is no finite number leaves nothing behind", async () => {
    await using running = await start();
    const ingress = new SocketIngress({ logger: recordingLog() }).attach(running.io);
    for (const priority of [Number.NaN, Number.POSITIVE_INFINITY, "high" as unknown as number]) {
      expect(() => ingress.subscribe("go", () => "ran", { priority })).toThrow(TypeError);
    }
    expect(ingress.describe()).toEqual([]);
    const peer = await running.connect();
    expect(await peer.call("go")).toMatchObject({ error: { code: "UNKNOWN_EVENT" } });
  });

  test("an asynchronous subscriber is awaited before the next one starts", async () => {
    await using running = await start();
    const ingress = new SocketIngress({ logger: recordingLog() }).attach(running.io);
    const gate = deferred();
    const order: string[] = [];
    ingress.subscribe("go", async () => {
      order.push("first starts");
      await gate.promise;
      order.push("first ends");
    });
    ingress.subscribe("go", () => void order.push("second"));
    const peer = await running.connect();
    const reply = peer.call("go");
    await peer.settle();
    expect(order).toEqual(["first starts"]);
    gate.resolve();
    await reply;
    expect(order).toEqual(["first starts", "first ends", "second"]);
  });

  for (const [what, thrown] of throwers) {
    test(`a subscriber that throws or rejects with ${what} stops neither the others nor the process`, async () => {
      await using running = await start();
      const ingress = new SocketIngress({ logger: recordingLog() }).attach(running.io);
      ingress.subscribe("go", () => {
        throw thrown();
      });
      ingress.subscribe("go", () => Promise.reject(thrown() as Error));
      ingress.subscribe("go", () => "others ran");
      const peer = await running.connect();
      expect(await peer.call("go")).toBe("others ran");
    });
  }

  test("stop keeps later subscribers from running", async () => {
    await using running = await start();
    const ingress = new SocketIngress({ logger: recordingLog() }).attach(running.io);
    const ran: string[] = [];
    ingress.subscribe("go", ({ stop: _stop, ...context }: EventContext) => void ran.push(typeof context), {
      priority: 1,
    });
    ingress.subscribe("go", (context) => {
      context.stop();
      return "stopped";
    });
    ingress.subscribe("go", () => void ran.push("after"));
    const peer = await running.connect();
    expect(await peer.call("go")).toBe("stopped");
    expect(ran).toEqual(["object"]);
  });

  test("a subscriber removed before its turn does not run, one added during a dispatch waits for the next event", async () => {
    await using running = await start();
    const ingress = new SocketIngress({ logger: recordingLog() }).attach(running.io);
    const ran: string[] = [];
    let late: (() => void) | undefined;
    ingress.subscribe("go", () => {
      ran.push("first");
      off();
      late ??= ingress.subscribe("go", () => void ran.push("late"));
    });
    const off = ingress.subscribe("go", () => void ran.push("removed"));
    const peer = await running.connect();
    await peer.call("go");
    expect(ran).toEqual(["first"]);
    await peer.call("go");
    expect(ran).toEqual(["first", "first", "late"]);
  });

  test("subscriptions are added, replaced and removed while a client stays connected", async () => {
    await using running = await start();
    const ingress = new SocketIngress({ logger: recordingLog() }).attach(running.io);
    const peer = await running.connect();
    expect(await peer.call("version")).toMatchObject({ error: { code: "UNKNOWN_EVENT" } });
    const one = ingress.subscribe("version", () => 1);
    expect(await peer.call("version")).toBe(1);
    const two = ingress.subscribe("version", () => 2);
    one();
    one();
    expect(await peer.call("version")).toBe(2);
    two();
    expect(await peer.call("version")).toMatchObject({ error: { code: "UNKNOWN_EVENT" } });
    expect(peer.server.listenerCount("version")).toBe(0);
  });

  test("the same function subscribed twice and undone once still runs once per event", async () => {
    await using running = await start();
    const ingress = new SocketIngress({ logger: recordingLog() }).attach(running.io);
    let ran = 0;
    const count = (): void => void ran++;
    const off = ingress.subscribe("go", count);
    ingress.subscribe("go", count);
    off();
    off();
    const peer = await running.connect();
    await peer.call("go");
    expect(ran).toBe(1);
  });

  test("events that arrive while the connection subscribers run are kept in order and served afterwards", async () => {
    await using running = await start();
    const ingress = new SocketIngress({ logger: recordingLog() }).attach(running.io);
    const gate = deferred();
    const order: unknown[] = [];
    ingress.subscribe("connection", async () => {
      await gate.promise;
      order.push("ready");
    });
    ingress.subscribe("go", (_context, n: number) => order.push(n));
    const peer = await running.connect();
    const replies = [peer.call("go", 1), peer.call("go", 2), peer.call("go", 3)];
    await peer.settle();
    expect(order).toEqual([]);
    gate.resolve();
    await Promise.all(replies);
    expect(order).toEqual(["ready", 1, 2, 3]);
  });

  test("the dispatcher runs after the application's socket middleware, which may keep an event from it", async () => {
    await using running = await start();
    const ingress = new SocketIngress({ logger: recordingLog() }).attach(running.io);
    const order: string[] = [];
    running.io.on("connection", (socket: Socket) => {
      socket.use(([event, ...args], next) => {
        order.push(`middleware ${event}`);
        if (event === "forbidden") (args.at(-1) as (reply: string) => void)("answered by the middleware");
        else next();
      });
    });
    ingress.subscribe("go", () => order.push("go"));
    ingress.subscribe("forbidden", () => order.push("forbidden"));
    const peer = await running.connect();
    await peer.call("go");
    expect(await peer.call("forbidden")).toBe("answered by the middleware");
    expect(order).toEqual(["middleware go", "go", "middleware forbidden"]);
  });

  test("too few or too many arguments shift nothing", async () => {
    await using running = await start();
    const handler = new Recorder();
    await handler.setup(running.io);
    const peer = await running.connect();
    await peer.call("record");
    await peer.call("record", 1, 2, 3, 4);
    peer.emit("record", "without an acknowledgement");
    await peer.settle();
    expect(handler.calls).toEqual([[], [1, 2, 3, 4], ["without an acknowledgement"]]);
    expect(handler.contexts.every(({ socket }) => socket === peer.server)).toBe(true);
  });

  test("subscribing before there is a server, and attaching twice, serves each event once", async () => {
    await using running = await start();
    const ingress = new SocketIngress({ logger: recordingLog() });
    let ran = 0;
    ingress.subscribe("go", () => ++ran);
    ingress.attach(running.io).attach(running.io);
    const peer = await running.connect();
    expect(await peer.call("go")).toBe(1);
  });

  test("listeners of the application's own answer as before", async () => {
    await using running = await start();
    running.io.on("connection", (socket: Socket) => {
      socket.on("mine", (n: number, reply: (n: number) => void) => reply(n * 2));
    });
    const ingress = new SocketIngress({ logger: recordingLog() }).attach(running.io);
    ingress.subscribe("ours", () => "ours");
    const peer = await running.connect();
    expect(await peer.call("mine", 2)).toBe(4);
    expect(await peer.call("ours")).toBe("ours");
  });

  for (const name of ["__proto__", "constructor", "toString", "hasOwnProperty", ""]) {
    test(`the event name ${JSON.stringify(name)} is a name like any other that nobody listens to`, async () => {
      await using running = await start();
      const handler = new Recorder();
      await handler.setup(running.io);
      const peer = await running.connect();
      expect(await peer.call(name, 1)).toMatchObject({ error: { code: "UNKNOWN_EVENT" } });
      expect(handler.calls).toEqual([]);
    });
  }

  test("an event called error reaches nobody and breaks nothing", async () => {
    await using running = await start();
    const log = recordingLog();
    const ingress = new SocketIngress({ logger: log }).attach(running.io);
    expect(() => ingress.subscribe("error" as "go", () => {})).toThrow(TypeError);
    ingress.subscribe("go", () => "alive");
    const other = await running.connect();
    const peer = await running.connect();
    peer.emit("error", { message: "forged" });
    expect(await other.call("go")).toBe("alive");
  });

  test("a handler's namespace is really applied", async () => {
    await using running = await start();
    class Admin extends Recorder {
      override readonly namespace = "/admin";
    }
    const [root, admin] = [new Recorder(), new Admin()];
    await root.setup(running.io);
    await admin.setup(running.io);
    const inRoot = await running.connect();
    const inAdmin = await running.connect({ namespace: "/admin" });
    await inRoot.call("record", "root");
    await inAdmin.call("record", "admin");
    expect(root.calls).toEqual([["root"]]);
    expect(admin.calls).toEqual([["admin"]]);
  });

  test("a pattern serves the dynamic namespaces that fit it, each by its own name", async () => {
    await using running = await start();
    class Tenants extends Handler {
      readonly name = "tenants";
      override readonly namespace = /^\/t-\d+$/;
      readonly events = { where: "where" };

      where(context: EventContext): string {
        return context.namespace;
      }
    }
    await new Tenants().setup(running.io);
    const [one, two] = [await running.connect({ namespace: "/t-1" }), await running.connect({ namespace: "/t-22" })];
    expect([await one.call("where"), await two.call("where")]).toEqual(["/t-1", "/t-22"]);
    await expect(running.connect({ namespace: "/x" })).rejects.toMatchObject({ message: "Invalid namespace" });
  });

  test("interceptors wrap the subscribers, outermost first, and may refuse", async () => {
    await using running = await start();
    const order: string[] = [];
    const wrap = (name: string) => async (_context: unknown, next: () => Promise<unknown>) => {
      order.push(`${name} in`);
      const value = await next();
      order.push(`${name} out`);
      return value;
    };
    const ingress = new SocketIngress({ logger: recordingLog(), use: [wrap("ingress")] }).attach(running.io);
    ingress.subscribe("go", () => order.push("runs"), { use: [wrap("event")] });
    ingress.subscribe("never", () => order.push("never"), {
      use: [() => Promise.reject(new EventError("FORBIDDEN", "not you"))],
    });
    const peer = await running.connect();
    await peer.call("go");
    expect(await peer.call("never")).toEqual({ error: { code: "FORBIDDEN", message: "not you" } });
    expect(order.slice(0, 5)).toEqual(["ingress in", "event in", "runs", "event out", "ingress out"]);
    expect(order).not.toContain("never");
  });
}
