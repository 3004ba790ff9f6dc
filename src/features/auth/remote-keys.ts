import type { webcrypto } from "node:crypto";
import { writeLog } from "../../lifecycle/log.js";
import type { Logger } from "../../lifecycle/logger.js";
import { printable } from "../../wire/values.js";
import { loadJose } from "./jose.js";
import type { TokenHeader } from "./keys.js";
import { unavailable } from "./refusals.js";

/** How long the endpoint gets to answer. */
const FETCH_MS = 5_000;
/** After this a key set is fetched anew, so that keys that were taken out of it count no more. */
const STALE_MS = 600_000;
/** How often keys that nobody knows make us ask again, however many tokens name them. */
const UNKNOWN_MS = 10_000;
/** How long an endpoint that did not answer is left alone. */
const DOWN_MS = 2_000;

type RemoteSet = ReturnType<Awaited<ReturnType<typeof loadJose>>["createRemoteJWKSet"]>;

/**
 * The keys of an issuer, fetched from its endpoint: with the first token, when they have become old, and when a token names one that is not
 * among them. What is known goes on while the endpoint is down. All times are those of the monotonic clock.
 */
export class RemoteKeys {
  readonly #address: URL;
  readonly #log: () => Logger;
  #set: RemoteSet | undefined;
  #fetching: Promise<void> | undefined;
  #fetchedAt = -Infinity;
  #failedAt = -Infinity;
  /** When a key was last asked for that nobody knew. */
  #missedAt = -Infinity;

  constructor(address: URL, log: () => Logger) {
    this.#address = address;
    this.#log = log;
  }

  /**
   * The key that a token is said to be signed with.
   *
   * @throws EventError (as a rejection) `OVERLOADED` when it is not known and can't be asked for; jose's error when there is none
   */
  async keyOf(header: TokenHeader): Promise<webcrypto.CryptoKey> {
    const now = performance.now();
    if (this.#set === undefined) await this.#fetch();
    // Nobody waits for it: if it fails, what is known goes on.
    else if (now - this.#fetchedAt > STALE_MS) this.#fetch().catch(() => undefined);
    try {
      return await this.#known(header);
    } catch (error) {
      if ((error as { code?: unknown }).code !== "ERR_JWKS_NO_MATCHING_KEY") throw error;
      const isAnswering = this.#fetchedAt >= this.#failedAt;
      // It was asked for such a key a moment ago, and what it said is here.
      if (this.#fetching === undefined && isAnswering && now - this.#missedAt < UNKNOWN_MS) throw error;
      this.#missedAt = now;
      await this.#fetch();
      return this.#known(header);
    }
  }

  #known(header: TokenHeader): Promise<webcrypto.CryptoKey> {
    // There is a set once one was fetched.
    return (this.#set as RemoteSet)(header as never);
  }

  /** One at a time; not while the endpoint is left alone. */
  #fetch(): Promise<void> {
    if (this.#fetching) return this.#fetching;
    if (performance.now() - this.#failedAt < DOWN_MS) return Promise.reject(this.#down());
    this.#fetching = this.#ask().finally(() => (this.#fetching = undefined));
    return this.#fetching;
  }

  async #ask(): Promise<void> {
    const { createRemoteJWKSet } = await loadJose();
    // When to ask is decided here: left to itself, it asks for every unknown key while the endpoint is down, and drops what it knows.
    const set =
      this.#set ??
      createRemoteJWKSet(this.#address, {
        timeoutDuration: FETCH_MS,
        cacheMaxAge: Infinity,
        cooldownDuration: Infinity,
      });
    try {
      await set.reload();
      this.#set = set;
      this.#fetchedAt = performance.now();
    } catch (error) {
      this.#failedAt = performance.now();
      writeLog(
        this.#log(),
        "error",
        { err: printable(error), jwks: this.#address.origin },
        "the key set could not be fetched",
      );
      throw this.#down(error);
    }
  }

  #down(cause?: unknown): Error {
    const rest = Math.ceil(DOWN_MS - (performance.now() - this.#failedAt));
    return unavailable("tokens can't be verified at the moment", Math.max(rest, 100), cause);
  }
}
