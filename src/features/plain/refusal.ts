import type { IncomingMessage, ServerResponse } from "node:http";
import { passes } from "../../wire/codes.js";
import type { Failure } from "../../wire/failure.js";
import { unloggable } from "../../wire/sendable.js";
import { toFailure } from "../../wire/to-failure.js";

/** What a failure says. */
export type Refusal = Failure["error"];

const statuses: ReadonlyMap<string, number> = new Map([
  ["INVALID_INPUT", 400],
  ["UNAUTHENTICATED", 401],
  ["FORBIDDEN", 403],
  ["NOT_FOUND", 404],
  ["UNKNOWN_EVENT", 404],
  ["CONFLICT", 409],
  ["RATE_LIMITED", 429],
  ["INTERNAL", 500],
]);

const closings: ReadonlyMap<string, number> = new Map([
  ["UNAUTHENTICATED", 4001],
  ["RATE_LIMITED", 4029],
  ["SHUTTING_DOWN", 1001],
]);

/** When to come back if nothing says it. */
const RETRY_AFTER_MS = 5_000;

/** The HTTP status of a code: what passes by itself is 503, a code of the application's own 403. */
export function statusOf(code: string): number {
  return statuses.get(code) ?? (passes(code) ? 503 : 403);
}

/** The code that a WebSocket is closed with. */
export function closingOf(code: string): number {
  return closings.get(code) ?? (passes(code) ? 1013 : 4003);
}

/** Refuses: some code, a sentence for a person, and when to come back where that is known. */
export function refusal(code: string, message: string, retryAfterMs?: number): Refusal {
  return retryAfterMs === undefined ? { code, message } : { code, message, details: { retryAfterMs } };
}

/** What is said of something thrown: without its details if JSON can't hold them. */
export function refusalOf(thrown: unknown): Refusal {
  const { code, message, details } = toFailure(thrown).error;
  return details === undefined || unloggable(details) !== undefined ? { code, message } : { code, message, details };
}

/** When to come back, in milliseconds, if a failure says so. */
export function retryAfterOf({ details }: Refusal): number | undefined {
  const given = (details as { retryAfterMs?: unknown } | null | undefined)?.retryAfterMs;
  return typeof given === "number" && given >= 0 ? given : undefined;
}

/** Answers a request with a failure and its status. @throws Error if it is answered already */
export function refuse(request: IncomingMessage, response: ServerResponse, error: Refusal, status?: number): void {
  response.statusCode = status ?? statusOf(error.code);
  response.setHeader("content-type", "application/json; charset=utf-8");
  response.setHeader("cache-control", "no-store");
  const isPassing = response.statusCode === 503 || response.statusCode === 429;
  const retryMs = retryAfterOf(error) ?? (isPassing ? RETRY_AFTER_MS : undefined);
  if (retryMs !== undefined) response.setHeader("retry-after", String(Math.max(1, Math.ceil(retryMs / 1_000))));
  if (response.statusCode === 401) response.setHeader("www-authenticate", "Bearer");
  const failure: Failure = { error };
  response.end(request.method === "HEAD" ? undefined : JSON.stringify(failure));
}
