import { type EventEmitter, once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect, type Socket as TcpSocket } from "node:net";
import { instrument } from "@socket.io/admin-ui";
import fc from "fast-check";
import { Server, type ServerOptions } from "socket.io";
import { io as connectClient, type Socket as ClientSocket } from "socket.io-client";
import { describe, expect, test, vi } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { Engines } from "../../src/socket-io/engines.js";
import { coalesceWrites } from "../../src/socket-io/write-coalescing.js";
import { type EventContext, SocketIngress } from "socket-ingress";
import { recordingLog } from "../fixtures/recording-log.js";
import { received, serve, type Served } from "../fixtures/serve.js";
import { rounds } from "../fixtures/soak.js";

const coalescing = (options?: Partial<ServerOptions>): Promise<Served> =>
  serve((io) => void coalesceWrites(new Engines(io)), options);

/** Everything pushed to a client until `end` arrives, as [event, ...args]. */
async function pushesUntilEnd(client: ClientSocket): Promise<unknown[][]> {
  const pushes: unknown[][] = [];
  const note = (event: string, ...args: unknown[]): void => void pushes.push([event, ...args]);
  client.onAny(note);
  await received(client, "end");
  client.offAny(note);
  return pushes.slice(0, -1);
}

/** One round trip, after which the server knows how the transport writes. */
async function warmUp(app: Served, client: ClientSocket): Promise<void> {
  app.serverSide(client).once("warm up", (reply: () => void) => reply());
  await client.emitWithAck("warm up");
}

/** A text whose packet `["text","..."]` has a message of exactly `bytes` bytes, its Engine.IO type included. */
const textOf = (bytes: number): string => "x".repeat(bytes - '42["text",""]'.length);

