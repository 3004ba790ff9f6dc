import { createAdapter } from "@socket.io/redis-streams-adapter";
import { expect, it, vi } from "vitest";
import { needs } from "../../fixtures/needs.js";
import { ownRedis } from "../../fixtures/redis.js";
import { openStage, type Stage, sqliteStore } from "./stage.js";

needs("redis")("two nodes that share a store, joined by Redis", () => {
  it("what is marked on one is followed on the other, and what is sent on one reaches the tabs of both", async () => {
    await using redis = await ownRedis();
    const store = await sqliteStore();
    const email = vi.fn(() => true);
    const node = async (): Promise<Stage> => {
      const client = await redis.connect();
      return openStage({
        store,
        keepMs: 86_400_000,
        fallbacks: [{ name: "email", deliver: email }],
        io: (io) => void io.adapter(createAdapter(client, { blockTimeInMs: 50 })),
      });
    };
    await using one = await node();
    await using two = await node();
    const [here, there] = [await one.tab("ada"), await two.tab("ada")];
    // Until it has read something, the adapter asks the stream for what is new "from now" each time.
    const heard = [false, false];
    for (const [i, tab] of [here, there].entries()) tab.entered.socket.on(`probe ${i}`, () => (heard[i] = true));
    await vi.waitFor(() => {
      one.door.served.io.emit("probe 1");
      two.door.served.io.emit("probe 0");
      expect(heard).toEqual([true, true]);
    });

    const { notification, reached, via } = await one.notifications.send("ada", { title: "1" });
    expect([reached, via]).toEqual([2, "socket"]);
    await two.notifications.send("ada", { title: "2" });
    await Promise.all([here.unread(2), there.unread(2)]);
    await here.inbox.markRead(notification!.id);
    await there.unread(1);
    expect(there.titles()).toEqual(["2*", "1"]);
    await there.inbox.markAllRead();
    await here.unread(0);
    expect(here.titles()).toEqual(["2", "1"]);

    there.entered.socket.disconnect();
    await there.until(({ status }) => status === "stale");
    // Nobody is on this node: the other one has said that it has it.
    expect(await two.notifications.send("ada", { title: "3" })).toMatchObject({ reached: 1, via: "socket" });
    await here.unread(1);
    expect(email).not.toHaveBeenCalled();
  }, 60_000);
});
