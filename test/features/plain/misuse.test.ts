import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Server } from "socket.io";
import msgpack from "socket.io-msgpack-parser";
import { describe, expect, it, vi } from "vitest";
import { ServiceManager, SocketIngress } from "socket-ingress";
import { plainSockets, sse } from "socket-ingress/plain";
import { Realtime } from "socket-ingress/realtime";
import { fakeServer } from "socket-ingress/testing";
import { recordingLog } from "../../fixtures/recording-log.js";
import { serve } from "../../fixtures/serve.js";
import { failureOf, read } from "./event-reader.js";
import { dial } from "./socket-reader.js";

describe.each([
  ["sse", sse as (io: Server, options?: object) => unknown],
  ["plainSockets", plainSockets as (io: Server, options?: object) => unknown],
])("%s", (name, make) => {
  const io = new Server();

  it.each([
    ["maxBufferedBytes", 0, "a whole number from 1, or Infinity for no limit, got 0"],
    ["heartbeatMs", "15s", 'milliseconds from 1 to 2147483647, or Infinity for no limit, got "15s"'],
    ["maxStreams", -1, "a whole number from 1, or Infinity for no limit, got -1"],
    ["maxStreamsPerUser", 1.5, "a whole number from 1, or Infinity for no limit, got 1.5"],
    ["retryMs", NaN, "a whole number of milliseconds from 1 to 2147483647, got NaN"],
    ["auth", {}, "a function, got an object"],
    ["filter", true, "a function, got true"],
    ["origins", 7, '"*", an origin such as "https://example.com", a RegExp, or a list of these, got 7'],
    ["namespace", "", 'a name like "/chat", got ""'],
    ["logger", null, "a logger, got null"],
  ])("refuses a wrong %s at once", (option, value, expected) => {
    expect(() => make(io, { [option]: value })).toThrow(new TypeError(`${name}: ${option} must be ${expected}`));
  });

  it("refuses a path that is none", () => {
    for (const path of ["ws", 7])
      expect(() => plainSockets(io, { path: path as string })).toThrow("plainSockets: path must be a path such as");
  });

  it("refuses an option that it has not, and what is no server", () => {
    expect(() => make(io, { topics: ["author"] })).toThrow(/there is no option "topics"/);
    expect(() => make({} as Server)).toThrow(`${name}: expected a Socket.IO server, got an object`);
    expect(() => make(io, 7 as unknown as object)).toThrow(TypeError);
  });

  it("refuses a server whose parser is not Socket.IO's own", () => {
    expect(() => make(new Server({ parser: msgpack }))).toThrow(/Socket\.IO's own parser/);
  });
});

describe("what only shows when a request comes", () => {
  it("is logged, and no request is left open: no HTTP server yet, and a response that was begun already", async () => {
    const log = recordingLog();
    const unattached = sse(new Server(), { logger: log });
    await using app = await serve();
    const events = sse(app.io, { logger: log });
    app.httpServer.on("request", (request, response) => {
      if (request.url === "/unattached") void unattached(request, response);
      if (request.url !== "/begun") return;
      response.writeHead(200).flushHeaders();
      void events(request, response);
    });
    const refused = await failureOf(`${app.url}/unattached`);
    expect(refused).toMatchObject({ status: 500, body: { error: { code: "INTERNAL", message: "internal error" } } });
    const begun = await read(`${app.url}/begun`);
    await begun.ended;
    expect(log.lines.map(({ fields }) => (fields["err"] as Error).message)).toEqual([
      "a plain client came before the Socket.IO server was attached to an HTTP server",
      expect.stringContaining("headers"),
    ]);
    await vi.waitFor(() => expect(app.io.sockets.sockets.size).toBe(0));
  });
});

describe("another namespace", () => {
  it("is where its clients are, with what is joined, called and told there", async () => {
    await using app = await serve();
    const realtime = new Realtime({ namespace: "/chat" });
    realtime.topics.define("room", { public: true, history: {} });
    const manager = new ServiceManager(app.io).registerHandler(realtime);
    manager.ingress.subscribe("where", ({ socket }) => socket.nsp.name, { namespace: "/chat" });
    await manager.boot();
    const options = { namespace: "/chat" };
    const events = sse(app.io, options);
    app.httpServer.on("request", (request, response) => {
      if (request.url?.startsWith("/events")) void events(request, response);
    });
    app.httpServer.on("upgrade", plainSockets(app.io, options).upgrade);
    const stream = await read(`${app.url}/events?topic=room`);
    await using client = await dial(`${app.url}/ws?topic=room`);
    expect(await client.ask({ event: "where" })).toEqual({ id: "q1", data: "/chat" });
    app.io.emit("hello", "main");
    app.io.of("/chat").emit("hello", "chat");
    await realtime.emitSocket("said", 1, { topic: "room" });
    await stream.until(() => stream.got("said").length === 1);
    await client.until(() => client.frames.length === 3);
    expect(stream.events.map(({ event, data }) => [event, data as unknown])).toEqual([
      ["hello", "chat"],
      ["said", 1],
    ]);
    await manager.shutdown({ graceMs: 1_000 });
  });
});

describe("a fake server", () => {
  it("serves plain clients as any other: what they are told, and its end", async () => {
    const io = fakeServer();
    const events = sse(io);
    const httpServer = createServer((request, response) => void events(request, response));
    await once(httpServer.listen(0, "127.0.0.1"), "listening");
    const ann = await io.connect({ data: { user: "ann" } });
    const stream = await read(`http://127.0.0.1:${(httpServer.address() as AddressInfo).port}/events`);
    io.emit("hello", 1);
    await stream.until(() => stream.events.length === 1);
    expect([stream.got("hello"), await ann.next("hello")]).toEqual([[1], [1]]);
    await io.close();
    await stream.ended;
    httpServer.close();
  });
});

describe("a server without realtime", () => {
  it("has streams of what is sent to everyone, and no topics", async () => {
    await using app = await serve();
    const [events, sockets] = [sse(app.io), plainSockets(app.io)];
    app.httpServer.on("request", (request, response) => {
      if (request.url?.startsWith("/events")) void events(request, response);
    });
    app.httpServer.on("upgrade", sockets.upgrade);
    const stream = await read(`${app.url}/events`);
    const client = await dial(`${app.url}/ws`);
    while (app.io.sockets.sockets.size < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    app.io.emit("hello", 1);
    await stream.until(() => stream.events.length === 1);
    await client.until(() => client.frames.length === 1);
    expect([stream.events[0]?.data, client.frames[0]]).toEqual([1, { event: "hello", data: 1 }]);
    expect(await failureOf(`${app.url}/events?topic=author`)).toMatchObject({ status: 403 });
    expect(app.io.engine.clientsCount).toBe(0);
    stream.close();
    await client[Symbol.asyncDispose]();
  });

  it("but with an ingress answers that the topic is not there", async () => {
    await using app = await serve();
    new SocketIngress().attach(app.io);
    const events = sse(app.io);
    app.httpServer.on("request", (request, response) => {
      if (request.url?.startsWith("/events")) void events(request, response);
    });
    expect((await failureOf(`${app.url}/events?topic=author`)).status).toBe(403);
    const stream = await read(`${app.url}/events`);
    expect(stream.status).toBe(200);
    stream.close();
  });
});