describe("what clients receive", () => {
  test("texts around every frame length arrive as they were sent, alone and together", async () => {
    await using app = await coalescing();
    const client = await app.connect();
    const socket = app.serverSide(client);
    await warmUp(app, client);
    const sizes = [
      20, 41, 42, 43, 123, 124, 125, 126, 127, 128, 5_455, 5_460, 5_461, 5_462, 16_384, 65_535, 65_536, 70_000,
    ];
    const texts = sizes.map(textOf);
    for (const text of texts) {
      const next = received(client, "text");
      socket.emit("text", text);
      expect(await next).toEqual([text]);
    }
    const all = pushesUntilEnd(client);
    for (const text of texts) socket.emit("text", text);
    socket.emit("end");
    expect(await all).toEqual(texts.map((text) => ["text", text]));
  });

  test("texts of two, three and four bytes a character arrive as they were sent, around the length where the header grows", async () => {
    await using app = await coalescing();
    const client = await app.connect();
    const socket = app.serverSide(client);
    await warmUp(app, client);
    const texts = ["é", "€", "😀", "a\u0000b", "\u2028"].flatMap((character) =>
      Array.from({ length: 130 }, (_, count) => character.repeat(count)),
    );
    const together = pushesUntilEnd(client);
    for (const text of texts) socket.emit("text", text);
    socket.emit("end");
    expect(await together).toEqual(texts.map((text) => ["text", text]));
    for (const text of texts.filter((_, index) => index % 7 === 0)) {
      const next = received(client, "text");
      socket.emit("text", text);
      expect(await next).toEqual([text]);
    }
  });

  test("a lone surrogate becomes the same replacement character as without coalescing", async () => {
    await using app = await coalescing();
    const client = await app.connect();
    await warmUp(app, client);
    const next = received(client, "text");
    // a packet is JSON, which escapes lone surrogates; the event's own encoder need not
    app.serverSide(client).conn.write('2["text","a\ud800b"]');
    expect(await next).toEqual(["a\ufffdb"]);
  });

  test("binary pushes keep their bytes and their place among texts", async () => {
    await using app = await coalescing();
    const client = await app.connect();
    const socket = app.serverSide(client);
    await warmUp(app, client);
    const all = pushesUntilEnd(client);
    for (let i = 0; i < 50; i++) {
      socket.emit("text", i);
      if (i % 3 === 0) socket.emit("binary", Buffer.alloc(i * 100, i), { nested: [Buffer.from([i])] });
    }
    socket.emit("end");
    const expected: unknown[][] = [];
    for (let i = 0; i < 50; i++) {
      expected.push(["text", i]);
      if (i % 3 === 0) expected.push(["binary", Buffer.alloc(i * 100, i), { nested: [Buffer.from([i])] }]);
    }
    expect(await all).toEqual(expected);
  });

  test("replies to calls in flight at once reach their callers, each its own", async () => {
    await using app = await coalescing();
    app.io.on("connection", (socket) => {
      socket.on("double", (n: number, reply: (twice: number) => void) => reply(2 * n));
    });
    const client = await app.connect();
    for (let round = 0; round < 3; round++) {
      const calls = Array.from({ length: 200 }, (_, n) => client.emitWithAck("double", n) as Promise<number>);
      expect(await Promise.all(calls)).toEqual(Array.from({ length: 200 }, (_, n) => 2 * n));
    }
  });

  test("broadcasts of a turn reach every receiver in order, and only theirs", async () => {
    await using app = await coalescing();
    const clients = await Promise.all(Array.from({ length: 4 }, () => app.connect()));
    for (const [index, client] of clients.entries())
      await app.serverSide(client).join(index % 2 === 0 ? "even" : "odd");
    for (const client of clients) await warmUp(app, client);
    for (let round = 0; round < 3; round++) {
      const all = clients.map(pushesUntilEnd);
      for (let i = 0; i < 10; i++) {
        app.io.emit("everyone", i);
        if (i % 4 === 0) app.io.to("even").emit("even", i);
        if (i % 5 === 0) app.serverSide(clients[1]!).emit("one", i);
      }
      app.io.emit("end");
      (await Promise.all(all)).forEach((pushes, index) => {
        const expected: unknown[][] = [];
        for (let i = 0; i < 10; i++) {
          expected.push(["everyone", i]);
          if (i % 4 === 0 && index % 2 === 0) expected.push(["even", i]);
          if (i % 5 === 0 && index === 1) expected.push(["one", i]);
        }
        expect(pushes).toEqual(expected);
      });
    }
  });

  test("whatever is pushed to whom, each client receives what it receives without coalescing", async () => {
    const push = fc.record({
      to: fc.constantFrom("everyone", "room", "first", "second"),
      value: fc.oneof(
        fc.string({ unit: "grapheme", maxLength: 300 }),
        fc.integer({ min: 0, max: 9_000 }).map((size) => "y".repeat(size)),
        fc.uint8Array({ maxLength: 50 }).map((bytes) => Buffer.from(bytes)),
      ),
      turnEnds: fc.boolean(),
    });
    await using app = await coalescing();
    const [first, second] = [await app.connect(), await app.connect()];
    await app.serverSide(second).join("room");
    await fc.assert(
      fc.asyncProperty(fc.array(push, { maxLength: 40 }), async (pushes) => {
        const all = [pushesUntilEnd(first), pushesUntilEnd(second)];
        for (const { to, value, turnEnds } of pushes) {
          if (to === "everyone") app.io.emit("push", value);
          else if (to === "room") app.io.to("room").emit("push", value);
          else app.serverSide(to === "first" ? first : second).emit("push", value);
          if (turnEnds) await new Promise(setImmediate);
        }
        app.io.emit("end");
        const mine = (names: string[]) =>
          pushes.filter(({ to }) => names.includes(to)).map(({ value }) => ["push", value]);
        expect(await Promise.all(all)).toEqual([mine(["everyone", "first"]), mine(["everyone", "room", "second"])]);
      }),
      { numRuns: rounds(400) },
    );
  });

  test("the bytes on the wire are those the engine writes by itself", async () => {
    const [plain, coalesced] = await Promise.all([bytesOfAConversation(false), bytesOfAConversation(true)]);
    expect(coalesced.length).toBeGreaterThan(10_000);
    expect(coalesced.equals(plain)).toBe(true);
  });

  test("a volatile push is dropped while a write is under way, as it is without coalescing", async () => {
    await using app = await coalescing();
    const client = await app.connect();
    await warmUp(app, client);
    const all = pushesUntilEnd(client);
    const socket = app.serverSide(client);
    socket.emit("kept", 1);
    socket.volatile.emit("dropped", 2);
    socket.emit("kept", 3);
    socket.emit("end");
    expect(await all).toEqual([
      ["kept", 1],
      ["kept", 3],
    ]);
  });
});

