import { describe, expect, it } from "vitest";
import { MemoryNotificationStore } from "socket-ingress/notifications";
import { deferred } from "../../fixtures/deferred.js";
import { openStage, openTab, type Stage, StoreInHand, type Tab } from "./stage.js";

async function become({ door }: Stage, { entered }: Tab, user: string | undefined): Promise<void> {
  await door.realtime.setUser(door.served.serverSide(entered.socket), user);
}

describe("an inbox whose connection becomes another user's", () => {
  it("turns over: nothing of the one before is shown any more, and the count is the new one's", async () => {
    await using stage = await openStage();
    const { notifications } = stage;
    for (const title of ["a1", "a2", "a3"]) await notifications.send("ada", { title });
    await notifications.send("bob", { title: "b1" });
    const heard: string[] = [];
    const tab = await stage.tab("ada", { onNew: ({ title }) => heard.push(title) });
    const other = await stage.tab("ada");
    const shown: string[] = [];
    await become(stage, tab, "bob");
    await tab.until(({ status }) => status === "loading");
    tab.inbox.subscribe(({ items }) => shown.push(...items.map(({ title }) => title)));
    await tab.unread(1);
    await notifications.send("ada", { title: "a4" });
    await other.unread(4);
    await notifications.send("bob", { title: "b2" });
    await tab.unread(2);
    expect(tab.titles()).toEqual(["b2*", "b1*"]);
    expect(shown.filter((title) => title.startsWith("a"))).toEqual([]);
    expect(heard).toEqual(["b2"]);
    // And back, to more than there was.
    await become(stage, tab, "ada");
    await tab.unread(4);
    expect(tab.titles()).toEqual(["a4*", "a3*", "a2*", "a1*"]);
    await tab.inbox.markAllRead();
    await other.unread(0);
  });

  it("is lost and empty after a logout, and comes back with a login, though it was opened by nobody", async () => {
    await using stage = await openStage();
    await stage.notifications.send("ada", { title: "a1" });
    const tab = openTab(await stage.door.enter());
    await expect(tab.inbox.ready).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
    await become(stage, tab, "ada");
    await tab.unread(1);
    await become(stage, tab, undefined);
    const { items, unread, error } = await tab.until(({ status }) => status === "lost");
    expect([items, unread]).toEqual([[], 0]);
    expect(error).toMatchObject({ code: "UNAUTHENTICATED" });
    await become(stage, tab, "ada");
    await tab.unread(1);
  });

  it("takes no page for its own that was asked for by the one before", async () => {
    const store = new StoreInHand();
    await using stage = await openStage({ store });
    for (const title of ["a1", "a2", "a3"]) await stage.notifications.send("ada", { title });
    await stage.notifications.send("bob", { title: "b1" });
    const tab = await stage.tab("ada", { limit: 1 });
    const { page } = store.calls;
    const release = store.holdPages();
    const more = tab.inbox.loadMore();
    await expect.poll(() => store.calls.page).toBe(page + 1);
    await become(stage, tab, "bob");
    release();
    await more;
    await tab.unread(1);
    expect(tab.titles()).toEqual(["b1*"]);
    expect(tab.inbox.getSnapshot().more).toBe(false);
  });

  it("marks nothing of the new one by what the one before has asked for, and heard of the change too late", async () => {
    await using stage = await openStage();
    for (const title of ["a1", "a2"]) await stage.notifications.send("ada", { title });
    await stage.notifications.send("bob", { title: "b1" });
    const { socket } = await stage.door.enter({ user: "ada" });
    const ask = (event: string, asked: unknown): Promise<unknown> => socket.emitWithAck(event, asked);
    await ask("notifications:page", {});
    const told = new Promise((resolve) => socket.once("notifications:anew", resolve));
    await stage.door.realtime.setUser(stage.door.served.serverSide(socket), "bob");
    await told;
    // As if it had been sent before that was heard: a client that has heard asks for its page first.
    const conflict = { error: { code: "CONFLICT" } };
    expect(await ask("notifications:readAll", 2)).toMatchObject(conflict);
    expect(await ask("notifications:page", { before: 2 })).toMatchObject({ unread: 1 });
    expect(await ask("notifications:read", ["id"])).toMatchObject(conflict);
    expect(await ask("notifications:page", {})).toMatchObject({ unread: 1, items: [{ title: "b1", readAt: null }] });
    expect(await ask("notifications:readAll", 2)).toMatchObject({ unread: 0 });
  });

  it("is marked by nothing that the one before has asked for without a connection, who came back as another", async () => {
    await using stage = await openStage();
    for (const title of ["a1", "a2", "a3"]) await stage.notifications.send("ada", { title });
    for (const title of ["b1", "b2", "b3", "b4"]) await stage.notifications.send("bob", { title });
    const tab = await stage.tab("ada");
    const { socket } = tab.entered;
    socket.disconnect();
    const marked = tab.inbox.markAllRead();
    socket.auth = { user: "bob" };
    const shown: string[] = [];
    tab.inbox.subscribe(
      ({ items, status }) => status === "live" && shown.push(...items.map(({ readAt }) => `${readAt}`)),
    );
    socket.connect();
    await expect(marked).rejects.toMatchObject({ code: "CONFLICT" });
    await tab.unread(4);
    expect(tab.titles()).toEqual(["b4*", "b3*", "b2*", "b1*"]);
    expect(shown.filter((readAt) => readAt !== "null")).toEqual([]);
    // Whoever comes back as the same has marked them.
    socket.disconnect();
    const again = tab.inbox.markAllRead();
    socket.connect();
    await again;
    await tab.unread(0);
  });

  it("does not take over what came of a mark of the one before, which is done all the same", async () => {
    const [asked, marking] = [deferred(), deferred()];
    const inner = new MemoryNotificationStore();
    const store = Object.assign(new StoreInHand(inner), {
      async mark(...args: Parameters<StoreInHand["mark"]>) {
        asked.resolve();
        await marking.promise;
        return inner.mark(...args);
      },
    });
    await using stage = await openStage({ store });
    for (const title of ["a1", "a2", "a3"]) await stage.notifications.send("ada", { title });
    await stage.notifications.send("bob", { title: "b1" });
    const [tab, other] = [await stage.tab("ada"), await stage.tab("ada")];
    const marked = tab.inbox.markAllRead();
    await asked.promise;
    await become(stage, tab, "bob");
    await tab.unread(1);
    marking.resolve();
    await expect(marked).rejects.toMatchObject({ code: "CONFLICT" });
    await other.unread(0);
    expect(tab.titles()).toEqual(["b1*"]);
    await stage.notifications.send("bob", { title: "b2" });
    await tab.unread(2);
  });
});
