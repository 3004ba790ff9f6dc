import { expect, test, vi } from "vitest";
import { Server, Socket } from "socket.io";
import * as msgpack from "socket.io-msgpack-parser";
import { ServiceManager, SocketIngress } from "socket-ingress";
import { ConnectRefused, fakeServer } from "socket-ingress/testing";

interface ClientToServer {
  double(n: number, reply: (result: number) => void): void;
  note(text: string): void;
  bytes(data: Uint8Array, reply: (result: Uint8Array) => void): void;
}
interface ServerToClient {
  news(text: string): void;
  confirm(question: string, reply: (yes: boolean) => void): void;
  blob(data: Uint8Array): void;
}
type App = Server<ClientToServer, ServerToClient, Record<string, never>, { user: string }>;

test("a fake server is a real Server whose sockets are real sockets", async () => {
  await using io = fakeServer<App>();
  expect(io).toBeInstanceOf(Server);
  const socket = await io.connect();
  expect(socket.server).toBeInstanceOf(Socket);
  expect(socket.id).toBe(socket.server.id);
  expect(io.sockets.sockets.get(socket.id as string)).toBe(socket.server);
  expect(io.engine.clientsCount).toBe(1);
});

test("receive resolves to what the acknowledgement is given", async () => {
  await using io = fakeServer<App>();
  io.on("connection", (socket) => socket.on("double", (n, reply) => reply(n * 2)));
  const socket = await io.connect();
  expect(await socket.receive("double", 21)).toBe(42);
});

test("arguments and replies are encoded and decoded on the way", async () => {
  await using io = fakeServer();
  io.on("connection", (socket) => socket.on("echo", (value, reply) => reply(value)));
  const socket = await io.connect();
  const given = { at: new Date(0), gone: undefined, list: [undefined] };
  expect(await socket.receive("echo", given)).toStrictEqual({ at: "1970-01-01T00:00:00.000Z", list: [null] });
});

test("a reply that can't be encoded throws where it is given", async () => {
  await using io = fakeServer();
  const thrown = new Promise((resolve) => {
    io.on("connection", (socket) =>
      socket.on("big", (reply) => {
        try {
          reply(1n);
        } catch (error) {
          resolve(error);
          reply("instead");
        }
      }),
    );
  });
  const socket = await io.connect();
  expect(await socket.receive("big")).toBe("instead");
  expect(await thrown).toBeInstanceOf(TypeError);
});

test("binary data arrives as a copy, in both directions", async () => {
  await using io = fakeServer<App>();
  const data = new Uint8Array([1, 2, 3]);
  io.on("connection", (socket) =>
    socket.on("bytes", (received, reply) => {
      expect(Buffer.isBuffer(received)).toBe(true);
      reply(received.map((byte) => byte * 2));
    }),
  );
  const socket = await io.connect();
  expect(await socket.receive("bytes", data)).toEqual(Buffer.from([2, 4, 6]));
  socket.server.emit("blob", data);
  data[0] = 9;
  expect(socket.sent).toEqual([{ event: "blob", args: [Buffer.from([1, 2, 3])] }]);
});

test("sent has what the server sent, in order and at once", async () => {
  await using io = fakeServer<App>();
  const socket = await io.connect();
  socket.server.emit("news", "one");
  io.emit("news", "two");
  expect(socket.sent).toEqual([
    { event: "news", args: ["one"] },
    { event: "news", args: ["two"] },
  ]);
});

test("next gives each event once, whether it came before or after the asking", async () => {
  await using io = fakeServer<App>();
  const socket = await io.connect();
  socket.server.emit("news", "one");
  expect(await socket.next("news")).toEqual(["one"]);
  const second = socket.next("news");
  const third = socket.next("news");
  io.emit("news", "two");
  io.emit("news", "three");
  expect(await second).toEqual(["two"]);
  expect(await third).toEqual(["three"]);
});

test("an event taken by receive's listeners does not block a next that was asked for first", async () => {
  await using io = fakeServer<App>();
  const socket = await io.connect();
  const first = socket.next("news");
  io.emit("news", "one");
  io.emit("news", "two");
  expect([await first, await socket.next("news")]).toEqual([["one"], ["two"]]);
});

