import { randomUUID } from "node:crypto";
import { option, readOptions } from "../../../events/option-table.js";
import { Redis, type RedisClient, redisScript } from "../../../push/redis-client.js";
import { sharedBounds } from "./call-bounds.js";
import type { CallKey, CallStore, CallTimes, Claim } from "./call-store.js";

/** How a {@link RedisCallStore} is kept, and its bounds. */
export interface RedisCallStoreOptions {
  /** What its keys begin with; the braces keep all of them on one node of a Redis Cluster. @default "{ingress}:calls:" */
  prefix?: string;
  /** How many requests are known of one identity; above it the oldest that are done are forgotten. @default 100 */
  maxPerIdentity?: number;
  /** How large one answer may be, in bytes; of a larger one only the fact is kept. @default 262144 */
  maxAnswerBytes?: number;
  /** How many bytes of answers are kept for one identity; the oldest go first, and only the fact stays. @default 1048576 */
  maxIdentityBytes?: number;
}

// Keys of an identity: r (hash: for each request id its record) and o (sorted set: request ids by the time at which they were claimed).
// A record is a list in JSON: digest, token, state ("running", "answered", "unkept"), when the lease or the window ends, answer. Both keys
// expire with the last of their records. The clock is that of Redis: those of nodes differ.

const clock = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function put(id, record, untilMs)
  redis.call('HSET', KEYS[1], id, cjson.encode(record))
  for i = 1, 2 do
    if redis.call('PTTL', KEYS[i]) < untilMs - now then redis.call('PEXPIRE', KEYS[i], untilMs - now) end
  end
end
local function drop(id) redis.call('HDEL', KEYS[1], id) redis.call('ZREM', KEYS[2], id) end
`;

const claim = redisScript(`${clock}
local id, digest, token, lease, window, most = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local text = redis.call('HGET', KEYS[1], id)
if text then
  local known = cjson.decode(text)
  if known[3] ~= 'running' and known[4] <= now then drop(id)
  elseif known[1] ~= digest then return {'other'}
  elseif known[3] == 'answered' then return {'answered', known[5]}
  elseif known[3] == 'unkept' then return {'unkept'}
  elseif known[4] > now then return {'running'}
  else
    -- What died is known for as long as an answer would be.
    put(id, known, now + window)
    return {'died'}
  end
end
put(id, {digest, token, 'running', now + lease, ''}, now + lease + window)
redis.call('ZADD', KEYS[2], now, id)
put(id, {digest, token, 'running', now + lease, ''}, now + lease + window)
local over = redis.call('ZCARD', KEYS[2]) - most
if over > 0 then
  for _, old in ipairs(redis.call('ZRANGE', KEYS[2], 0, over + 8)) do
    local record = redis.call('HGET', KEYS[1], old)
    if not record then drop(old) over = over - 1
    elseif over > 0 and cjson.decode(record)[3] ~= 'running' then drop(old) over = over - 1 end
  end
end
return {'run', token}`);

const renew = redisScript(`${clock}
local id, token, lease, window = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local text = redis.call('HGET', KEYS[1], id)
if not text then return 0 end
local known = cjson.decode(text)
if known[2] ~= token or known[3] ~= 'running' then return 0 end
known[4] = now + lease
put(id, known, now + lease + window)
return 1`);

const answer = redisScript(`${clock}
local id, token, state, text, window, most = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])
local record = redis.call('HGET', KEYS[1], id)
if not record then return 0 end
local known = cjson.decode(record)
if known[2] ~= token or known[3] ~= 'running' then return 0 end
put(id, {known[1], token, state, now + window, text}, now + window)
local bytes = 0
for _, old in ipairs(redis.call('ZREVRANGE', KEYS[2], 0, -1)) do
  local one = redis.call('HGET', KEYS[1], old)
  if one then
    bytes = bytes + #one
    if bytes > most and old ~= id then
      local kept = cjson.decode(one)
      if kept[3] == 'answered' then redis.call('HSET', KEYS[1], old, cjson.encode({kept[1], kept[2], 'unkept', kept[4], ''})) end
    end
  end
