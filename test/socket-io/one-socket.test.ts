import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { Server } from "socket.io";
import * as msgpack from "socket.io-msgpack-parser";
import { describe, expect, it, vi } from "vitest";
import { WebSocket } from "ws";
import { EventError } from "socket-ingress";
import { deferred } from "../fixtures/deferred.js";
import { serveIngress, type ServedIngress } from "../fixtures/ingress.js";
import { RawClient } from "../fixtures/raw-client.js";
import { RawPolling } from "../fixtures/raw-polling.js";

/** What a server noticed of those who came. */
interface Noticed {
  readonly app: ServedIngress;
  /** How many sockets were made: each is asked about by the first middleware of its namespace. */
  made: number;
  /** How many `connection` events there were, and the most sockets that were in one namespace at once. */
  connections: number;
  most: number;
}

const subscribers = {
  none: undefined,
  synchronous: () => true,
  asynchronous: () => Promise.resolve(true),
  late: () => new Promise<boolean>((resolve) => setTimeout(() => resolve(true), 20)),
};

const namespaces = { "the main namespace": "/", "a literal namespace": "/one", "a pattern": "/many-7" };

async function watched(namespace: string, subscriber: keyof typeof subscribers): Promise<Noticed> {
  const app = await serveIngress();
  const noticed: Noticed = { app, made: 0, connections: 0, most: 0 };
  const pattern = namespace.startsWith("/many") ? /^\/many-\d+$/ : namespace;
  const target = app.io.of(pattern);
  target.use((_socket, next) => {
    noticed.made++;
    next();
  });
  target.on("connection", (socket) => {
    noticed.connections++;
    noticed.most = Math.max(noticed.most, socket.nsp.sockets.size);
  });
  app.ingress.subscribe("hello", () => "hello", { namespace: pattern });
  const ask = subscribers[subscriber];
  if (ask !== undefined) app.ingress.subscribe("connect", ask, { namespace: pattern });
  return noticed;
}

const connect = (namespace: string): string => (namespace === "/" ? "40" : `40${namespace},`);
const disconnect = (namespace: string): string => (namespace === "/" ? "41" : `41${namespace},`);

function nobodyIn({ app }: Noticed, namespace: string): boolean {
  return app.io.of(namespace).sockets.size === 0;
}

describe.each(Object.keys(subscribers) as (keyof typeof subscribers)[])("with %s connect subscribers", (subscriber) => {
  describe.each(Object.entries(namespaces))("in %s", (_name, namespace) => {
    it("500 CONNECTs in one write over a WebSocket end the transport, and make one socket at most", async () => {
      const noticed = await watched(namespace, subscriber);
      await using app = noticed.app;
      const client = await RawClient.open(app.url);
      for (let i = 0; i < 500; i++) client.frame(connect(namespace));
      await client.untilClosed();
      expect(noticed.made).toBeLessThanOrEqual(1);
      expect(noticed.connections).toBeLessThanOrEqual(1);
      await vi.waitFor(() => expect(nobodyIn(noticed, namespace)).toBe(true));
    });

    it("so do CONNECTs in writes of their own", async () => {
      const noticed = await watched(namespace, subscriber);
      await using app = noticed.app;
      const client = await RawClient.open(app.url);
      client.frame(connect(namespace));
      await new Promise((resolve) => setImmediate(resolve));
      client.frame(connect(namespace));
      await client.untilClosed();
      expect(noticed.made).toBeLessThanOrEqual(1);
      expect(noticed.connections).toBeLessThanOrEqual(1);
      await vi.waitFor(() => expect(nobodyIn(noticed, namespace)).toBe(true));
    });

    it("so do 2,000 in one polling request", async () => {
      const noticed = await watched(namespace, subscriber);
      await using app = noticed.app;
      const client = await RawPolling.open(app.url);
      await client.post(Array.from({ length: 2_000 }, () => connect(namespace)));
      expect(await client.poll()).toBe(400);
      expect(noticed.made).toBeLessThanOrEqual(1);
      expect(noticed.connections).toBeLessThanOrEqual(1);
      await vi.waitFor(() => expect(nobodyIn(noticed, namespace)).toBe(true));
    });

    it("a client that has left by DISCONNECT may come again, once", async () => {
      const noticed = await watched(namespace, subscriber);
      await using app = noticed.app;
      await using client = await RawClient.open(app.url);
      for (let round = 1; round <= 3; round++) {
        expect(await client.connect(namespace)).toMatchObject({ admitted: true });
        client.sendDisconnect(namespace);
        await vi.waitFor(() => expect(nobodyIn(noticed, namespace)).toBe(true));
        expect(noticed.connections).toBe(round);
      }
      for (let i = 0; i < 50; i++) client.frame(connect(namespace));
      await client.untilClosed();
      expect(noticed.most).toBe(1);
      expect(noticed.connections).toBeLessThanOrEqual(4);
      await vi.waitFor(() => expect(nobodyIn(noticed, namespace)).toBe(true));
    });

    it("CONNECT and DISCONNECT in turns within one write leave nobody behind", async () => {
      const noticed = await watched(namespace, subscriber);
      await using app = noticed.app;
      const client = await RawPolling.open(app.url);
      const turns = Array.from({ length: 1_000 }, (_, i) => (i % 2 === 0 ? connect(namespace) : disconnect(namespace)));
      await client.post(turns);
      // Socket.IO's own answer to a DISCONNECT from nowhere: the transport is closed when the client next asks.
      const status = await client.poll();
      expect(status === 400 || client.packets.includes("1")).toBe(true);
      expect(noticed.made).toBeLessThanOrEqual(1);
      expect(noticed.connections).toBeLessThanOrEqual(1);
      await vi.waitFor(() => expect(nobodyIn(noticed, namespace)).toBe(true));
    });
  });
});

