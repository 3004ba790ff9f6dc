import { asRecord, checkNames } from "../../../wire/option-names.js";
import { describeValue, isThenable } from "../../../wire/values.js";
import { engineOf, type Model } from "../model.js";
import type { ModelEngine } from "../model-engine.js";
import type { RecordId } from "../protocol.js";

/**
 * Finds what a record is before it is written; `undefined` or `null` if there is none. A list of one, as SQL libraries return it, is that
 * record, an empty one is none.
 *
 * @typeParam Row - a record of the model
 */
export type LoadOld<Row> = (
  id: RecordId,
  model: string,
) => PromiseLike<Row | null | undefined> | Row | null | undefined;

/** What a source is told that sees less than it has to. */
export interface SourceOptions<Row = unknown> {
  /**
   * Finds the record before it is written, where the source can't know it. Needed for models with narrower topics; with it, `changes` is told
   * for others, too. It is waited for before the write, so it is as fast as it is. If it fails, the write goes on, and the error
   * subscribers are told.
   */
  loadOld?: LoadOld<Row>;
}

/** What is known of a record before a write. */
export type Before = { readonly known: false } | { readonly known: true; readonly row: unknown };

const UNKNOWN: Before = { known: false };

/** What sources have in common: the model they publish to, and what it was. */
export class Source {
  readonly what: string;
  readonly engine: ModelEngine;
  readonly #loadOld: LoadOld<unknown> | undefined;

  /**
   * @param what - the source, for messages
   * @throws TypeError if it is given no model, or if the model has narrower topics, and there is nobody to ask what a record was
   */
  constructor(what: string, model: Model<unknown>, loadOld: LoadOld<unknown> | undefined) {
    const engine = (model as Model<unknown> | null | undefined)?.[engineOf];
    if (engine === undefined)
      throw new TypeError(`${what}: expected a model, as Changes.define returns it, got ${describeValue(model)}`);
    if (loadOld !== undefined && typeof loadOld !== "function")
      throw new TypeError(`${what}: loadOld must be a function (id) => record, got ${describeValue(loadOld)}`);
    if (loadOld === undefined && engine.needsOld)
      throw new TypeError(
        `${what}: model "${engine.name}" has narrower topics, and this source does not know what a record was; give it loadOld, such as { loadOld: (id) => find(id) }`,
      );
    this.what = what;
    this.engine = engine;
    this.#loadOld = loadOld;
  }

  /** Whether what a record was is asked for. */
  get asks(): boolean {
    return this.#loadOld !== undefined;
  }

  /** What a record is now. Never throws or rejects. */
  async load(id: RecordId): Promise<Before> {
    if (this.#loadOld === undefined) return UNKNOWN;
    try {
      const found = this.#loadOld(id, this.engine.name);
      const given = isThenable(found) ? await found : found;
      const row = (Array.isArray(given) && given.length < 2 ? (given[0] as unknown) : given) ?? undefined;
      if (row === undefined || this.idOf(row) !== undefined) return { known: true, row };
      throw new TypeError(`model "${this.engine.name}": expected to find the record, got ${describeValue(row)}`);
    } catch (error) {
      this.engine.report(error, `${this.what} loadOld`);
      return UNKNOWN;
    }
  }

  /** What the record is called, if this is one. */
  idOf(row: unknown): RecordId | undefined {
    try {
      return this.engine.idOf(row);
    } catch {
      return undefined;
    }
  }

  /** Says once that something can't be told to anybody. */
  warn(message: string): void {
    this.engine.warn(`${this.what} of model "${this.engine.name}": ${message} (said once)`, this.what);
  }
}

/**
 * The sources of a library that knows records by a name.
 *
 * @throws TypeError as a {@link Source} does, and if there is none: nothing would ever be told
 */
export function sourcesOf(
  what: string,
  models: Readonly<Record<string, Model<unknown>>>,
  options: SourceOptions,
): ReadonlyMap<string | undefined, Source> {
  checkNames(what, asRecord(what, options), ["loadOld"]);
  const named = Object.entries(models ?? {});
  if (named.length === 0)
    throw new TypeError(`${what}: expected models by their names, such as { post: posts }, got none`);
  return new Map(named.map(([name, model]) => [name, new Source(what, model, options.loadOld)]));
}
