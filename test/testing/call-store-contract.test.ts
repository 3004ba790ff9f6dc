import { expect, it } from "vitest";
import { type CallStore, MemoryCallStore } from "socket-ingress/realtime";
import { contract } from "socket-ingress/testing";

/** The sentences that do not hold of a store that changes the answers it is given. */
async function brokenBy(change: (answer: string | undefined) => string | undefined): Promise<string[]> {
  const inner = new MemoryCallStore();
  const store: CallStore = {
    claim: async (...args) => inner.claim(...args),
    renew: async (...args) => inner.renew(...args),
    answer: async (key, token, answer, times) => inner.answer(key, token, change(answer), times),
    forget: async (...args) => inner.forget(...args),
    carry: async (...args) => inner.carry(...args),
  };
  const broken: string[] = [];
  for (const { name, run } of contract(store)) await run().catch(() => broken.push(name));
  return broken;
}

it("the contract of a call store takes one that does not keep what is large, and finds one that keeps a part of it", async () => {
  expect(await brokenBy((answer) => answer)).toEqual([]);
  expect(await brokenBy((answer) => ((answer?.length ?? 0) > 10_000 ? undefined : answer))).toEqual([]);
  expect(await brokenBy((answer) => answer?.slice(0, 100_000))).toEqual([
    "an answer of half a megabyte is not kept, or kept whole",
  ]);
});
