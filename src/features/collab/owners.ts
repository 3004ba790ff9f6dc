/** More client ids than this are not kept for one owner, or for all of a document: the oldest go of those that nobody has open. */
const IDS_MAX = { ofOne: 64, ofAll: 4_096 };

/** Whose the edits of servers are. */
export const SERVER = "server";

/** Who writes under which client id of Yjs in one document (decision 0077). */
export class Owners {
  readonly #owners = new Map<number, string>();
  readonly #ids = new Map<string, Set<number>>();
  readonly #here: () => ReadonlySet<number>;

  /** @param here the ids of those who have the document open: these are kept */
  constructor(here: () => ReadonlySet<number>) {
    this.#here = here;
  }

  /** Says whose an id is, unless it is somebody else's; whether it is theirs now. The first of `keys` is the name it is kept under. */
  claim(client: number, keys: readonly string[]): boolean {
    if (this.isForeign(client, keys)) return false;
    const key = keys[0] as string; // there is one
    this.#forget(client);
    this.#owners.set(client, key);
    const ids = this.#ids.get(key) ?? new Set<number>();
    this.#ids.set(key, ids.add(client));
    if (ids.size > IDS_MAX.ofOne) this.#forgetOldest(ids, client);
    if (this.#owners.size > IDS_MAX.ofAll) this.#forgetOldest(this.#owners.keys(), client);
    return true;
  }

  /** Whether an id is somebody else's. */
  isForeign(client: number, keys: readonly string[]): boolean {
    const owner = this.#owners.get(client);
    return owner !== undefined && !keys.includes(owner);
  }

  /** Whether an id is anybody's. */
  has(client: number): boolean {
    return this.#owners.has(client);
  }

  /** All of them, for another node. */
  entries(): readonly (readonly [client: number, owner: string])[] {
    return [...this.#owners];
  }

  #forgetOldest(clients: Iterable<number>, but: number): void {
    const here = this.#here();
    for (const client of clients)
      if (client !== but && !here.has(client) && this.#owners.get(client) !== SERVER) return this.#forget(client);
  }

  #forget(client: number): void {
    const owner = this.#owners.get(client);
    if (owner === undefined) return;
    this.#owners.delete(client);
    const ids = this.#ids.get(owner);
    ids?.delete(client);
    if (ids?.size === 0) this.#ids.delete(owner);
  }
}
