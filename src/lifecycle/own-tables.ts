import { describeValue, isObject } from "../wire/values.js";

/** The option of a store that says what the names of its tables and indexes begin with, in the database of an application. */
export const tablePrefix: {
  readonly fallback: string;
  readonly expects: string;
  readonly fits: (value: unknown) => boolean;
} = {
  fallback: "ingress_",
  expects: "at most 30 letters, digits and _",
  // PostgreSQL cuts names after 63 characters, and ours come behind it.
  fits: (value) => typeof value === "string" && /^([A-Za-z_][A-Za-z0-9_]{0,29})?$/.test(value),
};

/**
 * Looks at what a store was given for a database, before its first statement does.
 *
 * @throws TypeError unless it is an instance of Kysely
 */
export function checkKysely(store: string, db: unknown): void {
  if (isObject(db) && typeof (db as { withoutPlugins?: unknown }).withoutPlugins === "function") return;
  throw new TypeError(`${store}: expected an instance of Kysely, got ${describeValue(db)}`);
}

/** More than a migration of ours makes tables and indexes. */
const MOST_TRIES = 10;

/**
 * Makes the tables of a store unless they are there, which its migration looks for.
 *
 * PostgreSQL lets one of two nodes fail that make the same table or index at once, "if not exists" or not. By then it is there, so that
 * each further try comes past it, and may meet the same at the next. What fails for another reason fails at the last try, too.
 *
 * @param migration as Kysely has it
 */
export async function makeTables<Database>(
  migration: { up(db: Database): Promise<void> },
  db: Database,
): Promise<void> {
  for (let left = MOST_TRIES; ;) {
    try {
      return await migration.up(db);
    } catch (error) {
      if (--left === 0) throw error;
    }
  }
}
