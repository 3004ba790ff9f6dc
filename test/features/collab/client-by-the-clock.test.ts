import { afterEach, expect, it, vi } from "vitest";
import * as Y from "yjs";
import { openDocument } from "socket-ingress/collab/client";
import { byHand, openStage } from "./stage.js";

afterEach(() => void vi.useRealTimers());

it("what is refused each time it is sent, as somebody else has left it in the document, is sent less and less often", async () => {
  await using stage = await openStage();
  // It is open throughout, so that it is known whose the client id is.
  await byHand(stage, "cid");
  const left = new Y.Doc();
  const ann = await stage.tab("ann", undefined, { doc: left });
  ann.note.close();
  left.getText("t").insert(0, "unsent");
  const { client, entered } = await stage.enter({ user: "bob" });
  // The pauses of the client. Turns of the event loop stay real, as sockets need them.
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const note = openDocument(client, "doc:42", { doc: left });
  for (let second = 0; second < 60; second++) {
    await vi.advanceTimersByTimeAsync(1_000);
    await entered.caughtUp();
  }
  expect(entered.got("yn").length).toBeGreaterThan(2);
  expect(entered.got("yn").length).toBeLessThan(20);
  expect(note.saving).toBe("saving");
  note.close();
  vi.useRealTimers();
});

it.each([["maxUpdateBytes"], ["maxDocumentBytes"]])(
  "what can't be taken back, as it was written before a reload, and is beyond %s, is tried less and less often",
  async (limit) => {
    await using stage = await openStage({ [limit]: 1_000 });
    const before = new Y.Doc();
    before.getText("t").insert(0, "x".repeat(5_000));
    const doc = new Y.Doc();
    Y.applyUpdate(doc, Y.encodeStateAsUpdate(before));
    const { client, entered } = await stage.enter({ user: "ann" });
    const onRefused = vi.fn();
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const note = openDocument(client, "doc:42", { doc, onRefused });
    await note.ready;
    for (let second = 0; second < 60; second++) {
      await vi.advanceTimersByTimeAsync(1_000);
      await entered.caughtUp();
    }
    expect(onRefused.mock.calls.length).toBeGreaterThan(2);
    expect(onRefused.mock.calls.length).toBeLessThan(20);
    expect(note.getSnapshot()).toMatchObject({ status: "stale", error: { code: "INVALID_INPUT" } });
    expect(doc.getText("t").length).toBe(5_000);
    note.close();
    vi.useRealTimers();
  },
);
