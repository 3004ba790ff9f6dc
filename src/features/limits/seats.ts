/**
 * One connection that counts, of this node or another.
 *
 * | state | counts for | until |
 * | --- | --- | --- |
 * | `reserved` | this node, at its first question | the other nodes are told |
 * | `asked` | whoever asked after it, on any node | it is decided |
 * | `taken` | everybody | it goes |
 */
export interface Seat {
  /** One of its own among all nodes. */
  readonly id: string;
  readonly node: string;
  /** Where its client comes from. */
  readonly address: string;
  user: string | undefined;
  state: "reserved" | "asked" | "taken";
  /** Its place among those that are asked about at the same time, on all nodes. */
  stamp: number;
}

/** How many seats are in the way of one, by what is counted. */
export interface Crowd {
  server: number;
  ip: number;
  user: number;
}

/** The seats that are known here, those of other nodes included. */
export class Seats {
  readonly #all = new Map<string, Seat>();
  readonly #unsettled = new Set<Seat>();
  readonly #users = new Map<string, Set<Seat>>();
  readonly #addresses = new Map<string, Set<Seat>>();

  /** How many there are. */
  get size(): number {
    return this.#all.size;
  }

  get(id: string): Seat | undefined {
    return this.#all.get(id);
  }

  /** Those of one node. */
  ofNode(node: string): Seat[] {
    return [...this.#all.values()].filter((seat) => seat.node === node);
  }

  /** Those of one user that are asked about or taken, in their order. */
  ofUser(user: string): Seat[] {
    const seats = [...(this.#users.get(user) ?? [])].filter(({ state }) => state !== "reserved");
    return seats.sort((a, b) => (isBefore(a, b) ? -1 : 1));
  }

  /** Adds one, in the place of what was known under its id. */
  add(seat: Seat): void {
    this.remove(seat.id);
    this.#all.set(seat.id, seat);
    if (seat.state !== "taken") this.#unsettled.add(seat);
    put(this.#addresses, seat.address, seat);
    put(this.#users, seat.user, seat);
  }

  remove(id: string): void {
    const seat = this.#all.get(id);
    if (seat === undefined) return;
    this.#all.delete(id);
    this.#unsettled.delete(seat);
    take(this.#addresses, seat.address, seat);
    take(this.#users, seat.user, seat);
  }

  setUser(seat: Seat, user: string | undefined): void {
    take(this.#users, seat.user, seat);
    seat.user = user;
    if (this.#all.has(seat.id)) put(this.#users, user, seat);
  }

  /** It is asked about. */
  ask(seat: Seat, stamp: number): void {
    seat.state = "asked";
    seat.stamp = stamp;
  }

  /** It is taken. */
  take(seat: Seat): void {
    seat.state = "taken";
    this.#unsettled.delete(seat);
  }

  /** All that are known, whatever becomes of them: for a first question, which reserves. */
  all(address: string): Pick<Crowd, "server" | "ip"> {
    return { server: this.#all.size, ip: this.#addresses.get(address)?.size ?? 0 };
  }

  /** Those in the way of one that is asked about: the taken ones, and those that were asked about before it. */
  before(seat: Seat): Crowd {
    const counts = (other: Seat): boolean =>
      other !== seat && (other.state === "taken" || (other.state === "asked" && isBefore(other, seat)));
    const among = (seats: Iterable<Seat> = []): number => [...seats].filter(counts).length;
    return {
      server: this.#all.size - this.#unsettled.size + among(this.#unsettled),
      ip: among(this.#addresses.get(seat.address)),
      user: seat.user === undefined ? 0 : among(this.#users.get(seat.user)),
    };
  }
}

/** All nodes see the same order. */
function isBefore(a: Seat, b: Seat): boolean {
  return a.stamp === b.stamp ? a.node < b.node : a.stamp < b.stamp;
}

function put(sets: Map<string, Set<Seat>>, key: string | undefined, seat: Seat): void {
  if (key === undefined) return;
  const seats = sets.get(key);
  if (seats === undefined) sets.set(key, new Set([seat]));
  else seats.add(seat);
}

function take(sets: Map<string, Set<Seat>>, key: string | undefined, seat: Seat): void {
  if (key === undefined) return;
  const seats = sets.get(key);
  seats?.delete(seat);
  if (seats?.size === 0) sets.delete(key);
}