test("a listener answers what the server asks with an acknowledgement", async () => {
  await using io = fakeServer<App>();
  const socket = await io.connect();
  const off = socket.on("confirm", (question, reply) => reply(question === "sure?"));
  expect(await socket.server.emitWithAck("confirm", "sure?")).toBe(true);
  expect(await io.timeout(20_000).emitWithAck("confirm", "no?")).toEqual([false]);
  off();
  const answered = vi.fn();
  socket.server.emit("confirm", "nobody?", answered);
  await socket.next("confirm");
  expect(answered).not.toHaveBeenCalled();
});

test("a listener runs after the code that sent the event, never inside it", async () => {
  await using io = fakeServer<App>();
  const socket = await io.connect();
  const order: string[] = [];
  socket.on("news", () => order.push("listener"));
  socket.server.emit("news", "x");
  order.push("sender");
  await socket.next("news");
  expect(order).toEqual(["sender", "listener"]);
});

test("rooms, to, except and broadcast address the sockets they name", async () => {
  await using io = fakeServer<App>();
  const [a, b, c] = await Promise.all([io.connect(), io.connect(), io.connect()]);
  await a.server.join("blue");
  await b.server.join("blue");
  io.to("blue").emit("news", "blue");
  io.except("blue").emit("news", "others");
  a.server.broadcast.emit("news", "not a");
  a.server.to("blue").emit("news", "blue but a");
  const texts = (socket: typeof a) => socket.sent.map(({ args }) => args[0]);
  expect(texts(a)).toEqual(["blue"]);
  expect(texts(b)).toEqual(["blue", "not a", "blue but a"]);
  expect(texts(c)).toEqual(["others", "not a"]);
});

test("data is on the socket before the first middleware and before connection", async () => {
  await using io = fakeServer<App>();
  const seen: unknown[] = [];
  io.use((socket, next) => {
    seen.push({ ...socket.data });
    next();
  });
  io.of(/^\/t-\d+$/).use((socket, next) => {
    seen.push({ ...socket.data });
    next();
  });
  io.on("connection", (socket) => seen.push({ ...socket.data }));
  await io.connect({ data: { user: "ann" } });
  await io.connect({ data: { user: "bob" }, namespace: "/t-1" });
  expect(seen).toEqual([{ user: "ann" }, { user: "ann" }, { user: "bob" }]);
});

test("the handshake has auth, query, headers and address", async () => {
  await using io = fakeServer<App>();
  const socket = await io.connect({
    auth: { token: "t" },
    query: { room: "7" },
    headers: { Cookie: "a=b" },
    address: "10.0.0.1",
  });
  expect(socket.server.handshake).toMatchObject({
    auth: { token: "t" },
    query: { room: "7", EIO: "4", transport: "websocket" },
    headers: { cookie: "a=b" },
    address: "10.0.0.1",
    secure: false,
    url: expect.stringContaining("room=7"),
  });
  expect(socket.server.request.headers["cookie"]).toBe("a=b");
});

test("a middleware's refusal rejects with its message, data and code", async () => {
  await using io = fakeServer<App>();
  io.use((_socket, next) => next(Object.assign(new Error("not you"), { data: { code: "FORBIDDEN" } })));
  const error = await io.connect().catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(ConnectRefused);
  expect(error).toMatchObject({ message: "not you", code: "FORBIDDEN", data: { code: "FORBIDDEN" } });
  await new Promise((resolve) => setImmediate(resolve));
  expect(io.engine.clientsCount).toBe(0);
});

test("an unknown namespace refuses, a dynamic one is made", async () => {
  await using io = fakeServer<App>();
  await expect(io.connect({ namespace: "/nowhere" })).rejects.toMatchObject({ message: "Invalid namespace" });
  io.of(/^\/t-\d+$/).on("connection", (socket) => socket.on("double", (n, reply) => reply(n + n)));
  const socket = await io.connect({ namespace: "/t-42" });
  expect(socket.server.nsp.name).toBe("/t-42");
  expect(await socket.receive("double", 4)).toBe(8);
});

test("two namespaces share a connection when told so, and fall together", async () => {
  await using io = fakeServer<App>();
  io.of("/admin");
  const main = await io.connect();
  const admin = await io.connect({ namespace: "/admin", over: main });
  expect(admin.server.conn).toBe(main.server.conn);
  await main.disconnect();
  expect(admin.connected).toBe(true);
  admin.dropTransport();
  expect(admin.server.connected).toBe(false);
  expect(io.engine.clientsCount).toBe(0);
});

