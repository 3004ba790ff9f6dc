import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { AnyBeforeEvent } from "./arrival.js";
import type { AnyInterceptor, AnySubscriber, CallbackForm, Overflow } from "./subscriber.js";
import { isOwner, type Owner } from "../lifecycle/cleanups.js";
import { count, duration, flag, oneOf, type Option, option, type Options } from "./option-table.js";

// Declarations are made file by file (isolatedDeclarations), so that each line of a table says its type by an `as`.
// oxlint-disable typescript/no-unnecessary-type-assertion

/** The owner of what is registered. */
export const owner = option(undefined, "an object with addCleanup(fn)", isOwner) as Option<Owner | undefined>;

/** Where among the others something runs. */
export const priority = option(100, "a finite number, lower runs first", Number.isFinite) as Option<number>;

/** What is around a subscriber. */
export const use = option([], "an array of functions (context, next) => ...", isListOfFunctions) as Option<
  readonly AnyInterceptor[]
>;

/** Who is asked before each event. */
export const beforeEvent = option(undefined, "a method", (value) => typeof value === "function") as Option<
  AnyBeforeEvent | undefined
>;

/** What an event may leave to the ingress. */
export const eventDefaults = {
  timeoutMs: duration(30_000) as Option<number>,
  concurrency: count(Infinity, 1) as Option<number>,
  queueMax: count(100, 0) as Option<number>,
  overflow: oneOf("reject", "dropOldest") as Option<Overflow>,
  callback: oneOf("reply", "errorFirst") as Option<CallbackForm>,
};

/** What holds for an event that says nothing itself. */
export type EventDefaults = Options<typeof eventDefaults>;

const ofOneEvent = {
  priority: priority as Option<number>,
  guard: flag(false) as Option<boolean>,
  input: option(undefined, "a Standard Schema, or an array of them, one for each argument", isInput) as Option<
    StandardSchemaV1 | readonly StandardSchemaV1[] | undefined
  >,
  output: option(undefined, "a Standard Schema", isSchema) as Option<StandardSchemaV1 | undefined>,
  key: option(undefined, "a function", (value) => typeof value === "function") as Option<AnySubscriber | undefined>,
  use: use as Option<readonly AnyInterceptor[]>,
  // What can't be one is told where the pattern is made of it.
  namespace: option("/", "a namespace", () => true) as Option<string | RegExp>,
  owner: owner as Option<Owner | undefined>,
};

/** What a subscription may be given beside its event and its function: a new option is a line here, and its type and sentence. */
export const subscribeOptions: typeof ofOneEvent & typeof eventDefaults = { ...ofOneEvent, ...eventDefaults };

/** The options of one subscription, read. */
export type CheckedOptions = Options<typeof subscribeOptions>;

function isListOfFunctions(value: unknown): boolean {
  return Array.isArray(value) && value.every((one) => typeof one === "function");
}

function isInput(value: unknown): boolean {
  return isSchema(value) || (Array.isArray(value) && value.length > 0 && value.every(isSchema));
}

function isSchema(value: unknown): boolean {
  // arktype's schemas are functions, zod's and valibot's objects.
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return false;
  const standard = (value as { "~standard"?: { validate?: unknown } })["~standard"];
  return typeof standard?.validate === "function";
}
