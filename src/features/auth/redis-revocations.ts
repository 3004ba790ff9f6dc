import { Redis, type RedisClient, redisScript } from "../../push/redis-client.js";
import { option, type Option, type Options, readOptions } from "../../events/option-table.js";
import { type Bearer, KEEP_MS, keysOf, type Revocations, type Revoked } from "./revocations.js";

/** How {@link RedisRevocations} are kept. */
export interface RedisRevocationsOptions {
  /** What its keys begin with; the braces keep all of them on one node of a Redis Cluster. @default "{ingress}:revoked:" */
  prefix?: string;
  /** For how long, in milliseconds: at least as long as your tokens live. @default 2592000000, thirty days */
  keepMs?: number;
}

// Declarations are made file by file (isolatedDeclarations), so that each line of a table says its type by an `as`.
// oxlint-disable typescript/no-unnecessary-type-assertion
const table = {
  prefix: option("{ingress}:revoked:", "a string", (value) => typeof value === "string") as Option<string>,
  keepMs: option(
    KEEP_MS,
    "a whole number of milliseconds from 1",
    (value) => Number.isSafeInteger(value) && Number(value) > 0,
  ) as Option<number>,
};

// Clocks of nodes differ: an earlier time takes nothing back.
const revoke = redisScript(`
local known = redis.call('GET', KEYS[1])
if known and tonumber(known) > tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1`);

/**
 * {@link Revocations} in Redis, for several nodes, and for those that are started again. One key a user or session, which expires.
 *
 * @example
 * ```ts
 * const auth = new Auth({ secret, revocations: new RedisRevocations(await createClient({ url }).connect()) });
 * ```
 */
export class RedisRevocations implements Revocations {
  readonly #redis: Redis;
  readonly #options: Options<typeof table>;

  /** @throws TypeError if the client is neither of redis nor of ioredis, or an option does not fit */
  constructor(client: RedisClient, options: RedisRevocationsOptions = {}) {
    this.#redis = new Redis(client, "RedisRevocations");
    this.#options = readOptions("RedisRevocations", table, options);
  }

  /** Tokens that were issued until then count no more. */
  async revoke(who: Revoked, at: number): Promise<void> {
    for (const key of this.#keys(who))
      await this.#redis.run(revoke, [key], [String(Math.ceil(at)), String(this.#options.keepMs)]);
  }

  /** Until when the tokens of this user or session count no more. */
  async revokedUntil(bearer: Bearer): Promise<number | undefined> {
    const found = (await this.#redis.send("MGET", ...this.#keys(bearer))) as (string | null)[];
    const times = found.filter((time) => time !== null).map(Number);
    return times.length === 0 ? undefined : Math.max(...times);
  }

  #keys(who: { readonly user?: string; readonly session?: string | undefined }): string[] {
    return keysOf(who).map((key) => this.#options.prefix + key);
  }
}
