import { describe, expect, it, vi } from "vitest";
import { group, players, topic, type Group } from "socket-ingress/realtime";
import { open, deferred, type Door } from "./door.js";

/** Players wait by sending `ready`; the group is told to each. */
function waiting(door: Door, size = 2): { afterGrouping: ReturnType<typeof vi.fn<(group: Group) => unknown>> } {
  const afterGrouping = vi.fn<(group: Group) => unknown>(() => undefined);
  door.ingress.subscribe("ready", (context) =>
    door.realtime.waitForGroup(context, { pool: "market", size, afterGrouping }),
  );
  return { afterGrouping };
}

describe("waiting for a group", () => {
  it("ends when the second arrives: afterGrouping runs once, and both hear it", async () => {
    await using door = await open();
    const { afterGrouping } = waiting(door);
    const [ada, grace] = [await door.enter({ user: "ada" }), await door.enter({ user: "grace" })];
    const first = ada.socket.emitWithAck("ready");
    await ada.caughtUp();
    expect(door.realtime.stats().waiting).toBe(1);
    const [one, two] = await Promise.all([first, grace.socket.emitWithAck("ready")]);
    expect(one).toEqual(two);
    expect(one).toMatchObject({ pool: "market", members: ["ada", "grace"] });
    expect(afterGrouping).toHaveBeenCalledExactlyOnceWith(one);
    await door.realtime.sendTo(group((one as Group).id), "welcome");
    await Promise.all([ada.caughtUp(), grace.caughtUp()]);
    expect([ada.got("ingress:notify"), grace.got("ingress:notify")]).toEqual([
      [{ data: "welcome" }],
      [{ data: "welcome" }],
    ]);
    expect(door.realtime.stats().waiting).toBe(0);
  });

  it("ends when both arrive at once, exactly once", async () => {
    await using door = await open();
    const { afterGrouping } = waiting(door);
    const clients = await Promise.all(["ada", "grace", "edsger", "barbara"].map((user) => door.enter({ user })));
    const groups = (await Promise.all(clients.map((client) => client.socket.emitWithAck("ready")))) as Group[];
    expect(afterGrouping).toHaveBeenCalledTimes(2);
    expect(new Set(groups.map(({ id }) => id)).size).toBe(2);
    expect(new Set(groups.flatMap(({ members }) => members)).size).toBe(4);
  });

  it("counts a user once, in however many tabs, and both tabs hear it", async () => {
    await using door = await open();
    const { afterGrouping } = waiting(door);
    const [ada1, ada2, grace] = [
      await door.enter({ user: "ada" }),
      await door.enter({ user: "ada" }),
      await door.enter({ user: "grace" }),
    ];
    const tabs = [ada1.socket.emitWithAck("ready"), ada2.socket.emitWithAck("ready")];
    await Promise.all([ada1.caughtUp(), ada2.caughtUp()]);
    expect(afterGrouping).not.toHaveBeenCalled();
    const all = await Promise.all([...tabs, grace.socket.emitWithAck("ready")]);
    expect(new Set(all.map((each) => (each as Group).id)).size).toBe(1);
  });

  it("does not count those who went away while they waited", async () => {
    await using door = await open();
    const { afterGrouping } = waiting(door);
    const ada = await door.enter({ user: "ada" });
    ada.socket.emit("ready", () => undefined);
    await ada.caughtUp();
    const gone = new Promise((resolve) => door.served.serverSide(ada.socket).once("disconnect", resolve));
    ada.socket.disconnect();
    await gone;
    await vi.waitFor(() => expect(door.realtime.stats().waiting).toBe(0));
    const [grace, edsger] = [await door.enter({ user: "grace" }), await door.enter({ user: "edsger" })];
    const first = grace.socket.emitWithAck("ready");
    await grace.caughtUp();
    expect(afterGrouping).not.toHaveBeenCalled();
    expect(await edsger.socket.emitWithAck("ready")).toMatchObject({ members: ["grace", "edsger"] });
    await first;
  });

  it("fails for all when afterGrouping fails", async () => {
    await using door = await open();
    const { afterGrouping } = waiting(door);
    afterGrouping.mockRejectedValue(new Error("no table free"));
    const [ada, grace] = [await door.enter({ user: "ada" }), await door.enter({ user: "grace" })];
    const replies = await Promise.all([ada.socket.emitWithAck("ready"), grace.socket.emitWithAck("ready")]);
    expect(replies).toMatchObject([{ error: { code: "INTERNAL" } }, { error: { code: "INTERNAL" } }]);
    expect(afterGrouping).toHaveBeenCalledTimes(1);
  });

  it("is for users, by context or by id, and can be given up", async () => {
    await using door = await open();
    waiting(door);
    const nobody = await door.enter();
    expect(await nobody.socket.emitWithAck("ready")).toMatchObject({ error: { code: "UNAUTHENTICATED" } });
    const stop = new AbortController();
    const given = door.realtime.waitForGroup("ada", { pool: "p", size: 2, signal: stop.signal });
    stop.abort(new Error("enough"));
    await expect(given).rejects.toThrow("enough");
    await expect(door.realtime.waitForGroup("ada", { pool: "p", size: 2, signal: stop.signal })).rejects.toThrow(
      "enough",
    );
    expect(door.realtime.stats().waiting).toBe(0);
    for (const size of [0, -1, 1.5, Number.NaN])
      await expect(door.realtime.waitForGroup("ada", { pool: "p", size })).rejects.toThrow(TypeError);
    await expect(door.realtime.waitForGroup("ada", { pool: "", size: 2 })).rejects.toThrow(TypeError);
  });

  it("fails when the server goes away", async () => {
    const door = await open();
    const wait = door.realtime.waitForGroup("ada", { pool: "p", size: 2 });
    const [failed] = await Promise.allSettled([wait, door[Symbol.asyncDispose]()]);
    expect(failed).toMatchObject({
      status: "rejected",
      reason: { message: expect.stringContaining("closed") as string },
    });
  });
});

