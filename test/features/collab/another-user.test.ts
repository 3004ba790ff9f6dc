import { describe, expect, it, vi } from "vitest";
import type { EventFailure } from "socket-ingress/client";
import { openDocument } from "socket-ingress/collab/client";
import { openStage, type Stage, type Tab } from "./stage.js";

const PATIENCE = { timeout: 10_000 };

async function become({ door }: Stage, { entered }: Tab, user: string | undefined): Promise<void> {
  await door.realtime.setUser(door.served.serverSide(entered.socket), user);
}

describe("a document whose connection becomes another user's", () => {
  it.each(["bob", undefined])("goes on for %s, who writes under an id of their own", async (next) => {
    await using stage = await openStage({ autosaveMs: 1 });
    await using tab = await stage.tab("ada");
    const { clientID } = tab.note.doc;
    tab.type("A");
    await tab.until(({ saving }) => saving === "saved");
    await become(stage, tab, next);
    await tab.until(({ users }) => users.every(({ id }) => id === (next ?? null)));
    tab.type("B");
    await vi.waitFor(async () => expect(await stage.text()).toBe("AB"), PATIENCE);
    await tab.until(({ status, saving }) => status === "live" && saving === "saved");
    expect(tab.note.doc.clientID).not.toBe(clientID);
  });

  it("goes on as it was for a guest who logs in, though that regenerates the session", async () => {
    await using stage = await openStage();
    await using tab = await stage.tab({ session: "s1" });
    const { clientID } = tab.note.doc;
    tab.type("A");
    await vi.waitFor(async () => expect(await stage.text()).toBe("A"), PATIENCE);
    await stage.door.realtime.rotateSession("s1", "s2", { user: "ada" });
    tab.type("B");
    await vi.waitFor(async () => expect(await stage.text()).toBe("AB"), PATIENCE);
    expect(tab.note.doc.clientID).toBe(clientID);
    // It is ada's from now on.
    await become(stage, tab, "bob");
    await tab.until(({ users }) => users.every(({ id }) => id === "bob"));
    expect(tab.note.doc.clientID).not.toBe(clientID);
  });

  it("is lost with what the one before has written without a connection, which reaches nobody in another's name", async () => {
    await using stage = await openStage();
    const lost: EventFailure[] = [];
    await using tab = await stage.tab("ada", "doc:42", { onLost: (failure) => lost.push(failure) });
    tab.type("A");
    await vi.waitFor(async () => expect(await stage.text()).toBe("A"), PATIENCE);
    const { socket } = tab.entered;
    socket.disconnect();
    tab.type("of ada");
    socket.auth = { user: "bob" };
    socket.connect();
    await tab.until(({ status }) => status === "lost");
    expect(lost).toMatchObject([{ code: "CONFLICT" }]);
    expect(await stage.text()).toBe("A");
    tab.note.close();
    await using again = openDocument(tab.client, "doc:42");
    await again.ready;
    again.doc.getText("t").insert(1, "B");
    await vi.waitFor(async () => expect(await stage.text()).toBe("AB"), PATIENCE);
  });
});
