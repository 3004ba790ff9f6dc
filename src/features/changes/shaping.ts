import { defuse, isThenable } from "../../wire/values.js";
import type { Differences } from "./protocol.js";

/** How records become what is shown of them. */
export interface Shape {
  /** The model's name, for messages. */
  readonly name: string;
  /** Which fields each variant sees; `undefined` if the model does not say. */
  readonly fields: ReadonlyMap<string, "*" | readonly string[]> | undefined;
  readonly serialise: ((row: never, variant: string | undefined) => unknown) | undefined;
}

/**
 * What one variant is shown of a record; `undefined` if nothing. Without variants everybody is shown the record, or what `serialise` makes
 * of it; a variant that has no fields, in a model without `serialise`, sees nothing.
 *
 * @throws what `serialise` throws, and TypeError if it returns a promise
 */
export function shaped({ name, fields, serialise }: Shape, row: unknown, variant: string | undefined): unknown {
  const shown = serialise === undefined ? row : serialise(row as never, variant);
  if (shown === undefined || shown === null) return undefined;
  if (serialise !== undefined && isThenable(shown)) {
    defuse(shown);
    throw new TypeError(`model "${name}": serialise must say at once what is shown, and returned a promise`);
  }
  if (variant === undefined) return shown;
  const visible = fields?.get(variant);
  if (visible === undefined) return serialise === undefined ? undefined : shown;
  return visible === "*" ? shown : picked(shown, visible);
}

/** Those fields of a record that there are, getters of its class included, but no methods; nothing of what is no record. */
function picked(row: unknown, fields: readonly string[]): object | undefined {
  if (typeof row !== "object" || row === null) return undefined;
  const found = fields.filter((name) => name in row).map((name): [string, unknown] => [name, (row as never)[name]]);
  return Object.fromEntries(found.filter(([, value]) => typeof value !== "function"));
}

/** What is different between two records, compared as JSON: only what was shown of them may be given. */
export function differences(old: unknown, now: unknown): Differences<Record<string, unknown>> {
  const [before, after] = [fieldsOf(old), fieldsOf(now)];
  const names = new Set([...before.keys(), ...after.keys()]);
  const different: [string, [unknown, unknown]][] = [];
  for (const name of names) {
    const pair: [unknown, unknown] = [before.get(name), after.get(name)];
    if (!isSame(...pair)) different.push([name, pair]);
  }
  return Object.fromEntries(different);
}

function fieldsOf(row: unknown): ReadonlyMap<string, unknown> {
  return new Map(typeof row === "object" && row !== null ? Object.entries(row) : []);
}

function isSame(one: unknown, other: unknown): boolean {
  return Object.is(one, other) || JSON.stringify(one) === JSON.stringify(other);
}
