import { loopTime } from "../../fixtures/loop-time.js";
import { once } from "node:events";
import { connect } from "node:net";
import { describe, expect, it, vi } from "vitest";
import { EventError } from "socket-ingress";
import { user } from "socket-ingress/realtime";
import { z } from "zod";
import { deferred } from "../../fixtures/deferred.js";
import { envelope, openPlain } from "./plain-door.js";
import { dial } from "./socket-reader.js";

describe("a WebSocket", () => {
  it("Given `ws?topic=author` without our client, Then the frame is the envelope as JSON and nothing else precedes it.", async () => {
    await using plain = await openPlain();
    await using client = await plain.socket("?topic=author");
    await plain.sockets(1);
    await vi.waitFor(async () => expect((await plain.door.realtime.count({ topic: "author" })).sockets).toBe(1));
    await plain.change(1);
    await client.until(() => client.frames.length > 0);
    expect(client.frames).toEqual([envelope(1)]);
  });

  it('Given `{"subscribe":"book"}`, `{"unsubscribe":"author"}`, Then it changes without reconnecting; unknown topic answered; 16 kB frame limit.', async () => {
    await using plain = await openPlain();
    await using client = await plain.socket("?topic=author");
    client.say({ subscribe: "book" });
    await client.until(() => client.frames.length === 1);
    expect(client.frames).toEqual([{ subscribed: "book" }]);
    expect(await client.ask({ unsubscribe: "author" })).toEqual({ id: "q1", unsubscribed: "author" });
    await plain.change(1, ["author"]);
    await plain.change(2, ["book"]);
    await plain.change(3, ["author", "book"]);
    await client.until(() => client.frames.length === 4);
    expect(client.frames.slice(2)).toEqual([envelope(2), envelope(3)]);
    expect(await client.ask({ subscribe: "unknown" })).toEqual({
      id: "q2",
      topic: "unknown",
      error: { code: "FORBIDDEN", message: expect.any(String) },
    });
    expect(await client.ask({ subscribe: "chat" })).toEqual({
      id: "q3",
      subscribed: "chat",
      snapshot: { said: "before" },
    });
    expect(await client.ask({ unsubscribe: "never joined" })).toEqual({ id: "q4", unsubscribed: "never joined" });
    client.say({ event: "sync", data: "x".repeat(17_000) });
    expect((await client.closed).code).toBe(1009);
    await plain.sockets(0);
  });

  it("is told all other events as `{ event, data }`, and is among those that are counted", async () => {
    await using plain = await openPlain();
    const { realtime } = plain.door;
    await using ada = await plain.socket("?user=ada&topic=author");
    await ada.ask({ event: "sync" });
    expect(await realtime.count(user("ada"))).toMatchObject({ sockets: 1 });
    await realtime.emitSocket("hello", { to: "ada" }, user("ada"));
    await realtime.sendTo(user("ada"), 7);
    await ada.until(() => ada.frames.length === 3);
    expect(ada.frames.slice(1)).toEqual([
      { event: "hello", data: { to: "ada" } },
      { event: "notify", data: 7 },
    ]);
  });

  it("that names no topic is in `all`, where the server has it", async () => {
    await using without = await openPlain();
    await using alone = await without.socket();
    expect(await alone.ask({ event: "sync" })).toEqual({ id: "q1", data: true });
    await using plain = await openPlain(
      {},
      {
        before: (_manager, { topics }) => void topics.define("all", { public: true, history: {} }),
      },
    );
    await using client = await plain.socket();
    await client.ask({ event: "sync" });
    await plain.change(1, ["all"]);
    await client.until(() => client.frames.length === 2);
    expect(client.frames[1]).toEqual(envelope(1));
  });
});

