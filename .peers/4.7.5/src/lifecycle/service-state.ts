/** Told of a change of a service's state: what it is now, and what it was before. */
export type StateSubscriber<State> = (state: Readonly<State>, previous: Readonly<State>) => unknown;

/** Tells those who watch a service's state of every change, in the order in which the changes were made. */
export class StateWatchers<State extends object> {
  readonly #subscribers = new Set<{ readonly fn: StateSubscriber<State> }>();
  readonly #changes: [state: State, previous: State][] = [];
  readonly #report: (error: unknown) => void;
  #telling = false;

  /** `report` is told of subscribers that fail. */
  constructor(report: (error: unknown) => void) {
    this.#report = report;
  }

  /** Have `fn` told of every change. Returns the function that ends it. */
  add(fn: StateSubscriber<State>): () => void {
    const subscriber = { fn };
    this.#subscribers.add(subscriber);
    return () => void this.#subscribers.delete(subscriber);
  }

  /** Tell everyone of one change. A subscriber that makes another one does not overtake this one. */
  tell(state: State, previous: State): void {
    this.#changes.push([state, previous]);
    if (this.#telling) return;
    this.#telling = true;
    for (let change = this.#changes.shift(); change; change = this.#changes.shift()) {
      for (const subscriber of [...this.#subscribers]) {
        if (this.#subscribers.has(subscriber)) this.#call(subscriber.fn, ...change);
      }
    }
    this.#telling = false;
  }

  #call(fn: StateSubscriber<State>, state: State, previous: State): void {
    // What a subscriber returns is not waited for, but a rejection of it must not end the process.
    void (async () => fn(state, previous))().catch(this.#report);
  }
}

/** `state` with the members of `change`; the same object when they are all there already. */
export function changed<State extends object>(state: State, change: Partial<State>): State {
  const keys = Object.keys(change) as (keyof State)[];
  return keys.every((key) => Object.hasOwn(state, key) && Object.is(state[key], change[key]))
    ? state
    : { ...state, ...change };
}
