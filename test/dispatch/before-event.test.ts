import { describe, expect, it, vi } from "vitest";
import { type Arrival, EventError, Handler, SocketIngress } from "socket-ingress";
import { Refused } from "../../src/events/refused.js";
import { deferred } from "../fixtures/deferred.js";
import { codeOf, serveIngress } from "../fixtures/ingress.js";
import { recordingLog } from "../fixtures/recording-log.js";

const limited = new EventError("RATE_LIMITED", "slower");

/** Resolves with the next error that the error subscribers hear of. */
function nextError(ingress: SocketIngress): Promise<unknown[]> {
  return new Promise((resolve) => void ingress.subscribeErrorDefault((error, info) => resolve([error, info.event])));
}

describe("beforeEvent", () => {
  it("is asked once for each event a client sends, whoever subscribes, in priority order, and not for others", async () => {
    await using app = await serveIngress();
    const asked: unknown[] = [];
    app.io.on("connection", (socket) => socket.on("theirs", (reply) => reply("theirs")));
    app.ingress.beforeEvent(({ event }) => void asked.push(["second", event]));
    app.ingress.beforeEvent(({ event, args, requestId }) => void asked.push(["first", event, args, requestId]), {
      priority: 1,
    });
    app.ingress.subscribe("connection", () => undefined);
    for (let i = 0; i < 3; i++) app.ingress.subscribe("known", (context) => app.ingress.dispatch("inner", context));
    const client = await app.connect();
    await client.emitWithAck("known", 1, 2);
    expect(await client.emitWithAck("theirs")).toBe("theirs");
    client.emit("nobody's");
    expect(codeOf(await client.emitWithAck("unknown"))).toBe("UNKNOWN_EVENT");
    expect(asked).toEqual([
      ["first", "known", [1, 2], undefined],
      ["second", "known"],
      ["first", "nobody's", [], undefined],
      ["second", "nobody's"],
      ["first", "unknown", [], undefined],
      ["second", "unknown"],
    ]);
    expect(app.ingress.counters.unknownEvents).toBe(1);
    const socket = app.serverSide(client);
    expect([socket.listenerCount("nobody's"), socket.listenerCount("unknown")]).toEqual([0, 0]);
  });

  it("refuses with what it throws or rejects with, and nothing runs, an unknown event's answer included", async () => {
    await using app = await serveIngress();
    const ran = vi.fn(() => 1);
    app.ingress.subscribe("x", ran);
    app.ingress.subscribe("x", ran, { guard: true });
    const later = vi.fn();
    const off = app.ingress.beforeEvent(() => {
      throw limited;
    });
    app.ingress.beforeEvent(later);
    const client = await app.connect();
    expect(codeOf(await client.emitWithAck("x"))).toBe("RATE_LIMITED");
    expect(codeOf(await client.emitWithAck("unknown"))).toBe("RATE_LIMITED");
    off();
    const offAsync = app.ingress.beforeEvent(() => Promise.reject(limited), { priority: 1 });
    expect(codeOf(await client.emitWithAck("x"))).toBe("RATE_LIMITED");
    expect([ran.mock.calls.length, later.mock.calls.length]).toEqual([0, 0]);
    offAsync();
    expect(await client.emitWithAck("x")).toBe(1);
    expect(later).toHaveBeenCalledOnce();
  });

  it("is refused by a refusal of our own that is returned, now or later, as by what is thrown", async () => {
    await using app = await serveIngress();
    const ran = vi.fn(() => 1);
    for (const event of ["now", "later"]) app.ingress.subscribe(event, ran);
    const refused = new Refused(limited);
    app.ingress.beforeEvent(({ event }) => (event === "now" ? refused : Promise.resolve(refused)));
    const client = await app.connect();
    const failure = { error: { code: "RATE_LIMITED", message: "slower" } };
    expect(await client.emitWithAck("now")).toEqual(failure);
    expect(await client.emitWithAck("later")).toEqual(failure);
    expect(await client.emitWithAck("now")).toEqual(failure);
    const heard = nextError(app.ingress);
    client.emit("now");
    expect(await heard).toEqual([limited, "now"]);
    expect(ran).not.toHaveBeenCalled();
  });

  it("tells the error subscribers of a refusal where nobody waits for an answer, and of a fault in any case", async () => {
    await using app = await serveIngress();
    const client = await app.connect();
    const off = app.ingress.beforeEvent(() => {
      throw limited;
    });
    const refused = nextError(app.ingress);
    client.emit("x");
    expect(await refused).toEqual([limited, "x"]);
    off();
    const heard = vi.fn();
    app.ingress.subscribeErrorDefault(heard);
    app.ingress.beforeEvent(() => JSON.parse("{"));
    expect(codeOf(await client.emitWithAck("y"))).toBe("INTERNAL");
    expect(heard).toHaveBeenCalledOnce();
  });

  it("makes later events of its socket wait in order while it thinks, and those of others not", async () => {
    await using app = await serveIngress({ maxPending: 3 });
    const gates = [deferred(), deferred()];
    const ran: unknown[] = [];
    app.ingress.beforeEvent(({ event, args: [n] }) => (event === "slow" ? gates[n as number]?.promise : undefined));
    app.ingress.subscribe("slow", (_context, n) => void ran.push(n));
    app.ingress.subscribe("quick", (_context, n) => void ran.push(n));
    const [client, other] = [await app.connect(), await app.connect()];
    const replies = [client.emitWithAck("slow", 0), client.emitWithAck("quick", "a")];
    replies.push(client.emitWithAck("slow", 1), client.emitWithAck("quick", "b"));
    expect(codeOf(await client.emitWithAck("quick", "too much"))).toBe("OVERLOADED");
    await other.emitWithAck("quick", "other");
    expect(ran).toEqual(["other"]);
    gates[0]?.resolve();
    await Promise.all(replies.slice(0, 2));
    expect(ran).toEqual(["other", 0, "a"]);
    gates[1]?.resolve();
    await Promise.all(replies);
    expect(ran).toEqual(["other", 0, "a", 1, "b"]);
  });

  it("answers TIMEOUT when it does not come to an end, and goes on with the next event", async () => {
    await using app = await serveIngress({ timeoutMs: 20 });
    app.ingress.beforeEvent(({ event }) => (event === "hangs" ? new Promise(() => undefined) : undefined));
    const ran = vi.fn(() => 1);
    for (const event of ["hangs", "x"]) app.ingress.subscribe(event, ran);
    const client = await app.connect();
    const replies = [client.emitWithAck("hangs"), client.emitWithAck("x")];
    expect((await Promise.all(replies)).map(codeOf)).toEqual(["TIMEOUT", 1]);
    expect(ran).toHaveBeenCalledOnce();
  });

  it("answers SHUTTING_DOWN at the deadline of a shutdown", async () => {
    await using app = await serveIngress();
    const asked = deferred();
    app.ingress.beforeEvent(() => (asked.resolve(), new Promise(() => undefined)));
    const client = await app.connect();
    const replies = [client.emitWithAck("a"), client.emitWithAck("b")];
    await asked.promise;
    expect((await app.ingress.drain({ graceMs: 0 })).cut.map(({ event }) => event)).toContain("a");
    expect((await Promise.all(replies)).map(codeOf)).toEqual(["SHUTTING_DOWN", "SHUTTING_DOWN"]);
  });

  it("is a method of a handler as well, until it is torn down, and teardown waits for it", async () => {
    await using app = await serveIngress();
    const gate = deferred();
    const order: string[] = [];
    class Asking extends Handler {
      readonly name = "asking";
      readonly events = {};
      override async beforeEvent({ event, log }: Arrival) {
        log.info("asked");
        order.push(`${this.name} ${event}`);
        await gate.promise;
        order.push("done");
      }
    }
    const handler = new Asking();
    await handler.setup(app.io);
    const client = await app.connect();
    app.ingress.subscribe("x", () => 1);
    const reply = client.emitWithAck("x");
    await vi.waitFor(() => expect(order).toEqual(["asking x"]));
    const down = handler.teardown().then(() => order.push("torn down"));
    gate.resolve();
    await down;
    expect(await reply).toBe(1);
    expect(order).toEqual(["asking x", "done", "torn down"]);
    expect(await client.emitWithAck("x")).toBe(1);
    expect(order).toHaveLength(3);
    expect(app.log.lines.find(({ message }) => message === "asked")?.fields).toMatchObject({
      handler: "asking",
      event: "x",
    });
  });

  it("must be a function, and its options are its own", () => {
    const ingress = new SocketIngress({ logger: recordingLog() });
    expect(() => ingress.beforeEvent("x" as never)).toThrow("beforeEvent expects a function");
    expect(() => ingress.beforeEvent(() => undefined, { priority: NaN })).toThrow(TypeError);
  });
});

