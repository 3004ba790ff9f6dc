import { randomUUID } from "node:crypto";
import { asRecord, checkNames } from "../wire/option-names.js";
import { describeValue } from "../wire/values.js";
import { Redis, type RedisClient, redisScript } from "./redis-client.js";
import type { LoggedEntry, Missed, Position, TopicEntry, TopicHistory, TopicLog } from "./topic-log.js";

/** How a {@link RedisTopicLog} is kept. */
export interface RedisTopicLogOptions {
  /** What its keys begin with; the braces keep all of them on one node of a Redis Cluster. @default "{ingress}:log:" */
  prefix?: string;
  /** How many of the newest entries a node that sees a hole can read, whatever their topics keep. @default 10000 */
  window?: number;
}

// Keys: h (hash: e the epoch, s the count, a the longest age of any topic so far), w (sorted set: the newest entries by number), m (sorted
// set: marks, numbers by the time at which they were the newest), and for each topic l (list: entries, each behind the time of its append)
// and f (the number of the newest entry that the list has let go). The lists and floors of a topic that nobody pushes to expire, so a
// position older than that is recognised by the marks: what has expired is older than the first mark that is younger. The clock is that
// of Redis: those of nodes differ.

const clock = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
`;

const append = redisScript(`${clock}
local window, age = tonumber(ARGV[1]), tonumber(ARGV[4])
local known = redis.call('HMGET', KEYS[1], 'e', 'a')
local epoch, longest = known[1], tonumber(known[2] or '0')
if not epoch then epoch = ARGV[2] redis.call('HSET', KEYS[1], 'e', epoch) end
if age > longest then longest = age redis.call('HSET', KEYS[1], 'a', ARGV[4]) end
local n = redis.call('HINCRBY', KEYS[1], 's', 1)
local entry = n .. '|' .. ARGV[3]
redis.call('ZADD', KEYS[2], n, entry)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', n - window)
local last = redis.call('ZRANGE', KEYS[3], -1, -1, 'WITHSCORES')
if not last[2] or now - tonumber(last[2]) >= 1000 then
  redis.call('ZADD', KEYS[3], now, n)
  local old = redis.call('ZREVRANGEBYSCORE', KEYS[3], now - 2 * longest, '-inf', 'WITHSCORES', 'LIMIT', 0, 1)
  if old[2] then redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', '(' .. old[2]) end
end
for i = 4, #KEYS, 2 do
  local keep, age = tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2])
  redis.call('RPUSH', KEYS[i], now .. '|' .. entry)
  for round = 1, 8 do
    local time, first = string.match(redis.call('LINDEX', KEYS[i], 0), '^(%d+)|(%d+)')
    if redis.call('LLEN', KEYS[i]) <= keep and tonumber(time) >= now - age then break end
    redis.call('LPOP', KEYS[i])
    redis.call('SET', KEYS[i + 1], first, 'PX', age * 2)
  end
  redis.call('PEXPIRE', KEYS[i], age * 2)
  if redis.call('EXISTS', KEYS[i + 1]) == 1 then redis.call('PEXPIRE', KEYS[i + 1], age * 2) end
