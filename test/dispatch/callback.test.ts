import { describe, expect, it } from "vitest";
import { EventError, Handler, ServiceManager, SocketIngress } from "socket-ingress";
import { createClient } from "socket-ingress/client";
import { QueueService } from "socket-ingress/queue";
import { Realtime } from "socket-ingress/realtime";
import { fakeServer } from "socket-ingress/testing";
import { serveIngress } from "../fixtures/ingress.js";
import { recordingLog } from "../fixtures/recording-log.js";

type Client = Awaited<ReturnType<Awaited<ReturnType<typeof serveIngress>>["connect"]>>;

/** What the client's callback is called with. */
function called(client: Client, event: string, ...args: unknown[]): Promise<unknown[]> {
  return new Promise((resolve) => client.emit(event, ...args, (...got: unknown[]) => resolve(got)));
}

const failure = { error: { code: "NOT_FOUND", message: "no such order" } };

describe('callback: "errorFirst"', () => {
  it("calls back with (null, value), with (null) where there is no value, and with (failure)", async () => {
    await using app = await serveIngress();
    const options = { callback: "errorFirst" } as const;
    app.ingress.subscribe("value", (_context, n: number) => n + 1, options);
    app.ingress.subscribe("later", async () => "late", options);
    app.ingress.subscribe("nothing", () => undefined, options);
    app.ingress.subscribe("by hand", (context) => void context.reply(false), options);
    app.ingress.subscribe("refused", () => Promise.reject(new EventError("NOT_FOUND", "no such order")), options);
    app.ingress.subscribe("circular", () => ({ n: 1n }), options);
    const client = await app.connect();
    expect(await called(client, "value", 1)).toEqual([null, 2]);
    expect(await called(client, "later")).toEqual([null, "late"]);
    expect(await called(client, "nothing")).toEqual([null]);
    expect(await called(client, "by hand")).toEqual([null, false]);
    expect(await called(client, "refused")).toEqual([failure]);
    expect(await called(client, "circular")).toEqual([{ error: { code: "INTERNAL", message: "internal error" } }]);
  });

  it("may be said by the ingress and by a handler, and an event may say otherwise", async () => {
    await using app = await serveIngress({ callback: "errorFirst" });
    class Old extends Handler {
      readonly name = "old";
      override readonly callback = "reply";
      readonly events = { plain: this.answer, first: { run: this.answer, callback: "errorFirst" as const } };
      answer() {
        return 1;
      }
    }
    await new Old().setup(app.io);
    app.ingress.subscribe("ofTheIngress", () => 1);
    const client = await app.connect();
    expect(await called(client, "plain")).toEqual([1]);
    expect(await called(client, "first")).toEqual([null, 1]);
    expect(await called(client, "ofTheIngress")).toEqual([null, 1]);
    expect(await called(client, "unknown")).toEqual([expect.objectContaining({ error: expect.anything() })]);
  });

  it("holds for all subscribers of an event as soon as one says so, and no longer than that one is there", async () => {
    await using app = await serveIngress();
    const off = app.ingress.subscribe("x", () => undefined, { callback: "errorFirst" });
    app.ingress.subscribe("x", () => 1);
    const client = await app.connect();
    expect(await called(client, "x")).toEqual([null, 1]);
    off();
    expect(await called(client, "x")).toEqual([1]);
  });

  it("is not for the doors of this package: their clients know one form, whatever the ingress says", async () => {
    const io = fakeServer();
    const realtime = new Realtime({ user: () => "ada" });
    realtime.topics.define("t", { public: true, snapshot: () => 1, presence: true });
    const queue = new QueueService({ realtime });
    const manager = new ServiceManager(io, { callback: "errorFirst", logger: recordingLog() });
    await manager.registerHandler(realtime).registerService(queue).boot();
    const form = new Map(manager.describe().builtIn.map(({ event, callback }) => [event, callback]));
    expect(form.get("ingress:join")).toBe("reply");
    expect(form.get("queue:status")).toBe("reply");
    expect([...form.values()].filter((callback) => callback !== "reply")).toEqual([]);
    const client = await io.connect();
    const answer = await new Promise((resolve) =>
      client.emit("ingress:join", "t", (...got: unknown[]) => resolve(got)),
    );
    expect(answer).toMatchObject([{ snapshot: 1, presence: {} }]);
    await manager.shutdown();
  });

  it("is read by the typed client and by a fake one: both resolve to the value", async () => {
    await using app = await serveIngress({ callback: "errorFirst" });
    await using io = fakeServer();
    for (const ingress of [app.ingress, new SocketIngress({ callback: "errorFirst" }).attach(io)])
      ingress.on("x", () => 1).on("refused", () => Promise.reject(new EventError("NOT_FOUND", "no such order")));
    const fake = await io.connect();
    expect(await fake.receive("x")).toBe(1);
    expect(await fake.receive("refused")).toEqual(failure);
    for (const socket of [fake, await app.connect(), await app.connect({ ackTimeout: 5_000, retries: 1 })]) {
      const client = createClient<Record<string, () => void>>(socket);
      expect(await client.call("x")).toBe(1);
      await expect(client.call("refused")).rejects.toMatchObject({ code: "NOT_FOUND" });
    }
  });

  it("leaves what is dispatched by hand a promise of the value", async () => {
    const ingress = new SocketIngress({ callback: "errorFirst", logger: recordingLog() });
    ingress.subscribe("x", () => 1);
    expect(await ingress.dispatch("x")).toBe(1);
  });

  it("is spelt like that, or a TypeError says what there is", () => {
    const ingress = new SocketIngress({ logger: recordingLog() });
    expect(() => ingress.subscribe("x", () => 1, { callback: "node" as never })).toThrow(
      'subscribe, event "x": callback must be "reply" or "errorFirst", got "node"',
    );
  });
});

describe("context.reply(a, b)", () => {
  it("is told of, and the caller hears INTERNAL, since it would lose b", async () => {
    const log = recordingLog();
    const ingress = new SocketIngress({ logger: log });
    // @ts-expect-error it takes one value
    ingress.subscribe("x", (context) => void context.reply(null, "value"));
    expect(await ingress.dispatch("x")).toMatchObject({ error: { code: "INTERNAL" } });
    expect(String(log.lines.at(-1)?.fields["err"])).toContain('callback: "errorFirst"');
  });
});
