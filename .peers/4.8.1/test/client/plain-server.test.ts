import { setMaxListeners } from "node:events";
import type { Server } from "socket.io";
import { createClient, type EventFailure } from "socket-ingress/client";
import { describe, expect, it, vi } from "vitest";
import { serve } from "../fixtures/serve.js";
import { deferred } from "./fixtures/deferred.js";
import { failure } from "./fixtures/fake-socket.js";
import { recordingLogger } from "./fixtures/recorder.js";
import { rejection } from "./fixtures/rejection.js";
import { unhandledDuring } from "./fixtures/unhandled.js";

interface ClientToServer {
  add(a: number, b: number, reply: (sum: number) => void): void;
  refuse(reply: (failure: unknown) => void): void;
  hang(reply: () => void): void;
  echo(value: unknown, reply: (value: unknown) => void): void;
  get_items(reply: (n: number) => void): void;
}
interface ServerToClient {
  items_changed(change: { n: number }): void;
  poll(question: string, reply: (answer: string) => void): void;
}
type App = Server<ClientToServer, ServerToClient>;

/** A Socket.IO server without anything of ours. */
function listen(io: App): void {
  let asked = 0;
  io.on("connection", (socket) => {
    socket.on("add", (a, b, reply) => reply(a + b));
    socket.on("refuse", (reply) => reply(failure("CONFLICT", { retryAfterMs: 20 })));
    socket.on("hang", () => {});
    socket.on("echo", (value, reply) => reply(value));
    socket.on("get_items", (reply) => reply(++asked));
  });
}

const fast = { reconnection: true, reconnectionDelay: 1, reconnectionDelayMax: 5, randomizationFactor: 0 };