end
return 1`);

const forget = redisScript(`${clock}
local text = redis.call('HGET', KEYS[1], ARGV[1])
if text and cjson.decode(text)[2] == ARGV[2] then drop(ARGV[1]) end
return 1`);

const carry = redisScript(`
local records = redis.call('HGETALL', KEYS[1])
for i = 1, #records, 2 do
  if redis.call('HSETNX', KEYS[3], records[i], records[i + 1]) == 1 then
    redis.call('ZADD', KEYS[4], redis.call('ZSCORE', KEYS[2], records[i]) or 0, records[i])
  end
end
for i = 1, 2 do
  local left = redis.call('PTTL', KEYS[i])
  if left > 0 and redis.call('PTTL', KEYS[i + 2]) < left then redis.call('PEXPIRE', KEYS[i + 2], left) end
end
redis.call('DEL', KEYS[1], KEYS[2])
return 1`);

const prefix = option("{ingress}:calls:", "a string", (value) => typeof value === "string");

/**
 * A {@link CallStore} in Redis, for several nodes: one script a step. Keys expire with what they hold.
 *
 * @example
 * ```ts
 * const realtime = new Realtime({ calls: { store: new RedisCallStore(await createClient({ url }).connect()) } });
 * ```
 */
export class RedisCallStore implements CallStore {
  readonly #redis: Redis;
  readonly #options: Required<RedisCallStoreOptions>;

  /** @throws TypeError if the client is neither of redis nor of ioredis, or an option is wrong */
  constructor(client: RedisClient, options: RedisCallStoreOptions = {}) {
    this.#redis = new Redis(client, "RedisCallStore");
    this.#options = readOptions("RedisCallStore", { ...sharedBounds, prefix }, options);
  }

  /** Asks for a request. */
  async claim({ identity, requestId }: CallKey, digest: string, { windowMs, leaseMs }: CallTimes): Promise<Claim> {
    const args = [
      requestId,
      digest,
      randomUUID(),
      String(leaseMs),
      String(windowMs),
      String(this.#options.maxPerIdentity),
    ];
    const [kind, text] = (await this.#redis.run(claim, this.#keys(identity), args)) as [unknown, unknown?];
    switch (String(kind)) {
      case "run":
        return { kind: "run", token: String(text) };
      case "answered":
        return { kind: "answered", answer: String(text) };
      default:
        return { kind: String(kind) as "unkept" | "running" | "died" | "other" };
    }
  }

  /** Has a claim hold for another lease. */
  async renew({ identity, requestId }: CallKey, token: string, { windowMs, leaseMs }: CallTimes): Promise<boolean> {
    const args = [requestId, token, String(leaseMs), String(windowMs)];
    return Number(await this.#redis.run(renew, this.#keys(identity), args)) === 1;
  }

  /** Keeps an answer. */
  async answer(
    { identity, requestId }: CallKey,
    token: string,
    text: string | undefined,
    { windowMs }: CallTimes,
  ): Promise<void> {
    const { maxAnswerBytes, maxIdentityBytes } = this.#options;
    const isKept = text !== undefined && Buffer.byteLength(text) <= maxAnswerBytes;
    const kept = isKept ? ["answered", text] : ["unkept", ""];
    const args = [requestId, token, ...kept, String(windowMs), String(maxIdentityBytes)];
    await this.#redis.run(answer, this.#keys(identity), args);
  }

  /** Forgets a request that came to nothing. */
  async forget({ identity, requestId }: CallKey, token: string): Promise<void> {
    await this.#redis.run(forget, this.#keys(identity), [requestId, token]);
  }

  /** The requests of one identity are another's from now on. */
  async carry(from: string, to: string): Promise<void> {
    if (from !== to) await this.#redis.run(carry, [...this.#keys(from), ...this.#keys(to)], []);
  }

  #keys(identity: string): string[] {
    return ["r", "o"].map((kind) => `${this.#options.prefix}${kind}:${identity}`);
  }
}
