import { Socket } from "node:net";
import { expect, it, vi } from "vitest";
import { user } from "socket-ingress/realtime";
import { openPlain } from "./plain-door.js";

const idsOf = (changes: any[]): number[] => changes.map(({ id }) => Number(id));
const filling = "x".repeat(50_000);

it("Given a reader that stops, Then it is cut at `maxBufferedBytes`, others get everything, memory is back; it resumes later.", async () => {
  await using plain = await openPlain({ maxBufferedBytes: 300_000 });
  const { ingress, realtime, served } = plain.door;
  await using stopped = await plain.stream("?user=stopped&topic=author");
  await stopped.until(() => stopped.lastId !== undefined);
  const [socket] = served.io.sockets.sockets.values();
  await using reading = await plain.stream("?user=reading&topic=author");
  stopped.pause();
  let [n, most] = [0, 0];
  while (socket!.connected || n % 10 !== 0) {
    await realtime.emitSocket("change", { id: String(++n), filling }, { topic: "author" });
    most = Math.max(most, socket!.connected ? ingress.bufferedBytes(socket!) : 0);
    // The others read meanwhile, as they would.
    await reading.until(() => reading.events.length === n);
  }
  expect(idsOf(reading.got("change"))).toEqual(Array.from({ length: n }, (_, i) => i + 1));
  await plain.sockets(1);
  expect(most).toBeLessThanOrEqual(300_000);
  expect(ingress.bufferedBytes(socket!)).toBe(0);
  expect(plain.door.log.lines.some(({ message }) => message?.includes("it does not read"))).toBe(true);
  stopped.resume();
  await stopped.ended;
  const had = idsOf(stopped.got("change"));
  expect(had).toEqual(Array.from({ length: had.length }, (_, i) => i + 1));

  await using back = await plain.stream("?topic=author", { lastId: stopped.lastId });
  await realtime.emitSocket("change", { id: String(n + 1) }, { topic: "author" });
  await back.until(() => back.got("change").some(({ id }) => id === String(n + 1)));
  expect([...had, ...idsOf(back.got("change"))]).toEqual(Array.from({ length: n + 1 }, (_, i) => i + 1));
  expect(back.got("refetch")).toEqual([]);
}, 60_000);

it("a WebSocket that stops is cut at `maxBufferedBytes`, and others get everything", async () => {
  await using plain = await openPlain({ maxBufferedBytes: 300_000 });
  const { realtime } = plain.door;
  await using stopped = await plain.socket("?topic=author");
  await plain.sockets(1);
  const [socket] = plain.door.served.io.sockets.sockets.values();
  await using reading = await plain.socket("?topic=author");
  expect(await stopped.ask({ event: "sync" })).toMatchObject({ data: true });
  expect(await reading.ask({ event: "sync" })).toMatchObject({ data: true });
  stopped.ws.pause();
  let [n, most] = [0, 0];
  while (plain.door.served.io.sockets.sockets.size > 1) {
    await realtime.emitSocket("change", { id: String(++n), filling }, { topic: "author" });
    most = Math.max(most, plain.door.ingress.bufferedBytes(socket!));
    await reading.until(() => reading.frames.some(({ id }) => id === String(n)));
  }
  expect(reading.frames.filter(({ filling: is }) => is !== undefined)).toHaveLength(n);
  expect(most).toBeGreaterThan(100_000);
  expect(plain.door.ingress.bufferedBytes(socket!)).toBe(0);
}, 60_000);

it("one event that is larger than `maxBufferedBytes` reaches a client that reads", async () => {
  await using plain = await openPlain({ maxBufferedBytes: 10_000 });
  await using stream = await plain.stream("?user=ada");
  await using socket = await plain.socket("?user=ada");
  await socket.ask({ event: "sync" });
  await plain.door.realtime.emitSocket("large", filling, user("ada"));
  await stream.until(() => stream.events.length === 1);
  await socket.until(() => socket.frames.some(({ event }) => event === "large"));
  expect(stream.got("large")).toEqual([filling]);
});

it("a burst of one turn that is larger than `maxBufferedBytes` reaches clients that read, in order", async () => {
  await using plain = await openPlain({ maxBufferedBytes: 50_000 });
  await using stream = await plain.stream("?topic=author");
  await using socket = await plain.socket("?topic=author");
  await socket.ask({ event: "sync" });
  const pushed: Promise<void>[] = [];
  for (let n = 1; n <= 100; n++)
    pushed.push(
      plain.door.realtime.emitSocket(
        "change",
        { id: String(n), filling: filling.slice(0, 2_000) },
        { topic: "author" },
      ),
    );
  await Promise.all(pushed);
  await stream.until(() => stream.events.length === 100);
  await socket.until(() => socket.frames.length === 101);
  const all = Array.from({ length: 100 }, (_, i) => i + 1);
  expect(idsOf(stream.got("change"))).toEqual(all);
  expect(idsOf(socket.frames.slice(1))).toEqual(all);
});

