import type { AppServer, AppSocket } from "../../events/subscriber.js";
import { writeLog } from "../../lifecycle/log.js";
import type { Logger } from "../../lifecycle/logger.js";
import { type EventError, withoutStack } from "../../wire/event-error.js";
import { printable } from "../../wire/values.js";
import type { CheckedAuthOptions } from "./auth-options.js";
import { type Claims, claimsOf, type TokenPayload, type VerifiedToken, withBetterKnown } from "./claims.js";
import { refusal, unavailable } from "./refusals.js";
import { keysOf, type Revocations, type Revoked } from "./revocations.js";
import type { Verifier } from "./verifier.js";

/** What a {@link ClaimsReader} is made of. */
export interface ClaimsReaderOptions {
  readonly verifier: Verifier;
  readonly claims: CheckedAuthOptions["claims"];
  readonly revocations: Revocations;
  readonly clockToleranceMs: number;
  readonly log: () => Logger;
}

/** A token that is being read, and whether its user or session was revoked since the store was asked. */
interface Reading {
  readonly keys: readonly string[];
  wasRevoked: boolean;
}

/** How long somebody waits who can't be told apart from who was revoked. */
const STORE_DOWN_MS = 2_000;

/** Reads who presents a token: what it says, what the application knows better, and whether it was revoked. */
export class ClaimsReader {
  readonly #options: ClaimsReaderOptions;
  #heard = 0;
  /** Whose tokens are being read. */
  readonly #reading = new Set<Reading>();

  constructor(options: ClaimsReaderOptions) {
    this.#options = options;
  }

  /** How many revocations this node has heard of: whoever was read while it was another number has to be looked at again. */
  get heard(): number {
    return this.#heard;
  }

  /** A revocation came, or has reached the store. */
  hear(who: Revoked): void {
    this.#heard++;
    const meant = keysOf(who);
    for (const reading of this.#reading) if (meant.some((key) => reading.keys.includes(key))) reading.wasRevoked = true;
  }

  /**
   * Reads a token. `settle` is called with its claims in the very turn in which nothing speaks against them, so that whatever it writes
   * down is seen by the next revocation.
   *
   * @throws EventError (as a rejection) which says why not; what the application's own function threw
   */
  async read<T>(token: unknown, socket: unknown, settle: (claims: Claims) => T): Promise<T> {
    const claims = await this.ask(await this.#options.verifier.verify(token), socket);
    const reading: Reading = { keys: keysOf(claims), wasRevoked: false };
    this.#reading.add(reading);
    try {
      do {
        reading.wasRevoked = false;
        await this.refuseRevoked(claims);
      } while (reading.wasRevoked);
      if (claims.expiresAt !== undefined && claims.expiresAt <= Date.now()) throw refusal("expired");
      return settle(claims);
    } finally {
      this.#reading.delete(reading);
    }
  }

  /**
   * What a token claims, with what the application knows better today.
   *
   * @throws EventError (as a rejection) `FORBIDDEN` if it says no
   */
  async ask(token: VerifiedToken, socket: unknown): Promise<Claims> {
    const { claims, clockToleranceMs } = this.#options;
    // It is given the sockets of its own application: no others come in here.
    const known = await claims?.(token, socket as AppSocket<AppServer> | undefined);
    if (known === false) throw withoutStack("FORBIDDEN", "this account may not come in");
    return withBetterKnown(claimsOf(token, clockToleranceMs), known);
  }

  /** @throws EventError (as a rejection) if these claims count no more, or nobody can say */
  async refuseRevoked({ user, session, token }: Claims): Promise<void> {
    const { revocations, clockToleranceMs, log } = this.#options;
    let until: number | undefined;
    try {
      until = await revocations.revokedUntil({ user, session });
    } catch (error) {
      writeLog(log(), "error", { err: printable(error) }, "whether a token was revoked can't be told");
      throw unavailable("tokens can't be verified at the moment", STORE_DOWN_MS, error);
    }
    if (until !== undefined && wasIssuedBy(token, until + clockToleranceMs)) throw revoked(token, until);
  }
}

/**
 * Whether a token was issued until then. The second of a token is over when the next begins: one that was issued in the second of a
 * revocation may be older than that, and counts no more (decision 0060). One that does not say when it was issued is older than anything.
 */
export function wasIssuedBy({ iat }: TokenPayload, until: number): boolean {
  if (typeof iat !== "number") return true;
  return Number.isInteger(iat) ? iat <= Math.floor(until / 1_000) : iat * 1_000 <= until;
}

/** Whoever has signed in again in the second of their revocation is told to come back in the next, with a token of that. */
function revoked({ iat = 0 }: TokenPayload, until: number): EventError {
  const restMs = (iat + 1) * 1_000 - Date.now();
  const isOfThatSecond = iat === Math.floor(until / 1_000) && restMs > 0;
  return refusal("revoked", isOfThatSecond ? { retryAfterMs: restMs } : {});
}
