import { describe, expect, it, vi } from "vitest";
import { Server } from "socket.io";
import { ServiceManager } from "socket-ingress";
import { createClient } from "socket-ingress/client";
import { group, MemoryTopicLog, players, Realtime } from "socket-ingress/realtime";
import { fakeServer, type FakeSocket, inMemory } from "socket-ingress/testing";
import { recordingLog } from "../../fixtures/recording-log.js";
import { serve } from "../../fixtures/serve.js";
import { deferred, open } from "./door.js";

const ours = (rooms: Iterable<string>): string[] => [...rooms].filter((room) => room.startsWith("ingress:"));

describe("a door that is torn down while a `user` function still thinks", () => {
  it("puts the socket into no room when the function answers at last", async () => {
    const name = deferred<string>();
    const asked = deferred();
    await using app = await serve();
    const socket = await app.connect();
    const realtime = new Realtime({
      user: () => {
        asked.resolve();
        return name.promise;
      },
    });
    const setup = Promise.resolve(realtime.setup(app.io)).catch(() => undefined);
    await asked.promise;
    const teardown = Promise.resolve(realtime.teardown());
    name.resolve("ada");
    await teardown;
    await setup;
    await new Promise((resolve) => setImmediate(resolve));
    expect(ours(app.serverSide(socket).rooms)).toEqual([]);
  });
});

describe("a client that was there before the door, and goes while a `user` function still thinks", () => {
  it("is nobody's, and in no room", async () => {
    const [name, asked] = [deferred<string>(), deferred()];
    await using app = await serve();
    const client = await app.connect();
    const socket = app.serverSide(client);
    const realtime = new Realtime({
      user: () => {
        asked.resolve();
        return name.promise;
      },
    });
    const setup = Promise.resolve(realtime.setup(app.io));
    await asked.promise;
    const gone = new Promise((resolve) => socket.once("disconnect", resolve));
    client.disconnect();
    await gone;
    name.resolve("ada");
    await setup;
    expect([ours(socket.rooms), realtime.identify(socket).user]).toEqual([[], undefined]);
    await realtime.teardown();
  });
});

describe("a door that is torn down and set up again", () => {
  it("while joins are pending leaves no room, no timer and no listener, a hundred times", async () => {
    await using app = await inMemory(new Server());
    const realtime = new Realtime({ user: () => "ada", presence: { graceMs: 1_000 } });
    /** What a join waits for, and that it does: first its policy, then its snapshot. */
    const steps = {
      join: { asked: deferred(), answer: deferred() },
      snapshot: { asked: deferred(), answer: deferred() },
    };
    const wait = ({ asked, answer }: typeof steps.join): Promise<void> => {
      asked.resolve();
      return answer.promise;
    };
    realtime.topics.define("t:{id}", {
      join: () => wait(steps.join),
      snapshot: () => wait(steps.snapshot),
      presence: true,
    });
    const client = await app.connect();
    const side = app.serverSide(client);
    const count = (): number =>
      side.eventNames().reduce((sum, name) => sum + side.listenerCount(name as never), 0) +
      app.io.of("/").listenerCount("ingress:realtime");
    const before = count();
    for (let round = 0; round < 100; round++) {
      await realtime.setup(app.io);
      steps.join = { asked: deferred(), answer: deferred() };
      steps.snapshot = { asked: deferred(), answer: deferred() };
      const joins = Promise.all(["t:1", "t:2"].map((name) => client.emitWithAck("ingress:join", name)));
      if (round % 4 > 0) await steps.join.asked.promise;
      if (round % 4 > 1) steps.join.answer.resolve();
      if (round % 4 > 1) await steps.snapshot.asked.promise;
      if (round % 4 > 2) steps.snapshot.answer.resolve();
      if (round % 4 > 2) await joins;
      const torn = realtime.teardown();
      for (const { answer } of [steps.join, steps.snapshot]) answer.resolve();
      await torn;
    }
    await new Promise(setImmediate);
    expect(ours(side.rooms)).toEqual([]);
    expect(count()).toBe(before);
    expect(realtime.list("t:1")).toEqual([]);
  });
});

