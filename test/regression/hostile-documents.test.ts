import { describe, expect, it, vi } from "vitest";
import * as Y from "yjs";
import { openDocument } from "socket-ingress/collab/client";
import { byHand, openStage, type Stage } from "../features/collab/stage.js";

/** As Yjs reads it: seven bits a byte, the lowest first. It has no end of its own. */
const INFINITE = [...Array.from({ length: 160 }, () => 0x80), 1]; // NaN, in fact: nothing times infinity
const HUGE = [...Array.from({ length: 20 }, () => 0x80), 1]; // 2 ** 140
const MOST_SAFE = [...Array.from({ length: 7 }, () => 0xff), 0x0f]; // 2 ** 53 - 1

/** Nothing of it waits in the document, and honest people go on. */
async function isWell(stage: Stage, write: () => void, text: string): Promise<void> {
  write();
  await vi.waitFor(async () => expect(await stage.text()).toBe(text));
  const waits = await stage.collab.read("doc:42", ({ store }) => store.pendingStructs ?? store.pendingDs);
  expect(waits).toBeNull();
}

describe("an update that Yjs would take, and never get over", () => {
  it("counts beyond whole numbers: it is refused, and the document goes on", async () => {
    await using stage = await openStage();
    const ann = await stage.tab("ann");
    ann.type("honest");
    await vi.waitFor(async () => expect(await stage.text()).toBe("honest"));
    const mal = await byHand(stage, "mal");
    // So many clients, then of each: so many parts, its id, where they begin; each part. Then what is deleted.
    const updates: Record<string, number[]> = {
      "a part of a length that is no number": [1, 1, 99, 0, 0, ...INFINITE, 0],
      "a part of a length beyond all numbers": [1, 1, 99, 0, 0, ...HUGE, 0],
      "parts that go beyond whole numbers together": [1, 2, 99, 0, 0, ...MOST_SAFE, 0, ...MOST_SAFE, 0],
      "a gap of a length that is no number": [1, 1, 99, 0, 10, ...INFINITE, 0],
      "a gap at the end": [1, 1, 99, 0, 10, 5, 0],
      "a client that is no number": [1, 1, ...INFINITE, 0, 0, 1, 0],
      "a beginning that is no number": [1, 1, 99, ...INFINITE, 0, 1, 0],
      "a text behind what is no number": [1, 1, 99, 0, 0x84, 77, ...INFINITE, 1, 97, 0],
      "a deletion that is no number": [0, 1, 99, 1, ...INFINITE, 1],
      "a deletion of a length that is no number": [0, 1, 99, 1, 0, ...INFINITE],
    };
    for (const [what, bytes] of Object.entries(updates))
      expect([what, await mal.send(Uint8Array.from(bytes))]).toEqual([
        what,
        expect.stringMatching(/^(INVALID_INPUT|CONFLICT)$/),
      ]);
    await isWell(stage, () => ann.type("!"), "honest!");
    const { text } = await stage.tab("late");
    expect(text.toString()).toBe("honest!");
  });

  /** Types in types. */
  function nested(clientId: number, depth: number): Uint8Array {
    const doc = new Y.Doc();
    doc.clientID = clientId;
    doc.transact(() => {
      let at: Y.Map<unknown> | Y.Array<unknown> = doc.getMap("m");
      for (let i = 0; i < depth; i++) {
        const inner: Y.Map<unknown> | Y.Array<unknown> = i % 2 === 0 ? new Y.Array() : new Y.Map();
        // Beside another one every other time, so that it says what it is beside, and not what it is in.
        if (at instanceof Y.Map) at.set("m", inner);
        else at.push(["beside", inner]);
        at = inner;
      }
    });
    return Y.encodeStateAsUpdate(doc).slice();
  }

  it("nests types in types more than 200 deep, at once or one by one: INVALID_INPUT with maxDepth", async () => {
    await using stage = await openStage();
    const ann = await stage.tab("ann");
    const mal = await byHand(stage, "mal");
    expect(await mal.send(nested(99, 5_000))).toBe("INVALID_INPUT");
    expect(await mal.send(nested(99, 201))).toBe("INVALID_INPUT");
    expect(await mal.send(nested(99, 200))).toBe("taken");
    // The next one hangs on what is there.
    const doc = new Y.Doc();
    const { whole } = await stage.collab.read("doc:42", (live) => ({ whole: Y.encodeStateAsUpdate(live) }));
    Y.applyUpdate(doc, whole);
    doc.clientID = 99;
    const before = Y.encodeStateVector(doc);
    let at = doc.getMap("m").get("m") as Y.Map<unknown> | Y.Array<unknown>;
    for (let next: unknown = at; next; next = at instanceof Y.Map ? at.get("m") : at.get(1)) at = next as typeof at;
    (at as Y.Map<unknown>).set("m", new Y.Map());
    const update = Y.encodeStateAsUpdate(doc, before).slice();
    const answer: unknown = await mal.entered.socket.emitWithAck("yu", mal.n(), update);
    expect(answer).toMatchObject({ error: { code: "INVALID_INPUT", details: { maxDepth: 200 } } });
    await mal.sync();
    await isWell(stage, () => ann.type("honest"), "honest");
    // What was deleted again is nowhere, and nests nothing.
    const again = new Y.Doc();
    again.clientID = 98;
    again.getMap("n").set("gone", new Y.Map([["k", 1]]));
    again.getMap("n").delete("gone");
    again.getMap("n").set("here", new Y.Map([["k", 2]]));
    expect(await mal.send(Y.encodeStateAsUpdate(again).slice())).toBe("taken");
    // What is there can be taken away again by anybody.
    ann.note.doc.getMap("m").delete("m");
    await vi.waitFor(async () => expect(await stage.collab.read("doc:42", (live) => live.getMap("m").size)).toBe(0));
  });

  it("nests values in values more than 200 deep: INVALID_INPUT", async () => {
    await using stage = await openStage();
    const ann = await stage.tab("ann");
    const mal = await byHand(stage, "mal");
    const value = (depth: number): unknown => Array.from({ length: depth }).reduce((inner) => [inner], 1);
    const made = (write: (doc: Y.Doc) => void): Uint8Array => {
      const doc = new Y.Doc();
      doc.clientID = 99;
      write(doc);
      return Y.encodeStateAsUpdate(doc).slice();
    };
    const deep = value(1_000);
    for (const write of [
      (doc: Y.Doc) => void doc.getMap("m").set("k", deep),
      (doc: Y.Doc) => doc.getText("t").insertEmbed(0, { deep }),
      (doc: Y.Doc) => doc.getText("t").insert(0, "x", { deep }),
      (doc: Y.Doc) => void doc.getMap("m").set("k", new Y.Doc({ meta: deep })),
    ])
      expect(await mal.send(made(write))).toBe("INVALID_INPUT");
    expect(await mal.send(made((doc) => void doc.getMap("m").set("k", value(150))))).toBe("taken");
    await isWell(stage, () => ann.type("honest"), "honest");
  });
});

