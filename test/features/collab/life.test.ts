import { expect, it, vi } from "vitest";
import * as Y from "yjs";
import { Awareness } from "y-protocols/awareness";
import { EventError } from "socket-ingress";
import { MemoryDocumentStore } from "socket-ingress/collab";
import { openDocument } from "socket-ingress/collab/client";
import { deferred } from "../../fixtures/deferred.js";
import { byHand, comesBack, cut, openStage, StoreInHand } from "./stage.js";

const never = { autosaveMs: 600_000, maxUnsavedMs: 600_000 };

/** A change that a client with this id makes to an empty document. */
function update(clientId: number, change: (doc: Y.Doc) => void): Uint8Array {
  const doc = new Y.Doc();
  doc.clientID = clientId;
  change(doc);
  return Y.encodeStateAsUpdate(doc).slice();
}

it("what could not be saved is named by flush, and by the log when it is lost with a teardown", async () => {
  const store = new StoreInHand();
  store.failures = Infinity;
  await using stage = await openStage({ store, ...never });
  await stage.collab.edit("doc:42", (doc) => doc.getText("t").insert(0, "text"));
  await expect(stage.collab.flush()).rejects.toThrow("Collab: could not be saved: doc:42");
  expect(stage.collab.describe()).toMatchObject([{ document: "doc:42", saving: "failed" }]);
  await stage.collab.teardown();
  const lost = stage.door.log.lines.filter(({ message }) => /what was changed last is lost/.test(message ?? ""));
  expect(lost.map(({ fields }) => fields["document"])).toEqual(["doc:42"]);
});

it("a store that can't load a document keeps its clients waiting, and they come in by themselves when it can", async () => {
  const inner = new MemoryDocumentStore();
  let isDown = true;
  const store = {
    load: (document: string) => (isDown ? Promise.reject(new Error("down")) : inner.load(document)),
    append: (document: string, bytes: Uint8Array) => inner.append(document, bytes),
  };
  await using stage = await openStage({ store });
  const { client } = await stage.enter({ user: "ann" });
  const note = openDocument(client, "doc:42");
  await vi.waitFor(() => expect(note.getSnapshot()).toMatchObject({ status: "loading", error: { code: "INTERNAL" } }));
  expect(stage.collab.describe()).toEqual([]);
  isDown = false;
  await note.ready;
  expect(note.status).toBe("live");
  note.close();
});

it("what is taken away while it is loaded is not given", async () => {
  const inner = new MemoryDocumentStore();
  const [asked, released] = [deferred(), deferred()];
  const store = {
    async load(document: string) {
      asked.resolve();
      await released.promise;
      return inner.load(document);
    },
    append: (document: string, bytes: Uint8Array) => inner.append(document, bytes),
  };
  const banned = new Set<string>();
  await using stage = await openStage({ store, policy: ({ user = "" }) => !banned.has(user) && "write" });
  const { entered } = await stage.enter({ user: "ann" });
  await entered.join("doc:42");
  const answer: Promise<unknown> = entered.socket.emitWithAck("yo", "doc:42", "AA==", 1, "key");
  await asked.promise;
  banned.add("ann");
  await stage.door.realtime.revoke("ann", "doc:42");
  released.resolve();
  expect(await answer).toMatchObject({ error: { code: "FORBIDDEN" } });
  await vi.waitFor(() => expect(stage.collab.describe()).toEqual([]));
});

it("guests are users without an id, each by themselves", async () => {
  await using stage = await openStage();
  await using one = await stage.tab();
  await using _ = await stage.tab();
  await one.until(({ users }) => users.length === 2);
  expect(one.note.users.map(({ id, name }) => [id, name])).toEqual([
    [null, "Guest"],
    [null, "Guest"],
  ]);
});

