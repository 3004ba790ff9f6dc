import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { EventError } from "socket-ingress";
import { createClient, type EventFailure } from "socket-ingress/client";
import type { TopicDefinition } from "socket-ingress/realtime";
import { FakeSocket, settled } from "../client/fixtures/fake-socket.js";
import { recordingLogger } from "../client/fixtures/recorder.js";
import { rejection } from "../client/fixtures/rejection.js";
import { codeOf } from "../fixtures/ingress.js";
import { deferred, open, type Client, type Door, type DoorOptions } from "../features/realtime/door.js";

/** A client that is in a topic whose policy does what the test says from then on. */
async function joined(
  options: DoorOptions = {},
): Promise<{ door: Door; client: Client; becomes: (change: Partial<TopicDefinition>) => void } & AsyncDisposable> {
  const door = await open(options);
  let now: Partial<TopicDefinition> = {};
  door.realtime.topics.define("t", {
    join: (...args) => now.join?.(...args),
    snapshot: (...args) => now.snapshot?.(...args),
    presence: true,
  });
  const client = await door.enter({ user: "ada" });
  expect(await client.join("t")).toMatchObject({ presence: { state: ["ada"] } });
  return {
    door,
    client,
    becomes: (change) => void (now = change),
    [Symbol.asyncDispose]: () => door[Symbol.asyncDispose](),
  };
}

const throwing = (error: unknown): (() => never) => {
  return () => {
    throw error;
  };
};

describe("a client that is in a topic and asks for it again", () => {
  it.each<[string, Partial<TopicDefinition>, string]>([
    ["a policy that fails", { join: throwing(new Error("the database is down")) }, "INTERNAL"],
    ["a policy that is overloaded", { join: throwing(new EventError("OVERLOADED", "not now")) }, "OVERLOADED"],
    ["a snapshot that fails", { snapshot: throwing(new Error("the database is down")) }, "INTERNAL"],
    ["a snapshot that can't be sent", { snapshot: () => 1n }, "INTERNAL"],
  ])("stays in after %s", async (_name, change, code) => {
    await using given = await joined();
    const { door, client, becomes } = given;
    becomes(change);
    expect(codeOf(await client.join("t"))).toBe(code);
    await door.realtime.emitSocket("e", 1, { topic: "t" });
    await client.caughtUp();
    expect(client.events.filter(([event]) => event !== "ingress:presence")).toEqual([["e", 1]]);
    expect(door.realtime.list("t")).toEqual([{ user: "ada" }]);
  });

  it("stays in after a policy that took too long, until that says no after all", async () => {
    await using given = await joined({ ingress: { timeoutMs: 20 } });
    const { door, client, becomes } = given;
    const verdict = deferred<boolean>();
    becomes({ join: () => verdict.promise });
    expect(codeOf(await client.join("t"))).toBe("TIMEOUT");
    expect(await door.realtime.count({ topic: "t" })).toMatchObject({ sockets: 1 });
    verdict.resolve(false);
    expect(await client.next("ingress:evicted")).toMatchObject({ topic: "t", code: "FORBIDDEN" });
    expect(await door.realtime.count({ topic: "t" })).toMatchObject({ sockets: 0 });
  });

  it.each<[string, Partial<TopicDefinition>, string]>([
    ["false", { join: () => false }, "FORBIDDEN"],
    ["a code", { join: throwing(new EventError("PAYMENT_REQUIRED", "pay first")) }, "PAYMENT_REQUIRED"],
    ["a snapshot with a code", { snapshot: throwing(new EventError("NOT_FOUND", "it is gone")) }, "NOT_FOUND"],
  ])("is out after a refusal by %s, and told so before it is answered", async (_name, change, code) => {
    await using given = await joined();
    const { door, client, becomes } = given;
    becomes(change);
    const told = client.next("ingress:evicted");
    expect(codeOf(await client.join("t"))).toBe(code);
    expect(client.got("ingress:evicted")).toHaveLength(1);
    expect(await told).toMatchObject({ topic: "t", code });
    expect(await door.realtime.count({ topic: "t" })).toMatchObject({ sockets: 0 });
    expect(door.realtime.list("t")).toEqual([]);
    expect(door.realtime.stats()).toMatchObject({ joined: 1, refused: 1, evicted: 1 });
  });

  it("is out, and told so, when the topic is declared no longer", async () => {
    await using door = await open();
    const undefine = door.realtime.topics.define("t", { public: true });
    const client = await door.enter();
    await client.join("t");
    undefine();
    expect(codeOf(await client.join("t"))).toBe("FORBIDDEN");
    expect(client.got("ingress:evicted")).toMatchObject([{ topic: "t", code: "FORBIDDEN" }]);
    expect(await door.realtime.count({ topic: "t" })).toMatchObject({ sockets: 0 });
  });

  it("has lost it in every component when one of them is refused, and in none when that one only failed", async () => {
    await using door = await open();
    let verdict: () => unknown = () => undefined;
    door.realtime.topics.define("t", { join: () => verdict() });
    const socket = door.served.client({ auth: {} });
    const client = createClient(socket, { logger: recordingLogger() });
    socket.connect();
    const onLost = vi.fn<(failure: EventFailure) => void>();
    const got = vi.fn<(value: unknown) => void>();
    client.on("e", got);
    await client.joinTopic("t", { onLost });
    verdict = throwing(new Error("the database is down"));
    expect((await rejection(client.joinTopic("t", { onJoined: () => {} }))).code).toBe("INTERNAL");
    await door.realtime.emitSocket("e", 1, { topic: "t" });
    verdict = () => false;
    expect((await rejection(client.joinTopic("t", { onJoined: () => {} }))).code).toBe("FORBIDDEN");
    await door.realtime.emitSocket("e", 2, { topic: "t" });
    await client.call("sync");
    expect(onLost.mock.calls.map(([{ code }]) => code)).toEqual(["FORBIDDEN"]);
    expect(got.mock.calls).toEqual([[1]]);
    client.close();
  });
});

it("a policy that throws what can't be read lets nobody in", async () => {
  await using door = await open();
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  door.realtime.topics.define("t", { public: true, snapshot: throwing(proxy) });
  const client = await door.enter();
  expect(codeOf(await client.join("t"))).toBe("INTERNAL");
  expect(await door.realtime.count({ topic: "t" })).toMatchObject({ sockets: 0 });
});

describe("a topic that is taken away for the moment", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("is asked for again a little later, and not lost", async () => {
    vi.spyOn(Math, "random").mockReturnValue(1);
    const socket = FakeSocket.connected();
    const onLost = vi.fn<(failure: EventFailure) => void>();
    const client = createClient(socket);
    void client.joinTopic("t", { onLost });
    socket.takeOne().reply({ presence: { version: ["e", 1], state: ["ada"] } });
    await settled();
    socket.push("ingress:evicted", { topic: "t", code: "INTERNAL", message: "the server failed" });
    expect(client.presence("t")).toEqual([]);
    await vi.advanceTimersByTimeAsync(999);
    expect(socket.sent).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(socket.frames()).toEqual(['ingress:join "t" true']);
    expect(onLost).not.toHaveBeenCalled();
  });
});
