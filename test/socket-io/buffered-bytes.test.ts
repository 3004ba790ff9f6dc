import { expect, it, vi } from "vitest";
import { fakeServer, inMemory } from "socket-ingress/testing";
import { Server } from "socket.io";
import { SocketIngress } from "socket-ingress";
import { serveIngress } from "../fixtures/ingress.js";
import { RawClient } from "../fixtures/raw-client.js";
import { RawPolling } from "../fixtures/raw-polling.js";

it("over a WebSocket, bytes wait while the client does not read, and none once it has gone", async () => {
  await using app = await serveIngress();
  const client = await RawClient.connect(app.url);
  const [socket] = app.io.sockets.sockets.values();
  if (socket === undefined) throw new Error("nobody is connected");
  expect(app.ingress.bufferedBytes(socket)).toBe(0);
  client.goDeaf();
  const news = "x".repeat(1_000_000);
  // The operating system takes some of them.
  for (let i = 0; i < 30; i++) socket.emit("news", news);
  expect(app.ingress.bufferedBytes(socket)).toBeGreaterThan(10_000_000);
  socket.emit("news", Buffer.alloc(1_000_000));
  const before = app.ingress.bufferedBytes(socket);
  expect(before).toBeGreaterThan(11_000_000);
  expect(before).toBeLessThan(32_000_000);
  client.terminate();
  await vi.waitFor(() => expect(socket.connected).toBe(false));
  await vi.waitFor(() => expect(app.ingress.bufferedBytes(socket)).toBe(0));
});

it("over HTTP long-polling, what waits for the client's next request", async () => {
  await using app = await serveIngress();
  const client = await RawPolling.open(app.url);
  await client.post(["40"]);
  await client.poll();
  const [socket] = app.io.sockets.sockets.values();
  if (socket === undefined) throw new Error("nobody is connected");
  expect(app.ingress.bufferedBytes(socket)).toBe(0);
  socket.emit("é");
  socket.emit("b");
  expect(app.ingress.bufferedBytes(socket)).toBe('2["é"]'.length + 1 + '2["b"]'.length);
  await client.poll();
  expect(app.ingress.bufferedBytes(socket)).toBe(0);
});

it("a fake client reads at once, one in memory as a real one", async () => {
  await using io = fakeServer();
  const ingress = new SocketIngress().attach(io);
  const fake = await io.connect();
  fake.server.emit("news", "x");
  expect(ingress.bufferedBytes(fake.server)).toBe(0);
  await using app = await inMemory(new Server());
  const client = await app.connect();
  expect(new SocketIngress().attach(app.io).bufferedBytes(app.serverSide(client))).toBe(0);
});
