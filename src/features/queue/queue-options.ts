import { describeValue, longestTimerMs } from "../../wire/values.js";
import { atLeast, count, duration, type Option, option } from "../../events/option-table.js";

// Declarations are made file by file (isolatedDeclarations), so that each line of a table says its type by an `as`.
// oxlint-disable typescript/no-unnecessary-type-assertion

/** The longest delay of a job: a year, in milliseconds. */
export const LONGEST_DELAY_MS: number = 365 * 86_400_000;

/** Priorities go up to here: BullMQ's own limit. */
const HIGHEST_PRIORITY = 2 ** 21 - 1;

const isFunction = (value: unknown): boolean => typeof value === "function";
const isText = (value: unknown): boolean => typeof value === "string" && value.length > 0 && value.length <= 256;

/** How long to wait before a job is tried again: a number of milliseconds that doubles each time, or a function of the attempt that failed. */
export type Backoff = number | ((attempt: number, error: unknown) => number);

/** `RetentionOptions`, each with its default and its check. */
export const retention = {
  keepMs: atLeast(3_600_000, 0) as Option<number>,
  keepCount: count(1_000, 0) as Option<number>,
  keepDead: count(10_000, 1) as Option<number>,
};

/** How many jobs a batch holds: for a service to say, and for a handler. */
export const batchSize = count(50, 1) as Option<number>;

/** `ProcessOptions`, each with its default and its check. */
export const processOptions = {
  batchSize: batchSize as Option<number>,
  attempts: option(
    3,
    "a whole number from 1",
    (value) => Number.isInteger(value) && (value as number) >= 1,
  ) as Option<number>,
  concurrency: option(
    1,
    "a whole number from 1 to 1000",
    (value) => Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 1_000,
  ) as Option<number>,
  backoffMs: option(
    1_000,
    "milliseconds from 0, or a function of the attempt",
    (value) => isFunction(value) || (typeof value === "number" && value >= 0 && value <= longestTimerMs),
  ) as Option<Backoff>,
  lingerMs: option(
    10,
    "milliseconds from 0 to 60000",
    (value) => typeof value === "number" && value >= 0 && value <= 60_000,
  ) as Option<number>,
  timeoutMs: duration(Infinity) as Option<number>,
};

/** How many dead jobs are listed. */
export const deadOptions = { limit: count(1_000, 1) as Option<number> };

/** `EnqueueOptions` but for `from`, each with its default and its check. */
export const enqueueOptions = {
  id: option(undefined, "a string of 1 to 256 characters", isText) as Option<string | undefined>,
  delayMs: option(
    0,
    "milliseconds from 0 to a year",
    (value) => typeof value === "number" && value >= 0 && value <= LONGEST_DELAY_MS,
  ) as Option<number>,
  priority: option(
    100,
    `a whole number from 0 to ${HIGHEST_PRIORITY}, lower runs first`,
    (value) => Number.isInteger(value) && (value as number) >= 0 && (value as number) <= HIGHEST_PRIORITY,
  ) as Option<number>,
};

/** `SubscriberOptions`, each with its default and its check. */
export const subscriberOptions = {
  delayMs: enqueueOptions.delayMs as Option<number>,
  priority: enqueueOptions.priority as Option<number>,
  maxBytes: count(65_536, 1) as Option<number>,
};

/** The name of a queue. @throws TypeError unless it is a string of 1 to 256 characters */
export function queueName(method: string, name: unknown): string {
  if (isText(name)) return name as string;
  throw new TypeError(`${method}: expected the name of a queue, got ${describeValue(name)}`);
}
