import { expect, it, vi } from "vitest";
import * as Y from "yjs";
import { Owners } from "../../src/features/collab/owners.js";
import { Keeper, type KeeperOptions } from "../../src/features/collab/saving.js";
import { MemoryDocumentStore } from "socket-ingress/collab";
import { bindTextarea, openDocument } from "socket-ingress/collab/client";
import { topic } from "socket-ingress/realtime";
import { memoryCluster } from "socket-ingress/testing";
import { deferred } from "../fixtures/deferred.js";
import { recordingLog } from "../fixtures/recording-log.js";
import { unhandledDuring } from "../fixtures/unhandled.js";
import { comesBack, cut, openStage, type Stage, StoreInHand, type Tab } from "../features/collab/stage.js";

const never = { autosaveMs: 600_000, maxUnsavedMs: 600_000 };

/** A store whose appends, or loads, are in the test's hands. */
function heldStore(which: "append" | "load") {
  const inner = new MemoryDocumentStore();
  const [begun, released] = [deferred(), deferred()];
  const hold = async (): Promise<void> => {
    begun.resolve();
    await released.promise;
  };
  return {
    begun: begun.promise,
    release: released,
    calls: { append: 0 },
    async load(document: string) {
      if (which === "load") await hold();
      return inner.load(document);
    },
    async append(document: string, update: Uint8Array) {
      this.calls.append++;
      if (which === "append") await hold();
      inner.append(document, update);
    },
  };
}

it("an edit that comes while the documents are saved for the last time is refused, and opens nothing anew", async () => {
  const store = heldStore("append");
  await using stage = await openStage({ store, ...never });
  const ann = await stage.tab("ann");
  ann.type("text");
  await vi.waitFor(async () => expect(await stage.text()).toBe("text"));
  const down = stage.collab.teardown();
  await store.begun;
  await expect(stage.collab.edit("doc:42", (doc) => doc.getText("t").insert(0, "late"))).rejects.toMatchObject({
    code: "SHUTTING_DOWN",
  });
  store.release.resolve();
  await down;
  expect(stage.collab.describe()).toEqual([]);
});

it("an edit whose document is loaded only when all is over is refused: it would be nowhere", async () => {
  const store = heldStore("load");
  await using stage = await openStage({ store });
  const run = vi.fn();
  const edit = stage.collab.edit("doc:42", run);
  await store.begun;
  await stage.collab.teardown();
  store.release.resolve();
  await expect(edit).rejects.toMatchObject({ code: "SHUTTING_DOWN" });
  expect(run).not.toHaveBeenCalled();
});

it("a change that comes while the documents are saved for the last time is kept by its client, and not taken back", async () => {
  const store = heldStore("append");
  await using stage = await openStage({ store, ...never });
  const onRefused = vi.fn();
  const ann = await stage.tab("ann", undefined, { onRefused });
  ann.type("text");
  await vi.waitFor(async () => expect(await stage.text()).toBe("text"));
  const down = stage.collab.teardown();
  await store.begun;
  ann.type(" late");
  await ann.until(({ status }) => status === "stale");
  expect(ann.note.getSnapshot().error).toMatchObject({ code: "SHUTTING_DOWN" });
  expect(ann.text.toString()).toBe("text late");
  expect(onRefused).not.toHaveBeenCalled();
  store.release.resolve();
  await down;
});

it("a number of a document is never another one's, also when the documents were torn down and set up again", async () => {
  await using stage = await openStage();
  const { entered } = await stage.enter({ user: "ann" });
  for (const document of ["doc:1", "doc:2"]) await entered.join(document);
  const numbers: number[] = [];
  for (const document of ["doc:1", "doc:2"]) {
    const { n } = (await entered.socket.emitWithAck("yo", document, "AA==", 99, "key")) as { n: number };
    numbers.push(n);
    await stage.collab.teardown();
    await stage.collab.setup();
  }
  expect(new Set(numbers).size).toBe(2);
});

it("an async function that is given to edit is a TypeError, and what it rejects with ends no process", async () => {
  await using stage = await openStage();
  const unhandled = await unhandledDuring(async () => {
    const edit = stage.collab.edit("doc:42", async () => Promise.reject(new Error("late")));
    await expect(edit).rejects.toThrow("Collab.edit: the function must not be async");
  });
  expect(unhandled).toEqual([]);
});

