import { EventError, ServiceManager } from "socket-ingress";
import { type Client, type ConnectionStatus, createClient, type EventFailure } from "socket-ingress/client";
import { Realtime, user } from "socket-ingress/realtime";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { recordingLog } from "../fixtures/recording-log.js";
import { serve } from "../fixtures/serve.js";
import { FakeSocket, failure, settled } from "./fixtures/fake-socket.js";
import { recordingLogger } from "./fixtures/recorder.js";
import { rejection } from "./fixtures/rejection.js";

/** What was told, in short. */
function told(client: Client): { statuses: ConnectionStatus[]; ends: unknown[] } {
  const seen = { statuses: [] as ConnectionStatus[], ends: [] as unknown[] };
  client.onStatus((status) => seen.statuses.push(status));
  client.onEnded(({ code, message, retryAfterMs }) => seen.ends.push({ code, message, retryAfterMs }));
  return seen;
}

const refusal = (message: string, data?: unknown): Error => Object.assign(new Error(message), { data });

describe("the status of a connection", () => {
  it("is told at once and with each change, with the reason and whether it comes back", () => {
    const socket = new FakeSocket();
    const client = createClient(socket);
    const { statuses, ends } = told(client);
    expect(client.status).toBe(statuses[0]);
    socket.connect();
    expect(client.status).toBe(client.status);
    socket.drop();
    socket.push("connect_error", refusal("websocket error"));
    socket.push("connect_error", refusal("websocket error"));
    socket.connect();
    expect(statuses).toEqual([
      { connected: false, reason: undefined, willRetry: true },
      { connected: true, reason: undefined, willRetry: false },
      { connected: false, reason: "transport close", willRetry: true },
      { connected: false, reason: "websocket error", willRetry: true },
      { connected: true, reason: undefined, willRetry: false },
    ]);
    expect(ends).toEqual([]);
  });

  it("is the same object until it changes, also where nobody is told of the change", () => {
    const socket = new FakeSocket();
    socket.active = false;
    const client = createClient(socket);
    const before = client.status;
    expect(before).toEqual({ connected: false, reason: undefined, willRetry: false });
    expect(client.status).toBe(before);
    socket.active = true;
    expect(client.status).toEqual({ connected: false, reason: undefined, willRetry: true });
  });

  it("is not told any more once undone, nor once the client is closed", () => {
    const socket = FakeSocket.connected();
    const client = createClient(socket);
    const [undone, closed] = [vi.fn<() => void>(), vi.fn<() => void>()];
    client.onStatus(undone)();
    client.onStatus(closed);
    client.close();
    socket.drop();
    expect([undone.mock.calls.length, closed.mock.calls.length]).toEqual([1, 1]);
  });

  it("knows that a socket that does not reconnect will not, and keeps its topics for when it is told to", async () => {
    await using app = await serve();
    const realtime = new Realtime();
    realtime.topics.define("t", { public: true });
    await realtime.setup(app.io);
    const socket = app.client({ reconnection: false });
    const client = createClient(socket);
    const { statuses, ends } = told(client);
    socket.connect();
    await client.joinTopic("t");
    const down = new Promise((resolve) => void socket.once("disconnect", resolve));
    socket.io.engine.close();
    await down;
    expect(statuses.at(-1)).toEqual({ connected: false, reason: "forced close", willRetry: false });
    const rejoined = new Promise((resolve) => void client.onReconnect(resolve));
    socket.connect();
    await rejoined;
    await vi.waitFor(async () => expect((await realtime.count({ topic: "t" })).sockets).toBe(1));
    expect(ends).toEqual([]);
  });
});