describe("dropPending", () => {
  it("answers what waits of a socket, wherever it waits, and leaves what runs and what others sent", async () => {
    await using app = await serveIngress({ maxInFlight: 1 });
    const gate = deferred();
    const started = deferred();
    const ran: unknown[] = [];
    app.ingress.subscribe("x", async (_context, n) => {
      ran.push(n);
      started.resolve();
      await gate.promise;
      return n;
    });
    const [client, other] = [await app.connect(), await app.connect()];
    const replies = [1, 2, 3].map((n) => client.emitWithAck("x", n));
    const others = [4, 5].map((n) => other.emitWithAck("x", n));
    await started.promise;
    const socket = app.serverSide(client);
    await vi.waitFor(() => expect(ran).toEqual([1, 4]));
    const failure = { error: { code: "UNAUTHENTICATED", message: "log in again" } };
    await vi.waitFor(() => expect(app.ingress.dropPending(socket, failure)).toBe(2));
    expect(await Promise.all(replies.slice(1))).toEqual([failure, failure]);
    gate.resolve();
    expect([await replies[0], ...(await Promise.all(others))]).toEqual([1, 4, 5]);
    expect(ran).toEqual([1, 4, 5]);
  });

  it("answers those that wait behind one about which somebody is asked, and that one", async () => {
    await using app = await serveIngress();
    const asked = deferred();
    app.ingress.subscribe("x", () => 1);
    const off = app.ingress.beforeEvent(() => (asked.resolve(), new Promise(() => undefined)));
    const client = await app.connect();
    const replies = [client.emitWithAck("x"), client.emitWithAck("x")];
    await asked.promise;
    const socket = app.serverSide(client);
    let dropped = 0;
    await vi.waitFor(() => {
      dropped += app.ingress.dropPending(socket, new EventError("FORBIDDEN", "gone"));
      expect(dropped).toBe(2);
    });
    expect((await Promise.all(replies)).map(codeOf)).toEqual(["FORBIDDEN", "FORBIDDEN"]);
    off();
    expect(await client.emitWithAck("x")).toBe(1);
  });

  it("takes a failure or an EventError", async () => {
    await using app = await serveIngress();
    const socket = app.serverSide(await app.connect());
    expect(() => app.ingress.dropPending(socket, "gone" as never)).toThrow("expects a failure or an EventError");
    expect(app.ingress.dropPending(socket, new EventError("X", "y"))).toBe(0);
  });
});
