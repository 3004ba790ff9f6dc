import { describeValue, isObject } from "../wire/values.js";

/**
 * Anything that owns things: what is handed to `addCleanup` runs when the owner goes.
 *
 * Handlers, services and controllers are owners, and so is any object of yours with this one method.
 */
export interface Owner {
  /** Have `fn` run when the owner goes. What it returns is up to the owner. */
  addCleanup(fn: () => unknown): unknown;
}

/** Tells whether `value` has an `addCleanup` method. */
export function isOwner(value: unknown): value is Owner {
  return isObject(value) && typeof (value as { addCleanup?: unknown }).addCleanup === "function";
}

/** The methods that stop a resource, in the order in which they are looked for. */
const stopMethods: readonly PropertyKey[] = [
  "close",
  "stop",
  "disconnect",
  "destroy",
  "terminate",
  "kill",
  Symbol.asyncDispose,
  Symbol.dispose,
];

/**
 * What an owner has to undo, in the order in which it came.
 *
 * It can be used again and again: {@link Cleanups.run} empties and closes it, {@link Cleanups.reopen} starts the next life.
 * While it is closed nothing can leak through it: what comes too late (a connection that opened while its owner was
 * being stopped) is cleaned up at once.
 *
 * @example
 * ```ts
 * const cleanups = new Cleanups((error) => log.error({ err: error }, "a late cleanup failed"));
 * const pool = cleanups.own(createPool());
 * const off = cleanups.add(() => emitter.off("tick", onTick));
 * const errors = await cleanups.run(); // emitter.off, then pool.close
 * ```
 */
export class Cleanups implements Owner {
  readonly #entries = new Set<{ readonly fn: () => unknown }>();
  readonly #reportLate: (error: unknown) => void;
  #state: "open" | "running" | "closed" = "open";
  #run: Promise<unknown[]> | undefined;

  /** `reportLate` is told of what a cleanup throws that came too late, since no `run` is left to return it. */
  constructor(reportLate: (error: unknown) => void) {
    this.#reportLate = reportLate;
  }

  /** How many cleanups wait. */
  get size(): number {
    return this.#entries.size;
  }

  /**
   * Have `fn` run at the next {@link Cleanups.run}, before everything that was added earlier. Added while the cleanups run,
   * it runs with them; added after that, and before {@link Cleanups.reopen}, it runs at once.
   *
   * @returns a function that forgets `fn` without running it; called again it does nothing.
   * @throws TypeError when `fn` is no function.
   */
  add(fn: () => unknown): () => void {
    if (typeof fn !== "function") throw new TypeError(`addCleanup expects a function, got ${describeValue(fn)}`);
    if (this.#state === "closed") {
      void attempt(fn).then((failed) => failed && this.#reportLate(failed.error));
      return () => {};
    }
    const entry = { fn };
    this.#entries.add(entry);
    return () => void this.#entries.delete(entry);
  }

  /** The same as {@link Cleanups.add}, so that a `Cleanups` is an {@link Owner} itself. */
  addCleanup(fn: () => unknown): () => void {
    return this.add(fn);
  }

  /**
   * Own a resource: it is stopped once, by the first of `close`, `stop`, `disconnect`, `destroy`, `terminate`, `kill`,
   * `Symbol.asyncDispose` and `Symbol.dispose` that it has, called without arguments and awaited.
   *
   * @returns the resource itself; `null` and `undefined` are given back and nothing is owned.
   * @throws TypeError when the resource has none of these methods.
   */
  own<T>(resource: T): T {
    if (resource === null || resource === undefined) return resource;
    const method = stopMethods.find((key) => typeof readMember(resource, key) === "function");
    if (method === undefined) {
      throw new TypeError(
        `own expects a resource that can be stopped, one with close(), stop(), disconnect(), destroy(), terminate(), ` +
          `kill() or a dispose symbol, got ${describeValue(resource)}`,
      );
    }
    this.add(() => (readMember(resource, method) as () => unknown).call(resource));
    return resource;
  }

  /**
   * Run everything, the newest first, each awaited before the next. One that throws doesn't stop the rest.
   * Calls that overlap share one run, so a cleanup must not wait for the run it is part of.
   *
   * @returns what was thrown, in the order in which it was.
   */
  run(): Promise<unknown[]> {
    if (this.#state === "running" && this.#run) return this.#run;
    this.#state = "running";
    // Started a microtask later, so that a cleanup which asks for another run finds this one.
    this.#run = Promise.resolve().then(() => this.#runAll());
    return this.#run;
  }

  /** Accept cleanups again after a {@link Cleanups.run}. Before the first run there is no need to. */
  reopen(): void {
    if (this.#state === "closed") this.#state = "open";
  }

  async #runAll(): Promise<unknown[]> {
    const errors: unknown[] = [];
    while (this.#entries.size > 0) {
      for (const entry of [...this.#entries].reverse()) {
        // One that ran before may have undone this one.
        if (!this.#entries.delete(entry)) continue;
        const failed = await attempt(entry.fn);
        if (failed) errors.push(failed.error);
      }
    }
    this.#state = "closed";
    this.#run = undefined;
    return errors;
  }
}

/** Runs `fn` to its end; resolves to what it threw in a box (it may have thrown `undefined`), or to nothing. */
async function attempt(fn: () => unknown): Promise<{ readonly error: unknown } | undefined> {
  try {
    await fn();
    return undefined;
  } catch (error) {
    return { error };
  }
}

function readMember(value: unknown, key: PropertyKey): unknown {
  return isObject(value) ? (value as Record<PropertyKey, unknown>)[key] : undefined;
}