it("an awareness state that no reply could hold is refused, and the document can be opened by others as before", async () => {
  await using stage = await openStage();
  const mal = await byHand(stage, "mal");
  const deep = Array.from({ length: 1_000 }).reduce((inner) => [inner], 1);
  const states = [
    { deep },
    { bytes: new Uint8Array(1) },
    { _placeholder: true, num: 7 },
    { in: [{ _placeholder: true }] },
  ];
  for (const state of states)
    expect(await mal.entered.socket.emitWithAck("yc", mal.n(), state)).toMatchObject({
      error: { code: "INVALID_INPUT" },
    });
  expect(await mal.entered.socket.emitWithAck("yc", mal.n(), { cursor: { anchor: { tname: "t" } } })).toBeUndefined();
  const ann = await stage.tab("ann");
  expect(ann.note.users.map(({ id }) => id)).toContain("mal");
  expect(stage.door.log.lines.filter(({ level }) => level === "warn" || level === "error")).toEqual([]);
});

it("who may only read takes no client id that somebody has written under, so that what was written offline comes in", async () => {
  await using stage = await openStage({ policy: ({ user }) => (user === "mal" ? "read" : "write") });
  const offline = new Y.Doc();
  {
    await using ann = await stage.tab("ann", undefined, { doc: offline });
    ann.type("online ");
    await vi.waitFor(async () => expect(await stage.text()).toBe("online "));
  }
  await vi.waitFor(() => expect(stage.collab.describe()).toEqual([]));
  offline.getText("t").insert(7, "offline");
  const mal = await byHand(stage, "mal");
  expect((await mal.sync(offline.clientID)).error).toMatchObject({ code: "CONFLICT" });
  const { client } = await stage.enter({ user: "ann" });
  const note = openDocument(client, "doc:42", { doc: offline });
  await vi.waitFor(async () => expect(await stage.text()).toBe("online offline"));
  note.close();
});
