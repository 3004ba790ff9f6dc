import { describeKey, type Key } from "../lifecycle/registry.js";
import type { Part, PartKind } from "../events/managed.js";

/** The service or controller that a key stands for, if any: a string is its name, a class its own. */
export function partFor(key: Key, parts: readonly Part[]): Part | undefined {
  return parts.find(
    ({ kind, name, target }) =>
      kind !== "handler" && (typeof key === "string" ? name === key : target.constructor === key),
  );
}

const ranks: Record<PartKind, number> = { service: 0, controller: 1, handler: 2 };

/**
 * The order to start in: services, controllers, handlers, each in the order in which they were registered, but whatever a service
 * requires before it.
 *
 * @throws Error naming the circle when services require each other in one.
 */
export function startOrder(parts: readonly Part[]): Part[] {
  const ordered = new Set<Part>();
  const visit = (part: Part, path: readonly Part[]): void => {
    if (ordered.has(part)) return;
    const begin = path.indexOf(part);
    if (begin !== -1) {
      const circle = [...path.slice(begin), part].map(({ name }) => JSON.stringify(name)).join(" -> ");
      throw new Error(`services require each other in a circle: ${circle}`);
    }
    for (const key of part.requires) {
      const required = partFor(key, parts);
      if (required) visit(required, [...path, part]);
    }
    ordered.add(part);
  };
  // Sorting is stable.
  for (const part of [...parts].sort((a, b) => ranks[a.kind] - ranks[b.kind])) visit(part, []);
  return [...ordered];
}

/** Says what a part requires and does not find, or nothing when all is there. */
export function missingRequirement(
  part: Part,
  parts: readonly Part[],
  isUp: (part: Part) => boolean,
  isProvided: (key: Key) => boolean,
): string | undefined {
  for (const key of part.requires) {
    const required = partFor(key, parts);
    if (required ? isUp(required) : isProvided(key)) continue;
    const why = required
      ? "which did not start"
      : "but no such service is registered and nothing was provided under this key";
    return `it requires ${describeKey(key)}, ${why}`;
  }
  return undefined;
}