describe("a connection that the server ends", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  /** A client whose topic is joined, and one whose join waits. */
  async function joined(): Promise<{ socket: FakeSocket; client: Client; onLost: (failure: EventFailure) => void }> {
    const socket = FakeSocket.connected();
    const client: Client = createClient(socket, { logger: recordingLogger() });
    const onLost = vi.fn<(failure: EventFailure) => void>();
    void client.joinTopic("in", { onLost });
    socket.takeOne().reply({});
    await settled();
    return { socket, client, onLost };
  }

  it("for good has its topics lost, its joins rejected, and says why", async () => {
    const { socket, client, onLost } = await joined();
    const { statuses, ends } = told(client);
    const waiting = rejection(client.joinTopic("waiting"));
    socket.take();
    socket.push("ingress:ended", { code: "UNAUTHENTICATED", message: "signed out" });
    socket.drop("io server disconnect");
    expect(statuses.at(-1)).toEqual({ connected: false, reason: "io server disconnect", willRetry: false });
    expect(ends).toEqual([{ code: "UNAUTHENTICATED", message: "signed out", retryAfterMs: undefined }]);
    expect(onLost).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ code: "UNAUTHENTICATED" }));
    expect(await waiting).toMatchObject({ code: "UNAUTHENTICATED", message: "signed out", answered: true });
    expect((await rejection(client.joinTopic("later"))).code).toBe("UNAUTHENTICATED");
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect([socket.connections, vi.getTimerCount()]).toEqual([1, 0]);
    // Somebody signs in again.
    socket.active = true;
    const after = client.joinTopic("after");
    socket.connect();
    expect(socket.frames()).toEqual(['ingress:join "after" true']);
    after.leave();
  });

  it("without a word is DISCONNECTED, and for good", async () => {
    const { socket, client, onLost } = await joined();
    const { ends } = told(client);
    socket.drop("io server disconnect");
    expect(ends).toMatchObject([{ code: "DISCONNECTED" }]);
    expect(onLost).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ code: "DISCONNECTED" }));
  });

  it("and says when to come back is made again then, with its topics", async () => {
    const { socket, client, onLost } = await joined();
    const { statuses, ends } = told(client);
    socket.push("ingress:ended", { code: "OVERLOADED", message: "elsewhere", retryAfterMs: 5_000 });
    socket.drop("io server disconnect");
    expect(ends).toEqual([{ code: "OVERLOADED", message: "elsewhere", retryAfterMs: 5_000 }]);
    expect(statuses.at(-1)).toEqual({ connected: false, reason: "io server disconnect", willRetry: true });
    const waiting = client.joinTopic("waiting");
    await vi.advanceTimersByTimeAsync(4_999);
    expect(socket.connected).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(socket.connected).toBe(true);
    socket.takeOne().reply({ answers: [{}, {}] });
    await waiting;
    expect(onLost).not.toHaveBeenCalled();
  });

  it("that comes back by itself all the same loses nothing", async () => {
    const { socket, client, onLost } = await joined();
    const { ends } = told(client);
    socket.push("ingress:ended", { code: "UNAUTHENTICATED", message: "signed out" });
    socket.drop("transport close");
    expect(ends).toMatchObject([{ code: "UNAUTHENTICATED" }]);
    socket.connect();
    expect(socket.frames()).toEqual(['ingress:join "in" true']);
    expect(onLost).not.toHaveBeenCalled();
  });

  it("by the client's own hand is no end: topics wait for the next one", async () => {
    const { socket, client, onLost } = await joined();
    const { statuses, ends } = told(client);
    const waiting = client.joinTopic("waiting");
    socket.take();
    socket.drop("io client disconnect");
    expect(statuses.at(-1)).toEqual({ connected: false, reason: "io client disconnect", willRetry: false });
    socket.connect();
    socket.takeOne().reply({ answers: [{}, {}] });
    await waiting;
    expect(ends).toEqual([]);
    expect(onLost).not.toHaveBeenCalled();
  });

  it("before it has lasted is made again later each time, whatever the server says", async () => {
    const { socket } = await joined();
    for (let n = 0; n < 30; n++) {
      socket.push("ingress:ended", { code: "OVERLOADED", message: "", retryAfterMs: 0.001 });
      socket.drop("io server disconnect");
      await vi.advanceTimersByTimeAsync(Math.min(1_000, 50 * 2 ** n) - 1);
      expect(socket.connected).toBe(false);
      await vi.advanceTimersByTimeAsync(1);
      expect(socket.connected).toBe(true);
    }
  });

  it("once the client is closed is not made again", async () => {
    const { socket, client } = await joined();
    socket.push("ingress:ended", { code: "OVERLOADED", message: "", retryAfterMs: 50 });
    socket.drop("io server disconnect");
    client.close();
    await vi.advanceTimersByTimeAsync(100);
    expect([socket.connections, vi.getTimerCount()]).toEqual([1, 0]);
  });
});

describe("a connection that the server refuses", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it.each([
    ["a failure of ours", { code: "FORBIDDEN", message: "no entry" }, "FORBIDDEN"],
    ["a failure as a whole", failure("FORBIDDEN"), "FORBIDDEN"],
    ["an error of middleware", undefined, "DISCONNECTED"],
  ])("with %s rejects the joins that wait, tells, and is not tried again", async (_, data, code) => {
    const socket = new FakeSocket();
    const client: Client = createClient(socket);
    const { statuses, ends } = told(client);
    const join = rejection(client.joinTopic("t"));
    socket.active = false;
    socket.push("connect_error", refusal("no entry", data));
    expect(await join).toMatchObject({ code });
    expect(ends).toMatchObject([{ code }]);
    expect(statuses.at(-1)).toEqual({ connected: false, reason: "no entry", willRetry: false });
    expect([socket.connections, vi.getTimerCount()]).toEqual([0, 0]);
  });

  it.each([
    ["says when", { code: "FULL", message: "", details: { retryAfterMs: 2_000 } }, 2_000],
    ["passes", { code: "SHUTTING_DOWN", message: "" }, 1_000],
  ])("for a reason that %s is tried again, and the join goes on waiting", async (_, data, pauseMs) => {
    vi.spyOn(Math, "random").mockReturnValue(1);
    const socket = new FakeSocket();
    const client: Client = createClient(socket);
    const { statuses, ends } = told(client);
    const join = client.joinTopic("t");
    socket.active = false;
    socket.push("connect_error", refusal("not now", data));
    expect(statuses.at(-1)).toEqual({ connected: false, reason: "not now", willRetry: true });
    expect(ends).toMatchObject([{ code: data.code }]);
    await vi.advanceTimersByTimeAsync(pauseMs - 1);
    expect(socket.connected).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    socket.takeOne().reply({});
    await join;
  });
});

