import { describe, expect, it } from "vitest";
import {
  Controller,
  type ControllerHandler,
  type EventContext,
  Handler,
  ServiceManager,
  SocketIngress,
} from "socket-ingress";
import { serveIngress } from "../fixtures/ingress.js";
import { RawClient } from "../fixtures/raw-client.js";
import { recordingLog } from "../fixtures/recording-log.js";
import { serve } from "../fixtures/serve.js";

class Greeter extends Handler {
  readonly name: string = "greeter";
  readonly events = { greet: "greet" };
  greet(_context: EventContext): string {
    return "hello";
  }
}

describe("a subscription with an owner", () => {
  it("leaves nothing behind when the owner refuses it", () => {
    const ingress = new SocketIngress({ logger: recordingLog() });
    const owner = {
      addCleanup(): never {
        throw new Error("closed");
      },
    };
    const told: unknown[] = [];
    expect(() => ingress.subscribe("x", () => 1, { owner })).toThrow("closed");
    expect(() => ingress.subscribeErrorDefault((error) => told.push(error), { owner })).toThrow("closed");
    expect(ingress.describe()).toEqual([]);
  });

  it("is not told of errors when the owner of an error subscriber refused", async () => {
    const ingress = new SocketIngress({ logger: recordingLog() });
    const owner = {
      addCleanup(): never {
        throw new Error("closed");
      },
    };
    const told: unknown[] = [];
    expect(() => ingress.subscribeErrorDefault((error) => told.push(error), { owner })).toThrow("closed");
    ingress.subscribe("x", () => {
      throw new Error("it can't");
    });
    await ingress.dispatch("x");
    expect(told).toEqual([]);
  });

  it("is forgotten by an owner that outlives it, whether it is told of events or of errors", () => {
    const ingress = new SocketIngress({ logger: recordingLog() });
    const cleanups = new Set<() => unknown>();
    const owner = {
      addCleanup(fn: () => unknown): () => void {
        cleanups.add(fn);
        return () => void cleanups.delete(fn);
      },
    };
    const offs = [
      ingress.subscribe("x", () => 1, { owner }),
      ingress.subscribeErrorDefault(() => undefined, { owner }),
    ];
    expect(cleanups.size).toBe(2);
    for (const off of offs) off();
    expect(cleanups.size).toBe(0);
  });
});

describe("a handler", () => {
  it("closes at teardown what it owns from its constructor, though it was never set up", async () => {
    let closed = 0;
    class Owning extends Greeter {
      readonly connection = this.own({ close: () => void closed++ });
    }
    await new Owning().teardown();
    expect(closed).toBe(1);
  });

  it("that is set up with one server refuses another until it is torn down", async () => {
    await using one = await serve();
    await using two = await serve();
    await using handler = new Greeter();
    await handler.setup(one.io);
    expect(() => handler.setup(two.io)).toThrow(/Greeter "greeter".*another server.*tear it down first/);
    expect(await (await one.connect()).emitWithAck("greet")).toBe("hello");
    await handler.teardown();
    await handler.setup(two.io);
    expect(await (await two.connect()).emitWithAck("greet")).toBe("hello");
  });
});

describe("a wiring mistake", () => {
  it("is thrown by registerHandler and leaves no handler behind, before boot and after", async () => {
    class Wrong extends Handler {
      readonly name = "wrong";
      readonly events = { x: "nope" };
    }
    const manager = new ServiceManager(undefined, { logger: recordingLog() });
    await using _ = manager;
    expect(() => manager.registerHandler(new Wrong() as unknown as Handler)).toThrow(/Wrong "wrong".*nope/);
    await manager.boot();
    expect(() => manager.registerHandler(new Wrong() as unknown as Handler)).toThrow(/Wrong "wrong".*nope/);
    await manager.settled();
    expect(manager.describe().handlers).toEqual([]);
    expect(manager.health()).toMatchObject({ status: "ok", failures: [] });
    expect(manager.resolve(Wrong)).toBeUndefined();
  });

  it("in the events of a controller is thrown by the declaration that is wrong, not when they are bound", () => {
    class Declaring extends Controller {
      readonly name = "declaring";
      readonly thrown: unknown[] = [];
      override buildEvents(handler: ControllerHandler): void {
        for (const event of ["error", " ", "right"]) {
          try {
            handler.on(event, () => undefined);
          } catch (error) {
            this.thrown.push(error);
          }
        }
      }
    }
    const declaring = new Declaring();
    expect(declaring.handler.events).toEqual(["right"]);
    expect(declaring.thrown).toEqual([expect.any(TypeError), expect.any(TypeError)]);
    expect(String(declaring.thrown[0])).toContain("error");
  });
});

describe("an ingress", () => {
  it("that stands for a server leaves it when it is cleared, as when its last subscriber goes", async () => {
    await using app = await serve();
    await using handler = new Greeter();
    const before = app.io.of("/").listenerCount("connection");
    await handler.setup(app.io);
    const client = await app.connect();
    expect(await client.emitWithAck("greet")).toBe("hello");
    SocketIngress.of(app.io).clear();
    await handler.teardown();
    expect(app.serverSide(client).listenersAny()).toEqual([]);
    expect(app.io.of("/").listenerCount("connection")).toBe(before);
  });

  it("leaves its server at the end of the block that holds it with `await using`", async () => {
    await using app = await serve();
    const client = await app.connect();
    {
      await using ingress = new SocketIngress({ logger: recordingLog() }).attach(app.io);
      ingress.subscribe("x", () => "x");
      expect(await client.emitWithAck("x")).toBe("x");
    }
    expect(app.serverSide(client).listenersAny()).toEqual([]);
    expect(app.serverSide(client).conn.listenerCount("data")).toBe(1); // Socket.IO's own
  });

  it("that leaves a server it shares does not take the protection from frames with too many arguments with it", async () => {
    await using app = await serveIngress();
    app.ingress.subscribe("count", (_context, ...args: unknown[]) => args.length);
    const second = new SocketIngress({ logger: recordingLog() }).attach(app.io);
    const client = await app.connect();
    await using hostile = await RawClient.connect(app.url);
    await second.detach();
    expect(app.serverSide(client).conn.listenerCount("data")).toBe(2); // with Socket.IO's own
    hostile.frame(`421["count"${",0".repeat(150_000)}]`);
    await hostile.closed;
    expect(await client.emitWithAck("count", 1, 2)).toBe(2);
  });

  it("follows a pattern that the application declared before it, and that one's middleware decides", async () => {
    await using app = await serve();
    const tenants = /^\/t-\d+$/;
    let asked = 0;
    app.io.of(tenants).use((socket, next) => {
      asked++;
      next(socket.handshake.auth["token"] === "good" ? undefined : new Error("no"));
    });
    await using ingress = new SocketIngress({ logger: recordingLog() }).attach(app.io);
    ingress.subscribe("x", ({ namespace }) => namespace, { namespace: tenants });
    await expect(app.connect({ namespace: "/t-1" })).rejects.toThrow("no");
    const client = await app.connect({ namespace: "/t-1", auth: { token: "good" } });
    expect(await client.emitWithAck("x")).toBe("/t-1");
    expect(asked).toBe(2);
  });
});
