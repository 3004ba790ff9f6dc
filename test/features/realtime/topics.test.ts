import { describe, expect, it } from "vitest";
import { z } from "zod";
import { EventError } from "socket-ingress";
import { group, players, session, socket, topic, user } from "socket-ingress/realtime";
import { roomOf } from "../../../src/push/rooms.js";
import { deferred, open } from "./door.js";

const code = (reply: unknown): unknown => (reply as { error?: { code?: unknown } }).error?.code;

describe("joining a topic", () => {
  it("that its policy refuses is FORBIDDEN, and nothing of the topic ever arrives", async () => {
    await using door = await open();
    door.realtime.topics.define("room:{id}", { join: (_context, { id }) => id === "mine" });
    const client = await door.enter();
    expect(code(await client.join("room:yours"))).toBe("FORBIDDEN");
    expect(await client.join("room:mine")).toEqual({});
    await door.realtime.emitSocket("e", "yours", { topic: "room:yours" });
    await door.realtime.emitSocket("e", "mine", { topic: "room:mine" });
    await client.caughtUp();
    expect(client.events).toEqual([["e", "mine"]]);
  });

  it("may be decided by an instance of a class, with what is its own", async () => {
    class Rooms {
      readonly members = new Set(["mine"]);
      join(_context: unknown, { id }: { readonly id: string }): boolean {
        return this.members.has(id);
      }
    }
    await using door = await open();
    door.realtime.topics.define("room:{id}", new Rooms());
    const client = await door.enter();
    expect(await client.join("room:mine")).toEqual({});
    expect(code(await client.join("room:yours"))).toBe("FORBIDDEN");
  });

  it("without a policy for it is FORBIDDEN, unless the server declared it public", async () => {
    await using door = await open();
    door.realtime.topics.define("news", { public: true });
    const client = await door.enter();
    expect(await client.join("news")).toEqual({});
    expect(code(await client.join("anything"))).toBe("FORBIDDEN");
  });

  it("that its policy refuses with a code of its own says so, and what it throws otherwise stays on the server", async () => {
    await using door = await open();
    door.realtime.topics.define("paid", {
      join: () => {
        throw new EventError("PAYMENT_REQUIRED", "pay first", { details: { price: 5 } });
      },
    });
    door.realtime.topics.define("broken", {
      join: async () => {
        throw new Error("password=1234");
      },
    });
    const client = await door.enter();
    expect(await client.join("paid")).toEqual({
      error: { code: "PAYMENT_REQUIRED", message: "pay first", details: { price: 5 } },
    });
    const reply = await client.join("broken");
    expect(code(reply)).toBe("INTERNAL");
    expect(JSON.stringify(reply)).not.toContain("1234");
  });

  it("is told with its policy, in the order in which patterns are asked", async () => {
    await using door = await open();
    const { topics } = door.realtime;
    const undefine = topics.define("room:{id}", { join: () => true, presence: true, input: z.string() });
    topics.define("room:lobby", { public: true, presence: false, history: { keep: 5 } });
    const nothing = { input: undefined, presence: false, history: undefined, snapshot: false, variant: false };
    const none = { ...nothing, source: undefined };
    const lobby = { ...none, pattern: "room:lobby", policy: "public", history: { keep: 5, maxAgeMs: 3_600_000 } };
    const room = {
      ...none,
      pattern: "room:{id}",
      policy: "join",
      input: expect.objectContaining({ vendor: "zod", type: "string" }),
      presence: true,
    };
    expect(topics.describe()).toEqual([lobby, room]);
    undefine();
    expect(topics.describe()).toEqual([lobby]);
  });

  it("twice delivers once", async () => {
    await using door = await open();
    door.realtime.topics.define("t", { public: true });
    const client = await door.enter();
    await Promise.all([client.join("t"), client.join("t"), client.join("t")]);
    await door.realtime.emitSocket("e", 1, { topic: "t" });
    await client.caughtUp();
    expect(client.events).toEqual([["e", 1]]);
  });

  it("answers with a snapshot, and pushes that happen while it is taken are not missed", async () => {
    await using door = await open();
    const taken = deferred();
    const go = deferred();
    door.realtime.topics.define("t", {
      public: true,
      snapshot: async () => {
        taken.resolve();
        await go.promise;
        return { state: 1 };
      },
    });
    door.realtime.topics.define("s", { join: () => ({ grant: 2 }), snapshot: async () => ({ state: 2 }) });
    const client = await door.enter();
    const joined = client.join("t");
    await taken.promise;
    await door.realtime.emitSocket("e", "meanwhile", { topic: "t" });
    go.resolve();
    expect(await joined).toEqual({ snapshot: { state: 1 } });
    expect(client.got("e")).toEqual(["meanwhile"]);
    expect(await client.join("s")).toEqual({ snapshot: { state: 2 } });
  });

  it("whose snapshot fails or can't be sent is a failure, and the client is not in", async () => {
    await using door = await open();
    door.realtime.topics.define("fails", {
      public: true,
      snapshot: () => {
        throw new Error("no");
      },
    });
    door.realtime.topics.define("circle", { public: true, snapshot: () => ({ n: 1n }) });
    const client = await door.enter();
    for (const name of ["fails", "circle"]) {
      expect(code(await client.join(name))).toBe("INTERNAL");
      expect(await door.realtime.count({ topic: name })).toMatchObject({ sockets: 0 });
    }
  });

  it("is limited in length and in number", async () => {
    await using door = await open({ topicMaxLength: 10, topicsPerSocket: 3 });
    door.realtime.topics.define("t:{id}", { public: true });
    const client = await door.enter();
    expect(await client.join("t:" + "x".repeat(9))).toMatchObject({
      error: { code: "INVALID_INPUT", details: { issues: [{ path: [0] }] } },
    });
    for (const id of [1, 2, 3]) expect(await client.join(`t:${id}`)).toEqual({});
    expect(code(await client.join("t:4"))).toBe("CONFLICT");
    expect(await client.join("t:3")).toEqual({});
    await client.leave("t:1");
    expect(await client.join("t:4")).toEqual({});
  });

  it("is text that every store can keep", async () => {
    const asked: string[] = [];
    await using door = await open();
    door.realtime.topics.define("t:{id}", { join: (_context, { id }) => asked.push(id) > 0 });
    const client = await door.enter();
    for (const topic of ["t:\0", "t:a\ud800", "t:\udfffa"]) {
      for (const answer of [await client.join(topic), await client.join({ topic }), await client.leave(topic)])
        expect(code(answer)).toBe("INVALID_INPUT");
    }
    expect(await client.join("t:\u{1f600}")).toEqual({});
    expect(asked).toEqual(["\u{1f600}"]);
  });

  it("many at once does not get around the limit", async () => {
    const go = deferred();
    await using door = await open({ topicsPerSocket: 3 });
    door.realtime.topics.define("t:{id}", { join: () => go.promise });
    const client = await door.enter();
    const joins = [1, 2, 3, 4, 5].map((id) => client.join(`t:${id}`));
    await client.caughtUp();
    go.resolve();
    expect((await Promise.all(joins)).map(code)).toEqual([undefined, undefined, undefined, "CONFLICT", "CONFLICT"]);
  });

  it("that failed takes no place of the limit", async () => {
    await using door = await open({ topicsPerSocket: 1 });
    door.realtime.topics.define("t:{id}", { join: async (_context, { id }) => id === "yes" });
    const client = await door.enter();
    for (let id = 0; id < 5; id++) expect(code(await client.join(`t:${id}`))).toBe("FORBIDDEN");
    expect(await client.join("t:yes")).toEqual({});
  });

  it("again when the policy has changed its mind takes the client out", async () => {
    let open_ = true;
    await using door = await open();
    door.realtime.topics.define("t", { join: () => open_ });
    const client = await door.enter();
    await client.join("t");
    open_ = false;
    expect(code(await client.join("t"))).toBe("FORBIDDEN");
    expect(await door.realtime.count({ topic: "t" })).toMatchObject({ sockets: 0 });
  });
});

