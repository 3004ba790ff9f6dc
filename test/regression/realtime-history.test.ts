import { describe, expect, it, vi } from "vitest";
import { MemoryTopicLog, type Realtime, topic, user, type TopicLog } from "socket-ingress/realtime";
import { LogFollower } from "../../src/push/log-follower.js";
import type { LoggedEntry, Position } from "../../src/push/topic-log.js";
import { deferred } from "../fixtures/deferred.js";
import { codeOf } from "../fixtures/ingress.js";
import { RawClient } from "../fixtures/raw-client.js";
import { RawPolling } from "../fixtures/raw-polling.js";
import { recordingLog } from "../fixtures/recording-log.js";
import { type Client, open } from "../features/realtime/door.js";

const history = { keep: 1_000, maxAgeMs: 60_000 };
const ask = (client: Client, topics: unknown, at: unknown): Promise<unknown> =>
  client.socket.timeout(20_000).emitWithAck("ingress:join", topics, at);
/** The position that a client was told last. */
const positionOf = (client: Client): Position =>
  client.got("ingress:at").findLast((given) => Array.isArray(given)) as unknown as Position;

it("a login waits no longer than the time limit for a log that can't be read, and the topics without one are joined", async () => {
  const inner = new MemoryTopicLog();
  let down = false;
  const log: TopicLog = {
    append: async (...given) => inner.append(...given),
    head: async () => inner.head(),
    since: async (position) => inner.since(position),
    after: async (...given) => (down ? deferred<never>().promise : inner.after(...given)),
  };
  const before = (_manager: unknown, realtime: Realtime): void => {
    realtime.topics.define("h", { public: true, history });
    realtime.topics.define("t", { public: true });
  };
  await using door = await open({ log, ingress: { timeoutMs: 300 }, before });
  const client = await door.enter({ user: "ada" });
  await ask(client, ["h", "t"], true);
  down = true;
  await door.realtime.emitSocket("said", 1, topic("h"));
  await door.realtime.setUser(door.served.serverSide(client.socket), "grace");
  expect(door.realtime.identify(door.served.serverSide(client.socket)).user).toBe("grace");
  expect(await ask(client, "t", null)).toEqual({});
});

it("what a position draws counts as joins do, so that a client which asks for it again and again is RATE_LIMITED", async () => {
  await using door = await open({
    before: (_manager, realtime) => void realtime.topics.define("h", { public: true, history }),
  });
  for (let n = 0; n < 1_000; n++) await door.realtime.emitSocket("said", n, topic("h"));
  const client = await door.enter();
  await ask(client, ["h"], true);
  const [epoch] = positionOf(client);
  let frames = 0;
  client.socket.on("ingress:at", () => frames++);
  const answers: unknown[] = [];
  for (let round = 0; round < 40; round++) {
    await client.leave("h");
    answers.push(...((await ask(client, ["h"], [epoch, 0])) as { answers: unknown[] }).answers);
  }
  expect(answers.map(codeOf)).toContain("RATE_LIMITED");
  expect(frames).toBeLessThan(30_000);
});

it("a variant that changes while a topic is joined again hides nothing of another topic from whoever comes back to that", async () => {
  let role = "reader";
  const before = (_manager: unknown, realtime: Realtime): void => {
    for (const name of ["a", "b"]) realtime.topics.define(name, { public: true, variant: () => role, history });
  };
  await using door = await open({ before });
  const first = await door.enter({ user: "ada" });
  await ask(first, ["a", "b"], true);
  const at = positionOf(first);
  first.socket.disconnect();
  const client = await door.enter({ user: "ada" });
  await ask(client, ["a"], at);
  await door.realtime.emitSocket("saved", "for admins", { topics: ["a", "b"], variant: "admin" });
  role = "admin";
  await ask(client, ["a"], at);
  await ask(client, ["b"], at);
  await client.caughtUp();
  expect(client.events.filter(([event, , name]) => event === "ingress:at" && name === "saved")).toHaveLength(1);
});

