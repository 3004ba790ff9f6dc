/** Something that others may wait for, and that may wait for them. */
export interface Awaitable {
  /** Settles with what it waits for; nobody else may wait for this very promise. */
  readonly settled: Promise<unknown> | undefined;
}

/** The names by which they are found on the stack. */
const names = new WeakMap<Promise<unknown>, string>();
let count = 0;

/** More frames than a chain of functions that await each other has. */
const MOST_FRAMES = 200;

/**
 * Which of these wait for the code that calls this: an event method that awaits the teardown of its own handler, however many functions
 * that await each other are in between. To wait for one of them would be to wait for oneself.
 *
 * It is read off the stack: V8 tells it beyond an `await`, by the promise that a function is awaited through. What an event's method
 * returned is awaited here by a function of a name of its own, so that it is known by that name. Nothing is done before somebody waits,
 * where `AsyncLocalStorage` would cost every event, and every promise of the process. A chain that is not of awaits (callbacks, code
 * compiled to generators) is not seen: then the time limits end the wait (decision 0037).
 */
export async function waitingForCaller<T extends Awaitable>(candidates: Iterable<T>): Promise<T[]> {
  const named = new Map<string, T>();
  for (const candidate of candidates) {
    if (candidate.settled !== undefined) named.set(nameOf(candidate.settled), candidate);
  }
  if (named.size === 0) return [];
  // Whoever called has yet to await what it was given, through as many promises as are in between.
  for (let i = 0; i < 8; i++) await Promise.resolve();
  return functionsOnStack().flatMap((name) => named.get(name) ?? []);
}

function nameOf(promise: Promise<unknown>): string {
  let name = names.get(promise);
  if (name === undefined) {
    name = `socket-ingress event ${++count}`;
    names.set(promise, name);
    // A promise that is awaited twice is not followed by V8, so this is done once.
    const waits = async (): Promise<void> => void (await promise);
    void Object.defineProperty(waits, "name", { value: name })();
  }
  return name;
}

function functionsOnStack(): string[] {
  const { prepareStackTrace, stackTraceLimit } = Error;
  const holder: { stack?: NodeJS.CallSite[] | string } = {};
  try {
    Error.stackTraceLimit = MOST_FRAMES;
    Error.prepareStackTrace = (_error, sites) => sites;
    Error.captureStackTrace(holder);
    return Array.isArray(holder.stack) ? holder.stack.map((site) => site.getFunctionName() ?? "") : [];
  } catch {
    // Where the stack can't be had (`--frozen-intrinsics`), nobody is known to wait.
    return [];
  } finally {
    Object.assign(Error, { prepareStackTrace, stackTraceLimit });
  }
}
