import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Server } from "socket.io";
import { describe, expect, it, vi } from "vitest";
import { ServiceManager } from "socket-ingress";
import { MemoryNotificationStore, Notifications } from "socket-ingress/notifications";
import { createEmitter, Realtime } from "socket-ingress/realtime";
import { fakeServer, memoryCluster } from "socket-ingress/testing";
import { deferred } from "../../fixtures/deferred.js";
import { unhandledDuring } from "../../fixtures/unhandled.js";
import { testNotifications } from "./notifications-suite.js";
import { openStage, openTab, sqlite, sqliteStore, StoreInHand } from "./stage.js";

describe("in memory", () => testNotifications(() => Promise.resolve(new MemoryNotificationStore())));
describe("in SQLite", () => testNotifications(() => sqliteStore()));

describe("14. a server that is restarted", () => {
  it("with a store in SQLite counts as before", async () => {
    const folder = await mkdtemp(join(tmpdir(), "socket-ingress-notifications-"));
    try {
      for (const [i, unread] of [1, 2].entries()) {
        const db = sqlite(join(folder, "app.db"));
        await using stage = await openStage({ store: await sqliteStore(db) });
        const first = await stage.notifications.send("ada", { title: "first", idempotencyKey: "first" });
        if (i === 1) await stage.notifications.send("ada", { title: "second" });
        const tab = await stage.tab("ada");
        expect(tab.inbox.getSnapshot()).toMatchObject({ unread });
        if (i === 1) await tab.inbox.markRead(first.notification!.id);
        await db.destroy();
      }
      await using stage = await openStage({ store: await sqliteStore(sqlite(join(folder, "app.db"))) });
      const tab = await stage.tab("ada");
      expect([tab.titles(), tab.inbox.getSnapshot().unread]).toEqual([["second*", "first"], 1]);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});

describe("fallbacks", () => {
  it("run where no device has said that it has it: a plain client does not, one with the client door does", async () => {
    const deliver = vi.fn(() => true);
    await using stage = await openStage({ fallbacks: [{ name: "email", deliver }] });
    const plain = await stage.door.enter({ user: "ada" });
    expect(await stage.notifications.send("ada", { title: "1" })).toMatchObject({ reached: 0, via: "email" });
    expect(plain.got("notification")).toMatchObject([{ notification: { title: "1" }, unread: 1, version: 1 }]);
    await stage.tab("ada");
    expect(await stage.notifications.send("ada", { title: "2" })).toMatchObject({ reached: 1, via: "socket" });
    expect(deliver).toHaveBeenCalledTimes(1);
  });

  it("ask for receipts, and without any nobody is asked", async () => {
    await using without = await openStage();
    const quiet = await without.door.enter({ user: "ada" });
    expect(await without.notifications.send("ada", { title: "1" })).toMatchObject({ reached: 1, via: "socket" });
    await quiet.caughtUp();
    expect(quiet.events.map(([event]) => event)).toEqual(["notification"]);
  });

  it("one that throws, rejects or takes too long passes on to the next, and that is logged", async () => {
    const signals: AbortSignal[] = [];
    await using stage = await openStage({
      fallbackTimeoutMs: 20,
      fallbacks: [
        {
          name: "throws",
          deliver() {
            throw new Error("no mailer");
          },
        },
        { name: "rejects", deliver: () => Promise.reject(new Error("mailer is away")) },
        {
          name: "hangs",
          deliver: (_notification, signal) => {
            signals.push(signal);
            return new Promise(() => undefined);
          },
        },
        { name: "takes it", deliver: ({ user, title }, signal) => user === "ada" && title === "1" && !signal.aborted },
      ],
    });
    expect(await stage.notifications.send("ada", { title: "1" })).toMatchObject({ reached: 0, via: "takes it" });
    expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
    const told = stage.door.log.lines.filter(({ message }) => message?.startsWith("a fallback failed"));
    expect(told.map(({ level, fields }) => [level, fields["fallback"], (fields["err"] as Error).message])).toEqual([
      ["warn", "throws", "no mailer"],
      ["warn", "rejects", "mailer is away"],
      ["warn", "hangs", "it has not answered within 20 ms"],
    ]);
  });

  it("that all say no leave it to the next login", async () => {
    await using stage = await openStage({ fallbacks: [{ name: "email", deliver: () => false }] });
    expect(await stage.notifications.send("ada", { title: "1" })).toMatchObject({ reached: 0, via: undefined });
  });
});

describe("send", () => {
  it("that nobody awaits and that fails is logged, and ends no process", async () => {
    const store = new StoreInHand();
    await using stage = await openStage({ store });
    store.down = true;
    expect(await unhandledDuring(() => void stage.notifications.send("ada", { title: "1" }))).toEqual([]);
    expect(stage.door.log.lines).toContainEqual(
      expect.objectContaining({ level: "error", message: "a notification could not be sent" }),
    );
  });

  it("to many of whom one fails begins with no more of them", async () => {
    const users: string[] = [];
    const store = new (class extends StoreInHand {
      override async add(...[given, since]: Parameters<StoreInHand["add"]>) {
        users.push(given.user);
        this.down = given.user === "user 3";
        return super.add(given, since);
      }
    })();
    await using stage = await openStage({ store });
    const all = Array.from({ length: 500 }, (_, i) => `user ${i}`);
    await expect(stage.notifications.send(all, { title: "1" })).rejects.toThrow("the database is away");
    expect(users).toEqual(all.slice(0, 100));
  });

  it("what is changed afterwards changes nothing", async () => {
    await using stage = await openStage();
    const data = { list: [1], at: new Date(5) };
    const sending = stage.notifications.send("ada", { title: "1", data });
    data.list.push(2);
    const { notification } = await sending;
    expect(notification?.data).toEqual({ list: [1], at: "1970-01-01T00:00:00.005Z" });
    expect((await stage.tab("ada")).inbox.getSnapshot().items[0]?.data).toEqual(notification?.data);
  });

  it.each([
    [undefined, { title: "1" }, "send: expected the id of a user, or a list of ids, got undefined"],
    ["", { title: "1" }, 'got ""'],
    [["ada", 7], { title: "1" }, "got 7"],
    ["ada", undefined, "send: options must be an object, got undefined"],
    ["ada", {}, "send: title must be a non-empty string, got undefined"],
    ["ada", { title: "" }, 'send: title must be a non-empty string, got ""'],
    ["ada", { title: "1", message: 5 }, "send: message must be a string, got 5"],
    ["ada", { title: "1", icon: null }, "send: icon must be a string, got null"],
    ["ada", { title: "1", titel: "2" }, 'send: there is no option "titel"'],
    ["ada", { title: "1", data: 5n }, "send: data must be what JSON can hold, but it holds a BigInt"],
    ["ada", { title: "1", data: [new Uint8Array(1)] }, "it holds binary data"],
    ["ada", { title: "1", data: "x".repeat(70_000) }, "a notification has at most 65536 characters as JSON, got 70"],
    ["ada", { title: "1", idempotencyKey: "" }, "idempotencyKey must be a string of 1 to 255 characters"],
    ["ada", { title: "1", idempotencyKey: "k".repeat(256) }, "idempotencyKey must be a string of 1 to 255 characters"],
  ])("to %j of something that does not fit is a TypeError at once: %#", async (user, notification, message) => {
    const notifications = new Notifications({ realtime: new Realtime() });
    expect(() => notifications.send(user as never, notification as never)).toThrow(TypeError);
    expect(() => notifications.send(user as never, notification as never)).toThrow(message);
  });

  it("from a worker without a server reaches the tabs of the servers it shares adapter and store with", async () => {
    const { adapter } = memoryCluster();
    const store = new MemoryNotificationStore();
    await using stage = await openStage({ store, server: { adapter } });
    const tab = await stage.tab("ada");
    await using emitter = await createEmitter({ adapter });
    expect(() => new Notifications({ realtime: emitter })).toThrow(
      "Notifications: store must be the one that the servers have, beside an Emitter, got undefined",
    );
    const fromWorker = new Notifications({ realtime: emitter, store });
    expect(await fromWorker.send("ada", { title: "1" })).toMatchObject({ reached: 1, via: "socket" });
    await tab.unread(1);
    const deliver = vi.fn(() => true);
    const withFallback = new Notifications({ realtime: emitter, store, fallbacks: [{ name: "email", deliver }] });
    expect(await withFallback.send("ada", { title: "2" })).toMatchObject({ reached: 1, via: "socket" });
    expect(await withFallback.send("bob", { title: "3" })).toMatchObject({ reached: 0, via: "email" });
    await tab.unread(2);
  });

  it("is waited for by a shutdown, fallbacks included", async () => {
    const asked = deferred();
    const answer = deferred<boolean>();
    const io = fakeServer();
    const realtime = new Realtime();
    const notifications = new Notifications({
      realtime,
      fallbacks: [
        {
          name: "email",
          deliver: () => {
            asked.resolve();
            return answer.promise;
          },
        },
      ],
    });
    const manager = new ServiceManager<Server>(io).registerHandler(realtime).registerHandler(notifications);
    await manager.boot();
    const sending = notifications.send("ada", { title: "1" });
    await asked.promise;
    const closing = manager.shutdown({ graceMs: 5_000 });
    answer.resolve(true);
    expect(await Promise.race([sending, closing])).toMatchObject({ via: "email" });
    await closing;
  });
});

describe("wiring", () => {
  const realtime = new Realtime();
  it.each([
    [undefined, "Notifications: options must be an object, got undefined"],
    [{}, "Notifications: realtime must be a Realtime, or an Emitter, got undefined"],
    [{ realtime: {} }, "Notifications: realtime must be a Realtime, or an Emitter, got an object"],
    [{ realtime, store: 5 }, "store must be a NotificationStore, with methods add, page, mark and prune, got 5"],
    [{ realtime, store: {} }, "store must be a NotificationStore, with methods add, page, mark and prune"],
    [{ realtime, keepMs: 0 }, "keepMs must be milliseconds from 1, or Infinity for no limit, got 0"],
    [{ realtime, keepMs: "1" }, 'got "1"'],
    [{ realtime, wants: true }, "wants must be a function, got true"],
    [
      { realtime, fallbacks: [{ name: "email" }] },
      "fallbacks must be a list of { name, deliver(notification, signal) }",
    ],
    [{ realtime, fallbacks: [null] }, "fallbacks must be a list"],
    [{ realtime, fallbackTimeoutMs: 0 }, "fallbackTimeoutMs must be milliseconds"],
    [{ realtime, fallback: [] }, 'there is no option "fallback"'],
  ])("that does not fit is a TypeError: %#", (options, message) => {
    expect(() => new Notifications(options as never)).toThrow(TypeError);
    expect(() => new Notifications(options as never)).toThrow(message);
  });

  it("a store in memory of its own is refused where there may be several nodes; one that was given is not", async () => {
    const { adapter } = memoryCluster();
    const io = fakeServer({ adapter });
    const realtime = new Realtime();
    await realtime.setup(io);
    await expect(new Notifications({ realtime }).setup(io)).rejects.toThrow(
      "notifications: several nodes need a store that they share",
    );
    await using notifications = new Notifications({ realtime, store: new MemoryNotificationStore() });
    await notifications.setup(io);
    await realtime.teardown();
    await io.close();
  });

  it("a second one on a Realtime is refused at setup: each client would be answered by both", async () => {
    const io = fakeServer();
    const realtime = new Realtime();
    await realtime.setup(io);
    const [first, second] = [new Notifications({ realtime }), new Notifications({ realtime })];
    await first.setup(io);
    await expect(second.setup(io)).rejects.toThrow("the namespace / has a Notifications already");
    await first.teardown();
    await second.setup(io);
    await second.teardown();
    await realtime.teardown();
    await io.close();
  });

  it("serves the namespace of its realtime door, and says so in its name", () => {
    const { namespace, name } = new Notifications({ realtime: new Realtime({ namespace: "/chat" }) });
    expect([namespace, name]).toEqual(["/chat", "notifications of /chat"]);
  });

  it("the client understands the answers whatever form an application's own callers are answered in", async () => {
    await using stage = await openStage({ ingress: { callback: "errorFirst" } });
    await stage.notifications.send("ada", { title: "1" });
    const entered = stage.door.served.client({ auth: { user: "ada" } });
    entered.connect();
    const tab = openTab({ socket: entered } as never);
    await tab.unread(1);
  });

  it("after a teardown nothing is left: no timer, no listener", async () => {
    const set = vi.spyOn(globalThis, "setInterval");
    const clear = vi.spyOn(globalThis, "clearInterval");
    const io = fakeServer();
    const realtime = new Realtime();
    const notifications = new Notifications({ realtime });
    await notifications.setup(io);
    const timers = set.mock.results.map(({ value }) => value as unknown);
    await notifications.teardown();
    expect(timers).toHaveLength(1);
    expect(clear.mock.calls.map(([timer]) => timer)).toEqual(timers);
    const forEver = new Notifications({ realtime, keepMs: Infinity });
    await forEver.setup(io);
    expect(set).toHaveBeenCalledTimes(1);
    await forEver.teardown();
    await io.close();
  });
});

describe("pruning", () => {
  it("runs by itself, and what fails then is logged and tried again", async () => {
    vi.useFakeTimers({ toFake: ["Date", "setInterval", "clearInterval"] });
    try {
      const store = new StoreInHand();
      await using stage = await openStage({ store, keepMs: 20_000 });
      const tab = await stage.tab("ada");
      await stage.notifications.send("ada", { title: "1" });
      await tab.unread(1);
      store.down = true;
      vi.advanceTimersByTime(20_000);
      await vi.waitFor(() =>
        expect(stage.door.log.lines).toContainEqual(
          expect.objectContaining({
            level: "warn",
            message: "notifications could not be pruned; they will be later",
          }),
        ),
      );
      store.down = false;
      vi.advanceTimersByTime(2_000);
      await tab.unread(0);
      expect(tab.titles()).toEqual([]);
    } finally {
      vi.useRealTimers();
    }
  });

  it("of many users asks the store for some at a time, and a call while it runs is that one", async () => {
    vi.useFakeTimers({ toFake: ["Date", "setInterval", "clearInterval"] });
    try {
      const store = new StoreInHand();
      await using stage = await openStage({ store, keepMs: 1_000 });
      const users = Array.from({ length: 250 }, (_, i) => `user ${i}`);
      await stage.notifications.send(users, { title: "1" });
      vi.setSystemTime(Date.now() + 1_000);
      const [one, other] = [stage.notifications.prune(), stage.notifications.prune()];
      expect(one).toBe(other);
      await one;
      expect(store.calls.prune).toBe(3);
      await stage.notifications.prune();
      expect(store.calls.prune).toBe(4);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe("hostile clients", () => {
  it("what does not fit is INVALID_INPUT, and says where", async () => {
    await using stage = await openStage();
    const { socket } = await stage.door.enter({ user: "ada" });
    for (const [event, argument] of [
      ["page", 5],
      ["page", { limit: "10" }],
      ["page", { before: -1 }],
      ["page", { before: 1.5 }],
      ["page", { before: {} }],
      ["read", undefined],
      ["read", "id"],
      ["read", [5]],
      ["read", ["x".repeat(65)]],
      ["read", ["\0"]],
      ["read", Array.from({ length: 1_001 }, () => "x")],
      ["readAll", undefined],
      ["readAll", -1],
      ["readAll", "5"],
      ["readAll", {}],
    ] as const) {
      expect(await socket.emitWithAck(`notifications:${event}`, argument)).toMatchObject({
        error: { code: "INVALID_INPUT", details: { issues: [{ message: expect.stringContaining("expected") }] } },
      });
    }
  });

  it("15. `limit` is clamped to 100", async () => {
    await using stage = await openStage();
    const { socket } = await stage.door.enter({ user: "ada" });
    for (let i = 0; i < 120; i++) await stage.notifications.send("ada", { title: `${i}` });
    const sizes = [];
    for (const asked of [{ limit: 1e9 }, { limit: 100.9 }, { limit: 0 }, { limit: -5 }, {}, null, { limit: 2.5 }])
      sizes.push(((await socket.emitWithAck("notifications:page", asked)) as { items: unknown[] }).items.length);
    expect(sizes).toEqual([100, 100, 1, 1, 50, 50, 2]);
    const tab = await stage.tab("ada", { limit: 5_000 });
    expect(tab.inbox.getSnapshot()).toMatchObject({ unread: 120, more: true });
    expect(tab.titles()).toHaveLength(100);
  });
});
