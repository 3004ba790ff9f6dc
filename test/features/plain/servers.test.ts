import { once } from "node:events";
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server as HttpServer,
  type ServerResponse,
} from "node:http";
import { connect as connectHttp2, createServer as createHttp2 } from "node:http2";
import type { AddressInfo } from "node:net";
import { createGzip, gunzipSync, constants } from "node:zlib";
import { serve as serveHono, type HttpBindings } from "@hono/node-server";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import express from "express";
import fastify from "fastify";
import { Hono } from "hono";
import { Server } from "socket.io";
import { describe, expect, it, vi } from "vitest";
import { ServiceManager } from "socket-ingress";
import { sse, type EventStreams } from "socket-ingress/plain";
import { Realtime } from "socket-ingress/realtime";
import { recordingLog } from "../../fixtures/recording-log.js";
import { read } from "./event-reader.js";
import { envelope } from "./plain-door.js";

/** Starts an HTTP server with event streams at `/events`. */
type Start = (events: EventStreams, io: Server) => Promise<HttpServer>;

async function listening(server: HttpServer): Promise<HttpServer> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

const servers: Record<string, Start> = {
  "node:http": async (events, io) => {
    const server = createServer((request, response) => void events(request, response));
    io.attach(server);
    return listening(server);
  },
  Express: async (events, io) => {
    const app = express();
    app.get("/events", events);
    const server = createServer(app as RequestListener);
    io.attach(server);
    return listening(server);
  },
  Fastify: async (events, io) => {
    const app = fastify();
    app.get("/events", async (request, reply) => {
      reply.hijack();
      await events(request.raw, reply.raw);
    });
    await app.listen({ port: 0, host: "127.0.0.1" });
    io.attach(app.server);
    return app.server;
  },
  Hono: async (events, io) => {
    const app = new Hono<{ Bindings: HttpBindings }>();
    app.get("/events", async (context) => {
      await events(context.env.incoming, context.env.outgoing);
      return RESPONSE_ALREADY_SENT;
    });
    // The global classes stay Node's, which other files of this process use.
    const options = { fetch: app.fetch, port: 0, hostname: "127.0.0.1", overrideGlobalObjects: false };
    const server = serveHono(options) as HttpServer;
    if (!server.listening) await once(server, "listening");
    io.attach(server);
    return server;
  },
};

interface Running extends AsyncDisposable {
  readonly url: string;
  readonly realtime: Realtime;
}