test("a connection can be shared while it is open, with its own server, once for each namespace", async () => {
  await using io = fakeServer<App>();
  await using other = fakeServer<App>();
  const socket = await io.connect();
  await expect(other.connect({ over: socket })).rejects.toThrow(/another server/);
  await expect(io.connect({ over: socket })).rejects.toThrow(/in the namespace \/ already/);
  socket.dropTransport();
  await expect(io.connect({ over: socket, namespace: "/admin" })).rejects.toThrow(/is closed; reconnect/);
});

test("a fake server stands wherever the application's own type is asked for", async () => {
  await using io = fakeServer<App>();
  io satisfies App;
  const ingress = new SocketIngress<App>().attach(io);
  ingress.subscribe("double", (_context, n) => n * 2);
  const manager = new ServiceManager<App>(fakeServer<App>());
  expect(manager.ingress).toBeDefined();
  const socket = await io.connect();
  expect(await socket.receive("double", 4)).toBe(8);
});

test.each([
  "client namespace disconnect",
  "transport close",
  "transport error",
  "ping timeout",
  "parse error",
] as const)("the server is told the disconnect reason %s", async (reason) => {
  await using io = fakeServer<App>();
  const told: unknown[] = [];
  io.on("connection", (socket) => {
    void socket.join("room");
    socket.on("disconnecting", (why) => told.push("disconnecting", why, socket.rooms.has("room")));
    socket.on("disconnect", (why) => told.push("disconnect", why, socket.rooms.size));
  });
  const socket = await io.connect();
  await socket.disconnect(reason);
  expect(told).toEqual(["disconnecting", reason, true, "disconnect", reason, 0]);
  expect(socket.connected).toBe(false);
  expect(io.sockets.sockets.size).toBe(0);
});

test("a reason that only the server can cause is refused", async () => {
  await using io = fakeServer<App>();
  const socket = await io.connect();
  await expect(socket.disconnect("server shutting down" as "transport close")).rejects.toThrow(/io\.close\(\)/);
});

test("the client hears why the server disconnected it", async () => {
  await using io = fakeServer<App>();
  const reasons: string[] = [];
  const sockets = await Promise.all([io.connect(), io.connect(), io.connect()]);
  const told = sockets.map(
    (socket, i) =>
      new Promise<void>(
        (resolve) => void socket.on("disconnect", (reason) => resolve(void reasons.push(`${i} ${reason}`))),
      ),
  );
  sockets[0]?.server.disconnect();
  sockets[1]?.server.disconnect(true);
  sockets[2]?.dropTransport();
  await Promise.all(told);
  expect(reasons.sort()).toEqual(["0 io server disconnect", "1 io server disconnect", "2 transport close"]);
});

test("closing the server tells its sockets and its clients", async () => {
  const io = fakeServer<App>();
  const told: string[] = [];
  io.on("connection", (socket) => socket.on("disconnect", (why) => told.push(why)));
  const socket = await io.connect();
  const heard = new Promise((resolve) => socket.on("disconnect", resolve));
  await io.close();
  expect(told).toEqual(["server shutting down"]);
  expect(await heard).toBe("transport close");
});

test("nobody connects to a fake server that is closed", async () => {
  const io = fakeServer<App>();
  await io.close();
  await expect(io.connect()).rejects.toThrow(/is closed/);
});

test("a call that is pending when the line drops rejects, and so does a next", async () => {
  await using io = fakeServer<App>();
  const socket = await io.connect();
  const pending = socket.receive("double", 1);
  const awaited = socket.next("news");
  socket.dropTransport();
  await expect(pending).rejects.toThrow("socket has been disconnected");
  await expect(awaited).rejects.toThrow('before "news" arrived');
  expect(() => socket.emit("note", "late")).toThrow(/not connected/);
  await expect(socket.receive("double", 1)).rejects.toThrow(/not connected/);
});

test("a recovered session keeps id, rooms and data, and brings what was missed", async () => {
  await using io = fakeServer<App>({ connectionStateRecovery: {} });
  const socket = await io.connect({ data: { user: "ann" } });
  await socket.server.join("blue");
  io.emit("news", "one");
  const { id } = socket;
  socket.dropTransport();
  io.to("blue").emit("news", "missed");
  await socket.reconnect();
  expect(socket.recovered).toBe(true);
  expect(socket.server.recovered).toBe(true);
  expect(socket.id).toBe(id);
  expect(socket.server.data.user).toBe("ann");
  expect(socket.sent.map(({ args }) => args[0])).toEqual(["one", "missed"]);
});

