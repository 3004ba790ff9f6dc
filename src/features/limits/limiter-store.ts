import { isObject, isThenable } from "../../wire/values.js";

/**
 * Where nodes count together: any limiter of rate-limiter-flexible, or whatever has its `consume`. It is the application's own, with its
 * own points, duration and penalties (`blockDuration`), and closed by it.
 *
 * @example
 * const store = new RateLimiterRedis({ storeClient, useRedisPackage: true, rejectIfRedisNotReady: true, points: 100, duration: 60 });
 * limits.rate({ name: "talk", events: ["say"], store });
 */
export interface LimiterStore {
  /**
   * Takes points from a key. Resolves if there were enough; rejects with something that has `msBeforeNext` if there were not, and with
   * anything else if it can't tell.
   */
  consume(key: string, points?: number): PromiseLike<unknown>;
  /** How many points a key has; what the insurance of this node counts with unless told otherwise. */
  readonly points?: number | undefined;
  /** For how many seconds. */
  readonly duration?: number | undefined;
  /** For how many seconds who asks for more is blocked. */
  readonly blockDuration?: number | undefined;
}

/** Whether a value can be one. */
export function isLimiterStore(value: unknown): value is LimiterStore {
  return isObject(value) && typeof (value as Partial<LimiterStore>).consume === "function";
}

/**
 * What a store says of one point: 0 if it had one, how many milliseconds to wait if it had none. Rejects with what went wrong if it
 * can't tell.
 */
export async function askStore(store: LimiterStore, key: string): Promise<number> {
  try {
    const result = store.consume(key, 1);
    if (!isThenable(result)) throw new TypeError("the limiter's consume returned no promise");
    await result;
    return 0;
  } catch (thrown) {
    const waitMs = waitOf(thrown);
    if (waitMs === undefined) throw thrown;
    return waitMs;
  }
}

/** How long a refusal says to wait; a union of limiters rejects with theirs by name. */
function waitOf(thrown: unknown): number | undefined {
  if (!isObject(thrown) || thrown instanceof Error) return undefined;
  const { msBeforeNext } = thrown as { msBeforeNext?: unknown };
  if (typeof msBeforeNext === "number") return Math.max(1, msBeforeNext);
  const waits = Object.values(thrown).map(waitOf);
  return waits.length > 0 && waits.every((wait) => wait !== undefined) ? Math.max(...waits) : undefined;
}
