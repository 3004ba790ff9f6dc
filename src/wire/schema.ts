import type { StandardSchemaV1 } from "@standard-schema/spec";
import { type EventError, withoutStack } from "./event-error.js";

/** One thing that is wrong with an input: where, and what. */
export interface InputIssue {
  /** From the arguments inwards, e.g. `["items", 2, "price"]`; of several arguments the first segment is the index. */
  path: (string | number)[];
  message: string;
}

/** A reply need not list what is wrong with ten thousand items. */
const MOST_ISSUES = 50;

/** The issues of any Standard Schema library in one shape: its path segments may be keys or objects with a key. */
export function readIssues(
  issues: readonly StandardSchemaV1.Issue[],
  prefix: readonly (string | number)[] = [],
): InputIssue[] {
  return issues.slice(0, MOST_ISSUES).map((issue) => ({
    path: [...prefix, ...(issue.path ?? []).map(readSegment)],
    message: issue.message,
  }));
}

function readSegment(segment: PropertyKey | StandardSchemaV1.PathSegment): string | number {
  const key = typeof segment === "object" ? segment.key : segment;
  return typeof key === "number" ? key : String(key);
}

/** The refusal of an input that does not fit. */
export function invalidInput(issues: InputIssue[]): EventError {
  return withoutStack("INVALID_INPUT", "the input does not fit", { details: { issues } });
}
