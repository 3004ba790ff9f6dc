/** The pauses of something that is asked for again and again. */
export interface Pauses {
  /**
   * How long to wait this time, in milliseconds: what the server said, else longer each time, up to 30 s. A server that says 0 means soon,
   * not without a pause, and one that says next to nothing each time is asked less and less often, down to once a second.
   */
  next(saidMs?: number): number;
  /** It was answered: the next pause is a first one. */
  reset(): void;
}

/** Makes the pauses of one thing. */
export function createPauses(): Pauses {
  let tries = 0;
  let told = 0;
  return {
    next: (saidMs = 0) =>
      saidMs > 0
        ? Math.max(saidMs, Math.min(1_000, 50 * 2 ** told++))
        : // Spread, as every client of a restarted server comes back at once.
          Math.min(30_000, 1_000 * 2 ** tries++) * (0.5 + Math.random() / 2),
    reset: () => void (tries = told = 0),
  };
}