describe("over real sockets", () => {
  it("realtime.disconnect tells the client why, and the client comes back when it is told to", async () => {
    await using app = await serve();
    const realtime = new Realtime({ user: () => "ada" });
    realtime.topics.define("t", { public: true });
    await realtime.setup(app.io);
    const socket = app.client({ reconnection: true });
    const client = createClient(socket);
    socket.connect();
    const onLost = vi.fn<(failure: EventFailure) => void>();
    await client.joinTopic("t", { onLost });
    const ended = new Promise<EventFailure>((resolve) => void client.onEnded(resolve));
    const back = new Promise((resolve) => void client.onReconnect(resolve));
    await realtime.disconnect(user("ada"), { code: "OVERLOADED", message: "elsewhere, please", retryAfterMs: 60 });
    expect(await ended).toMatchObject({ code: "OVERLOADED", message: "elsewhere, please", retryAfterMs: 60 });
    await back;
    await vi.waitFor(async () => expect((await realtime.count({ topic: "t" })).sockets).toBe(1));
    const gone = new Promise<EventFailure>((resolve) => void client.onEnded(resolve));
    await realtime.disconnect(user("ada"), { code: "UNAUTHENTICATED", message: "signed out" });
    expect(await gone).toMatchObject({ code: "UNAUTHENTICATED", message: "signed out" });
    expect(onLost).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ code: "UNAUTHENTICATED" }));
    expect((await rejection(client.joinTopic("t"))).code).toBe("UNAUTHENTICATED");
  });

  it("a client that was refused at connect for the moment gets in when it is told to", async () => {
    await using app = await serve();
    const manager = new ServiceManager(app.io, { logger: recordingLog(), closeServer: false });
    let full = true;
    manager.ingress.on("connect", () => {
      if (full) throw new EventError("OVERLOADED", "full", { retryAfterMs: 60 });
    });
    await manager.boot();
    const socket = app.client();
    const client = createClient(socket);
    const { statuses } = told(client);
    const refused = new Promise<EventFailure>((resolve) => void client.onEnded(resolve));
    socket.connect();
    expect(await refused).toMatchObject({ code: "OVERLOADED", retryAfterMs: 60 });
    full = false;
    await new Promise<void>((resolve) => void client.onReady(resolve));
    expect(statuses.map(({ connected, willRetry }) => [connected, willRetry])).toEqual([
      [false, false],
      [false, true],
      [true, false],
    ]);
    await manager.shutdown({ graceMs: 0 });
  });

  it("a kick rejects what waits, and attempts that are used up do, too", async () => {
    await using app = await serve();
    const socket = await app.connect({ reconnection: true, reconnectionAttempts: 1, reconnectionDelay: 1 });
    const client = createClient(socket);
    const kicked = rejection(client.joinTopic("t"));
    app.serverSide(socket).disconnect();
    expect(await kicked).toMatchObject({ code: "DISCONNECTED" });
    const back = new Promise<void>((resolve) => void socket.once("connect", resolve));
    socket.connect();
    await back;
    const { ends, statuses } = told(client);
    const exhausted = rejection(client.joinTopic("t"));
    await app.io.close();
    expect(await exhausted).toMatchObject({ code: "DISCONNECTED" });
    expect(ends).toMatchObject([{ code: "DISCONNECTED", message: "no connection could be made" }]);
    expect(statuses.at(-1)).toMatchObject({ connected: false, willRetry: false });
  });
});

it("tells of a connection also if somebody has asked for the status in that moment", () => {
  const socket = new FakeSocket();
  const asking: { client?: Client } = {};
  // From before the client, and so called before it.
  socket.on("connect", () => void asking.client?.status);
  asking.client = createClient(socket);
  const told: boolean[] = [];
  asking.client.onStatus(({ connected }) => told.push(connected));
  socket.connect();
  expect(told).toEqual([false, true]);
});
