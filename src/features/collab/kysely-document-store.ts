import { randomUUID } from "node:crypto";
import type { Kysely, Migration } from "kysely";
import { readOptions } from "../../events/option-table.js";
import { checkKysely, makeTables, tablePrefix } from "../../lifecycle/own-tables.js";
import type { DocumentStore, StoredDocument } from "./document-store.js";

/** Where a {@link KyselyDocumentStore} has its table. */
export interface KyselyDocumentStoreOptions {
  /** What the names of its table and index begin with: at most 30 letters, digits and `_`. @default "ingress_" */
  prefix?: string;
}

/** The table, as Kysely knows it: its name begins with a prefix, which is left out here. */
interface DocumentTables {
  document_update: { id: string; document: string; saved_at: number | string; data: Uint8Array | ArrayBuffer };
}

/** A statement names at most so many rows: databases bound their parameters. */
const ROWS_MAX = 500;

/** Thrown to roll a compaction back that another one has forestalled. */
const forestalled: unique symbol = Symbol("forestalled");

/**
 * A {@link DocumentStore} in the database of an application: SQLite or PostgreSQL, through its own Kysely instance. Have its table made by
 * {@link KyselyDocumentStore.migrate}, or by your own Migrator with {@link KyselyDocumentStore.migration}.
 *
 * A row is an update under an id of its own, so that a compaction names the rows it has read, whichever were committed meanwhile.
 *
 * @example
 * const db = new Kysely<Database>({ dialect: new PostgresDialect({ pool }) });
 * const store = new KyselyDocumentStore(db);
 * await store.migrate();
 * const collab = new Collab<App>({ realtime, store });
 */
export class KyselyDocumentStore implements DocumentStore {
  /** Makes and removes its table: for the `Migrator` of an application. */
  readonly migration: Migration;
  readonly #db: Kysely<DocumentTables>;
  readonly #rows: "document_update";

  /**
   * Made with the application's instance, which stays the application's to close. Its plugins are left aside.
   *
   * @throws TypeError if it is no instance of Kysely, or naming the option that does not fit
   */
  // Kysely's own types are invariant in the tables, so that only `any` takes every application's instance.
  constructor(db: Kysely<any>, given: KyselyDocumentStoreOptions = {}) {
    checkKysely("KyselyDocumentStore", db);
    const { prefix } = readOptions("KyselyDocumentStore", { prefix: tablePrefix }, given);
    this.#db = db.withoutPlugins() as Kysely<DocumentTables>;
    this.#rows = `${prefix}document_update` as "document_update"; // a name is all that differs
    this.migration = migrationOf(this.#rows);
  }

  /** Makes the table and the index unless they are there. */
  migrate(): Promise<void> {
    return makeTables(this.migration, this.#db);
  }

  /** Reads all there is of a document. */
  async load(document: string): Promise<StoredDocument> {
    const rows = await this.#db
      .selectFrom(this.#rows)
      .select(["id", "data"])
      .where("document", "=", document)
      .orderBy("saved_at")
      .execute();
    return { updates: rows.map(({ data }) => new Uint8Array(data)), upTo: rows.map(({ id }) => id) };
  }

  /** Appends a row. */
  async append(document: string, update: Uint8Array): Promise<void> {
    await this.#db.insertInto(this.#rows).values(rowOf(document, update)).execute();
  }

  /** Replaces the rows that were read by one, in a transaction; nothing if some of them are gone. */
  async compact(document: string, merged: Uint8Array, upTo: unknown): Promise<void> {
    const ids = upTo as readonly string[]; // as `load` gave it
    try {
      await this.#db.transaction().execute(async (trx) => {
        for (let i = 0; i < ids.length; i += ROWS_MAX) {
          const some = ids.slice(i, i + ROWS_MAX);
          const { numDeletedRows } = await trx.deleteFrom(this.#rows).where("id", "in", some).executeTakeFirstOrThrow();
          if (numDeletedRows !== BigInt(some.length)) throw forestalled;
        }
        await trx.insertInto(this.#rows).values(rowOf(document, merged)).execute();
      });
    } catch (thrown) {
      if (thrown !== forestalled) throw thrown;
    }
  }

  /** Removes all there is of a document. Have nobody edit it meanwhile. */
  async delete(document: string): Promise<void> {
    await this.#db.deleteFrom(this.#rows).where("document", "=", document).execute();
  }
}

function rowOf(document: string, update: Uint8Array): DocumentTables["document_update"] {
  // A Buffer, as pg's driver and those of SQLite take one.
  const data = Buffer.from(update.buffer, update.byteOffset, update.byteLength);
  return { id: randomUUID(), document, saved_at: Date.now(), data };
}

function migrationOf(rows: "document_update"): Migration {
  return {
    async up(db: Kysely<any>): Promise<void> {
      await db.schema
        .createTable(rows)
        .ifNotExists()
        .addColumn("id", "text", (column) => column.primaryKey())
        .addColumn("document", "text", (column) => column.notNull())
        .addColumn("saved_at", "bigint", (column) => column.notNull())
        // PostgreSQL's name; SQLite takes any, and keeps bytes as they are.
        .addColumn("data", "bytea", (column) => column.notNull())
        .execute();
      await db.schema
        .createIndex(`${rows}_document`)
        .ifNotExists()
        .on(rows)
        .columns(["document", "saved_at"])
        .execute();
    },
    async down(db: Kysely<any>): Promise<void> {
      await db.schema.dropTable(rows).ifExists().execute();
    },
  };
}
