import { randomUUID } from "node:crypto";

const REMEMBERED = 10_000;

/** Visitors without an account: whoever brings back the token they were given is who they were, after a reload for instance. */
export class Guests<Guest> {
  private readonly make: (count: number) => Guest;
  private readonly known = new Map<string, Guest>();
  private count = 0;

  /** @param make - a new guest, told how many came before */
  constructor(make: (count: number) => Guest) {
    this.make = make;
  }

  /** @param given - what the client says its token is, which may be anything */
  admit(given: unknown): { guest: Guest; token: string } {
    const back = typeof given === "string" ? this.known.get(given) : undefined;
    const token = back === undefined ? randomUUID() : String(given);
    const guest = back ?? this.make(this.count++);
    this.known.delete(token); // to the end of the line: the first to be forgotten is who came longest ago
    this.known.set(token, guest);
    for (const oldest of this.known.keys()) {
      if (this.known.size <= REMEMBERED) break;
      this.known.delete(oldest);
    }
    return { guest, token };
  }
}
