import { describeValue } from "../../wire/values.js";
import type { Happening, RecordHappening } from "./happening.js";
import type { ModelEngine } from "./model-engine.js";
import type { ChangeMethod } from "./protocol.js";
import type { Watched, WatchOptions } from "./watchers.js";

/** Where a source finds what is behind a {@link Model}. @internal */
export const engineOf: unique symbol = Symbol("socket-ingress.changes.engine");

/**
 * A model whose records are followed: what `Changes.define` returns. Publish from anywhere, when the write has succeeded. Publishing returns
 * at once and never throws: what goes wrong (a serialiser that throws, data that can't be sent) reaches the error subscribers, and the
 * change is not told. Inside `Changes.transaction` it is held back until that has committed.
 *
 * @typeParam Row - a record of the model
 *
 * @example
 * const post = await db.insert(input);
 * posts.created(post);
 * const off = posts.watch(({ action, row, changes }) => audit(action, row, changes));
 */
export class Model<Row> {
  /** The model's name, in lower case. */
  readonly name: string;
  /** @internal */
  readonly [engineOf]: ModelEngine;

  /** @internal */
  constructor(engine: ModelEngine) {
    this.name = engine.name;
    this[engineOf] = engine;
  }

  /** A record has come, or several: clients are told `POST`, of several as one change with `many`. */
  created(row: Row | readonly Row[]): void {
    this.#happened("created", () => this.#happening("POST", row));
  }

  /**
   * A record is another than it was, or several are: clients are told `PATCH`, with what is different as far as they may see it.
   *
   * @param old - what it was, or for several what each was, in the same order. A model with narrower topics needs it: without it,
   *   the error subscribers are told, and who is in a topic that the record has left is not
   */
  updated(row: Row | readonly Row[], old?: Row | readonly Row[]): void {
    this.#happened("updated", () => {
      const engine = this[engineOf];
      if (old === undefined && engine.needsOld)
        engine.report(
          new TypeError(
            `model "${this.name}": updated was not told what the record was; it has narrower topics, and who is in one that it has left is not told`,
          ),
          "updated",
        );
      return this.#happening("PATCH", row, old);
    });
  }

  /** A record has gone, or several: clients are told `DELETE`, with what they could see of it. */
  deleted(old: Row | readonly Row[]): void {
    this.#happened("deleted", () => this.#happening("DELETE", old));
  }

  /**
   * Hears in this process of every record that is created, updated or deleted, whole, in the turn in which it is published, and of those
   * of a transaction when that has committed. What it throws, or rejects with, reaches the error subscribers and stops neither the
   * others nor whoever published.
   *
   * @returns the undo
   * @throws TypeError if it is no function
   */
  watch(fn: (watched: Watched<Row>) => unknown, options?: WatchOptions): () => void {
    // The records are those of the model, as whoever publishes them says.
    return this[engineOf].watchers.add(fn as (watched: Watched<unknown>) => unknown, options);
  }

  #happened(method: string, make: () => Happening): void {
    this[engineOf].happened(method, make);
  }

  #happening(method: ChangeMethod, given: Row | readonly Row[], old?: Row | readonly Row[]): Happening {
    if (!Array.isArray(given)) return { method, many: false, each: [this.#one(method, given, old)] };
    if (old !== undefined && !(Array.isArray(old) && old.length === given.length))
      throw new TypeError(
        `model "${this.name}": of ${given.length} records it must be said what each of them was, got ${describeValue(old)}`,
      );
    const olds: readonly unknown[] = Array.isArray(old) ? old : [];
    return { method, many: true, each: given.map((row: unknown, i) => this.#one(method, row, olds[i])) };
  }

  #one(method: ChangeMethod, row: unknown, old: unknown): RecordHappening {
    const id = this[engineOf].idOf(row);
    return method === "DELETE" ? { method, id, row: undefined, old: row } : { method, id, row, old };
  }
}
