import { Server } from "socket.io";
import { expect, test } from "vitest";
import { EventError, SocketIngress } from "socket-ingress";
import { ConnectRefused, fakeContext, fakeServer, inMemory, memoryCluster } from "socket-ingress/testing";
import { recordingLog } from "../fixtures/recording-log.js";

// What the fakes do when they are held wrongly, or when their line is gone: they say so, or do what a real client would.

test("a namespace may be named without its slash, over both fakes", async () => {
  await using io = fakeServer();
  io.of("/admin");
  expect((await io.connect({ namespace: "admin" })).namespace).toBe("/admin");
  const real = new Server();
  real.of("/admin");
  await using app = await inMemory(real);
  const client = await app.connect({ namespace: "admin" });
  expect(app.serverSide(client).nsp.name).toBe("/admin");
});

test("a client that is made with what is no option is not made: it would be another than was meant", async () => {
  await using io = fakeServer();
  await using app = await inMemory(new Server());
  await expect(io.connect({ user: "ann" } as never)).rejects.toThrow(
    'connect: there is no option "user"; there are auth, data, namespace, over, headers, query, address',
  );
  for (const served of [io, app])
    await expect(served.connect("/admin" as never)).rejects.toThrow('connect: options must be an object, got "/admin"');
  expect(io.sockets.sockets.size + app.io.sockets.sockets.size).toBe(0);
  await expect(inMemory(undefined as never)).rejects.toThrow("inMemory: expected a Socket.IO server, got undefined");
});

test("a fake socket that has left has no id, is told nothing twice, and says what can't arrive any more", async () => {
  await using io = fakeServer();
  const socket = await io.connect();
  const reasons: string[] = [];
  socket.on("disconnect", (reason) => void reasons.push(reason));
  await socket.disconnect();
  await socket.disconnect();
  socket.dropTransport();
  expect([socket.id, socket.connected, reasons]).toEqual([undefined, false, ["io client disconnect"]]);
  await expect(socket.next("news")).rejects.toThrow(`"news" can't arrive any more: the socket is not connected`);
  await expect(socket.receive("x")).rejects.toThrow(/not connected/);
  expect(() => socket.emit("x")).toThrow(/not connected/);
  expect(socket.server.connected).toBe(false);
});

test("a listener of a fake socket has to be a function, and stops listening when told", async () => {
  await using io = fakeServer();
  const socket = await io.connect();
  expect(() => socket.on("news", 5 as never)).toThrow(new TypeError('on("news"): expected a function, got 5'));
  const heard: unknown[] = [];
  const listener = (value: unknown): void => void heard.push(value);
  const offs = [socket.on("news", listener), socket.on("news", listener)];
  socket.server.emit("news", 1);
  await socket.next("news");
  offs[0]?.();
  socket.server.emit("news", 2);
  await socket.next("news");
  expect(heard).toEqual([1, 1, 2]);
});

test("a fake socket goes with the block that holds it", async () => {
  await using io = fakeServer();
  {
    await using socket = await io.connect();
    expect(socket.connected).toBe(true);
    expect(io.sockets.sockets.size).toBe(1);
  }
  expect(io.sockets.sockets.size).toBe(0);
});

test("of two namespaces on one fake connection one may leave, and the other stays", async () => {
  await using io = fakeServer();
  io.of("/other").on("connection", (socket) => void socket.on("ping", (pong: (value: string) => void) => pong("pong")));
  const one = await io.connect();
  const two = await io.connect({ namespace: "/other", over: one });
  await one.disconnect();
  expect([one.connected, two.connected, io.engine.clientsCount]).toEqual([false, true, 1]);
  expect(await two.receive("ping")).toBe("pong");
  await two.disconnect();
  await new Promise<void>((resolve) => setImmediate(resolve));
  expect(io.engine.clientsCount).toBe(0);
});

test("a refusal tells its code, whichever shape its data has", async () => {
  await using io = fakeServer();
  for (const [data, code] of [
    [{ error: { code: "FORBIDDEN", message: "no" } }, "FORBIDDEN"],
    [{ code: "UNAUTHENTICATED" }, "UNAUTHENTICATED"],
    [{ code: 5 }, undefined],
    [undefined, undefined],
    ["text", undefined],
  ]) {
    io.sockets.use((socket, next) =>
      next(Object.assign(new Error("refused"), { data: socket.handshake.auth["data"] as unknown })),
    );
    const refused = await io.connect({ auth: { data } }).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(ConnectRefused);
    expect((refused as ConnectRefused).code).toBe(code);
  }
});