describe("an event of a WebSocket", () => {
  it("is answered as that of any other client: a value, a failure, invalid input, an unknown event, a time limit, overload", async () => {
    await using plain = await openPlain({}, { ingress: { maxInFlight: 1, maxPending: 1 } });
    const { ingress } = plain.door;
    ingress.subscribe("double", (_context, n) => n * 2, { input: z.number() });
    ingress.subscribe("refuse", () => {
      throw new EventError("CONFLICT", "not now", { details: { now: 1 } });
    });
    ingress.subscribe("fail", () => {
      throw new Error("the password is 1234");
    });
    ingress.subscribe("slow", () => new Promise(() => undefined), { timeoutMs: 20 });
    ingress.subscribe("first", () => ({ ok: 1 }), { callback: "errorFirst" });
    ingress.subscribe("several", ({ reply }) => void reply(undefined));
    await using client = await plain.socket("?topic=author");
    const ask = async (event: string, data?: unknown): Promise<unknown> => {
      const { id: _, ...answer } = await client.ask({ event, data });
      return answer;
    };
    expect(await ask("double", 21)).toEqual({ data: 42 });
    expect(await ask("double", "x")).toMatchObject({ error: { code: "INVALID_INPUT", details: { issues: [{}] } } });
    expect(await ask("refuse")).toEqual({ error: { code: "CONFLICT", message: "not now", details: { now: 1 } } });
    expect(await ask("fail")).toEqual({ error: { code: "INTERNAL", message: "internal error" } });
    expect(await ask("nobody")).toMatchObject({ error: { code: "UNKNOWN_EVENT" } });
    expect(await ask("slow")).toMatchObject({ error: { code: "TIMEOUT" } });
    expect(await ask("first")).toEqual({ data: { ok: 1 } });
    const go = deferred();
    ingress.subscribe("wait", () => go.promise);
    const asked = [ask("wait"), ask("wait"), ask("wait")];
    expect(await asked[2]).toMatchObject({ error: { code: "OVERLOADED" } });
    go.resolve();
    expect(await asked[0]).toEqual({ data: null });
  });

  it("is answered with all that the application's own listener says, as a list", async () => {
    await using plain = await openPlain();
    plain.door.served.io.on("connection", (socket) => {
      socket.on("pair", (_data, reply: (...args: unknown[]) => void) => reply(1, "b"));
      socket.on("none", (_data, reply: (...args: unknown[]) => void) => reply(null));
    });
    await using client = await plain.socket();
    expect(await client.ask({ event: "pair", data: 0 })).toEqual({ id: "q1", data: [1, "b"] });
    expect(await client.ask({ event: "none", data: 0 })).toEqual({ id: "q2", data: null });
  });

  it("that leaves a topic which can't be one is answered with the failure", async () => {
    await using plain = await openPlain();
    await using client = await plain.socket();
    const topic = "x".repeat(300);
    expect(await client.ask({ unsubscribe: topic })).toMatchObject({ topic, error: { code: "INVALID_INPUT" } });
  });

  it("that comes when the connection is being closed is not run", async () => {
    await using plain = await openPlain();
    const ran = vi.fn();
    plain.door.ingress.subscribe("note", ran);
    await using client = await plain.socket("?user=ada");
    await client.ask({ event: "sync" });
    client.ws.pause();
    const [socket] = plain.door.served.io.sockets.sockets.values();
    socket!.disconnect(true);
    await plain.sockets(0);
    client.say({ event: "note" });
    const gone = once(client.ws, "close");
    client.ws.resume();
    await gone;
    expect(ran).not.toHaveBeenCalled();
  });

  it("without an id is run and not answered; ids are the client's own", async () => {
    await using plain = await openPlain();
    const ran: unknown[] = [];
    plain.door.ingress.subscribe("note", (_context, data) => void ran.push(data));
    await using client = await plain.socket();
    client.say({ event: "note", data: { a: 1 } });
    client.say({ event: "note" });
    client.say({ event: "sync", id: 0 });
    client.say({ event: "sync", id: "zero" });
    await client.until(() => client.frames.length === 2);
    expect(client.frames).toEqual([
      { id: 0, data: true },
      { id: "zero", data: true },
    ]);
    expect(ran).toEqual([{ a: 1 }, undefined]);
  });

  it("that can't be read, or has a name that clients must not send, is answered, and the connection stays", async () => {
    await using plain = await openPlain();
    await using client = await plain.socket();
    const bad = [
      "not json",
      "[]",
      "null",
      '"text"',
      "{}",
      '{"subscribe":7}',
      '{"event":""}',
      '{"event":"sync","id":{}}',
      '{"event":"sync","id":1e400}',
      `{"event":"sync","id":"${"x".repeat(129)}"}`,
      '{"event":"disconnect","id":1}',
      '{"event":"connect"}',
      '{"event":"newListener"}',
      '{"event":"ingress:join","data":"book"}',
    ];
    for (const frame of bad) client.say(frame);
    client.ws.send(Buffer.from([1, 2, 3]));
    await client.until(() => client.frames.length === bad.length + 1);
    for (const frame of client.frames) expect(frame).toMatchObject({ error: { code: "INVALID_INPUT" } });
    expect(client.frames.find(({ id }) => id === 1)).toBeDefined();
    for (const event of ["__proto__", "constructor", "toString", "error"])
      expect(await client.ask({ event })).toMatchObject({ error: { code: "UNKNOWN_EVENT" } });
    expect(await client.ask({ event: "sync" })).toMatchObject({ data: true });
  });

  it("waits for at most a thousand answers of the application's own listeners", async () => {
    await using plain = await openPlain();
    plain.door.served.io.on("connection", (socket) => {
      socket.on("never", () => undefined);
    });
    await using client = await plain.socket();
    await client.ask({ event: "sync" });
    for (let n = 0; n < 1_001; n++) client.say({ event: "never", id: n });
    await client.until(() => client.frames.some(({ id }) => id === 1_000));
    expect(client.frames.find(({ id }) => id === 1_000)).toMatchObject({ error: { code: "OVERLOADED" } });
  });

  it("that is sent before the client is let in waits until it is, and is dropped if it is not", async () => {
    await using plain = await openPlain();
    const go = deferred();
    const ran = vi.fn();
    plain.door.ingress.subscribe("note", ran);
    plain.door.ingress.subscribe("connect", async ({ socket }) => {
      await go.promise;
      return socket.handshake.query["as"] !== "refused";
    });
    const clients = await Promise.all([plain.socket("?as=refused"), plain.socket("?as=welcome")]);
    for (const client of clients) client.say({ event: "note", id: 1 });
    go.resolve();
    expect((await clients[0].closed).code).toBe(4003);
    await clients[1].until(() => clients[1].frames.length === 1);
    expect(ran).toHaveBeenCalledTimes(1);
    await Promise.all(clients.map((client) => client[Symbol.asyncDispose]()));
  });
});