it("a client that was refused may ask again on the same transport, whoever refused", async () => {
  await using app = await serveIngress();
  let refusals = 2;
  app.ingress.subscribe("connect", () => {
    if (refusals-- > 0) throw new EventError("OVERLOADED", "later");
  });
  let middleware = 2;
  app.io.use((_socket, next) => (middleware-- > 0 ? next(new Error("not yet")) : next()));
  await using client = await RawClient.open(app.url);
  for (let i = 0; i < 4; i++) expect(await client.connect()).toMatchObject({ admitted: false });
  for (let i = 0; i < 3; i++)
    expect(await client.connect("/nowhere")).toMatchObject({ admitted: false, message: "Invalid namespace" });
  expect(await client.connect()).toMatchObject({ admitted: true });
});

it("middleware of the application that takes its time, before and behind ours, changes nothing", async () => {
  await using app = await serveIngress();
  const gate = deferred();
  let asked = 0;
  const connection = vi.fn();
  app.io.use((_socket, next) => {
    asked++;
    void gate.promise.then(() => next());
  });
  app.io.on("connection", connection);
  app.ingress.subscribe("hello", () => "hello");
  const client = await RawClient.open(app.url);
  client.frame("40");
  await vi.waitFor(() => expect(asked).toBe(1));
  client.frame("40");
  await client.untilClosed();
  gate.resolve();
  await vi.waitFor(() => expect(app.io.engine.clientsCount).toBe(0));
  expect(asked).toBe(1);
  expect(connection).not.toHaveBeenCalled();
});

it("a server that gets its HTTP server after the ingress is guarded, too, from its first connection on", async () => {
  const io = new Server({ serveClient: false });
  const { SocketIngress } = await import("socket-ingress");
  const ingress = new SocketIngress().attach(io);
  ingress.subscribe("hello", () => "hello");
  const connection = vi.fn();
  io.on("connection", connection);
  const httpServer = createServer();
  io.attach(httpServer);
  httpServer.listen(0, "127.0.0.1");
  await once(httpServer, "listening");
  const url = `http://127.0.0.1:${(httpServer.address() as AddressInfo).port}`;
  for (let round = 0; round < 2; round++) {
    const client = await RawPolling.open(url);
    await client.post(Array.from({ length: 500 }, () => "40"));
    expect(await client.poll()).toBe(400);
  }
  await vi.waitFor(() => expect(io.sockets.sockets.size).toBe(0));
  expect(connection.mock.calls.length).toBeLessThanOrEqual(1);
  await ingress.detach();
  await io.close();
});

it("a second engine of the same server is guarded, too", async () => {
  await using app = await serveIngress();
  app.ingress.subscribe("hello", () => "hello");
  const second = createServer();
  app.io.attach(second);
  second.listen(0, "127.0.0.1");
  await once(second, "listening");
  const connection = vi.fn();
  app.io.on("connection", connection);
  const url = `http://127.0.0.1:${(second.address() as AddressInfo).port}`;
  for (const target of [url, app.url, url]) {
    const client = await RawPolling.open(target);
    await client.post(Array.from({ length: 500 }, () => "40"));
    expect(await client.poll()).toBe(400);
  }
  await vi.waitFor(() => expect(app.io.sockets.sockets.size).toBe(0));
  expect(connection).not.toHaveBeenCalled();
  second.close();
});

