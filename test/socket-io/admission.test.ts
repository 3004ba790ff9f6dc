import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { Server } from "socket.io";
import { describe, expect, it, vi } from "vitest";
import { EventError, SocketIngress, type EventContext } from "socket-ingress";
import { deferred } from "../fixtures/deferred.js";
import { codeOf, serveIngress } from "../fixtures/ingress.js";
import { recordingLog } from "../fixtures/recording-log.js";
import { connected, serve } from "../fixtures/serve.js";

describe("connect asks before the socket is admitted", () => {
  it("any refusal wins, and the client gets connect_error with the code", async () => {
    await using app = await serveIngress();
    app.ingress.subscribe("connect", () => true);
    app.ingress.subscribe("connect", ({ socket }) => {
      if (socket.handshake.auth["token"] !== "yes")
        throw new EventError("UNAUTHENTICATED", "who are you?", { details: { hint: 1 } });
    });
    app.ingress.subscribe("connect", () => undefined);
    await expect(app.connect()).rejects.toMatchObject({
      message: "who are you?",
      data: { code: "UNAUTHENTICATED", message: "who are you?", details: { hint: 1 } },
    });
    expect((await app.connect({ auth: { token: "yes" } })).connected).toBe(true);
  });

  it("false refuses with FORBIDDEN, also when a later subscriber says true", async () => {
    await using app = await serveIngress();
    app.ingress.subscribe("connect", async () => false, { priority: 1 });
    app.ingress.subscribe("connect", () => true);
    await expect(app.connect()).rejects.toMatchObject({ data: { code: "FORBIDDEN" } });
  });

  it("anything else that is thrown refuses, too, with a public message", async () => {
    await using app = await serveIngress();
    app.ingress.subscribe("connect", () => {
      throw new Error("secret /etc/passwd");
    });
    await expect(app.connect()).rejects.toMatchObject({
      message: "internal error",
      data: { code: "INTERNAL", message: "internal error" },
    });
    expect(app.log.lines.at(-1)?.fields).toMatchObject({ event: "connect", namespace: "/" });
  });

  it("details that can't be encoded are left out instead of ending the process", async () => {
    await using app = await serveIngress();
    const circular: { self?: unknown } = {};
    circular.self = circular;
    app.ingress.subscribe("connect", () => {
      throw new EventError("FORBIDDEN", "no", { details: circular });
    });
    await expect(app.connect()).rejects.toMatchObject({ data: { code: "FORBIDDEN", message: "no" } });
  });

  it("a subscriber that never settles is given up, and the whole admission has a deadline", async () => {
    await using app = await serveIngress({ admitTimeoutMs: 40 });
    const aborted = deferred<unknown>();
    app.ingress.subscribe("connect", ({ signal }) => {
      signal.addEventListener("abort", () => aborted.resolve(signal.reason));
      return new Promise<boolean>(() => undefined);
    });
    await expect(app.connect()).rejects.toMatchObject({ data: { code: "TIMEOUT" } });
    await aborted.promise;
  });

  it("once nobody waits for the verdict no further subscriber is asked, and a signal that is read then has aborted", async () => {
    await using app = await serveIngress({ admitTimeoutMs: 100 });
    const [goOn, read] = [deferred(), deferred<boolean>()];
    const asked: string[] = [];
    app.ingress.subscribe("connect", async (context) => {
      asked.push("first");
      await goOn.promise;
      read.resolve(context.signal.aborted);
      return true;
    });
    app.ingress.subscribe("connect", () => {
      asked.push("second");
      return true;
    });
    await expect(app.connect()).rejects.toMatchObject({ data: { code: "TIMEOUT" } });
    goOn.resolve();
    expect(await read.promise).toBe(true);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(asked).toEqual(["first"]);
  });

  it("a client that leaves meanwhile is forgotten, and the signal tells", async () => {
    await using app = await serveIngress();
    const asked = deferred<EventContext>();
    const aborted = deferred();
    const connection = vi.fn();
    app.ingress.subscribe("connect", (context) => {
      context.signal.addEventListener("abort", () => aborted.resolve());
      asked.resolve(context);
      return new Promise<boolean>(() => undefined);
    });
    app.ingress.subscribe("connection", connection);
    const client = app.client();
    client.connect();
    const { socket } = await asked.promise;
    client.disconnect();
    await aborted.promise;
    expect(socket.connected).toBe(false);
    expect(app.io.sockets.sockets.size).toBe(0);
    expect(connection).not.toHaveBeenCalled();
  });

  it("after detach everybody may enter, and after attach again they are asked again", async () => {
    await using app = await serveIngress();
    app.ingress.subscribe("connect", () => false);
    await app.ingress.detach();
    await app.connect();
    app.ingress.attach(app.io);
    await expect(app.connect()).rejects.toMatchObject({ data: { code: "FORBIDDEN" } });
  });
});

