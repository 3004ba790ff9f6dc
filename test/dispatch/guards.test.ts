import { describe, expect, it, vi } from "vitest";
import { Controller, type ControllerHandler, EventError, Handler, ServiceManager, SocketIngress } from "socket-ingress";
import { codeOf, serveIngress } from "../fixtures/ingress.js";
import { recordingLog } from "../fixtures/recording-log.js";

/** Refuses. */
function refuse(): never {
  throw new EventError("FORBIDDEN", "not you");
}

/** An ingress without a server, and what it logs. */
function ingressAlone(options: object = {}): { ingress: SocketIngress; log: ReturnType<typeof recordingLog> } {
  const log = recordingLog();
  return { ingress: new SocketIngress({ logger: log, ...options }), log };
}

describe("a guard", () => {
  it("runs before all that are none, whatever their priorities and however late it was subscribed", async () => {
    const { ingress } = ingressAlone();
    const order: string[] = [];
    ingress.subscribe("pay", () => void order.push("early"), { priority: -10 });
    ingress.subscribe("pay", () => void order.push("second guard"), { guard: true });
    ingress.subscribe("pay", () => void order.push("first guard"), { guard: true, priority: 1 });
    await ingress.dispatch("pay");
    expect(order).toEqual(["first guard", "second guard", "early"]);
    expect(ingress.describe().map(({ guard, priority }) => [guard, priority])).toEqual([
      [true, 1],
      [true, 100],
      [false, -10],
    ]);
  });

  it.each([
    ["throws", (): unknown => refuse()],
    ["rejects", async (): Promise<unknown> => refuse()],
  ])("that %s is the reply, and no later subscriber runs", async (_how, guard) => {
    const { ingress } = ingressAlone();
    const work = vi.fn(() => "paid");
    ingress.subscribe("pay", work, { priority: 1 });
    ingress.subscribe("pay", () => "welcome", { guard: true, priority: 1 });
    ingress.subscribe("pay", guard, { guard: true });
    expect(codeOf(await ingress.dispatch("pay"))).toBe("FORBIDDEN");
    expect(work).not.toHaveBeenCalled();
  });

  it("fails closed: what it did not mean to throw is INTERNAL, and its timeout is TIMEOUT", async () => {
    const { ingress } = ingressAlone();
    const work = vi.fn(() => "paid");
    ingress.subscribe("pay", work);
    const off = ingress.subscribe("pay", () => JSON.parse("{"), { guard: true });
    expect(codeOf(await ingress.dispatch("pay"))).toBe("INTERNAL");
    off();
    ingress.subscribe("pay", () => new Promise(() => undefined), { guard: true, timeoutMs: 5 });
    expect(codeOf(await ingress.dispatch("pay"))).toBe("TIMEOUT");
    expect(work).not.toHaveBeenCalled();
  });

  it("holds behind interceptors, schemas and lanes", async () => {
    const { ingress } = ingressAlone();
    const work = vi.fn(() => "paid");
    ingress.subscribe("pay", work);
    ingress.subscribe("pay", () => undefined, {
      guard: true,
      use: [async (_context, next) => (await next(), refuse())],
    });
    expect(codeOf(await ingress.dispatch("pay"))).toBe("FORBIDDEN");
    expect(work).not.toHaveBeenCalled();
  });

  it("keeps its value back under reply: first until no guard is left that might refuse", async () => {
    const { ingress } = ingressAlone({ reply: "first" });
    ingress.subscribe("pay", () => "first guard", { guard: true });
    const off = ingress.subscribe("pay", refuse, { guard: true });
    ingress.subscribe("pay", () => "paid");
    expect(codeOf(await ingress.dispatch("pay"))).toBe("FORBIDDEN");
    off();
    expect(await ingress.dispatch("pay")).toBe("first guard");
  });

  it("refuses a connection, and those behind it are not asked", async () => {
    await using app = await serveIngress();
    const asked = vi.fn();
    app.ingress.subscribe("connect", asked);
    app.ingress.subscribe("connect", () => false, { guard: true });
    await expect(app.connect()).rejects.toMatchObject({ data: { code: "FORBIDDEN" } });
    expect(asked).not.toHaveBeenCalled();
  });

  it.each(["connection", "disconnecting", "disconnect"] as const)("can't refuse what %s tells", (event) => {
    const { ingress } = ingressAlone();
    expect(() => ingress.subscribe(event, () => undefined, { guard: true })).toThrow(
      `subscribe, event "${event}": guard can't be true, since "${event}" only tells and nobody can refuse it`,
    );
    expect(ingress.describe()).toEqual([]);
  });

  it("works in the event map of a handler and in a controller's on", async () => {
    await using app = await serveIngress();
    const work = vi.fn(() => "done");
    class Guarded extends Handler {
      readonly name = "guarded";
      readonly events = { mapped: { run: this.check, guard: true } };
      check() {
        refuse();
      }
    }
    class Built extends Controller {
      readonly name = "built";
      override buildEvents(handler: ControllerHandler) {
        handler.on("built", work, { priority: 1 }).on("built", refuse, { guard: true });
      }
    }
    app.ingress.subscribe("mapped", work, { priority: 1 });
    const manager = new ServiceManager(app.io, { ingress: app.ingress, logger: app.log });
    manager.registerHandler(new Guarded()).registerController(new Built());
    await manager.boot();
    const client = await app.connect();
    expect(codeOf(await client.emitWithAck("mapped"))).toBe("FORBIDDEN");
    expect(codeOf(await client.emitWithAck("built"))).toBe("FORBIDDEN");
    expect(work).not.toHaveBeenCalled();
    await manager.shutdown();
  });
});

describe("a refusal of a subscriber that is no guard", () => {
  it("is logged with the advice to make it one where others run behind it, and only there", async () => {
    const { ingress, log } = ingressAlone();
    ingress.subscribe("pay", refuse, { priority: 1 });
    const work = vi.fn(() => "paid");
    const off = ingress.subscribe("pay", work);
    expect(await ingress.dispatch("pay")).toBe("paid");
    expect(log.lines.at(-1)?.message).toContain("which guard: true would keep them from");
    off();
    await ingress.dispatch("pay");
    expect(log.lines.at(-1)?.message).not.toContain("guard: true");
  });
});