function keeperOf(options: Partial<KeeperOptions>): Keeper {
  return new Keeper({
    autosaveMs: 1,
    maxUnsavedMs: 1,
    maxBytes: 1_000_000,
    log: recordingLog(),
    append: async () => undefined,
    merge: (updates) => Y.mergeUpdates([...updates]),
    whole: () => new Uint8Array(),
    onState: () => undefined,
    onSaved: () => undefined,
    ...options,
  });
}

const one = ((doc) => (doc.getText("t").insert(0, "x"), Y.encodeStateAsUpdate(doc)))(new Y.Doc());

it("a logger that throws keeps no document from being saved", async () => {
  const broken = Object.assign(recordingLog(), {
    error: () => {
      throw new Error("the disk is full");
    },
  });
  let failures = 1;
  const saved = deferred();
  const keeper = keeperOf({
    log: broken,
    append: async () => {
      if (failures-- > 0) throw new Error("down");
      saved.resolve();
    },
  });
  vi.spyOn(process.stderr, "write").mockReturnValue(true);
  const unhandled = await unhandledDuring(async () => {
    keeper.take("life", 1, one);
    await saved.promise;
  });
  expect(unhandled).toEqual([]);
  expect(await keeper.settle()).toBe(true);
});

it("a document that is as large as it may be is not encoded anew with each change that waits for its store", () => {
  const whole = vi.fn(() => new Uint8Array(1_200));
  const keeper = keeperOf({ autosaveMs: Infinity, maxUnsavedMs: Infinity, maxBytes: 1_000, whole });
  for (let i = 0; i < 1_000; i++) keeper.take("life", i, new Uint8Array(10));
  expect(whole.mock.calls.length).toBeLessThan(10);
  expect(keeper.bytes).toBeLessThan(2_500);
});

it("the client ids of those who have a document open, and those of servers, outlive any number of others", () => {
  const here = new Set([1, 2]);
  const owners = new Owners(() => here);
  owners.claim(1, ["user:ann"]);
  owners.claim(2, ["secret:a"]);
  owners.claim(3, ["server"]);
  owners.claim(4, ["user:bob"]);
  for (let id = 100; id < 6_000; id++) owners.claim(id, [`secret:${id}`]);
  for (let id = 6_000; id < 6_100; id++) owners.claim(id, ["user:ann"]);
  expect([1, 2, 3, 4].map((id) => owners.isForeign(id, ["user:mal"]))).toEqual([true, true, true, false]);
  expect(owners.isForeign(6_099, ["user:mal"])).toBe(true);
  expect(owners.entries().length).toBeLessThanOrEqual(4_096);
});

it("no more documents than maxDocuments are opened by clients that come in one turn", async () => {
  await using stage = await openStage({ maxDocuments: 3, store: new StoreInHand() });
  const { entered } = await stage.enter({ user: "ann" });
  const documents = Array.from({ length: 10 }, (_, i) => `doc:${i}`);
  for (const document of documents) await entered.join(document);
  const answers = await Promise.all(
    documents.map(async (document): Promise<unknown> => entered.socket.emitWithAck("yo", document, "AA==", 99, "key")),
  );
  expect(answers.filter((answer) => !(answer as { error?: unknown }).error)).toHaveLength(3);
  expect(stage.collab.describe()).toHaveLength(3);
});

it("an observer of the application's that throws keeps no change from being saved and passed on, whether it came from a client or from another node", async () => {
  const store = new StoreInHand();
  const { adapter } = memoryCluster();
  await using one = await openStage({ store, server: { adapter } });
  await using other = await openStage({ store, server: { adapter } });
  const [ann, bob, cid] = [await one.tab("ann"), await one.tab("bob"), await other.tab("cid")];
  const edit = one.collab.edit("doc:42", (doc) => {
    doc.getText("t").observe(() => {
      throw new Error("observed");
    });
    doc.getText("t").insert(0, "edited ");
  });
  await expect(edit).rejects.toThrow("observed");
  await vi.waitFor(() => expect([ann, bob, cid].map(({ text }) => text.toString())).toEqual(Array(3).fill("edited ")));
  ann.type("typed ");
  await vi.waitFor(() => expect(bob.text.toString()).toBe("edited typed "));
  cid.type("elsewhere");
  await vi.waitFor(() => expect(bob.text.toString()).toBe("edited typed elsewhere"));
  expect(ann.note.status).toBe("live");
  await one.collab.flush();
  expect(await store.text()).toBe("edited typed elsewhere");
  const lines = one.door.log.lines.filter(({ message }) => message === "what observes a document failed");
  expect(lines.map(({ level, fields }) => [level, fields["document"]])).toEqual([
    ["error", "doc:42"],
    ["error", "doc:42"],
  ]);
});

