import type { Realtime } from "./realtime.js";

const names = ["emitSocket", "emitSocketRefetch", "notify", "sendTo"] as const satisfies readonly (keyof Realtime)[];

/**
 * Gives a class that has a `realtime` the push methods of that door, bound to it: `this.emitSocket(...)` is
 * `this.realtime.emitSocket(...)`. The class declares them; what they take is told in `Realtime`.
 */
export function givePushMethods(prototype: object): void {
  for (const name of names) {
    Object.defineProperty(prototype, name, {
      configurable: true,
      // Looked up at each use: a subclass may say which door, and a manager may get one later.
      get(this: { readonly realtime: Realtime }) {
        return (this.realtime[name] as () => unknown).bind(this.realtime);
      },
      // A subclass that has a field of this name means its own, as with any method.
      set(this: object, value: unknown) {
        Object.defineProperty(this, name, { configurable: true, enumerable: true, writable: true, value });
      },
    });
  }
}
