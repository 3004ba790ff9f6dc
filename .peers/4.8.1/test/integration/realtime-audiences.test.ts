import { everyone, type Group, group, nobody, session, socket, topic, union, user } from "socket-ingress/realtime";
import { describe, expect, it, vi } from "vitest";
import { rejection } from "../client/fixtures/rejection.js";
import { type Player, realtimeStage, type Stage } from "./realtime-stage.js";

const heard = (...players: Player[]): string[][] => players.map((player) => player.heard);

/** Some players, in order. */
async function join(stage: Stage, ...who: { user?: string; session?: string }[]): Promise<Player[]> {
  const players: Player[] = [];
  for (const one of who) players.push(await stage.join(one));
  return players;
}

describe.each(["real sockets", "memory"] as const)("whom a push reaches over %s", (transport) => {
  it("is everyone, once, without a target", async () => {
    await using stage = await realtimeStage(transport);
    const players = await join(stage, {}, { user: "ann" }, { session: "S" });
    await stage.realtime.emitSocket("items_changed", { source: "bulk" });
    await stage.caughtUp(...players);
    expect(heard(...players)).toEqual([["items_changed bulk"], ["items_changed bulk"], ["items_changed bulk"]]);
  });

  it("is both tabs of a session and no other", async () => {
    await using stage = await realtimeStage(transport);
    const players = await join(stage, { session: "S" }, { session: "S" }, { session: "T" });
    await stage.realtime.emitSocket("items_changed", { source: "s" }, { sessionId: "S" });
    await stage.caughtUp(...players);
    expect(heard(...players)).toEqual([["items_changed s"], ["items_changed s"], []]);
  });

  it("is who is in both where session and topic are given, without whom is excepted", async () => {
    await using stage = await realtimeStage(transport);
    const players = await join(
      stage,
      { user: "ann", session: "S" },
      { user: "ann", session: "S" },
      { user: "bob", session: "S" },
      { user: "bob", session: "T" },
    );
    for (const index of [0, 2, 3]) await players[index]?.client.joinTopic("room:42");
    await stage.realtime.emitSocket("items_changed", { source: "both" }, { sessionId: "S", topic: "room:42" });
    const target = { sessionId: "S", topic: "room:42", except: user("bob") };
    await stage.realtime.emitSocket("items_changed", { source: "but bob" }, target);
    await stage.caughtUp(...players);
    expect(heard(...players)).toEqual([
      ["items_changed both", "items_changed but bob"],
      [],
      ["items_changed both"],
      [],
    ]);
  });

  it("is nobody where nobody matches, and never everyone by mistake", async () => {
    await using stage = await realtimeStage(transport);
    const [ann] = await join(stage, { user: "ann" });
    if (!ann) throw new Error("one player");
    const push = (target: unknown): Promise<unknown> =>
      stage.realtime.emitSocket("items_changed", { source: "x" }, target as never, { count: true });
    const none = { sockets: 0, nodes: 0, complete: true };
    for (const target of [{ topic: "room:1" }, user("eve"), nobody(), union(), [], everyone().except(user("ann"))]) {
      expect(await push(target)).toEqual(none);
    }
    for (const target of [{ topic: "" }, { topic: 5 }, {}, null, undefined, "", { sessionId: undefined }]) {
      expect(() => push(target)).toThrow(TypeError);
    }
    await stage.caughtUp(ann);
    expect(ann.heard).toEqual([]);
  });

  it("is nobody who only named it: no private room, user, session, group or undeclared topic can be joined", async () => {
    await using stage = await realtimeStage(transport);
    const [ann, bob] = await join(stage, { user: "ann", session: "S" }, { user: "bob", session: "T" });
    if (!ann || !bob) throw new Error("two players");
    const id = ann.socket.id ?? "";
    const names = [
      id,
      "user:ann",
      "ingress:u:ann",
      "ingress:s:S",
      "ingress:t:room:42",
      "session:S",
      "secret",
      "constructor",
    ];
    for (const name of names) expect((await rejection(bob.client.joinTopic(name))).code).toBe("FORBIDDEN");
    for (const target of [socket(id), user("ann"), session("S"), topic("secret")]) {
      await stage.realtime.emitSocket("items_changed", { source: "private" }, target);
    }
    await stage.caughtUp(ann, bob);
    expect(bob.heard).toEqual([]);
    expect(ann.heard).toHaveLength(3);
  });

  it("is the open socket under its new session id after a login, and nobody under the old one", async () => {
    await using stage = await realtimeStage(transport);
    const [tab] = await join(stage, { session: "before" });
    if (!tab) throw new Error("one player");
    const frames: string[] = [];
    tab.socket.onAny((...packet) => frames.push(JSON.stringify(packet)));
    const moved = await stage.realtime.rotateSession("before", "after", { user: "ann" });
    expect(moved).toEqual({ sockets: 1, nodes: 1, complete: true });
    await stage.realtime.emitSocket("items_changed", { source: "old" }, { sessionId: "before" });
    await stage.realtime.emitSocket("items_changed", { source: "new" }, { sessionId: "after" });
    await stage.realtime.emitSocket("items_changed", { source: "user" }, user("ann"));
    await stage.caughtUp(tab);
    expect(tab.heard).toEqual(["items_changed new", "items_changed user"]);
    expect(frames.join()).not.toMatch(/before|after/);
  });
});

