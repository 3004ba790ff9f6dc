import { describe, expect, it, vi } from "vitest";
import * as Y from "yjs";
import { rounds } from "../../fixtures/soak.js";
import { byHand, openStage, type Stage, type Tab } from "./stage.js";

/** An update that a document of its own makes. */
function made(clientId: number, change: (doc: Y.Doc) => void, base?: Uint8Array): Uint8Array {
  const doc = new Y.Doc();
  if (base) Y.applyUpdate(doc, base);
  // Behind that: Yjs takes another one where it sees its own come from elsewhere.
  doc.clientID = clientId;
  const before = Y.encodeStateVector(doc);
  change(doc);
  return Y.encodeStateAsUpdate(doc, before);
}

function elsewhereDoc(update: Uint8Array): Y.Doc {
  const doc = new Y.Doc();
  Y.applyUpdate(doc, update);
  return doc;
}

async function state(stage: Stage): Promise<{ pending: boolean; bytes: number; whole: Uint8Array }> {
  return stage.collab.read("doc:42", (doc) => {
    const whole = Y.encodeStateAsUpdate(doc);
    return {
      pending: doc.store.pendingStructs !== null || doc.store.pendingDs !== null,
      bytes: whole.byteLength,
      whole,
    };
  });
}

describe("an update that is refused before it touches the document", () => {
  it("has a gap, hangs on what is not there, deletes what is not there, or hangs on itself: CONFLICT", async () => {
    await using stage = await openStage();
    const ann = await stage.tab("ann");
    ann.type("hello");
    await vi.waitFor(async () => expect(await stage.text()).toBe("hello"));
    const mal = await byHand(stage, "mal");

    const gap = new Y.Doc();
    gap.clientID = 99;
    gap.getText("t").insert(0, "first");
    const first = Y.encodeStateVector(gap);
    gap.getText("t").insert(5, "second");
    expect(await mal.send(Y.encodeStateAsUpdate(gap, first))).toBe("CONFLICT");

    const elsewhere = made(77, (doc) => doc.getText("t").insert(0, "elsewhere"));
    expect(await mal.send(made(99, (doc) => doc.getText("t").insert(3, "x"), elsewhere))).toBe("CONFLICT");
    expect(await mal.send(made(99, (doc) => doc.getText("t").delete(0, 4), elsewhere))).toBe("CONFLICT");

    // What is there already, said again with something else to hang on.
    const again = new Y.Doc();
    Y.applyUpdate(again, elsewhere);
    again.clientID = 99;
    again.getText("t").insert(0, "known");
    const said = Y.encodeStateAsUpdate(again, Y.encodeStateVector(elsewhereDoc(elsewhere)));
    expect(await mal.send(made(99, (doc) => doc.getText("t").insert(0, "known")))).toBe("taken");
    expect(await mal.send(said)).toBe("CONFLICT");
    await mal.sync();

    // Two that hang on each other: each has the other's id for its own.
    const ring = made(
      96,
      (doc) => doc.getText("t").insert(1, "b"),
      made(97, (doc) => doc.getText("t").insert(0, "a")),
    );
    const back = made(
      97,
      (doc) => doc.getText("t").insert(1, "a"),
      made(96, (doc) => doc.getText("t").insert(0, "b")),
    );
    expect(await mal.send(Y.mergeUpdates([ring, back]))).toBe("CONFLICT");

    expect(await state(stage)).toMatchObject({ pending: false });
    ann.type("!");
    await vi.waitFor(async () => expect(await stage.text()).toContain("hello!"));
    expect(await stage.text()).toHaveLength("hello!known".length);
  });

  it("is written under somebody else's client id: CONFLICT, and the one it belongs to is heard as before", async () => {
    await using stage = await openStage();
    const ann = await stage.tab("ann");
    ann.type("hello");
    await vi.waitFor(async () => expect(await stage.text()).toBe("hello"));
    const { whole } = await state(stage);
    const mal = await byHand(stage, "mal");
    expect((await mal.sync(ann.note.doc.clientID)).error).toMatchObject({ code: "CONFLICT" });
    await mal.sync();
    const forged = made(ann.note.doc.clientID, (doc) => doc.getText("t").insert(0, "forged "), whole);
    expect(await mal.send(forged)).toBe("CONFLICT");
    // Gone for a while, ann still is who she is.
    ann.entered.socket.disconnect();
    expect(await mal.send(forged)).toBe("CONFLICT");
    ann.type("!");
    ann.entered.socket.connect();
    await vi.waitFor(async () => expect(await stage.text()).toBe("hello!"));
  });

  it("has a client twice, so that Yjs would overlook the first part: INVALID_INPUT", async () => {
    await using stage = await openStage();
    await stage.tab("ann");
    const mal = await byHand(stage, "mal");
    const doc = new Y.Doc();
    doc.clientID = 99;
    doc.getText("t").insert(0, "one");
    const one = Y.encodeStateAsUpdate(doc);
    const vector = Y.encodeStateVector(doc);
    doc.getText("t").insert(3, "two");
    const two = Y.encodeStateAsUpdate(doc, vector);
    // Each is: one client, its structs, no deletions.
    const both = Uint8Array.of(2, ...one.subarray(1, -1), ...two.subarray(1, -1), 0);
    expect(await mal.send(both)).toBe("INVALID_INPUT");
    expect(await state(stage)).toMatchObject({ pending: false });
    expect(await mal.send(Y.encodeStateAsUpdate(doc))).toBe("taken");
    expect(await stage.text()).toBe("onetwo");
  });

  it("has a part of no length, which Yjs takes for new: INVALID_INPUT", async () => {
    await using stage = await openStage();
    await stage.tab("ann");
    const mal = await byHand(stage, "mal");
    const doc = new Y.Doc();
    doc.clientID = 99;
    doc.getText("t").insert(0, "ab");
    expect(await mal.send(Y.encodeStateAsUpdate(doc).slice())).toBe("taken");
    // One client, one struct, 99 at 2, a text behind what is not there, of no length; no deletions.
    expect(await mal.send(Uint8Array.of(1, 1, 99, 2, 0x84, 77, 5, 0, 0))).toBe("INVALID_INPUT");
    expect(await state(stage)).toMatchObject({ pending: false });
  });

  it("is no update at all: INVALID_INPUT", async () => {
    await using stage = await openStage();
    await stage.tab("ann");
    const mal = await byHand(stage, "mal");
    for (const update of ["", "AQ==", "!!!", new Uint8Array([255, 255, 255, 255, 255]), new Uint8Array()])
      expect(await mal.send(update)).toBe("INVALID_INPUT");
    for (const frame of [undefined, null, {}, [], "x", "1", "1:", NaN, "999999:AAAA"])
      expect(await mal.entered.socket.emitWithAck("yu", frame)).toHaveProperty("error");
    for (const args of [
      [],
      ["doc:42"],
      ["doc:42", 7, 1, "k"],
      ["doc:42", "AA==", -1, "k"],
      ["doc:42", "AA==", 1, "k".repeat(65)],
      ["__proto__", "AA==", 1, "k"],
    ])
      expect(await mal.entered.socket.emitWithAck("yo", ...args)).toHaveProperty("error");
  });
});

