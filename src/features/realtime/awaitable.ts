/** A value, or a promise of it: stores in memory answer at once, those over a network do not. */
export type Awaitable<T> = T | PromiseLike<T>;

/** Whether it has to be waited for. Any thenable counts, as for `await`: some stores answer with promises of their own. */
export function isPending<T>(value: Awaitable<T>): value is PromiseLike<T> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === "function";
}

/** What comes after a value that may be a promise: at once if it is none, in the order of the calls. */
export function andThen<T, R>(value: Awaitable<T>, next: (value: T) => Awaitable<R>): R | Promise<R> {
  return isPending(value) ? Promise.resolve(value).then(next) : (next(value) as R | Promise<R>);
}