it("what a client is told in one turn is one write", async () => {
  await using plain = await openPlain();
  const tcp = new Set<Socket>();
  plain.door.served.httpServer.on("connection", (connection) => tcp.add(connection));
  await using stream = await plain.stream("?topic=author");
  await using socket = await plain.socket("?topic=author");
  await socket.ask({ event: "sync" });
  // Writable's own, which the types leave out for a socket.
  const streams = Socket.prototype as unknown as { _write(): void; _writev(): void };
  const [write, writev] = [vi.spyOn(streams, "_write"), vi.spyOn(streams, "_writev")];
  const writes = (): number =>
    [...write.mock.contexts, ...writev.mock.contexts].filter((one) => tcp.has(one as Socket)).length;
  const before = writes();
  for (let n = 1; n <= 10; n++) void plain.change(n);
  await stream.until(() => stream.events.length === 10);
  await socket.until(() => socket.frames.length === 11);
  expect(writes() - before).toBe(2);
});

it("a client that is behind is told only the newest of `latest` pushes, and of volatile ones none", async () => {
  await using plain = await openPlain({ maxBufferedBytes: 50_000_000 });
  const { realtime, ingress, served } = plain.door;
  await using stream = await plain.stream("?user=ada");
  stream.pause();
  const [socket] = served.io.sockets.sockets.values();
  let behind = 0;
  // Behind for several turns, so that the operating system takes no more.
  while (behind < 20) {
    await realtime.emitSocket("filling", filling, user("ada"));
    await new Promise((resolve) => setImmediate(resolve));
    behind = socket!.conn.transport.writable ? 0 : behind + 1;
  }
  for (let n = 1; n <= 20; n++) {
    await realtime.emitSocket("price", n, user("ada"), { latest: "EURUSD" });
    await realtime.emitSocket("seen", n, user("ada"), { volatile: true });
  }
  expect(ingress.bufferedBytes(socket!)).toBeGreaterThan(0);
  stream.resume();
  await stream.until(() => stream.got("price").length > 0);
  expect(stream.got("price")).toEqual([20]);
  expect(stream.got("seen")).toEqual([]);
  await vi.waitFor(() => expect(ingress.bufferedBytes(socket!)).toBe(0));
}, 60_000);

it("a client that reads is told what is volatile, also when it was behind within a turn", async () => {
  await using plain = await openPlain();
  const { realtime } = plain.door;
  await using stream = await plain.stream("?user=ada");
  await using socket = await plain.socket("?user=ada");
  await socket.ask({ event: "sync" });
  for (let n = 1; n <= 3; n++) {
    void realtime.emitSocket("large", "x".repeat(20_000), user("ada"));
    void realtime.emitSocket("dropped", n, user("ada"), { volatile: true });
    void realtime.emitSocket("newest", n, user("ada"), { latest: "n" });
    await Promise.all([
      stream.until(() => stream.got("newest").length === n),
      socket.until(() => socket.frames.filter(({ event }) => event === "newest").length === n),
    ]);
    await realtime.emitSocket("seen", n, user("ada"), { volatile: true });
    await Promise.all([
      stream.until(() => stream.got("seen").length === n),
      socket.until(() => socket.frames.filter(({ event }) => event === "seen").length === n),
    ]);
  }
  expect(stream.got("dropped")).toEqual([]);
  expect(socket.frames.filter(({ event }) => event === "dropped")).toEqual([]);
});

it("what happens at one client's end reaches no publisher and no other client", async () => {
  await using plain = await openPlain();
  await using bad = await plain.stream("?topic=author");
  await using good = await plain.stream("?topic=author");
  const broken = { toJSON: () => ({ id: "1" }) };
  plain.door.served.httpServer.on("connection", () => undefined);
  bad.close();
  // In the same turn, before anybody knows.
  for (let n = 1; n <= 5; n++) await plain.change(n);
  plain.door.served.io.emit("odd", broken);
  await good.until(() => good.events.length === 6);
  expect(idsOf(good.got("change"))).toEqual([1, 2, 3, 4, 5]);
});
