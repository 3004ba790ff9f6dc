import type { Awaitable } from "../../wire/values.js";

/** Whose tokens count no more: all of a user's, or those of one session. */
export type Revoked =
  | {
      /** A user, as `claims` or the token's `sub` calls them. */
      readonly user: string;
    }
  | {
      /** A session, as the token's `sid` calls it. */
      readonly session: string;
    };

/** Whose token it is that somebody presents. */
export interface Bearer {
  /** The user. */
  readonly user: string;
  /** The session of the user, if the token says one. */
  readonly session: string | undefined;
}

/**
 * Which tokens count no more before they expire: in memory for one process, or shared by all nodes. It has to remember for as long as a
 * token lives; what it has forgotten counts again. A store that rejects makes everybody who connects come back later.
 *
 * `contract(store)` of `socket-ingress/testing` says what yours has to keep.
 */
export interface Revocations {
  /** Tokens of this user or session that were issued until `at`, in milliseconds since 1970, count no more. An earlier time changes nothing. */
  revoke(who: Revoked, at: number): Awaitable<void>;
  /** Until when the tokens of this user or of this session count no more, whichever is later; `undefined` if neither was revoked. */
  revokedUntil(bearer: Bearer): Awaitable<number | undefined>;
}

/** What the times of a user or a session are kept under: no user spells the same as a session. */
export function keysOf({ user, session }: { readonly user?: string; readonly session?: string | undefined }): string[] {
  return [...(user === undefined ? [] : [`user:${user}`]), ...(session === undefined ? [] : [`session:${session}`])];
}

/** Thirty days: longer than the tokens of most live. */
export const KEEP_MS: number = 30 * 86_400_000;
