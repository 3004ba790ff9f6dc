import type { Server } from "socket.io";
import { createClient, type JoinedTopic } from "socket-ingress/client";
import { Realtime } from "socket-ingress/realtime";
import { describe, expect, it, vi } from "vitest";
import { serve, type Served } from "../fixtures/serve.js";
import { recordingLogger } from "./fixtures/recorder.js";

interface ServerToClient {
  said(n: number): void;
  word(text: string): void;
}
type App = Server<Record<string, never>, ServerToClient>;

const fast = { reconnection: true, reconnectionDelay: 1, reconnectionDelayMax: 5, randomizationFactor: 0 };

/** A server whose topic `t` has a history, and a realtime to push with. */
async function served(
  keep: number,
  options: Parameters<typeof serve>[1] = {},
): Promise<{ app: Served<App>; realtime: Realtime<App> }> {
  const app = await serve<App>(undefined, options);
  const realtime = new Realtime<App>({ user: () => "ada" });
  realtime.topics.define("t", { public: true, history: { keep, maxAgeMs: 60_000 } });
  realtime.topics.define("u", { public: true, history: { keep, maxAgeMs: 60_000 } });
  realtime.topics.define("plain", { public: true });
  await realtime.setup(app.io);
  return { app, realtime };
}

describe.each([
  ["without recovery", {}],
  ["with connection state recovery", { connectionStateRecovery: { maxDisconnectionDuration: 60_000 } }],
])("a topic with history, on a server %s", (_, options) => {
  it("gives a client that is cut off 20 times every push, once and in order", async () => {
    const { app, realtime } = await served(1_000, options);
    await using _app = app;
    const socket = app.client(fast);
    const logger = recordingLogger();
    const client = createClient<App>(socket, { logger });
    const got: unknown[][] = [];
    const onGap = vi.fn<() => void>();
    const joined: JoinedTopic[] = [];
    client.on("said", (...args) => got.push(args));
    socket.connect();
    await client.joinTopic("t", { onGap, onJoined: (how) => joined.push(how) });
    await client.joinTopic("u", { onGap });
    await client.joinTopic("plain");
    let n = 0;
    const push = (): unknown =>
      realtime.emitSocket("said", n++, n % 3 === 0 ? { topics: ["t", "u"] } : { topic: n % 3 === 1 ? "t" : "u" });
    for (let cut = 0; cut < 20; cut++) {
      const back = new Promise((resolve) => void client.onReconnect(resolve));
      const { length } = joined;
      for (let each = 0; each < 10; each++) push();
      socket.io.engine.close();
      for (let each = 0; each < 10; each++) push();
      await back;
      for (let each = 0; each < 10; each++) push();
      // Every other time the next cut comes before the topics are joined again, or in the middle of it.
      if (cut % 2 === 0) await vi.waitFor(() => expect(joined.length).toBeGreaterThan(length));
    }
    await vi.waitFor(() => expect(got.length).toBeGreaterThanOrEqual(n));
    expect(got).toEqual(Array.from({ length: n }, (__, index) => [index]));
    expect(onGap).not.toHaveBeenCalled();
    expect(joined[0]).toEqual({ snapshot: undefined, rejoined: false, recovered: false });
    for (const how of joined.slice(1)) expect(how).toEqual({ snapshot: undefined, rejoined: true, recovered: true });
    expect(joined.length).toBeGreaterThanOrEqual(11);
    expect(logger.lines).toEqual([]);
  });
});

it("says so when its history is too short: onGap, and the refetches run", async () => {
  const { app, realtime } = await served(10);
  await using _app = app;
  const socket = app.client(fast);
  const client = createClient<App>(socket);
  const got: number[] = [];
  client.on("said", (n) => got.push(n));
  const order: string[] = [];
  socket.connect();
  await client.joinTopic("t", {
    onJoined: ({ rejoined, recovered }) => order.push(`joined ${rejoined} ${recovered}`),
    onGap: () => order.push("gap"),
  });
  const fetched = vi.fn<() => void>();
  client.refetchOnSocket("word", fetched);
  void realtime.emitSocket("said", 0, { topic: "t" });
  await vi.waitFor(() => expect(got).toEqual([0]));
  socket.io.reconnection(false).engine.close();
  await vi.waitFor(async () => expect((await realtime.count({ topic: "t" })).sockets).toBe(0));
  for (let n = 1; n <= 11; n++) void realtime.emitSocket("said", n, { topic: "t" });
  socket.connect();
  await vi.waitFor(() => expect(order).toEqual(["joined false false", "joined true false", "gap"]));
  await vi.waitFor(() => expect(fetched).toHaveBeenCalledOnce());
  void realtime.emitSocket("said", 12, { topic: "t" });
  await vi.waitFor(() => expect(got).toEqual([0, 12]));
});

it.each([[{}], [{ connectionStateRecovery: {} }]])(
  "hands listeners what was pushed, no position and nothing beside it (%j)",
  async (options) => {
    const { app, realtime } = await served(10, options);
    await using _app = app;
    const client = createClient<App>(await app.connect());
    const [ours, theirs, signalled] = [vi.fn<() => void>(), vi.fn<() => void>(), vi.fn<() => void>()];
    client.on("word", ours);
    client.socket.on("word", theirs);
    client.refetchOnSocket("word", signalled);
    const noticed = new Promise((resolve) => void client.onCustomEvent("note", resolve));
    await client.joinTopic("t");
    void realtime.emitSocket("word", "hi", { topic: "t" });
    await realtime.sendTo({ topic: "t" }, "noted", { event: "note" });
    expect(await noticed).toBe("noted");
    expect([ours.mock.calls, theirs.mock.calls, signalled.mock.calls.length]).toEqual([[["hi"]], [["hi"]], 1]);
  },
);

it("has listeners of the socket hear pushes of a topic with history as they hear others", async () => {
  const { app, realtime } = await served(10);
  await using _app = app;
  const client = createClient<App>(await app.connect());
  await client.joinTopic("t");
  await client.joinTopic("plain");
  const heard: string[] = [];
  for (const topic of ["plain", "t"]) {
    heard.length = 0;
    client.socket.once("said", (n: number) => heard.push(`once ${n}`));
    const off = client.on("said", (n) => {
      heard.push(`off ${n}`);
      off();
    });
    const behind = client.on("word", (text) => heard.push(text));
    const last = (n: number): unknown => heard.push(`behind ${n}`);
    client.socket.on("said", last);
    void realtime.emitSocket("said", 1, { topic });
    void realtime.emitSocket("said", 2, { topic });
    void realtime.emitSocket("word", "end", { topic });
    await vi.waitFor(() => expect(heard).toContain("end"));
    expect(heard).toEqual(["once 1", "off 1", "behind 1", "behind 2", "end"]);
    client.socket.off("said", last);
    behind();
  }
});
