import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { LocalPresence } from "../../../src/features/realtime/presence.js";
import { type NodeChange, PresenceView } from "../../../src/features/realtime/presence-view.js";

describe("presence on one node", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  /** What is told: who changed, and what they are then. */
  function start(graceMs = 5_000): { presence: LocalPresence; changes: unknown[] } {
    const changes: unknown[] = [];
    const presence: LocalPresence = new LocalPresence(graceMs, (topic, user) =>
      changes.push([topic, user, presence.get(topic, user)]),
    );
    return { presence, changes };
  }
  const came = ["t", "ada", { user: "ada" }];
  const went = ["t", "ada", undefined];

  it("a user joins with the first tab and leaves once, with the last, after the grace period", () => {
    const { presence, changes } = start();
    presence.enter("t", "ada", "1", undefined);
    presence.enter("t", "ada", "2", undefined);
    presence.enter("t", "ada", "2", undefined);
    presence.exit("t", "ada", "1");
    vi.advanceTimersByTime(60_000);
    expect(changes).toEqual([came]);
    presence.exit("t", "ada", "2");
    presence.exit("t", "ada", "2");
    vi.advanceTimersByTime(4_999);
    expect(changes).toHaveLength(1);
    vi.advanceTimersByTime(1);
    expect(changes).toEqual([came, went]);
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
    expect(changes[1]).toEqual(["t", "ada", { user: "ada", info: { name: "Ada L." } }]);
    expect(presence.table()).toEqual([["t", [{ user: "ada", info: { name: "Ada L." } }]]]);
  });

  it("who is not waited for is gone at once, and topics and users named like an object's own members are like others", () => {
    const { presence, changes } = start();
    presence.enter("__proto__", "constructor", "1", undefined);
    presence.exit("__proto__", "constructor", "1", true);
    expect(changes).toEqual([
      ["__proto__", "constructor", { user: "constructor" }],
      ["__proto__", "constructor", undefined],
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
  const join = (topic: string, ...users: string[]): NodeChange => ({ topic, joined: users.map((user) => ({ user })) });
  const leave = (topic: string, ...users: string[]): NodeChange => ({ topic, left: users });

  it("a user on two nodes joins once and leaves with the second", () => {
    const view = new PresenceView();
    expect(view.apply("a", join("t", "ada"))).toEqual(["ada"]);
    expect(view.apply("b", join("t", "ada"))).toEqual([]);
    expect(view.list("t")).toEqual([{ user: "ada" }]);
    expect(view.apply("a", leave("t", "ada"))).toEqual([]);
    expect(view.apply("a", leave("t", "ada"))).toEqual([]);
    expect(view.get("t", "ada")).toEqual({ user: "ada" });
    expect(view.apply("b", leave("t", "ada"))).toEqual(["ada"]);
    expect([view.list("t"), view.size("t"), view.get("t", "ada")]).toEqual([[], 0, undefined]);
  });

  it("what was said of a user last counts, until whoever said it takes it back", () => {
    const view = new PresenceView();
    const named = (name: string): NodeChange => ({ topic: "t", joined: [{ user: "ada", info: name }] });
    view.apply("a", named("Ada"));
    expect(view.apply("b", named("Ada L."))).toEqual(["ada"]);
    expect(view.list("t")).toEqual([{ user: "ada", info: "Ada L." }]);
    expect(view.apply("b", leave("t", "ada"))).toEqual(["ada"]);
    expect(view.list("t")).toEqual([{ user: "ada", info: "Ada" }]);
  });

  it("a node that died takes only those with it who are nowhere else", () => {
    const view = new PresenceView();
    view.apply("a", join("t", "ada", "grace"));
    view.apply("b", join("t", "grace"));
    expect(view.replace("a", [])).toEqual([["t", ["ada"]]]);
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
    expect(changes).toEqual([
      ["t", ["grace", "ada"]],
      ["u", ["ada"]],
      ["v", ["ada"]],
    ]);
    expect([view.list("t"), view.list("u"), view.list("v")]).toEqual([[{ user: "grace" }], [], [{ user: "ada" }]]);
  });
});