describe("the connect barrier", () => {
  it("events that arrive while the connection subscribers run are kept, in order, and dispatched afterwards", async () => {
    await using app = await serveIngress();
    const gate = deferred();
    const order: unknown[] = [];
    app.ingress.subscribe("connection", async () => {
      order.push("begin");
      await gate.promise;
      order.push("end");
    });
    app.ingress.subscribe("x", (_context, n: number) => order.push(n));
    const client = await app.connect();
    client.emit("x", 1);
    client.emit("x", 2);
    const third = client.emitWithAck("x", 3);
    await vi.waitFor(() => expect(order).toEqual(["begin"]));
    gate.resolve();
    await third;
    expect(order).toEqual(["begin", "end", 1, 2, 3]);
  });

  it("is bounded by maxPending", async () => {
    await using app = await serveIngress({ maxPending: 2 });
    const gate = deferred();
    app.ingress.subscribe("connection", () => gate.promise);
    app.ingress.subscribe("x", (_context, n: number) => n);
    const client = await app.connect();
    const replies = [1, 2, 3].map((n) => client.emitWithAck("x", n));
    expect(codeOf(await replies[2])).toBe("OVERLOADED");
    gate.resolve();
    expect(await Promise.all(replies.slice(0, 2))).toEqual([1, 2]);
  });

  it("loses nothing when the client leaves meanwhile, and tells disconnect last", async () => {
    await using app = await serveIngress({ maxInFlight: 1 });
    const gate = deferred();
    const begun = deferred();
    const done = deferred();
    const order: unknown[] = [];
    app.ingress.subscribe("connection", () => {
      begun.resolve();
      return gate.promise;
    });
    app.ingress.subscribe("x", async (_context, n: number) => void order.push(n));
    app.ingress.subscribe("disconnect", () => {
      order.push("disconnect");
      done.resolve();
    });
    const client = await app.connect();
    client.emit("x", 1);
    client.emit("x", 2);
    await begun.promise;
    // Socket.IO itself drops events that arrive in one piece with the disconnect: a round trip sees them kept.
    await client.emitWithAck("unknown");
    const gone = once(app.serverSide(client), "disconnect");
    client.disconnect();
    await gone;
    gate.resolve();
    await done.promise;
    expect(order).toEqual([1, 2, "disconnect"]);
  });

  it("a connection subscriber that fails is told of, and the socket is served all the same", async () => {
    await using app = await serveIngress();
    app.ingress.subscribe("connection", async () => {
      throw new Error("x");
    });
    app.ingress.subscribe("x", () => 1);
    const client = await app.connect();
    expect(await client.emitWithAck("x")).toBe(1);
    expect(app.log.lines.filter(({ fields }) => fields["event"] === "connection").length).toBe(1);
  });

  it("a socket that a listener of the application closes at once is not told of", async () => {
    const ingress = new SocketIngress({ logger: recordingLog() });
    await using app = await serve((io) => {
      io.on("connection", (socket) => void socket.disconnect());
      ingress.attach(io);
    });
    const told = vi.fn();
    ingress.subscribe("connection", told);
    const client = app.client();
    const gone = once(client as never, "disconnect");
    client.connect();
    await gone;
    expect(told).not.toHaveBeenCalled();
  });
});

describe("connectionStateRecovery", () => {
  async function recovering(options: { skipMiddlewares?: boolean } = {}) {
    const httpServer = createServer();
    const io = new Server(httpServer, { connectionStateRecovery: options });
    httpServer.listen(0, "127.0.0.1");
    await once(httpServer, "listening");
    const { port } = httpServer.address() as AddressInfo;
    const { io: open } = await import("socket.io-client");
    const client = open(`http://127.0.0.1:${port}`, {
      transports: ["websocket"],
      autoConnect: false,
      reconnectionDelay: 1,
      reconnectionDelayMax: 2,
    });
    return {
      io,
      client,
      [Symbol.asyncDispose]: async () => {
        client.disconnect();
        await io.close();
      },
    };
  }

  it("is refused once somebody asks at connect, with the reason and the way out", async () => {
    await using app = await recovering();
    const ingress = new SocketIngress({ logger: recordingLog() });
    ingress.subscribe("connect", () => true);
    expect(() => ingress.attach(app.io)).toThrow(/before they can be asked.*recovery: "askAgain"/);
    expect(ingress.io).toBeUndefined();
    const other = new SocketIngress({ logger: recordingLog() }).attach(app.io);
    expect(() => other.subscribe("connect", () => true)).toThrow(/askAgain/);
    expect(other.describe()).toEqual([]);
  });

  for (const skipMiddlewares of [true, false]) {
    it(`a recovered connection is asked again by connect before anything of it runs (skipMiddlewares: ${skipMiddlewares})`, async () => {
      await using app = await recovering({ skipMiddlewares });
      const ingress = new SocketIngress({ logger: recordingLog(), recovery: "askAgain" }).attach(app.io);
      const asked: boolean[] = [];
      let welcome = true;
      ingress.subscribe("connect", async ({ socket }) => {
        asked.push(socket.recovered);
        return welcome;
      });
      const ran = vi.fn(() => "ran");
      ingress.subscribe("x", ran);
      const disconnected = vi.fn();
      await connected(app.client);
      app.io.emit("offset"); // gives the client something to recover from
      expect(await app.client.emitWithAck("x")).toBe("ran");
      const reconnected = new Promise<void>((resolve) => void app.client.once("connect", () => resolve()));
      app.client.io.engine.close();
      await reconnected;
      expect(app.client.recovered).toBe(true);
      expect(await app.client.emitWithAck("x")).toBe("ran");
      expect(asked).toEqual([false, true]);
      welcome = false;
      ingress.subscribe("disconnect", disconnected);
      const gone = new Promise<string>(
        (resolve) =>
          void app.client.on("disconnect", (reason) => {
            if (reason === "io server disconnect") resolve(reason);
          }),
      );
      const refused = new Promise<string>(
        (resolve) => void app.client.once("connect_error", (error) => resolve(error.message)),
      );
      app.client.io.engine.close();
      app.client.emit("x");
      await Promise.race([gone, refused]);
      expect(asked).toEqual([false, true, true]);
      expect(ran).toHaveBeenCalledTimes(2);
    });
  }
});
