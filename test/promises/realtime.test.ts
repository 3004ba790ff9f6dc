import { afterEach, describe, expect, it, vi } from "vitest";
import { MemoryCallStore, type RealtimeOptions, session, topic, user } from "socket-ingress/realtime";
import { memoryCluster } from "socket-ingress/testing";
import { deferred } from "../fixtures/deferred.js";
import { codeOf } from "../fixtures/ingress.js";
import { type Client, type Door, open } from "../features/realtime/door.js";
import { readPositions } from "../features/realtime/position-reader.js";
import { SharedLog } from "../features/realtime/two-nodes/history-nodes.js";
import { Crowd } from "../features/realtime/presence-crowd.js";

// One test for each promise of realtime, named by its sentence, over real sockets and in memory. Redis and processes that are killed
// are in test/features/realtime/two-nodes and in the chaos suite.

describe.each([
  ["over real sockets", false],
  ["in memory", true],
])("%s", (_where, memory) => {
  it("24. One place says whose a socket is. After a login, logout or rotation no policy, presence, push or call still goes by the old identity.", async () => {
    await using door = await open({ memory, presence: { graceMs: 0 } });
    const { realtime } = door;
    realtime.topics.define("mine:{id}", { join: (context, { id }) => context.user === id });
    realtime.topics.define("hall", { public: true, presence: true });
    const payers: unknown[] = [];
    door.ingress.subscribe("pay", ({ socket }) => payers.push(realtime.identify(socket).user));
    const client = await door.enter({ user: "ada", session: "s1" });
    const socket = door.served.serverSide(client.socket);
    const count = async (user: string): Promise<number> => (await realtime.count({ user })).sockets;
    const present = (): string[] => realtime.list("hall").map((one) => one.user);
    expect(await client.join("mine:ada")).toEqual({});
    await client.join("hall");
    expect(await client.call("r1", "pay")).toBe(1);
    expect(present()).toEqual(["ada"]);

    await realtime.setUser(socket, "grace");
    expect(realtime.identify(socket)).toEqual({ user: "grace", session: "s1" });
    await client.caughtUp();
    expect(client.got("ingress:evicted")).toMatchObject([{ topic: "mine:ada", code: "FORBIDDEN" }]);
    expect(codeOf(await client.join("mine:ada"))).toBe("FORBIDDEN");
    expect(await client.join("mine:grace")).toEqual({});
    expect([await count("ada"), await count("grace")]).toEqual([0, 1]);
    expect(present()).toEqual(["grace"]);
    // It is another's call now, whatever its id.
    expect(await client.call("r1", "pay")).toBe(2);
    expect(payers).toEqual(["ada", "grace"]);

    await realtime.rotateSession("s1", "s2");
    await realtime.emitSocket("news", "old", session("s1"));
    await realtime.emitSocket("news", "new", session("s2"));
    await realtime.setUser(socket, undefined);
    await realtime.emitSocket("news", "grace's", user("grace"));
    await realtime.emitSocket("news", "grace's", topic("mine:grace"));
    await client.caughtUp();
    expect(client.got("news")).toEqual(["new"]);
    expect(present()).toEqual([]);
  });

  it("25. A topic with history is without gaps: across reconnects, nodes and `kill -9`, a member that reads positions has every push meant for it in order, once, or is told `onGap`. Never silence.", async () => {
    const { adapter, partition } = memoryCluster();
    const log = new SharedLog();
    const node = (): Promise<Door> =>
      open({
        memory,
        log,
        server: { adapter },
        before: (_manager, realtime) => {
          realtime.topics.define("h", { public: true, history: { keep: 100 } });
          realtime.topics.define("short", { public: true, history: { keep: 2 } });
        },
      });
    await using here = await node();
    const there = await node();
    const client = await here.enter({ user: "ada" });
    const reader = readPositions(client.socket);
    await reader.join("h", "short");
    const push = async (door: Door, n: number, name = "h"): Promise<void> =>
      door.realtime.emitSocket("said", n, topic(name));

    await push(here, 1);
    await push(there, 2);
    await reader.until(2);
    client.socket.disconnect();
    await push(there, 3);
    await push(here, 4);
    client.socket.connect();
    await reader.rejoined();
    await reader.until(4);

    // The other node dies before it has said a word of what it had taken in.
    partition();
    await push(there, 5);
    await there[Symbol.asyncDispose]();
    await push(here, 6);
    await reader.until(6);
    expect(reader.got).toEqual([1, 2, 3, 4, 5, 6]);
    expect(reader.gaps).toEqual([]);

    // Away for longer than is kept.
    client.socket.disconnect();
    for (const n of [7, 8, 9]) await push(here, n, "short");
    await push(here, 10);
    client.socket.connect();
    await reader.rejoined();
    await reader.until(10);
    expect(reader.gaps).toEqual(["short"]);
    expect(reader.got.slice(6).filter((n) => n === 10)).toEqual([10]);
  });

  it("26. A call that is repeated under its request id never runs twice, on all nodes that share a store that lives, and its answer is the run's own, or `TIMEOUT` if the run died with its node.", async () => {
    const { adapter } = memoryCluster();
    const store = new MemoryCallStore();
    // A node that has died renews nothing and tells no answer, but its claim stays where it was.
    const left = new MemoryCallStore();
    left.claim = (...given) => store.claim(...given);
    left.renew = () => true;
    left.answer = () => undefined;
    const runs: unknown[] = [];
    const go = deferred();
    const node = async (calls: RealtimeOptions["calls"] & object): Promise<Door> => {
      const door = await open({ memory, server: { adapter }, calls });
      door.ingress.subscribe("pay", async (_context, id: string) => {
        runs.push(id);
        if (id === "slow") await go.promise;
        return { paid: id };
      });
      return door;
    };
    await using one = await node({ store });
    await using two = await node({ store });
    await using dying = await node({ store: left, leaseMs: 20 });
    const [first, second, third] = [
      await one.enter({ user: "ada" }),
      await two.enter({ user: "ada" }),
      await dying.enter({ user: "ada" }),
    ];
    const both = [first.call("r1", "pay", "slow"), second.call("r1", "pay", "slow")];
    await Promise.all([first.caughtUp(), second.caughtUp()]);
    go.resolve();
    expect(await Promise.all(both)).toEqual([{ paid: "slow" }, { paid: "slow" }]);
    expect(await second.call("r1", "pay", "slow")).toEqual({ paid: "slow" });
    expect(runs).toEqual(["slow"]);

    await third.call("r2", "pay", "lost");
    expect(codeOf(await second.call("r2", "pay", "lost"))).toBe("TIMEOUT");
    expect(runs).toEqual(["slow", "lost"]);
  });

  it("28. Every admission to a topic ends in exactly one `left`, whatever ended it, while its process lives.", async () => {
    const door = await open({ memory });
    const { realtime } = door;
    let admissions = 0;
    const left: string[] = [];
    let isAllowed = true;
    realtime.topics.define("t:{id}", {
      join: () => isAllowed && ++admissions,
      left: ({ reason, topic }) => left.push(`${topic} ${reason}`),
    });
    const [ada, grace] = [await door.enter({ user: "ada" }), await door.enter({ user: "grace" })];
    for (const name of ["t:left", "t:evicted", "t:refused", "t:gone", "t:down"]) await ada.join(name);
    await grace.join("t:down");
    await ada.leave("t:left");
    await ada.leave("t:left");
    await realtime.revoke("ada", "t:evicted");
    expect(left.map((line) => line.split(" ")[0])).toEqual(["t:left", "t:evicted"]);
    isAllowed = false;
    await ada.join("t:refused");
    ada.socket.disconnect();
    await vi.waitFor(() => expect(left).toHaveLength(5));
    await door[Symbol.asyncDispose]();
    await vi.waitFor(() => expect(left).toHaveLength(6));
    const ended = left.map((line) => line.split(" ")[0]);
    for (const name of ["t:left", "t:evicted", "t:refused", "t:gone"])
      expect(ended.filter((topic) => topic === name)).toEqual([name]);
    expect(ended.filter((topic) => topic === "t:down")).toHaveLength(2);
    expect(admissions).toBe(6);
  });
});

