import { setTimeout as wait } from "node:timers/promises";
import { describe, expect, it, vi } from "vitest";
import { user } from "socket-ingress/realtime";
import { RawClient } from "../../fixtures/raw-client.js";
import { RawPolling } from "../../fixtures/raw-polling.js";
import { openLimited, type Stage } from "./stage.js";

const isPublic: Pick<Parameters<typeof openLimited>[1] & object, "before"> = {
  before: (_manager, realtime) => void realtime.topics.define("t:{id}", { public: true }),
};

/** What waits in the process, for all connections together. */
function waiting({ served, ingress }: Stage): number {
  return [...served.io.sockets.sockets.values()].reduce((sum, socket) => sum + ingress.bufferedBytes(socket), 0);
}

describe("slow consumers", () => {
  it(
    "end by what is binary, too, pings are nothing, and who limits anew is not undone by the undo before",
    { timeout: 60_000 },
    async () => {
      await using stage = await openLimited(() => undefined, { server: { pingInterval: 20, pingTimeout: 60_000 } });
      const before = stage.limits.slowConsumers({ maxBytes: 1_000_000_000 });
      const off = stage.limits.slowConsumers({ maxBytes: 1_000_000 });
      before();
      await using deaf = await RawClient.connect(stage.served.url);
      deaf.goDeaf();
      const news = Buffer.alloc(50_000);
      for (let sent = 0; stage.limits.counters().slowConsumers.ended === 0; sent++) {
        stage.served.io.emit("news", news);
        await new Promise(setImmediate);
        if (sent > 20_000) throw new Error("it does not end");
      }
      off();
    },
  );

  it(
    "11. 100 paused readers cost at most 100 x `maxBytes`; others have everything, and the paused end, each counted",
    { timeout: 60_000 },
    async () => {
      const maxBytes = 100_000;
      await using stage = await openLimited((limits) => limits.slowConsumers({ maxBytes }), isPublic);
      const paused = await Promise.all(Array.from({ length: 100 }, () => RawClient.connect(stage.served.url)));
      for (const client of paused) client.goDeaf();
      const healthy = await stage.enter({ user: "ann" });
      const news = "x".repeat(10_000);
      const size = news.length + 20;
      let most = 0;
      let sent = 0;
      // The operating system takes megabytes for each before anything waits in the process.
      while (stage.limits.counters().slowConsumers.ended < 100) {
        stage.served.io.emit("news", ++sent, news);
        await new Promise(setImmediate);
        most = Math.max(most, waiting(stage));
        if (sent > 20_000) throw new Error("they do not end");
      }
      expect(most).toBeGreaterThan(0);
      // A reader that reads has at most what was written in the turn.
      expect(most).toBeLessThanOrEqual(100 * maxBytes + 2 * size);
      await vi.waitFor(() => expect(stage.served.io.sockets.sockets.size).toBe(1));
      await healthy.caughtUp();
      expect(healthy.got("news")).toEqual(Array.from({ length: sent }, (_, i) => i + 1));
      for (const client of paused) client.terminate();
    },
  );

  it("11. volatile ones go first, then all but the latest of a key, then the connection: each counted", async () => {
    await using stage = await openLimited((limits) => limits.slowConsumers({ maxBytes: 20_000 }), isPublic);
    const behind = await RawPolling.open(stage.served.url);
    await behind.post(['40{"user":"ann"}']);
    await behind.poll();
    const { realtime, limits } = stage;
    for (let n = 0; n < 5; n++) {
      await realtime.emitSocket("cursor", "x".repeat(9_000), user("ann"), { volatile: true });
      await realtime.emitSocket("cursor", "x".repeat(9_000), [user("ann"), user("bob")], { volatile: true });
      await realtime.emitSocket("price", "x".repeat(9_000), user("ann"), { latest: "EURUSD" });
    }
    expect(limits.counters().slowConsumers).toEqual({ dropped: 10, replaced: 4, ended: 0 });
    const [socket] = stage.served.io.sockets.sockets.values();
    expect(socket?.connected).toBe(true);
    for (let n = 0; n < 3; n++) {
      await realtime.emitSocket("news", "x".repeat(9_000), user("ann"));
      await new Promise(setImmediate);
    }
    await vi.waitFor(() => expect(limits.counters().slowConsumers.ended).toBe(1));
    await vi.waitFor(() => expect(socket?.connected).toBe(false));
  });

  it("a burst, or one packet that is larger, ends nobody who reads", async () => {
    await using stage = await openLimited((limits) => limits.slowConsumers({ maxBytes: 10_000 }), isPublic);
    const ann = await stage.enter({ user: "ann" });
    for (let n = 0; n < 3; n++) {
      void stage.realtime.emitSocket("snapshot", "x".repeat(50_000), user("ann"));
      await ann.caughtUp();
    }
    for (let n = 0; n < 30; n++) void stage.realtime.emitSocket("burst", "x".repeat(1_000), user("ann"));
    await ann.caughtUp();
    await wait(0);
    expect([ann.got("snapshot").length, ann.got("burst").length]).toEqual([3, 30]);
    expect(stage.limits.counters().slowConsumers.ended).toBe(0);
  });

  it("are watched from the moment it is declared, and no longer than until it is taken back", async () => {
    await using stage = await openLimited(() => undefined, isPublic);
    const ann = await stage.enter({ user: "ann" });
    const { conn } = stage.served.serverSide(ann.socket);
    const listeners = (): number => conn.listenerCount("packetCreate");
    const off = stage.limits.slowConsumers();
    expect(listeners()).toBe(1);
    stage.limits.slowConsumers({ maxBytes: 5 });
    off();
    expect(listeners()).toBe(1);
    await stage.limits.teardown();
    expect(listeners()).toBe(0);
  });

  it("a limit that does not fit is refused at once", async () => {
    await using stage = await openLimited(() => undefined);
    expect(() => stage.limits.slowConsumers({ maxBytes: 0 })).toThrow(
      "limits.slowConsumers: maxBytes must be a number of bytes from 1, got 0",
    );
  });
});
