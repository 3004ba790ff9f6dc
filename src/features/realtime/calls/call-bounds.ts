import { option, type Option } from "../../../events/option-table.js";

/** A bound of what a store of calls keeps. */
export function bound(fallback: number): Option<number> {
  return option(fallback, "a whole number from 1", (value) => Number.isSafeInteger(value) && (value as number) >= 1);
}

/** The bounds that every store of calls of this package has. */
export const sharedBounds: Readonly<Record<"maxPerIdentity" | "maxAnswerBytes" | "maxIdentityBytes", Option<number>>> =
  {
    maxPerIdentity: bound(100),
    maxAnswerBytes: bound(256 * 1024),
    maxIdentityBytes: bound(1024 * 1024),
  };
