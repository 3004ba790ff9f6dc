import type { ErrorCode } from "./codes.js";

/** The one shape an error has on the wire: what an acknowledgement receives instead of a value. */
export interface Failure {
  /** What went wrong, as far as the caller may know. */
  error: {
    /** One of {@link ErrorCode}, or a code of the application. */
    code: ErrorCode | (string & {});
    /** A sentence for a person. Never a stack, a path or a message of an unexpected error. */
    message: string;
    /** What a program needs to react, e.g. `{ issues: [...] }` or `{ retryAfterMs: 500 }`. */
    details?: unknown;
  };
}

/** Whether a reply is a {@link Failure}. Total: it reads any value without throwing. */
export function isFailure(reply: unknown): reply is Failure {
  try {
    if (typeof reply !== "object" || reply === null) return false;
    const { error } = reply as Partial<Failure>;
    return (
      typeof error === "object" && error !== null && typeof error.code === "string" && typeof error.message === "string"
    );
  } catch {
    return false;
  }
}