it("a change that is more than the connection bears is not sent: what was refused is told, and nothing is cut", async () => {
  await using stage = await openStage({ server: { maxHttpBufferSize: 20_000 }, maxUpdateBytes: 10_000 });
  const onRefused = vi.fn();
  const ann = await stage.tab("ann", undefined, { onRefused });
  // In one turn: what is small goes by itself.
  ann.type("small");
  ann.type("x".repeat(30_000));
  await vi.waitFor(() => expect(onRefused).toHaveBeenCalledTimes(1));
  expect(onRefused.mock.calls[0]?.[0]).toMatchObject({ code: "INVALID_INPUT", details: { maxUpdateBytes: 10_000 } });
  await vi.waitFor(() => expect(ann.text.toString()).toBe("small"));
  ann.type(" again");
  await vi.waitFor(async () => expect(await stage.text()).toBe("small again"));
  expect(ann.entered.socket.connected).toBe(true);
  expect(onRefused).toHaveBeenCalledTimes(1);
});

it("what is written while a refused change is taken back is kept, and goes out", async () => {
  await using stage = await openStage({ maxUpdateBytes: 2_000 });
  const ann = await stage.tab("ann", undefined, {
    onRefused: () => {
      ann.type("right after it");
      ann.type("…", 5);
    },
  });
  ann.type("before, ");
  await vi.waitFor(async () => expect(await stage.text()).toBe("before, "));
  ann.type("x".repeat(5_000));
  await vi.waitFor(async () => expect(await stage.text()).toBe(ann.text.toString()));
  expect(ann.text.toString()).toBe("befor…e, right after it");
});

it("many changes of one turn, which are too large together, are sent in parts", async () => {
  await using stage = await openStage({ maxUpdateBytes: 1_000 });
  const onRefused = vi.fn();
  const ann = await stage.tab("ann", undefined, { onRefused });
  for (let i = 0; i < 100; i++) ann.type(`${"x".repeat(100)}${i}\n`);
  await vi.waitFor(async () => expect(await stage.text()).toBe(ann.text.toString()));
  expect(onRefused).not.toHaveBeenCalled();
});

it("a document that many have written in is synced after a reconnect, however small its changes have to be", async () => {
  await using stage = await openStage({ maxUpdateBytes: 1_000 });
  await stage.collab.edit("doc:42", (doc) => {
    for (let i = 0; i < 200; i++) {
      const writer = new Y.Doc();
      writer.getMap("of").set(`${i}`, 1);
      Y.applyUpdate(doc, Y.encodeStateAsUpdate(writer));
    }
  });
  const ann = await stage.tab("ann", undefined, {}, comesBack);
  expect(Y.encodeStateVector(ann.note.doc).byteLength).toBeGreaterThan(1_000);
  cut(ann);
  await ann.until(({ status }) => status === "stale");
  ann.type("back");
  await vi.waitFor(async () => expect(await stage.text()).toBe("back"));
});

it("what was done without a connection is sent in parts where it is too large together, and nothing of it is lost", async () => {
  await using stage = await openStage({ maxUpdateBytes: 1_000 });
  const onRefused = vi.fn();
  const ann = await stage.tab("ann", undefined, { onRefused }, comesBack);
  const bob = await stage.tab("bob");
  ann.type("before\n");
  await vi.waitFor(() => expect(bob.text.toString()).toBe("before\n"));
  cut(ann);
  await ann.until(({ status }) => status === "stale");
  for (let i = 0; i < 100; i++) ann.type(`a line that is typed in a tunnel ${i}\n`);
  ann.text.delete(0, 3);
  bob.type("meanwhile\n", 0);
  await vi.waitFor(() => expect(ann.text.length).toBeGreaterThan(3_000));
  await vi.waitFor(() => expect(bob.text.toString()).toBe(ann.text.toString()));
  expect(bob.text.toString()).toContain("meanwhile\n");
  expect(bob.text.toString()).toContain("in a tunnel 99\n");
  expect(onRefused).not.toHaveBeenCalled();
  // In step again: what is too large is that alone.
  ann.type("x".repeat(5_000));
  await vi.waitFor(() => expect(onRefused).toHaveBeenCalledTimes(1));
  await vi.waitFor(async () => expect(await stage.text()).toBe(ann.text.toString()));
  expect(ann.text.toString()).toContain("in a tunnel 99\n");
});

