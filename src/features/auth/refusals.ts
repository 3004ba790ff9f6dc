import { type EventError, withoutStack } from "../../wire/event-error.js";
import type { RefusalReason } from "./protocol.js";

const sentences: Readonly<Record<RefusalReason, string>> = {
  missing: "sign in first",
  expired: "this token has expired",
  invalid: "this token is not valid here",
  revoked: "you were signed out",
  otherUser: "this token is another user's; connect again with it",
};

/** A refusal because of who somebody is, or is not. */
export function refusal(
  reason: RefusalReason,
  { message = sentences[reason], retryAfterMs, cause }: RefusalOptions = {},
): EventError {
  return withoutStack(reason === "otherUser" ? "FORBIDDEN" : "UNAUTHENTICATED", message, {
    details: { reason },
    cause,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });
}

interface RefusalOptions {
  readonly message?: string | undefined;
  readonly retryAfterMs?: number | undefined;
  /** For the log; never sent. */
  readonly cause?: unknown;
}

/** Why a refusal of ours was made, if it is one. */
export function reasonOfRefusal({ details }: EventError): RefusalReason | undefined {
  return (details as { reason?: RefusalReason } | undefined)?.reason;
}

/** Nobody can say at the moment whether somebody may: not their fault, so they are not told that they are nobody. */
export function unavailable(message: string, retryAfterMs: number, cause?: unknown): EventError {
  return withoutStack("OVERLOADED", message, { retryAfterMs, cause });
}
