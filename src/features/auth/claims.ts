import { describeValue } from "../../wire/values.js";

/** What a token says, as its issuer wrote it, once its signature has been verified. */
export interface TokenPayload {
  /** Who issued it. */
  readonly iss?: string;
  /** Whose it is. */
  readonly sub?: string;
  /** Whom it is for. */
  readonly aud?: string | readonly string[];
  /** Its id. */
  readonly jti?: string;
  /** Until when it counts, in seconds since 1970. */
  readonly exp?: number;
  /** From when on it counts, in seconds since 1970. */
  readonly nbf?: number;
  /** When it was issued, in seconds since 1970, mostly whole ones. */
  readonly iat?: number;
  /** Whatever else the issuer says. */
  readonly [claim: string]: unknown;
}

/** A token that was verified: it says whose it is. */
export type VerifiedToken = TokenPayload & {
  /** Whose it is. */
  readonly sub: string;
};

/** What is known of who presented a token. */
export interface Claims {
  /** Whose token it is: its `sub`, unless the option `claims` says otherwise. */
  readonly user: string;
  /** The session of the user that it belongs to: its `sid`, if it has one. */
  readonly session: string | undefined;
  /** What the user is: its `roles`, a list or words in a string. */
  readonly roles: readonly string[];
  /** What the user may do: its `permissions`, else its `scope`, a list or words in a string. */
  readonly permissions: readonly string[];
  /** When it stops to count, in milliseconds since 1970; `undefined` for a token that says nothing of it. */
  readonly expiresAt: number | undefined;
  /** The token itself. */
  readonly token: VerifiedToken;
}

/** What the application knows better than the token. */
export type BetterKnown = Partial<Omit<Claims, "token">>;

/** What a verified token claims. Whose it is has been looked at by the verifier. */
export function claimsOf(token: VerifiedToken, toleranceMs: number): Claims {
  const { sub, exp, sid } = token as typeof token & { readonly sid?: unknown };
  return {
    user: sub,
    session: typeof sid === "string" && sid !== "" ? sid : undefined,
    roles: words(token["roles"]),
    permissions: words(token["permissions"] ?? token["scope"]),
    expiresAt: exp === undefined ? undefined : exp * 1_000 + toleranceMs,
    token,
  };
}

/**
 * The claims with what the application knows better.
 *
 * @throws TypeError naming what can't be claimed
 */
export function withBetterKnown(claims: Claims, known: unknown): Claims {
  if (known === undefined || known === null) return claims;
  if (typeof known !== "object" || Array.isArray(known))
    throw new TypeError(`Auth: claims must return an object, false or nothing, got ${describeValue(known)}`);
  const given = Object.entries(known as BetterKnown).filter(([, value]) => value !== undefined);
  const { user, session, roles, permissions, expiresAt, token } = { ...claims, ...Object.fromEntries(given) } as Claims;
  for (const [name, value] of [
    ["user", user],
    ["session", session ?? "none"],
  ]) {
    if (typeof value !== "string" || value === "")
      throw new TypeError(`Auth: claims returned the ${name} ${describeValue(value)}, expected a non-empty string`);
  }
  for (const [name, value] of Object.entries({ roles, permissions })) {
    if (!Array.isArray(value))
      throw new TypeError(`Auth: claims returned the ${name} ${describeValue(value)}, expected a list of strings`);
  }
  if (expiresAt !== undefined && !Number.isFinite(expiresAt))
    throw new TypeError(
      `Auth: claims returned the expiresAt ${describeValue(expiresAt)}, expected milliseconds since 1970`,
    );
  return { user, session, roles, permissions, expiresAt, token };
}

/** A list of words, or words in a string, as OAuth's scopes are. Anything else is none. */
function words(value: unknown): readonly string[] {
  if (typeof value === "string") return value.split(" ").filter((word) => word !== "");
  return Array.isArray(value) ? value.filter((word): word is string => typeof word === "string") : [];
}
