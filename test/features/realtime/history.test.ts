import { describe, expect, it, vi } from "vitest";
import { EventError, recoverAfterAsking } from "socket-ingress";
import {
  everyone,
  type HistorySettings,
  MemoryTopicLog,
  Realtime,
  socket,
  topic,
  union,
  user,
} from "socket-ingress/realtime";
import { fakeServer } from "socket-ingress/testing";
import { type As, deferred, open, type Client, type Door, type DoorOptions } from "./door.js";
import { type PositionReader, readPositions } from "./position-reader.js";

const history: HistorySettings = { keep: 100, maxAgeMs: 60_000 };
const roles: Readonly<Record<string, string>> = { ada: "admin", grace: "reader" };

/** As {@link open}, with topics that most tests need. */
function withTopics(options: DoorOptions = {}): Promise<Door> {
  return open({
    ...options,
    before: (manager, realtime) => {
      realtime.topics.define("h:{id}", { public: true, history, variant: ({ user: id }) => roles[id ?? ""] });
      realtime.topics.define("short", { public: true, history: { keep: 2, maxAgeMs: 60_000 } });
      realtime.topics.define("t:{id}", { public: true });
      options.before?.(manager, realtime);
    },
  });
}

type Reader = PositionReader & Omit<Client, "got" | "join">;

async function enter(door: Door, as?: As, byHand = false): Promise<Reader> {
  const client = await door.enter(as);
  const reader = readPositions(client.socket, { byHand });
  const { socket: its, events, leave, caughtUp, next } = client;
  return Object.defineProperties(
    {},
    {
      ...Object.getOwnPropertyDescriptors(reader),
      ...Object.getOwnPropertyDescriptors({ socket: its, events, leave, caughtUp, next }),
      id: { get: () => its.id },
    },
  ) as Reader;
}

/** Cuts a client off; it has no idea when it will be back. */
async function away({ socket: client }: Pick<Client, "socket">): Promise<void> {
  client.disconnect();
  await Promise.resolve();
}

/** Has it come back, and waits until it is in again what it was in. */
async function back(reader: Pick<Reader, "socket" | "rejoined">): Promise<void> {
  reader.socket.connect();
  await reader.rejoined();
}

