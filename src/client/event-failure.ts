import { brand } from "../wire/brand.js";
import { longestTimerMs } from "../wire/values.js";
import type { ErrorCode } from "../wire/codes.js";
import type { Failure } from "../wire/failure.js";

/**
 * The codes that the client makes itself, beside the server's. `TIMEOUT` may be either; {@link EventFailure.answered} tells.
 *
 * - `DISCONNECTED`: there was no connection, or it went before the answer came. If the message says that nothing was sent, the
 *   event did not run; otherwise it may have.
 * - `ABORTED`: the caller's own signal, or `client.close()`. What was sent is not taken back.
 */
export type ClientCode = "DISCONNECTED" | "ABORTED";

/** What {@link EventFailure} takes beside code and message. */
export interface EventFailureOptions {
  /** What the server wrote for programs. */
  details?: unknown;
  /** Whether the server said this. @default false */
  answered?: boolean;
  /** What led to it, when it happened here. */
  cause?: unknown;
}

/**
 * Why an event has no value: what {@link Client.call} and {@link Client.joinTopic} reject with. The server said so, or the
 * client gave up waiting; the code tells which. `instanceof` knows those of another copy of this package, too: a program may
 * load the door by `import` and by `require`.
 *
 * @example
 * try {
 *   await client.call("message", { text });
 * } catch (error) {
 *   if (error instanceof EventFailure && error.code === "RATE_LIMITED") retryIn(error.retryAfterMs ?? 1_000);
 *   else throw error;
 * }
 */
export class EventFailure extends Error {
  static {
    brand(this, "EventFailure");
  }
  /** Always `EventFailure`, for logs. */
  override readonly name: string = "EventFailure";
  /** One of the server's codes (ours or the application's), or one of {@link ClientCode}. */
  declare readonly code: ErrorCode | ClientCode | (string & {});
  /** What the server wrote for programs, e.g. `{ issues: [...] }` with `INVALID_INPUT`. */
  declare readonly details: unknown;
  /**
   * When a retry makes sense, in milliseconds, if the server said so: a number from 0, and at most what a timer can wait
   * (24.8 days).
   */
  declare readonly retryAfterMs: number | undefined;
  /** Whether the server said this. If not, nobody knows whether the event ran. */
  declare readonly answered: boolean;

  /** Made by the client; make one yourself to test what your code does with it. */
  constructor(code: ErrorCode | ClientCode | (string & {}), message: string, options: EventFailureOptions = {}) {
    super(message, options);
    this.code = code;
    this.details = options.details;
    this.answered = options.answered ?? false;
    const after = (options.details as { retryAfterMs?: unknown } | null | undefined)?.retryAfterMs;
    this.retryAfterMs = typeof after === "number" && after >= 0 ? Math.min(after, longestTimerMs) : undefined;
  }
}

/** What the server answered, as something to throw. */
export function fromFailure({ error }: Failure): EventFailure {
  return new EventFailure(error.code, error.message, { details: error.details, answered: true });
}
