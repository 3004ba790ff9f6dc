import { describe, expect, it } from "vitest";
import {
  Controller,
  type ControllerHandler,
  type EventContext,
  Handler,
  Service,
  ServiceManager,
  SocketIngress,
} from "socket-ingress";
import { deferred } from "../fixtures/deferred.js";
import { codeOf, serveIngress } from "../fixtures/ingress.js";
import { recordingLog } from "../fixtures/recording-log.js";
import { serve } from "../fixtures/serve.js";

// A wait for oneself would end with the time limit, which is longer here than a test may take.

class Door extends Handler {
  readonly name = "door";
  readonly events = { quit: "quit", slow: "slow" } as const;
  readonly gate = deferred();
  readonly begun = deferred();
  ended: string[] = [];
  close: () => unknown = () => this.teardown();

  async quit() {
    await this.#leave();
    return "bye";
  }
  async #leave() {
    await Promise.all([Promise.resolve(), this.close()]);
    this.ended.push("quit");
  }
  async slow() {
    this.begun.resolve();
    await this.gate.promise;
    this.ended.push("slow");
    return "slow";
  }
}

describe("an event of a handler that tears the handler down", () => {
  it("does not wait for itself, only for the others, and is answered as it says", async () => {
    await using app = await serve();
    const door = new Door();
    await door.setup(app.io);
    const client = await app.connect();
    const slow = client.emitWithAck("slow");
    await door.begun.promise;
    const quit = client.emitWithAck("quit");
    expect(codeOf(await client.emitWithAck("nothing"))).toBe("UNKNOWN_EVENT");
    expect([door.registered, door.ended]).toEqual([false, []]);
    door.gate.resolve();
    expect([await slow, await quit, door.ended]).toEqual(["slow", "bye", ["slow", "quit"]]);
  });

  it.each([
    ["whose promise it returns", (door: Door) => door.teardown()],
    ["that it stops as an owner would", (door: Door) => door.stop()],
    ["after it has waited for something else", (door: Door) => Promise.resolve().then(() => door.teardown())],
  ])("%s", async (_how, close) => {
    await using app = await serve();
    const door = new Door();
    door.close = () => close(door);
    await door.setup(app.io);
    expect(await (await app.connect()).emitWithAck("quit")).toBe("bye");
    expect(door.registered).toBe(false);
    await door.setup(app.io);
    await door.teardown();
  });

  it("through the service that adopted it does not wait for itself either", async () => {
    class Parent extends Service {
      readonly name = "parent";
    }
    await using app = await serve();
    const [parent, door] = [new Parent(), new Door()];
    await parent.start();
    await parent.adopt(door).setup(app.io);
    door.close = () => parent.stop();
    expect(await (await app.connect()).emitWithAck("quit")).toBe("bye");
    expect(parent.health().status).toBe("stopped");
  });

  it("of a controller stops the controller", async () => {
    class Room extends Controller {
      readonly name = "room";
      override buildEvents(handler: ControllerHandler) {
        handler.on("quit", this.quit);
      }
      async quit() {
        await this.stop();
        return "bye";
      }
    }
    await using app = await serve();
    await using manager = new ServiceManager(app.io, { logger: recordingLog() }).registerController(new Room());
    await manager.boot();
    expect(await (await app.connect()).emitWithAck("quit")).toBe("bye");
  });
});

describe("an event that shuts the server down", () => {
  it("is cut at once, the others may finish, and the rest of the grace is not waited for", async () => {
    await using app = await serve();
    const door = new Door();
    await using manager = new ServiceManager(app.io, { logger: recordingLog() }).registerHandler(door);
    await manager.boot();
    const report = deferred<unknown>();
    door.close = async () => report.resolve(await manager.shutdown({ graceMs: 60_000 }));
    const client = await app.connect();
    const slow = client.emitWithAck("slow");
    await door.begun.promise;
    const quit = client.emitWithAck("quit");
    expect(codeOf(await quit)).toBe("SHUTTING_DOWN");
    expect(door.ended).toEqual([]);
    door.gate.resolve();
    expect(await slow).toBe("slow");
    expect(await report.promise).toMatchObject({ cut: [{ event: "quit", handler: "door" }], failures: [] });
  });

  it.each(["drain", "detach"] as const)("by ingress.%s() does not wait for itself", async (method) => {
    await using app = await serveIngress();
    const left = deferred();
    app.ingress.subscribe(
      "quit",
      async (_context: EventContext) => {
        await Promise.resolve();
        await app.ingress[method]();
        left.resolve();
      },
      { timeoutMs: Infinity },
    );
    (await app.connect()).emit("quit");
    await left.promise;
    expect(app.ingress).toBeInstanceOf(SocketIngress);
  });
});