describe("clients that stay connected while a door is torn down and set up again", () => {
  it("are told once of each topic that they were in, and of no other", async () => {
    await using io = fakeServer();
    const realtime = new Realtime();
    realtime.topics.define("t:{id}", { public: true });
    realtime.topics.define("h", { public: true, history: { keep: 10, maxAgeMs: 60_000 } });
    realtime.topics.define("private", { join: () => false });
    await realtime.setup(io);
    const [member, reader, other] = [await io.connect(), await io.connect(), await io.connect()];
    for (const topic of ["t:1", "t:2", "private"]) await member.receive("ingress:join", topic);
    await member.receive("ingress:leave", "t:2");
    await reader.receive("ingress:join", "h", true);
    for (let life = 0; life < 2; life++) {
      await realtime.teardown();
      await realtime.setup(io);
    }
    const told = ({ sent }: FakeSocket): unknown[] =>
      sent.filter(({ event }) => event === "ingress:evicted").map(({ args }) => args[0]);
    const [evicted, lost] = [
      { topic: "t:1", code: "SHUTTING_DOWN", message: "the server went away" },
      { topic: "h", code: "SHUTTING_DOWN", message: "the server went away", at: [expect.any(String), 0] },
    ];
    expect([told(member), told(reader), other.sent]).toEqual([[evicted], [lost], []]);
  });

  it("join their topics again, and miss no push that the log has kept", async () => {
    await using io = fakeServer();
    const realtime = new Realtime({ log: new MemoryTopicLog() });
    realtime.topics.define("h", { public: true, history: { keep: 10, maxAgeMs: 60_000 } });
    const manager = new ServiceManager(io, { closeServer: false, logger: recordingLog() }).registerHandler(realtime);
    await manager.boot();
    const client = createClient(await io.connect());
    const [heard, gaps]: unknown[][] = [[], []];
    client.on("told", (data: unknown) => void heard?.push(data));
    await client.joinTopic("h", { onGap: () => void gaps?.push("gap") });
    for (const life of [1, 2]) {
      await realtime.emitSocket("told", `in life ${life}`, { topic: "h" });
      await manager.shutdown();
      await manager.boot();
      await realtime.emitSocket("told", `after life ${life}`, { topic: "h" });
      await vi.waitFor(() => expect(heard).toHaveLength(life * 2));
    }
    expect(heard).toEqual(["in life 1", "after life 1", "in life 2", "after life 2"]);
    expect(gaps).toEqual([]);
    client.close();
    await manager.shutdown();
  });
});

describe("variations of the acceptance cases", () => {
  it("{ sessionId, topic, except } reaches who is in both and not excepted", async () => {
    await using door = await open();
    door.realtime.topics.define("t:{id}", { public: true });
    const [a1, a2, a3, b] = [
      await door.enter({ user: "a", session: "S" }),
      await door.enter({ user: "a", session: "S" }),
      await door.enter({ user: "x", session: "S" }),
      await door.enter({ user: "b", session: "T" }),
    ];
    for (const client of [a1, a3, b]) await client.join("t:1");
    const { user } = await import("socket-ingress/realtime");
    expect(
      await door.realtime.emitSocket("x", 1, { sessionId: "S", topic: "t:1", except: user("x") }, { count: true }),
    ).toMatchObject({ sockets: 1 });
    for (const client of [a1, a2, a3, b]) await client.caughtUp();
    expect([a1, a2, a3, b].map((client) => client.got("x").length)).toEqual([1, 0, 0, 0]);
  });

  it("a group of one is full at once, several pools keep apart, and one user may wait in two", async () => {
    await using door = await open();
    const alone = await door.realtime.waitForGroup("ada", { pool: "solo", size: 1 });
    expect(alone.members).toEqual(["ada"]);
    let formed = 0;
    const wait = (user: string, pool: string): Promise<{ members: readonly string[] }> =>
      door.realtime.waitForGroup(user, { pool, size: 2, afterGrouping: () => void formed++ });
    const [one, two, three, four] = await Promise.all([
      wait("ada", "p"),
      wait("ada", "q"),
      wait("bob", "p"),
      wait("cy", "q"),
    ]);
    expect([one, two, three, four].map(({ members }) => members.join())).toEqual([
      "ada,bob",
      "ada,cy",
      "ada,bob",
      "ada,cy",
    ]);
    expect(formed).toBe(2);
    expect(door.realtime.stats().waiting).toBe(0);
  });

  it("a session that is rotated, with no word on the user, does not undo a join under way", async () => {
    await using door = await open();
    const policy = deferred();
    door.realtime.topics.define("t", { join: () => policy.promise });
    const ada = await door.enter({ user: "ada", session: "S" });
    const joining = ada.join("t");
    await ada.caughtUp();
    await door.realtime.rotateSession("S", "T");
    policy.resolve();
    expect(await joining).toEqual({});
  });

  it("a user who is withdrawn and one who is enrolled while recipients are worked out get it or not, never twice", async () => {
    await using door = await open();
    const [ada, bob] = [await door.enter({ user: "ada" }), await door.enter({ user: "bob" })];
    await Promise.all([door.realtime.enroll(group("g"), "ada"), door.realtime.enroll(players("s"), "ada")]);
    await door.realtime.enroll(group("g"), "bob");
    await door.realtime.withdraw(group("g"), "bob");
    await door.realtime.sendTo([group("g"), players("s"), { user: "ada" }], 1);
    await Promise.all([ada.caughtUp(), bob.caughtUp()]);
    expect([ada.got("ingress:notify").length, bob.got("ingress:notify").length]).toEqual([1, 0]);
  });

  it("wrong recipients read as a sentence", async () => {
    await using door = await open();
    for (const wrong of [undefined, null, "ada", 5]) {
      expect(() => void door.realtime.sendTo(wrong as never, 1)).toThrow(/^(recipients|target): expected/);
    }
  });
});
