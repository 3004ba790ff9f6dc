import { invalidInput } from "../../wire/schema.js";
import type { PageRange } from "./notification-store.js";

// What clients send is hostile.

/** The largest page, and the size of one for whom none is named. */
const PAGE = { most: 100, standard: 50 };

/** So many notifications may be marked by one call. */
const MOST_IDS = 1_000;

/** The longest id: ours have 36 characters. */
const LONGEST_ID = 64;

/** Reads `{ limit?, before? }`. A limit is clamped, anything else that is no number is refused. */
export function readRange(asked: unknown): PageRange {
  if (asked === undefined || asked === null) return { before: undefined, limit: PAGE.standard };
  if (typeof asked !== "object") throw misfit("expected { limit, before }");
  const { limit, before } = asked as { limit?: unknown; before?: unknown };
  const size = limit ?? PAGE.standard;
  if (typeof size !== "number" || Number.isNaN(size)) throw misfit("expected a number", "limit");
  return {
    before: before === undefined || before === null ? undefined : readSeq(before, "before"),
    limit: Math.trunc(Math.min(PAGE.most, Math.max(1, size))),
  };
}

/** Reads the ids of notifications. */
export function readIds(asked: unknown): readonly string[] {
  if (!Array.isArray(asked) || asked.length > MOST_IDS) throw misfit(`expected a list of at most ${MOST_IDS} ids`);
  for (const id of asked as readonly unknown[])
    // A database of text refuses U+0000, and our log would tell of that as a fault of ours.
    if (typeof id !== "string" || id.length > LONGEST_ID || id.includes("\0"))
      throw misfit("expected ids of notifications");
  return asked as readonly string[]; // each was looked at
}

/** Reads the `seq` of the newest notification that was seen. */
export function readUpTo(asked: unknown): number {
  return readSeq(asked);
}

function readSeq(value: unknown, ...path: string[]): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0)
    throw misfit("expected the seq of a notification", ...path);
  return value as number;
}

function misfit(message: string, ...path: string[]): Error {
  return invalidInput([{ path: [0, ...path], message }]);
}
