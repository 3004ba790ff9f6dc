import { withoutStack } from "../../wire/event-error.js";
import { describeValue } from "../../wire/values.js";
import type { Claims } from "./claims.js";

/** What somebody must have: a role by its name, one of several roles, or a permission. */
export type Requirement =
  | string
  | {
      /** A role. */
      readonly role: string;
    }
  | {
      /** Roles, of which one is enough. */
      readonly anyRole: readonly string[];
    }
  | {
      /** A permission. */
      readonly permission: string;
    };

/** Asks claims for something; says what they lack. */
interface Check {
  readonly missing: object;
  readonly holds: (claims: Claims) => boolean;
}

/**
 * Reads what somebody must have: all of it.
 *
 * @returns what refuses claims that lack some of it, with `FORBIDDEN`
 * @throws TypeError naming what can't be required
 */
export function readRequirements(method: string, requirements: readonly unknown[]): (claims: Claims) => void {
  const checks = requirements.map((requirement) => readRequirement(method, requirement));
  return (claims) => {
    const failed = checks.find(({ holds }) => !holds(claims));
    if (failed === undefined) return;
    throw withoutStack("FORBIDDEN", "you may not do this", { details: { missing: failed.missing } });
  };
}

/** What is required, as it was written. */
export function describeRequirements(requirements: readonly unknown[]): string {
  return requirements.map((one) => JSON.stringify(one)).join(", ");
}

function readRequirement(method: string, requirement: unknown): Check {
  const given = (typeof requirement === "string" ? { role: requirement } : (requirement ?? {})) as {
    readonly [name: string]: unknown;
  };
  // One thing: of two in an object nobody could tell whether one of them is enough.
  const { role, anyRole, permission } = Object.keys(given).length === 1 ? given : {};
  if (isName(role)) return { missing: { role }, holds: ({ roles }) => roles.includes(role) };
  if (isName(permission))
    return { missing: { permission }, holds: ({ permissions }) => permissions.includes(permission) };
  if (Array.isArray(anyRole) && anyRole.length > 0 && anyRole.every(isName))
    return { missing: { anyRole }, holds: ({ roles }) => anyRole.some((one) => roles.includes(one)) };
  throw new TypeError(
    `Auth.${method}: expected the name of a role, { anyRole: [...] } or { permission }, got ${describeValue(requirement)}`,
  );
}

function isName(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}