describe("while a policy thinks", () => {
  it("a client that leaves stays out", async () => {
    await using door = await open();
    const go = deferred();
    const asked = deferred();
    door.realtime.topics.define("t", {
      join: async () => {
        asked.resolve();
        await go.promise;
      },
    });
    const client = await door.enter();
    const joined = client.join("t");
    await asked.promise;
    expect(await client.leave("t")).toEqual({});
    go.resolve();
    expect(code(await joined)).toBe("CONFLICT");
    expect(await door.realtime.count({ topic: "t" })).toMatchObject({ sockets: 0 });
  });

  it("a client that leaves and joins again is in", async () => {
    await using door = await open();
    const go = deferred();
    door.realtime.topics.define("t", { join: () => go.promise });
    const client = await door.enter();
    const first = client.join("t");
    await client.leave("t");
    const second = client.join("t");
    await client.caughtUp();
    go.resolve();
    expect(code(await first)).toBe("CONFLICT");
    expect(await second).toEqual({});
    await door.realtime.emitSocket("e", 1, { topic: "t" });
    await client.caughtUp();
    expect(client.got("e")).toEqual([1]);
  });

  it("a client whose connection ends leaves no trace", async () => {
    await using door = await open();
    const go = deferred();
    const asked = deferred();
    door.realtime.topics.define("t", {
      presence: true,
      join: async () => {
        asked.resolve();
        await go.promise;
      },
    });
    const client = await door.enter({ user: "ada" });
    const serverSide = door.served.serverSide(client.socket);
    const gone = new Promise((resolve) => serverSide.once("disconnect", resolve));
    client.socket.emit("ingress:join", "t");
    await asked.promise;
    client.socket.disconnect();
    await gone;
    go.resolve();
    await new Promise((resolve) => setImmediate(resolve));
    expect(door.served.io.of("/").adapter.rooms.has(roomOf("topic", "t"))).toBe(false);
    expect(door.served.io.of("/").adapter.sids.size).toBe(0);
    expect(door.realtime.list("t")).toEqual([]);
  });

  it("a user who is evicted stays out", async () => {
    await using door = await open();
    const go = deferred();
    const asked = deferred();
    door.realtime.topics.define("t", {
      join: async () => {
        asked.resolve();
        await go.promise;
      },
    });
    const client = await door.enter({ user: "ada" });
    const joined = client.join("t");
    await asked.promise;
    await door.realtime.revoke("ada", "t");
    go.resolve();
    expect(code(await joined)).toBe("FORBIDDEN");
    expect(await door.realtime.count({ topic: "t" })).toMatchObject({ sockets: 0 });
  });

  it("a user who logs out does not get in as nobody", async () => {
    await using door = await open();
    const [go, asked] = [deferred(), deferred()];
    door.realtime.topics.define("t", {
      join: async ({ socket }) => {
        const { user: asking } = door.realtime.identify(socket);
        asked.resolve();
        await go.promise;
        return asking === "ada";
      },
    });
    const client = await door.enter({ user: "ada" });
    const joined = client.join("t");
    await asked.promise;
    await door.realtime.setUser(door.served.serverSide(client.socket), undefined);
    go.resolve();
    expect(code(await joined)).toBe("CONFLICT");
    expect(code(await client.join("t"))).toBe("FORBIDDEN");
    expect(await door.realtime.count({ topic: "t" })).toMatchObject({ sockets: 0 });
  });

  it("a user who logs out while the snapshot is taken is out", async () => {
    await using door = await open();
    const [go, asked] = [deferred(), deferred()];
    door.realtime.topics.define("t", {
      join: ({ socket }) => door.realtime.identify(socket).user === "ada",
      snapshot: async () => {
        asked.resolve();
        await go.promise;
      },
    });
    const client = await door.enter({ user: "ada" });
    const joined = client.join("t");
    await asked.promise;
    await door.realtime.setUser(door.served.serverSide(client.socket), undefined);
    await door.realtime.emitSocket("e", 1, { topic: "t" });
    go.resolve();
    expect(code(await joined)).toBe("CONFLICT");
    await client.caughtUp();
    expect(client.events).toEqual([]);
  });

  it("a client that is asked about again and leaves is out, and is told nothing", async () => {
    await using door = await open();
    const [go, asked] = [deferred(), deferred()];
    let slow = false;
    door.realtime.topics.define("t", {
      join: async () => {
        if (!slow) return;
        asked.resolve();
        await go.promise;
      },
    });
    const client = await door.enter({ user: "ada" });
    await client.join("t");
    slow = true;
    const changed = door.realtime.setUser(door.served.serverSide(client.socket), "grace");
    await asked.promise;
    await client.leave("t");
    go.resolve();
    await changed;
    await client.caughtUp();
    expect(client.events).toEqual([]);
    expect(await door.realtime.count({ topic: "t" })).toMatchObject({ sockets: 0 });
  });

  it("a caller who was told TIMEOUT is not let in afterwards", async () => {
    const go = deferred();
    await using door = await open({ ingress: { timeoutMs: 20 } });
    door.realtime.topics.define("t", { join: () => go.promise });
    const client = await door.enter();
    expect(code(await client.join("t"))).toBe("TIMEOUT");
    go.resolve();
    await client.caughtUp();
    expect(await door.realtime.count({ topic: "t" })).toMatchObject({ sockets: 0 });
  });
});

