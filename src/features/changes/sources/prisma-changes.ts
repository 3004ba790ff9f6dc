import type { Happening, RecordHappening } from "../happening.js";
import type { Model } from "../model.js";
import type { ChangeMethod, RecordId } from "../protocol.js";
import { type Before, type Source, type SourceOptions, sourcesOf } from "./source.js";

/** What Prisma hands to an extension of its queries. */
export interface PrismaOperation {
  /** The model, as the schema writes it; nothing for raw queries. */
  readonly model?: string;
  /** What is done, such as `create`. */
  readonly operation: string;
  /** What it is done with. */
  readonly args: unknown;
  /** Does it. */
  readonly query: (args: never) => PromiseLike<unknown>;
}

/** What `$extends` takes. */
export interface PrismaChangesExtension {
  /** The name of the extension. */
  readonly name: string;
  /** What it does with queries. */
  readonly query: {
    /** It looks at those of all models. */
    readonly $allModels: {
      /** Runs a query, and publishes what it returns. */
      $allOperations(operation: PrismaOperation): Promise<unknown>;
    };
  };
}

const methods: ReadonlyMap<string, Exclude<ChangeMethod, "GET">> = new Map<string, Exclude<ChangeMethod, "GET">>([
  ["create", "POST"],
  ["createManyAndReturn", "POST"],
  ["update", "PATCH"],
  ["updateManyAndReturn", "PATCH"],
  ["upsert", "PUT"],
  ["delete", "DELETE"],
]);

/** What only says how many records it has written. */
const counting: ReadonlySet<string> = new Set(["createMany", "updateMany", "deleteMany"]);

interface Arguments {
  readonly where?: Readonly<Record<string, unknown>>;
  readonly select?: unknown;
  readonly omit?: unknown;
}

/**
 * An extension for Prisma: what `create`, `update`, `upsert`, `delete`, `createManyAndReturn` and `updateManyAndReturn` return is published.
 * It is the whole record only without `select` and `omit`: with these it is not told, but for deletions, which is said once.
 *
 * A query has run when it is published, but a transaction has not committed: wrap it in `Changes.transaction`. What it can't see:
 * `createMany`, `updateMany` and `deleteMany`, which only count; nested writes; raw queries; cascades, and other programs; what a record was, unless
 * it is given `loadOld`, which is asked before the query by the `id` of its `where`.
 *
 * @param models - the models, by their names in the schema
 * @throws TypeError if there is no model, or one has narrower topics, and there is no `loadOld`
 *
 * @example
 * const prisma = new PrismaClient().$extends(prismaChanges({ Post: posts }));
 */
export function prismaChanges(
  models: Readonly<Record<string, Model<unknown>>>,
  options: SourceOptions = {},
): PrismaChangesExtension {
  const sources = sourcesOf("prismaChanges", models, options);
  return {
    name: "socket-ingress changes",
    query: {
      $allModels: {
        async $allOperations({ model, operation, args, query }) {
          const source = sources.get(model);
          const method = methods.get(operation);
          const given = (args ?? {}) as Arguments;
          if (source !== undefined && counting.has(operation))
            source.warn(`${operation} only counts: use its form that returns the records`);
          if (source === undefined || method === undefined) return query(args as never);
          const before = method === "POST" ? UNKNOWN : await beforeOf(source, given);
          const result = await query(args as never);
          publish(source, method, result, before, given);
          return result;
        },
      },
    },
  };
}

const UNKNOWN: Before = { known: false };

async function beforeOf(source: Source, { where }: Arguments): Promise<Before> {
  const id = where?.["id"];
  return typeof id === "string" || typeof id === "number" ? source.load(id) : UNKNOWN;
}

function publish(
  source: Source,
  method: Exclude<ChangeMethod, "GET">,
  result: unknown,
  before: Before,
  { select, omit }: Arguments,
): void {
  const { engine } = source;
  const isWhole = select === undefined && omit === undefined;
  if (!isWhole && (method !== "DELETE" || engine.needsOld))
    return source.warn("a query with select or omit does not show the record it has written");
  if (engine.needsOld && !before.known && (method === "PATCH" || method === "PUT"))
    source.warn("what the record was is asked by the id of its where, and there is none");
  const many = Array.isArray(result);
  const rows: readonly unknown[] = many ? result : [result];
  const old = !many && before.known ? before.row : undefined;
  const one = (row: unknown, id: RecordId): RecordHappening =>
    method === "DELETE"
      ? { method, id, row: undefined, old: isWhole ? row : old }
      : { method, id, row, old: method === "POST" ? undefined : old };
  engine.happened("prismaChanges", (): Happening => ({
    method,
    many,
    each: rows.map((row) => one(row, engine.idOf(row))),
  }));
}
