import { IncomingMessage } from "node:http";
import { Socket as NetSocket } from "node:net";
import type { Server } from "socket.io";
import { expect, it, vi } from "vitest";
import type { Engine } from "../../src/socket-io/engines.js";
import { FarEnd, type FarEndPeer } from "../../src/socket-io/far-end.js";
import { serve } from "../fixtures/serve.js";

// What Socket.IO asks of a connection, in the version that is installed; scripts/peers.mjs runs this with others.

interface Played extends FarEndPeer {
  readonly heard: (string | Buffer)[];
}

function request(): IncomingMessage {
  return Object.assign(new IncomingMessage(new NetSocket()), { url: "/plain", _query: {} });
}

function openTo(
  io: Server,
  peer: Partial<FarEndPeer> = {},
  watched = (conn: FarEnd): object => conn,
): Played & { conn: FarEnd } {
  const heard: (string | Buffer)[] = [];
  const played = { heard, receive: (data: string | Buffer) => void heard.push(data), lost: () => undefined, ...peer };
  const engine = io.engine as unknown as Engine;
  const conn = new FarEnd(
    { engine, id: `far-${Math.random()}`, request: request(), remoteAddress: "::1", transport: "plain" },
    played,
  );
  engine.emit("connection", watched(conn));
  return { ...played, conn };
}

async function joined(io: Server, peer?: Partial<FarEndPeer>, watched?: (conn: FarEnd) => object) {
  const played = openTo(io, peer, watched);
  const before = io.sockets.sockets.size;
  played.conn.incoming("0");
  await vi.waitFor(() => expect(io.sockets.sockets.size).toBe(before + 1));
  const socket = [...io.sockets.sockets.values()].at(-1) as NonNullable<ReturnType<typeof io.sockets.sockets.get>>;
  return { ...played, socket };
}

/** Notes what is asked of an object that it has not. */
function asking(target: object, missing: Set<string>, path = ""): object {
  return new Proxy(target, {
    get(_target, key) {
      const name = `${path}${String(key)}`;
      if (typeof key === "string" && !(key in target)) missing.add(name);
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value === "function") return value.bind(target) as unknown;
      return key === "transport" ? asking(value as object, missing, "transport.") : value;
    },
  });
}

it("has everything that Socket.IO asks of a connection, from CONNECT to the end", async () => {
  await using app = await serve();
  const missing = new Set<string>();
  const reasons: string[] = [];
  app.io.on("connection", (socket) => {
    socket.on("hello", (name: string, reply: (text: string) => void) => reply(`hello ${name}`));
    socket.on("disconnect", (reason) => void reasons.push(reason));
  });
  const { conn, heard, socket } = await joined(app.io, {}, (real) => asking(real, missing));
  conn.incoming('20["hello","ann"]');
  await vi.waitFor(() => expect(heard.at(-1)).toBe('30["hello ann"]'));
  app.io.emit("all", 1);
  app.io.volatile.emit("volatile", 2);
  socket.emit("binary", Buffer.from("b"));
  expect(heard.slice(-4)).toEqual(['2["all",1]', '2["volatile",2]', expect.stringMatching(/^51-/), Buffer.from("b")]);
  const asked = app.io.timeout(20_000).emitWithAck("asked");
  const id = /^2(\d+)/.exec(heard.at(-1) as string)?.[1];
  conn.incoming(`3${id}["mine"]`);
  expect(await asked).toEqual(["mine"]);
  expect(socket.handshake.address).toBe("::1");
  conn.lose("transport close");
  expect(reasons).toEqual(["transport close"]);
  expect(app.io.sockets.sockets.size).toBe(0);
  expect([...missing]).toEqual([]);
});