describe("a topic that is taken away", () => {
  it("is gone from all sockets of the user at once, and their clients are told", async () => {
    await using door = await open();
    door.realtime.topics.define("t:{id}", { public: true });
    const [one, two, other] = await Promise.all([
      door.enter({ user: "ada" }),
      door.enter({ user: "ada" }),
      door.enter({ user: "grace" }),
    ]);
    for (const client of [one, two, other]) {
      await client.join("t:1");
      await client.join("t:2");
    }
    expect(await door.realtime.revoke("ada", "t:1")).toEqual({ sockets: 2, nodes: 1, complete: true });
    await door.realtime.emitSocket("e", 1, { topic: "t:1" });
    await door.realtime.emitSocket("e", 2, { topic: "t:2" });
    for (const client of [one, two]) {
      await client.caughtUp();
      expect(client.got("ingress:evicted")).toEqual([
        { topic: "t:1", code: "FORBIDDEN", message: "this topic was taken away from you" },
      ]);
      expect(client.got("e")).toEqual([2]);
    }
    await other.caughtUp();
    expect(other.got("e")).toEqual([1, 2]);
    expect(await door.realtime.revoke("ada", undefined, { code: "BANNED", message: "goodbye" })).toMatchObject({
      sockets: 2,
    });
    expect(await door.realtime.revoke("ada")).toMatchObject({ sockets: 0 });
    await one.caughtUp();
    expect(one.got("ingress:evicted")[1]).toEqual({ topic: "t:2", code: "BANNED", message: "goodbye" });
    expect(door.realtime.stats()).toMatchObject({ joined: 6, evicted: 4 });
  });
});

