/** What the ingress counts since it was made: what would otherwise go unseen. */
export interface IngressCounters {
  /** Answers by hand to a caller that had been answered already. */
  readonly secondReplies: number;
  /** Answers by hand from a subscriber that had been given up at its timeout. */
  readonly lateReplies: number;
  /** Results of subscribers that had been given up at their timeout. */
  readonly lateResults: number;
  /** Events answered, or dropped when nobody waited for an answer, because too many were waiting. */
  readonly overloaded: number;
  /** Events answered `UNKNOWN_EVENT`. */
  readonly unknownEvents: number;
  /** Events answered, or dropped, because the ingress was shutting down. */
  readonly refusedByShutdown: number;
}

/** The counters as those see them who count. */
export type Counters = { -readonly [K in keyof IngressCounters]: IngressCounters[K] };

/** Counters that have counted nothing. */
export function freshCounters(): Counters {
  return {
    secondReplies: 0,
    lateReplies: 0,
    lateResults: 0,
    overloaded: 0,
    unknownEvents: 0,
    refusedByShutdown: 0,
  };
}
