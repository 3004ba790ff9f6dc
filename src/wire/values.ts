/** A value, or a promise of it: stores in memory answer at once, those over a network do not. */
export type Awaitable<T> = T | PromiseLike<T>;

/** The longest delay a timer of Node or of a browser can have, in milliseconds (24.8 days); above it, it fires at once. */
export const longestTimerMs: number = 2 ** 31 - 1;

/** Whether `value` is an object or a function, so that it has members. */
export function isObject(value: unknown): value is object {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

/** Whether `value` is to be awaited: any thenable counts, as for `await`. Reading `then` may throw, as on a revoked proxy. */
export function isThenable<T = unknown>(value: Awaitable<T>): value is PromiseLike<T> {
  return isObject(value) && typeof (value as { then?: unknown }).then === "function";
}

/** What comes after a value that may be a promise: at once if it is none, in the order of the calls. */
export function andThen<T, R>(value: Awaitable<T>, next: (value: T) => Awaitable<R>): R | Promise<R> {
  return isThenable(value) ? Promise.resolve(value).then(next) : (next(value) as R | Promise<R>);
}

/**
 * Arguments as they are sent: without an `undefined` at the end, which JSON would make `null`, so that the other end's default parameters
 * and optional schemas mean what they say. One in the middle has to become `null`.
 */
export function withoutTrailing(args: readonly unknown[]): unknown[] {
  return args.slice(0, args.findLastIndex((arg) => arg !== undefined) + 1);
}

/** A rejection handler for what has been told of already. */
export function ignore(): void {}

/** A promise may be thrown, or stand where a value should: if it rejects and nobody listens, Node ends the process. */
export function defuse(thrown: unknown): void {
  try {
    if (thrown instanceof Promise) thrown.then(ignore, ignore);
  } catch {
    // A revoked proxy is no promise.
  }
}

/** A value in a few words, for the messages of wiring mistakes: never throws and never prints what the value holds. */
export function describeValue(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  if (typeof value === "bigint") return `${value}n`;
  if (!isObject(value)) return String(value);
  try {
    if (typeof value === "function") return value.name === "" ? "a function" : `the function ${value.name}`;
    if (Array.isArray(value)) return "an array";
    const name: unknown = (value as { constructor?: { name?: unknown } }).constructor?.name;
    if (typeof name === "string" && name !== "" && name !== "Object") return `an instance of ${name}`;
  } catch {
    // It does not say what it is.
  }
  return "an object";
}

/**
 * Whatever was thrown as an `Error` that a logger can print: reading it, or marking it as pino's serializer does, can't throw
 * afterwards.
 */
export function printable(thrown: unknown): Error {
  defuse(thrown);
  try {
    if (thrown instanceof Error) {
      const { name, message, stack } = thrown;
      JSON.stringify(thrown);
      return Object.isExtensible(thrown) ? thrown : Object.assign(new Error(message), thrown, { name, stack });
    }
  } catch {
    return new Error("an error that can't be read was thrown");
  }
  return new Error(`a value that is no Error was thrown: ${describeThrown(thrown)}`);
}

function describeThrown(thrown: unknown): string {
  try {
    const text = typeof thrown === "string" ? JSON.stringify(thrown) : String(thrown);
    return text.length > 200 ? `${text.slice(0, 200)}…` : text;
  } catch {
    return typeof thrown;
  }
}

/** An error in one line. What was thrown may be anything, and may even refuse to be read. */
export function reasonOf(error: unknown): string {
  try {
    return error instanceof Error ? `${error.name}: ${error.message}` : `thrown: ${describeValue(error)}`;
  } catch {
    return "an error that can't be read";
  }
}
