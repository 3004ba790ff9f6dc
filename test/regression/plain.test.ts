import type { IncomingMessage } from "node:http";
import { createRequire } from "node:module";
import { connect } from "node:net";
import { describe, expect, it, vi } from "vitest";
import { EventError, type Interceptor } from "socket-ingress";
import { sse } from "socket-ingress/plain";
import { user } from "socket-ingress/realtime";
import { deferred, type Deferred } from "../fixtures/deferred.js";
import { recordingLog } from "../fixtures/recording-log.js";
import { serve } from "../fixtures/serve.js";
import { unhandledDuring } from "../fixtures/unhandled.js";
import { failureOf, read } from "../features/plain/event-reader.js";
import { openPlain } from "../features/plain/plain-door.js";

describe("what the application's own functions say", () => {
  it("a refusal by `auth` goes without details that JSON can't hold, over both doors, and ends no process", async () => {
    const circular: { self?: object } = {};
    circular.self = circular;
    const auth = ({ url }: IncomingMessage): object => {
      throw new EventError("UNAUTHENTICATED", "who are you?", {
        details: url?.includes("circular") ? circular : url?.includes("fine") ? { seats: 0 } : { id: 7n },
        retryAfterMs: 1_500,
      });
    };
    await using plain = await openPlain({ auth });
    const unhandled = await unhandledDuring(async () => {
      for (const [how, details] of [
        ["circular", undefined],
        ["bigint", undefined],
        ["fine", { seats: 0, retryAfterMs: 1_500 }],
      ] as const) {
        const error = { code: "UNAUTHENTICATED", message: "who are you?", ...(details && { details }) };
        expect(await failureOf(`${plain.url}/events?${how}`)).toMatchObject({ status: 401, body: { error } });
        await using client = await plain.socket(`?${how}`);
        expect(await client.closed).toEqual({ code: 4001, reason: "UNAUTHENTICATED" });
        expect(client.frames).toEqual([{ error }]);
      }
    });
    expect(unhandled).toEqual([]);
  });

  it("an interceptor that answers a join in realtime's place is INTERNAL there, is logged, and ends no process", async () => {
    let isClosed = false;
    const answers = [{ isClosed: true }, null, { answers: [] }];
    const close: Interceptor = ({ event }, next) => (isClosed && event === "ingress:join" ? answers.shift() : next());
    await using plain = await openPlain({}, { ingress: { use: [close] } });
    await using client = await plain.socket("?topic=author");
    expect(await client.ask({ event: "sync" })).toMatchObject({ data: true });
    isClosed = true;
    const unhandled = await unhandledDuring(async () => {
      expect(await client.ask({ subscribe: "book" })).toMatchObject({ error: { code: "INTERNAL" }, topic: "book" });
      expect((await failureOf(`${plain.url}/events?topic=author`)).status).toBe(500);
      await using nameless = await plain.socket();
      expect((await nameless.closed).code).toBe(1013);
    });
    expect(unhandled).toEqual([]);
    expect(plain.door.log.lines.filter(({ message }) => message?.includes("answer to a join"))).toHaveLength(3);
    isClosed = false;
    expect(await client.ask({ subscribe: "book" })).toMatchObject({ subscribed: "book" });
  });
});

it("an event whose data is nested so deep that it can't be written down is INVALID_INPUT, and ends no process", async () => {
  await using plain = await openPlain();
  const ran: unknown[] = [];
  plain.door.ingress.subscribe("note", (_context, data) => void ran.push(data));
  await using client = await plain.socket();
  const nested = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);
  const unhandled = await unhandledDuring(async () => {
    client.say(`{"event":"note","id":1,"data":${nested(8_000)}}`);
    client.say(`{"event":"note","data":${nested(8_000)}}`);
    client.say(`{"event":"note","id":2,"data":${nested(400)}}`);
    await client.until(() => client.frames.length === 3);
  });
  expect(unhandled).toEqual([]);
  expect(client.frames).toMatchObject([
    { id: 1, error: { code: "INVALID_INPUT" } },
    { error: { code: "INVALID_INPUT" } },
    { id: 2, data: null },
  ]);
  expect(ran).toEqual([JSON.parse(nested(400))]);
});

