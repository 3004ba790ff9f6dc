import type { Server } from "socket.io";
import { EventError, ServiceManager } from "socket-ingress";
import { type Client, createClient, type EventFailure, type JoinedTopic } from "socket-ingress/client";
import { Realtime, user } from "socket-ingress/realtime";
import { type FakeServer, fakeServer, type FakeSocket } from "socket-ingress/testing";
import { describe, expect, it, vi } from "vitest";
import { deferred } from "../client/fixtures/deferred.js";
import { recordingLogger } from "../client/fixtures/recorder.js";
import { rejection } from "../client/fixtures/rejection.js";
import { recordingLog } from "../fixtures/recording-log.js";

interface ClientToServer {
  add(a: number, b: number | undefined, reply: (sum: number) => void): void;
  count(reply: (counted: number) => void): void;
  typing(where: string): void;
}
interface ServerToClient {
  said(text: string): void;
}
type App = Server<ClientToServer, ServerToClient, Record<string, never>, { user?: string }>;

interface Stage extends AsyncDisposable {
  readonly io: FakeServer<App>;
  readonly realtime: Realtime<App>;
  readonly manager: ServiceManager<App>;
  readonly heard: string[];
  enter(who: string): Promise<{ socket: FakeSocket<App>; client: Client<App> }>;
}

async function stage(): Promise<Stage> {
  const io = fakeServer<App>();
  const realtime = new Realtime<App>({ user: ({ data }) => data.user });
  realtime.topics.define("room:{id}", {
    join({ user: who }) {
      if (who !== "ada") throw new EventError("FORBIDDEN", "only for ada");
    },
    snapshot: () => "the room",
    presence: true,
  });
  realtime.topics.define("log", { public: true, history: { keep: 10, maxAgeMs: 60_000 } });
  const manager = new ServiceManager<App>(io, { logger: recordingLog(), closeServer: false });
  const heard: string[] = [];
  let counted = 0;
  manager.registerHandler(realtime);
  manager.ingress
    .on("add", (_, a, b = 10) => a + b)
    .on("count", () => ++counted)
    .on("typing", (_, where) => void heard.push(where));
  await manager.boot();
  return {
    io,
    realtime,
    manager,
    heard,
    async enter(who) {
      const socket = await io.connect({ data: { user: who } });
      return { socket, client: createClient<App>(socket, { logger: recordingLogger() }) };
    },
    [Symbol.asyncDispose]: () => manager.shutdown({ graceMs: 0 }).then(() => {}),
  };
}