it("what was typed key by key without a connection arrives whole, where a client has gathered it", async () => {
  await using stage = await openStage({ maxUpdateBytes: 1_100 });
  const onRefused = vi.fn();
  const ann = await stage.tab("ann", undefined, { onRefused }, comesBack);
  cut(ann);
  await ann.until(({ status }) => status === "stale");
  for (let i = 0; i < 1_100; i++) {
    ann.type(`${i % 10}`, ann.text.length);
    if (i % 7 === 6) ann.text.delete(i >> 1, 1);
  }
  const typed = ann.text.toString();
  await vi.waitFor(async () => expect(await stage.text()).toBe(typed));
  expect(ann.text.toString()).toBe(typed);
  expect(onRefused).not.toHaveBeenCalled();
});

it("what is written before a document is open is sent in parts, too", async () => {
  await using stage = await openStage({ maxUpdateBytes: 1_000 });
  const { client } = await stage.enter({ user: "ann" });
  const onRefused = vi.fn();
  await using note = openDocument(client, "doc:42", { onRefused });
  const text = note.doc.getText("t");
  for (let i = 0; i < 100; i++) text.insert(text.length, `line ${i} of a template\n`);
  await vi.waitFor(async () => expect(await stage.text()).toBe(text.toString()));
  expect(onRefused).not.toHaveBeenCalled();
});

it("in a textarea, text whose lines end with a return is edited where it is typed, and not replaced from its first line to its last", async () => {
  await using stage = await openStage();
  await stage.collab.edit("doc:42", (doc) => doc.getText("t").insert(0, "one\r\ntwo\rthree\r\nfour"));
  const [ann, bob] = [await stage.tab("ann"), await stage.tab("bob")];
  let value = "";
  const listeners = new Map<string, () => void>();
  const area = {
    get value() {
      return value;
    },
    set value(text) {
      value = text.replaceAll(/\r\n?/g, "\n"); // the API value of a textarea, as HTML has it
    },
    readOnly: false,
    selectionStart: 0,
    selectionEnd: 0,
    setSelectionRange: () => undefined,
    addEventListener: (event: string, fn: () => void) => void listeners.set(event, fn),
    removeEventListener: (event: string) => void listeners.delete(event),
  };
  const unbind = bindTextarea(area, ann.text, ann.note);
  expect(area.value).toBe("one\ntwo\nthree\nfour");
  // Neither has heard of the other's.
  bob.type("2", bob.text.toString().indexOf("two") + 1);
  area.value = `${area.value}!`;
  listeners.get("input")?.();
  await vi.waitFor(() => expect(bob.text.toString()).toBe("one\nt2wo\nthree\nfour!"));
  await vi.waitFor(() => expect(area.value).toBe("one\nt2wo\nthree\nfour!"));
  unbind();
  expect(listeners.size).toBe(0);
});

/** Has clients of one server come back to another, as those of a node that was killed. */
async function moved(tabs: readonly Tab[], to: Stage): Promise<void> {
  const lost = tabs.map((tab) => tab.until(({ status }) => status === "stale"));
  for (const tab of tabs) {
    Object.assign(tab.entered.socket.io, { uri: to.door.served.url });
    cut(tab);
  }
  await Promise.all(lost);
}

it("what a node took, and its store lost, is brought back by its client, who writes nothing more", async () => {
  await using first = await openStage(never);
  await using second = await openStage(never);
  const ann = await first.tab("ann", undefined, {}, comesBack);
  ann.type("written");
  await vi.waitFor(async () => expect(await first.text()).toBe("written"));
  await first.collab.flush();
  await vi.waitFor(() => expect(ann.note.saving).toBe("saved"));
  await moved([ann], second);
  await vi.waitFor(async () => expect(await second.text()).toBe("written"));
});

it("what was only deleted is brought back as well, while the node that took it has not saved it", async () => {
  const of = (): MemoryDocumentStore => {
    const store = new MemoryDocumentStore();
    const saved = new Y.Doc();
    saved.clientID = 7;
    saved.getText("t").insert(0, "saved, and deleted");
    store.append("doc:42", Y.encodeStateAsUpdate(saved));
    return store;
  };
  await using first = await openStage({ store: of(), ...never });
  await using second = await openStage({ store: of(), ...never });
  const ann = await first.tab("ann", undefined, {}, comesBack);
  ann.text.delete(5, 13);
  await vi.waitFor(async () => expect(await first.text()).toBe("saved"));
  await vi.waitFor(() => expect(ann.entered.got("yk")).toEqual([[expect.any(Number), 1]]));
  await moved([ann], second);
  await vi.waitFor(async () => expect(await second.text()).toBe("saved"));
  await second.collab.flush();
  await vi.waitFor(() => expect(ann.note.saving).toBe("saved"));
});

