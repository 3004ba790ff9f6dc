/** Calls `fn` for each that is there now and still is when its turn comes: whoever is called may add and remove others. */
export function each<Item>(all: ReadonlySet<Item>, fn: (item: Item) => unknown): void {
  for (const item of [...all]) if (all.has(item)) fn(item);
}
