import { describeValue, longestTimerMs } from "../wire/values.js";
import { isOwner, type Owner } from "./cleanups.js";

/** A key with a type: what is provided under it is what `require` gives back. Two tokens of one name are two keys. */
export class Token<T> {
  /** What the token stands for, as error messages call it. */
  readonly name: string;
  /** Only there for the compiler: it keeps tokens of different types apart. */
  declare readonly type?: T;

  /** Tokens are made by {@link token}. */
  constructor(name: string) {
    if (typeof name !== "string" || name.trim() === "") {
      throw new TypeError(`token expects a name, got ${describeValue(name)}`);
    }
    this.name = name;
  }
}

/**
 * Make a typed key for a registry.
 *
 * @example
 * ```ts
 * const db = token<Database>("db");
 * manager.provide(db, await connect());
 * manager.require(db); // a Database
 * ```
 */
export function token<T>(name: string): Token<T> {
  return new Token<T>(name);
}

/** What a value is provided under: a string, a token made by {@link token}, or a class, which stands for its instances. */
export type Key<T = unknown> = string | Token<T> | (abstract new (...args: never[]) => T);

/** Who a provided value belongs to. */
export interface ProvideOptions {
  /** The value goes when its owner goes. Without an owner it stays until it is undone. */
  readonly owner?: Owner;
}

/** How long to wait for a value. */
export interface WaitForOptions {
  /**
   * After this many milliseconds the wait is over; `Infinity` never gives up.
   * @default 30_000
   */
  readonly timeoutMs?: number;
  /** Ends the wait with the signal's reason. */
  readonly signal?: AbortSignal;
}

/**
 * Where the parts of one manager find each other. It belongs to its manager: two managers in one process never meet.
 *
 * @example
 * ```ts
 * const undo = registry.provide("clock", systemClock, { owner: service });
 * registry.require<Clock>("clock").now();
 * await registry.waitFor(Database, { timeoutMs: 5_000 });
 * ```
 */
export class Registry {
  readonly #values = new Map<Key, unknown>();
  readonly #waiting = new Map<Key, Set<(value: unknown) => void>>();

  /**
   * Let others find `value` under `key`.
   *
   * @returns a function that takes it back; called again it does nothing.
   * @throws Error when the key is taken, TypeError when it is no key, the value is `undefined` or the owner is none.
   */
  provide<T>(key: Key<T>, value: T, options: ProvideOptions = {}): () => void {
    assertKey("provide", key);
    if (value === undefined) throw new TypeError(`provide expects a value for ${describeKey(key)}, got undefined`);
    const { owner } = options;
    if (owner !== undefined && !isOwner(owner)) {
      throw new TypeError(
        `provide expects the owner of ${describeKey(key)} to have addCleanup(), got ${describeValue(owner)}`,
      );
    }
    if (this.#values.has(key)) {
      throw new Error(`${describeKey(key)} is provided already: take the first one back before providing another`);
    }
    let provided = true;
    let forget: unknown;
    const undo = (): void => {
      if (!provided) return;
      provided = false;
      this.#values.delete(key);
      // An owner that lives on should not keep what was taken back.
      if (typeof forget === "function") forget();
    };
    // First, since an owner that refuses must leave nothing behind.
    forget = owner?.addCleanup(undo);
    if (!provided) return undo;
    this.#values.set(key, value);
    this.#wake(key, value);
    return undo;
  }

  /**
   * What was provided under `key`.
   * @throws Error naming the key when nothing was.
   */
  require<T>(key: Key<T>): T {
    assertKey("require", key);
    if (!this.#values.has(key)) {
      throw new Error(`${describeKey(key)} is required, but nothing was provided under this key`);
    }
    return this.#values.get(key) as T;
  }

  /** What was provided under `key`, or `undefined`. */
  resolve<T>(key: Key<T>): T | undefined {
    assertKey("resolve", key);
    return this.#values.get(key) as T | undefined;
  }

  /**
   * What is provided under `key`, as soon as it is.
   *
   * @throws Error naming the key when the time is over, or the signal's reason; nothing is left waiting then.
   */
  waitFor<T>(key: Key<T>, options: WaitForOptions = {}): Promise<T> {
    const { timeoutMs = 30_000, signal } = options;
    return new Promise<T>((resolve, reject) => {
      assertKey("waitFor", key);
      if (typeof timeoutMs !== "number" || !(timeoutMs >= 0)) {
        throw new TypeError(`waitFor expects timeoutMs to be a number from 0 up, got ${describeValue(timeoutMs)}`);
      }
      if (this.#values.has(key)) return resolve(this.#values.get(key) as T);
      if (signal?.aborted) throw signal.reason;

      const waiting = this.#waiting.get(key) ?? new Set();
      this.#waiting.set(key, waiting);
      let timer: NodeJS.Timeout | undefined;
      const stopWaiting = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
        waiting.delete(onValue);
        if (waiting.size === 0 && this.#waiting.get(key) === waiting) this.#waiting.delete(key);
      };
      const onValue = (value: unknown): void => {
        stopWaiting();
        resolve(value as T);
      };
      const onAbort = (): void => {
        stopWaiting();
        reject(signal?.reason);
      };
      const onTimeout = (): void => {
        stopWaiting();
        reject(new Error(`nothing was provided under ${describeKey(key)} within ${timeoutMs} ms`));
      };
      waiting.add(onValue);
      signal?.addEventListener("abort", onAbort);
      if (timeoutMs <= longestTimerMs) timer = setTimeout(onTimeout, timeoutMs);
    });
  }

  #wake(key: Key, value: unknown): void {
    for (const wake of this.#waiting.get(key) ?? []) wake(value);
  }
}

/** A key as messages name it: `"db"`, `token(db)`, `Database`. */
export function describeKey(key: Key): string {
  if (typeof key === "string") return JSON.stringify(key);
  if (key instanceof Token) return `token(${key.name})`;
  return key.name === "" ? "an anonymous class" : key.name;
}

/** Tells whether `value` can be a key: a string that is not blank, a token or a class. */
export function isKey(value: unknown): value is Key {
  return typeof value === "string" ? value.trim() !== "" : value instanceof Token || typeof value === "function";
}

function assertKey(method: string, key: unknown): asserts key is Key {
  if (isKey(key)) return;
  throw new TypeError(`${method} expects a key, a name, a token or a class, got ${describeValue(key)}`);
}
