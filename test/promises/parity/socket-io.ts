import type { Socket } from "socket.io";
import { expect } from "vitest";
import { memoryCluster } from "socket-ingress/testing";
import type { Environment, Peer, Register } from "./environment.js";
import { deferred } from "./fixtures.js";

const said = (peer: Peer): unknown[] =>
  peer.received.filter(({ event }) => event === "said").map(({ args }) => args[0]);

/** What everything else is built on: Socket.IO without the ingress, and without a difference. */
export function socketIoBehaviour({ start }: Environment, test: Register): void {
  test("what the server sends from its connection listener arrives first, in order", async () => {
    await using running = await start();
    running.io.on("connection", (socket) => {
      socket.emit("said", 1);
      running.io.emit("said", 2);
      socket.emit("said", 3);
    });
    const peer = await running.connect();
    await peer.settle();
    expect(said(peer)).toEqual([1, 2, 3]);
  });

  test("of two listeners that acknowledge, the first wins", async () => {
    await using running = await start();
    running.io.on("connection", (socket) => {
      socket.on("go", (reply: (value: string) => void) => reply("first"));
      socket.on("go", (reply: (value: string) => void) => reply("second"));
    });
    const peer = await running.connect();
    expect(await peer.call("go")).toBe("first");
  });

  test("an acknowledgement carries its first argument to a promise, and all of them to a function", async () => {
    await using running = await start();
    running.io.on("connection", (socket) => {
      socket.on("go", (reply: (...values: unknown[]) => void) => reply(1, { two: 2 }, Buffer.from([3])));
    });
    const peer = await running.connect();
    expect(await peer.call("go")).toBe(1);
    const all = await new Promise<unknown[]>((resolve) => peer.emit("go", (...values: unknown[]) => resolve(values)));
    expect(all).toEqual([1, { two: 2 }, Buffer.from([3])]);
  });

  test("an event refused by socket middleware is an error on the server, and the client hears nothing", async () => {
    await using running = await start();
    const errors: string[] = [];
    let ran = false;
    running.io.on("connection", (socket) => {
      socket.use(([event], next) => next(event === "no" ? new Error("refused") : undefined));
      socket.on("error", (error) => errors.push(error.message));
      socket.on("no", () => (ran = true));
    });
    const peer = await running.connect();
    let answered = false;
    peer.emit("no", () => (answered = true));
    await peer.settle();
    expect([errors, ran, answered]).toEqual([["refused"], false, false]);
  });

  test("to and to is a union, except subtracts, and an empty list is everyone", async () => {
    await using running = await start();
    const [a, b, c] = [await running.connect(), await running.connect(), await running.connect()];
    await a.server.join(["one", "both"]);
    await b.server.join(["two", "both"]);
    running.io.to("one").to("two").emit("said", "union");
    running.io.to("both").except("two").emit("said", "less");
    running.io.in([]).emit("said", "everyone");
    await Promise.all([a.settle(), b.settle(), c.settle()]);
    expect([said(a), said(b), said(c)]).toEqual([["union", "less", "everyone"], ["union", "everyone"], ["everyone"]]);
  });

  test("a broadcast gathers acknowledgements, says what is missing, and in an empty room is none", async () => {
    await using running = await start();
    const [a, b] = [await running.connect(), await running.connect()];
    a.on("ask", (n: number, reply: (n: number) => void) => reply(n + 1));
    b.on("ask", (n: number, reply: (n: number) => void) => reply(n + 2));
    const answers: number[] = await running.io.timeout(20_000).emitWithAck("ask", 1);
    expect(answers.sort((x, y) => x - y)).toEqual([2, 3]);
    b.on("silence", () => {});
    a.on("silence", (reply: (text: string) => void) => reply("a"));
    await expect(running.io.timeout(500).emitWithAck("silence")).rejects.toMatchObject({ responses: ["a"] });
    expect(await running.io.to("nowhere").timeout(20).emitWithAck("ask", 1)).toEqual([]);
  });

  test("a client that does not answer is a timeout, one that answers twice counts once", async () => {
    await using running = await start();
    const peer = await running.connect();
    peer.on("twice", (reply: (text: string) => void) => {
      reply("one");
      reply("two");
    });
    peer.on("never", () => {});
    expect(await peer.server.timeout(20_000).emitWithAck("twice")).toBe("one");
    await expect(peer.server.timeout(10).emitWithAck("never")).rejects.toThrow("operation has timed out");
    await peer.settle();
  });

  test("sockets are fetched, moved and disconnected by room", async () => {
    await using running = await start();
    const [a, b] = [await running.connect(), await running.connect()];
    a.server.data = { name: "a" };
    running.io.in(a.id as string).socketsJoin(["blue", "red"]);
    running.io.in("blue").socketsLeave("red");
    const [found, ...more] = await running.io.in("blue").fetchSockets();
    expect(more).toEqual([]);
    expect([found?.id, found?.data, found?.rooms]).toEqual([a.id, { name: "a" }, new Set([a.id, "blue"])]);
    running.io.in("blue").disconnectSockets();
    expect(await a.gone).toBe("io server disconnect");
    expect([a.connected, b.connected]).toEqual([false, true]);
  });

  test("catch-alls see every event, before the middleware and before it leaves", async () => {
    await using running = await start();
    const seen: unknown[] = [];
    running.io.on("connection", (socket) => {
      socket.use(([event], next) => {
        if (event === "go") seen.push("middleware");
        next();
      });
      socket.onAny((event, ...args: unknown[]) => {
        if (event === "go") seen.push(["in", args.filter((arg) => typeof arg !== "function")]);
      });
      socket.onAnyOutgoing((event, ...args: unknown[]) => seen.push(["out", event, args]));
      socket.on("go", (_n: number, reply: () => void) => {
        seen.push("listener");
        socket.emit("said", 1);
        reply();
      });
    });
    const peer = await running.connect();
    await peer.call("go", 7);
    expect(seen).toEqual([["in", [7]], "middleware", "listener", ["out", "said", [1]]]);
  });

  test("two namespaces on one connection are two sockets; leaving one keeps the other, a cut takes both", async () => {
    await using running = await start();
    running.io.of("/side");
    const main = await running.connect();
    const side = await main.join("/side");
    expect(side.id).not.toBe(main.id);
    expect(side.server.conn).toBe(main.server.conn);
    expect(side.server.nsp.name).toBe("/side");
    running.io.of("/side").emit("said", "side");
    await side.settle();
    expect([said(main), said(side)]).toEqual([[], ["side"]]);
    main.leave();
    await main.gone;
    await side.settle();
    side.drop();
    expect(await side.gone).toBe("transport close");
  });

  test("disconnecting with the connection takes every namespace along", async () => {
    await using running = await start();
    running.io.of("/side");
    const main = await running.connect();
    const side = await main.join("/side");
    const told: string[] = [];
    main.server.on("disconnect", (reason) => told.push(`main ${reason}`));
    side.server.on("disconnect", (reason) => told.push(`side ${reason}`));
    main.server.disconnect(true);
    expect([await main.gone, await side.gone]).toEqual(["io server disconnect", "io server disconnect"]);
    expect(told).toEqual(["main server namespace disconnect", "side server namespace disconnect"]);
  });

  test("the last one to leave takes the connection along", async () => {
    await using running = await start();
    const peer = await running.connect();
    const { conn } = peer.server;
    expect([
      conn.readyState,
      running.io.engine.clientsCount,
      peer.id === (conn as unknown as { id: string }).id,
    ]).toEqual(["open", 1, false]);
    const closed = new Promise((resolve) => conn.once("close", resolve));
    peer.leave();
    await closed;
    expect([conn.readyState, running.io.engine.clientsCount]).toEqual(["closed", 0]);
  });

  test("large text, any script and many attachments arrive whole", async () => {
    await using running = await start();
    running.io.on("connection", (socket) => {
      socket.on("echo", (value: unknown, reply: (value: unknown) => void) => reply(value));
    });
    const peer = await running.connect();
    const value = {
      text: `${"x".repeat(100_000)}çé日本語🎉\u2028`,
      parts: Array.from({ length: 10 }, (_, i) => Buffer.from([i])),
    };
    expect(await peer.call("echo", value)).toEqual(value);
  });

  test("a volatile event arrives while the connection is up", async () => {
    await using running = await start();
    const peer = await running.connect();
    peer.server.volatile.emit("said", 1);
    await peer.settle();
    expect(said(peer)).toEqual([1]);
  });

  test("in disconnecting a socket has its rooms, in disconnect it has none, and joining then does no harm", async () => {
    await using running = await start();
    const over = deferred();
    const rooms: number[] = [];
    running.io.on("connection", (socket: Socket) => {
      void socket.join("room");
      socket.on("disconnecting", () => rooms.push(socket.rooms.size));
      socket.on("disconnect", () => {
        rooms.push(socket.rooms.size);
        void socket.join("late");
        over.resolve();
      });
    });
    const peer = await running.connect();
    peer.leave();
    await over.promise;
    expect(rooms).toEqual([2, 0]);
    expect(running.io.sockets.adapter.rooms.size).toBe(0);
  });

  test("a recovered session brings id, rooms, data and what was missed, in order", async () => {
    await using running = await start({ connectionStateRecovery: { maxDisconnectionDuration: 60_000 } });
    const peer = await running.connect();
    const { id } = peer;
    peer.server.data = { user: "ann" };
    await peer.server.join("blue");
    running.io.emit("said", "before");
    await peer.settle();
    const { server } = peer;
    const told = new Promise((resolve) => server.once("disconnect", resolve));
    peer.drop();
    await Promise.all([peer.gone, told]);
    running.io.to("blue").emit("said", "missed 1");
    running.io.emit("said", "missed 2");
    running.io.to("elsewhere").emit("said", "not for you");
    await peer.reconnect();
    await peer.settle();
    expect([peer.recovered, peer.server.recovered, peer.id]).toEqual([true, true, id]);
    expect([peer.server.data, peer.server.rooms.has("blue")]).toEqual([{ user: "ann" }, true]);
    expect(said(peer)).toEqual(["before", "missed 1", "missed 2"]);
  });

  test("with recovery on, an event carries its offset as one more argument", async () => {
    await using running = await start({ connectionStateRecovery: {} });
    const peer = await running.connect();
    running.io.emit("said", 1);
    await peer.settle();
    expect(peer.received).toEqual([{ event: "said", args: [1, expect.any(String)] }]);
  });

  test("two nodes joined by the cluster protocol are one server to their clients", async () => {
    const { adapter } = memoryCluster();
    await using one = await start({ adapter });
    await using two = await start({ adapter });
    const [a, b] = [await one.connect(), await two.connect()];
    const heard = [a, b].map((peer) => new Promise((resolve) => peer.on("said", resolve)));
    one.io.emit("said", "to all");
    expect(await Promise.all(heard)).toEqual(["to all", "to all"]);
    b.on("ask", (n: number, reply: (n: number) => void) => reply(n * 2));
    a.on("ask", (n: number, reply: (n: number) => void) => reply(n * 3));
    const answers: number[] = await two.io.timeout(20_000).emitWithAck("ask", 5);
    expect(answers.sort((x, y) => x - y)).toEqual([10, 15]);
    expect(new Set((await one.io.fetchSockets()).map(({ id }) => id))).toEqual(new Set([a.id, b.id]));
    one.io.in(b.id as string).disconnectSockets();
    expect(await b.gone).toBe("io server disconnect");
  });
}
