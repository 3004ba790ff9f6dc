import { EventError, isEventError } from "../wire/event-error.js";
import { defuse } from "../wire/values.js";
import type { ErrorCode } from "../wire/codes.js";
import type { Failure } from "../wire/failure.js";

/** What a caller hears of everything that was not meant for it. */
const internal: Failure = Object.freeze({
  error: Object.freeze({ code: "INTERNAL", message: "internal error" }),
});

function refusal(code: ErrorCode, message: string): Failure {
  return Object.freeze({ error: Object.freeze({ code, message }) });
}

/**
 * What is answered to events that do not run. Made once: whoever floods a server must not make it collect a stack for each event
 * that it refuses.
 */
export const refusals: Readonly<Record<"overloaded" | "shuttingDown" | "unknownEvent", Failure>> = {
  overloaded: refusal("OVERLOADED", "too many events of this connection are waiting"),
  shuttingDown: refusal("SHUTTING_DOWN", "this server is shutting down"),
  unknownEvent: refusal("UNKNOWN_EVENT", "nobody listens to this event"),
};

/** The server is going away. */
export function shuttingDown(message: string = refusals.shuttingDown.error.message): EventError {
  return new EventError("SHUTTING_DOWN", message);
}

/** Nobody answered within the time limit. */
export function timedOut(): EventError {
  return new EventError("TIMEOUT", "no answer in time");
}

/** The client has gone before there was an answer. */
export function clientGone(): EventError {
  return new EventError("DISCONNECTED", "the client is gone");
}

/** A `connect` subscriber said `false`. */
export function notAllowed(): EventError {
  return new EventError("FORBIDDEN", "this connection is not allowed");
}

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

/** The same failure without what may have made it impossible to send. */
export function bareFailure(failure: Failure): Failure {
  return { error: { code: failure.error.code, message: failure.error.message } };
}

function withRetry(details: unknown, retryAfterMs: number | undefined): unknown {
  if (retryAfterMs === undefined) return details;
  if (typeof details === "object" && details !== null && !Array.isArray(details)) return { ...details, retryAfterMs };
  return details === undefined ? { retryAfterMs } : { value: details, retryAfterMs };
}
