import { Kysely, SqliteDialect } from "kysely";
import Database from "libsql";
import { KyselyDocumentStore } from "socket-ingress/collab";

/** A store in a file that several processes have open: whoever finds it locked waits, as an application would have it. */
export function storeIn(file: string): KyselyDocumentStore {
  const database = new Database(file, { timeout: 10_000 });
  return new KyselyDocumentStore(new Kysely({ dialect: new SqliteDialect({ database }) }));
}