it("a client that goes on under another id points no more under the one it had", async () => {
  await using stage = await openStage();
  const ann = await stage.tab("ann");
  const bob = await byHand(stage, "bob", 98);
  bob.entered.socket.emit("yc", bob.n(), { cursor: 1 });
  await ann.until(({ users }) => users.length === 2);
  await bob.sync(97);
  await ann.until(({ users }) => users.length === 1);
  expect(ann.note.awareness.getStates().has(98)).toBe(false);
});

it("nobody points who is not in, or in no document, and null is nowhere", async () => {
  await using stage = await openStage();
  const ann = await stage.tab("ann");
  const bob = await byHand(stage, "bob");
  const point = (...args: unknown[]): Promise<unknown> => bob.entered.socket.emitWithAck("yc", ...args);
  for (const args of [[], ["doc:42", {}], [bob.n() + 1_000, {}]])
    expect(await point(...args)).toMatchObject({ error: { code: "FORBIDDEN" } });
  await point(bob.n(), { cursor: 1 });
  await ann.until(({ users }) => users.length === 2);
  await point(bob.n(), null);
  await ann.until(({ users }) => users.length === 1);
  await point(bob.n());
});

it("after a login a change is CONFLICT until it is known what the user may do, and is then taken under an id of theirs", async () => {
  let asked = deferred();
  let answered: Promise<void> | undefined;
  await using stage = await openStage({
    policy: async () => {
      asked.resolve();
      await answered;
      return "write" as const;
    },
  });
  const ann = await byHand(stage, "ann");
  const release = deferred();
  answered = release.promise;
  asked = deferred();
  // A login, after which nobody knows yet what this one may.
  const reviewed = stage.door.realtime.setUser(stage.door.served.serverSide(ann.entered.socket) as never, "eve");
  await asked.promise;
  const change = update(99, (doc) => doc.getText("t").insert(0, "text"));
  expect(await ann.entered.socket.emitWithAck("yu", ann.n(), change)).toMatchObject({ error: { code: "CONFLICT" } });
  release.resolve();
  await reviewed;
  // What was written under is ann's.
  expect((await ann.sync()).error).toMatchObject({ code: "CONFLICT" });
  const { n } = await ann.sync(97);
  const again = update(97, (doc) => doc.getText("t").insert(0, "text"));
  expect(await ann.entered.socket.emitWithAck("yu", n, again)).toBeUndefined();
  expect(await stage.text()).toBe("text");
});

it.each(["collab", "realtime"] as const)(
  "a change to a document whose %s was torn down and set up again under its client is CONFLICT, which takes nothing back",
  async (torn) => {
    await using stage = await openStage();
    const [ann, bob, eve] = [
      await byHand(stage, "ann", 97),
      await byHand(stage, "bob", 98),
      await byHand(stage, "eve"),
    ];
    const n = ann.n();
    await stage.door.realtime.revoke("bob", "doc:42");
    const door = torn === "collab" ? stage.collab : stage.door.realtime;
    await door.teardown();
    await door.setup();
    const change = update(97, (doc) => doc.getText("t").insert(0, "text"));
    const send = ({ entered }: typeof ann, to: number) => entered.socket.emitWithAck("yu", to, change);
    expect(await send(ann, n)).toMatchObject({ error: { code: "CONFLICT", message: expect.stringContaining("sync") } });
    // It was taken away before, or never was theirs.
    expect(await send(bob, n)).toMatchObject({ error: { code: "FORBIDDEN" } });
    expect(await send(eve, n + 1_000)).toMatchObject({ error: { code: "FORBIDDEN" } });
    await ann.entered.join("doc:42");
    expect(await send(ann, (await ann.sync(97)).n)).toBeUndefined();
    expect(await stage.text()).toBe("text");
  },
);

it.each(["collab", "realtime"] as const)(
  "what is written as %s is torn down and set up again is in the document in the end",
  async (torn) => {
    await using stage = await openStage();
    const ann = await stage.tab("ann");
    const door = torn === "collab" ? stage.collab : stage.door.realtime;
    await door.teardown();
    await door.setup();
    ann.note.doc.getText("t").insert(0, "text");
    await vi.waitFor(async () => expect(await stage.text()).toBe("text"));
    expect(ann.note.doc.getText("t").toString()).toBe("text");
  },
);

