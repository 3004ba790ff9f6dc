import { isEventError } from "../../wire/event-error.js";
import type { VerifiedToken } from "./claims.js";
import { loadJose } from "./jose.js";
import type { Keys } from "./keys.js";
import { refusal } from "./refusals.js";

/** What a token has to be. */
export interface VerifierOptions {
  readonly keys: Keys;
  readonly issuer: string | readonly string[] | undefined;
  readonly audience: string | readonly string[] | undefined;
  readonly clockToleranceMs: number;
}

/** Verifies one token by a key. */
type By = (key: unknown) => Promise<VerifiedToken>;

/** No token of an honest issuer is longer, in characters; headers are cut at twice as many by Node. */
const LONGEST = 8_192;

/** Looks at tokens: signed by who should have, for this server, not too late, and somebody's. */
export class Verifier {
  readonly #options: VerifierOptions;

  constructor(options: VerifierOptions) {
    this.#options = options;
  }

  /**
   * Verifies a token.
   *
   * @throws EventError (as a rejection) `UNAUTHENTICATED` with the reason, `OVERLOADED` when the key can't be had at the moment
   */
  async verify(token: unknown): Promise<VerifiedToken> {
    if (token === undefined || token === null || token === "") throw refusal("missing");
    if (typeof token !== "string" || token.length > LONGEST) throw refusal("invalid");
    const { keys, issuer, audience, clockToleranceMs } = this.#options;
    const { jwtVerify } = await loadJose();
    const by: By = async (key) => {
      const { payload } = await jwtVerify(token, key as never, {
        algorithms: [...keys.algorithms],
        clockTolerance: clockToleranceMs / 1_000,
        requiredClaims: ["sub"],
        ...(issuer !== undefined && { issuer: listOf(issuer) }),
        ...(audience !== undefined && { audience: listOf(audience) }),
      });
      const { sub } = payload;
      if (typeof sub !== "string" || sub === "") throw refusal("invalid");
      return { ...payload, sub };
    };
    try {
      return await by(keys.keyOf).catch((error: unknown) => byAnyOf(error, by));
    } catch (error) {
      if (isEventError(error)) throw error;
      const isLate = (error as { code?: unknown } | null)?.code === "ERR_JWT_EXPIRED";
      throw refusal(isLate ? "expired" : "invalid", { cause: error });
    }
  }
}

/** A token that names no key may be signed by any of those that fit; jose gives them with its error. */
async function byAnyOf(error: unknown, by: By): Promise<VerifiedToken> {
  if ((error as { code?: unknown } | null)?.code !== "ERR_JWKS_MULTIPLE_MATCHING_KEYS") throw error;
  for await (const key of error as AsyncIterable<unknown>) {
    try {
      return await by(key);
    } catch (failed) {
      // Signed by it, and refused for something else: no other key says otherwise.
      if ((failed as { code?: unknown } | null)?.code !== "ERR_JWS_SIGNATURE_VERIFICATION_FAILED") throw failed;
    }
  }
  throw error;
}

function listOf(one: string | readonly string[]): string[] {
  return typeof one === "string" ? [one] : [...one];
}
