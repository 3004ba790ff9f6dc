/**
 * One subscriber's turn in one dispatch, as far as lanes are concerned. An interceptor may end the turn while what is inside it still
 * waits; what comes of that afterwards must not touch the turn of the next subscriber.
 */
export class LaneTurn {
  over = false;
  /** Whether it waits for its lane, and so holds no place among the running events of its transport. */
  parked = false;
  /** The lane that it has a slot in. */
  slot: { leave(): void } | undefined = undefined;
  #whenOver: (() => void) | undefined = undefined;

  /** Have `fn` called when the turn is over. */
  onOver(fn: () => void): void {
    const before = this.#whenOver;
    this.#whenOver =
      before === undefined
        ? fn
        : () => {
            before();
            fn();
          };
  }

  /** The subscriber has settled: what still runs inside gives its slot back when it ends, what still waits will not run. */
  end(): void {
    this.over = true;
    this.#whenOver?.();
  }

  /** The subscriber was given up: its slot in the lane is free, whatever it still does. */
  giveUp(): void {
    this.end();
    this.release();
  }

  /** Gives the slot back, if it has one. */
  release(): void {
    const { slot } = this;
    this.slot = undefined;
    slot?.leave();
  }
}
