import type { Server } from "socket.io";
import { describe, expect, it, vi } from "vitest";
import { type Memberships, MemoryMemberships, user } from "socket-ingress/realtime";
import { memoryCluster } from "socket-ingress/testing";
import { type Door, type DoorOptions, open } from "../features/realtime/door.js";

/** Two nodes in memory, the second with options of its own. */
async function openTwo(options: DoorOptions = {}): Promise<{ here: Door; there: Door } & AsyncDisposable> {
  const { adapter } = memoryCluster();
  const before: DoorOptions["before"] = (_manager, realtime) => realtime.topics.define("t", { public: true });
  const here = await open({ server: { adapter }, before });
  const there = await open({ server: { adapter }, before, ...options });
  return {
    here,
    there,
    [Symbol.asyncDispose]: async () => {
      await here[Symbol.asyncDispose]();
      await there[Symbol.asyncDispose]();
    },
  };
}

function adapterOf(io: Server): { serverCount(): Promise<number> } {
  return io.of("/").adapter;
}

describe("when the adapter can't count its nodes", () => {
  it("nothing is said to be complete, and the other nodes are told all the same", async () => {
    await using nodes = await openTwo();
    const { here, there } = nodes;
    const tab = await there.enter({ user: "ada", session: "before" });
    await tab.join("t");
    vi.spyOn(adapterOf(here.served.io), "serverCount").mockRejectedValue(new Error("no connection"));
    expect(await here.realtime.count(user("ada"))).toMatchObject({ complete: false });
    expect(await here.realtime.revoke("ada", "t")).toEqual({ sockets: 0, nodes: 0, complete: false });
    expect(await tab.next("ingress:evicted")).toMatchObject({ topic: "t" });
    expect(await here.realtime.rotateSession("before", "after", { user: "grace" })).toMatchObject({ complete: false });
    await vi.waitFor(() =>
      expect(there.realtime.identify(there.served.serverSide(tab.socket))).toEqual({ user: "grace", session: "after" }),
    );
    await here.realtime.emitSocket("e", 1, { user: "grace", sessionId: "after" });
    expect(await tab.next("e")).toBe(1);
  });
});

describe("when another node fails at what it was asked to do", () => {
  it("the answer is not complete", async () => {
    const memory = new MemoryMemberships();
    const broken: Memberships = {
      add: (place, member) => memory.add(place, member),
      remove: (place, member) => memory.remove(place, member),
      members: (place) => memory.members(place),
      places: async (member) => {
        if (member === "grace") throw new Error("the store is down");
        return memory.places(member);
      },
    };
    await using nodes = await openTwo({ memberships: broken });
    const { here, there } = nodes;
    await there.enter({ user: "ada", session: "before" });
    expect(await here.realtime.rotateSession("before", "after", { user: "grace" })).toMatchObject({ complete: false });
  });
});

it("a push that fails on its way may have reached somebody", async () => {
  await using nodes = await openTwo();
  const { here } = nodes;
  vi.spyOn(here.served.io.of("/").adapter, "broadcast").mockImplementation(() => {
    throw new Error("no connection");
  });
  expect(await here.realtime.emitSocket("e", 1, user("ada"), { count: true })).toMatchObject({ complete: false });
});
