import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { memoryCluster } from "socket-ingress/testing";
import { openStage } from "./stage.js";

// The beats of nodes, and what they say of when others were heard last. All else goes by the usual clock.
beforeEach(() => void vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "performance"] }));
afterEach(() => void vi.useRealTimers());

const never = { autosaveMs: 600_000, maxUnsavedMs: 600_000 };

it("what got lost between two nodes is found with the next beat, though nobody writes any more", async () => {
  const { adapter, partition } = memoryCluster();
  await using one = await openStage({ server: { adapter }, ...never });
  await using other = await openStage({ server: { adapter }, ...never });
  const [ann, bob] = [await one.tab("ann"), await other.tab("bob")];
  const join = partition();
  ann.type("lost");
  await vi.waitFor(async () => expect(await one.text()).toBe("lost"));
  join();
  await vi.advanceTimersByTimeAsync(5_000);
  await vi.waitFor(() => expect(bob.text.toString()).toBe("lost"));
});

it("who was connected to a node that is silent points nowhere any more, and those of other nodes stay", async () => {
  const { adapter, partition } = memoryCluster();
  await using one = await openStage({ server: { adapter }, ...never });
  await using two = await openStage({ server: { adapter }, ...never });
  const bob = await two.tab("bob");
  const ann = await one.tab("ann");
  await bob.until(({ users }) => users.length === 2);
  partition();
  // Not heard by anybody: it is as a node that is gone.
  await using three = await openStage({ server: { adapter }, ...never });
  await three.tab("eve");
  await vi.advanceTimersByTimeAsync(10_000);
  expect(bob.note.users).toHaveLength(2);
  await vi.advanceTimersByTimeAsync(10_000);
  await bob.until(({ users }) => users.length === 1);
  expect(bob.note.users.map(({ id }) => id)).toEqual(["bob"]);
  await ann.entered.caughtUp();
});