end
return {epoch, n}`);

const head = redisScript(`
local epoch = redis.call('HGET', KEYS[1], 'e')
if not epoch then epoch = ARGV[1] redis.call('HSET', KEYS[1], 'e', epoch, 's', 0) end
return {epoch, tonumber(redis.call('HGET', KEYS[1], 's') or '0')}`);

const since = redisScript(`
local epoch, n, from = redis.call('HGET', KEYS[1], 'e'), tonumber(redis.call('HGET', KEYS[1], 's') or '0'), tonumber(ARGV[2])
if epoch ~= ARGV[1] or from > n then return {0} end
local entries = redis.call('ZRANGEBYSCORE', KEYS[2], from + 1, '+inf')
if #entries ~= n - from then return {0} end
return {1, entries}`);

const after = redisScript(`${clock}
local from = tonumber(ARGV[3])
local epoch = redis.call('HGET', KEYS[1], 'e')
if not epoch then epoch = ARGV[1] redis.call('HSET', KEYS[1], 'e', epoch, 's', 0) end
local n = tonumber(redis.call('HGET', KEYS[1], 's') or '0')
if epoch ~= ARGV[2] or from > n then return {epoch, n, 0} end
local out = {epoch, n, 1}
for i = 3, #KEYS, 2 do
  local age = tonumber(ARGV[(i - 3) / 2 + 4])
  local floor = tonumber(redis.call('GET', KEYS[i + 1]) or '0')
  local younger = redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. now - 2 * age, '+inf', 'LIMIT', 0, 1)[1]
  local expired = younger and younger - 1 or n
  local first = redis.call('LINDEX', KEYS[i], 0)
  if first then expired = math.min(expired, string.match(first, '^%d+|(%d+)') - 1) end
  local rows = {}
  if from < floor or from < expired then
    rows = {'gap'}
  else
    local index = redis.call('LLEN', KEYS[i])
    while index > 0 do
      local row = redis.call('LINDEX', KEYS[i], index - 1)
      local time, number = string.match(row, '^(%d+)|(%d+)')
      if tonumber(number) <= from then break end
      table.insert(rows, 1, string.sub(row, #time + 2))
      index = index - 1
    end
  end
  out[#out + 1] = rows
end
return out`);

/**
 * A {@link TopicLog} in Redis, for several nodes: one script an append, whatever the number of topics. Its keys expire with the
 * history they hold. A Redis that comes back without its data begins a new epoch, and every member is told.
 *
 * @example
 * ```ts
 * const client = await createClient({ url }).connect();
 * const realtime = new Realtime({ log: new RedisTopicLog(client) });
 * ```
 */
export class RedisTopicLog implements TopicLog {
  readonly #redis: Redis;
  readonly #prefix: string;
  readonly #window: number;
  readonly #client: RedisClient;

  /** @throws TypeError if the client is neither of redis nor of ioredis, or an option is wrong */
  constructor(client: RedisClient, options: RedisTopicLogOptions = {}) {
    checkNames("RedisTopicLog", asRecord("RedisTopicLog", options), ["prefix", "window"]);
    const { prefix = "{ingress}:log:", window = 10_000 } = options;
    if (typeof prefix !== "string")
      throw new TypeError(`RedisTopicLog: prefix must be a string, got ${describeValue(prefix)}`);
    if (!Number.isSafeInteger(window) || window < 1)
      throw new TypeError(`RedisTopicLog: window must be a whole number from 1, got ${describeValue(window)}`);
    this.#redis = new Redis(client, "RedisTopicLog");
    this.#client = client;
    this.#prefix = prefix;
    this.#window = window;
  }

  /** Appends an entry to its topics, under one number. Rejects as the client does. */
  async append(topics: readonly TopicHistory[], { renditions, except }: TopicEntry): Promise<LoggedEntry> {
    const names = topics.map(({ topic }) => topic);
    const longest = Math.max(0, ...topics.map(({ maxAgeMs }) => maxAgeMs));
    const [epoch, n] = (await this.#redis.run(append, this.#keys(["h", "w", "m"], names), [
      String(this.#window),
      randomUUID(),
      JSON.stringify([names, renditions, except]),
      String(longest),
      ...topics.flatMap(({ keep, maxAgeMs }) => [String(keep), String(maxAgeMs)]),
    ])) as [unknown, unknown];
    return { epoch: String(epoch), n: Number(n), topics: names, renditions, except };
  }

  /** The epoch, and the number of the newest entry. */
  async head(): Promise<Position> {
    const [epoch, n] = (await this.#redis.run(head, this.#keys(["h"], []), [randomUUID()])) as [unknown, unknown];
    return [String(epoch), Number(n)];
  }

  /** All entries after a position. */
  async since([epoch, n]: Position): Promise<readonly LoggedEntry[] | undefined> {
    const [ok, rows = []] = (await this.#redis.run(since, this.#keys(["h", "w"], []), [epoch, String(n)])) as [
      unknown,
      unknown[]?,
    ];
    return Number(ok) === 1 ? rows.map((row) => read(epoch, String(row))) : undefined;
  }

  /** What topics had after a position. */
  async after(topics: readonly TopicHistory[], [epoch, n]: Position): Promise<Missed> {
    const names = topics.map(({ topic }) => topic);
    const [at, newest, known, ...lists] = (await this.#redis.run(after, this.#keys(["h", "m"], names), [
      randomUUID(),
      epoch,
      String(n),
      ...topics.map(({ maxAgeMs }) => String(maxAgeMs)),
    ])) as [unknown, unknown, unknown, ...unknown[][]];
    const top: Position = [String(at), Number(newest)];
    if (Number(known) !== 1) return { head: top, gaps: names, entries: [] };
    const gaps: string[] = [];
    const found = new Map<number, LoggedEntry>();
    for (const [i, rows] of lists.entries()) {
      if (String(rows[0]) === "gap") gaps.push(names[i] as string); // a list for each topic that was asked for
      else
        for (const row of rows) {
          const entry = read(epoch, String(row));
          found.set(entry.n, entry);
        }
    }
    return { head: top, gaps, entries: [...found.values()].sort((a, b) => a.n - b.n) };
  }

  /** The log of a namespace: that of `"/"` has the keys that begin with the prefix alone. */
  of(namespace: string): TopicLog {
    if (namespace === "/") return this;
    const prefix = `${this.#prefix}${encodeURIComponent(namespace)}:`;
    return new RedisTopicLog(this.#client, { prefix, window: this.#window });
  }

  #keys(fixed: readonly string[], topics: readonly string[]): string[] {
    return [...fixed, ...topics.flatMap((topic) => [`l:${topic}`, `f:${topic}`])].map((key) => this.#prefix + key);
  }
}

function read(epoch: string, row: string): LoggedEntry {
  const bar = row.indexOf("|");
  const [topics, renditions, except] = JSON.parse(row.slice(bar + 1)) as [
    string[],
    LoggedEntry["renditions"],
    string[],
  ];
  return { epoch, n: Number(row.slice(0, bar)), topics, renditions, except };
}
