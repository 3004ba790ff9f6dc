import { expect, it, vi } from "vitest";
import { openDocument } from "socket-ingress/collab/client";
import { MemoryDocumentStore } from "socket-ingress/collab";
import { createClient } from "socket-ingress/client";
import { memoryCluster } from "socket-ingress/testing";
import { rounds } from "../../fixtures/soak.js";
import { comesBack, cut, openStage, quiet, type Stage, storedText, type Tab } from "./stage.js";

/** Numbers that come again with the same seed. */
function dice(seed: number): (below: number) => number {
  let state = seed * 2_654_435_761 + 1;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** One run: editors on two nodes that write, point, undo, lose their connections and come and go, and nodes that lose each other and end. */
async function run(seed: number): Promise<void> {
  const random = dice(seed);
  const { adapter, partition } = memoryCluster();
  const store = new MemoryDocumentStore();
  const start = (): Promise<Stage> =>
    openStage({ store, memory: true, server: { adapter }, autosaveMs: 5, maxUnsavedMs: 20, compactAfter: 5 });
  const nodes = [await start(), await start()];
  const tabs: Tab[] = [];
  const joinOn = async (node: number): Promise<void> => {
    tabs.push(await nodes[node]!.tab(`user ${tabs.length}`, "doc:42", {}, comesBack));
  };
  for (let i = 0; i < 4; i++) await joinOn(i % 2);
  /** What each has written, to be found again unless it was deleted. */
  let marks = 0;
  let heal: (() => void) | undefined;
  for (let step = 0; step < 60; step++) {
    const tab = tabs[random(tabs.length)]!;
    const { length } = tab.text;
    switch (random(12)) {
      case 0:
        if (length > 3) tab.text.delete(random(length - 3), 1 + random(3));
        break;
      case 1:
        tab.note.undo();
        break;
      case 2:
        cut(tab);
        break;
      case 3:
        tab.note.awareness.setLocalStateField("cursor", random(100));
        break;
      case 4:
        tab.note.doc.getMap("m").set(`k${random(3)}`, step);
        break;
      case 5:
        heal?.();
        heal = heal ? undefined : partition();
        break;
      case 6:
        await turn();
        break;
      case 7:
        await nodes[random(2)]!.collab.edit("doc:42", (doc) => doc.getText("t").insert(0, "s"));
        break;
      default:
        tab.type(`[${marks++}]`, random(length + 1));
    }
    if (random(4) === 0) await turn();
  }
  heal?.();
  const [first, second] = nodes as [Stage, Stage];
  // A change on each side shows what was lost between them.
  for (const node of nodes) await node.collab.edit("doc:42", (doc) => doc.getText("t").insert(0, "e"));
  await vi.waitFor(
    async () => {
      const shown = await first.collab.read("doc:42", (doc) => doc.getMap("m").toJSON());
      const text = await first.text();
      expect(await second.text(), "the nodes").toBe(text);
      for (const tab of tabs) {
        expect(tab.text.toJSON(), tab.note.status).toBe(text);
        expect(tab.note.doc.getMap("m").toJSON()).toEqual(shown);
        expect(tab.note.saving).toBe("saved");
      }
    },
    { interval: 10 },
  );
  const text = await first.text();
  // One node ends, its clients are gone with it; what is there is what was there, for whoever comes.
  await first[Symbol.asyncDispose]();
  expect(await second.text()).toBe(text);
  await second[Symbol.asyncDispose]();
  expect(await storedText(store)).toBe(text);
}

it("whatever editors, connections and nodes do, all replicas and the store converge", async () => {
  const runs = rounds(500);
  const first = Number(process.env["SEED"] ?? 1);
  for (let seed = first; seed < first + runs; seed++) {
    try {
      await run(seed);
    } catch (error) {
      throw new Error(`SEED=${seed} shows it again`, { cause: error });
    }
  }
}, 1_200_000);

it("15. 400 concurrent insertions of four clients: the text is equal everywhere", async () => {
  await using stage = await openStage();
  const tabs = await Promise.all(["ann", "bob", "eve", "kim"].map((user) => stage.tab(user)));
  for (let i = 0; i < 100; i++) {
    for (const [k, tab] of tabs.entries()) tab.type(`${k}`, Math.min(i, tab.text.length));
    if (i % 3 === 0) await turn();
  }
  await vi.waitFor(async () => {
    const text = await stage.text();
    expect(text).toHaveLength(400);
    for (const tab of tabs) expect(tab.text.toJSON()).toBe(text);
  });
});

it("a change that waits for an acknowledgement which never comes is sent again", async () => {
  await using stage = await openStage();
  const { entered } = await stage.enter({ user: "ann" });
  const { socket } = entered;
  const emit = socket.emit.bind(socket);
  let lose = true;
  socket.emit = ((event: string, ...args: unknown[]) =>
    event === "yu" && lose ? socket : emit(event, ...args)) as never;
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  try {
    const note = openDocument(createClient(socket, { logger: quiet }), "doc:42");
    await note.ready;
    note.doc.getText("t").insert(0, "lost on the way");
    await turn();
    lose = false;
    await vi.advanceTimersByTimeAsync(10_000);
    vi.useRealTimers();
    await vi.waitFor(async () => expect(await stage.text()).toBe("lost on the way"));
    note.close();
  } finally {
    vi.useRealTimers();
  }
});
