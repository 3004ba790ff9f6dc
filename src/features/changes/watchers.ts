import { isOwner, type Owner } from "../../lifecycle/cleanups.js";
import { describeValue, isThenable } from "../../wire/values.js";
import type { ChangeMethod, Differences, RecordId } from "./protocol.js";

/** What every watcher is told. */
export interface WatchedRecord {
  /** What the record is called. */
  readonly id: RecordId;
  /** What was written, as a route would say it. */
  readonly method: ChangeMethod;
}

/** A record has come. */
export interface Created<Row> extends WatchedRecord {
  /** It is new. */
  readonly action: "created";
  /** The record. */
  readonly row: Row;
  /** There was none. */
  readonly old: undefined;
  /** There is nothing to be compared with. */
  readonly changes: undefined;
}

/** A record is another than it was. */
export interface Updated<Row> extends WatchedRecord {
  /** It has changed. */
  readonly action: "updated";
  /** The record as it is now. */
  readonly row: Row;
  /** The record as it was; `undefined` if whoever published it did not know. */
  readonly old: Row | undefined;
  /** The fields that are different, each with what was there and what is there now; `undefined` without `old`. */
  readonly changes: Differences<Row> | undefined;
}

/** A record has gone. */
export interface Removed<Row> extends WatchedRecord {
  /** It is gone. */
  readonly action: "deleted";
  /** The record as it was last; `undefined` if whoever published it knew only the id. */
  readonly row: Row | undefined;
  /** The same. */
  readonly old: Row | undefined;
  /** There is nothing to be compared with. */
  readonly changes: undefined;
}

/**
 * What a watcher is told: one record, whole, whatever clients may see of it.
 *
 * @typeParam Row - a record of the model
 */
export type Watched<Row> = Created<Row> | Updated<Row> | Removed<Row>;

/** Who it belongs to. */
export interface WatchOptions {
  /** The watcher goes when its owner goes. */
  readonly owner?: Owner;
}

/** A watcher that failed, and what it was told. */
type OnError = (error: unknown, watcher: string) => void;

/** Those who watch the records of one model in this process: each is told by itself, whatever becomes of the others. */
export class Watchers<Row> {
  #watchers: readonly { readonly fn: (watched: Watched<Row>) => unknown }[] = [];
  readonly #where: string;
  readonly #onError: OnError;

  /** @param where - what is watched, for messages */
  constructor(where: string, onError: OnError) {
    this.#where = where;
    this.#onError = onError;
  }

  /** @throws TypeError if it is no function, or its owner is none */
  add(fn: (watched: Watched<Row>) => unknown, { owner }: WatchOptions = {}): () => void {
    if (typeof fn !== "function")
      throw new TypeError(`${this.#where}: watch expects a function, got ${describeValue(fn)}`);
    if (owner !== undefined && !isOwner(owner))
      throw new TypeError(`${this.#where}: watch expects an owner with addCleanup(), got ${describeValue(owner)}`);
    const watcher = { fn };
    let forget: unknown;
    const undo = (): void => {
      this.#watchers = this.#watchers.filter((other) => other !== watcher);
      if (typeof forget === "function") forget();
      forget = undefined;
    };
    forget = owner?.addCleanup(undo);
    this.#watchers = [...this.#watchers, watcher];
    return undo;
  }

  /** Tells each, in the order in which they came, in this tick. Never throws. */
  tell(watched: () => Watched<Row>): void {
    if (this.#watchers.length === 0) return;
    let told: Watched<Row> | undefined;
    for (const { fn } of this.#watchers) {
      try {
        const result = fn((told ??= watched()));
        if (isThenable(result))
          Promise.resolve(result).then(undefined, (error: unknown) => this.#onError(error, fn.name));
      } catch (error) {
        this.#onError(error, fn.name);
      }
    }
  }
}
