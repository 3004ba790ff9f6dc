import { CamelCasePlugin, Kysely, SqliteDialect } from "kysely";
import Database from "libsql";
import { describe, expect, it, vi } from "vitest";
import { type DocumentStore, KyselyDocumentStore, MemoryDocumentStore } from "socket-ingress/collab";
import { contract } from "socket-ingress/testing";
import { openStage, storedText } from "./stage.js";

function sqlite(): Kysely<unknown> {
  return new Kysely({ dialect: new SqliteDialect({ database: new Database(":memory:") }) });
}

async function sqliteStore(db: Kysely<unknown> = sqlite()): Promise<KyselyDocumentStore> {
  const store = new KyselyDocumentStore(db);
  await store.migrate();
  return store;
}

describe("the store in memory", () => {
  for (const { name, run } of contract(new MemoryDocumentStore())) it(name, run);

  it("does not bring back by a compaction what was deleted meanwhile", () => {
    const store = new MemoryDocumentStore();
    store.append("doc:1", Uint8Array.of(1));
    const { upTo } = store.load("doc:1");
    store.delete("doc:1");
    store.compact("doc:1", Uint8Array.of(1), upTo);
    expect(store.load("doc:1").updates).toEqual([]);
  });
});

describe("the store in SQLite", async () => {
  for (const { name, run } of contract(await sqliteStore())) it(name, run, 30_000);

  it("keeps a document over a server's end", async () => {
    const store = await sqliteStore();
    {
      await using stage = await openStage({ store, compactAfter: 2, autosaveMs: 1 });
      const ann = await stage.tab("ann");
      for (let i = 0; i < 5; i++) {
        ann.type(`${i}`);
        await vi.waitFor(() => expect(ann.note.saving).toBe("saved"));
      }
    }
    expect((await store.load("doc:42")).updates.length).toBeLessThan(5);
    await using stage = await openStage({ store });
    expect((await stage.tab("bob")).text.toString()).toBe("01234");
    expect(await storedText(store)).toBe("01234");
  });

  it("goes by the application's own plugins no more than by its tables, and its table can be removed", async () => {
    const db = new Kysely<unknown>({
      dialect: new SqliteDialect({ database: new Database(":memory:") }),
      plugins: [new CamelCasePlugin()],
    });
    const store = new KyselyDocumentStore(db, { prefix: "app_" });
    await store.migrate();
    await store.migrate();
    await store.append("doc:1", Uint8Array.of(1));
    expect((await store.load("doc:1")).updates).toHaveLength(1);
    await store.delete("doc:1");
    expect((await store.load("doc:1")).updates).toHaveLength(0);
    await store.migration.down?.(db);
    await expect(store.load("doc:1")).rejects.toThrow("no such table: app_document_update");
  });

  it("a compaction that fails says so, and nothing is gone", async () => {
    const db = sqlite();
    const store = await sqliteStore(db);
    await store.append("doc:1", Uint8Array.of(1));
    const { upTo } = await store.load("doc:1");
    const full = Object.assign(Object.create(db) as typeof db, {
      withoutPlugins: () => ({ transaction: () => ({ execute: () => Promise.reject(new Error("the disk is full")) }) }),
    });
    await expect(new KyselyDocumentStore(full).compact("doc:1", Uint8Array.of(2), upTo)).rejects.toThrow(
      "disk is full",
    );
    expect((await store.load("doc:1")).updates).toEqual([Uint8Array.of(1)]);
  });

  it("a prefix that is none is a TypeError", () => {
    expect(() => new KyselyDocumentStore(sqlite(), { prefix: "a; drop" })).toThrow(
      'KyselyDocumentStore: prefix must be at most 30 letters, digits and _, got "a; drop"',
    );
    // PostgreSQL cuts longer names, so that two stores would have one index.
    expect(() => new KyselyDocumentStore(sqlite(), { prefix: "x".repeat(31) })).toThrow("at most 30");
  });
});

describe("a store of one's own", () => {
  /** All there has to be. */
  class MapStore implements DocumentStore {
    readonly logs = new Map<string, Uint8Array[]>();
    load(document: string) {
      return { updates: this.logs.get(document) ?? [], upTo: undefined };
    }
    append(document: string, update: Uint8Array) {
      this.logs.set(document, [...(this.logs.get(document) ?? []), update.slice()]);
    }
  }

  for (const { name, run } of contract(new MapStore())) it(name, run);

  it("that loses what it is given fails the contract", async () => {
    class Forgetful extends MapStore {
      override append(document: string, update: Uint8Array) {
        this.logs.set(document, [update.slice()]);
      }
    }
    const failed = [];
    for (const { name, run } of contract(new Forgetful())) await run().catch(() => failed.push(name));
    expect(failed.length).toBeGreaterThan(1);
  });
});
