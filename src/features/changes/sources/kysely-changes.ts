import type { Happening, RecordHappening } from "../happening.js";
import type { Model } from "../model.js";
import type { ChangeMethod } from "../protocol.js";
import { type Source, type SourceOptions, sourcesOf } from "./source.js";

/** What `plugins` of a `Kysely`, and `withPlugin`, take. */
export interface KyselyChangesPlugin {
  /** Looks at a query before it is run; it stays as it is. */
  transformQuery<Node>(asked: { readonly queryId: object; readonly node: Node }): Node;
  /** Looks at what a query has returned; it stays as it is. */
  transformResult<Result>(found: { readonly queryId: object; readonly result: Result }): Promise<Result>;
}

/** As much of Kysely's nodes as is looked at. */
interface QueryNode {
  readonly kind?: string;
  readonly into?: TableNode;
  readonly table?: TableNode;
  readonly from?: { readonly froms?: readonly TableNode[] };
  readonly onConflict?: { readonly updates?: unknown };
  readonly returning?: { readonly selections?: readonly { readonly selection?: { readonly kind?: string } }[] };
}

interface TableNode {
  readonly kind?: string;
  readonly table?: TableNode & { readonly identifier?: { readonly name?: string } };
  readonly node?: TableNode;
}

interface Statement {
  readonly source: Source;
  readonly method: Exclude<ChangeMethod, "GET">;
  /** Whether all columns come back, as far as the query says. */
  readonly isWhole: boolean;
}

const methods: ReadonlyMap<string | undefined, Statement["method"]> = new Map<string | undefined, Statement["method"]>([
  ["InsertQueryNode", "POST"],
  ["UpdateQueryNode", "PATCH"],
  ["DeleteQueryNode", "DELETE"],
]);

/**
 * A plugin for Kysely: what `insert`, `update` and `delete` of a table return is published. Only `returningAll()` shows records whole, so
 * others are not told, but for deletions that return the id; that is said once. An `insert` that may update (`onConflict`) is told as `PUT`.
 *
 * A statement has run when it is published, but a transaction has not committed: wrap it in `Changes.transaction`. What it can't see: statements
 * without `returning`, `merge`, raw SQL, triggers and cascades, and other programs; an id that was changed; what a record was before an
 * `update`. `loadOld` is asked for that when the statement *has run*, so it must answer from elsewhere: a cache, or another connection while
 * the transaction has not committed.
 *
 * @param tables - the models, by the names of their tables
 * @throws TypeError if there is no model, or one has narrower topics, and there is no `loadOld`
 *
 * @example
 * const db = new Kysely<Database>({ dialect, plugins: [kyselyChanges({ post: posts })] });
 * await changes.transaction(() => db.transaction().execute((trx) => trx.insertInto("post").values(post).returningAll().execute()));
 */
export function kyselyChanges(
  tables: Readonly<Record<string, Model<unknown>>>,
  options: SourceOptions = {},
): KyselyChangesPlugin {
  const sources = sourcesOf("kyselyChanges", tables, options);
  const asked = new WeakMap<object, Statement>();
  return {
    transformQuery({ queryId, node }) {
      const statement = statementOf(node as QueryNode, sources);
      if (statement !== undefined) asked.set(queryId, statement);
      return node;
    },
    async transformResult({ queryId, result }) {
      const statement = asked.get(queryId);
      const { rows } = result as { readonly rows?: readonly unknown[] };
      if (statement !== undefined && rows !== undefined && rows.length > 0) await publish(statement, rows);
      return result;
    },
  };
}

function statementOf(node: QueryNode, sources: ReadonlyMap<string | undefined, Source>): Statement | undefined {
  const method = methods.get(node.kind);
  const source = method && sources.get(tableOf(node));
  if (source === undefined || method === undefined) return undefined;
  const { selections } = node.returning ?? {};
  if (selections === undefined) {
    source.warn("a statement without returningAll() says nothing of the records that it has written");
    return undefined;
  }
  const isWhole = selections.some(({ selection }) => isAll(selection));
  return { source, method: node.onConflict?.updates === undefined ? method : "PUT", isWhole };
}

/** `select *`, or all of one table. */
function isAll(
  selection: { readonly kind?: string; readonly column?: { readonly kind?: string } } | undefined,
): boolean {
  return selection?.kind === "SelectAllNode" || selection?.column?.kind === "SelectAllNode";
}

function tableOf({ into, table, from }: QueryNode): string | undefined {
  let node: TableNode | undefined = into ?? table ?? from?.froms?.[0];
  if (node?.kind === "AliasNode") node = node.node;
  return node?.table?.identifier?.name;
}

async function publish({ source, method, isWhole }: Statement, rows: readonly unknown[]): Promise<void> {
  const { engine } = source;
  if (!isWhole && (method !== "DELETE" || engine.needsOld))
    return source.warn("a statement that does not return all columns does not show the records it has written");
  const known = rows.filter((row) => source.idOf(row) !== undefined);
  const each: RecordHappening[] = [];
  for (const row of known) {
    const id = engine.idOf(row);
    if (method === "DELETE") each.push({ method, id, row: undefined, old: isWhole ? row : undefined });
    else each.push({ method, id, row, old: method === "POST" ? undefined : await oldOf(source, id) });
  }
  engine.happened("kyselyChanges", (): Happening => ({ method, many: rows.length > 1, each }));
}

async function oldOf(source: Source, id: string | number): Promise<unknown> {
  const before = await source.load(id);
  return before.known ? before.row : undefined;
}
