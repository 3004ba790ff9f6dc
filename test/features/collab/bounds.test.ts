import { expect, it, vi } from "vitest";
import * as Y from "yjs";
import { Owners } from "../../../src/features/collab/owners.js";
import { Keeper } from "../../../src/features/collab/saving.js";
import { recordingLog } from "../../fixtures/recording-log.js";

it("at most 64 client ids are kept for one owner, and 4,096 for a document: the oldest go", () => {
  const owners = new Owners(() => new Set());
  for (let id = 0; id < 1_000; id++) owners.claim(id, ["user:ann"]);
  expect(owners.entries()).toHaveLength(64);
  expect(owners.isForeign(999, ["user:bob"])).toBe(true);
  expect(owners.isForeign(0, ["user:bob"])).toBe(false);
  for (let id = 1_000; id < 9_000; id++) owners.claim(id, [`user:${id}`]);
  expect(owners.entries()).toHaveLength(4_096);
});

it("an id stays with its user through a login: whoever has it under one name may give it another", () => {
  const owners = new Owners(() => new Set());
  expect(owners.claim(1, ["session:s", "secret:x"])).toBe(true);
  expect(owners.claim(1, ["user:ann", "session:s", "secret:x"])).toBe(true);
  expect(owners.claim(1, ["user:bob", "session:s"])).toBe(false);
  expect(owners.claim(1, ["user:ann"])).toBe(true);
});

it("what waits for a store that is down is no more than the document, however long that takes", async () => {
  const doc = new Y.Doc();
  const stored: Uint8Array[] = [];
  let down = true;
  const maxBytes = 20_000;
  const keeper = new Keeper({
    autosaveMs: 1,
    maxUnsavedMs: 10,
    maxBytes,
    log: recordingLog(),
    append: async (update) => {
      if (down) throw new Error("down");
      stored.push(update);
    },
    merge: (updates) => Y.mergeUpdates([...updates]),
    whole: () => Y.encodeStateAsUpdate(doc),
    onState: () => undefined,
    onSaved: () => undefined,
  });
  let seq = 0;
  doc.on("update", (update: Uint8Array) =>
    seq % 2 === 0 ? keeper.take("here", ++seq, update) : keeper.takeOther("there", ++seq, update),
  );
  const text = doc.getText("t");
  for (let i = 0; i < 400; i++) {
    text.insert(0, "x".repeat(1_000));
    text.delete(0, 1_000);
    expect(keeper.bytes).toBeLessThan(maxBytes + 2_000);
    if (i % 100 === 0) await vi.waitFor(() => expect(keeper.state).toBe("failed"));
  }
  text.insert(0, "in the end");
  down = false;
  expect(await keeper.settle()).toBe(true);
  keeper.stop();
  const copy = new Y.Doc();
  for (const update of stored) Y.applyUpdate(copy, update);
  expect(copy.getText("t").toJSON()).toBe("in the end");
});

it("what others have taken and nobody has said is saved is few updates, too, and none of it goes that was not saved", async () => {
  const merge = vi.fn((updates: readonly Uint8Array[]) => Y.mergeUpdates([...updates]));
  const doc = new Y.Doc();
  const began = vi.fn();
  let release: () => void = () => undefined;
  const appended = new Promise<void>((resolve) => (release = resolve));
  const stored: Uint8Array[] = [];
  const keeper = new Keeper({
    autosaveMs: Infinity,
    maxUnsavedMs: Infinity,
    maxBytes: 10_000_000,
    log: recordingLog(),
    append: async (update) => {
      began();
      await appended;
      stored.push(update);
    },
    merge,
    whole: () => Y.encodeStateAsUpdate(doc),
    onState: () => undefined,
    onSaved: () => undefined,
  });
  let seq = 0;
  doc.on("update", (update: Uint8Array) => keeper.takeOther("there", ++seq, update));
  for (let i = 0; i < 3_000; i++) doc.getText("t").insert(i, "x");
  expect(keeper.bytes).toBeLessThan(45_000);
  // Those up to the last of what was merged are told apart no more: they stay until all of them are saved.
  keeper.savedElsewhere("there", 1_000);
  const textOf = (updates: readonly (Uint8Array | undefined)[]): string => {
    const copy = new Y.Doc();
    for (const update of updates) if (update) Y.applyUpdate(copy, update);
    return copy.getText("t").toJSON();
  };
  expect(textOf([keeper.pending()])).toHaveLength(3_000);
  const settled = keeper.settle();
  expect(began).toHaveBeenCalledTimes(1);
  // Another node that asks now gets what is on its way, as that may still fail.
  expect(textOf([keeper.pending()])).toHaveLength(3_000);
  release();
  expect(await settled).toBe(true);
  expect(textOf(stored)).toHaveLength(3_000);
  expect(keeper.pending()).toBeUndefined();
});

it.each([
  ["merged", "is larger than they are", 100_000],
  ["the document", "is no larger than they are", 0],
])("many small changes that wait are %s, where it %s", async (how, _, before) => {
  const merge = vi.fn((updates: readonly Uint8Array[]) => Y.mergeUpdates([...updates]));
  const doc = new Y.Doc();
  doc.getText("t").insert(0, "y".repeat(before));
  const copy = new Y.Doc();
  Y.applyUpdate(copy, Y.encodeStateAsUpdate(doc));
  const keeper = new Keeper({
    autosaveMs: Infinity,
    maxUnsavedMs: Infinity,
    maxBytes: 10_000_000,
    log: recordingLog(),
    append: async (update) => Y.applyUpdate(copy, update),
    merge,
    whole: () => Y.encodeStateAsUpdate(doc),
    onState: () => undefined,
    onSaved: () => undefined,
  });
  let seq = 0;
  let bytes = 0;
  doc.on("update", (update: Uint8Array) => {
    bytes += update.byteLength;
    keeper.take("here", ++seq, update);
  });
  for (let i = 0; i < 3_000; i++) doc.getText("t").insert(i, "x");
  expect(keeper.bytes).toBeLessThan(bytes);
  const lengths = merge.mock.calls.map(([updates]) => updates.length);
  expect(lengths).toEqual(how === "merged" ? [1_025, 1_025] : []);
  expect(await keeper.settle()).toBe(true);
  expect(copy.getText("t").toJSON()).toBe(doc.getText("t").toJSON());
});
