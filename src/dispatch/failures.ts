import { type EventError, withoutStack } from "../wire/event-error.js";
import type { ErrorCode } from "../wire/codes.js";
import type { Failure } from "../wire/failure.js";

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
  return withoutStack("SHUTTING_DOWN", message);
}

/** Nobody answered within the time limit. */
export function timedOut(): EventError {
  return withoutStack("TIMEOUT", "no answer in time");
}

/** The client has gone before there was an answer. */
export function clientGone(): EventError {
  return withoutStack("DISCONNECTED", "the client is gone");
}

/** A `connect` subscriber said `false`. */
export function notAllowed(): EventError {
  return withoutStack("FORBIDDEN", "this connection is not allowed");
}

/** The same failure without what may have made it impossible to send. */
export function bareFailure(failure: Failure): Failure {
  return { error: { code: failure.error.code, message: failure.error.message } };
}