describe("a place", () => {
  it("is a group or the players of a session, and nothing else", async () => {
    await using door = await open();
    for (const wrong of [topic("t"), group("g").except(players("p")), "g", undefined]) {
      await expect(door.realtime.enroll(wrong as never, "ada")).rejects.toThrow(TypeError);
    }
    for (const wrong of ["", 5, undefined])
      await expect(door.realtime.enroll(group("g"), wrong as never)).rejects.toThrow(TypeError);
  });
});

describe("watching for a dropout", () => {
  const until = (door: Door, client: Awaited<ReturnType<Door["enter"]>>): Promise<unknown> => {
    const gone = new Promise((resolve) => door.served.serverSide(client.socket).once("disconnect", resolve));
    client.socket.disconnect();
    return gone;
  };

  it("runs once when the player has been gone that long", async () => {
    await using door = await open();
    const ada = await door.enter({ user: "ada" });
    const dropped = deferred();
    const fn = vi.fn(() => dropped.resolve());
    door.realtime.watchForDropout("ada", fn, 20);
    expect(door.realtime.stats().watched).toBe(1);
    await until(door, ada);
    await dropped.promise;
    const again = await door.enter({ user: "ada" });
    await until(door, again);
    expect(fn).toHaveBeenCalledTimes(1);
    expect(door.realtime.stats().watched).toBe(0);
  });

  it("runs nothing when they return in time, and counts anew when they go again", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      // Heartbeats are timers too.
      await using door = await open({ server: { pingInterval: 3_600_000 } });
      const ada = await door.enter({ user: "ada" });
      const fn = vi.fn();
      door.realtime.watchForDropout("ada", fn, 30_000);
      await vi.advanceTimersByTimeAsync(60_000);
      await until(door, ada);
      await vi.advanceTimersByTimeAsync(29_000);
      const again = await door.enter({ user: "ada" });
      await vi.advanceTimersByTimeAsync(10_000);
      expect(fn).not.toHaveBeenCalled();
      await until(door, again);
      await vi.advanceTimersByTimeAsync(29_999);
      expect(fn).not.toHaveBeenCalled();
      await vi.advanceTimersByTimeAsync(1);
      expect(fn).toHaveBeenCalledTimes(1);
    } finally {
      vi.useRealTimers();
    }
  });

  it("minds the last tab only, and users who never came", async () => {
    await using door = await open();
    const [one, two] = [await door.enter({ user: "ada" }), await door.enter({ user: "ada" })];
    const fn = vi.fn();
    door.realtime.watchForDropout("ada", fn, 0);
    await until(door, one);
    await two.caughtUp();
    expect(fn).not.toHaveBeenCalled();
    const never = deferred();
    door.realtime.watchForDropout("nobody", never.resolve, 0);
    await never.promise;
  });

  it("ends when it is told to, and with the server", async () => {
    const fn = vi.fn();
    await using door = await open();
    door.realtime.watchForDropout("ada", fn, 0)();
    door.realtime.watchForDropout("grace", fn, 60_000);
    await door.realtime.teardown();
    expect(door.realtime.stats().watched).toBe(0);
    await new Promise((resolve) => setImmediate(resolve));
    expect(fn).not.toHaveBeenCalled();
  });

  it("whose function fails is logged", async () => {
    await using door = await open();
    door.realtime.watchForDropout("nobody", () => Promise.reject(new Error("no")), 0);
    await vi.waitFor(() => expect(door.log.lines.filter(({ level }) => level === "error")).toHaveLength(1));
    for (const ms of [-1, Number.NaN, Number.POSITIVE_INFINITY])
      expect(() => door.realtime.watchForDropout("ada", fn0, ms)).toThrow(TypeError);
  });
});

function fn0(): void {}
