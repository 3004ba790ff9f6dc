import { expect, it } from "vitest";
import { processes } from "./processes.js";
import { storedText } from "./stage.js";

it("5. SIGTERM with unsaved text: it is in the store when the process has ended, also when slow events have used up the grace", async () => {
  for (const graceMs of [5_000, 300]) {
    await using all = await processes();
    const node = await all.start({ autosaveMs: 600_000, maxUnsavedMs: 600_000, graceMs });
    const { socket, note } = await node.open("ann");
    note.doc.getText("t").insert(0, "unsaved");
    socket.emit("slow");
    // Behind the change and the slow event.
    await socket.emitWithAck("sync");
    await node.end("SIGTERM");
    expect(await storedText(all.store)).toBe("unsaved");
  }
}, 90_000);