describe("a WebSocket is accepted, then closed", () => {
  it("with 4001, 4003, 4029, 1013, after the failure", async () => {
    await using plain = await openPlain({ maxStreams: 2, maxStreamsPerUser: 1 });
    const close = async (query: string, headers?: Record<string, string>) => {
      const client = await plain.socket(query, headers);
      return { ...(await client.closed), said: client.frames };
    };
    const failure = (code: string): unknown => [{ error: expect.objectContaining({ code }) }];
    expect(await close("?user=nobody")).toEqual({
      code: 4001,
      reason: "UNAUTHENTICATED",
      said: [{ error: { code: "UNAUTHENTICATED", message: "who are you?" } }],
    });
    expect(await close("?topic=secret")).toEqual({ code: 4003, reason: "FORBIDDEN", said: failure("FORBIDDEN") });
    expect(await close("", { origin: "https://evil.example" })).toMatchObject({ code: 4003 });
    await using ada = await plain.socket("?user=ada");
    await ada.ask({ event: "sync" });
    expect(await close("?user=ada")).toMatchObject({ code: 4029, said: failure("RATE_LIMITED") });
    await plain.sockets(1);
    await using grace = await plain.socket("?user=grace");
    await grace.ask({ event: "sync" });
    expect(await close("?user=eve")).toMatchObject({ code: 1013, said: failure("OVERLOADED") });
  });

  it("from other origins, unless they are allowed; the server's own and none at all are welcome", async () => {
    await using plain = await openPlain({ origins: ["https://app.example"] });
    for (const origin of [plain.url, "https://app.example", undefined]) {
      await using client = await plain.socket("", origin === undefined ? {} : { origin });
      expect(await client.ask({ event: "sync" })).toMatchObject({ data: true });
    }
    for (const origin of ["https://evil.example", "null", "https://app.example.evil"]) {
      const client = await plain.socket("", { origin });
      expect((await client.closed).code).toBe(4003);
    }
    await plain.sockets(0);
  });

  it("Given `revoke(user, topic)`, if its URL names the topic; one that it subscribed to is taken away by a frame", async () => {
    await using plain = await openPlain();
    const { realtime } = plain.door;
    await using ada = await plain.socket("?user=ada&topic=author");
    await ada.ask({ subscribe: "book" });
    await realtime.revoke("ada", "book");
    await ada.until(() => ada.frames.length === 2);
    expect(ada.frames[1]).toMatchObject({ unsubscribed: "book", error: { code: "FORBIDDEN" } });
    plain.banned.add("ada");
    await realtime.revoke("ada", "author");
    expect((await ada.closed).code).toBe(4003);
    const retry = await plain.socket("?user=ada&topic=author");
    expect((await retry.closed).code).toBe(4003);
  });

  it("Given `realtime.disconnect(user)`, with the code", async () => {
    await using plain = await openPlain();
    const clients = await Promise.all(["ada", "grace", "eve"].map((name) => plain.socket(`?user=${name}`)));
    for (const client of clients) await client.ask({ event: "sync" });
    const { realtime } = plain.door;
    await realtime.disconnect(user("ada"), { code: "UNAUTHENTICATED", message: "expired" });
    await realtime.disconnect(user("grace"), { code: "OVERLOADED", message: "elsewhere", retryAfterMs: 3_000 });
    await realtime.disconnect(user("eve"));
    expect(await Promise.all(clients.map(({ closed }) => closed))).toEqual([
      { code: 4001, reason: "UNAUTHENTICATED" },
      { code: 1013, reason: "OVERLOADED" },
      { code: 4003, reason: "FORBIDDEN" },
    ]);
    expect(clients[1]?.frames.at(-1)).toEqual({
      error: { code: "OVERLOADED", message: "elsewhere", details: { retryAfterMs: 3_000 } },
    });
  });

  it("Given shutdown, with 1001, within `graceMs`, whatever its peer does; new ones, too", async () => {
    await using plain = await openPlain();
    const { manager, ingress } = plain.door;
    const [isRunning, go] = [deferred(), deferred()];
    ingress.subscribe("slow", async () => {
      isRunning.resolve();
      await go.promise;
    });
    const client = await plain.socket("?topic=author");
    const deaf = await plain.socket("?topic=author");
    await deaf.ask({ event: "sync" });
    deaf.ws.pause();
    client.say({ event: "slow", id: 1 });
    await isRunning.promise;
    using time = loopTime();
    const done = manager.shutdown({ graceMs: 20_000 });
    const late = await plain.socket("?topic=author");
    expect((await late.closed).code).toBe(1001);
    go.resolve();
    expect(await client.closed).toEqual({ code: 1001, reason: "SHUTTING_DOWN" });
    expect(client.frames).toEqual([{ id: 1, data: null }]);
    const report = await done;
    expect(report.failures).toEqual([]);
    expect(time.ms).toBeLessThan(15_000);
    deaf.ws.terminate();
  });

  it("when it answers no ping: `disconnect` runs, presence is updated", async () => {
    await using plain = await openPlain({ heartbeatMs: 1_000 });
    const { realtime, ingress } = plain.door;
    const gone = deferred<unknown>();
    ingress.subscribe("disconnect", (_context, reason) => gone.resolve(reason));
    const client = await plain.socket("?user=ada&topic=hall");
    await vi.waitFor(() => expect(realtime.list("hall").map((one) => one.user)).toEqual(["ada"]));
    client.ws.pause();
    expect(await gone.promise).toBe("ping timeout");
    await vi.waitFor(() => expect(realtime.list("hall")).toEqual([]));
    client.ws.terminate();
  });
});

describe("an upgrade", () => {
  it("for another path is left to others, and one that is no WebSocket is refused", async () => {
    await using plain = await openPlain({ path: "/plain" });
    const client = await plain.door.enter();
    expect(client.socket.connected).toBe(true);
    await using here = await plain.socket("?topic=author");
    expect(await here.ask({ event: "sync" })).toMatchObject({ data: true });
    await expect(dial(`${plain.url}/elsewhere`)).rejects.toThrow("socket hang up");
    const raw = connect(plain.door.served.port, "127.0.0.1");
    raw.write("GET /plain HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
    const [answer] = (await once(raw, "data")) as [Buffer];
    expect(String(answer)).toMatch(/^HTTP\/1\.1 400/);
    raw.destroy();
  });
});