describe("a stranger's audience can't be read", () => {
  const ways = (victim: string): [string, unknown][] => [
    ["the id of a socket", victim],
    ["a user's room", roomOf("user", "ada")],
    ["a session's room", roomOf("session", "S")],
    ["a group's room", roomOf("group", "g")],
    ["the players' room", roomOf("players", "p")],
    ["a topic's room", roomOf("topic", "private:1")],
    ["a room of the application", "backstage"],
    ["a topic with a policy", "private:1"],
    ["a topic in other letters", "PRIVATE:1"],
    ["a topic with a space", " private:1"],
    ["a topic with a zero", "private:1\0"],
    ["a topic with more parts", "private:1:x"],
    ["an empty part", "open:"],
    ["nothing", ""],
    ["a pattern", "private:{id}"],
    ["a wildcard", "*"],
    ["__proto__", "__proto__"],
    ["constructor", "constructor"],
    ["a list", ["open:1", "private:1"]],
    ["a list of one", ["private:1"]],
    ["an object that says it is a topic", { toString: "private:1", kind: "everyone" }],
    ["the data of an audience", { kind: "user", id: "ada" }],
    ["a number", 5],
    ["null", null],
    ["true", true],
    ["half a megabyte", "open:" + "x".repeat(500_000)],
  ];
  const names = ways("").map(([name]) => name);

  it.each(names)("by joining %s", async (name) => {
    await using door = await open();
    door.served.io.on("connection", (connected) => void connected.join("backstage"));
    door.realtime.topics.define("private:{id}", {
      join: ({ socket: { handshake } }) => handshake.auth["user"] === "ada",
    });
    door.realtime.topics.define("open:{id}", { public: true });
    const victim = await door.enter({ user: "ada", session: "S" });
    const thief = await door.enter({ user: "mallory", session: "M" });
    void door.served.serverSide(thief.socket).leave("backstage");
    await door.realtime.enroll(group("g"), "ada");
    await door.realtime.enroll(players("p"), "ada");
    expect(await victim.join("private:1")).toEqual({});

    const way = ways(victim.id).find(([each]) => each === name)?.[1];
    expect(code(await thief.join(way))).toMatch(/^(FORBIDDEN|INVALID_INPUT)$/);
    expect(code(await thief.call("r1", "ingress:join", way))).toMatch(/^(FORBIDDEN|INVALID_INPUT)$/);

    const audiences = [socket(victim.id), user("ada"), session("S"), group("g"), players("p"), topic("private:1")];
    for (const audience of audiences) await door.realtime.emitSocket("secret", 1, audience);
    door.served.io.to("backstage").emit("secret", 1);
    await Promise.all([victim.caughtUp(), thief.caughtUp()]);
    expect(thief.events).toEqual([]);
    expect(victim.got("secret")).toHaveLength(7);
  });

  it("by joining its room's name where every topic is public", async () => {
    await using door = await open();
    for (const pattern of ["{a}", "{a}:{b}", "{a}:{b}:{c}", "{a}:{b}:{c}:{d}"])
      door.realtime.topics.define(pattern, { public: true });
    const [victim, thief] = [await door.enter({ user: "ada", session: "S" }), await door.enter()];
    await door.realtime.enroll(group("g"), "ada");
    for (const name of [victim.id, roomOf("user", "ada"), roomOf("session", "S"), roomOf("group", "g")]) {
      expect(await thief.join(name)).toEqual({});
    }
    for (const audience of [socket(victim.id), user("ada"), session("S"), group("g")])
      await door.realtime.emitSocket("secret", 1, audience);
    await thief.caughtUp();
    expect(thief.events).toEqual([]);
  });

  it.each([
    "ingress:review",
    "ingress:realtime",
    "ingress:evicted",
    "ingress:presence",
    "ingress:notify",
    "ingress:refetch",
    "ingress:admit",
    "join",
    "subscribe",
  ])("by sending %s", async (event) => {
    await using door = await open();
    const client = await door.enter({ user: "mallory" });
    for (const args of [[], [{}], ["private:1"], [{ user: "ada" }, "private:1"]]) {
      expect(code(await client.socket.emitWithAck(event, ...args))).toBe("UNKNOWN_EVENT");
    }
    expect(door.realtime.identify(door.served.serverSide(client.socket))).toEqual({
      user: "mallory",
      session: undefined,
    });
  });

  it("by leaving what one is not in", async () => {
    await using door = await open();
    const client = await door.enter();
    for (const [, way] of ways(client.id)) {
      const reply = await client.leave(way);
      if (code(reply) !== "INVALID_INPUT") expect(reply).toEqual({});
    }
    await door.realtime.emitSocket("mine", 1, socket(client.id));
    await client.caughtUp();
    expect(client.events).toEqual([["mine", 1]]);
  });
});
