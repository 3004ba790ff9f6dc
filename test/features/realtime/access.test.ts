import { describe, expect, it } from "vitest";
import { EventError } from "socket-ingress";
import { session, topic, user } from "socket-ingress/realtime";
import { deferred, open } from "./door.js";

const code = (reply: unknown): unknown => (reply as { error?: { code?: unknown } }).error?.code;

describe("a session that is rotated while one of its tabs is being taken in", () => {
  it("leaves nobody under the old id", async () => {
    const slow = deferred<string>();
    let held = false;
    const asked = deferred();
    await using door = await open({
      session: () => {
        if (!held) return "old";
        asked.resolve();
        return slow.promise;
      },
    });
    const first = await door.enter();
    held = true;
    const entering = door.enter();
    await asked.promise;
    await door.realtime.rotateSession("old", "new");
    slow.resolve("old");
    const second = await entering;
    await door.realtime.emitSocket("secret", 1, session("old"));
    await Promise.all([first.caughtUp(), second.caughtUp()]);
    expect([...first.got("secret"), ...second.got("secret")]).toEqual([]);
  });
});

describe("whoever asks to hear of it", () => {
  it("is told of each socket that is another user's, once its pushes are that one's, until undone", async () => {
    await using door = await open();
    const told: unknown[] = [];
    door.realtime.onUserChanged(() => {
      throw new Error("one that fails stops nobody");
    });
    const off = door.realtime.onUserChanged((socket) => {
      told.push(door.realtime.identify(socket).user);
      void door.realtime.emitSocket("welcome", told.length, user("ada"));
    });
    expect(() => door.realtime.onUserChanged(5 as never)).toThrow(/onUserChanged expects a function, got 5/);
    const client = await door.enter({ session: "S" });
    const side = door.served.serverSide(client.socket);
    await door.realtime.setUser(side, "ada");
    await door.realtime.setUser(side, "ada");
    await client.caughtUp();
    expect(client.got("welcome")).toEqual([1]);
    await door.realtime.rotateSession("S", "T", { user: "grace" });
    await door.realtime.setUser(side, undefined);
    off();
    await door.realtime.setUser(side, "ada");
    expect(told).toEqual(["ada", "grace", undefined]);
  });
});

describe("request ids", () => {
  it("used before a login and after it is one call, by the next user another, and nobody is told another's answer", async () => {
    await using door = await open();
    door.ingress.subscribe("secret", ({ socket }) => door.realtime.identify(socket).user ?? "nobody");
    const client = await door.enter({ session: "S" });
    const side = door.served.serverSide(client.socket);
    expect(await client.call("r1", "secret")).toBe("nobody");
    // Whoever logs in takes along what they asked for before.
    await door.realtime.setUser(side, "ada");
    expect(await client.call("r1", "secret")).toBe("nobody");
    expect(await client.call("r2", "secret")).toBe("ada");
    await door.realtime.rotateSession("S", "T", { user: "mallory" });
    for (const id of ["r1", "r2"]) expect(await client.call(id, "secret")).toBe("mallory");
    await door.realtime.setUser(side, undefined);
    for (const id of ["r1", "r2"]) expect(await client.call(id, "secret")).toBe("nobody");
  });

  it.each([
    ["session:ada", "ada"],
    ["user:ada", "ada"],
  ])("of a user named %s are not those of %s", async (odd, plain) => {
    await using door = await open();
    door.ingress.subscribe("who", ({ socket }) => door.realtime.identify(socket));
    const one = await door.enter({ user: odd });
    const two = await door.enter({ session: plain });
    const three = await door.enter({ user: plain });
    const answers = [await one.call("r", "who"), await two.call("r", "who"), await three.call("r", "who")];
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(3);
  });
});

describe("names that look alike", () => {
  it.each(["room:e\u0301", "room:\u00e9", "room:\u202e1", "room:%31", "room:{id}", "room:..", "room:1\n", "ROOM:1"])(
    "%j is a topic of its own: what is pushed to room:1 does not arrive there",
    async (name) => {
      await using door = await open();
      door.realtime.topics.define("room:{id}", { join: (_, { id }) => id !== "1" });
      const thief = await door.enter();
      const reply = await thief.join(name);
      expect(["FORBIDDEN", undefined]).toContain(code(reply));
      await door.realtime.emitSocket("secret", 1, topic("room:1"));
      await thief.caughtUp();
      expect(thief.got("secret")).toEqual([]);
    },
  );
});

describe("joining, leaving and eviction at once", () => {
  it("ends where the last word was, for a hundred rounds in any order", async () => {
    await using door = await open();
    let open_ = true;
    door.realtime.topics.define("t", {
      join: async () => {
        await new Promise((resolve) => setImmediate(resolve));
        if (!open_) throw new EventError("FORBIDDEN", "no");
      },
      presence: true,
      snapshot: () => new Promise((resolve) => setImmediate(resolve, 1)),
    });
    const ada = await door.enter({ user: "ada" });
    for (let round = 0; round < 100; round++) {
      open_ = true;
      const asked: Promise<unknown>[] = [ada.join("t"), ada.leave("t"), ada.join("t")];
      if (round % 3 === 0) asked.push(door.realtime.revoke("ada", "t"));
      if (round % 4 === 0) asked.push(ada.leave("t"));
      await Promise.all(asked);
      open_ = false;
      await door.realtime.revoke("ada");
      await ada.caughtUp();
      const before = ada.got("x").length;
      await door.realtime.emitSocket("x", round, topic("t"));
      await ada.caughtUp();
      expect(ada.got("x").length).toBe(before);
      expect(door.realtime.list("t")).toEqual([]);
    }
  });
});
