import { isEventError } from "./event-error.js";
import type { Failure } from "./failure.js";
import { defuse } from "./values.js";

/** What a caller hears of everything that was not meant for it. */
const internal: Failure = Object.freeze({
  error: Object.freeze({ code: "INTERNAL", message: "internal error" }),
});

/**
 * The one place where something thrown becomes a failure: an {@link EventError} as it was written, anything else `INTERNAL`.
 * Total: a subclass whose getters throw is `INTERNAL`, too.
 */
export function toFailure(thrown: unknown): Failure {
  defuse(thrown);
  if (!isEventError(thrown)) return internal;
  try {
    const { code, message, retryAfterMs } = thrown;
    if (typeof code !== "string" || typeof message !== "string") return internal;
    const details = withRetry(thrown.details, retryAfterMs);
    return { error: details === undefined ? { code, message } : { code, message, details } };
  } catch {
    return internal;
  }
}

/** Beside code and message a failure has details only (decision 0016). */
function withRetry(details: unknown, retryAfterMs: number | undefined): unknown {
  if (retryAfterMs === undefined) return details;
  if (typeof details === "object" && details !== null && !Array.isArray(details)) return { ...details, retryAfterMs };
  return details === undefined ? { retryAfterMs } : { value: details, retryAfterMs };
}