describe.each([
  ["over real sockets", false],
  ["in memory", true],
])("a topic with history, %s,", (_where, memory) => {
  const door = (options: DoorOptions = {}): Promise<Door> => withTopics({ memory, ...options });

  it("has its pushes come with their number to who reads positions, and as plain events to all others", async () => {
    await using d = await door();
    const ada = await enter(d);
    const plain = await d.enter();
    expect(await ada.join("h:1", "t:1")).toEqual({ answers: [{}, {}], refused: [] });
    await plain.join("h:1");
    await d.realtime.emitSocket("said", { text: "hi" }, topic("h:1"));
    await d.realtime.emitSocket("said", 2, topic("t:1"));
    await Promise.all([ada.caughtUp(), plain.caughtUp()]);
    const [entered, pushed] = ada.frames;
    expect(entered).toEqual([[expect.any(String), 0], ["h:1"], []]);
    expect(pushed).toEqual([1, "said", { text: "hi" }]);
    expect(ada.events.filter(([event]) => event === "said")).toEqual([["said", 2]]);
    expect(plain.events).toEqual([["said", { text: "hi" }]]);
    expect(d.realtime.stats()).toMatchObject({ pushes: 2, failedPushes: 0 });
  });

  it("sends who comes back what they missed, in order and once, before anything newer", async () => {
    await using d = await door();
    const ada = await enter(d);
    await ada.join("h:1", "h:2");
    await d.realtime.emitSocket("said", 1, topic("h:1"));
    await away(ada);
    for (const [n, name] of ["h:1", "h:2", "h:3", "h:1"].entries())
      await d.realtime.emitSocket("said", n + 2, topic(name));
    await back(ada);
    await d.realtime.emitSocket("said", 6, topic("h:2"));
    await ada.until(6);
    expect(ada.got).toEqual([1, 2, 3, 5, 6]);
    expect(ada.gaps).toEqual([]);
  });

  it("tells who missed more than is kept, or comes from another epoch or the future", async () => {
    await using d = await door();
    const ada = await enter(d);
    await ada.join("h:1", "short");
    for (let n = 1; n <= 3; n++) {
      if (n === 1) await away(ada);
      await d.realtime.emitSocket("said", n, { topics: ["short", "h:1"] });
    }
    await d.realtime.emitSocket("said", 4, topic("h:1"));
    await back(ada);
    expect(ada.heard.filter(([what]) => what === "gap")).toEqual([["gap", "short"]]);
    expect(ada.got).toEqual([1, 2, 3, 4]);
    for (const position of [["another", 2] as const, [ada.position?.[0] ?? "", 1_000] as const]) {
      await away(ada);
      ada.position = position;
      await back(ada);
    }
    expect(ada.gaps).toEqual(["short", "h:1", "short", "h:1", "short"]);
    await d.realtime.emitSocket("said", 5, topic("short"));
    await ada.until(5);
    expect(ada.got).toEqual([1, 2, 3, 4, 5]);
  });

  it("asks its policy before anything is sent again, and shows no variant that the member is not in", async () => {
    const mayRead = new Set(["ada", "grace"]);
    let asked = deferred();
    const verdict = { current: Promise.resolve() };
    await using d = await door({
      before: (_manager, realtime) => {
        realtime.topics.define("doc:{id}", {
          join: async ({ user: id }) => {
            asked.resolve();
            await verdict.current;
            return mayRead.has(id ?? "");
          },
          history,
          variant: ({ user: id }) => roles[id ?? ""],
        });
      },
    });
    const [ada, grace] = [await enter(d, { user: "ada" }), await enter(d, { user: "grace" })];
    for (const one of [ada, grace]) await one.join("doc:1");
    for (const one of [ada, grace]) await away(one);
    await d.realtime.emitSocket("said", "admins", { topic: "doc:1", variant: "admin" });
    await d.realtime.emitSocket("said", "all", { topic: "doc:1" });
    await d.realtime.emitSocket("said", "not grace", topic("doc:1").except(user("grace")));
    await back(grace);
    expect(grace.got).toEqual(["all"]);
    // Somebody else decided meanwhile.
    mayRead.delete("ada");
    asked = deferred();
    const gate = deferred();
    verdict.current = gate.promise;
    const returning = back(ada);
    await asked.promise;
    await ada.caughtUp();
    expect(ada.got).toEqual([]);
    gate.resolve();
    await returning;
    expect(ada.got).toEqual([]);
    expect(ada.frames).toHaveLength(1);
  });

  it("is in order for who comes back while it is pushed to", async () => {
    await using d = await door({
      before: (_manager, realtime) => {
        realtime.topics.define("slow", { join: () => new Promise((resolve) => setImmediate(resolve, true)), history });
      },
    });
    const ada = await enter(d);
    await ada.join("slow", "h:1");
    await away(ada);
    let n = 0;
    const push = (): void =>
      void d.realtime.emitSocket("said", ++n, { topics: n % 3 === 0 ? ["slow", "h:1"] : ["slow"] });
    for (let i = 0; i < 20; i++) push();
    const pushing = (async (): Promise<void> => {
      for (let i = 0; i < 70; i++) {
        push();
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    await Promise.all([back(ada), pushing]);
    push();
    await ada.until(n);
    expect(ada.got).toEqual(Array.from({ length: n }, (_, i) => i + 1));
    expect(ada.gaps).toEqual([]);
  });

  it("sends all again to whose connection ended in the middle of what they missed, and they know it by the numbers", async () => {
    await using d = await door();
    const ada = await enter(d, {}, true);
    await ada.join("h:1");
    await away(ada);
    for (let n = 1; n <= 5; n++) await d.realtime.emitSocket("said", n, topic("h:1"));
    // Cut as soon as the third of five has come.
    const third = new Promise<void>((resolve) => {
      const look = (n: unknown): void => {
        if (n !== 3) return;
        ada.socket.off("ingress:at", look);
        ada.socket.disconnect();
        resolve();
      };
      ada.socket.on("ingress:at", look);
    });
    await back(ada);
    void ada.rejoin().catch(() => undefined);
    await third;
    await back(ada);
    await ada.rejoin();
    await d.realtime.emitSocket("said", 6, topic("h:1"));
    await ada.until(6);
    expect(ada.got).toEqual([1, 2, 3, 4, 5, 6]);
    expect(ada.frames.map(([n]) => n)).toEqual([expect.anything(), 1, 2, 3, 1, 2, 3, 4, 5, expect.anything(), 6]);
  });

  it("has its first push arrive, right after a join", async () => {
    await using d = await door();
    const ada = await enter(d);
    const joining = ada.join("h:9");
    await joining;
    void d.realtime.emitSocket("said", "first", topic("h:9"));
    await ada.until("first");
    expect(ada.got).toEqual(["first"]);
  });

  it("gives a push to two topics once, in order with those of either, also when they come back one after the other", async () => {
    await using d = await door();
    const ada = await enter(d, {}, true);
    await ada.join("h:1");
    await ada.join("h:2");
    await away(ada);
    await d.realtime.emitSocket("said", 1, topic("h:1"));
    await d.realtime.emitSocket("said", 2, { topics: ["h:1", "h:2"] });
    await d.realtime.emitSocket("said", 3, topic("h:2"));
    await back(ada);
    await ada.rejoin("h:1");
    await d.realtime.emitSocket("said", 4, { topics: ["h:1", "h:2"] });
    await d.realtime.emitSocket("said", 5, topic("h:1"));
    await ada.caughtUp();
    expect(ada.got).toEqual([1, 2, 4, 5]);
    // 3 can't come behind 2 and before 4 any more: it is told.
    await ada.rejoin("h:2");
    expect(ada.gaps).toEqual(["h:2"]);
    await d.realtime.emitSocket("said", 6, { topics: ["h:2", "h:1"] });
    await away(ada);
    await d.realtime.emitSocket("said", 7, { topics: ["h:1", "h:2"] });
    await d.realtime.emitSocket("said", 8, topic("h:2"));
    await back(ada);
    await ada.rejoin("h:1");
    await ada.rejoin("h:2");
    expect(ada.got).toEqual([1, 2, 4, 5, 6, 7, 8]);
    expect(ada.gaps).toEqual(["h:2"]);
  });

  it("is no hole for who a push is not for, and no frame names a topic its receiver is not in", async () => {
    await using d = await door();
    const [ada, grace] = [await enter(d, { user: "ada" }), await enter(d, { user: "grace" })];
    await ada.join("h:1", "h:2");
    await grace.join("h:1");
    await d.realtime.emitSocket("said", "admins", { topic: "h:1", variant: "admin" });
    await d.realtime.emitSocket("said", "not ada", topic("h:1").except(socket(ada.id)));
    await d.realtime.emitSocket("said", "both", { topics: ["h:2", "h:1", "h:3"] });
    await Promise.all([ada.caughtUp(), grace.caughtUp()]);
    expect([ada.got, grace.got]).toEqual([
      ["admins", "both"],
      ["not ada", "both"],
    ]);
    expect(JSON.stringify(grace.frames)).not.toMatch(/h:[23]/);
    for (const one of [ada, grace]) await away(one);
    for (const one of [ada, grace]) await back(one);
    expect([ada.gaps, grace.gaps]).toEqual([[], []]);
  });

  it("can be pushed to beside others, and reaches everybody once", async () => {
    await using d = await door();
    const [both, only, ada, plain] = [await enter(d), await enter(d), await enter(d, { user: "ada" }), await d.enter()];
    await both.join("h:1", "t:1");
    await only.join("t:1");
    await plain.join("h:1");
    await plain.join("t:1");
    const target = union(topic("h:1"), topic("t:1"), user("ada"));
    expect(await d.realtime.emitSocket("said", 1, target, { count: true })).toMatchObject({ sockets: 4 });
    const said = ({ events }: Pick<Client, "events">): unknown[] => events.filter(([event]) => event === "said");
    for (const one of [both, only, ada, plain]) await one.caughtUp();
    expect([both.got, said(both), said(only), said(ada), said(plain)]).toEqual([
      [1],
      ...[[], [["said", 1]], [["said", 1]], [["said", 1]]],
    ]);
  });

  it("has signals and notices among its pushes", async () => {
    await using d = await door();
    const ada = await enter(d);
    await ada.join("h:1");
    await away(ada);
    await d.realtime.emitSocketRefetch("list", { topic: "h:1" });
    await d.realtime.sendTo(topic("h:1"), "news");
    await back(ada);
    expect(ada.heard).toEqual([
      ["push", "ingress:refetch", { action: "list" }],
      ["push", "ingress:notify", { data: "news" }],
    ]);
  });

  it("keeps of a topic that was refused for the moment where it was lost", async () => {
    let busy = false;
    await using d = await door({
      before: (_manager, realtime) => {
        realtime.topics.define("busy", {
          join: () => {
            if (busy) throw new EventError("OVERLOADED", "later");
            return true;
          },
          history,
        });
      },
    });
    const ada = await enter(d);
    await ada.join("h:1", "busy");
    await away(ada);
    await d.realtime.emitSocket("said", 1, topic("busy"));
    busy = true;
    await back(ada);
    await d.realtime.emitSocket("said", 2, topic("h:1"));
    await d.realtime.emitSocket("said", 3, topic("busy"));
    await ada.until(2);
    busy = false;
    await ada.rejoin("busy");
    expect([ada.got, ada.gaps]).toEqual([[2, 1, 3], []]);
  });

  it("is left in the turn of the answer where its snapshot fails, and says until where an evicted client has it", async () => {
    let fails = true;
    await using d = await door({
      before: (_manager, realtime) => {
        realtime.topics.define("shot", {
          public: true,
          history,
          snapshot: () => {
            if (fails) throw new EventError("TIMEOUT", "the database is slow");
            return 1;
          },
        });
      },
    });
    const ada = await enter(d, { user: "ada" });
    expect(await ada.join("shot", "h:1")).toMatchObject({
      answers: [{ error: { code: "TIMEOUT" } }, {}],
      refused: ["shot"],
    });
    await d.realtime.emitSocket("said", 1, topic("h:1"));
    await d.realtime.emitSocket("said", 2, topic("shot"));
    await d.realtime.emitSocket("said", 3, topic("h:1"));
    await ada.until(3);
    fails = false;
    await ada.rejoin();
    expect(ada.got).toEqual([1, 3, 2]);
    await d.realtime.revoke("ada", "shot");
    await d.realtime.emitSocket("said", 4, topic("h:1"));
    await d.realtime.emitSocket("said", 5, topic("shot"));
    await ada.until(4);
    await ada.rejoin();
    expect(ada.got).toEqual([1, 3, 2, 4, 5]);
    expect(ada.gaps).toEqual([]);
  });

  it("has a client's own object never taken for a position", async () => {
    await using d = await door({
      server: { connectionStateRecovery: {} },
      before: (manager, realtime) => {
        void manager;
        realtime.topics.define("chat", { public: true, history });
      },
    });
    d.ingress.subscribe("say", (_context, data: unknown) => void d.realtime.emitSocket("said", data, topic("chat")));
    const ada = await enter(d);
    const plain = await d.enter();
    await ada.join("chat");
    await plain.join("chat");
    const forged = { "ingress:at": [["x", 99]], n: 99, epoch: "x" };
    await plain.socket.emitWithAck("say", forged);
    plain.socket.emit("ingress:at", 99, "said", "forged");
    plain.socket.emit("ingress:gap");
    await plain.caughtUp();
    await ada.caughtUp();
    expect(ada.got).toEqual([forged]);
    expect(ada.position?.[1]).toBe(1);
    expect(plain.events.map(([event, data]) => [event, data])).toEqual([["said", forged]]);
    expect(() => d.realtime.emitSocket("ingress:at", 1, topic("chat"))).toThrow(TypeError);
  });

  it("has the variant decided again after a login and a logout, and what came meanwhile is sent by the new one", async () => {
    let gate: Promise<void> = Promise.resolve();
    await using d = await door({
      before: (_manager, realtime) => {
        realtime.topics.define("doc", {
          join: async () => {
            await gate;
            return true;
          },
          history,
          variant: ({ user: id }) => roles[id ?? ""],
        });
      },
    });
    const push = async (n: number): Promise<void> => {
      for (const variant of ["admin", "reader"])
        await d.realtime.emitSocket("said", `${variant} ${n}`, { topic: "doc", variant });
      await d.realtime.emitSocket("said", `all ${n}`, { topics: ["doc", "h:1"] });
    };
    const ada = await enter(d, { user: "ada" });
    await ada.join("doc", "h:1");
    await push(1);
    const hold = deferred();
    gate = hold.promise;
    const login = d.realtime.setUser(d.served.io.sockets.sockets.get(ada.id) as never, "grace");
    await push(2);
    hold.resolve();
    await login;
    await push(3);
    gate = Promise.resolve();
    await d.realtime.setUser(d.served.io.sockets.sockets.get(ada.id) as never, undefined);
    await push(4);
    await ada.until("all 4");
    expect(ada.got).toEqual(["admin 1", "all 1", "reader 2", "all 2", "reader 3", "all 3", "all 4"]);
    expect(ada.gaps).toEqual([]);
  });
});

describe.each([
  ["by itself", {}],
  ["by recoverAfterAsking", { adapter: recoverAfterAsking() }],
])("a connection that Socket.IO recovers %s", (_how, more) => {
  it("has every push of a topic with history once and in order, whoever of the two sent it", async () => {
    await using d = await withTopics({
      server: { connectionStateRecovery: { skipMiddlewares: false }, ...more },
    });
    const client = await d.enter({ user: "ada" });
    const ada = readPositions(client.socket);
    await ada.join("h:1", "h:2");
    await d.realtime.emitSocket("said", { n: 1 }, topic("h:1"));
    await client.caughtUp();
    for (let round = 0; round < 3; round++) {
      const gone = new Promise((resolve) => client.socket.once("disconnect", resolve));
      client.socket.io.engine.close();
      await gone;
      await vi.waitFor(() => expect(d.served.io.of("/").sockets.size).toBe(0));
      await d.realtime.emitSocket("said", { n: 2 + round * 3 }, topic("h:1"));
      await d.realtime.emitSocket("said", { n: 3 + round * 3 }, { topics: ["h:1", "h:2"] });
      const connected = new Promise<void>((resolve) => client.socket.once("connect", resolve));
      client.socket.connect();
      await connected;
      expect(client.socket.recovered).toBe(true);
      void d.realtime.emitSocket("said", { n: 4 + round * 3 }, topic("h:2"));
      await client.next("ingress:gap");
      await ada.rejoined();
      await client.caughtUp();
    }
    expect(ada.got).toEqual(Array.from({ length: 10 }, (_, i) => ({ n: i + 1 })));
    expect(ada.gaps).toEqual([]);
  });

  it("is asked again for each topic, without being held to have joined too often", async () => {
    await using d = await withTopics({
      topicsPerSocket: 30,
      server: { connectionStateRecovery: { skipMiddlewares: false }, ...more },
    });
    const client = await d.enter({ user: "ada" });
    const ada = readPositions(client.socket);
    await ada.join(...Array.from({ length: 30 }, (_, i) => `h:${i}`));
    await d.realtime.emitSocket("said", { n: 1 }, topic("h:1"));
    await client.caughtUp();
    const gone = new Promise((resolve) => client.socket.once("disconnect", resolve));
    client.socket.io.engine.close();
    await gone;
    client.socket.connect();
    await client.next("ingress:gap");
    await ada.rejoined();
    await d.realtime.emitSocket("said", { n: 2 }, topic("h:29"));
    await client.caughtUp();
    expect(ada.got).toEqual([{ n: 1 }, { n: 2 }]);
  });
});

describe("a push to a topic with history", () => {
  it("that the log can't hold is a mistake, and is thrown", async () => {
    await using d = await withTopics();
    const push =
      (data: unknown, target: unknown, options = {}) =>
      () =>
        d.realtime.emitSocket("said", data, target as never, options);
    const circular: Record<string, unknown> = {};
    circular["self"] = circular;
    for (const [attempt, message] of [
      [
        push(1, topic("h:1"), { local: true }),
        /"said": a local push to topic "h:1", which has a history, can't be kept/,
      ],
      [push(1, { topics: ["t:1", "h:1"] }, { volatile: true }), /a volatile push to topic "h:1"/],
      [push(Buffer.from("x"), topic("h:1")), /can't be kept: it holds binary data/],
      [push({ at: [new Uint8Array(1)] }, topic("h:1")), /binary/],
      [push(1n, topic("h:1")), /BigInt/],
      [push(circular, topic("h:1")), /circular/],
      [push(1, topic("h:1").and(user("ada"))), /to part of its members it can't be kept/],
      [push(1, { topic: "h:1", user: "ada" }), /to part of its members/],
      [push(1, topic("h:1").except(topic("t:1").and(user("ada")))), /to part of its members/],
      [push(1, union(topic("h:1").except(user("a")), topic("h:2"))), /to part of its members/],
      [push(1, union(topic("h:1", "admin"), topic("h:2"))), /the same variant for all topics/],
    ] as const)
      expect(attempt).toThrow(message);
    expect(d.realtime.stats()).toMatchObject({ pushes: 0, failedPushes: 0 });
    for (const target of [
      everyone().except(topic("h:1")),
      union(topic("h:1"), everyone()),
      topic("h:1").except(everyone()),
      union(topic("h:1"), union(topic("h:2"))).except(user("a"), topic("t:1")),
    ])
      await d.realtime.emitSocket("said", 1, target);
  });

  it("rejects if the log fails, which nobody has to hear", async () => {
    const log = new MemoryTopicLog();
    log.append = () => Promise.reject(new Error("the log is down")) as never;
    await using d = await withTopics({ log });
    void d.realtime.emitSocket("said", 1, topic("h:1"));
    await expect(d.realtime.emitSocket("said", 2, topic("h:1"))).rejects.toThrow("the log is down");
    expect(d.realtime.stats()).toMatchObject({ failedPushes: 2 });
    expect(JSON.stringify(d.log.lines)).toContain("a push could not be appended to the log of topics");
  });

  it("is that of its namespace, though another has topics of the same name", async () => {
    const [mine, chats] = [new MemoryTopicLog(), new MemoryTopicLog()];
    const log = Object.assign(mine, { of: (namespace: string) => (namespace === "/" ? mine : chats) });
    const chat = new Realtime({ namespace: "/chat", log });
    chat.topics.define("room:{id}", { public: true, history: {} });
    await using d = await open({
      log,
      before: (manager, { topics }) => {
        topics.define("room:{id}", { public: true, history: {} });
        manager.registerHandler(chat);
      },
    });
    const client = await d.enter();
    await client.join("room:1");
    await chat.emitSocket("said", "there", { topic: "room:1" });
    await d.realtime.emitSocket("said", "here", { topic: "room:1" });
    await client.caughtUp();
    expect(client.got("said")).toEqual(["here"]);
  });

  it("is in no log that another namespace has, and that does not tell them apart", async () => {
    const io = fakeServer();
    const log = new MemoryTopicLog();
    const [first, second] = [new Realtime({ log }), new Realtime({ namespace: "/chat", log })];
    await first.setup(io);
    await expect(second.setup(io)).rejects.toThrow(
      "Realtime: the log is that of the namespace / already; give /chat a log of its own",
    );
    await first.teardown();
    await io.close();
  });

  it("says what a history can be", async () => {
    await using d = await withTopics();
    for (const wrong of [true, 5, { keep: 0 }, { keep: 1.5 }, { maxAgeMs: 0 }, { maxAgeMs: Infinity }])
      expect(() => d.realtime.topics.define("x", { public: true, history: wrong as never })).toThrow(
        /topic "x": history/,
      );
    expect(() => new Realtime({ log: {} as never })).toThrow(/Realtime: log must be an object with a method append/);
  });
});
