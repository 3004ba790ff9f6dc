import type { Awaitable } from "../../../wire/values.js";

/** A set of users the server keeps: the players of an experiment session, or one of its groups. */
export interface Place {
  /** `players` for everyone in it, `group` for a part that plays together. */
  readonly kind: "players" | "group";
  /** Which one. */
  readonly id: string;
}

/**
 * Who belongs where, as data of the server: it outlives sockets, tabs and reconnects. Give `Realtime` one that all nodes share
 * when there are several.
 */
export interface Memberships {
  /** Puts a user in a place. Doing so twice changes nothing. */
  add(place: Place, user: string): Awaitable<void>;
  /** Takes a user out of a place. */
  remove(place: Place, user: string): Awaitable<void>;
  /** The users in a place, in the order they came. Of a place nobody knows: none. */
  members(place: Place): Awaitable<readonly string[]>;
  /** The places a user is in. */
  places(user: string): Awaitable<readonly Place[]>;
}

/** {@link Memberships} in the memory of one process. */
export class MemoryMemberships implements Memberships {
  readonly #members = new Map<string, Set<string>>();
  readonly #places = new Map<string, Map<string, Place>>();

  /** Puts a user in a place. */
  add(place: Place, user: string): void {
    const key = keyOf(place);
    const members = this.#members.get(key) ?? new Set();
    this.#members.set(key, members.add(user));
    const places = this.#places.get(user) ?? new Map<string, Place>();
    this.#places.set(user, places.set(key, { kind: place.kind, id: place.id }));
  }

  /** Takes a user out of a place. A place without members is forgotten. */
  remove(place: Place, user: string): void {
    const key = keyOf(place);
    const members = this.#members.get(key);
    members?.delete(user);
    if (members?.size === 0) this.#members.delete(key);
    const places = this.#places.get(user);
    places?.delete(key);
    if (places?.size === 0) this.#places.delete(user);
  }

  /** The users in a place, in the order they came. */
  members(place: Place): readonly string[] {
    return [...(this.#members.get(keyOf(place)) ?? [])];
  }

  /** The places a user is in. */
  places(user: string): readonly Place[] {
    return [...(this.#places.get(user)?.values() ?? [])];
  }
}

function keyOf({ kind, id }: Place): string {
  return `${kind}:${id}`;
}
