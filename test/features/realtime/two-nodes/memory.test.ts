import { describe, expect, it, vi } from "vitest";
import type { PresenceChange } from "socket-ingress/realtime";
import { startInMemory } from "./memory.js";
import { testTwoNodes } from "./two-nodes-suite.js";

describe("with two nodes joined in memory", () => testTwoNodes(startInMemory));

describe("when two nodes can't hear each other", () => {
  it("each buries the other's users, and both find them again", async () => {
    await using nodes = await startInMemory();
    const [ada, grace] = [await nodes.enter(0, { user: "ada" }), await nodes.enter(1, { user: "grace" })];
    await ada.join("p:1");
    await grace.join("p:1");
    const users = async (node: 0 | 1): Promise<string[]> =>
      (await nodes.run(node, (realtime) => realtime.list("p:1"))).map(({ user }) => user).sort();
    const lists = async (): Promise<string[][]> => [await users(0), await users(1)];
    const both = ["ada", "grace"];
    await vi.waitFor(async () => expect(await lists()).toEqual([both, both]));

    const join = nodes.partition();
    await vi.waitFor(async () => expect(await lists()).toEqual([["ada"], ["grace"]]));
    // What happens meanwhile is not heard, and found out about afterwards.
    const edsger = await nodes.enter(1, { user: "edsger" });
    await edsger.join("p:1");
    join();
    const all = ["ada", "edsger", "grace"];
    await vi.waitFor(async () => expect(await lists()).toEqual([all, all]));

    const seen = (): string[] => {
      const users = new Set<string>();
      for (const { joined = [], left = [] } of ada.got("ingress:presence") as PresenceChange[]) {
        for (const user of joined as string[]) users.add(user);
        for (const user of left) users.delete(user);
      }
      return [...users].sort();
    };
    await vi.waitFor(() => expect(seen()).toEqual(all));
  });

  it("a difference that got lost is made up for by the next heartbeat", async () => {
    await using nodes = await startInMemory();
    const [ada, grace] = [await nodes.enter(0, { user: "ada" }), await nodes.enter(1, { user: "grace" })];
    await ada.join("p:1");
    const list = (): Promise<string[]> => nodes.run(0, (realtime) => realtime.list("p:1").map(({ user }) => user));
    await vi.waitFor(async () => expect(await nodes.run(1, (realtime) => realtime.list("p:1"))).toHaveLength(1));
    const join = nodes.partition();
    await grace.join("p:1");
    join();
    await vi.waitFor(async () => expect((await list()).sort()).toEqual(["ada", "grace"]));
  });

  it("a push reaches those it can and says so", async () => {
    await using nodes = await startInMemory();
    await nodes.enter(0);
    await nodes.enter(1);
    const join = nodes.partition();
    expect(await nodes.run(0, (realtime, door) => realtime.count(door.everyone()))).toMatchObject({
      sockets: 1,
      nodes: 1,
    });
    join();
    expect(await nodes.run(0, (realtime, door) => realtime.count(door.everyone()))).toMatchObject({
      sockets: 2,
      nodes: 2,
    });
  });
});
