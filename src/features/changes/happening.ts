import type { ChangeMethod, RecordId } from "./protocol.js";

/** What happened to one record, as whoever wrote it knows it. */
export interface RecordHappening {
  readonly method: ChangeMethod;
  /** What the record is called; of one whose id has changed, the new one. */
  readonly id: RecordId;
  /** The record now; `undefined` if there is none, after a deletion. */
  readonly row: unknown;
  /** The record before; `undefined` if there was none, or what it was is not known. */
  readonly old: unknown;
}

/** What happened by one call, or by one response: to one record, or to those of a list. */
export interface Happening {
  readonly method: ChangeMethod;
  readonly many: boolean;
  readonly each: readonly RecordHappening[];
}

/** Something that happened to a single record. */
export function toOne(one: RecordHappening): Happening {
  return { method: one.method, many: false, each: [one] };
}

/**
 * What two things that happened to one record are together; `undefined` if they come to nothing.
 *
 * | first  | then `POST`                  | then `PUT`, `PATCH`      | then `DELETE`        |
 * | ------ | ---------------------------- | ------------------------ | -------------------- |
 * | `POST` | created as it is now         | created as it is now     | nothing              |
 * | others | changed from what it was     | changed from what it was | deleted, as it was   |
 * | `DELETE` | changed from what was deleted | changed from what was deleted | deleted, as it was |
 */
export function merged(first: RecordHappening, then: RecordHappening): RecordHappening | undefined {
  const { row } = then;
  if (first.method === "POST") {
    if (then.method === "DELETE") return undefined;
    return { ...then, method: "POST", row, old: undefined };
  }
  if (then.method === "DELETE") return { ...then, old: first.old ?? then.old };
  // Where that is not known, what it was in between says nothing to whoever was not told of that.
  return { ...then, method: then.method === "POST" ? "PATCH" : then.method, old: first.old };
}

/** A record as it is now, whatever becomes of it: what is held back is told as it was. A class of one's own is taken as it is. */
export function keptAsIs(happening: Happening): Happening {
  return {
    ...happening,
    each: happening.each.map((one) => ({ ...one, row: copyOf(one.row), old: copyOf(one.old) })),
  };
}

function copyOf(row: unknown): unknown {
  try {
    if (typeof row !== "object" || row === null) return row;
    const prototype: unknown = Object.getPrototypeOf(row);
    return prototype === Object.prototype || prototype === null ? structuredClone(row) : row;
  } catch {
    return row;
  }
}
