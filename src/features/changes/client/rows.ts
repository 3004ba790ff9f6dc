import { misfit } from "../../../client/misfit.js";
import type { ClientLogger } from "../../../client/subscribers.js";
import type { Change, Entered } from "../protocol.js";

/** What makes rows out of records, as `openList` is given it. */
export interface RowsOptions<Row> {
  readonly id: (row: Row) => unknown;
  readonly filter: ((row: Row) => unknown) | undefined;
  readonly sort: ((one: Row, other: Row) => number) | undefined;
  readonly logger: ClientLogger;
}

/** The records that a list has, by their ids. */
export interface Rows<Row> {
  /** These and no others. @throws TypeError if one of them has no id; then nothing is different */
  replace(rows: readonly Row[]): void;
  /** Some come in with a change that follows. */
  enter(entered: Entered): void;
  /**
   * Does what a change says. Returns what the rows are called here that it is about; `undefined` for one of which it did not say enough.
   *
   * @param narrow whether the list's topic is a narrower one: of a change that is not for that alone it takes what it has, or was told of
   */
  apply(change: Change, narrow: boolean): (string | undefined)[];
  /** What a row is called here; `undefined` if it is none, or does not say. */
  keyOf(row: unknown): string | undefined;
  /** The same. @throws TypeError if it has none */
  neededKeyOf(row: Row): string;
  /** What is to be shown, with `instead` in place of some and behind the others: the same array while nothing is different. */
  show(instead: ReadonlyMap<string, Row>): readonly Row[];
}

/** Makes an empty record of rows. */
export function createRows<Row>({ id, filter, sort, logger }: RowsOptions<Row>): Rows<Row> {
  const rows = new Map<string, Row>();
  /** Those that were announced, until they are there. */
  const entered = new Set<string>();
  let shown: readonly Row[] = [];

  const failed = (what: string, error: unknown): void =>
    logger.error(`socket-ingress: the ${what} of a list failed`, error);
  const passes = (row: Row): boolean => {
    try {
      return !filter || Boolean(filter(row));
    } catch (error) {
      failed("filter", error);
      return false;
    }
  };
  const keyOf = (row: unknown): string | undefined => {
    if (!isRow<Row>(row)) return undefined;
    try {
      return textOf(id(row));
    } catch {
      // Of a deletion that says an id and nothing else, for instance.
      return undefined;
    }
  };
  const neededKeyOf = (row: Row): string => {
    const key = keyOf(row);
    if (key === undefined) throw misfit("a row of a list", "an object with an id", row);
    return key;
  };
  const set = (key: string, row: Row, narrow: boolean, isIn: boolean): void => {
    if (!entered.delete(key) && !isIn && !rows.has(key)) return;
    // What is not shown is not kept, or a list would grow with all that ever was; but which records are in a narrower topic must be known.
    if (narrow || passes(row)) rows.set(key, row);
    else rows.delete(key);
  };

  return {
    replace(loaded) {
      // Before anything is different: what can't be shown changes nothing.
      const keyed = loaded.map((row) => [neededKeyOf(row), row] as const);
      rows.clear();
      entered.clear();
      for (const [key, row] of keyed) rows.set(key, row);
    },
    enter({ ids }) {
      for (const each of ids) entered.add(String(each));
    },
    apply({ method, id: one, many, payload, topic }, narrow) {
      const isIn = !narrow || topic !== undefined;
      return (many ? payload : [payload]).map((record) => {
        const key = textOf(one) ?? keyOf(record);
        if (key === undefined) return undefined;
        if (method === "DELETE") {
          rows.delete(key);
          entered.delete(key);
        } else if (isRow<Row>(record)) set(key, record, narrow, isIn);
        else return undefined;
        return key;
      });
    },
    keyOf,
    neededKeyOf,
    show(instead) {
      const added = [...instead].filter(([key]) => !rows.has(key));
      const all = [...[...rows].map(([key, row]) => instead.get(key) ?? row), ...added.map(([, row]) => row)];
      const wanted = all.filter(passes);
      if (sort) {
        try {
          wanted.sort(sort);
        } catch (error) {
          failed("sort", error);
        }
      }
      const isSame = wanted.length === shown.length && wanted.every((row, i) => row === shown[i]);
      return isSame ? shown : (shown = Object.freeze(wanted));
    },
  };
}

function isRow<Row>(value: unknown): value is Row {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function textOf(id: unknown): string | undefined {
  return typeof id === "string" || typeof id === "number" ? String(id) : undefined;
}
