import { brand } from "./brand.js";
import { describeValue } from "./values.js";
import type { ErrorCode } from "./codes.js";

/** What {@link EventError} takes beside code and message. */
export interface EventErrorOptions {
  /** Sent to the caller as it is. It must survive encoding, or the reply goes without it. */
  details?: unknown;
  /** When a retry makes sense, in milliseconds; sent as `details.retryAfterMs`. */
  retryAfterMs?: number;
  /** What led to it; for the log, never sent. */
  cause?: unknown;
  /**
   * Whether it collects a stack, which takes longer than all else about answering an event. `false` is for what clients can bring about as
   * often as they like (decision 0045).
   *
   * @default true
   */
  stack?: boolean;
}

/**
 * An error meant for the caller: throw it to refuse an event (or a connection), and code, message and details are sent as
 * you wrote them. Anything else that is thrown reaches the caller as `INTERNAL` with a fixed message. `instanceof` knows those
 * of another copy of this package, too.
 *
 * @example
 * throw new EventError("NOT_FOUND", "no such room", { details: { room } });
 */
export class EventError extends Error {
  static {
    brand(this, "EventError");
  }
  /** Always `EventError`, for logs. */
  override readonly name: string = "EventError";
  /** What programs look at: one of ours, or one of your own. */
  readonly code: ErrorCode | (string & {});
  /** Sent to the caller as it is. */
  readonly details: unknown;
  /** When a retry makes sense, in milliseconds. */
  readonly retryAfterMs: number | undefined;

  /** @throws TypeError if the code is not a non-empty string, the message no string, or `retryAfterMs` no positive number */
  constructor(code: ErrorCode | (string & {}), message: string, options: EventErrorOptions = {}) {
    if (typeof code !== "string" || code === "") {
      throw new TypeError(`EventError: code must be a non-empty string, got ${describeValue(code)}`);
    }
    if (typeof message !== "string")
      throw new TypeError(`EventError: message must be a string, got ${describeValue(message)}`);
    const { retryAfterMs } = options;
    if (retryAfterMs !== undefined && !(Number.isFinite(retryAfterMs) && retryAfterMs >= 0)) {
      throw new TypeError(
        `EventError: retryAfterMs must be a number of milliseconds from 0, got ${describeValue(retryAfterMs)}`,
      );
    }
    const withCause = "cause" in options ? { cause: options.cause } : undefined;
    const { stackTraceLimit } = Error;
    // Not assigned: where `Error` is frozen (`--frozen-intrinsics`) that throws.
    if (options.stack === false) Reflect.set(Error, "stackTraceLimit", 0);
    super(message, withCause);
    if (options.stack === false) Reflect.set(Error, "stackTraceLimit", stackTraceLimit);
    this.code = code;
    this.details = options.details;
    this.retryAfterMs = retryAfterMs;
  }
}

/** An {@link EventError} of our own that answers a client, as often as it likes: without a stack (decision 0045). */
export function withoutStack(code: string, message: string, options?: Omit<EventErrorOptions, "stack">): EventError {
  return new EventError(code, message, { ...options, stack: false });
}

/** Whether `thrown` is an {@link EventError}. Total: `instanceof` throws on a revoked proxy. */
export function isEventError(thrown: unknown): thrown is EventError {
  try {
    return thrown instanceof EventError;
  } catch {
    return false;
  }
}