it("a peer that throws loses its connection, and the publisher and all others notice nothing", async () => {
  await using app = await serve();
  const lost = vi.fn();
  let fails = false;
  const bad = await joined(app.io, {
    receive() {
      if (fails) throw new Error("the far end");
    },
    lost,
  });
  const good = await joined(app.io);
  const told = vi.fn(() => undefined);
  bad.socket.on("disconnect", told);
  fails = true;
  app.io.emit("news", 1);
  app.io.emit("news", 2);
  expect(told).not.toHaveBeenCalled(); // not in the middle of the broadcast
  expect(good.heard.slice(-2)).toEqual(['2["news",1]', '2["news",2]']);
  await vi.waitFor(() => expect(told).toHaveBeenCalledWith("transport error", undefined));
  expect(lost).toHaveBeenCalledOnce();
  expect(good.socket.connected).toBe(true);
});

it("a broadcast hands the same string to all, and none that is volatile to a peer that can't be written to", async () => {
  await using app = await serve();
  const one = await joined(app.io);
  const slow = await joined(app.io, { writable: false });
  app.io.emit("kept");
  app.io.volatile.emit("dropped");
  expect(one.heard.slice(-2)).toEqual(['2["kept"]', '2["dropped"]']);
  expect(slow.heard.at(-1)).toBe('2["kept"]');
});

it("the server closes it: what is on its way is dropped, and the peer is told once", async () => {
  await using app = await serve();
  const lost = vi.fn();
  const { conn, socket } = await joined(app.io, { lost });
  socket.disconnect(true);
  await vi.waitFor(() => expect(lost).toHaveBeenCalledOnce());
  expect(conn.readyState).toBe("closed");
  conn.lose("transport close");
  conn.incoming("0");
  conn.write("2");
  expect(lost).toHaveBeenCalledOnce();
});

it("a peer learns why it is over, and whether what it is given would have been dropped", async () => {
  await using app = await serve();
  const lost = vi.fn();
  const given: [string | Buffer, boolean][] = [];
  const { conn } = await joined(app.io, { lost, receive: (data, isVolatile) => void given.push([data, isVolatile]) });
  app.io.emit("kept");
  app.io.volatile.emit("volatile");
  expect(given.slice(-2)).toEqual([
    ['2["kept"]', false],
    ['2["volatile"]', true],
  ]);
  conn.lose("ping timeout");
  expect(lost).toHaveBeenCalledExactlyOnceWith("ping timeout");
});

it("a peer that can be written to again says so once it can, and not when it is gone", async () => {
  await using app = await serve();
  const { conn, socket } = await joined(app.io, { writable: false });
  const told = vi.fn();
  (socket.conn.transport as unknown as FarEnd["transport"]).on("ready", told);
  conn.ready();
  expect(told).toHaveBeenCalledOnce();
  conn.lose("transport close");
  conn.ready();
  expect(told).toHaveBeenCalledOnce();
});

it("a server that closes ends its sockets, though their connections are no engine's own", async () => {
  await using app = await serve();
  const reasons: string[] = [];
  const { socket } = await joined(app.io);
  socket.on("disconnect", (reason) => void reasons.push(reason));
  await app.io.close();
  expect(reasons).toEqual(["server shutting down"]);
});

it("carries text and binary data in memory of its own, and says when it was taken, as Engine.IO's does", async () => {
  await using app = await serve();
  const { conn, heard } = openTo(app.io);
  const bytes = Uint8Array.of(1, 2, 3);
  const sent = vi.fn();
  conn.send("text", sent);
  conn.send("text", {}, sent);
  conn.write(bytes.buffer, undefined, sent);
  conn.write(bytes.subarray(1), {}, sent);
  bytes.fill(9);
  // Given away at once, nothing waits.
  expect([conn.transport.writable, conn.transport.socket.bufferedAmount]).toEqual([true, 0]);
  expect([heard, sent.mock.calls.length]).toEqual([["text", "text", Buffer.of(1, 2, 3), Buffer.of(2, 3)], 4]);
});

it("what it can't carry ends the connection, and throws at nobody", async () => {
  await using app = await serve();
  const lost = vi.fn();
  const { conn } = openTo(app.io, { lost });
  conn.write({ an: "object" });
  await vi.waitFor(() => expect(lost).toHaveBeenCalledWith("transport error"));
  expect(conn.readyState).toBe("closed");
  conn.abandon("transport close");
  conn.incoming("0");
  expect(lost).toHaveBeenCalledTimes(1);
});
