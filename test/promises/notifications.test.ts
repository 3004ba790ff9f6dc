import { describe, expect, it, vi } from "vitest";
import { MemoryNotificationStore } from "socket-ingress/notifications";
import type { InboxSnapshot } from "socket-ingress/notifications/client";
import { memoryCluster } from "socket-ingress/testing";
import { comesBack, cut, openStage, sqliteStore, type Stage, type Tab } from "../features/notifications/stage.js";

// The promise of notifications, named by its sentence, over real sockets and in memory, on two nodes that share a store.

describe.each([
  ["over real sockets", false],
  ["in memory", true],
])("%s", (_where, memory) => {
  it.each([
    ["memory", () => Promise.resolve(new MemoryNotificationStore())],
    ["SQLite", () => sqliteStore()],
  ])(
    "32. The unread count of every tab and device equals the store, and never goes back in time. (%s)",
    async (_store, openStore) => {
      const { adapter } = memoryCluster();
      const store = await openStore();
      const node = (): Promise<Stage> => openStage({ store, memory, server: { adapter } });
      await using one = await node();
      await using two = await node();
      const nodes = [one, two] as const;
      const tabs: Tab[] = [];
      const seen = new Map<Tab, InboxSnapshot[]>();
      for (const stage of [one, two, one, two]) {
        const tab = await stage.tab("ada", { limit: 5 }, comesBack);
        tabs.push(tab);
        const snapshots: InboxSnapshot[] = [];
        seen.set(tab, snapshots);
        tab.inbox.subscribe((snapshot) => snapshots.push(snapshot));
      }
      // A storm: everybody sends, marks and loses the connection, with chances that are the same in each run.
      let dice = 42;
      const throwDice = (sides: number): number => {
        dice = (dice * 1_103_515_245 + 12_345) % 2 ** 31;
        return Math.floor((dice / 2 ** 31) * sides);
      };
      const work: Promise<unknown>[] = [];
      for (let i = 0; i < 120; i++) {
        const tab = tabs[throwDice(4)]!;
        const { items } = tab.inbox.getSnapshot();
        const kind = throwDice(10);
        if (kind < 5) work.push(nodes[throwDice(2)]!.notifications.send("ada", { title: `${i}` }));
        else if (kind < 8)
          work.push(tab.inbox.markRead(items[throwDice(items.length)]?.id ?? "nobody's").catch(() => undefined));
        else if (kind < 9) work.push(tab.inbox.markAllRead().catch(() => undefined));
        else if (tab.entered.socket.connected) cut(tab);
        if (i % 4 === 0) await Promise.all(work.splice(0));
        if (i % 10 === 0) await tab.inbox.loadMore().catch(() => undefined);
      }
      await Promise.all(work);

      await vi.waitFor(async () => {
        const { unread, items } = await store.page("ada", { before: undefined, limit: 100 }, -1);
        expect(unread).toBe(items.filter(({ readAt }) => readAt === null).length);
        for (const { inbox } of tabs) {
          const snapshot = inbox.getSnapshot();
          expect(snapshot).toMatchObject({ unread, status: "live" });
          const kept = new Map(items.map((item) => [item.id, item.readAt === null]));
          expect(snapshot.items.map(({ id, readAt }) => [id, readAt === null])).toEqual(
            items.slice(0, snapshot.items.length).map(({ id }) => [id, kept.get(id)]),
          );
        }
      });
      // While everybody sends, and some lose the connection, no count goes down; while all mark and nobody sends, none goes up.
      for (const snapshots of seen.values()) snapshots.splice(0, Infinity, snapshots.at(-1)!);
      const sending = Array.from({ length: 60 }, (_, i) =>
        nodes[i % 2]!.notifications.send("ada", { title: `more ${i}` }),
      );
      cut(tabs[0]!);
      cut(tabs[3]!);
      const sent = await Promise.all(sending);
      const { unread } = await store.page("ada", { before: undefined, limit: 1 }, -1);
      await Promise.all(tabs.map((tab) => tab.unread(unread)));
      for (const snapshots of seen.values()) {
        const counts = snapshots.splice(0, Infinity, snapshots.at(-1)!).map((snapshot) => snapshot.unread);
        expect(counts).toEqual(counts.toSorted((a, b) => a - b));
      }
      await Promise.all(sent.map(({ notification }, i) => tabs[i % 4]!.inbox.markRead(notification!.id)));
      await Promise.all(tabs.map(({ inbox }) => inbox.markAllRead()));
      await Promise.all(tabs.map((tab) => tab.unread(0)));
      for (const snapshots of seen.values()) {
        const counts = snapshots.map((snapshot) => snapshot.unread);
        expect(counts).toEqual(counts.toSorted((a, b) => b - a));
      }
    },
    60_000,
  );
});