it("several whose edits hang on each other's bring them back together, when all have said who they are before any has sent them", async () => {
  const store = heldStore("load");
  await using first = await openStage({ store: new MemoryDocumentStore(), ...never });
  await using second = await openStage({ store });
  const [ann, bob, cid] = [
    await first.tab("ann", undefined, {}, comesBack),
    await first.tab("bob", undefined, {}, comesBack),
    await first.tab("cid"),
  ];
  for (const [i, tab] of [ann, bob, cid, ann, bob, ann, cid, bob].entries()) {
    tab.type(`${i} `);
    await vi.waitFor(() =>
      expect([ann.text.toString(), bob.text.toString()]).toEqual([cid.text.toString(), cid.text.toString()]),
    );
  }
  const text = cid.text.toString();
  // One of them does not come back: what that one wrote is brought back by the others.
  await cid[Symbol.asyncDispose]();
  await moved([ann, bob], second);
  await store.begun;
  await vi.waitFor(async () => expect(await second.door.realtime.count(topic("doc:42"))).toMatchObject({ sockets: 2 }));
  // They know that they are in, and then have said so.
  for (let times = 0; times < 2; times++) for (const tab of [ann, bob]) await tab.entered.caughtUp();
  store.release.resolve();
  await vi.waitFor(async () => expect(await second.text()).toBe(text));
  ann.type("!");
  await vi.waitFor(() => expect(bob.text.toString()).toBe(`${text}!`));
});

it("a change that is refused is taken back whole also where it was undone before", async () => {
  await using stage = await openStage({ maxUpdateBytes: 2_000 });
  const onRefused = vi.fn();
  const ann = await stage.tab("ann", undefined, { onRefused });
  ann.type("kept ");
  await vi.waitFor(async () => expect(await stage.text()).toBe("kept "));
  ann.note.undoManager.stopCapturing();
  ann.type("x".repeat(5_000));
  ann.note.undo();
  ann.type("again");
  await vi.waitFor(() => expect(onRefused).toHaveBeenCalled());
  await ann.until(({ status }) => status === "live");
  ann.note.redo();
  ann.type("!");
  await vi.waitFor(async () => expect(await stage.text()).toBe("kept !"));
  expect(ann.text.toString()).toBe("kept !");
  expect(onRefused).toHaveBeenCalledTimes(1);
});

it("what is written after a refusal was told is kept, though the server has not said yet what it has", async () => {
  await using stage = await openStage({ maxUpdateBytes: 2_000 });
  const onRefused = vi.fn(() => ann.type("written since"));
  const ann: Tab = await stage.tab("ann", undefined, { onRefused });
  ann.type("x".repeat(5_000));
  await vi.waitFor(() => expect(onRefused).toHaveBeenCalled());
  await vi.waitFor(async () => expect(await stage.text()).toBe("written since"));
  await vi.waitFor(() => expect(ann.note.saving).toBe("saved"));
  expect(ann.text.toString()).toBe("written since");
  expect(onRefused).toHaveBeenCalledTimes(1);
});

it("a refused change is taken back, and what it deleted of others' stays deleted, in a document where more was deleted than a change may tell", async () => {
  await using stage = await openStage({ maxUpdateBytes: 1_000 });
  await stage.collab.edit("doc:42", (doc) => {
    const text = doc.getText("t");
    text.insert(0, "ab".repeat(1_000));
    for (let at = 999; at > 0; at--) text.delete(at * 2, 1);
  });
  const onRefused = vi.fn();
  const ann = await stage.tab("ann", undefined, { onRefused });
  ann.note.doc.transact(() => {
    ann.text.delete(0, 100);
    ann.type("x".repeat(5_000));
  });
  await vi.waitFor(() => expect(onRefused).toHaveBeenCalled());
  await ann.until(({ status }) => status === "live");
  ann.type("after");
  await vi.waitFor(async () => expect(await stage.text()).toBe(ann.text.toString()));
  expect(ann.text.length).toBe(1_001 - 100 + "after".length);
});