test("the ingress refuses a connection over a fake as over a real line", async () => {
  await using io = fakeServer();
  const ingress = new SocketIngress({ logger: recordingLog() }).attach(io);
  ingress.subscribe("connect", () => {
    throw new EventError("FORBIDDEN", "members only");
  });
  await expect(io.connect()).rejects.toMatchObject({ message: "members only", code: "FORBIDDEN" });
});

test("an in-memory client that is not connected has no server side, and says where it is missing", async () => {
  const io = new Server();
  io.of("/a");
  await using app = await inMemory(io);
  expect(() => app.serverSide(app.client({ namespace: "/a" }))).toThrow(
    "the client  is not connected to /a of this server",
  );
  const client = await app.connect();
  const id = client.id as string;
  app.serverSide(client).disconnect();
  expect(() => app.serverSide(client)).toThrow(`the client ${id} is not connected to / of this server`);
});

test("the nodes of a cluster are counted in each namespace for itself", async () => {
  const { adapter } = memoryCluster();
  await using one = fakeServer({ adapter });
  await using two = fakeServer({ adapter });
  one.of("/only");
  const count = async (io: Server, namespace: string): Promise<number> => io.of(namespace).adapter.serverCount();
  expect([await count(one, "/"), await count(two, "/"), await count(one, "/only")]).toEqual([2, 2, 1]);
});

test("every level of a silent context's log can be called", () => {
  const { log } = fakeContext({});
  for (const level of ["trace", "debug", "info", "warn", "error", "fatal"] as const) {
    expect(log[level]({ a: 1 }, "a line")).toBeUndefined();
  }
  expect(log.child({ b: 2 }).info("another")).toBeUndefined();
});

test("fake timers that replace process.nextTick are told at once, as nothing would ever arrive", async () => {
  await using io = fakeServer();
  await using app = await inMemory(new Server());
  const socket = await io.connect();
  // As jest's do it; vitest can't in a process of its own. The consumer of the package under jest has the real ones.
  const { nextTick } = process;
  process.nextTick = Object.assign((...args: Parameters<typeof nextTick>) => nextTick(...args), { clock: {} });
  try {
    const told = /fake timers have replaced process\.nextTick.*doNotFake: \["nextTick", "queueMicrotask"/;
    await expect(io.connect()).rejects.toThrow(told);
    await expect(app.connect()).rejects.toThrow(told);
    await expect(socket.receive("x")).rejects.toThrow(told);
    expect(() => socket.emit("x")).toThrow(told);
  } finally {
    process.nextTick = nextTick;
  }
});

test("taking off a listener that never listened changes nothing, nor does connecting what is connected", async () => {
  await using io = fakeServer();
  const socket = await io.connect();
  const heard: unknown[] = [];
  socket.on("news", (n: number) => void heard.push(n));
  socket.off("news", () => undefined).off("other", () => undefined);
  const { id } = socket.connect();
  io.emit("news", 1);
  await socket.next("news");
  expect([heard, socket.id]).toEqual([[1], id]);
});

test("a fake socket whose server goes away while it is asked again is told of one end, not of two", async () => {
  const io = fakeServer();
  const socket = await io.connect();
  const told: string[] = [];
  socket.on("disconnect", (reason) => void told.push(reason));
  socket.dropTransport();
  io.use(() => undefined);
  const back = socket.reconnect();
  await io.close();
  await expect(back).rejects.toThrow("the connection was closed before the server answered");
  expect(told).toEqual(["transport close"]);
});

test("what is sent to a namespace that was left a moment ago arrives nowhere, and the others on the line stay", async () => {
  await using io = fakeServer();
  io.of("/admin");
  const main = await io.connect();
  const admin = await io.connect({ namespace: "/admin", over: main });
  const left = admin.disconnect();
  admin.server.emit("late", 1);
  await left;
  io.emit("news", 2);
  expect([await main.next("news"), admin.sent, main.connected]).toEqual([[2], [], true]);
});

test("a fake connection that is given what a parser of the application's own makes of it says what it can't carry", async () => {
  await using io = fakeServer();
  const { conn } = (await io.connect()).server;
  expect(() => conn.write({ an: "object" })).toThrow(
    "a fake connection carries strings and binary data, and was given [object Object]",
  );
  // Whoever decodes it did not expect it.
  expect(() => conn.write(new ArrayBuffer(1))).not.toThrow();
});
