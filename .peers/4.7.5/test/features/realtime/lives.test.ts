import { describe, expect, it } from "vitest";
import { Server } from "socket.io";
import { group, players, Realtime } from "socket-ingress/realtime";
import { inMemory } from "socket-ingress/testing";
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

describe("a door that is torn down and set up again", () => {
  it("while joins are pending leaves no room, no timer and no listener, a hundred times", async () => {
    await using app = await inMemory(new Server());
    const realtime = new Realtime({ user: () => "ada", presence: { graceMs: 1_000 } });
    realtime.topics.define("t:{id}", {
      join: () => new Promise((resolve) => setTimeout(resolve, 1)),
      snapshot: () => new Promise((resolve) => setTimeout(resolve, 1)),
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
      const joins = ["t:1", "t:2"].map((name) => client.emitWithAck("ingress:join", name));
      if (round % 2 === 0) await new Promise((resolve) => setTimeout(resolve, round % 5));
      await realtime.teardown();
      await Promise.race([Promise.all(joins), new Promise((resolve) => setTimeout(resolve, 5))]);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(ours(side.rooms)).toEqual([]);
    expect(count()).toBe(before);
    expect(realtime.list("t:1")).toEqual([]);
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