it("what comes behind a refused change goes unheard until the client has synced, and the refusal is told once", async () => {
  await using stage = await openStage();
  const ann = await byHand(stage, "ann");
  const change = update(99, (doc) => doc.getText("t").insert(0, "text"));
  const send = (bytes: unknown): Promise<unknown> => ann.entered.socket.emitWithAck("yu", ann.n(), bytes);
  expect(await send("!!!")).toMatchObject({ error: { code: "INVALID_INPUT" } });
  expect(await send(change)).toBeUndefined();
  expect(await stage.text()).toBe("");
  expect(ann.entered.got("yn")).toHaveLength(1);
  await ann.sync();
  expect(await ann.send(change)).toBe("taken");
  // Nor is it an error to send what is there.
  expect(await ann.send(change)).toBe("taken");
  expect(await stage.text()).toBe("text");
});

it("a change whose parts hang on those of others that it brings along is taken, whoever stands first in it", async () => {
  await using stage = await openStage();
  const ann = await byHand(stage, "ann", 3);
  const first = update(3, (doc) => doc.getText("t").insert(0, "base"));
  const behind = (clientId: number): Uint8Array => {
    const doc = new Y.Doc();
    Y.applyUpdate(doc, first);
    doc.clientID = clientId;
    doc.getText("t").insert(4, String(clientId));
    return Y.encodeStateAsUpdate(doc);
  };
  expect(await ann.send(Y.mergeUpdates([behind(1), behind(2)]).slice())).toBe("taken");
  expect(await stage.text()).toBe("base12");
  // How many clients an update has takes more than a byte, then.
  const many = Array.from({ length: 200 }, (_, i) => update(1_000 + i, (doc) => doc.getArray("list").push([i])));
  expect(await ann.send(Y.mergeUpdates(many).slice())).toBe("taken");
  expect(await stage.collab.read("doc:42", (doc) => doc.getArray("list").length)).toBe(200);
});

it("no other document is opened when the open ones have maxTotalBytes, and those that are go on", async () => {
  await using stage = await openStage({ maxTotalBytes: 500 });
  const ann = await stage.tab("ann");
  ann.type("x".repeat(600));
  await vi.waitFor(async () => expect(await stage.text()).toHaveLength(600));
  const note = openDocument(ann.client, "doc:43");
  await vi.waitFor(() =>
    expect(note.getSnapshot().error).toMatchObject({ code: "INVALID_INPUT", details: { maxTotalBytes: 500 } }),
  );
  note.close();
  ann.type("!");
  await vi.waitFor(async () => expect(await stage.text()).toHaveLength(601));
});

it("a document that is full is full for one change after the other", async () => {
  await using stage = await openStage({ maxDocumentBytes: 100 });
  const ann = await byHand(stage, "ann");
  for (let i = 0; i < 3; i++)
    expect(await ann.send(update(99, (doc) => doc.getText("t").insert(0, "x".repeat(200))))).toBe("INVALID_INPUT");
  expect(await stage.text()).toBe("");
});

it("who joined the topic and never asked for the document leaves it as it is", async () => {
  await using stage = await openStage();
  const ann = await stage.tab("ann");
  const { entered } = await stage.enter({ user: "bob" });
  await entered.join("doc:42");
  await entered.leave("doc:42");
  expect(stage.collab.describe()).toMatchObject([{ editors: 1 }]);
  ann.type("text");
  await vi.waitFor(async () => expect(await stage.text()).toBe("text"));
});

it("what an observer adds to an edit of the server goes out with it", async () => {
  await using stage = await openStage();
  const ann = await stage.tab("ann");
  await stage.collab.edit("doc:42", (doc) => {
    doc.getText("t").observe(() => doc.getMap("seen").set("length", doc.getText("t").length));
    doc.getText("t").insert(0, "text");
  });
  await vi.waitFor(() => expect(ann.text.toString()).toBe("text"));
  expect(ann.note.doc.getMap("seen").get("length")).toBe(4);
});

