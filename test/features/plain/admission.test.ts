import { once } from "node:events";
import { createServer } from "node:http";
import { connect as connectTcp, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Server } from "socket.io";
import { describe, expect, it, vi } from "vitest";
import { sse } from "socket-ingress/plain";
import { user } from "socket-ingress/realtime";
import { deferred, type Deferred } from "../../fixtures/deferred.js";
import { recordingLog } from "../../fixtures/recording-log.js";
import { serve } from "../../fixtures/serve.js";
import { failureOf, read } from "./event-reader.js";
import { openPlain, type PlainDoor } from "./plain-door.js";

/** A server with a topic "slow", whose policy thinks until `go` is resolved. */
async function openSlow(
  plain: Parameters<typeof openPlain>[0] = {},
): Promise<{ plain: PlainDoor; asked: Deferred; go: Deferred<boolean> }> {
  const [asked, go] = [deferred(), deferred<boolean>()];
  const door = await openPlain(plain, {
    before: (_manager, { topics }) =>
      void topics.define("slow", {
        join: () => {
          asked.resolve();
          return go.promise;
        },
      }),
  });
  return { plain: door, asked, go };
}

const filling = "x".repeat(1_000);

/** Resolves when a stream and a WebSocket of ada's are sockets of the server. */
const bothOf = ({ door }: PlainDoor): Promise<void> =>
  vi.waitFor(async () => expect((await door.realtime.count(user("ada"))).sockets).toBe(2));

describe("what comes while a client is asked about", () => {
  it("is told to it when it is in, in order, over both doors", async () => {
    const { plain, asked, go } = await openSlow({ heartbeatMs: 1_000 });
    await using _ = plain;
    await using witness = await plain.stream();
    const [streaming, socket] = [plain.stream("?user=ada&topic=slow"), await plain.socket("?user=ada&topic=slow")];
    await asked.promise;
    await bothOf(plain);
    const { comments } = witness;
    await witness.until(() => witness.comments > comments);
    for (const n of [1, 2]) await plain.door.realtime.emitSocket("hello", n, user("ada"));
    go.resolve(true);
    await using stream = await streaming;
    await stream.until(() => stream.got("hello").length === 2);
    await socket.until(() => socket.frames.length === 2);
    expect([stream.got("hello"), socket.frames.map(({ data }) => data as unknown)]).toEqual([
      [1, 2],
      [1, 2],
    ]);
    await socket[Symbol.asyncDispose]();
  });

  it("and is more than `maxBufferedBytes` is a refetch of a stream's topics, and has a WebSocket cut", async () => {
    const { plain, asked, go } = await openSlow({ maxBufferedBytes: 5_000 });
    await using _ = plain;
    const [streaming, socket] = [plain.stream("?user=ada&topic=slow"), await plain.socket("?user=ada&topic=slow")];
    await asked.promise;
    await bothOf(plain);
    for (let n = 1; n <= 10; n++) await plain.door.realtime.emitSocket("hello", filling, user("ada"));
    expect((await socket.closed).code).toBe(1006);
    go.resolve(true);
    await using stream = await streaming;
    await plain.door.realtime.emitSocket("hello", 11, user("ada"));
    await stream.until(() => stream.got("hello").length === 1);
    expect(stream.events.map(({ event, data }) => [event, data as unknown])).toEqual([
      ["refetch", { topics: ["slow"] }],
      ["hello", 11],
    ]);
  });

  it("and ends it refuses it, with the reason, over both doors", async () => {
    const { plain, asked, go } = await openSlow();
    await using _ = plain;
    const [answer, socket] = [
      failureOf(`${plain.url}/events?user=ada&topic=slow`),
      await plain.socket("?user=ada&topic=slow"),
    ];
    await asked.promise;
    await bothOf(plain);
    await plain.door.realtime.disconnect(user("ada"), { code: "UNAUTHENTICATED", message: "expired" });
    go.resolve(true);
    expect(await answer).toMatchObject({ status: 401, body: { error: { code: "UNAUTHENTICATED" } } });
    expect((await socket.closed).code).toBe(4001);
    await plain.sockets(0);
  });

  it("and takes its topic away in the very moment in which it was granted refuses it", async () => {
    await using plain = await openPlain(
      {},
      {
        before: (_manager, realtime) =>
          void realtime.topics.define("brief", {
            public: true,
            granted: ({ user: id }) => void realtime.revoke(id!, "brief"),
          }),
      },
    );
    expect(await failureOf(`${plain.url}/events?user=ada&topic=brief`)).toMatchObject({ status: 403 });
    const socket = await plain.socket("?user=ada&topic=brief");
    expect((await socket.closed).code).toBe(4003);
    await plain.sockets(0);
  });

  it("and is its own end leaves nothing, over both doors", async () => {
    const { plain, asked, go } = await openSlow();
    await using _ = plain;
    const controller = new AbortController();
    const answer = fetch(`${plain.url}/events?user=ada&topic=slow`, { signal: controller.signal }).catch(() => "gone");
    const socket = await plain.socket("?user=ada&topic=slow");
    await asked.promise;
    controller.abort();
    socket.ws.terminate();
    expect(await answer).toBe("gone");
    await plain.sockets(0);
    go.resolve(true);
    await using again = await plain.stream("?user=ada&topic=slow");
    expect(again.status).toBe(200);
    expect(plain.door.log.lines.filter(({ level }) => level === "error")).toEqual([]);
  });

  it("and ends it as soon as it is in, before it is in any topic, refuses it", async () => {
    await using plain = await openPlain();
    plain.door.ingress.subscribe("connection", ({ socket }) => void socket.disconnect(true));
    for (const query of ["", "?topic=author"])
      expect(await failureOf(`${plain.url}/events${query}`)).toMatchObject({
        status: 403,
        body: { error: { message: "the server ended this connection" } },
      });
    await plain.sockets(0);
  });

  it("and closes its line without a word refuses it as a server that goes away does", async () => {
    await using plain = await openPlain();
    const asked = deferred();
    plain.door.ingress.subscribe("connection", async ({ socket }) => {
      asked.resolve();
      socket.conn.close();
      await new Promise((resolve) => setImmediate(resolve));
    });
    const [answer, socket] = [failureOf(`${plain.url}/events`), await plain.socket("?topic=author")];
    await asked.promise;
    expect(await answer).toMatchObject({ status: 503, body: { error: { code: "SHUTTING_DOWN" } } });
    expect((await socket.closed).code).toBe(1001);
  });
});