describe("with a parser of the application's own, whose frames can't be read", () => {
  const encode = (packet: object): Buffer => {
    const [chunk] = new (msgpack as unknown as { Encoder: new () => { encode(p: object): Buffer[] } }).Encoder().encode(
      packet,
    );
    return chunk as Buffer;
  };

  it.each(Object.keys(subscribers) as (keyof typeof subscribers)[])(
    "500 CONNECTs end the transport, and one connection is told of at most (%s)",
    async (subscriber) => {
      await using app = await serveIngress({}, { parser: msgpack });
      const connection = vi.fn();
      app.io.on("connection", connection);
      const ask = subscribers[subscriber];
      if (ask !== undefined) app.ingress.subscribe("connect", ask);
      const socket = new WebSocket(`${app.url.replace("http", "ws")}/socket.io/?EIO=4&transport=websocket`);
      await once(socket, "open");
      for (let i = 0; i < 500; i++) socket.send(encode({ type: 0, nsp: "/", data: {} }));
      await once(socket, "close");
      await vi.waitFor(() => expect(app.io.sockets.sockets.size).toBe(0));
      expect(connection.mock.calls.length).toBeLessThanOrEqual(1);
      // An honest client comes, is refused by somebody else, and comes again.
      let refuse = true;
      app.io.use((_socket, next) => (refuse ? next(new Error("no")) : next()));
      const honest = app.client({ parser: msgpack });
      const refused = once(honest as never, "connect_error");
      honest.connect();
      await refused;
      refuse = false;
      honest.connect();
      await vi.waitFor(() => expect(honest.connected).toBe(true));
    },
  );
});

describe("the number of namespaces of a transport", () => {
  it("is bounded, by the option maxNamespaces", async () => {
    await using app = await serveIngress({ maxNamespaces: 3 });
    const made: string[] = [];
    app.io.on("new_namespace", ({ name }) => void made.push(name));
    app.ingress.subscribe("hello", () => "hello", { namespace: /^\/room-\d+$/ });
    const client = await RawClient.open(app.url);
    for (let i = 0; i < 3; i++) expect(await client.connect(`/room-${i}`)).toMatchObject({ admitted: true });
    // What was left makes room.
    client.sendDisconnect("/room-0");
    await vi.waitFor(() => expect(app.io.of("/room-0").sockets.size).toBe(0));
    expect(await client.connect("/room-3")).toMatchObject({ admitted: true });
    app.io.of("/room-1").disconnectSockets();
    await vi.waitFor(() => expect(client.wasDisconnected("/room-1")).toBe(true));
    expect(await client.connect("/room-4")).toMatchObject({ admitted: true });
    client.sendConnect("/room-5");
    await client.untilClosed();
    expect(made).not.toContain("/room-5");
    for (const name of made) await vi.waitFor(() => expect(app.io.of(name).sockets.size).toBe(0));
    expect(
      app.log.lines.filter(({ level, message }) => level === "info" && message?.includes("maxNamespaces")),
    ).toHaveLength(1);
  });

  it("counts those that are being asked for: 5,000 in one polling request end the transport", async () => {
    await using app = await serveIngress();
    let made = 0;
    app.io.on("new_namespace", () => made++);
    app.ingress.subscribe("hello", () => "hello", { namespace: /^\/room-\d+$/ });
    const client = await RawPolling.open(app.url);
    await client.post(Array.from({ length: 5_000 }, (_, i) => `40/room-${i},`));
    expect(await client.poll()).toBe(400);
    expect(made).toBeLessThanOrEqual(100);
  });

  it("does not count those that do not exist: they are refused, a thousand at once", async () => {
    await using app = await serveIngress();
    const client = await RawPolling.open(app.url);
    await client.post(Array.from({ length: 500 }, (_, i) => `40/nowhere-${i >> 1},`));
    await client.post(["40"]);
    expect(await client.poll()).toBe(200);
    expect(client.packets.filter((packet) => packet.startsWith("44/nowhere-"))).toHaveLength(500);
    expect(client.packets.at(-1)).toMatch(/^40/);
    const flooding = await RawPolling.open(app.url);
    await flooding.post(Array.from({ length: 60_000 }, () => "40/n"));
    expect(await flooding.poll()).toBe(400);
    await using other = await RawClient.open(app.url);
    const long = `/${"n".repeat(100_000)}`;
    for (let i = 0; i < 2; i++) expect(await other.connect(long)).toMatchObject({ admitted: false });
    other.sendConnect(long);
    other.sendConnect(long);
    await vi.waitFor(() => expect(other.admissions(long).length).toBe(4));
  });
});

it("detach leaves no listener on the engine, nor on a connection that is in no namespace", async () => {
  await using app = await serveIngress();
  const { engine } = app.io;
  const before = ["connection", "flush", "drain"].map((event) => engine.listenerCount(event));
  await using client = await RawClient.open(app.url);
  const [conn] = Object.values((engine as unknown as { clients: Record<string, typeof app.io.engine> }).clients);
  expect(conn?.listenerCount("data")).toBe(2);
  await app.ingress.detach();
  expect(conn?.listenerCount("data")).toBe(1);
  expect(["connection", "flush", "drain"].map((event) => engine.listenerCount(event))).toEqual(
    // Frames are read there, and merged.
    before.map((count, i) => count - ([1, 2][i] ?? 0)),
  );
  expect(await client.connect()).toMatchObject({ admitted: true });
});
