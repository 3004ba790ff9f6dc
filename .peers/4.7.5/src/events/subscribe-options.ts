import { describeValue, longestTimerMs } from "../wire/values.js";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { AnyInterceptor, AnySubscriber, Overflow } from "./subscriber.js";

/** The limits of an event that the ingress may set for all, with what holds if nobody says anything. */
export interface Limits {
  readonly timeoutMs: number;
  readonly concurrency: number;
  readonly queueMax: number;
  readonly overflow: Overflow;
}

/** What holds unless the ingress or the event says otherwise. */
export const defaultLimits: Limits = { timeoutMs: 30_000, concurrency: Infinity, queueMax: 100, overflow: "reject" };

/** The `priority` of whoever says none. */
export const defaultPriority = 100;

/** The options of one subscription as they were given, checked. */
export interface CheckedOptions extends Limits {
  readonly priority: number;
  readonly use: readonly AnyInterceptor[];
  readonly input: StandardSchemaV1 | readonly StandardSchemaV1[] | undefined;
  readonly output: StandardSchemaV1 | undefined;
  readonly key: AnySubscriber | undefined;
}

const known = new Set([
  "priority",
  "input",
  "output",
  "timeoutMs",
  "concurrency",
  "queueMax",
  "overflow",
  "key",
  "use",
  "namespace",
  "owner",
]);

/**
 * Reads the options of a subscription.
 *
 * @throws TypeError naming the subject, the option, what was expected and what was given
 */
export function checkOptions(subject: string, options: object, limits: Limits): CheckedOptions {
  const given = asRecord(subject, options);
  for (const name of Object.keys(given)) {
    if (!known.has(name))
      throw new TypeError(`${subject}: there is no option "${name}"; there are ${[...known].join(", ")}`);
  }
  const { input, output, key } = given;
  if (input !== undefined && !isSchema(input) && !(Array.isArray(input) && input.length > 0 && input.every(isSchema))) {
    throw expected(subject, "input", "a Standard Schema, or an array of them, one for each argument", input);
  }
  if (output !== undefined && !isSchema(output)) throw expected(subject, "output", "a Standard Schema", output);
  if (key !== undefined && typeof key !== "function") throw expected(subject, "key", "a function", key);
  return {
    ...checkLimits(subject, given, limits),
    priority: checkPriority(subject, given["priority"]),
    use: checkInterceptors(subject, given["use"]),
    input: input, // just checked
    output,
    key: key as AnySubscriber | undefined,
  };
}

/** Reads what an ingress and an event may both say. */
export function checkLimits(subject: string, given: Record<string, unknown>, limits: Limits): Limits {
  const { timeoutMs = limits.timeoutMs, concurrency = limits.concurrency } = given;
  const { queueMax = limits.queueMax, overflow = limits.overflow } = given;
  if (overflow !== "reject" && overflow !== "dropOldest") {
    throw expected(subject, "overflow", '"reject" or "dropOldest"', overflow);
  }
  return {
    timeoutMs: checkDuration(subject, "timeoutMs", timeoutMs),
    concurrency: checkCount(subject, "concurrency", concurrency, 1),
    queueMax: checkCount(subject, "queueMax", queueMax, 0),
    overflow,
  };
}

/** A number of milliseconds from 1 to what a timer can wait for, or `Infinity` for no limit. */
export function checkDuration(subject: string, name: string, value: unknown): number {
  if (value === Infinity) return Infinity;
  if (typeof value === "number" && value >= 1 && value <= longestTimerMs) return value;
  throw expected(subject, name, `milliseconds from 1 to ${longestTimerMs}, or Infinity for no limit`, value);
}

/** A whole number from `least`, or `Infinity` for no limit. */
export function checkCount(subject: string, name: string, value: unknown, least: number): number {
  if (value === Infinity || (Number.isInteger(value) && (value as number) >= least)) return value as number;
  throw expected(subject, name, `a whole number from ${least}, or Infinity for no limit`, value);
}

/** A finite number; absent, the default. */
export function checkPriority(subject: string, value: unknown): number {
  if (value === undefined) return defaultPriority;
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw expected(subject, "priority", "a finite number, lower runs first", value);
}

/** A list of functions; absent, none. */
export function checkInterceptors(subject: string, value: unknown): readonly AnyInterceptor[] {
  if (value === undefined) return [];
  if (Array.isArray(value) && value.every((one) => typeof one === "function")) return [...(value as AnyInterceptor[])];
  throw expected(subject, "use", "an array of functions (context, next) => ...", value);
}

/** Options are an object, whoever forgot the types. */
export function asRecord(subject: string, options: unknown): Record<string, unknown> {
  if (typeof options === "object" && options !== null && !Array.isArray(options))
    return options as Record<string, unknown>;
  throw new TypeError(`${subject}: options must be an object, got ${describeValue(options)}`);
}

/** The error of an option that does not fit. */
export function expected(subject: string, name: string, what: string, given: unknown): TypeError {
  return new TypeError(`${subject}: ${name} must be ${what}, got ${describeValue(given)}`);
}

function isSchema(value: unknown): value is StandardSchemaV1 {
  // arktype's schemas are functions, zod's and valibot's objects.
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return false;
  const standard = (value as { "~standard"?: { validate?: unknown } })["~standard"];
  return typeof standard?.validate === "function";
}
