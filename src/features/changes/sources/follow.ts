import { asRecord, checkNames } from "../../../wire/option-names.js";
import { andThen, type Awaitable, describeValue, isObject } from "../../../wire/values.js";
import type { Model } from "../model.js";
import { isId } from "../model-engine.js";
import type { RecordId } from "../protocol.js";
import { type Before, Source, type SourceOptions } from "./source.js";

type Method = (...args: unknown[]) => unknown;

const writes: Readonly<Record<string, "create" | "update" | "remove">> = {
  create: "create",
  update: "update",
  remove: "remove",
  delete: "remove",
};

/**
 * A repository whose writes are published when they have succeeded: any object with some of `create(...)`, `update(id, ...)`, `remove(id)` or
 * `delete(id)`, of which the last three may be given the record for its id, whatever database library is behind it. `create` and `update` return the record, or a list of them. What a record was is asked of its
 * `get(id)`, before the write, or of `loadOld`; without either, `remove` has to return the record, or only its id is told.
 *
 * What it can't see: writes that are not made through what it returns, of the repository itself as well, and an `update` of many records
 * that returns how many.
 *
 * @returns the same repository, in front of it; the one that was given stays as it is
 * @throws TypeError if there is nothing to follow, or if the model has narrower topics and there is neither `get` nor `loadOld`
 *
 * @example
 * const repository = follow(posts, {
 *   get: (id: number) => db.query.posts.findFirst({ where: eq(table.id, id) }),
 *   create: async (input: NewPost) => (await db.insert(table).values(input).returning())[0],
 *   update: async (id: number, patch: Partial<Post>) => (await db.update(table).set(patch).where(eq(table.id, id)).returning())[0],
 *   remove: async (id: number) => (await db.delete(table).where(eq(table.id, id)).returning())[0],
 * });
 */
export function follow<Row, Repository extends object>(
  model: Model<Row>,
  repository: Repository,
  options: SourceOptions<Row> = {},
): Repository {
  checkNames("follow", asRecord("follow", options), ["loadOld"]);
  const { loadOld } = options;
  if (!isObject(repository) || !Object.keys(writes).some((name) => typeof methodOf(repository, name) === "function"))
    throw new TypeError(
      `follow: expected a repository with create, update, remove or delete, got ${describeValue(repository)}`,
    );
  const get = methodOf(repository, "get");
  // What it finds is a record, as it says.
  const find = loadOld ?? (get && ((id: RecordId) => get.call(repository, id) as Awaitable<Row | undefined>));
  const followed = new Followed(new Source("follow", model, find), repository);
  // In front of something else that looks like it: of what is frozen a proxy may show nothing but what is there.
  const front = Object.create(repository) as Repository;
  return new Proxy(front, {
    get(_front, name) {
      const value: unknown = Reflect.get(repository, name, repository);
      if (typeof value !== "function") return value;
      const write = typeof name === "string" && Object.hasOwn(writes, name) ? writes[name] : undefined;
      const method = value as Method;
      // Called on itself: one with private members is nobody else.
      if (write === undefined) return method.bind(repository);
      return (...args: unknown[]) => followed[write](method, args);
    },
    set: (_front, name, value) => Reflect.set(repository, name, value),
  });
}

function methodOf(repository: object, name: string): Method | undefined {
  const found: unknown = Reflect.get(repository, name);
  return typeof found === "function" ? (found as Method) : undefined;
}

/** The writes of one repository. What they return or throw is what the repository does. */
class Followed {
  readonly #source: Source;
  readonly #repository: object;

  constructor(source: Source, repository: object) {
    this.#source = source;
    this.#repository = repository;
  }

  create(method: Method, args: unknown[]): unknown {
    return andThen(method.apply(this.#repository, args), (result) => {
      this.#tell("POST", result, { known: false });
      return result;
    });
  }

  update(method: Method, args: unknown[]): unknown {
    return this.#after(args[0], (before) =>
      andThen(method.apply(this.#repository, args), (result) => {
        if (this.#source.idOf(result) !== undefined || Array.isArray(result)) this.#tell("PATCH", result, before);
        else if (isKnown(before)) return this.#reload(this.#called(args[0]) as RecordId, before, result); // it was found by it
        else if (!isNothing(result)) this.#unsaid();
        return result;
      }),
    );
  }

  remove(method: Method, args: unknown[]): unknown {
    return this.#after(args[0], (before) =>
      andThen(method.apply(this.#repository, args), (result) => {
        const isRecord = this.#source.idOf(result) !== undefined || Array.isArray(result);
        const old = isRecord ? result : before.known ? before.row : undefined;
        // One that returns nothing has not said that there was nothing.
        const isGone = isRecord || result === undefined || !isNothing(result);
        if (isGone && old !== undefined) this.#tell("DELETE", old, before);
        else if (isGone && !before.known) this.#removed(args[0]);
        return result;
      }),
    );
  }

  /** What a record was is known before it is written, if it can be. */
  #after(given: unknown, write: (before: Before) => unknown): unknown {
    const id = this.#called(given);
    if (!this.#source.asks || id === undefined) return write({ known: false });
    return this.#source.load(id).then(write);
  }

  /** What a write was given says which record it is about: an id, or the record. */
  #called(given: unknown): RecordId | undefined {
    return isId(given) ? given : this.#source.idOf(given);
  }

  #tell(method: "POST" | "PATCH" | "DELETE", result: unknown, before: Before): void {
    const { engine } = this.#source;
    if (method === "POST" && isNothing(result)) return;
    const many = Array.isArray(result);
    const rows: readonly unknown[] = many ? result : [result];
    // A list of one, as SQL libraries return it, is that record.
    const isOnly = rows.length === 1 && isKnown(before);
    if (many && !isOnly && method === "PATCH" && engine.needsOld)
      this.#source.warn("a list was written, of whose records it is not known what they were");
    engine.happened("follow", () => ({
      method,
      many,
      each: rows.map((row) => {
        const id = engine.idOf(row);
        if (method === "DELETE") return { method, id, row: undefined, old: row };
        return { method, id, row, old: before.known && (isOnly || !many) ? before.row : undefined };
      }),
    }));
  }

  /** The repository says that it has written, and not what. */
  async #reload(id: RecordId, before: Before, result: unknown): Promise<unknown> {
    const now = await this.#source.load(id);
    if (now.known && now.row !== undefined) this.#tell("PATCH", now.row, before);
    else this.#unsaid();
    return result;
  }

  #unsaid(): void {
    this.#source.warn("update must return the record, or it can't be told");
  }

  #removed(given: unknown): void {
    const { engine } = this.#source;
    const id = this.#called(given);
    if (id === undefined)
      return this.#source.warn("remove must be given the id, or return the record, or it can't be told");
    engine.happened("follow", () => ({
      method: "DELETE",
      many: false,
      each: [{ method: "DELETE", id, row: undefined, old: undefined }],
    }));
  }
}

/** Whether there was a record. */
function isKnown(before: Before): boolean {
  return before.known && before.row !== undefined;
}

/** What a write returns that has found nothing to write. */
function isNothing(result: unknown): boolean {
  return result === undefined || result === null || result === false || result === 0;
}
