import { type Client, createClient } from "socket-ingress/client";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FakeSocket, failure, settled } from "./fixtures/fake-socket.js";
import { recordingLogger, type RecordingLogger } from "./fixtures/recorder.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const AT = "ingress:at";

interface Stage {
  readonly socket: FakeSocket;
  readonly client: Client<any>;
  readonly logger: RecordingLogger;
  readonly got: unknown[];
  readonly gaps: string[];
}

/** A client that is in topics with a history, at `[e, 5]`. */
async function following(...topics: string[]): Promise<Stage> {
  const socket = FakeSocket.connected();
  const logger = recordingLogger();
  const client = createClient<any>(socket, { logger });
  const stage: Stage = { socket, client, logger, got: [], gaps: [] };
  client.on("said", (value) => stage.got.push(value));
  for (const topic of topics) {
    void client.joinTopic(topic, { onGap: () => stage.gaps.push(topic) });
    socket.push(AT, ["e", 5], [topic], []);
    socket.takeOne().reply({});
    await settled();
  }
  return stage;
}

async function answer({ socket }: Stage, value: unknown = {}): Promise<unknown[]> {
  const { args, reply } = socket.takeOne();
  reply(value);
  await settled();
  return args;
}

describe("a client that reads positions", () => {
  it("says the last push it had, for all of its topics by one call", async () => {
    const stage = await following("a", "b");
    stage.socket.push(AT, 8, "said", 1);
    stage.socket.push(AT, 9, "said", 2);
    stage.socket.drop();
    stage.socket.connect();
    expect(await answer(stage, { answers: [{}, {}] })).toEqual([
      ["a", "b"],
      ["e", 9],
    ]);
    expect(stage.got).toEqual([1, 2]);
  });

  it("joins a new topic as a new one, and one it is in from where it is", async () => {
    const stage = await following("a");
    void stage.client.joinTopic("b");
    stage.socket.push(AT, 7, "said", 1);
    expect(await answer(stage)).toEqual(["b", true]);
    void stage.client.joinTopic("a", { onJoined: () => {} });
    expect(await answer(stage)).toEqual(["a", ["e", 7]]);
    expect(stage.gaps).toEqual([]);
  });

  it("keeps the position at which a topic was lost that is refused for the moment", async () => {
    const stage = await following("a", "b");
    stage.socket.drop();
    stage.socket.connect();
    stage.socket.push(AT, ["e", 9], ["b"], []);
    await answer(stage, { answers: [failure("OVERLOADED", { retryAfterMs: 100 }), {}] });
    stage.socket.push(AT, 10, "said", "of both");
    stage.socket.push(AT, 11, "said", "of b");
    await vi.advanceTimersByTimeAsync(100);
    // The server knows only this connection, and may give again what came by another topic.
    for (const [n, value] of [
      [6, "of a"],
      [10, "of both"],
    ])
      stage.socket.push(AT, n, "said", value);
    stage.socket.push(AT, ["e", 11], ["a"], []);
    expect(await answer(stage)).toEqual(["a", ["e", 5]]);
    expect(stage.got).toEqual(["of both", "of b", "of a"]);
    // Nothing waits any more, and the position is the latest.
    stage.socket.drop();
    stage.socket.connect();
    expect((await answer(stage, { answers: [{}, {}] }))[1]).toEqual(["e", 11]);
  });

  it("drops what a replay that was cut off had brought already", async () => {
    const stage = await following("a");
    stage.socket.drop();
    stage.socket.connect();
    stage.socket.push(AT, 6, "said", 6);
    stage.socket.push(AT, 7, "said", 7);
    stage.socket.drop();
    stage.socket.connect();
    for (const n of [6, 7, 8]) stage.socket.push(AT, n, "said", n);
    stage.socket.push(AT, ["e", 8], ["a"], []);
    const joins = stage.socket.take();
    expect(joins.map(({ args }) => args[1])).toEqual([
      ["e", 5],
      ["e", 5],
    ]);
    joins.at(-1)?.reply({});
    await settled();
    expect([stage.got, stage.gaps]).toEqual([[6, 7, 8], []]);
  });

  it("takes an eviction for a reason that passes for lost at its position", async () => {
    vi.spyOn(Math, "random").mockReturnValue(1);
    const stage = await following("a", "b");
    stage.socket.push(AT, 9, "said", 1);
    stage.socket.push("ingress:evicted", { topic: "a", code: "OVERLOADED", message: "", at: ["e", 7] });
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await answer(stage)).toEqual(["a", ["e", 7]]);
  });

  it("rejoins with its position when the server has lost its place, and refetches only if something is missing", async () => {
    const stage = await following("a", "b");
    const fetched = vi.fn<() => void>();
    stage.client.refetchOnSocket("said", fetched);
    for (const gaps of [[], ["b"]]) {
      stage.socket.push("ingress:gap");
      stage.socket.push(AT, ["e", 6], ["a", "b"], gaps);
      expect(await answer(stage, { answers: [{}, {}] })).toEqual([
        ["a", "b"],
        ["e", gaps.length > 0 ? 6 : 5],
      ]);
      expect([stage.gaps, fetched.mock.calls.length]).toEqual([gaps, gaps.length]);
    }
  });

  it("runs the refetches once when a gap is told that nobody asked for: a review after a login", async () => {
    const stage = await following("a", "b");
    const fetched = vi.fn<() => void>();
    stage.client.refetchOnSocket("said", fetched);
    stage.socket.push(AT, ["e", 9], ["a", "b"], ["a", "b"]);
    await vi.advanceTimersByTimeAsync(1_000);
    expect([stage.gaps, fetched.mock.calls.length]).toEqual([["a", "b"], 1]);
  });

  it("takes nothing that a recovery brings back for its position, and joins again when the server says so", async () => {
    const stage = await following("a");
    const { socket } = stage;
    for (const _twice of [1, 2]) {
      socket.drop();
      socket.push(AT, 8, "said", "brought back");
      socket.connect({ recovered: true });
      socket.push(AT, ["e", 9], ["a"], []);
      socket.push(AT, 10, "said", "brought back");
      expect([socket.take(), stage.got]).toEqual([[], []]);
    }
    socket.push("ingress:gap", () => {});
    for (const n of [6, 8, 10]) socket.push(AT, n, "said", n);
    socket.push(AT, ["e", 10], ["a"], []);
    expect(await answer(stage)).toEqual(["a", ["e", 5]]);
    expect([stage.got, stage.gaps]).toEqual([[6, 8, 10], []]);
  });

  it("hears a connection that was recovered before the server knew that it reads positions", async () => {
    const socket = FakeSocket.connected();
    const stage: Stage = { socket, client: createClient<any>(socket), logger: recordingLogger(), got: [], gaps: [] };
    stage.client.on("said", (value) => stage.got.push(value));
    void stage.client.joinTopic("a");
    socket.take();
    socket.drop();
    socket.connect({ recovered: true });
    socket.push(AT, ["e", 5], ["a"], []);
    expect(await answer(stage)).toEqual(["a", true]);
    socket.push(AT, 6, "said", 6);
    expect(stage.got).toEqual([6]);
  });

  it("whose join is still thought about when the server loses its place asks again behind the answer", async () => {
    const stage = await following("a");
    void stage.client.joinTopic("b");
    stage.socket.push(AT, ["e", 6], ["b"], []);
    stage.socket.push("ingress:gap");
    const [join, again] = stage.socket.take();
    expect([join?.args, again?.args]).toEqual([
      ["b", true],
      ["a", ["e", 6]],
    ]);
    join?.reply({});
    await settled();
    expect(await answer(stage)).toEqual(["b", ["e", 6]]);
  });

  it("follows another epoch, and one that is behind, once none of its topics is in", async () => {
    const stage = await following("a");
    for (const at of [
      ["f", 2],
      ["f", 1],
    ]) {
      stage.socket.drop();
      stage.socket.connect();
      stage.socket.push(AT, at, ["a"], ["a"]);
      await answer(stage);
      stage.socket.drop();
      stage.socket.connect();
      stage.socket.push(AT, at, ["a"], []);
      expect((await answer(stage))[1]).toEqual(at);
    }
    expect(stage.gaps).toEqual(["a", "a"]);
  });

  it("that left a topic joins it as a new one", async () => {
    const stage = await following();
    const { socket, client } = stage;
    const join = client.joinTopic("a");
    socket.push(AT, ["e", 5], ["a"], []);
    await answer(stage);
    (await join)();
    await settled();
    await answer(stage);
    void client.joinTopic("a");
    expect(await answer(stage)).toEqual(["a", true]);
  });

  it("hands on what is inside a frame: refetches and notices, to whoever listens", async () => {
    const stage = await following("a");
    const noticed: unknown[] = [];
    stage.client.onCustomEvent("note", (data) => noticed.push(data));
    stage.client.refetchOnSocket("changed", "get_items", () => {});
    stage.socket.push(AT, 6, "ingress:notify", { event: "note", data: 1 });
    stage.socket.push(AT, 7, "ingress:refetch", { action: "get_items" });
    expect([noticed, stage.socket.frames()]).toEqual([[1], ["get_items"]]);
  });

  it("remembers a bounded number of pushes for a topic that waits, and then says that it has lost its place", async () => {
    const stage = await following("a", "b");
    stage.socket.drop();
    stage.socket.connect();
    stage.socket.push(AT, ["e", 9], ["b"], []);
    await answer(stage, { answers: [failure("OVERLOADED", { retryAfterMs: 100 }), {}] });
    for (let n = 10; n <= 10_010; n++) stage.socket.push(AT, n, "said", n);
    await vi.advanceTimersByTimeAsync(100);
    expect(await answer(stage)).toEqual(["a", ["", 0]]);
  });

  it.each([
    [[]],
    [[1]],
    [[1, 2]],
    [["x"]],
    [[["e", 1], "a", []]],
    [[["e", 1], ["a"]]],
    [[["e"], ["a"], []]],
    [[["e", 1], [1], []]],
  ])("ignores a malformed frame with one warning: %j", async (frame) => {
    const stage = await following("a");
    stage.socket.push(AT, ...frame);
    expect(stage.logger.lines).toEqual([expect.stringContaining('the server sent a malformed "ingress:at"')]);
  });
});
