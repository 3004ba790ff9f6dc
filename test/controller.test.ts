import { describe, expect, it, vi } from "vitest";
import { z } from "zod";
import { Controller, type ControllerHandler, type EventContext, ServiceManager } from "socket-ingress";
import { deferred } from "./fixtures/deferred.js";
import { codeOf } from "./fixtures/ingress.js";
import { recordingLog } from "./fixtures/recording-log.js";
import { serve } from "./fixtures/serve.js";

class Chat extends Controller {
  readonly name: string = "chat";
  readonly calls: string[] = [];
  override buildEvents(handler: ControllerHandler): void {
    this.calls.push("build");
    handler
      .on("message", this.late)
      .on("message", this.early, { priority: 10 })
      .on("typing", () => undefined);
  }
  private late(_context: EventContext, text: string) {
    this.calls.push(`late ${text}`);
    return "late";
  }
  private early() {
    this.calls.push("early");
  }
}

async function managed(...controllers: Controller[]) {
  const app = await serve();
  const manager = new ServiceManager(app.io, { logger: recordingLog() });
  for (const controller of controllers) manager.registerController(controller);
  await manager.boot();
  return Object.assign(app, {
    manager,
    [Symbol.asyncDispose]: () => manager.shutdown({ graceMs: 100 }).then(() => app.close()),
  });
}

describe("a controller", () => {
  it("declares its events once, and runs two subscribers of one event in priority order", async () => {
    const chat = new Chat();
    await using app = await managed(chat);
    const client = await app.connect();
    expect(await client.emitWithAck("message", "hi")).toBe("late");
    void chat.handler;
    void chat.health();
    expect(chat.calls).toEqual(["build", "early", "late hi"]);
    expect(chat.health()).toMatchObject({ name: "chat", status: "ok", events: ["message", "typing"] });
    expect(chat.io).toBe(app.io);
    expect(chat.registered).toBe(true);
  });

  it("two of them may listen to one event", async () => {
    class Log extends Chat {
      override readonly name = "log";
    }
    const [chat, log] = [new Chat(), new Log()];
    await using app = await managed(chat, log);
    await (await app.connect()).emitWithAck("message", "hi");
    expect([chat.calls.length, log.calls.length]).toEqual([3, 3]);
  });

  it("no event reaches it before its onStart has finished, nor after it was stopped", async () => {
    const gate = deferred();
    class Slow extends Chat {
      override async onStart() {
        this.calls.push("start");
        await gate.promise;
        this.calls.push("started");
      }
    }
    const slow = new Slow();
    const app = await serve();
    await using manager = new ServiceManager(app.io, { logger: recordingLog() }).registerController(slow);
    const boot = manager.boot();
    const client = await app.connect();
    expect(codeOf(await client.timeout(20_000).emitWithAck("message", "early"))).toBe("UNKNOWN_EVENT");
    gate.resolve();
    await boot;
    expect(await client.emitWithAck("message", "hi")).toBe("late");
    await slow.stop();
    expect(slow.registered).toBe(false);
    expect(codeOf(await client.emitWithAck("message", "after"))).toBe("UNKNOWN_EVENT");
    expect(slow.calls.filter((call) => call.startsWith("late"))).toEqual(["late hi"]);
  });

  it("schemas say the inputs in one place; an input of the declaration wins", async () => {
    class Strict extends Controller {
      readonly name = "strict";
      override readonly schemas = { a: z.string(), b: z.string() };
      override buildEvents(handler: ControllerHandler): void {
        handler
          .on("a", (_context, value: unknown) => value)
          .on("b", (_context, value: number) => value, { input: z.number() });
      }
    }
    await using app = await managed(new Strict());
    const client = await app.connect();
    expect(await client.emitWithAck("a", 1)).toMatchObject({
      error: { code: "INVALID_INPUT", details: { issues: [{ path: [] }] } },
    });
    expect([
      await client.emitWithAck("a", "x"),
      await client.emitWithAck("b", 5),
      codeOf(await client.emitWithAck("b", "x")),
    ]).toEqual(["x", 5, "INVALID_INPUT"]);
  });

  it("namespace and use are really applied", async () => {
    const used = vi.fn();
    class Admin extends Chat {
      override readonly name = "admin";
      override readonly namespace = "/admin";
      override readonly use = [
        (_context: EventContext, next: () => Promise<unknown>) => {
          used();
          return next();
        },
      ];
    }
    await using app = await managed(new Admin());
    expect(await (await app.connect({ namespace: "/admin" })).emitWithAck("message", "x")).toBe("late");
    expect(codeOf(await (await app.connect()).emitWithAck("message", "x"))).toBe("UNKNOWN_EVENT");
    expect(used).toHaveBeenCalledTimes(2);
  });

  it("before there is a manager io is undefined, and it can't start, since its events would go nowhere", async () => {
    const chat = new Chat();
    expect(chat.io).toBeUndefined();
    await expect(chat.start()).rejects.toThrow(/Chat "chat": its events have no ingress.*ServiceManager/);
  });

  it("what it declares wrongly is named", () => {
    class Wrong extends Controller {
      readonly name: string = "wrong";
      override readonly schemas = { nowhere: z.string() };
      override buildEvents(): void {}
    }
    expect(() => new Wrong().handler).toThrow(
      /Wrong "wrong": schemas names "nowhere", which buildEvents does not declare/,
    );
    class NoFunction extends Controller {
      readonly name = "no function";
      override buildEvents(handler: ControllerHandler): void {
        handler.on("x", 5 as never);
      }
    }
    expect(() => new NoFunction().handler).toThrow(
      /NoFunction "no function", event "x": a subscriber must be a function, got 5/,
    );
    let kept: ControllerHandler | undefined;
    class Late extends Controller {
      readonly name = "late";
      override buildEvents(handler: ControllerHandler): void {
        kept = handler;
      }
    }
    void new Late().handler;
    expect(() => kept?.on("x", () => 1)).toThrow(/events are declared in buildEvents, which has returned/);
  });
});