it("2. nobody points under another one's client id, late joiners included, and what is too large goes nowhere", async () => {
  await using stage = await openStage({ maxCursorBytes: 500 });
  const ann = await stage.tab("ann");
  const mal = await byHand(stage, "mal");
  for (const state of [[], 7, "x", { large: "x".repeat(600) }]) mal.entered.socket.emit("yc", mal.n(), state);
  mal.entered.socket.emit("yc", mal.n(), { user: { id: "ann", name: "Ann" }, color: "red" });
  await mal.entered.caughtUp();
  const late = await stage.tab("late");
  const seen = [...late.note.awareness.getStates().values()].map((state) => (state["user"] as { id: string }).id);
  expect(new Set(seen)).toEqual(new Set(["ann", "mal", "late"]));
  await vi.waitFor(() => expect(ann.note.awareness.getStates().get(99)).toMatchObject({ user: { id: "mal" } }));
});

it("3,000 updates with bits flipped: nothing is left waiting, the document is at most twice as large, and honest edits converge", async () => {
  await using stage = await openStage();
  const [ann, bob] = [await stage.tab("ann"), await stage.tab("bob")];
  ann.type("a document of some length, as documents are. ".repeat(2_000));
  await vi.waitFor(() => expect(bob.text.length).toBe(ann.text.length));
  const before = (await state(stage)).bytes;
  const mal = await byHand(stage, "mal");
  let seed = 42;
  const random = (below: number): number => (seed = (seed * 1_103_515_245 + 12_345) & 0x7fffffff) % below;
  const honest = new Y.Doc();
  honest.clientID = 99;
  const tally = new Map<string, number>();
  for (let i = 0; i < Math.max(500, rounds(3_000)); i++) {
    Y.applyUpdate(honest, (await state(stage)).whole);
    const vector = Y.encodeStateVector(honest);
    const text = honest.getText("t");
    if (i % 3 === 0) text.delete(random(text.length - 2), 1);
    else text.insert(random(text.length), `${i}`);
    const update = Y.encodeStateAsUpdate(honest, vector).slice();
    for (let flips = 1 + random(3); flips > 0; flips--) update[random(Math.min(40, update.length))]! ^= 1 << random(8);
    const code = await mal.send(update);
    tally.set(code, (tally.get(code) ?? 0) + 1);
    if (i % 50 === 0) ann.type(`${i}`, random(10));
  }
  const { pending, bytes } = await state(stage);
  expect(pending).toBe(false);
  expect(bytes).toBeLessThanOrEqual(2 * before);
  expect(tally.get("CONFLICT")).toBeGreaterThan(10);
  expect(tally.get("INVALID_INPUT")).toBeGreaterThan(10);
  ann.type("honest");
  await converged(stage, ann, bob);
}, 300_000);

async function converged(stage: Stage, ...tabs: Tab[]): Promise<void> {
  await vi.waitFor(async () => {
    const text = await stage.text();
    for (const tab of tabs) expect(tab.text.toString()).toBe(text);
  });
}
