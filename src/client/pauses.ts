/** The pauses of something that is asked for again and again: one at a time. */
export interface Pauses {
  /** Whether one is under way. */
  readonly resting: boolean;
  /**
   * Pauses, and goes on with `next`. How long: what the server said, else longer each time, up to 30 s. A server that says 0 means soon,
   * not without a pause, and one that says next to nothing each time is asked less and less often, down to once a second.
   */
  rest(next: () => void, saidMs?: number): void;
  /** Ends the pause that is under way; nothing comes next. */
  end(): void;
  /** It was answered: the next pause is a first one. */
  reset(): void;
}

/** Makes the pauses of one thing. */
export function createPauses(): Pauses {
  let tries = 0;
  let told = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const end = (): void => {
    clearTimeout(timer);
    timer = undefined;
  };
  const length = (saidMs: number): number =>
    saidMs > 0
      ? Math.max(saidMs, Math.min(1_000, 50 * 2 ** told++))
      : // Spread, as every client of a restarted server comes back at once.
        Math.min(30_000, 1_000 * 2 ** tries++) * (0.5 + Math.random() / 2);
  return {
    get resting() {
      return timer !== undefined;
    },
    rest(next, saidMs = 0) {
      end();
      timer = setTimeout(() => {
        end();
        next();
      }, length(saidMs));
    },
    end,
    reset: () => void (tries = told = 0),
  };
}
