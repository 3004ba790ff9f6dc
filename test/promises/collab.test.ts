import { describe, expect, it, vi } from "vitest";
import * as Y from "yjs";
import { type DocumentStore, MemoryDocumentStore } from "socket-ingress/collab";
import { memoryCluster } from "socket-ingress/testing";
import { comesBack, cut, openStage, type Stage, storedText } from "../features/collab/stage.js";

// The promise of documents, named by its sentence, over real sockets and in memory, on two nodes that share a store. Processes that are killed
// are in test/features/collab/killed-redis.test.ts.

describe.each([
  ["over real sockets", false],
  ["in memory", true],
])("%s", (_where, memory) => {
  it("34. All replicas converge, hostile updates included; an edit that a second node has seen survives the death of the first; nobody can write or point in another's name.", async () => {
    const { adapter, partition } = memoryCluster();
    const store = new MemoryDocumentStore();
    let isDead = false;
    /** A node that may die: then nothing that it saves gets anywhere. */
    const mortal: DocumentStore = {
      load: (name) => store.load(name),
      append: (name, update) => (isDead ? new Promise<void>(() => undefined) : store.append(name, update)),
    };
    const node = (given: DocumentStore): Promise<Stage> =>
      openStage({ store: given, memory, server: { adapter }, autosaveMs: 60_000, maxUnsavedMs: 2_000 });
    await using one = await node(mortal);
    await using two = await node(store);
    const [ann, bob] = [await one.tab("ann", "doc:42", {}, comesBack), await two.tab("bob", "doc:42", {}, comesBack)];
    const { entered: mal } = await two.enter({ user: "mal" });
    await mal.join("doc:42");
    const sync = async (clientId: number): Promise<{ n: number }> =>
      (await mal.socket.emitWithAck("yo", "doc:42", "AA==", clientId, "key")) as { n: number };

    // Hostile updates among honest ones.
    const forged = new Y.Doc();
    for (let i = 0; i < 40; i++) {
      ann.type(`a${i} `, 0);
      bob.type(`b${i} `);
      const { n } = await sync(7);
      forged.clientID = i % 2 === 0 ? ann.note.doc.clientID : 7;
      const before = Y.encodeStateVector(forged);
      forged.getText("t").insert(0, "forged");
      const update = Y.encodeStateAsUpdate(forged, before);
      // Under another one's id, behind a gap, and broken.
      if (i % 3 === 0) update[5]! ^= 255;
      if (i > 0) await mal.socket.emitWithAck("yu", n, update);
      if (i % 10 === 5) cut(ann);
    }
    await vi.waitFor(async () => {
      const text = await one.text();
      expect(await two.text()).toBe(text);
      expect([ann.text.toJSON(), bob.text.toJSON()]).toEqual([text, text]);
      for (let i = 0; i < 40; i++) expect(text).toContain(`a${i} `);
    });
    for (const stage of [one, two])
      await stage.collab.read("doc:42", ({ store: { pendingStructs, pendingDs } }) =>
        expect([pendingStructs, pendingDs]).toEqual([null, null]),
      );

    // Nobody points in another one's name.
    expect(await sync(ann.note.doc.clientID)).toMatchObject({ error: { code: "CONFLICT" } });
    const { n } = await sync(7);
    mal.socket.emit("yc", n, { user: { id: "ann" }, cursor: 1 });
    await vi.waitFor(() => expect(ann.note.awareness.getStates().get(7)).toMatchObject({ user: { id: "mal" } }));

    // The first node dies with what it took: nothing of it is heard any more, and it saves nothing.
    ann.type("the last words", 0);
    await vi.waitFor(() => expect(bob.text.toJSON()).toContain("the last words"));
    isDead = true;
    partition();
    await vi.waitFor(async () => expect(await storedText(store)).toBe(bob.text.toJSON()));
  }, 60_000);
});
