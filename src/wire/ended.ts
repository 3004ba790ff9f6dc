/**
 * Server to client: `(ended: Ended)`. The server ends this connection, directly after this. Whichever door ends it says so in this frame,
 * and the client door understands it.
 */
export const ENDED = "ingress:ended";

/** The payload of `ENDED`. */
export interface Ended {
  /** Why, as a code like that of a failure. */
  code: string;
  /** Why, for a person. */
  message: string;
  /** Why, for programs, in a word, where the code alone does not say it: `expired`, `revoked`. */
  reason?: string;
  /** When to connect again, in milliseconds; without it, not by itself. */
  retryAfterMs?: number;
}