async function start(make: Start): Promise<Running> {
  const io = new Server();
  const log = recordingLog();
  const realtime = new Realtime({ user: ({ handshake }) => handshake.query["user"] as string });
  realtime.topics.define("author", { join: ({ user }) => user !== "eve", history: { keep: 100 } });
  const manager = new ServiceManager(io, { logger: log }).registerHandler(realtime);
  const server = await make(sse(io, { logger: log }), io);
  await manager.boot();
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/events?user=ada`,
    realtime,
    async [Symbol.asyncDispose]() {
      await manager.shutdown({ graceMs: 1_000 });
    },
  };
}

/** The stream's own headers and all of its bytes, from its head to its end. */
async function storyOf(make: Start): Promise<{ head: object; text: string; refused: object; resumed: string }> {
  await using running = await start(make);
  const { url, realtime } = running;
  const change = (n: number): Promise<void> => realtime.emitSocket("change", envelope(n), { topic: "author" });
  const stream = await read(`${url}&topic=author`);
  for (const n of [1, 2]) await change(n);
  await stream.until(() => stream.events.length === 2);
  await realtime.disconnect({ user: "ada" });
  await stream.ended;
  await change(3);
  const back = await read(`${url}&topic=author`, { lastId: stream.lastId });
  await back.until(() => back.events.length === 1);
  back.close();
  const refusal = await fetch(url.replace("ada", "eve") + "&topic=author");
  const heads = ({ headers }: typeof stream): object =>
    Object.fromEntries(["content-type", "cache-control", "x-accel-buffering"].map((name) => [name, headers[name]]));
  const epoch = /(\d)\.[^\n]+/g; // of a log that is made anew for each
  return {
    head: { status: stream.status, ...heads(stream) },
    text: stream.text.replace(epoch, "$1.epoch"),
    refused: { status: refusal.status, type: refusal.headers.get("content-type"), body: await refusal.json() },
    resumed: back.text.replace(epoch, "$1.epoch"),
  };
}

describe("Given Express, Fastify, Hono, node:http", () => {
  it("Then the same bytes.", async () => {
    const stories = new Map<string, object>();
    for (const [name, make] of Object.entries(servers)) stories.set(name, await storyOf(make));
    const expected = stories.get("node:http") as Awaited<ReturnType<typeof storyOf>>;
    expect(expected.text).toContain("event: change");
    expect(expected.text).toContain("event: ended");
    for (const [name, story] of stories) expect({ name, ...story }).toEqual({ name, ...expected });
  });

  // As `compression` does: it leaves alone what says no-transform, and has a `flush`.
  it("compression middleware must not hold events back: what goes by `no-transform` does not touch them", async () => {
    await using running = await start(behind(false));
    const stream = await read(`${running.url}&topic=author`, { headers: { "accept-encoding": "gzip" } });
    expect(stream.headers["content-encoding"]).toBeUndefined();
    await running.realtime.emitSocket("change", envelope(1), { topic: "author" });
    await stream.until(() => stream.events.length === 1);
    stream.close();
  });

  it("compression middleware must not hold events back: what compresses all the same is told to flush", async () => {
    await using running = await start(behind(true));
    const chunks: Buffer[] = [];
    const response = await fetch(`${running.url}&topic=author`, { headers: { "accept-encoding": "identity" } });
    expect(response.headers.get("x-squeezed")).toBe("gzip");
    const reader = response.body!.getReader();
    const until = async (text: string): Promise<void> => {
      while (!unzipped(chunks).includes(text)) chunks.push(Buffer.from((await reader.read()).value ?? []));
    };
    await until("retry: 2000");
    await running.realtime.emitSocket("change", envelope(1), { topic: "author" });
    await until("event: change");
    await reader.cancel();
  });
});

it("a middleware whose write throws costs its own stream, and nobody else's", async () => {
  let isBroken = false;
  await using running = await start((events, io) => {
    const server = createServer((request, response) => {
      if (request.headers["x-fragile"] !== undefined) {
        const write = response.write.bind(response) as (chunk: unknown) => boolean;
        response.write = ((chunk: unknown) => {
          if (isBroken) throw new Error("the middleware is broken");
          return write(chunk);
        }) as typeof response.write;
      }
      void events(request, response);
    });
    io.attach(server);
    return listening(server);
  });
  const change = (n: number): Promise<void> => running.realtime.emitSocket("change", envelope(n), { topic: "author" });
  const fragile = await read(`${running.url}&topic=author`, { headers: { "x-fragile": "yes" } });
  const stream = await read(`${running.url}&topic=author`);
  await change(1);
  for (const each of [fragile, stream]) await each.until(() => each.events.length === 1);
  isBroken = true;
  await change(2);
  await stream.until(() => stream.events.length === 2);
  await fragile.ended;
  expect(fragile.events.length).toBe(1);
  stream.close();
});

describe("Given HTTP/2", () => {
  it("Then seven streams and more share one connection, and are ended one by one", async () => {
    const events: { serve?: EventStreams } = {};
    const server = createHttp2((request, response) => {
      // The compatible forms of HTTP/2 have all that is asked of those of HTTP/1.1.
      void events.serve?.(request as unknown as IncomingMessage, response as unknown as ServerResponse);
    });
    await using running = await start(async (serve, io) => {
      events.serve = serve;
      io.attach(createServer());
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
      return server as unknown as HttpServer;
    });
    const session = connectHttp2(new URL(running.url).origin);
    const streams = Array.from({ length: 10 }, (_, i) => {
      const stream = session.request({ ":path": `/events?user=u${i}&topic=author` });
      const told = { stream, text: "", status: once(stream, "response"), ended: once(stream, "close") };
      stream.setEncoding("utf8");
      stream.on("data", (chunk: string) => (told.text += chunk));
      return told;
    });
    for (const { status } of streams) expect((await status)[0]).toMatchObject({ ":status": 200 });
    await running.realtime.emitSocket("change", envelope(1), { topic: "author" });
    for (const told of streams)
      await vi.waitFor(() => expect(told.text).toContain(`event: change\ndata: ${JSON.stringify(envelope(1))}\n\n`));
    await running.realtime.disconnect({ user: "u3" });
    await streams[3]?.ended;
    expect(streams[3]?.text).toContain("event: ended");
    streams[4]?.stream.close();
    await vi.waitFor(async () => expect((await running.realtime.count({ topic: "author" })).sockets).toBe(8));
    session.destroy();
    await vi.waitFor(async () => expect((await running.realtime.count({ topic: "author" })).sockets).toBe(0));
    server.close();
  });
});

it("Given HTTP/2, Then a burst of one turn that is larger than `maxBufferedBytes` reaches a client that reads, and one that does not is cut", async () => {
  const io = new Server();
  io.attach(createServer());
  const events = sse(io, { maxBufferedBytes: 50_000, logger: recordingLog() });
  const server = createHttp2((request, response) => {
    void events(request as unknown as IncomingMessage, response as unknown as ServerResponse);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  // One each: what is not read of one stream takes of the others on its connection.
  const sessions = [connectHttp2(url), connectHttp2(url)] as const;
  const [reading, deaf] = [sessions[0].request({ ":path": "/events" }), sessions[1].request({ ":path": "/events" })];
  let text = "";
  reading.setEncoding("utf8");
  reading.on("data", (chunk: string) => (text += chunk));
  await Promise.all([once(reading, "response"), once(deaf, "response")]);
  deaf.on("error", () => undefined);
  const told = (): number => text.split("event: burst").length - 1;
  for (let n = 1; n <= 5; n++) {
    for (let i = 0; i < 100; i++) io.emit("burst", "x".repeat(2_000));
    await vi.waitFor(() => expect(told()).toBe(n * 100));
  }
  await vi.waitFor(() => expect(io.sockets.sockets.size).toBe(1));
  expect(reading.closed).toBe(false);
  for (const session of sessions) session.destroy();
  server.close();
});

function unzipped(chunks: readonly Buffer[]): string {
  return chunks.length === 0 ? "" : String(gunzipSync(Buffer.concat(chunks), { finishFlush: constants.Z_SYNC_FLUSH }));
}

/** Express behind a middleware that compresses; without `always` it respects what the answer says about that. */
function behind(always: boolean): Start {
  return async (events, io) => {
    const app = express();
    app.use((_request, response, next) => {
      squeeze(response, always);
      next();
    });
    app.get("/events", events);
    const server = createServer(app as RequestListener);
    io.attach(server);
    return listening(server);
  };
}

function squeeze(response: ServerResponse & { flush?: () => void }, always: boolean): void {
  const write = response.write.bind(response) as (chunk: unknown) => boolean;
  const end = response.end.bind(response);
  let gzip: ReturnType<typeof createGzip> | undefined;
  const begin = (): void => {
    if (gzip !== undefined || response.headersSent) return;
    if (!always && String(response.getHeader("cache-control")).includes("no-transform")) return;
    // Not as content-encoding: the test looks at the pieces itself.
    response.setHeader("x-squeezed", "gzip");
    gzip = createGzip();
    gzip.on("data", write);
    gzip.on("end", () => end());
  };
  const { flushHeaders } = response;
  response.flushHeaders = () => {
    begin();
    flushHeaders.call(response);
  };
  response.write = ((chunk: Buffer) => {
    begin();
    return gzip === undefined ? write(chunk) : gzip.write(chunk);
  }) as typeof response.write;
  response.end = ((done?: () => void) => {
    if (typeof done === "function") response.once("finish", done);
    if (gzip === undefined) end();
    else gzip.end();
    return response;
  }) as typeof response.end;
  response.flush = () => gzip?.flush();
}