describe("on a plain Socket.IO server", () => {
  it("calls resolve to what was acknowledged, and a failure is thrown with its code", async () => {
    await using app = await serve<App>(listen);
    const client = createClient<App>(await app.connect());
    await expect(client.call("add", 1, 2)).resolves.toBe(3);
    await expect(client.call("echo", { bytes: Buffer.from("x") })).resolves.toMatchObject({ bytes: Buffer.from("x") });
    expect(await rejection(client.call("refuse"))).toMatchObject({ code: "CONFLICT", retryAfterMs: 20 });
  });

  it.each([
    ["an acknowledgement timeout", { ackTimeout: 5_000 }],
    ["retries of its own", { retries: 2, ackTimeout: 5_000 }],
  ])("a socket with %s gives the same values", async (_, options) => {
    await using app = await serve<App>(listen);
    const client = createClient<App>(await app.connect(options));
    await expect(client.call("add", 1, 2)).resolves.toBe(3);
    expect((await rejection(client.call("refuse"))).code).toBe("CONFLICT");
  });

  it("a call made before the connection is answered once there is one", async () => {
    await using app = await serve<App>(listen);
    const socket = app.client();
    const client = createClient<App>(socket);
    const ready = vi.fn<() => void>();
    client.onReady(ready);
    const sum = client.call("add", 1, 2);
    socket.connect();
    await expect(sum).resolves.toBe(3);
    expect(ready).toHaveBeenCalledOnce();
  });

  it("a call that is pending rejects when the connection drops", async () => {
    await using app = await serve<App>(listen);
    const socket = await app.connect();
    const client = createClient<App>(socket);
    const hung = rejection(client.call("hang"));
    await client.call("add", 1, 1);
    app.serverSide(socket).disconnect(true);
    expect((await hung).code).toBe("DISCONNECTED");
  });

  it("a call that is not answered times out, and Socket.IO keeps nothing of a value that can't be encoded", async () => {
    await using app = await serve<App>(listen);
    const client = createClient<App>(await app.connect(), { timeoutMs: 20 });
    expect((await rejection(client.call("hang"))).code).toBe("TIMEOUT");
    const circular: Record<string, unknown> = {};
    circular["self"] = circular;
    await expect(client.call("echo", circular)).rejects.toThrow(RangeError);
    await expect(client.call("add", 1, 2)).resolves.toBe(3);
  });

  it.each([[Infinity], [10_000]])("calls that were given up leave no timer (timeoutMs: %d)", async (timeoutMs) => {
    await using app = await serve<App>(listen);
    const client = createClient<App>(await app.connect());
    const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
    const before = timers();
    const controller = new AbortController();
    setMaxListeners(0, controller.signal);
    const calls = Array.from({ length: 100 }, () =>
      rejection(client.with({ timeoutMs, signal: controller.signal }).call("hang")),
    );
    controller.abort();
    expect(new Set((await Promise.all(calls)).map(({ code }) => code))).toEqual(new Set(["ABORTED"]));
    // Socket.IO has timers of its own, one or two a connection.
    expect(timers() - before).toBeLessThan(10);
    await expect(client.call("add", 1, 2)).resolves.toBe(3);
  });

  it("a socket whose acknowledgements have a time limit ends a call there, with a code", async () => {
    await using app = await serve<App>(listen);
    const client = createClient<App>(await app.connect({ ackTimeout: 20 }));
    expect(await rejection(client.call("hang"))).toMatchObject({ code: "TIMEOUT", answered: false });
  });

  it("a refused connection rejects what waits with the code the middleware gave", async () => {
    await using app = await serve<App>((io) => {
      io.use((_, next) => next(Object.assign(new Error("please log in"), { data: { code: "UNAUTHENTICATED" } })));
    });
    const socket = app.client();
    const call = rejection(createClient<App>(socket).call("add", 1, 2));
    socket.connect();
    expect(await call).toMatchObject({ code: "UNAUTHENTICATED", message: "please log in" });
  });

  it("pushes reach listeners, with their acknowledgement", async () => {
    await using app = await serve<App>(listen);
    const socket = await app.connect();
    createClient<App>(socket).on("poll", (question, reply) => reply(`${question}: yes`));
    await expect(app.serverSide(socket).emitWithAck("poll", "well")).resolves.toBe("well: yes");
  });

  it("fifty signals cost two calls, and the last state is fresh", async () => {
    await using app = await serve<App>(listen);
    const socket = await app.connect();
    const client = createClient<App>(socket);
    const seen: number[] = [];
    const done = deferred();
    client.refetchOnSocket("items_changed", "get_items", (n) => {
      seen.push(n);
      if (n === 2) done.resolve();
    });
    for (let n = 0; n < 50; n++) app.io.emit("items_changed", { n });
    await done.promise;
    // Whatever else was asked would be answered before this.
    await client.call("add", 1, 1);
    expect(seen).toEqual([1, 2]);
  });

  it("a reconnect fetches each subscription once, and tells onReconnect; a recovered one only tells", async () => {
    await using app = await serve<App>(listen, { connectionStateRecovery: {} });
    const socket = await app.connect(fast);
    const client = createClient<App>(socket);
    const seen: number[] = [];
    client.refetchOnSocket("items_changed", "get_items", (n) => seen.push(n));
    const reconnect = (how: "gone" | "dropped"): Promise<{ recovered: boolean }> =>
      new Promise((resolve) => {
        const off = client.onReconnect((info) => {
          off();
          resolve(info);
        });
        if (how === "dropped") socket.io.engine.close();
        else {
          socket.once("disconnect", () => socket.connect());
          // Of the ways to lose a connection only this one is never recovered.
          app.serverSide(socket).disconnect();
        }
      });
    const signalled = new Promise((resolve) => client.on("items_changed", resolve));
    app.io.emit("items_changed", { n: 1 });
    await signalled;
    await client.call("add", 1, 1);
    expect(seen).toEqual([1]);
    expect(await reconnect("gone")).toEqual({ recovered: false });
    await client.call("add", 1, 1);
    expect(seen).toEqual([1, 2]);
    expect(await reconnect("dropped")).toEqual({ recovered: true });
    await client.call("add", 1, 1);
    expect(seen).toEqual([1, 2]);
  });

  it.each(["ingress:notify", "ingress:refetch", "ingress:presence", "ingress:evicted"])(
    "a server that sends nonsense as %s ends no process",
    async (event) => {
      await using app = await serve(listen as (io: Server) => void);
      const socket = await app.connect();
      const logger = recordingLogger();
      createClient(socket, { logger });
      const arrived = deferred();
      socket.on("last", () => arrived.resolve());
      const unhandled = await unhandledDuring(async () => {
        const side = app.serverSide(socket);
        side.emit(event);
        for (const frame of [null, 5, { topic: "t", joined: [null] }]) side.emit(event, frame);
        side.emit("last");
        await arrived.promise;
      });
      expect(unhandled).toEqual([]);
      expect(logger.lines.filter((line) => line.startsWith("warn: "))).toHaveLength(4);
    },
  );

  it("a topic can't be joined, and that takes no longer than a call", async () => {
    await using app = await serve<App>(listen);
    const logger = recordingLogger();
    const client = createClient<App>(await app.connect(), { timeoutMs: 20, logger });
    const error: EventFailure = await rejection(client.joinTopic("room:42"));
    expect(error.code).toBe("TIMEOUT");
    client.close();
  });
});