describe("a fake client, through the typed client", () => {
  it("calls, sends, and hears pushes", async () => {
    await using s = await stage();
    const { client } = await s.enter("ada");
    const said = new Promise((resolve) => void client.on("said", resolve));
    expect(await client.call("add", 1, 2)).toBe(3);
    client.send("typing", "room:1");
    expect(await client.with({ retries: 2 }).call("count")).toBe(1);
    expect(s.heard).toEqual(["room:1"]);
    await s.realtime.emitSocket("said", "hello", user("ada"));
    expect(await said).toBe("hello");
    expect((await rejection(client.call("nobody" as "count"))).code).toBe("UNKNOWN_EVENT");
  });

  it("joins topics, hears what is pushed to them and who is there, and is refused with the policy's code", async () => {
    await using s = await stage();
    const ada = await s.enter("ada");
    const bob = await s.enter("bob");
    const onJoined = vi.fn<(joined: JoinedTopic) => void>();
    const said = vi.fn<(text: string) => void>();
    ada.client.on("said", said);
    const leave = await ada.client.joinTopic("room:1", { onJoined });
    expect(onJoined.mock.calls).toEqual([[{ snapshot: "the room", rejoined: false, recovered: false }]]);
    expect(ada.client.presence("room:1")).toEqual([{ user: "ada" }]);
    expect((await rejection(bob.client.joinTopic("room:1"))).code).toBe("FORBIDDEN");
    await s.realtime.emitSocket("said", "hello", { topic: "room:1" });
    expect(await ada.client.call("count")).toBe(1);
    expect(said.mock.calls).toEqual([["hello"]]);
    leave();
    expect(await ada.client.call("count")).toBe(2);
    expect((await s.realtime.count({ topic: "room:1" })).sockets).toBe(0);
  });

  it("misses nothing of a topic with history while its transport is dropped", async () => {
    await using s = await stage();
    const { client, socket } = await s.enter("ada");
    const said: unknown[] = [];
    const raw: unknown[] = [];
    client.on("said", (text) => said.push(text));
    socket.on("said", (text) => raw.push(text));
    const rejoined = deferred<JoinedTopic>();
    await client.joinTopic("log", { onJoined: (joined) => joined.rejoined && rejoined.resolve(joined) });
    await s.realtime.emitSocket("said", "before", { topic: "log" });
    const gone = new Promise((resolve) => void socket.on("disconnect", resolve));
    socket.dropTransport();
    await gone;
    expect(client.status).toEqual({ connected: false, reason: "transport close", willRetry: true });
    await s.realtime.emitSocket("said", "meanwhile", { topic: "log" });
    await socket.reconnect();
    expect(await rejoined.promise).toEqual({ snapshot: undefined, rejoined: true, recovered: true });
    expect([said, raw]).toEqual([
      ["before", "meanwhile"],
      ["before", "meanwhile"],
    ]);
  });

  it("is told why the server ended it, and comes back by itself when it was told to", async () => {
    await using s = await stage();
    const { client } = await s.enter("ada");
    const ended = new Promise<EventFailure>((resolve) => void client.onEnded(resolve));
    const back = new Promise((resolve) => void client.onReconnect(resolve));
    await s.realtime.disconnect(user("ada"), { code: "OVERLOADED", message: "later", retryAfterMs: 60 });
    expect(await ended).toMatchObject({ code: "OVERLOADED", retryAfterMs: 60 });
    expect(client.status).toMatchObject({ connected: false, willRetry: true });
    await back;
    expect(await client.call("count")).toBe(1);
  });

  it("is told that it was refused when it comes back", async () => {
    await using s = await stage();
    const { client, socket } = await s.enter("ada");
    s.manager.ingress.on("connect", () => {
      throw new EventError("UNAUTHENTICATED", "sign in");
    });
    socket.dropTransport();
    const join = rejection(client.joinTopic("room:1"));
    expect(socket.active).toBe(true);
    socket.connect();
    expect(await join).toMatchObject({ code: "UNAUTHENTICATED" });
    expect(client.status).toEqual({ connected: false, reason: "sign in", willRetry: false });
    expect(socket.active).toBe(false);
  });
});

describe("a fake socket", () => {
  it("takes names of ours as they are, and no misspelled one of the application's", async () => {
    await using s = await stage();
    const { socket } = await s.enter("ada");
    expect(await socket.receive("ingress:join", "room:1")).toMatchObject({ snapshot: "the room" });
    // @ts-expect-error -- there is no such event
    expect(await socket.receive("cuont")).toMatchObject({ error: { code: "UNKNOWN_EVENT" } });
    // @ts-expect-error -- a number is wanted
    await socket.receive("add", "1");
  });

  it("sends no undefined at the end, one in the middle as null", async () => {
    await using s = await stage();
    const { socket, client } = await s.enter("ada");
    const got: unknown[][] = [];
    socket.server.onAny((...args: unknown[]) => got.push(args.filter((arg) => typeof arg !== "function")));
    expect(await socket.receive("add", 1, undefined)).toBe(11);
    expect(await client.call("add", 2, undefined)).toBe(12);
    socket.emit("typing", undefined as never);
    client.send("typing", undefined as never);
    client.send("typing", undefined as never, { volatile: true });
    await client.with({ retries: 1 }).call("add", 3, undefined);
    await client.invoke("add", undefined as never, 4);
    expect(got.filter(([event]) => event !== "ingress:request")).toEqual([
      ["add", 1],
      ["add", 2],
      ["typing"],
      ["typing"],
      ["typing"],
      ["add", 3],
      ["add", null, 4],
    ]);
  });

  it("listens until off: one listener, those of an event, or all", async () => {
    await using s = await stage();
    const { socket } = await s.enter("ada");
    const heard: string[] = [];
    const [first, second] = [() => heard.push("first"), () => heard.push("second")];
    socket.on("said", first);
    socket.on("said", first);
    socket.on("said", second);
    const tell = async (): Promise<string[]> => {
      heard.length = 0;
      socket.server.emit("said", "x");
      await socket.next("said");
      return [...heard];
    };
    expect(await tell()).toEqual(["first", "first", "second"]);
    socket.off("said", first);
    expect(await tell()).toEqual(["first", "second"]);
    socket.off("said");
    expect([await tell(), socket.listeners("said")]).toEqual([[], []]);
    socket.on("said", second);
    socket.off();
    expect(await tell()).toEqual([]);
  });
});