test("without recovery a reconnect is a new socket with the same data", async () => {
  await using io = fakeServer<App>();
  const socket = await io.connect({ data: { user: "ann" } });
  const { id } = socket;
  await expect(socket.reconnect()).rejects.toThrow(/is connected/);
  socket.dropTransport();
  await socket.reconnect();
  expect(socket.recovered).toBe(false);
  expect(socket.id).not.toBe(id);
  expect(socket.server.data.user).toBe("ann");
});

test("what needs HTTP throws and says what to use instead", () => {
  const io = fakeServer<App>();
  expect(() => io.listen(0)).toThrow(/inMemory/);
  expect(() => io.attach(0)).toThrow(/inMemory/);
  expect(() => io.engine.use(() => {})).toThrow(/inMemory/);
  expect(() => fakeServer({ cors: {} } as object)).toThrow(/"cors" needs a transport/);
});

test("a server with a parser of its own speaks it on both ends", async () => {
  await using io = fakeServer<App>({ parser: msgpack });
  io.on("connection", (socket) => socket.on("double", (n, reply) => reply(n * 2)));
  const socket = await io.connect();
  expect(await socket.receive("double", 21)).toBe(42);
  socket.server.emit("blob", Buffer.from([1]));
  expect(socket.sent).toEqual([{ event: "blob", args: [Buffer.from([1])] }]);
});

test("the faults of a line outlast its transport", async () => {
  await using io = fakeServer<App>();
  const socket = await io.connect();
  socket.link.duplicate("toClient");
  socket.dropTransport();
  await socket.reconnect();
  io.emit("news", "twice");
  expect(socket.sent).toHaveLength(2);
});

test("what an application's types forbid does not compile", async () => {
  await using io = fakeServer<App>();
  const socket = await io.connect({ data: { user: "ann" } });
  io.on("connection", () => {});
  const wrong = (): unknown[] => [
    // @ts-expect-error no such event
    socket.receive("triple", 1),
    // @ts-expect-error a number, please
    socket.receive("double", "1"),
    // @ts-expect-error nothing is missing
    socket.receive("double"),
    // @ts-expect-error the server never sends it
    socket.next("double"),
    // @ts-expect-error the reply is a number
    socket.receive("double", 1) satisfies Promise<string>,
    // @ts-expect-error a user is a string
    io.connect({ data: { user: 1 } }),
    // @ts-expect-error the text is a string
    socket.on("news", (text: number) => text),
  ];
  expect(wrong).toBeTypeOf("function");
  const right = (): unknown[] => [
    socket.receive("double", 1) satisfies Promise<number>,
    socket.next("news") satisfies Promise<[string]>,
    socket.emit("note", "text"),
    socket.emit("double", 1, (result) => result satisfies number),
    socket.server.data.user satisfies string,
  ];
  expect(right).toBeTypeOf("function");
});

test("reserved names can't be sent, as in socket.io-client", async () => {
  await using io = fakeServer();
  const socket = await io.connect();
  expect(() => socket.emit("disconnect" as "x")).toThrow('"disconnect" is a reserved event name');
});

test("nothing of a fake server keeps time: fake timers change nothing", async () => {
  vi.useFakeTimers();
  try {
    await using io = fakeServer<App>();
    io.on("connection", (socket) => socket.on("double", (n, reply) => void setTimeout(() => reply(n * 2), 60_000)));
    const socket = await io.connect();
    const reply = socket.receive("double", 2);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(await reply).toBe(4);
    expect(vi.getTimerCount()).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});

test("a frame with too many arguments closes the connection of a fake client, too", async () => {
  await using io = fakeServer();
  new SocketIngress().attach(io).subscribe("count", (_context, ...args: unknown[]) => args.length);
  const client = await io.connect();
  const other = await io.connect();
  void client.receive("count", ...Array.from({ length: 36_001 }, () => 0)).catch(() => undefined);
  await expect.poll(() => client.connected).toBe(false);
  expect(await other.receive("count", 1)).toBe(1);
});
