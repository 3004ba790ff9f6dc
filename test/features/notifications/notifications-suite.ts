import { expect, it, vi } from "vitest";
import type { Fallback, Notification, NotificationStore } from "socket-ingress/notifications";
import { codeOf } from "../../fixtures/ingress.js";
import { comesBack, cut, openStage, StoreInHand } from "./stage.js";

/** A fallback that notes whom it was asked about. */
function fallback(name: string, answer: (asked: Notification) => boolean | Promise<boolean>) {
  const asked: string[] = [];
  const made: Fallback & { asked: string[] } = {
    name,
    asked,
    deliver: (notification) => {
      asked.push(`${notification.user}: ${notification.title}`);
      return answer(notification);
    },
  };
  return made;
}

const DAY = 86_400_000;

/** The acceptance cases, each by its sentence, on any store; each test has a store that nobody else uses. */
export function testNotifications(openStore: () => Promise<NotificationStore>): void {
  it("1. send: it is kept, unread goes up by one in every tab and device, and `reached` is their number", async () => {
    await using stage = await openStage({ store: await openStore() });
    const tabs = [await stage.tab("ada"), await stage.tab("ada"), await stage.tab("ada")];
    const other = await stage.tab("bob");
    const sent = await stage.notifications.send("ada", {
      title: "Shipped",
      message: "Order 7 is on its way",
      icon: "📦",
      data: { order: 7 },
    });
    expect(sent).toMatchObject({ reached: 3, via: "socket", notification: { user: "ada", readAt: null } });
    for (const tab of tabs) {
      const { items } = await tab.unread(1);
      const { user: _, ...item } = sent.notification!;
      expect(items).toEqual([item]);
    }
    expect(other.inbox.getSnapshot()).toMatchObject({ items: [], unread: 0 });
    expect((await stage.tab("ada")).titles()).toEqual(["Shipped*"]);
  });

  it("2. an offline user: it is kept, unread is right at the next login, and the first fallback that says yes has it, and only that one", async () => {
    const fallbacks = [
      fallback("first", () => false),
      fallback("second", () => Promise.resolve(true)),
      fallback("third", () => true),
    ];
    await using stage = await openStage({ store: await openStore(), fallbacks });
    const sent = await stage.notifications.send("ada", { title: "Shipped" });
    expect(sent).toMatchObject({
      reached: 0,
      via: "second",
      notification: { title: "Shipped", message: "", icon: "" },
    });
    expect(fallbacks.map(({ asked }) => asked)).toEqual([["ada: Shipped"], ["ada: Shipped"], []]);
    expect((await stage.tab("ada")).inbox.getSnapshot()).toMatchObject({ unread: 1, more: false, status: "live" });
    expect(await stage.notifications.send("ada", { title: "Arrived" })).toMatchObject({ reached: 1, via: "socket" });
    expect(fallbacks[0]!.asked).toEqual(["ada: Shipped"]);
  });

  it("3. marking one as read is one less everywhere; again, or an unknown or foreign id, changes nothing, never below 0", async () => {
    await using stage = await openStage({ store: await openStore() });
    const [here, there] = [await stage.tab("ada"), await stage.tab("ada")];
    const bob = await stage.tab("bob");
    const { notification: first } = await stage.notifications.send("ada", { title: "1" });
    await stage.notifications.send("ada", { title: "2" });
    const { notification: bobs } = await stage.notifications.send("bob", { title: "b" });
    await Promise.all([here.unread(2), there.unread(2), bob.unread(1)]);
    await here.inbox.markRead(first!.id);
    await there.unread(1);
    expect(there.titles()).toEqual(["2*", "1"]);
    for (const id of [first!.id, "nobody's", bobs!.id]) await there.inbox.markRead(id);
    expect(await there.entered.socket.emitWithAck("notifications:read", [first!.id, bobs!.id])).toMatchObject({
      unread: 1,
    });
    await there.inbox.markAllRead();
    await there.inbox.markAllRead();
    await here.unread(0);
    expect([here.titles(), there.titles(), bob.titles()]).toEqual([["2", "1"], ["2", "1"], ["b*"]]);
    expect(bob.inbox.getSnapshot().unread).toBe(1);
  });

  it("4. marking all with one that arrives meanwhile: that one stays unread", async () => {
    await using stage = await openStage({ store: await openStore() });
    const [here, there] = [await stage.tab("ada"), await stage.tab("ada")];
    for (const title of ["1", "2"]) await stage.notifications.send("ada", { title });
    await Promise.all([here.unread(2), there.unread(2)]);
    const marking = here.inbox.markAllRead();
    expect(here.inbox.getSnapshot().unread).toBe(0);
    await Promise.all([stage.notifications.send("ada", { title: "3" }), marking]);
    for (const tab of [here, there]) {
      await tab.until(({ unread, items }) => unread === 1 && items.length === 3);
      await vi.waitFor(() => expect(tab.titles()).toEqual(["3*", "2", "1"]));
    }
  });

  it("5. two tabs: a stale page that arrives after a newer push does not bring the old count back", async () => {
    const store = new StoreInHand(await openStore());
    await using stage = await openStage({ store });
    const [here, there] = [await stage.tab("ada", {}, comesBack), await stage.tab("ada")];
    const { notification } = await stage.notifications.send("ada", { title: "1" });
    await Promise.all([here.unread(1), there.unread(1)]);

    const release = store.holdPages();
    const pages = store.calls.page;
    cut(here);
    await vi.waitFor(() => expect(store.calls.page).toBeGreaterThan(pages));
    await there.inbox.markRead(notification!.id);
    await stage.notifications.send("ada", { title: "2" });
    await stage.notifications.send("ada", { title: "3" });
    await here.until(({ unread }) => unread === 2);
    const counts: number[] = [];
    here.inbox.subscribe(({ unread }) => counts.push(unread));
    release();
    await here.unread(2);
    expect(here.titles()).toEqual(["3*", "2*", "1"]);
    expect(new Set(counts)).toEqual(new Set([2]));
  });

  it("6. pages by key: of 25 items, one that is inserted between pages 1 and 2, none comes twice and none is skipped", async () => {
    await using stage = await openStage({ store: await openStore() });
    const titles = Array.from({ length: 25 }, (_, i) => String(i + 1));
    for (const title of titles) await stage.notifications.send("ada", { title });
    const tab = await stage.tab("ada", { limit: 10 });
    expect(tab.inbox.getSnapshot()).toMatchObject({ unread: 25, more: true });
    expect(tab.titles()).toHaveLength(10);
    await stage.notifications.send("ada", { title: "26" });
    await tab.unread(26);
    await Promise.all([tab.inbox.loadMore(), tab.inbox.loadMore()]);
    await tab.inbox.loadMore();
    await tab.until(({ more }) => !more);
    expect(tab.titles()).toEqual([...titles, "26"].reverse().map((title) => `${title}*`));
    await tab.inbox.loadMore();
    expect(tab.titles()).toHaveLength(26);
  });

  it("7. the same `idempotencyKey` sent twice, also at once: one notification, one push, no second fallback", async () => {
    const email = fallback("email", () => true);
    await using stage = await openStage({ store: await openStore(), fallbacks: [email] });
    const send = (user: string) =>
      stage.notifications.send(user, { title: "Shipped", idempotencyKey: "order-7-shipped" });
    const both = await Promise.all([send("ada"), send("ada")]);
    const again = await send("ada");
    expect(new Set([...both, again].map(({ notification }) => notification?.id)).size).toBe(1);
    expect(new Set(both.map(({ via }) => via))).toEqual(new Set(["email", undefined]));
    expect(again).toMatchObject({ reached: 0, via: undefined });
    expect(email.asked).toEqual(["ada: Shipped"]);

    const heard: string[] = [];
    const tab = await stage.tab("bob", { onNew: ({ title }) => heard.push(title) });
    expect(
      (await Promise.all([send("bob"), send("bob"), send("bob")])).filter(({ via }) => via === "socket").length,
    ).toBe(1);
    await stage.notifications.send("bob", { title: "last" });
    await tab.unread(2);
    expect(heard).toEqual(["Shipped", "last"]);
  });

  it("8. what is older than `keepMs` is in neither list nor count, and pruning tells the open tabs", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    try {
      await using stage = await openStage({ store: await openStore(), keepMs: DAY });
      const tab = await stage.tab("ada");
      await stage.notifications.send("ada", { title: "old" });
      vi.advanceTimersByTime(DAY / 2);
      await stage.notifications.send("ada", { title: "newer" });
      await tab.unread(2);
      vi.advanceTimersByTime(DAY / 2);
      expect((await stage.tab("ada")).inbox.getSnapshot()).toMatchObject({ unread: 1, items: [{ title: "newer" }] });
      expect(tab.titles()).toEqual(["newer*", "old*"]);
      await stage.notifications.prune();
      await tab.unread(1);
      expect(tab.titles()).toEqual(["newer*"]);
    } finally {
      vi.useRealTimers();
    }
  });

  it("9. an optimistic mark whose call fails: list and badge go back to the truth", async () => {
    const store = new StoreInHand(await openStore());
    await using stage = await openStage({ store });
    const tab = await stage.tab("ada");
    const { notification } = await stage.notifications.send("ada", { title: "1" });
    await stage.notifications.send("ada", { title: "2" });
    await tab.unread(2);
    store.down = true;
    const failures = [tab.inbox.markRead(notification!.id), tab.inbox.markAllRead()].map(async (marking) =>
      codeOf(await marking.catch((error: unknown) => ({ error }))),
    );
    expect([tab.titles(), tab.inbox.getSnapshot().unread]).toEqual([["2", "1"], 0]);
    expect(await Promise.all(failures)).toEqual(["INTERNAL", "INTERNAL"]);
    expect([tab.titles(), tab.inbox.getSnapshot().unread]).toEqual([["2*", "1*"], 2]);
    store.down = false;
    await tab.unread(2);
    expect(tab.titles()).toEqual(["2*", "1*"]);
  });

  it("10. anonymous is UNAUTHENTICATED; another user's id is untouched and not revealed", async () => {
    await using stage = await openStage({ store: await openStore() });
    const ada = await stage.tab("ada");
    const { notification } = await stage.notifications.send("ada", { title: "secret" });
    const nobody = await stage.door.enter({});
    for (const [event, argument] of [
      ["notifications:page", {}],
      ["notifications:read", [notification!.id]],
      ["notifications:readAll", 99],
    ] as const)
      expect(codeOf(await nobody.socket.emitWithAck(event, argument))).toBe("UNAUTHENTICATED");
    const eve = await stage.door.enter({ user: "eve" });
    const told = (id: string): Promise<unknown> => eve.socket.emitWithAck("notifications:read", [id]);
    const { at: _, read: __, ...foreign } = (await told(notification!.id)) as Record<string, unknown>;
    const { at: ___, read: ____, ...unknown } = (await told(crypto.randomUUID())) as Record<string, unknown>;
    expect(foreign).toEqual(unknown);
    expect(JSON.stringify(await eve.socket.emitWithAck("notifications:page", {}))).not.toContain("secret");
    await ada.unread(1);
  });

  it("11. a reconnect loads the first page again: nothing is doubled, and what others have read is taken over", async () => {
    await using stage = await openStage({ store: await openStore() });
    const heard: string[] = [];
    const here = await stage.tab("ada", { limit: 3, onNew: ({ title }) => heard.push(title) }, comesBack);
    const there = await stage.tab("ada");
    for (const title of ["1", "2", "3"]) await stage.notifications.send("ada", { title });
    const { items } = await here.unread(3);
    here.entered.socket.disconnect();
    await here.until(({ status }) => status === "stale");
    await stage.notifications.send("ada", { title: "4" });
    await there.inbox.markRead(items[0]!.id);
    here.entered.socket.connect();
    await here.unread(3);
    expect(here.titles()).toEqual(["4*", "3", "2*"]);
    expect(here.inbox.getSnapshot().more).toBe(true);
    await here.inbox.loadMore();
    await here.until(({ more }) => !more);
    expect(here.titles()).toEqual(["4*", "3", "2*", "1*"]);
    expect(heard).toEqual(["1", "2", "3"]);
  });

  it("12. `wants` false: nothing is kept; `wants` that throws: it is kept, and that is logged", async () => {
    const wants = vi.fn(({ user, title }: { user: string; title: string }) => {
      if (title === "broken") throw new Error("the settings are away");
      return user !== "bob";
    });
    const email = fallback("email", () => true);
    await using stage = await openStage({ store: await openStore(), wants, fallbacks: [email] });
    expect(await stage.notifications.send("bob", { title: "1", data: [1] })).toEqual({
      notification: undefined,
      reached: 0,
      via: undefined,
    });
    expect(wants).toHaveBeenCalledWith({ user: "bob", title: "1", message: "", icon: "", data: [1] });
    expect(email.asked).toEqual([]);
    expect((await stage.tab("bob")).inbox.getSnapshot()).toMatchObject({ items: [], unread: 0 });
    expect(await stage.notifications.send("bob", { title: "broken" })).toMatchObject({ reached: 1 });
    expect(stage.door.log.lines).toContainEqual(
      expect.objectContaining({
        level: "error",
        message: "whether a notification is wanted can't be told; it is kept",
        fields: expect.objectContaining({ err: expect.objectContaining({ message: "the settings are away" }) }),
      }),
    );
  });

  it("13. a store that is down: `send` rejects, tabs are `stale`, and recover", async () => {
    const store = new StoreInHand(await openStore());
    await using stage = await openStage({ store });
    const tab = await stage.tab("ada", {}, comesBack);
    await stage.notifications.send("ada", { title: "1" });
    await tab.unread(1);
    store.down = true;
    await expect(stage.notifications.send("ada", { title: "2" })).rejects.toThrow("the database is away");
    cut(tab);
    const stale = await tab.until(({ status, error }) => status === "stale" && error !== undefined);
    expect([stale.items.length, stale.unread]).toEqual([1, 1]);
    await tab.client.call("sync" as never);
    expect(tab.inbox.getSnapshot().status).toBe("stale");
    store.down = false;
    await tab.unread(1);
    await stage.notifications.send("ada", { title: "2" });
    await tab.unread(2);
  });

  it("what no text of a database holds is replaced in texts, and kept in data", async () => {
    await using stage = await openStage({ store: await openStore() });
    const tab = await stage.tab("ada");
    const odd = "a\0b\ud800c😀";
    const { notification } = await stage.notifications.send("ada", {
      title: odd,
      message: odd,
      icon: odd,
      data: { odd },
    });
    const even = "a\ufffdb\ufffdc😀";
    expect(notification).toMatchObject({ title: even, message: even, icon: even, data: { odd } });
    const { items } = await tab.unread(1);
    expect(items).toMatchObject([{ title: even, message: even, icon: even, data: { odd } }]);
    expect((await stage.tab("ada")).inbox.getSnapshot().items).toEqual(items);
  });

  it("a key whose notification is older than `keepMs` is free again, whether it was pruned or not", async () => {
    await using stage = await openStage({ store: await openStore(), keepMs: 3_600_000 });
    vi.useFakeTimers({ toFake: ["Date"] });
    try {
      // Its Engine.IO takes a clock that jumps for a line that was silent.
      const tab = await stage.tab("ada", {}, comesBack);
      await stage.notifications.send("ada", { title: "this week", idempotencyKey: "weekly" });
      await tab.unread(1);
      vi.setSystemTime(Date.now() + 3_600_000);
      expect(await stage.notifications.send("ada", { title: "next week", idempotencyKey: "weekly" })).toMatchObject({
        notification: { title: "next week" },
        reached: 1,
      });
      await tab.unread(1);
      await stage.notifications.prune();
      await tab.until(() => tab.titles().join() === "next week*");
    } finally {
      vi.useRealTimers();
    }
  });

  it("a list of users: each gets it once, the answers are in the order of the list, and who fails is told", async () => {
    const store = new StoreInHand(await openStore());
    await using stage = await openStage({ store });
    const tab = await stage.tab("user 3");
    const users = Array.from({ length: 250 }, (_, i) => `user ${i}`);
    const sent = await stage.notifications.send([...users, "user 3"], { title: "all" });
    expect(sent.map(({ notification }) => notification?.user)).toEqual([...users, "user 3"]);
    expect(sent.filter(({ reached }) => reached > 0)).toHaveLength(2);
    await tab.unread(1);
    expect(await stage.notifications.send([], { title: "nobody" })).toEqual([]);
    store.down = true;
    await expect(stage.notifications.send(users, { title: "all" })).rejects.toThrow("the database is away");
  });
}
