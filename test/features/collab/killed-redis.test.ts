import { expect, it, vi } from "vitest";
import { loopTime } from "../../fixtures/loop-time.js";
import { needs } from "../../fixtures/needs.js";
import { ownRedis } from "../../fixtures/redis.js";
import { processes } from "./processes.js";
import { storedText } from "./stage.js";

needs("redis")("two nodes that are processes, joined by Redis", () => {
  it("7. kill -9 of the node that took the edits, while another has the document: the store has them within 2 x maxUnsavedMs", async () => {
    await using redis = await ownRedis();
    await using all = await processes();
    // Long enough that the first node has not saved, whatever else the machine does.
    const options = { redis: redis.path, autosaveMs: 600_000, maxUnsavedMs: 6_000 };
    const [one, other] = await Promise.all([all.start(options), all.start(options)]);
    const [ann, bob] = [await one.open("ann"), await other.open("bob")];
    const [mine, theirs] = [ann.note.doc.getText("t"), bob.note.doc.getText("t")];
    // Until it has read something, the adapter asks the stream for what is new "from now" each time: what is lost is found at the next change.
    await vi.waitFor(
      () => {
        mine.insert(mine.length, ".");
        expect(theirs.length).toBeGreaterThan(0);
      },
      { interval: 200 },
    );
    mine.insert(0, "taken by the first ");
    await vi.waitFor(() => expect(theirs.toJSON()).toBe(mine.toJSON()));
    const before = await storedText(all.store);
    await one.end("SIGKILL");
    using time = loopTime();
    await vi.waitFor(async () => expect(await storedText(all.store)).toBe(theirs.toJSON()), {
      timeout: 60_000,
      interval: 100,
    });
    expect(before).not.toContain("taken by the first");
    expect(time.ms).toBeLessThan(2 * options.maxUnsavedMs + 5_000);
    await vi.waitFor(() => expect(bob.note.saving).toBe("saved"));
    // Whose node has died is here no more, once it has been silent for three beats.
    await vi.waitFor(() => expect(bob.note.users.map(({ id }) => id)).toEqual(["bob"]), 40_000);
  }, 120_000);

  it("13. a late joiner on the second node sees what was never saved", async () => {
    await using redis = await ownRedis();
    await using all = await processes();
    const options = { redis: redis.path, autosaveMs: 600_000, maxUnsavedMs: 600_000 };
    const [one, other] = await Promise.all([all.start(options), all.start(options)]);
    const ann = await one.open("ann");
    const text = ann.note.doc.getText("t");
    text.insert(0, "never saved");
    let late: Awaited<ReturnType<typeof other.open>> | undefined;
    // The adapter's nodes find each other in a while.
    await vi.waitFor(
      async () => {
        late?.note.close();
        late?.socket.disconnect();
        late = await other.open("bob");
        expect(late.note.doc.getText("t").toJSON()).toBe("never saved");
      },
      { timeout: 30_000, interval: 500 },
    );
    expect(await storedText(all.store)).toBe("");
  }, 60_000);
});
