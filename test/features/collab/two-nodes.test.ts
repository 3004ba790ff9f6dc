import { expect, it, vi } from "vitest";
import { MemoryDocumentStore } from "socket-ingress/collab";
import { deferred } from "../../fixtures/deferred.js";
import { memoryCluster } from "socket-ingress/testing";
import { openStage, storedText, StoreInHand } from "./stage.js";
import { openTwo } from "./nodes.js";

const never = { autosaveMs: 600_000, maxUnsavedMs: 600_000 };

it("13. a late joiner on a second node sees what was never saved", async () => {
  const store = new StoreInHand();
  await using two = await openTwo({ store, ...never });
  const [one, other] = two.nodes;
  const ann = await one.tab("ann");
  ann.type("never saved");
  await vi.waitFor(async () => expect(await one.text()).toBe("never saved"));
  const bob = await other.tab("bob");
  expect(bob.text.toString()).toBe("never saved");
  expect(bob.note.saving).toBe("saving");
  expect(store.calls.append).toBe(0);
  bob.type("!");
  await vi.waitFor(() => expect(ann.text.toString()).toBe("never saved!"));
});

it("what others point at is seen from both nodes, by late joiners, too, and is gone with them", async () => {
  await using two = await openTwo();
  const [one, other] = two.nodes;
  const ann = await one.tab("ann");
  ann.note.awareness.setLocalStateField("cursor", { anchor: 7 });
  const bob = await other.tab("bob");
  await vi.waitFor(() =>
    expect(bob.note.awareness.getStates().get(ann.note.awareness.clientID)).toMatchObject({
      cursor: { anchor: 7 },
      user: { id: "ann" },
    }),
  );
  await ann.until(({ users }) => users.length === 2);
  ann.entered.socket.disconnect();
  await bob.until(({ users }) => users.length === 1);
});

it("who was connected to a node that goes points nowhere any more, and those of the other nodes stay", async () => {
  const { adapter } = memoryCluster();
  await using one = await openStage({ server: { adapter } });
  await using two = await openStage({ server: { adapter } });
  const going = await openStage({ server: { adapter } });
  const [ann] = [await one.tab("ann"), await two.tab("bob"), await going.tab("cid")];
  await ann.until(({ users }) => users.length === 3);
  await going.collab.teardown();
  await ann.until(({ users }) => users.length === 2);
  expect(new Set(ann.note.users.map(({ id }) => id))).toEqual(new Set(["ann", "bob"]));
  await going[Symbol.asyncDispose]();
});

it("one save serves both nodes, and the other one is told of it", async () => {
  const store = new StoreInHand();
  await using two = await openTwo({ store, autosaveMs: 50 });
  const [one, other] = two.nodes;
  const [ann, bob] = [await one.tab("ann"), await other.tab("bob")];
  ann.type("text");
  await vi.waitFor(() => expect(bob.text.toString()).toBe("text"));
  await vi.waitFor(() => expect([ann.note.saving, bob.note.saving]).toEqual(["saved", "saved"]));
  bob.note.close();
  await vi.waitFor(() => expect(other.collab.describe()).toEqual([]));
  expect(store.calls.append).toBe(1);
});

it("what a node took and does not save is saved by the other in twice maxUnsavedMs", async () => {
  const shared = new MemoryDocumentStore();
  /** The store of the first node hangs, as its process does. */
  const hangs = deferred();
  let isFirst = true;
  const store = {
    load: (name: string) => shared.load(name),
    append(name: string, update: Uint8Array) {
      if (!isFirst) return shared.append(name, update);
      isFirst = false;
      hangs.resolve();
      return new Promise<void>(() => undefined);
    },
  };
  await using two = await openTwo({ store, autosaveMs: 20, maxUnsavedMs: 200 });
  const [one, other] = two.nodes;
  const [ann, bob] = [await one.tab("ann"), await other.tab("bob")];
  ann.type("taken here");
  await vi.waitFor(() => expect(bob.text.toString()).toBe("taken here"));
  await hangs.promise;
  expect(one.collab.describe()).toMatchObject([{ saving: "saving" }]);
  await vi.waitFor(async () => expect(await storedText(shared)).toBe("taken here"));
});

it("what got lost between the nodes is found with the next change", async () => {
  await using two = await openTwo(never);
  const [one, other] = two.nodes;
  const [ann, bob] = [await one.tab("ann"), await other.tab("bob")];
  const join = two.partition();
  ann.type("lost ");
  bob.type("gone ");
  await vi.waitFor(async () => expect([await one.text(), await other.text()]).toEqual(["lost ", "gone "]));
  join();
  ann.type("A");
  bob.type("B");
  await vi.waitFor(() => {
    expect(ann.text.toString()).toBe(bob.text.toString());
    expect(ann.text.length).toBe(12);
  });
});

it("nobody writes under a client id that somebody on another node has", async () => {
  await using two = await openTwo(never);
  const [one, other] = two.nodes;
  const [ann, mal] = [await one.tab("ann"), await other.tab("mal")];
  ann.type("ann's");
  await vi.waitFor(() => expect(mal.text.toString()).toBe("ann's"));
  const answer: unknown = await mal.entered.socket.emitWithAck("yo", "doc:42", "AA==", ann.note.doc.clientID, "key");
  expect(answer).toMatchObject({ error: { code: "CONFLICT" } });
});