describe("how it is written", () => {
  test("the pushes of a turn leave in two writes, the replies of a burst too", async () => {
    await using app = await coalescing();
    const tcp = once(app.httpServer, "connection") as Promise<[TcpSocket]>;
    const client = await app.connect();
    const [connection] = await tcp;
    await warmUp(app, client);
    const write = vi.spyOn(connection, "write");
    const all = pushesUntilEnd(client);
    for (let i = 0; i < 99; i++) app.serverSide(client).emit("push", i);
    app.serverSide(client).emit("end");
    expect(await all).toHaveLength(99);
    // the first leaves at once: nothing is held back in the hope of more
    expect(write.mock.calls.length).toBe(2);
  });

  test("ten broadcasts in a turn are encoded once for all their receivers", async () => {
    await using app = await coalescing();
    const connections: TcpSocket[] = [];
    app.httpServer.on("connection", (tcp: TcpSocket) => connections.push(tcp));
    const clients = [await app.connect(), await app.connect(), await app.connect()];
    for (const client of clients) await warmUp(app, client);
    const writes = connections.map((tcp) => vi.spyOn(tcp, "write"));
    const all = clients.map(pushesUntilEnd);
    for (let i = 0; i < 9; i++) app.io.emit("push", i);
    app.io.emit("end");
    await Promise.all(all);
    const [first, ...rest] = writes.map((write) => write.mock.calls.map(([chunk]) => chunk));
    expect(first).toHaveLength(2);
    for (const chunks of rest) {
      expect(chunks[0]).toBe(first![0]);
      expect(chunks[1]).toBe(first![1]);
    }
  });

  test("no buffer is longer than `maxBytes`, however much waits", async () => {
    await using app = await serve((io) => void coalesceWrites(new Engines(io), { maxBytes: 1_000 }));
    const tcp = once(app.httpServer, "connection") as Promise<[TcpSocket]>;
    const client = await app.connect();
    const [connection] = await tcp;
    await warmUp(app, client);
    const write = vi.spyOn(connection, "write");
    const all = pushesUntilEnd(client);
    for (let i = 0; i < 500; i++) app.serverSide(client).emit("push", "z".repeat(i % 60));
    app.serverSide(client).emit("end");
    expect(await all).toHaveLength(500);
    const sizes = write.mock.calls.map(([chunk]) => (chunk as Buffer).length);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(1_000);
    expect(sizes.length).toBeLessThan(50);
  });
});

describe("transports", () => {
  test("a client that polls is served as ever, one that upgrades while pushes go on loses and swaps none", async () => {
    await using app = await coalescing();
    const polling = await app.connect({ transports: ["polling"] });
    const upgrading = app.client({ transports: ["polling", "websocket"] });
    let sent = 0;
    let isUpgraded = false;
    app.io.on("connection", (socket) => {
      const more = (): void => {
        for (let i = 0; i < 7; i++) socket.emit("push", sent++, "é".repeat(sent % 90));
        if (!isUpgraded) setImmediate(more);
        else socket.emit("end");
      };
      socket.conn.once("upgrade", () => setImmediate(() => (isUpgraded = true)));
      if (socket.conn.transport.name === "polling") more();
    });
    const all = pushesUntilEnd(upgrading);
    upgrading.connect();
    const pushes = await all;
    expect(upgrading.io.engine.transport.name).toBe("websocket");
    expect(pushes.map(([, index]) => index)).toEqual(Array.from({ length: sent }, (_, index) => index));
    const polled = pushesUntilEnd(polling);
    for (let i = 0; i < 20; i++) app.serverSide(polling).emit("push", i);
    app.io.emit("end");
    expect(await polled).toEqual(Array.from({ length: 20 }, (_, i) => ["push", i]));
    expect(polling.io.engine.transport.name).toBe("polling");
  });

  test("a server that compresses keeps compressing, and the coalescing has gone", async () => {
    await using app = await coalescing({ perMessageDeflate: { threshold: 0 } });
    const tcp = once(app.httpServer, "connection") as Promise<[TcpSocket]>;
    const client = await app.connect({ perMessageDeflate: true } as object);
    const [connection] = await tcp;
    await warmUp(app, client);
    expect(app.io.engine.listenerCount("flush")).toBe(0);
    const before = connection.bytesWritten;
    const all = pushesUntilEnd(client);
    for (let i = 0; i < 20; i++) app.serverSide(client).emit("push", "compressible ".repeat(1_000));
    app.serverSide(client).emit("end");
    expect(await all).toEqual(Array.from({ length: 20 }, () => ["push", "compressible ".repeat(1_000)]));
    expect(connection.bytesWritten - before).toBeLessThan(20_000);
  });

  test("a WebSocket engine that takes no frames made beforehand loses nothing", async () => {
    await using app = await coalescing({
      wsEngine: EngineWithoutFrames as never,
    });
    const client = await app.connect();
    const all = pushesUntilEnd(client);
    for (let i = 0; i < 20; i++) {
      app.io.emit("broadcast", i);
      app.serverSide(client).emit("push", i);
    }
    app.io.emit("end");
    expect(await all).toEqual(
      Array.from({ length: 20 }, (_, i) => [
        ["broadcast", i],
        ["push", i],
      ]).flat(),
    );
    expect(app.io.engine.listenerCount("flush")).toBe(0);
  });

  test("a client of Engine.IO 3 gets frames of its own protocol", async () => {
    await using app = await coalescing({ allowEIO3: true });
    const modern = await app.connect();
    await warmUp(app, modern);
    const old = new WebSocket(`${app.url.replace("http", "ws")}/socket.io/?EIO=3&transport=websocket`);
    const frames: string[] = [];
    const ended = new Promise<void>((resolve) => {
      old.on("message", (data) => {
        frames.push(String(data));
        if (String(data) === '42["end"]') resolve();
        // "40" is the server's word that the client has joined the main namespace
        if (String(data) === "40") for (let i = 0; i < 5; i++) app.io.emit(i < 4 ? "push" : "end");
      });
    });
    await ended;
    old.terminate();
    expect(frames.slice(2)).toEqual(['42["push"]', '42["push"]', '42["push"]', '42["push"]', '42["end"]']);
  });

  test("a peer that stops reading gets all of it in order once it reads again", async () => {
    await using app = await coalescing();
    const client = await app.connect();
    await warmUp(app, client);
    const clientTcp = (client.io.engine.transport as unknown as { ws: { _socket: TcpSocket } }).ws._socket;
    clientTcp.pause();
    const text = "s".repeat(2_000);
    for (let i = 0; i < 5_000; i++) app.serverSide(client).emit("push", i, text);
    app.serverSide(client).emit("end");
    const all = pushesUntilEnd(client);
    await new Promise(setImmediate);
    clientTcp.resume();
    const pushes = await all;
    expect(pushes.map(([, index]) => index)).toEqual(Array.from({ length: 5_000 }, (_, index) => index));
    expect(pushes.every(([, , value]) => value === text)).toBe(true);
  });

  test("a client that leaves in the middle of it harms nobody", async () => {
    await using app = await coalescing();
    const stays = await app.connect();
    const leaves = await app.connect();
    const gone = once(app.serverSide(leaves), "disconnect");
    const all = pushesUntilEnd(stays);
    for (let i = 0; i < 10; i++) app.io.emit("push", i);
    (leaves.io.engine.transport as unknown as { ws: { terminate(): void } }).ws.terminate();
    for (let i = 10; i < 200; i++) {
      app.io.emit("push", i);
      if (i % 20 === 0) await new Promise(setImmediate);
    }
    await gone;
    app.io.emit("end");
    expect(await all).toEqual(Array.from({ length: 200 }, (_, i) => ["push", i]));
  });
});