it("an entry of a log that is no more, heard before the new one is known, is not delivered", async () => {
  const first = deferred<Position>();
  const entries: LoggedEntry[] = [];
  const since = vi.fn(async ([, n]: Position) => entries.filter((entry) => entry.n > n));
  const log: TopicLog = {
    head: vi.fn(async () => ["new", entries.length] as Position).mockImplementationOnce(() => first.promise),
    since,
    append: () => Promise.reject(new Error("not asked")),
    after: () => Promise.reject(new Error("not asked")),
  };
  const got: string[] = [];
  const onEntry = ({ epoch, n }: LoggedEntry): void => void got.push(`${epoch} ${n}`);
  const follower = new LogFollower({
    log,
    logger: recordingLog(),
    tell: () => undefined,
    onEntry,
    onGap: () => undefined,
  });
  const entry = (epoch: string, n: number): LoggedEntry => ({
    epoch,
    n,
    topics: ["t"],
    renditions: [[null, "e", []]],
    except: [],
  });
  follower.heard(entry("old", 3));
  first.resolve(["new", 0]);
  await expect.poll(() => follower.position).toEqual(["new", 0]);
  for (const n of [1, 2, 3]) {
    entries.push(entry("new", n));
    follower.heard(entry("new", n));
  }
  expect(got).toEqual(["new 1", "new 2", "new 3"]);
  expect(since).not.toHaveBeenCalled();
  follower.close();
});

describe("a push of which only the newest counts", () => {
  it("is sent as it was when it was pushed, and one that has become circular since ends nothing", async () => {
    await using door = await open();
    const client = await RawPolling.open(door.served.url);
    await client.post(['40{"user":"ann"}']);
    await client.poll();
    const record: Record<string, unknown> = { price: 1 };
    await door.realtime.emitSocket("price", record, user("ann"), { latest: "p" });
    Object.assign(record, { price: 999, self: record });
    await client.poll();
    expect(client.packets.at(-1)).toBe('42["price",{"price":1}]');
  });

  it("binary data in it, too", async () => {
    await using door = await open();
    const client = await RawPolling.open(door.served.url);
    await client.post(['40{"user":"ann"}']);
    await client.poll();
    const pixels = new Uint8Array([1, 2, 3]);
    await door.realtime.emitSocket("frame", { pixels }, user("ann"), { latest: "f" });
    pixels.fill(9);
    await client.poll();
    await client.poll();
    expect(client.packets.slice(-2)).toEqual(['451-["frame",{"pixels":{"_placeholder":true,"num":0}}]', "bAQID"]);
  });
});

it("a receipt is waited for no longer than the socket is there", async () => {
  await using door = await open();
  const client = await door.enter({ user: "ann" });
  const told = door.realtime.emitSocket("alert", 1, user("ann"), { receipts: { timeoutMs: 100_000 } });
  await client.next("alert");
  client.socket.disconnect();
  expect(await told).toEqual({ sockets: 1, nodes: 1, complete: true, received: 0 });
});

it("a request id that is announced with an acknowledgement is acknowledged, as whoever retries what is not needs it", async () => {
  await using door = await open();
  await using client = await RawClient.connect(door.served.url);
  expect(await client.call(["ingress:request", "id", "sync"])).toEqual([]);
});

it("where as many events of a connection wait as may, its newest is refused, and nobody else's gives way to it", async () => {
  await using door = await open({ ingress: { maxPending: 2 } });
  const gate = deferred();
  door.ingress.subscribe("block", () => gate.promise, { concurrency: 1 });
  const work = async (_context: unknown, n: string): Promise<string> => (await gate.promise, n);
  door.ingress.subscribe("work", work, { concurrency: 1, key: () => "all", queueMax: 2, overflow: "dropOldest" });
  const [other, full] = [await door.enter(), await door.enter()];
  const others = ["y1", "y2", "y3"].map((n) => other.socket.emitWithAck("work", n) as Promise<unknown>);
  await other.caughtUp();
  for (let i = 0; i < 3; i++) full.socket.emit("block");
  expect(codeOf(await full.socket.emitWithAck("work", "x"))).toBe("OVERLOADED");
  gate.resolve();
  expect(await Promise.all(others)).toEqual(["y1", "y2", "y3"]);
});
