import { each } from "./each.js";
import { misfit } from "./misfit.js";

/** Where the client says what nobody else can be told: `console`, or anything with these two methods. */
export interface ClientLogger {
  /** Something that may be meant so: nobody listens, a topic was taken away. */
  warn(message: string, ...details: unknown[]): void;
  /** Something that is broken: a listener threw. */
  error(message: string, ...details: unknown[]): void;
}

/** Calls a user's function; what it throws or rejects with is logged and stays there. */
export function guarded<Args extends unknown[]>(
  logger: ClientLogger,
  what: string,
  fn: (...args: Args) => unknown,
  ...args: Args
): void {
  const report = (error: unknown): void => logger.error(`socket-ingress: ${what} failed`, error);
  try {
    const result = fn(...args);
    if (typeof (result as PromiseLike<unknown> | undefined)?.then === "function") {
      void (result as PromiseLike<unknown>).then(undefined, report);
    }
  } catch (error) {
    report(error);
  }
}

/** The listeners of some things, by name. Each subscription is its own, even of the same function. */
export interface Subscribers<Args extends unknown[]> {
  /** @returns the undo; calling it again does nothing. Nobody is taken in any more after `close`. */
  add(key: string, fn: (...args: Args) => unknown): () => void;
  /** Tells everyone who is subscribed now; who is removed meanwhile is left out. @returns whether there was anyone */
  tell(key: string, ...args: Args): boolean;
  /** Forgets everyone, and whoever comes later. */
  close(): void;
}

interface Group<Args extends unknown[]> {
  readonly entries: Set<{ readonly fn: (...args: Args) => unknown }>;
  off(): void;
}

/**
 * Makes an empty record of listeners.
 *
 * @param label - what a listener of that name is called in the log
 * @param attach - called with the first listener of a name; what it returns, with the last one gone
 */
export function createSubscribers<Args extends unknown[]>(
  logger: ClientLogger,
  label: (key: string) => string,
  attach: (key: string) => () => void = () => () => {},
): Subscribers<Args> {
  const groups = new Map<string, Group<Args>>();
  let closed = false;
  return {
    add(key, fn) {
      if (typeof fn !== "function") throw misfit(label(key), "a function", fn);
      if (closed) return () => {};
      const group = groups.get(key) ?? { entries: new Set(), off: attach(key) };
      groups.set(key, group);
      const entry = { fn };
      group.entries.add(entry);
      return () => {
        if (!group.entries.delete(entry) || group.entries.size > 0) return;
        groups.delete(key);
        group.off();
      };
    },
    tell(key, ...args) {
      const entries = groups.get(key)?.entries;
      if (entries === undefined) return false;
      each(entries, ({ fn }) => guarded(logger, label(key), fn, ...args));
      return true;
    },
    close() {
      closed = true;
      for (const group of groups.values()) {
        group.entries.clear();
        group.off();
      }
      groups.clear();
    },
  };
}