describe("Socket.IO's admin UI", () => {
  /** What the UI is told of a conversation, and how many packets it counts at the least. */
  async function told(coalesce: boolean): Promise<{ events: unknown[]; packetsOut: number }> {
    await using app = await serve((io) => {
      new SocketIngress({ logger: recordingLog(), coalesceWrites: coalesce })
        .attach(io)
        .subscribe("add", (_context: EventContext, a: number) => a + 1);
      instrument(io, { auth: false, mode: "development" });
    });
    const admin = await app.connect({ namespace: "/admin" });
    const events: unknown[] = [];
    for (const event of ["event_received", "event_sent"])
      admin.on(event, (namespace: string, _id: string, args: unknown[]) => events.push([event, namespace, args]));
    let packetsOut = 0;
    const counted = new Promise<void>((resolve) => {
      admin.on("server_stats", ({ aggregatedEvents }: { aggregatedEvents: { type: string; count: number }[] }) => {
        for (const { type, count } of aggregatedEvents) if (type === "packetsOut") packetsOut += count;
        if (packetsOut > 60) resolve();
      });
    });
    const client = await app.connect();
    const all = pushesUntilEnd(client);
    for (let i = 0; i < 30; i++) app.serverSide(client).emit("push", i);
    expect(await Promise.all([1, 2, 3].map((n) => client.emitWithAck("add", n)))).toEqual([2, 3, 4]);
    app.serverSide(client).emit("end");
    expect(await all).toHaveLength(30);
    await counted;
    return { packetsOut, events };
  }

  test("is told the same with coalescing as without it", async () => {
    const [without, withIt] = await Promise.all([told(false), told(true)]);
    expect(without.events).toHaveLength(34);
    expect(withIt.events).toEqual(without.events);
    expect(Math.abs(withIt.packetsOut - without.packetsOut)).toBeLessThan(10);
  });
});

