import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { PresenceChange } from "socket-ingress/realtime";
import { LocalPresence, PresenceView } from "../../../src/features/realtime/presence.js";

describe("presence on one node", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  function start(graceMs = 5_000): { presence: LocalPresence; changes: PresenceChange[] } {
    const changes: PresenceChange[] = [];
    return { presence: new LocalPresence(graceMs, (change) => changes.push(change)), changes };
  }

  it("a user joins with the first tab and leaves once, with the last, after the grace period", () => {
    const { presence, changes } = start();
    presence.enter("t", "ada", "1", undefined);
    presence.enter("t", "ada", "2", undefined);
    presence.enter("t", "ada", "2", undefined);
    presence.exit("t", "ada", "1");
    vi.advanceTimersByTime(60_000);
    expect(changes).toEqual([{ topic: "t", joined: [{ user: "ada" }] }]);
    presence.exit("t", "ada", "2");
    presence.exit("t", "ada", "2");
    vi.advanceTimersByTime(4_999);
    expect(changes).toHaveLength(1);
    vi.advanceTimersByTime(1);
    expect(changes).toEqual([
      { topic: "t", joined: [{ user: "ada" }] },
      { topic: "t", left: [{ user: "ada" }] },
    ]);
    expect(presence.table()).toEqual([]);
  });

  it("a user who comes back within the grace period never left", () => {
    const { presence, changes } = start();
    presence.enter("t", "ada", "1", { name: "Ada" });
    presence.exit("t", "ada", "1");
    vi.advanceTimersByTime(4_999);
    presence.enter("t", "ada", "2", { name: "Ada" });
    vi.advanceTimersByTime(60_000);
    expect(changes).toHaveLength(1);
  });

  it("new info of a user who is there is told", () => {
    const { presence, changes } = start();
    presence.enter("t", "ada", "1", { name: "Ada" });
    presence.enter("t", "ada", "2", { name: "Ada L." });
    expect(changes[1]).toEqual({ topic: "t", joined: [{ user: "ada", info: { name: "Ada L." } }] });
  });

  it("an evicted user is gone at once, and topics and users named like an object's own members are like others", () => {
    const { presence, changes } = start();
    presence.enter("__proto__", "constructor", "1", undefined);
    presence.exit("__proto__", "constructor", "1", true);
    expect(changes).toEqual([
      { topic: "__proto__", joined: [{ user: "constructor" }] },
      { topic: "__proto__", left: [{ user: "constructor" }] },
    ]);
  });

  it("clearing it tells nobody and leaves no timer", () => {
    const { presence, changes } = start();
    presence.enter("t", "ada", "1", undefined);
    presence.exit("t", "ada", "1");
    presence.clear();
    expect(vi.getTimerCount()).toBe(0);
    expect(changes).toHaveLength(1);
  });
});

describe("presence of all nodes together", () => {
  const join = (topic: string, ...users: string[]): PresenceChange => ({
    topic,
    joined: users.map((user) => ({ user })),
  });
  const leave = (topic: string, ...users: string[]): PresenceChange => ({
    topic,
    left: users.map((user) => ({ user })),
  });

  it("a user on two nodes joins once and leaves with the second", () => {
    const view = new PresenceView();
    expect(view.apply("a", join("t", "ada"))).toEqual(join("t", "ada"));
    expect(view.apply("b", join("t", "ada"))).toBeUndefined();
    expect(view.list("t")).toEqual([{ user: "ada" }]);
    expect(view.apply("a", leave("t", "ada"))).toBeUndefined();
    expect(view.apply("a", leave("t", "ada"))).toBeUndefined();
    expect(view.apply("b", leave("t", "ada"))).toEqual(leave("t", "ada"));
    expect(view.list("t")).toEqual([]);
  });

  it("a node that died takes only those with it who are nowhere else", () => {
    const view = new PresenceView();
    view.apply("a", join("t", "ada", "grace"));
    view.apply("b", join("t", "grace"));
    expect(view.replace("a", [])).toEqual([leave("t", "ada")]);
    expect(view.list("t")).toEqual([{ user: "grace" }]);
  });

  it("everything a node has replaces what it said before", () => {
    const view = new PresenceView();
    view.apply("a", join("t", "ada"));
    view.apply("a", join("u", "ada"));
    const changes = view.replace("a", [
      ["t", [{ user: "grace" }]],
      ["v", [{ user: "ada" }]],
    ]);
    expect(changes).toHaveLength(3);
    expect(changes).toContainEqual({ topic: "t", joined: [{ user: "grace" }], left: [{ user: "ada" }] });
    expect(changes).toContainEqual(leave("u", "ada"));
    expect(changes).toContainEqual(join("v", "ada"));
  });
});
