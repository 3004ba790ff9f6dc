import { createServer } from "node:http";
import { expect, test, vi } from "vitest";
import { Server } from "socket.io";
import { Socket as ClientSocket } from "socket.io-client";
import * as msgpack from "socket.io-msgpack-parser";
import { inMemory } from "socket-ingress/testing";

interface ClientToServer {
  double(n: number, reply: (result: number) => void): void;
  bytes(data: Uint8Array, reply: (result: Uint8Array) => void): void;
}
interface ServerToClient {
  news(text: string): void;
}
type App = Server<ClientToServer, ServerToClient, Record<string, never>, { user: string }>;

function doubling(): App {
  const io: App = new Server();
  io.on("connection", (socket) => {
    socket.on("double", (n, reply) => reply(n * 2));
    socket.on("bytes", (data, reply) => reply(Buffer.from(data).reverse()));
  });
  return io;
}

test.each([["websocket"], ["polling"], ["polling", "websocket"]])(
  "a real client calls a real server without a port, over %s %s",
  async (...transports) => {
    await using app = await inMemory(doubling());
    const client = await app.connect({ transports: transports.filter((name) => name !== undefined) });
    expect(client).toBeInstanceOf(ClientSocket);
    expect(await client.emitWithAck("double", 21)).toBe(42);
    expect(await client.emitWithAck("bytes", new Uint8Array([1, 2, 3]))).toEqual(Buffer.from([3, 2, 1]));
    expect(app.io.httpServer.listening).toBe(false);
    expect(app.serverSide(client).id).toBe(client.id);
    expect(app.serverSide(client).handshake.address).toBe("127.0.0.1");
  },
);

test("a connection upgrades from polling to WebSocket", async () => {
  await using app = await inMemory(doubling());
  const client = app.client({ transports: ["polling", "websocket"] });
  const upgraded = new Promise((resolve) => client.io.on("open", () => client.io.engine.once("upgrade", resolve)));
  client.connect();
  await upgraded;
  expect(app.serverSide(client).conn.transport.name).toBe("websocket");
  expect(await client.emitWithAck("double", 1)).toBe(2);
});

test("a server attached to an HTTP server keeps it", async () => {
  const httpServer = createServer();
  const io: App = new Server(httpServer, { path: "/elsewhere" });
  await using app = await inMemory(io);
  expect(app.io.httpServer).toBe(httpServer);
  const client = await app.connect();
  expect(app.serverSide(client).request.url).toContain("/elsewhere/");
});

test("auth, query and headers reach the handshake; engine middleware runs", async () => {
  await using app = await inMemory(doubling());
  const urls: unknown[] = [];
  app.io.engine.use((request: { url: string }, _response: unknown, next: () => void) => {
    urls.push(request.url);
    next();
  });
  const client = await app.connect({ auth: { token: "t" }, query: { room: "7" }, extraHeaders: { cookie: "a=b" } });
  const { handshake } = app.serverSide(client);
  expect(handshake.auth).toEqual({ token: "t" });
  expect(handshake.query["room"]).toBe("7");
  expect(handshake.headers.cookie).toBe("a=b");
  expect(urls).toHaveLength(1);
});

test("a refusal rejects with its data and code", async () => {
  await using app = await inMemory(new Server());
  app.io.use((_socket, next) => next(Object.assign(new Error("no"), { data: { code: "FORBIDDEN" } })));
  await expect(app.connect()).rejects.toMatchObject({ name: "ConnectRefused", message: "no", code: "FORBIDDEN" });
});

test.each(["websocket", "polling"])("a line cut over %s is heard on both sides", async (transport) => {
  await using app = await inMemory(doubling());
  const client = await app.connect({ transports: [transport] });
  const server = app.serverSide(client);
  const told = Promise.all([
    new Promise((resolve) => client.on("disconnect", (reason) => resolve(reason))),
    new Promise((resolve) => server.on("disconnect", (reason) => resolve(reason))),
  ]);
  app.dropTransport(client);
  expect(await told).toEqual(
    transport === "websocket" ? ["transport close", "transport close"] : ["transport error", "transport error"],
  );
});

test("a client killed in the middle of a call hears that it was disconnected", async () => {
  await using app = await inMemory(new Server());
  const called = new Promise<() => void>((resolve) =>
    app.io.on("connection", (socket) => socket.on("slow", (reply: () => void) => resolve(reply))),
  );
  const client = await app.connect();
  const call = client.emitWithAck("slow");
  const reply = await called;
  app.dropTransport(client);
  await expect(call).rejects.toThrow("socket has been disconnected");
  reply();
});

test("a client connects again on the same memory after a cut", async () => {
  await using app = await inMemory(doubling());
  const client = await app.connect({ reconnection: true, reconnectionDelay: 1, randomizationFactor: 0 });
  const first = client.id;
  const again = new Promise<void>((resolve) => client.on("connect", resolve));
  app.dropTransport(client);
  await again;
  expect(client.id).not.toBe(first);
  expect(await client.emitWithAck("double", 2)).toBe(4);
});

test("a client of another server is refused by name", async () => {
  await using one = await inMemory(doubling());
  await using two = await inMemory(doubling());
  const client = await one.connect();
  expect(() => two.dropTransport(client)).toThrow(/not made by this in-memory server/);
});

test("clients and server may speak another parser", async () => {
  await using app = await inMemory<Server>(new Server({ parser: msgpack }));
  app.io.on("connection", (socket) => socket.on("half", (n: number, reply: (n: number) => void) => reply(n / 2)));
  const client = await app.connect({ parser: msgpack });
  expect(await client.emitWithAck("half", 3)).toBe(1.5);
  app.link(client).duplicate("toServer");
  expect(await client.emitWithAck("half", 5)).toBe(2.5);
});

test("the server pings when it is told to, and else leaves a silent line alone", async () => {
  await using pinging = await inMemory<Server>(new Server({ pingInterval: 5 }), { heartbeats: true });
  const client = await pinging.connect();
  await new Promise((resolve) => pinging.serverSide(client).conn.once("heartbeat", resolve));
  await using silent = await inMemory<Server>(new Server({ pingInterval: 5 }));
  const week = 7 * 24 * 60 * 60 * 1_000;
  expect(silent.io.engine.opts.pingInterval).toBeGreaterThan(week);
});

test("a missing socket.io-client is named", async () => {
  vi.doMock("socket.io-client", () => {
    throw new Error("Cannot find package 'socket.io-client'");
  });
  try {
    await expect(inMemory(new Server())).rejects.toThrow("inMemory needs the package socket.io-client");
  } finally {
    vi.doUnmock("socket.io-client");
  }
});

test("closing twice is closing once", async () => {
  const app = await inMemory(doubling());
  await app.connect();
  await app.close();
  await app.close();
});

test("vitest's fake timers move the handlers' time and leave the connection alone", async () => {
  vi.useFakeTimers();
  try {
    await using app = await inMemory(new Server());
    app.io.on("connection", (socket) =>
      socket.on("later", (reply: (done: string) => void) => void setTimeout(() => reply("done"), 60_000)),
    );
    const client = await app.connect();
    const call = client.emitWithAck("later");
    const arrived = new Promise((resolve) => app.serverSide(client).onAny(resolve));
    await arrived;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(await call).toBe("done");
  } finally {
    vi.useRealTimers();
  }
});