it("a document is opened once by a client, which may close it and open it anew", async () => {
  await using stage = await openStage();
  const ann = await stage.tab("ann");
  expect(() => openDocument(ann.client, "doc:42")).toThrow('"doc:42" is open already');
  ann.note.close();
  const awareness = new Awareness(new Y.Doc());
  const again = openDocument(ann.client, "doc:42", { doc: awareness.doc, awareness });
  await again.ready;
  again.close();
  // It is not the document's to end.
  awareness.setLocalStateField("still", "there");
  expect(awareness.getLocalState()).toMatchObject({ still: "there" });
  awareness.destroy();
});

it("a document whose name is none is refused, and leaves nothing behind", async () => {
  await using stage = await openStage();
  const ann = await stage.tab("ann");
  const doc = new Y.Doc();
  const [on, off] = [vi.spyOn(doc, "on"), vi.spyOn(doc, "off")];
  const heard = vi.spyOn(ann.client, "on");
  expect(() => openDocument(ann.client, "", { doc })).toThrow(TypeError);
  expect(on.mock.calls.length).toBeGreaterThan(0);
  expect(off.mock.calls).toEqual(expect.arrayContaining(on.mock.calls.filter(([event]) => event === "update")));
  expect(heard).toHaveBeenCalled();
  openDocument(ann.client, "doc:other", { doc }).close();
});

it("a document that is closed before anything is known of it opens nothing, whatever is answered then", async () => {
  const answered = deferred();
  await using stage = await openStage({
    policy: async () => {
      await answered.promise;
      return false as const;
    },
  });
  const { client, entered } = await stage.enter({ user: "ann" });
  const onLost = vi.fn();
  const note = openDocument(client, "doc:42", { onLost });
  note.close();
  await note.ready;
  answered.resolve();
  await entered.caughtUp();
  expect(onLost).not.toHaveBeenCalled();
  expect(stage.collab.describe()).toEqual([]);
});

it("a document that is closed, or cut off, while the server is asked stays as it is; the latter comes back", async () => {
  const inner = new MemoryDocumentStore();
  const asked: (() => void)[] = [];
  let isHeld = true;
  const store = {
    load: async (document: string) => {
      if (isHeld) await new Promise<void>((resolve) => asked.push(resolve));
      return inner.load(document);
    },
    append: (document: string, bytes: Uint8Array) => inner.append(document, bytes),
  };
  await using stage = await openStage({ store });
  const { client, entered } = await stage.enter({ user: "ann" }, comesBack);
  const [closed, back] = [openDocument(client, "doc:1"), openDocument(client, "doc:2")];
  await vi.waitFor(() => expect(asked).toHaveLength(2));
  closed.close();
  asked[0]?.();
  await entered.caughtUp();
  cut({ entered });
  isHeld = false;
  asked[1]?.();
  await back.ready;
  expect(closed.getSnapshot().status).toBe("loading");
  back.close();
});

it("a client id that is somebody else's by now is exchanged for another one, and one's place goes with it", async () => {
  await using stage = await openStage();
  const bob = await byHand(stage, "bob", 98);
  const doc = new Y.Doc();
  doc.clientID = 98;
  const { client } = await stage.enter({ user: "ann" });
  const note = openDocument(client, "doc:42", { doc });
  note.awareness.setLocalStateField("cursor", 1);
  await note.ready;
  expect(doc.clientID).not.toBe(98);
  expect(note.awareness.clientID).toBe(doc.clientID);
  expect(note.awareness.getLocalState()).toMatchObject({ cursor: 1, user: { id: "ann" } });
  note.close();
  await bob.entered.caughtUp();
});

