import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import type { DocumentStore } from "../features/collab/document-store.js";
import type { ContractCase } from "./contract.js";

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
const sorted = (updates: readonly Uint8Array[]): string[] =>
  updates.map((update) => Buffer.from(update).toString("hex")).toSorted();

/** What a {@link DocumentStore} promises, as cases for `contract`. */
export function documentStoreContract(store: DocumentStore): ContractCase[] {
  const cases: ContractCase[] = [];
  // A store may be used by several cases, so each has a document of its own.
  const it = (name: string, run: (document: string) => Promise<void>): void => {
    cases.push({ name, run: () => run(`doc:${randomUUID()}`) });
  };
  const has = async (document: string, ...updates: Uint8Array[]): Promise<void> => {
    const loaded = await store.load(document);
    assert.deepEqual(sorted(loaded.updates), sorted(updates));
    for (const update of loaded.updates) assert.ok(update instanceof Uint8Array);
  };

  it("a document that was never saved has no updates", (document) => has(document));

  it("what is appended is there, byte for byte", async (document) => {
    const all = Uint8Array.from({ length: 256 }, (_, i) => i);
    const large = new Uint8Array(300_000).fill(7);
    for (const update of [all, bytes(0), large]) await store.append(document, update);
    await has(document, all, bytes(0), large);
  });

  it("what is changed after it was appended is not changed in the store, nor is what was loaded", async (document) => {
    const update = bytes(1, 2);
    await store.append(document, update);
    update[0] = 9;
    await has(document, bytes(1, 2));
  });

  it("a part of a larger buffer is that part", async (document) => {
    await store.append(document, bytes(0, 1, 2, 3).subarray(1, 3));
    await has(document, bytes(1, 2));
  });

  it("an update that is appended twice may be there twice, and is there", async (document) => {
    await store.append(document, bytes(1));
    await store.append(document, bytes(1));
    const { updates } = await store.load(document);
    assert.ok(updates.length > 0);
    assert.deepEqual(new Set(sorted(updates)), new Set(["01"]));
  });

  it("appends at once all count", async (document) => {
    const updates = Array.from({ length: 20 }, (_, i) => bytes(i));
    await Promise.all(updates.map(async (update) => store.append(document, update)));
    await has(document, ...updates);
  });

  it("documents have nothing to do with each other, whatever their names hold", async (document) => {
    const names = ["", "%", "_", "'", "/../x", "ü ☃ 😀", "__proto__", "x".repeat(200)].map((name) => document + name);
    for (const [i, name] of names.entries()) await store.append(name, bytes(i));
    for (const [i, name] of names.entries()) await has(name, bytes(i));
  });

  if (store.compact === undefined) return cases;

  const compact = async (document: string, merged: Uint8Array, upTo: unknown): Promise<void> =>
    store.compact?.(document, merged, upTo);

  it("a compaction takes the place of what was loaded, and of nothing that was appended since", async (document) => {
    await store.append(document, bytes(1));
    await store.append(document, bytes(2));
    const { upTo } = await store.load(document);
    await store.append(document, bytes(3));
    await compact(document, bytes(12), upTo);
    await has(document, bytes(12), bytes(3));
  });

  it("of two compactions of the same, nothing is lost", async (document) => {
    for (let i = 0; i < 600; i++) await store.append(document, bytes(i % 256, 1));
    const [one, two] = [await store.load(document), await store.load(document)];
    await store.append(document, bytes(3));
    await Promise.all([compact(document, bytes(12), one.upTo), compact(document, bytes(12), two.upTo)]);
    const left = new Set(sorted((await store.load(document)).updates));
    assert.deepEqual(left, new Set(["0c", "03"]));
  });

  it("a compaction that comes late, behind another one and more, loses nothing", async (document) => {
    await store.append(document, bytes(1));
    const early = await store.load(document);
    await store.append(document, bytes(2));
    const later = await store.load(document);
    await compact(document, bytes(12), later.upTo);
    await store.append(document, bytes(3));
    await compact(document, bytes(1), early.upTo);
    const left = sorted((await store.load(document)).updates);
    for (const update of ["0c", "03"]) assert.ok(left.includes(update), `${update} is gone`);
  });

  return cases;
}