it("a WebSocket that sends pings and reads no pongs is cut at `maxBufferedBytes`, also where `ws` has no bound for that", async () => {
  const ws = createRequire(import.meta.url)("ws") as typeof import("ws");
  // As before 8.22; the option is not in the types yet.
  const unbounded = { maxPendingAutoPongs: 0 };
  const { WebSocketServer } = ws;
  vi.spyOn(ws, "WebSocketServer").mockImplementation(function (options) {
    return new WebSocketServer({ ...options, ...unbounded });
  });
  await using plain = await openPlain({ maxBufferedBytes: 100_000 });
  await using client = await plain.socket("?topic=author");
  await client.ask({ event: "sync" });
  client.ws.pause();
  const { sockets } = plain.door.served.io.sockets;
  for (let turn = 0; turn < 500 && sockets.size > 0; turn++) {
    for (let n = 0; n < 1_000; n++) client.ws.ping("x".repeat(125), true, () => undefined);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await plain.sockets(0);
  expect(plain.door.log.lines.some(({ message }) => message?.includes("it does not read"))).toBe(true);
}, 60_000);

it("topics that are asked for in another case are kept after a recovery, and those that are asked for no more are left", async () => {
  await using plain = await openPlain(
    {},
    {
      server: { connectionStateRecovery: {} },
      ingress: { recovery: "askAgain" },
      before: (_manager, { topics }) => void topics.define("post/{id}", { public: true, anyCase: true }),
    },
  );
  const stream = await plain.stream("?user=ada&topic=POST/1&topic=Post/2");
  await plain.door.realtime.emitSocket("hello", 1, user("ada"));
  await stream.until(() => stream.got("hello").length === 1);
  stream.close();
  await stream.ended;
  await plain.sockets(0);
  await using back = await plain.stream("?user=ada&topic=POST/1", { lastId: stream.lastId });
  const [socket] = plain.door.served.io.sockets.sockets.values();
  expect(socket?.recovered).toBe(true);
  await expect.poll(() => plain.door.realtime.topicsOf(socket!)).toEqual(["post/1"]);
  await plain.door.realtime.emitSocket("said", 2, { topic: "post/1" });
  await back.until(() => back.got("said").length === 1);
});

it.each([
  ["a count that no log reaches", "9999999999999999.epoch"],
  ["an epoch that no log has", `1.${"e".repeat(65)}`],
])("an id with %s is one that nobody has said: a refetch, and no refusal", async (_what, lastId) => {
  await using plain = await openPlain();
  await using stream = await plain.stream("?topic=author", { lastId });
  expect(stream.status).toBe(200);
  await plain.change(1);
  await stream.until(() => stream.events.length === 2);
  expect(stream.events.map(({ event }) => event)).toEqual(["refetch", "change"]);
});

describe("a WebSocket", () => {
  it("that names no topic is told the snapshot of `all`, as one that names it is", async () => {
    await using plain = await openPlain(
      {},
      { before: (_manager, { topics }) => void topics.define("all", { public: true, snapshot: () => "how it is" }) },
    );
    for (const query of ["", "?topic=all"]) {
      await using client = await plain.socket(query);
      await client.until(() => client.frames.length === 1);
      expect(client.frames).toEqual([{ event: "snapshot", data: { topic: "all", snapshot: "how it is" } }]);
    }
  });

  it("hears nothing of a topic behind the word that it has left it, however long its filter takes", async () => {
    const verdicts: Deferred<boolean>[] = [];
    const filter = (): Promise<boolean> => {
      const verdict = deferred<boolean>();
      verdicts.push(verdict);
      return verdict.promise;
    };
    await using plain = await openPlain({ filter });
    await using client = await plain.socket("?user=ada");
    for (const topic of ["author", "book"]) await client.ask({ subscribe: topic });
    await plain.change(1, ["author"]);
    client.say({ unsubscribe: "author" });
    await client.ask({ event: "sync" });
    await plain.change(2, ["book"]);
    await plain.door.realtime.revoke("ada", "book");
    for (const turn of [0, 1]) {
      await expect.poll(() => verdicts.length).toBe(turn + 1);
      verdicts[turn]?.resolve(true);
    }
    await client.until(() => client.frames.length === 7);
    expect(client.frames.slice(3)).toMatchObject([
      { id: "1" },
      { unsubscribed: "author" },
      { id: "2" },
      { unsubscribed: "book", error: { code: "FORBIDDEN" } },
    ]);
  });

  it("that has left a topic of its URL, in whatever case, and subscribed to it by a frame loses it by a frame", async () => {
    await using plain = await openPlain(
      {},
      { before: (_manager, { topics }) => void topics.define("post/{id}", { public: true, anyCase: true }) },
    );
    await using client = await plain.socket("?user=ada&topic=POST/1");
    expect(await client.ask({ unsubscribe: "post/1" })).toMatchObject({ unsubscribed: "post/1" });
    expect(await client.ask({ subscribe: "post/1" })).toMatchObject({ subscribed: "post/1" });
    await plain.door.realtime.revoke("ada");
    await client.until(() => client.frames.length === 3);
    expect(client.frames[2]).toMatchObject({ unsubscribed: "post/1", error: { code: "FORBIDDEN" } });
    expect(await client.ask({ event: "sync" })).toMatchObject({ data: true });
  });
});

describe("the end", () => {
  it("of Socket.IO, without a manager, while a client is asked about refuses it, and the HTTP server closes", async () => {
    const [asked, go] = [deferred(), deferred()];
    await using app = await serve();
    app.io.use((_socket, next) => {
      asked.resolve();
      void go.promise.then(() => next());
    });
    const events = sse(app.io, { logger: recordingLog() });
    app.httpServer.on("request", (request, response) => {
      if (request.url?.startsWith("/events")) void events(request, response);
    });
    const answer = failureOf(`${app.url}/events`);
    await asked.promise;
    const closed = new Promise((resolve) => app.httpServer.once("close", resolve));
    void app.io.close();
    go.resolve();
    expect(await answer).toMatchObject({ status: 503, body: { error: { code: "SHUTTING_DOWN" } } });
    await closed;
  });

  it("of a stream whose middleware throws at it costs nobody else, and ends no process", async () => {
    const log = recordingLog();
    await using app = await serve();
    const events = sse(app.io, { logger: log });
    app.httpServer.on("request", (request, response) => {
      if (!request.url?.startsWith("/events")) return;
      if (request.url.includes("fragile"))
        response.end = () => {
          throw new Error("the middleware is broken");
        };
      void events(request, response);
    });
    const streams = [await read(`${app.url}/events?fragile`), await read(`${app.url}/events`)];
    const unhandled = await unhandledDuring(async () => {
      app.io.disconnectSockets(true);
      await Promise.all(streams.map(({ ended }) => ended));
    });
    expect(unhandled).toEqual([]);
    expect(streams[1]?.got("ended")).toHaveLength(1);
    expect(log.lines.map(({ message }) => message)).toContain("an event stream could not be written");
    expect(app.io.sockets.sockets.size).toBe(0);
  });
});

describe("origins", () => {
  it('`"*"` is any, in a list as well', async () => {
    await using plain = await openPlain({ origins: ["https://app.example", "*"] });
    const origin = { origin: "https://elsewhere.example" };
    await using stream = await plain.stream("", { headers: origin });
    expect(stream.headers["access-control-allow-origin"]).toBe("*");
    await using client = await plain.socket("", origin);
    expect(await client.ask({ event: "sync" })).toMatchObject({ data: true });
  });

  it("the server's own is told by a host in any case, and by one whose port goes without saying", async () => {
    await using plain = await openPlain();
    for (const [origin, host] of [
      ["https://app.example", "APP.example"],
      ["https://app.example", "app.example:443"],
      ["http://app.example", "app.example:80"],
      ["http://app.example:8080", "App.Example:8080"],
    ] as const) {
      await using client = await plain.socket("", { origin, host });
      expect(await client.ask({ event: "sync" })).toMatchObject({ data: true });
    }
    for (const [origin, host] of [
      ["https://app.example", "app.example:80"],
      ["http://app.example:8080", "app.example"],
      ["null", "app.example"],
      ["https://app.example", "app.example@evil.example"],
    ] as const) {
      await using client = await plain.socket("", { origin, host });
      expect((await client.closed).code).toBe(4003);
    }
  });
});

it("the time until an EventSource comes back is whole milliseconds, as nothing else is read there", async () => {
  await using plain = await openPlain();
  expect(() => sse(plain.door.served.io, { retryMs: 1_500.5 })).toThrow("sse: retryMs must be a whole number");
  expect(() => sse(plain.door.served.io, { retryMs: Infinity })).toThrow("sse: retryMs must be a whole number");
  await using stream = await plain.stream("?user=ada");
  await plain.door.realtime.disconnect(user("ada"), {
    code: "OVERLOADED",
    message: "elsewhere",
    retryAfterMs: 1_000.5,
  });
  await stream.ended;
  expect(stream.retry).toBe(1_001);
});

describe("streams that are asked for one behind the other on one connection (pipelining)", () => {
  it("are gone with it, also those that no response has left for, and their places are free", async () => {
    await using plain = await openPlain({ maxStreams: 30, heartbeatMs: Infinity });
    const warned: unknown[] = [];
    const warn = (warning: unknown): void => void warned.push(warning);
    process.on("warning", warn);
    const connection = connect(plain.door.served.port, "127.0.0.1");
    connection.write("GET /events?topic=hall HTTP/1.1\r\nhost: x\r\n\r\n".repeat(30));
    await plain.sockets(30);
    expect((await failureOf(`${plain.url}/events`)).status).toBe(503);
    connection.destroy();
    await plain.sockets(0);
    await using back = await plain.stream("?topic=hall");
    expect(back.status).toBe(200);
    process.off("warning", warn);
    expect(warned).toEqual([]);
  });
});
