import type { Socket } from "socket.io";
import { Socket as ClientSocket } from "socket.io-client";
import { expect } from "vitest";
import {
  Controller,
  type ControllerHandler,
  EventError,
  type EventContext,
  ServiceManager,
  SocketIngress,
} from "socket-ingress";
import { recordingLog } from "../../fixtures/recording-log.js";
import type { Environment, Register } from "./environment.js";
import { deferred, Recorder } from "./fixtures.js";

/** A socket's life, and what the server says of its own accord. */
export function connectionBehaviour({ start }: Environment, test: Register): void {
  test("a connect subscriber's refusal reaches the client with its code, whatever the others say", async () => {
    await using running = await start();
    const ingress = new SocketIngress({ logger: recordingLog() }).attach(running.io);
    const connected: string[] = [];
    ingress.subscribe("connect", () => true);
    ingress.subscribe("connect", ({ socket }) => {
      if (socket.handshake.auth["token"] !== "right") {
        throw new EventError("UNAUTHENTICATED", "who are you?", { details: { hint: "token" } });
      }
    });
    ingress.subscribe("connect", () => true);
    ingress.subscribe("connection", ({ socket }) => void connected.push(socket.id));
    await expect(running.connect({ auth: { token: "wrong" } })).rejects.toMatchObject({
      message: "who are you?",
      data: { code: "UNAUTHENTICATED", details: { hint: "token" } },
    });
    const peer = await running.connect({ auth: { token: "right" } });
    await peer.settle();
    expect(connected).toEqual([peer.id]);
  });

  test("a connect subscriber that throws anything else refuses at once, with a public message", async () => {
    await using running = await start();
    const ingress = new SocketIngress({ logger: recordingLog() }).attach(running.io);
    ingress.subscribe("connect", async () => {
      throw new Error("the database password is 1234");
    });
    const error = await running.connect().catch((caught: unknown) => caught as Error & { data: unknown });
    expect(error).toMatchObject({ data: { code: "INTERNAL" } });
    expect(JSON.stringify([(error as Error).message, (error as { data: unknown }).data])).not.toContain("1234");
  });

  test("false refuses, too", async () => {
    await using running = await start();
    const ingress = new SocketIngress({ logger: recordingLog() }).attach(running.io);
    ingress.subscribe("connect", () => false);
    await expect(running.connect()).rejects.toMatchObject({ data: { code: "FORBIDDEN" } });
    expect(running.io.sockets.sockets.size).toBe(0);
  });

  test("what a connect subscriber leaves in socket.data is there for every event", async () => {
    await using running = await start();
    const ingress = new SocketIngress({ logger: recordingLog() }).attach(running.io);
    const order: string[] = [];
    ingress.subscribe("connect", async ({ socket }) => {
      order.push("connect");
      socket.data.user = socket.handshake.auth["user"];
    });
    ingress.subscribe("connection", ({ socket }) => void order.push(`connection ${socket.data.user}`));
    ingress.subscribe("who", ({ socket }) => socket.data.user);
    const peer = await running.connect({ auth: { user: "ann" } });
    expect(await peer.call("who")).toBe("ann");
    expect(order).toEqual(["connect", "connection ann"]);
  });

  test("a client that leaves is told of once, with the reason; disconnecting still sees its rooms", async () => {
    await using running = await start();
    const ingress = new SocketIngress({ logger: recordingLog() }).attach(running.io);
    const over = deferred<unknown[]>();
    const told: unknown[] = [];
    ingress.subscribe("connection", ({ socket }) => void socket.join("room"));
    ingress.subscribe("disconnecting", ({ socket }, reason) => void told.push(reason, socket.rooms.has("room")));
    ingress.subscribe("disconnect", ({ socket }, reason) => {
      told.push(reason, socket.rooms.size);
      over.resolve(told);
    });
    const peer = await running.connect();
    await peer.settle();
    peer.leave();
    expect(await over.promise).toEqual(["client namespace disconnect", true, "client namespace disconnect", 0]);
    expect(await peer.gone).toBe("io client disconnect");
  });

  test("a cut line is told to both sides as a transport close", async () => {
    await using running = await start();
    const ingress = new SocketIngress({ logger: recordingLog() }).attach(running.io);
    const told = deferred<string>();
    ingress.subscribe("disconnect", (_context, reason) => told.resolve(reason));
    const peer = await running.connect();
    peer.drop();
    expect(await told.promise).toBe("transport close");
    expect(await peer.gone).toBe("transport close");
  });

  test("a socket that the server disconnects is told of with the server's reason", async () => {
    await using running = await start();
    const ingress = new SocketIngress({ logger: recordingLog() }).attach(running.io);
    const told = deferred<string>();
    ingress.subscribe("leave", ({ socket }) => void socket.disconnect());
    ingress.subscribe("disconnect", (_context, reason) => told.resolve(reason));
    const peer = await running.connect();
    peer.emit("leave");
    expect(await told.promise).toBe("server namespace disconnect");
    expect(await peer.gone).toBe("io server disconnect");
  });

  test("a signal aborts when its client goes, and the pending call fails at the client", async () => {
    await using running = await start();
    const ingress = new SocketIngress({ logger: recordingLog() }).attach(running.io);
    const started = deferred();
    const aborted = deferred();
    ingress.subscribe("slow", async ({ signal }) => {
      signal.addEventListener("abort", () => aborted.resolve());
      started.resolve();
      await aborted.promise;
    });
    const peer = await running.connect();
    const failed = peer.call("slow").catch((error: unknown) => error);
    await started.promise;
    peer.drop();
    await aborted.promise;
    // A socket.io-client before 4.7 tells a pending acknowledgement nothing.
    if (!("_clearAcks" in ClientSocket.prototype)) return;
    expect(await failed).toMatchObject({ message: "socket has been disconnected" });
  });

  test("a line that drops and comes back is another socket, served like the first", async () => {
    await using running = await start();
    const handler = new Recorder();
    await handler.setup(running.io);
    const peer = await running.connect();
    const first = peer.id;
    peer.drop();
    await peer.gone;
    await peer.reconnect();
    expect(peer.id).not.toBe(first);
    // The real client leaves it unset where nothing can be recovered.
    expect(peer.recovered).toBeFalsy();
    await peer.call("record", "again");
    expect(handler.calls).toEqual([["again"]]);
  });

  test("a recovered connection is asked again before anything of it runs", async () => {
    await using running = await start({ connectionStateRecovery: { maxDisconnectionDuration: 60_000 } });
    const ingress = new SocketIngress({ logger: recordingLog(), recovery: "askAgain" }).attach(running.io);
    const asked: boolean[] = [];
    let banned = false;
    ingress.subscribe("connect", ({ socket }) => {
      asked.push(socket.recovered);
      if (banned) throw new EventError("FORBIDDEN", "banned");
    });
    ingress.subscribe("who", ({ socket }) => socket.id);
    const peer = await running.connect();
    const { id } = peer;
    running.io.emit("news", 1);
    await peer.settle();
    peer.drop();
    await peer.gone;
    await peer.reconnect();
    expect(peer.recovered).toBe(true);
    expect(await peer.call("who")).toBe(id);
    expect(asked).toEqual([false, true]);
    banned = true;
  });

  test("a subscriber speaks to rooms, to all and to all others", async () => {
    await using running = await start();
    const ingress = new SocketIngress({ logger: recordingLog() }).attach(running.io);
    ingress.subscribe("join", ({ socket }, room: string) => socket.join(room));
    ingress.subscribe("say", ({ socket }, how: string) => {
      if (how === "room") socket.to("blue").emit("said", how);
      else if (how === "others") socket.broadcast.emit("said", how);
      else if (how === "except") running.io.except("blue").emit("said", how);
      else running.io.emit("said", how);
    });
    const [a, b, c] = [await running.connect(), await running.connect(), await running.connect()];
    await a.call("join", "blue");
    await b.call("join", "blue");
    for (const how of ["room", "others", "except", "all"]) await a.call("say", how);
    await Promise.all([a.settle(), b.settle(), c.settle()]);
    const heard = (peer: typeof a): unknown[] =>
      peer.received.filter(({ event }) => event === "said").map(({ args }) => args[0]);
    expect(heard(a)).toEqual(["all"]);
    expect(heard(b)).toEqual(["room", "others", "all"]);
    expect(heard(c)).toEqual(["others", "except", "all"]);
  });

  test("a subscriber asks its client and gets the answer", async () => {
    await using running = await start();
    const ingress = new SocketIngress({ logger: recordingLog() }).attach(running.io);
    ingress.subscribe("start", async ({ socket }) => {
      const answer: unknown = await socket.timeout(20_000).emitWithAck("sure?", { n: 1 });
      return { answer };
    });
    const peer = await running.connect();
    peer.on("sure?", ({ n }: { n: number }, reply: (answer: unknown) => void) => reply({ yes: n }));
    expect(await peer.call("start")).toEqual({ answer: { yes: 1 } });
  });

  test("what a subscriber sends arrives before its reply", async () => {
    await using running = await start();
    const ingress = new SocketIngress({ logger: recordingLog() }).attach(running.io);
    ingress.subscribe("go", ({ socket }) => {
      socket.emit("first", Buffer.from([1]));
      socket.emit("second");
      return "reply";
    });
    const peer = await running.connect();
    await peer.call("go");
    expect(peer.received.map(({ event }) => event)).toEqual(["first", "second"]);
    expect(peer.received[0]?.args).toEqual([Buffer.from([1])]);
  });

  test("the application's namespace middleware comes first and may refuse in its own words", async () => {
    await using running = await start();
    running.io.use((socket, next) => {
      if (socket.handshake.auth["banned"] === true) next(Object.assign(new Error("go away"), { data: { since: 1 } }));
      else next();
    });
    const ingress = new SocketIngress({ logger: recordingLog() }).attach(running.io);
    const asked: unknown[] = [];
    ingress.subscribe("connect", ({ socket }) => void asked.push(socket.handshake.auth));
    await expect(running.connect({ auth: { banned: true } })).rejects.toMatchObject({
      message: "go away",
      data: { since: 1 },
    });
    await running.connect({ auth: { ok: 1 } });
    expect(asked).toEqual([{ ok: 1 }]);
  });

  test("a manager boots its controllers, serves them in order, and on shutdown tells everyone", async () => {
    await using running = await start();
    const order: string[] = [];
    class Chat extends Controller {
      readonly name = "chat";
      override buildEvents(handler: ControllerHandler): void {
        handler
          .on("message", () => void order.push("50"), { priority: 50 })
          .on("message", this.onMessage, { priority: 10 });
      }
      onMessage({ socket }: EventContext, text: string): { id: string; text: string } {
        order.push("10");
        return { id: socket.id, text };
      }
    }
    const peer = await running.connect();
    const manager = new ServiceManager(running.io, { logger: recordingLog() }).registerController(new Chat());
    await manager.boot();
    expect(await peer.call("message", "hi")).toEqual({ id: peer.id, text: "hi" });
    expect(order).toEqual(["10", "50"]);
    await manager.shutdown({ graceMs: 1_000 });
    await peer.gone;
    expect(peer.connected).toBe(false);
  });

  test("closing the server is told to its sockets", async () => {
    await using running = await start();
    const ingress = new SocketIngress({ logger: recordingLog() }).attach(running.io);
    const told = deferred<string>();
    ingress.subscribe("disconnect", (_context, reason) => told.resolve(reason));
    const peer = await running.connect();
    await running.io.close();
    expect(await told.promise).toBe("server shutting down");
    await peer.gone;
  });

  test("the handshake is the application's to read", async () => {
    await using running = await start();
    const seen: unknown[] = [];
    running.io.on("connection", ({ handshake, request }: Socket) => {
      seen.push(
        handshake.auth,
        handshake.query["EIO"],
        handshake.query["transport"],
        handshake.address,
        request.method,
      );
    });
    const peer = await running.connect({ auth: { a: 1 } });
    await peer.settle();
    expect(seen).toEqual([{ a: 1 }, "4", "websocket", "127.0.0.1", "GET"]);
  });
}
