import { describe, expect, it, vi } from "vitest";
import { openDocument } from "socket-ingress/collab/client";
import { comesBack, cut, openStage, StoreInHand } from "./stage.js";

describe("two editors", () => {
  it("1. both insert at once: when both pause, their texts and that of the server are equal", async () => {
    await using stage = await openStage();
    const [ann, bob] = [await stage.tab("ann"), await stage.tab("bob")];
    for (let i = 0; i < 20; i++) {
      ann.type(`a${i} `, 0);
      bob.type(`b${i} `, 0);
      if (i % 5 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await vi.waitFor(async () => {
      const texts = [ann.text.toString(), bob.text.toString(), await stage.text()];
      expect(new Set(texts).size).toBe(1);
      expect(texts[0]).toHaveLength(140);
    });
  });

  it("2. a cursor says whose it is by the server's word: what a client says about itself is not passed on", async () => {
    await using stage = await openStage();
    const [ann, bob] = [await stage.tab("ann"), await stage.tab("bob")];
    ann.note.awareness.setLocalState({ user: { id: "bob", name: "Bob" }, cursor: { anchor: 1 } });
    const annId = ann.note.awareness.clientID;
    await vi.waitFor(() =>
      expect(bob.note.awareness.getStates().get(annId)).toMatchObject({ user: { id: "ann" }, cursor: { anchor: 1 } }),
    );
    await bob.until(({ users }) => users.length === 2);
    expect(new Set(bob.note.users.map(({ id }) => id))).toEqual(new Set(["ann", "bob"]));
  });

  it("10. edits that were made without a connection on both sides are both there when they meet; undo takes back only one's own", async () => {
    await using stage = await openStage();
    const [ann, bob] = [
      await stage.tab("ann", undefined, {}, comesBack),
      await stage.tab("bob", undefined, {}, comesBack),
    ];
    ann.type("start ");
    await vi.waitFor(() => expect(bob.text.toString()).toBe("start "));
    for (const tab of [ann, bob]) tab.entered.socket.disconnect();
    await Promise.all([ann, bob].map((tab) => tab.until(({ status }) => status === "stale")));
    ann.note.undoManager.stopCapturing();
    ann.type("ann ");
    bob.type("bob ");
    for (const tab of [ann, bob]) tab.entered.socket.connect();
    await vi.waitFor(async () => {
      expect(ann.text.toString()).toBe(bob.text.toString());
      expect(await stage.text()).toBe(ann.text.toString());
      expect(ann.text.toString()).toContain("ann ");
      expect(ann.text.toString()).toContain("bob ");
    });
    ann.note.undo();
    await vi.waitFor(async () => expect(await stage.text()).toBe("start bob "));
    ann.note.redo();
    await vi.waitFor(() => expect(bob.text.toString()).toContain("ann "));
  });

  it("12. the connection is cut ten times while 200 edits are typed: all are there, in order", async () => {
    await using stage = await openStage();
    const [ann, bob] = [await stage.tab("ann", undefined, {}, comesBack), await stage.tab("bob")];
    for (let i = 0; i < 200; i++) {
      ann.type(`${i} `);
      if (i % 20 === 10) {
        cut(ann);
        await ann.until(({ status }) => status === "stale");
      }
      if (i % 20 === 18) await ann.until(({ status }) => status === "live");
      if (i % 7 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    const all = Array.from({ length: 200 }, (_, i) => `${i} `).join("");
    await vi.waitFor(async () => {
      expect(bob.text.toString()).toBe(all);
      expect(await stage.text()).toBe(all);
    });
    await vi.waitFor(() => expect(ann.note.saving).not.toBe("failed"));
  }, 60_000);
});

describe("who may do what", () => {
  it("8. a read-only user who sends an update by hand is refused, others don't see it, and a role that becomes write needs no reload", async () => {
    const writers = new Set(["bob"]);
    await using stage = await openStage({ policy: ({ user = "" }) => (writers.has(user) ? "write" : "read") });
    const [ann, bob] = [await stage.tab("ann"), await stage.tab("bob")];
    expect([ann.note.mode, bob.note.mode]).toEqual(["read", "write"]);
    bob.type("from bob");
    await vi.waitFor(() => expect(ann.text.toString()).toBe("from bob"));
    const Y = await import("yjs");
    const forged = new Y.Doc();
    forged.getText("t").insert(0, "forged");
    const { n } = (await ann.entered.socket.emitWithAck("yo", "doc:42", "AA==", ann.note.doc.clientID, "key")) as {
      n: number;
    };
    const answer: unknown = await ann.entered.socket.emitWithAck("yu", n, Y.encodeStateAsUpdate(forged));
    expect(answer).toMatchObject({ error: { code: "FORBIDDEN" } });
    expect(await stage.text()).toBe("from bob");

    writers.add("ann");
    await stage.door.realtime.review("ann");
    await ann.until(({ mode }) => mode === "write");
    ann.type("!");
    await vi.waitFor(() => expect(bob.text.toString()).toBe("from bob!"));
    writers.delete("ann");
    await stage.door.realtime.review("ann");
    await ann.until(({ mode }) => mode === "read");
  });

  it("9. what is revoked is refused at once, the cursor is gone for all, and onLost is told", async () => {
    const banned = new Set<string>();
    await using stage = await openStage({ policy: ({ user = "" }) => !banned.has(user) && "write" });
    const onLost = vi.fn();
    const [ann, bob] = [await stage.tab("ann", undefined, { onLost }), await stage.tab("bob")];
    ann.note.awareness.setLocalStateField("cursor", 1);
    await bob.until(({ users }) => users.length === 2);
    const { n } = (await ann.entered.socket.emitWithAck("yo", "doc:42", "AA==", ann.note.doc.clientID, "key")) as {
      n: number;
    };
    banned.add("ann");
    await stage.door.realtime.revoke("ann", "doc:42");
    const Y = await import("yjs");
    const doc = new Y.Doc();
    doc.getText("t").insert(0, "late");
    expect(await ann.entered.socket.emitWithAck("yu", n, Y.encodeStateAsUpdate(doc))).toMatchObject({
      error: { code: "FORBIDDEN" },
    });
    expect(await ann.entered.socket.emitWithAck("yo", "doc:42", "AA==", 1, "key")).toMatchObject({
      error: { code: "FORBIDDEN" },
    });
    await bob.until(({ users }) => users.length === 1);
    expect(bob.note.awareness.getStates().size).toBe(1);
    await ann.until(({ status }) => status === "lost");
    expect(onLost).toHaveBeenCalledTimes(1);
    expect(onLost.mock.calls[0]?.[0]).toMatchObject({ code: "FORBIDDEN" });
    expect(ann.note.mode).toBeUndefined();
  });

  it("a document that nobody defined, or that is not for a client, is lost", async () => {
    await using stage = await openStage({ policy: () => false });
    const { client } = await stage.enter({ user: "ann" });
    for (const document of ["doc:1", "other:1"]) {
      const note = openDocument(client, document);
      await expect(note.ready).rejects.toMatchObject({ code: "FORBIDDEN" });
      expect(note.status).toBe("lost");
    }
  });
});

describe("limits", () => {
  it("11. a change above maxUpdateBytes is refused with the limit in its details, the connection lives, and smaller edits work", async () => {
    await using stage = await openStage({ maxUpdateBytes: 2_000 });
    const onRefused = vi.fn();
    const [ann, bob] = [await stage.tab("ann", undefined, { onRefused }), await stage.tab("bob")];
    ann.type("small ");
    await vi.waitFor(() => expect(bob.text.toString()).toBe("small "));
    ann.type("x".repeat(5_000));
    await vi.waitFor(() => expect(onRefused).toHaveBeenCalledTimes(1));
    expect(onRefused.mock.calls[0]?.[0]).toMatchObject({ code: "INVALID_INPUT", details: { maxUpdateBytes: 2_000 } });
    await ann.until(({ status }) => status === "live");
    ann.type("again");
    await vi.waitFor(() => expect(bob.text.toString()).toBe("small again"));
    expect(ann.text.toString()).toBe("small again");
    expect(ann.entered.socket.connected).toBe(true);
  });

  it("11. a full document takes nothing more, with the limit in the details, but what deletes from it", async () => {
    await using stage = await openStage({ maxDocumentBytes: 3_000 });
    const onRefused = vi.fn();
    const [ann, bob] = [await stage.tab("ann", undefined, { onRefused }), await stage.tab("bob")];
    ann.type("x".repeat(2_900));
    await vi.waitFor(() => expect(bob.text.length).toBe(2_900));
    ann.type("y".repeat(500));
    await vi.waitFor(() => expect(onRefused).toHaveBeenCalledTimes(1));
    expect(onRefused.mock.calls[0]?.[0]).toMatchObject({ code: "INVALID_INPUT", details: { maxDocumentBytes: 3_000 } });
    await ann.until(({ status }) => status === "live");
    ann.text.delete(0, 2_000);
    await vi.waitFor(() => expect(bob.text.length).toBe(900));
    ann.type("y".repeat(500));
    await vi.waitFor(() => expect(bob.text.length).toBe(1_400));
  });

  it("no more editors than maxEditors, and no more documents than maxDocuments", async () => {
    await using stage = await openStage({ maxEditors: 1, maxDocuments: 1 });
    await stage.tab("ann");
    const { client } = await stage.enter({ user: "bob" });
    const note = openDocument(client, "doc:42");
    await vi.waitFor(() =>
      expect(note.getSnapshot().error).toMatchObject({ code: "INVALID_INPUT", details: { maxEditors: 1 } }),
    );
    const other = openDocument(client, "doc:43");
    await vi.waitFor(() =>
      expect(other.getSnapshot().error).toMatchObject({ code: "INVALID_INPUT", details: { maxDocuments: 1 } }),
    );
    note.close();
    other.close();
  });
});

describe("saving", () => {
  it("3. edits one after the other lead to one save, autosaveMs after the last", async () => {
    const store = new StoreInHand();
    await using stage = await openStage({ store, autosaveMs: 2_000 });
    const ann = await stage.tab("ann");
    let last = 0;
    for (let i = 0; i < 5; i++) {
      ann.type(`${i}`);
      last = performance.now();
      await vi.waitFor(async () => expect(await stage.text()).toHaveLength(i + 1));
    }
    await ann.until(({ saving }) => saving === "saving");
    await ann.until(({ saving }) => saving === "saved");
    expect(store.calls.append).toBe(1);
    expect(store.appendedAt[0]! - last).toBeGreaterThan(1_900);
    expect(await store.text()).toBe("01234");
  });

  it("3. typing without a pause is saved at least every maxUnsavedMs", async () => {
    const store = new StoreInHand();
    await using stage = await openStage({ store, autosaveMs: 5_000, maxUnsavedMs: 200 });
    const ann = await stage.tab("ann");
    while (store.calls.append < 3) {
      ann.type("x");
      await ann.entered.caughtUp();
    }
    expect((await store.text()).length).toBeGreaterThan(0);
  });

  it("4. the last one leaves: saved at once and let go; a reader who leaves last when nothing has changed calls no store", async () => {
    const store = new StoreInHand();
    await using stage = await openStage({ store, autosaveMs: 60_000, maxUnsavedMs: 60_000 });
    const [ann, bob] = [await stage.tab("ann"), await stage.tab("bob")];
    ann.type("text");
    await vi.waitFor(() => expect(bob.text.toString()).toBe("text"));
    ann.note.close();
    bob.entered.socket.disconnect();
    await vi.waitFor(() => expect(stage.collab.describe()).toEqual([]));
    expect(await store.text()).toBe("text");
    expect(store.calls).toEqual({ load: 1, append: 1, compact: 0 });
    const eve = await stage.tab("eve");
    expect(eve.text.toString()).toBe("text");
    eve.note.close();
    await vi.waitFor(() => expect(stage.collab.describe()).toEqual([]));
    expect(store.calls.append).toBe(1);
  });

  it("6. a store that fails twice or more: editors see failed, nothing is let go, and the first try that it takes stores all", async () => {
    const store = new StoreInHand();
    store.failures = Infinity;
    await using stage = await openStage({ store, autosaveMs: 10 });
    const ann = await stage.tab("ann");
    ann.type("one ");
    await ann.until(({ saving }) => saving === "failed");
    ann.type("two");
    ann.note.close();
    await vi.waitFor(() => expect(stage.collab.describe()).toMatchObject([{ editors: 0, saving: "failed" }]));
    await vi.waitFor(() => expect(store.calls.append).toBeGreaterThan(1));
    const { append } = store.calls;
    store.failures = 0;
    await vi.waitFor(() => expect(stage.collab.describe()).toEqual([]));
    expect(await store.text()).toBe("one two");
    expect(store.calls.append).toBe(append + 1);
  });

  it("6. a store that is slower than maxUnsavedMs never runs two saves at once, and no saves queue up", async () => {
    const store = new StoreInHand();
    store.slowMs = 150;
    await using stage = await openStage({ store, autosaveMs: 10, maxUnsavedMs: 20 });
    const ann = await stage.tab("ann");
    const began = performance.now();
    while (store.calls.append < 4) {
      ann.type("x");
      await ann.entered.caughtUp();
    }
    await ann.until(({ saving }) => saving === "saved");
    expect(store.mostRunning).toBe(1);
    expect(store.calls.append).toBeLessThanOrEqual(Math.ceil((performance.now() - began) / 150) + 1);
    expect(await store.text()).toBe(ann.text.toString());
  });

  it("5. a shutdown with unsaved text stores it, also when slow events use up the grace", async () => {
    const store = new StoreInHand();
    await using stage = await openStage({ store, autosaveMs: 60_000, maxUnsavedMs: 60_000 });
    stage.door.ingress.subscribe("slow", () => new Promise(() => undefined), { timeoutMs: Infinity });
    const ann = await stage.tab("ann");
    ann.type("unsaved");
    await vi.waitFor(async () => expect(await stage.text()).toBe("unsaved"));
    ann.entered.socket.emit("slow");
    await ann.entered.caughtUp();
    await stage.door.manager.shutdown({ graceMs: 50 });
    expect(await store.text()).toBe("unsaved");
  });

  it("a log of many saves is compacted, and nothing is lost", async () => {
    const store = new StoreInHand();
    await using stage = await openStage({ store, autosaveMs: 1, compactAfter: 4 });
    const ann = await stage.tab("ann");
    for (let i = 0; i < 10; i++) {
      ann.type(`${i}`);
      await vi.waitFor(() => expect(store.calls.append).toBeGreaterThan(i));
      await ann.until(({ saving }) => saving === "saved");
    }
    expect(store.calls.compact).toBeGreaterThan(0);
    expect(store.inner.load("doc:42").updates.length).toBeLessThan(9);
    expect(await store.text()).toBe("0123456789");
  });
});

describe("the server's own edits", () => {
  it("reach everybody, are saved, and leave no document open", async () => {
    const store = new StoreInHand();
    await using stage = await openStage({ store });
    await stage.collab.edit("doc:42", (doc) => doc.getText("t").insert(0, "from a job"));
    expect(await stage.text()).toBe("from a job");
    await stage.collab.flush();
    expect(await store.text()).toBe("from a job");
    await vi.waitFor(() => expect(stage.collab.describe()).toEqual([]));
    const ann = await stage.tab("ann");
    expect(ann.text.toString()).toBe("from a job");
    await stage.collab.edit("doc:42", (doc) => doc.getText("t").delete(0, 5));
    await vi.waitFor(() => expect(ann.text.toString()).toBe("a job"));
  });

  it("an edit that throws tells its caller, and what it had changed is told to everybody", async () => {
    await using stage = await openStage();
    const ann = await stage.tab("ann");
    const edit = stage.collab.edit("doc:42", (doc) => {
      doc.getText("t").insert(0, "half");
      throw new Error("no");
    });
    await expect(edit).rejects.toThrow("no");
    await vi.waitFor(() => expect(ann.text.toString()).toBe("half"));
    expect(await stage.text()).toBe("half");
  });

  it("of a document that nobody defined are a TypeError", async () => {
    await using stage = await openStage();
    expect(() => stage.collab.edit("other:1", () => undefined)).toThrow(
      'Collab.edit: expected a document that was defined, got "other:1"',
    );
  });
});

it("14. 1,000 documents opened and closed: no document, timer or listener is left", async () => {
  await using stage = await openStage();
  const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
  let [before, most] = [Infinity, 0];
  for (let round = 0; round < 20; round++) {
    const { client, entered } = await stage.enter({ user: "ann" });
    const serverSide = stage.door.served.serverSide(entered.socket);
    const listeners = () => [
      // Of an event it has one, from the first time on that it is sent.
      Math.max(1, ...serverSide.eventNames().map((event) => serverSide.listenerCount(event as string))),
      ...["yu", "yc", "yk", "yn", "ys", "ym"].map((event) => entered.socket.listeners(event).length),
    ];
    const listening = listeners();
    const notes = Array.from({ length: 50 }, (_, i) => openDocument(client, `doc:${round * 50 + i}`));
    await Promise.all(notes.map((note) => note.ready));
    for (const note of notes) note.doc.getText("t").insert(0, "x");
    most = Math.max(most, stage.collab.describe().length);
    for (const note of notes) note.close();
    await vi.waitFor(() => expect(stage.collab.describe()).toEqual([]));
    expect(stage.door.realtime.topicsOf(serverSide)).toEqual([]);
    expect(listeners()).toEqual(listening);
    client.close();
    entered.socket.disconnect();
    await vi.waitFor(() => expect(stage.door.served.io.sockets.sockets.size).toBe(0));
    before = Math.min(before, timers());
    expect(timers()).toBeLessThan(before + 10);
  }
  expect(most).toBe(50);
}, 120_000);
