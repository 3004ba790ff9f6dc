import { Kysely, PostgresDialect } from "kysely";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { type DocumentStore, KyselyDocumentStore } from "socket-ingress/collab";
import { contract } from "socket-ingress/testing";
import { needs } from "../../fixtures/needs.js";
import { type OwnPostgres, ownPostgres } from "../../fixtures/postgres.js";
import { openStage, storedText } from "./stage.js";

needs("postgres")("documents in PostgreSQL", () => {
  let postgres: OwnPostgres;
  let db: Kysely<unknown>;
  let stores = 0;

  beforeAll(async () => {
    postgres = await ownPostgres();
    const pool = postgres.pool();
    // A connection that is lost while it is in use says so by itself, and not through the pool.
    pool.on("connect", (client) => client.on("error", () => undefined));
    db = new Kysely({ dialect: new PostgresDialect({ pool }) });
  }, 60_000);
  afterAll(async () => {
    await postgres[Symbol.asyncDispose]();
  }, 60_000);

  /** One with a table of its own. */
  async function openStore(): Promise<KyselyDocumentStore> {
    const store = new KyselyDocumentStore(db, { prefix: `t${stores++}_` });
    await store.migrate();
    return store;
  }

  // It is made when the database is there.
  let made: Promise<KyselyDocumentStore> | undefined;
  const store = (): Promise<KyselyDocumentStore> => (made ??= openStore());
  const inHand: DocumentStore = {
    load: async (...args) => (await store()).load(...args),
    append: async (...args) => (await store()).append(...args),
    compact: async (...args) => (await store()).compact(...args),
  };
  for (const { name, run } of contract(inHand)) it(name, run, 60_000);

  it("makes its table though several nodes do it at once", async () => {
    const nodes = Array.from({ length: 8 }, () => new KyselyDocumentStore(db, { prefix: "at_once_" }));
    await Promise.all(nodes.map((node) => node.migrate()));
    expect((await nodes[0]!.load("doc:1")).updates).toEqual([]);
  });

  it("a database that is restarted while people type: they see that it is not saved, and it is, in the end", async () => {
    const store = await openStore();
    await using stage = await openStage({ store, autosaveMs: 5 });
    const ann = await stage.tab("ann");
    ann.type("before ");
    await ann.until(({ saving }) => saving === "saved");
    const restarted = postgres.restart();
    for (let i = 0; i < 20; i++) {
      ann.type("x");
      await ann.entered.caughtUp();
    }
    await restarted;
    ann.type(" after");
    await vi.waitFor(async () => expect(await storedText(store)).toBe(`before ${"x".repeat(20)} after`), 40_000);
    await ann.until(({ saving }) => saving === "saved");
  }, 90_000);
});
