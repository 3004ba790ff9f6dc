import { EventError } from "../../wire/event-error.js";
import type { Joined } from "./protocol.js";

/** Something came between a socket and its admission, and has put everything else in order. */
export class Cancelled extends EventError {}

/** A socket asking for a topic: from its turn among those that ask for it to the answer. */
export class Attempt {
  /** What came between, if something did. */
  cancelled: Cancelled | undefined = undefined;
  /** What the join said, as JSON: whoever says the same while the policy thinks gets the same answer; `undefined` shares with nobody. */
  shared: string | undefined;
  /** What it is answered with, once that holds. */
  joined: Joined | undefined = undefined;
  /** Settles with the answer, in the turn in which it holds. */
  readonly answer: Promise<Joined>;
  /** Settles when this attempt and all before it have ended. */
  readonly ended: Promise<unknown>;
  readonly #cancelling: Promise<never>;
  #cancel: (cancelled: Cancelled) => void = () => undefined;
  #resolve: (joined: Joined) => void = () => undefined;
  #reject: (error: unknown) => void = () => undefined;
  #end: () => void = () => undefined;

  /** @param before the one ahead; this one's turn comes when that has ended */
  constructor(before: Attempt | undefined, shared: string | undefined) {
    this.shared = shared;
    this.#cancelling = new Promise((_, reject) => (this.#cancel = reject));
    this.#cancelling.catch(() => undefined); // whoever waits hears of it
    this.answer = new Promise((resolve, reject) => ([this.#resolve, this.#reject] = [resolve, reject]));
    this.answer.catch(() => undefined); // told to whoever asked; others hear of it if they share
    const own = new Promise<void>((resolve) => (this.#end = resolve));
    // Not before the one ahead has ended, even if this one is given up first.
    this.ended = before === undefined ? own : Promise.all([before.ended, own]);
  }

  /** It comes to nothing, whatever the policy still says. */
  cancel(cancelled: Cancelled): void {
    if (this.cancelled !== undefined) return;
    this.cancelled = cancelled;
    this.shared = undefined;
    this.#cancel(cancelled);
  }

  /** Waits for this, but no longer than until the attempt is cancelled. */
  wait<T>(value: T): Promise<Awaited<T>> {
    return Promise.race([value, this.#cancelling]);
  }

  /** Its answer holds from now on. */
  succeed(): void {
    this.#resolve(this.joined as Joined); // it was given one
    this.#end();
  }

  /** It came to nothing. */
  fail(error: unknown): void {
    this.#reject(error);
    this.#end();
  }
}