describe("a request", () => {
  it("whose client has gone before anybody served it leaves nothing", async () => {
    const log = recordingLog();
    await using app = await serve();
    const events = sse(app.io, { logger: log });
    const served = deferred<void>();
    app.httpServer.on("request", (request, response) => {
      if (!request.url?.startsWith("/events")) return;
      response.once("close", () => void events(request, response).then(served.resolve));
      tcp.destroy();
    });
    const tcp = connectTcp(app.port, "127.0.0.1");
    tcp.write("GET /events HTTP/1.1\r\nHost: x\r\n\r\n");
    await served.promise;
    expect([app.io.sockets.sockets.size, log.lines]).toEqual([0, []]);
  });

  it("over a socket of the operating system's, which has no address, is served as any other", async () => {
    const io = new Server();
    const events = sse(io);
    const httpServer = createServer((request, response) => void events(request, response));
    io.attach(httpServer);
    const path = join(tmpdir(), `plain-${process.pid}.sock`);
    await once(httpServer.listen(path), "listening");
    const addresses: unknown[] = [];
    io.on("connection", ({ handshake }) => addresses.push(handshake.address));
    const tcp = connectTcp(path);
    tcp.write("GET /events HTTP/1.1\r\nHost: x\r\n\r\n");
    const [answer] = (await once(tcp, "data")) as [Buffer];
    expect(String(answer)).toContain("200 OK");
    expect(addresses).toEqual([""]);
    await io.close();
    tcp.destroy();
  });

  it("that was answered in part by somebody else is ended and logged where it is refused, and not left open", async () => {
    const log = recordingLog();
    await using app = await serve();
    const events = sse(app.io, { logger: log, maxStreams: 1 });
    app.httpServer.on("request", (request, response) => {
      if (request.url === "/begun") response.writeHead(200).flushHeaders();
      void events(request, response);
    });
    await using first = await read(`${app.url}/events`);
    const begun = await read(`${app.url}/begun`);
    await begun.ended;
    expect([first.status, log.lines.map(({ message }) => message)]).toEqual([
      200,
      ["a request for an event stream could not be answered"],
    ]);
  });

  it("to an HTTP server of its own is refused once Socket.IO is closed", async () => {
    await using app = await serve();
    const events = sse(app.io);
    const own = createServer((request, response) => void events(request, response));
    await once(own.listen(0, "127.0.0.1"), "listening");
    const url = `http://127.0.0.1:${(own.address() as AddressInfo).port}/events`;
    const stream = await read(url);
    expect(stream.status).toBe(200);
    await app.io.close();
    await stream.ended;
    expect(await failureOf(url)).toMatchObject({ status: 503, body: { error: { code: "SHUTTING_DOWN" } } });
    own.close();
  });
});

describe("what `auth` returns", () => {
  it("may be nothing; what is no object is a mistake that is logged, and refuses", async () => {
    const auth = ({ url }: { url?: string | undefined }): never =>
      (url?.includes("text") === true ? "token" : undefined) as never;
    await using plain = await openPlain({ auth });
    await using stream = await plain.stream();
    expect(stream.status).toBe(200);
    expect((await failureOf(`${plain.url}/events?text`)).status).toBe(500);
    expect(plain.door.log.lines.map(({ fields }) => (fields["err"] as Error | undefined)?.message)).toContain(
      "auth must return an object for socket.handshake.auth",
    );
  });
});

describe("an origin", () => {
  it("that a middleware has allowed already is left as it says, and one of a server without clients of its own is looked at", async () => {
    const log = recordingLog();
    await using app = await serve(undefined, { cors: { origin: true } });
    const [events, unattached] = [sse(app.io), sse(new Server(), { logger: log })];
    app.httpServer.on("request", (request, response) => {
      if (request.url === "/cors") response.setHeader("access-control-allow-origin", "https://said.example");
      void (request.url === "/unattached" ? unattached : events)(request, response);
    });
    const origin = { origin: "https://app.example" };
    const allowed = async (path: string): Promise<unknown> => {
      const stream = await read(app.url + path, { headers: origin });
      stream.close();
      return stream.headers["access-control-allow-origin"];
    };
    expect(await allowed("/cors")).toBe("https://said.example");
    expect(await allowed("/events")).toBe("*");
    expect(await allowed("/unattached")).toBeUndefined();
  });
});