it("a document that can't be joined for the moment is joined when the server said", async () => {
  let refusals = 1;
  await using stage = await openStage({
    policy: () => {
      if (refusals-- > 0) throw new EventError("OVERLOADED", "not now", { retryAfterMs: 20 });
      return "write";
    },
  });
  const { client } = await stage.enter({ user: "ann" });
  const note = openDocument(client, "doc:42");
  const told: unknown[] = [];
  note.subscribe((snapshot) => told.push(snapshot));
  await note.ready;
  expect(told).toContainEqual(
    expect.objectContaining({ status: "loading", error: expect.objectContaining({ code: "OVERLOADED" }) as unknown }),
  );
  expect(note.getSnapshot().error).toBeUndefined();
  note.close();
});

it("what was done while one could only read goes out when one may write, also when the server fails at first", async () => {
  const writers = new Set<string>();
  await using stage = await openStage({ policy: ({ user = "" }) => (writers.has(user) ? "write" : "read") });
  const ann = await stage.tab("ann");
  ann.type("written too soon");
  let failures = 1;
  stage.door.ingress.beforeEvent(({ event }) => {
    if (event === "yo" && failures-- > 0) throw new EventError("OVERLOADED", "not now", { retryAfterMs: 20 });
  });
  writers.add("ann");
  const refused = ann.until(
    ({ status, error }) => status === "stale" && (error as EventError | undefined)?.code === "OVERLOADED",
  );
  await stage.door.realtime.review("ann");
  await refused;
  await ann.until(({ status }) => status === "live");
  await vi.waitFor(async () => expect(await stage.text()).toBe("written too soon"));
});

it("frames of a document that come while another one is opened go to their own", async () => {
  const inner = new MemoryDocumentStore();
  const [asked, released] = [deferred(), deferred()];
  const store = {
    async load(document: string) {
      if (document === "doc:2") {
        asked.resolve();
        await released.promise;
      }
      return inner.load(document);
    },
    append: (document: string, bytes: Uint8Array) => inner.append(document, bytes),
  };
  await using stage = await openStage({ store });
  const [ann, bob] = [await stage.tab("ann", "doc:1"), await stage.tab("bob", "doc:1")];
  const second = openDocument(ann.client, "doc:2");
  await asked.promise;
  bob.type("in the first");
  await vi.waitFor(() => expect(ann.text.toString()).toBe("in the first"));
  released.resolve();
  await second.ready;
  expect(second.doc.getText("t").toString()).toBe("");
  second.close();
});

it("a refused change is taken back whole, also what was deleted in it again", async () => {
  await using stage = await openStage({ maxUpdateBytes: 2_000 });
  const onRefused = vi.fn();
  const ann = await stage.tab("ann", undefined, { onRefused });
  ann.type("kept");
  await vi.waitFor(async () => expect(await stage.text()).toBe("kept"));
  ann.note.doc.transact(() => {
    const list = ann.note.doc.getArray("list");
    const inner = new Y.Array<string>();
    list.push([inner]);
    inner.push(["x"]);
    list.delete(0);
    ann.type("y".repeat(5_000));
  });
  await vi.waitFor(() => expect(onRefused).toHaveBeenCalled());
  await ann.until(({ status }) => status === "live");
  expect(ann.text.toString()).toBe("kept");
  ann.type("!");
  await vi.waitFor(async () => expect(await stage.text()).toBe("kept!"));
});

it("a connection that is recovered with its rooms has the document in step without joining it", async () => {
  await using stage = await openStage({ server: { connectionStateRecovery: {} } });
  const ann = await stage.tab("ann", undefined, {}, comesBack);
  const bob = await stage.tab("bob");
  // It is told an offset, without which nothing is recovered.
  bob.type("before ");
  await vi.waitFor(() => expect(ann.text.toString()).toBe("before "));
  cut(ann);
  await ann.until(({ status }) => status === "stale");
  bob.type("meanwhile");
  await ann.until(({ status }) => status === "live");
  await vi.waitFor(() => expect(ann.text.toString()).toBe("before meanwhile"));
});