describe("coming and going", () => {
  test("undone, the engine is as it was and pushes go on", async () => {
    await using app = await serve();
    const listeners = () => app.io.engine.eventNames().map((name) => [name, app.io.engine.listenerCount(name)]);
    const before = listeners();
    const undo = coalesceWrites(new Engines(app.io));
    const client = await app.connect();
    await warmUp(app, client);
    expect(app.io.engine.listenerCount("flush")).toBe(1);
    undo();
    undo();
    expect(listeners()).toEqual(before);
    const all = pushesUntilEnd(client);
    for (let i = 0; i < 20; i++) app.io.emit("push", i);
    app.io.emit("end");
    expect(await all).toHaveLength(20);
  });

  test("every engine of a server is taken up: one that comes after the ingress, and one more that takes its place", async () => {
    const io = new Server({ serveClient: false });
    const ingress = new SocketIngress({ logger: recordingLog() }).attach(io);
    const servers = [createServer(), createServer()];
    const engines: EventEmitter[] = [];
    for (const httpServer of servers) {
      io.attach(httpServer);
      engines.push(io.engine);
      httpServer.listen(0, "127.0.0.1");
      await once(httpServer, "listening");
    }
    const merging = (): boolean[] => engines.map((engine) => engine.listenerCount("flush") > 0);
    const clients = servers.map((httpServer) => {
      const { port } = httpServer.address() as AddressInfo;
      return connectClient(`http://127.0.0.1:${port}`, { transports: ["websocket"] });
    });
    const [first, second] = clients as [ClientSocket, ClientSocket];
    await Promise.all([first, second].map((client) => new Promise<void>((resolve) => client.once("connect", resolve))));
    expect(merging()).toEqual([true, true]);
    await ingress.detach();
    expect(merging()).toEqual([false, false]);
    for (const client of clients) client.disconnect();
    await io.close();
    for (const httpServer of servers) httpServer.close();
  });

  test.each([0, -1, 1.5, Number.NaN, 65_537, "16384"])(
    "maxBytes %s is a TypeError that leaves nothing behind",
    async (maxBytes) => {
      await using app = await serve();
      expect(() => coalesceWrites(new Engines(app.io), { maxBytes: maxBytes as number })).toThrow(TypeError);
      expect(app.io.engine.listenerCount("flush")).toBe(0);
    },
  );
});

/** A `wsEngine` as others are: the WebSocket it hands out can send, and has nothing of ws's inside. */
class EngineWithoutFrames extends WebSocketServer {
  override handleUpgrade(...[request, socket, head, done]: Parameters<WebSocketServer["handleUpgrade"]>): void {
    super.handleUpgrade(request, socket, head, (ws, upgraded) => {
      const facade = {
        on: (event: string, listener: () => void) => (ws.on(event, listener), facade),
        once: (event: string, listener: () => void) => (ws.once(event, listener), facade),
        removeListener: (event: string, listener: () => void) => (ws.removeListener(event, listener), facade),
        send: (data: string, sent: (error?: Error) => void) => ws.send(data, sent),
        close: () => ws.close(),
      };
      done(facade as unknown as WebSocket, upgraded);
    });
  }
}

/** What a server writes to one TCP connection for the same pushes, from the first push on. */
async function bytesOfAConversation(coalesce: boolean): Promise<Buffer> {
  await using app = await serve((io) => void (coalesce && coalesceWrites(new Engines(io))));
  const tcp = connect({ port: app.port, host: "127.0.0.1" });
  tcp.write(
    "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
  );
  let bytes = Buffer.alloc(0);
  const until = (mark: string): Promise<void> =>
    new Promise((resolve) => {
      const onData = (chunk: Buffer): void => {
        bytes = Buffer.concat([bytes, chunk]);
        if (!bytes.includes(mark)) return;
        tcp.off("data", onData);
        resolve();
      };
      tcp.on("data", onData);
    });
  await until("0{");
  app.io.on("connection", (socket) => {
    socket.emit("start");
    socket.once("go", () => {
      for (let i = 0; i < 300; i++) {
        socket.emit("push", "€".repeat(i));
        app.io.emit("broadcast", i);
        if (i % 10 === 0) socket.emit("binary", Buffer.alloc(i, i));
      }
      socket.emit("end");
    });
  });
  const started = until('42["start"]');
  // masked with zeros: as it reads
  tcp.write(Buffer.concat([Buffer.from([0x81, 0x82, 0, 0, 0, 0]), Buffer.from("40")]));
  await started;
  bytes = Buffer.alloc(0);
  const ended = until('42["end"]');
  tcp.write(Buffer.concat([Buffer.from([0x81, 0x88, 0, 0, 0, 0]), Buffer.from('42["go"]')]));
  await ended;
  tcp.destroy();
  return bytes;
}
