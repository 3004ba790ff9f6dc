/** What each code means, as its reader needs it; the table in PROTOCOL.md says the same and a test compares them. */
const meanings = {
  INVALID_INPUT: "the arguments do not fit what the event takes; `details.issues` says where",
  UNAUTHENTICATED: "who you are is not known, and must be",
  FORBIDDEN: "who you are is known, and you may not",
  NOT_FOUND: "what you asked for does not exist, or not for you",
  CONFLICT: "what you asked for does not fit the present state; look again before you retry",
  RATE_LIMITED: "you ask too often; `details.retryAfterMs` says when to come back",
  TIMEOUT: "no answer in time; the work may or may not have been done",
  OVERLOADED: "too much is waiting already; the event was not run",
  UNKNOWN_EVENT: "nobody listens to this event",
  SHUTTING_DOWN: "this server is going away; connect again and retry",
  INTERNAL: "the server failed; what happened is in its log and nowhere else",
} as const;

/** One of the codes that `socket-ingress` sends itself. */
export type ErrorCode = keyof typeof meanings;

/** Every code of ours with what it means. Codes of your own may stand beside them: any non-empty string will do. */
export const errorCodes: Readonly<Record<ErrorCode, string>> = /* @__PURE__ */ Object.freeze(meanings);

// The traits of a code. Apart from the meanings, which no browser has to load.

const passing: ReadonlySet<string> = /* @__PURE__ */ new Set<ErrorCode>([
  "RATE_LIMITED",
  "TIMEOUT",
  "OVERLOADED",
  "SHUTTING_DOWN",
  "INTERNAL",
]);

const forgotten: ReadonlySet<string> = /* @__PURE__ */ new Set<ErrorCode>([
  "UNAUTHENTICATED",
  "RATE_LIMITED",
  "OVERLOADED",
  "UNKNOWN_EVENT",
  "SHUTTING_DOWN",
]);

/**
 * Whether a failure with this code passes, so that asking again makes sense: the server may well say yes a little later. A join
 * that is answered with one of them has changed nothing; any other code refuses it, and ends what there was.
 */
export function passes(code: string): boolean {
  return passing.has(code);
}

/**
 * Whether a failure with this code is forgotten, so that the same request id may run: the event was refused before any of it was
 * done, and kept, the refusal would answer every retry. Whatever else failed may be done in part.
 */
export function isForgotten(code: string): boolean {
  return forgotten.has(code);
}
