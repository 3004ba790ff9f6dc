import type { Owner } from "../lifecycle/cleanups.js";

/** What there is at a place, by its kind and namespace. */
const taken = new WeakMap<object, Set<string>>();

/** What the only one of its kind in a namespace is called, here and in the registry of its manager. */
export function onlyKey(kind: string, namespace: string): string {
  return `${kind} ${namespace}`;
}

/**
 * Makes `owner` the only one of its kind for a namespace at `place`, until it goes: events that a client sends to one would be taken for
 * their own by both.
 *
 * @throws Error if there is another one
 */
export function beOnlyOne(owner: Owner & { readonly namespace: string }, kind: string, place: object): void {
  const { namespace } = owner;
  const key = onlyKey(kind, namespace);
  const there = taken.get(place) ?? new Set();
  if (there.has(key)) throw new Error(`the namespace ${namespace} has ${kind} already`);
  taken.set(place, there.add(key));
  owner.addCleanup(() => there.delete(key));
}
