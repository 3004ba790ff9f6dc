/**
 * What the auth server and its clients say to each other. Constants and types only: this file is shared with browsers. How a connection
 * ends is told by `ingress:ended`, with `UNAUTHENTICATED` and a {@link RefusalReason}.
 */

/** Client to server, acknowledged with a {@link Renewed} or a failure: `(token: string)`. The token counts from then on, on this connection. */
export const TOKEN = "ingress:token";

/** Server to client: `(expiring: Expiring)`. The token of this connection is about to expire; send another. */
export const EXPIRING = "ingress:expiring";

/** What a client says when it connects, in `auth`. */
export interface HandshakeAuth {
  /** The token. */
  token?: string;
  /** It gets new tokens by itself: told that one has expired, it comes back with another. */
  renews?: boolean;
}

/** The payload of `EXPIRING`. */
export interface Expiring {
  /** How long the token still counts, in milliseconds. */
  expiresInMs: number;
}

/** The answer to `TOKEN`. */
export interface Renewed {
  /** How long the new token counts, in milliseconds; `null` if it does not expire. */
  expiresInMs: number | null;
}

/**
 * Why somebody is refused, in the `details` of a failure, and in `ingress:ended`: there is no token; it has expired; it is none, is not
 * signed by who should have, or is not for this server; its user or session was revoked; it is another user's than the connection.
 */
export type RefusalReason = "missing" | "expired" | "invalid" | "revoked" | "otherUser";
