import { describe, expect, it, vi } from "vitest";
import { everyone, socket, topic, union, user, type Target } from "socket-ingress/realtime";
import { open } from "./door.js";

const none = { sockets: 0, nodes: 0, complete: true };

describe("a push", () => {
  it("without a target reaches all clients once", async () => {
    await using door = await open();
    const clients = await Promise.all([door.enter(), door.enter(), door.enter()]);
    await door.realtime.emitSocket("items_changed", { source: "bulk" });
    for (const client of clients) {
      await client.caughtUp();
      expect(client.events).toEqual([["items_changed", { source: "bulk" }]]);
    }
  });

  it("that is counted by one room looks at nobody", async () => {
    await using door = await open();
    door.realtime.topics.define("t", { public: true });
    const [ada, grace] = await Promise.all([door.enter({ user: "ada" }), door.enter({ user: "grace" })]);
    await ada.join("t");
    await grace.join("t");
    const { adapter } = door.served.io.of("/");
    const looked = vi.spyOn(adapter.sids, "get");
    const counts: [Target, number][] = [
      [{ topic: "t" }, 2],
      [{ topic: "nobody is there" }, 0],
      [user("ada"), 1],
      [everyone(), 2],
    ];
    for (const [target, sockets] of counts) expect((await door.realtime.count(target)).sockets).toBe(sockets);
    expect(looked).not.toHaveBeenCalled();
    expect(await door.realtime.count({ topic: "t", except: user("ada") })).toMatchObject({ sockets: 1 });
  });

  it("to a topic reaches those who are in it, and no longer those who left", async () => {
    await using door = await open();
    door.realtime.topics.define("room:{id}", { public: true });
    const [a, b, c] = await Promise.all([door.enter(), door.enter(), door.enter()]);
    expect(await a.join("room:42")).toEqual({});
    await b.join("room:42");
    await door.realtime.emitSocket("e", 1, { topic: "room:42" });
    expect(await a.leave("room:42")).toEqual({});
    await door.realtime.emitSocket("e", 2, { topic: "room:42" });
    await Promise.all([a, b, c].map((client) => client.caughtUp()));
    expect([a.got("e"), b.got("e"), c.got("e")]).toEqual([[1], [1, 2], []]);
  });

  it("to a session reaches all its tabs and no other session", async () => {
    await using door = await open();
    const [one, two, other] = await Promise.all([
      door.enter({ session: "S" }),
      door.enter({ session: "S" }),
      door.enter({ session: "T" }),
    ]);
    await door.realtime.emitSocket("e", 1, { sessionId: "S" });
    await Promise.all([one, two, other].map((client) => client.caughtUp()));
    expect([one.got("e"), two.got("e"), other.got("e")]).toEqual([[1], [1], []]);
  });

  it("to a session and a topic reaches only sockets that are in both", async () => {
    await using door = await open();
    door.realtime.topics.define("room:{id}", { public: true });
    const [both, sessionOnly, topicOnly] = await Promise.all([
      door.enter({ session: "S" }),
      door.enter({ session: "S" }),
      door.enter({ session: "T" }),
    ]);
    await both.join("room:42");
    await topicOnly.join("room:42");
    const target = { topic: "room:42", sessionId: "S" };
    expect(await door.realtime.emitSocket("e", 1, target, { count: true })).toEqual({
      sockets: 1,
      nodes: 1,
      complete: true,
    });
    await door.realtime.emitSocket("e", 2, target);
    await Promise.all([both, sessionOnly, topicOnly].map((client) => client.caughtUp()));
    expect([both.got("e"), sessionOnly.got("e"), topicOnly.got("e")]).toEqual([[1, 2], [], []]);
  });

  it("whom nobody matches resolves to nobody and does not throw", async () => {
    await using door = await open();
    const client = await door.enter({ user: "ada" });
    for (const target of [
      { topic: "empty" },
      user("nobody"),
      socket("x"),
      [],
      union(),
      user("ada").and(topic("t")),
    ] satisfies Target[]) {
      expect(await door.realtime.emitSocket("e", 1, target, { count: true })).toEqual(none);
      await expect(door.realtime.emitSocket("e", 1, target)).resolves.toBeUndefined();
    }
    await client.caughtUp();
    expect(client.events).toEqual([]);
  });

  it.each<[string, unknown]>([
    ["an empty topic", { topic: "" }],
    ["a number as topic", { topic: 5 }],
    ["a topic that is not there", { topic: undefined }],
    ["no option at all", {}],
    ["null", null],
    ["undefined", undefined],
    ["a name", "room:42"],
  ])("to %s is a TypeError and reaches nobody", async (_name, target) => {
    await using door = await open();
    const client = await door.enter();
    expect(() => door.realtime.emitSocket("e", 1, target as never)).toThrow(TypeError);
    await client.caughtUp();
    expect(client.events).toEqual([]);
  });

  it.each([
    "connect",
    "disconnect",
    "disconnecting",
    "connect_error",
    "newListener",
    "removeListener",
    "ingress:evicted",
    "",
    5,
    undefined,
  ])("of the event %j is refused", async (event) => {
    await using door = await open();
    expect(() => door.realtime.emitSocket(event as string, 1)).toThrow(TypeError);
  });

  it("counts whom it reached where that is asked", async () => {
    await using door = await open();
    const [a] = await Promise.all([
      door.enter({ user: "ada" }),
      door.enter({ user: "ada" }),
      door.enter({ user: "grace" }),
    ]);
    expect(await door.realtime.emitSocket("e", 1, everyone(), { count: true })).toEqual({
      sockets: 3,
      nodes: 1,
      complete: true,
    });
    expect(
      await door.realtime.emitSocket("e", 1, { user: "ada", except: socket(a.id) }, { count: true }),
    ).toMatchObject({ sockets: 1 });
    expect(await door.realtime.count({ user: "ada" })).toMatchObject({ sockets: 2 });
  });

  it.each<[string, unknown]>([
    ["a circle", circle()],
    ["a BigInt", { n: 1n }],
    [
      "a throwing getter",
      {
        get no(): never {
          throw new Error("secret");
        },
      },
    ],
    ["data 5,000 deep", deep(5_000)],
  ])("of %s is logged and breaks nobody's work", async (_name, data) => {
    await using door = await open();
    const client = await door.enter();
    await expect(door.realtime.emitSocket("e", data)).resolves.toBeUndefined();
    expect(await door.realtime.emitSocket("e", data, everyone(), { count: true })).toEqual(none);
    await expect(door.realtime.sendTo(everyone(), data)).resolves.toBeUndefined();
    await client.caughtUp();
    expect(client.events).toEqual([]);
    expect(door.log.lines.filter(({ level }) => level === "error")).toHaveLength(3);
    expect(door.realtime.stats()).toMatchObject({ pushes: 0, failedPushes: 3 });
  });

  it("while the door is not set up is logged and reaches nobody", async () => {
    await using door = await open();
    await door.realtime.teardown();
    await expect(door.realtime.emitSocket("e", 1)).resolves.toBeUndefined();
    expect(await door.realtime.emitSocket("e", 1, everyone(), { count: true })).toEqual(none);
    expect(() => door.realtime.emitSocket("e", 1, {})).toThrow(TypeError);
  });

  it("has no argument when there is no data, and carries binary data as it is", async () => {
    await using door = await open();
    const client = await door.enter();
    await door.realtime.emitSocket("reload", undefined);
    await door.realtime.emitSocket("chunk", { bytes: Buffer.from([1, 2, 3]) });
    await client.caughtUp();
    expect(client.events[0]).toEqual(["reload"]);
    const [chunk] = client.got("chunk") as [{ bytes: Buffer }];
    expect(Buffer.from(chunk.bytes)).toEqual(Buffer.from([1, 2, 3]));
  });

  it("that rooms can say is one broadcast of Socket.IO's own, however many clients there are", async () => {
    await using door = await open();
    door.realtime.topics.define("t", { public: true });
    const clients = await Promise.all([door.enter({ user: "ada" }), door.enter(), door.enter()]);
    for (const client of clients) await client.join("t");
    const broadcast = vi.spyOn(door.served.io.of("/").adapter, "broadcast");
    await door.realtime.emitSocket("e", 1, { topic: "t", except: user("ada") });
    await door.realtime.emitSocket("e", 1, everyone(), { volatile: true });
    expect(broadcast.mock.calls.map(([, options]) => options)).toEqual([
      { rooms: new Set(["ingress:t:t"]), except: new Set(["ingress:u:ada"]), flags: {} },
      { rooms: new Set(), except: new Set(), flags: { volatile: true } },
    ]);
  });

  it("to an intersection reaches exactly who is in both, however it is nested", async () => {
    await using door = await open();
    door.realtime.topics.define("{any}", { public: true });
    const clients = await Promise.all(["ada", "ada", "grace", "edsger"].map((name) => door.enter({ user: name })));
    const [a1, a2, g, e] = clients as [
      (typeof clients)[0],
      (typeof clients)[0],
      (typeof clients)[0],
      (typeof clients)[0],
    ];
    await a1.join("x");
    await g.join("x");
    await g.join("y");
    await e.join("y");
    await door.realtime.emitSocket("1", 1, topic("x").and(union(user("ada"), user("edsger"))));
    await door.realtime.emitSocket("2", 1, union(topic("x").except(topic("y")), user("edsger")));
    await door.realtime.emitSocket("3", 1, everyone().and(topic("x"), topic("y")));
    await Promise.all(clients.map((client) => client.caughtUp()));
    expect([a1, a2, g, e].map((client) => client.events.map(([event]) => event))).toEqual([
      ["1", "2"],
      [],
      ["3"],
      ["2"],
    ]);
  });
});

function circle(): unknown {
  const self: Record<string, unknown> = {};
  self["self"] = self;
  return self;
}

function deep(depth: number): unknown {
  let value: unknown = 1;
  for (let each = 0; each < depth; each++) value = [value];
  return value;
}