describe.each(["real sockets", "memory"] as const)("players over %s", (transport) => {
  it("have dropped out once, when the last tab has been gone that long, and not when they return in time", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      await using stage = await realtimeStage(transport, { pingInterval: 3_600_000 });
      const [one, two] = await join(stage, { user: "ann" }, { user: "ann" });
      if (!one || !two) throw new Error("two tabs");
      const gone = vi.fn();
      stage.realtime.watchForDropout("ann", gone, 30_000);
      const left = (tab: Player): Promise<void> => {
        const socketId = tab.socket.id ?? "";
        tab.socket.disconnect();
        return vi.waitFor(() => expect(stage.io.sockets.sockets.has(socketId)).toBe(false));
      };
      await left(one);
      await vi.advanceTimersByTimeAsync(60_000);
      await left(two);
      await vi.advanceTimersByTimeAsync(29_000);
      const back = await stage.join({ user: "ann" });
      await vi.advanceTimersByTimeAsync(60_000);
      expect(gone).not.toHaveBeenCalled();
      await left(back);
      await vi.advanceTimersByTimeAsync(30_000);
      expect(gone).toHaveBeenCalledTimes(1);
    } finally {
      vi.useRealTimers();
    }
  });

  it.each(["one after the other", "both at once"])(
    "who wait for a group of two are one, %s, and both hear it",
    async (how) => {
      await using stage = await realtimeStage(transport);
      const [ann, bob] = await join(stage, { user: "ann" }, { user: "bob" });
      if (!ann || !bob) throw new Error("two players");
      const afterGrouping = vi.fn<(group: Group) => void>();
      const wait = (name: string): Promise<Group> =>
        stage.realtime.waitForGroup(name, { pool: "pairs", size: 2, afterGrouping });
      const first = wait("ann");
      if (how === "one after the other") await stage.caughtUp(ann);
      const groups = await Promise.all([first, wait("bob")]);
      expect(groups[0]).toEqual(groups[1]);
      expect(afterGrouping).toHaveBeenCalledTimes(1);
      const notices: unknown[] = [];
      for (const { client } of [ann, bob]) client.receive((data) => notices.push(data));
      const members = await stage.realtime.membersOf(group(groups[0].id));
      expect(members).toEqual(["ann", "bob"]);
      await stage.realtime.sendTo(group(groups[0].id), "together");
      await stage.caughtUp(ann, bob);
      expect(notices).toEqual(["together", "together"]);
    },
  );
});