afterEach(() => void vi.useRealTimers());

it(
  "27. Joins, leaves and reconnects cost messages in proportion to members, not to their square; a node that starts or dies costs the others no more than what it has.",
  { timeout: 30_000 },
  async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "performance"] });
    const cost = async (members: number): Promise<{ joins: number; back: number; left: number }> => {
      await using crowd = new Crowd(true);
      await crowd.start();
      const users = Array.from({ length: members }, (_, n) => `user-${n}`);
      for (const user of users) await crowd.enter(user);
      vi.advanceTimersByTime(100);
      const joins = crowd.take().frames;
      const versions = users.map((user) => crowd.lose(user));
      for (const [n, user] of users.entries()) await crowd.enter(user, versions[n]);
      vi.advanceTimersByTime(100);
      const back = crowd.take().frames;
      for (const user of users.slice(0, members / 2)) crowd.lose(user);
      vi.advanceTimersByTime(6_000);
      return { joins, back, left: crowd.take().frames };
    };
    const [some, many] = [await cost(60), await cost(240)];
    for (const what of ["joins", "back", "left"] as const) {
      expect(some[what]).toBeGreaterThanOrEqual(30);
      // Four times as many, and a tenth for what falls into another batch; a square would be sixteen times.
      expect(many[what] / some[what]).toBeLessThanOrEqual(4.4);
    }

    vi.useRealTimers();
    // What the others send and are sent while a node with one member dies and another starts, with few and with many members of their own.
    const nodeCost = async (members: number): Promise<{ frames: number; messages: number }> => {
      const { adapter } = memoryCluster();
      const node = (): Promise<Door> =>
        open({
          memory: true,
          server: { adapter },
          presence: { graceMs: 0 },
          before: (_manager, realtime) => realtime.topics.define("hall", { public: true, presence: true }),
        });
      await using stays = await node();
      const goes = await node();
      const clients: Client[] = [];
      for (let n = 0; n < members; n++) clients.push(await stays.enter({ user: `user-${n}` }));
      for (const client of clients) await client.join("hall");
      await (await goes.enter({ user: "guest" })).join("hall");
      await vi.waitFor(() => expect(stays.realtime.list("hall")).toHaveLength(members + 1));
      await vi.waitFor(() =>
        expect(clients.every((client) => JSON.stringify(client.events).includes("guest"))).toBe(true),
      );
      const before = clients.map((client) => client.got("ingress:presence").length);
      const emit = vi.spyOn(stays.served.io.of("/").adapter, "serverSideEmit");
      await goes[Symbol.asyncDispose]();
      await vi.waitFor(() => expect(stays.realtime.list("hall")).toHaveLength(members));
      await vi.waitFor(() => {
        const told = clients.map((client, n) => client.got("ingress:presence").length - (before[n] as number));
        expect(Math.min(...told)).toBe(1);
      });
      const frames = clients.reduce(
        (sum, client, n) => sum + client.got("ingress:presence").length - (before[n] as number),
        0,
      );
      await using starts = await node();
      await vi.waitFor(() => expect(starts.realtime.list("hall")).toHaveLength(members));
      return { frames, messages: emit.mock.calls.length };
    };
    const [few, crowded] = [await nodeCost(3), await nodeCost(12)];
    expect([few.frames, crowded.frames]).toEqual([3, 12]);
    expect(crowded.messages).toBeLessThanOrEqual(few.messages + 1);
  },
);
