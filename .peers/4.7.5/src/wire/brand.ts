import { isObject } from "./values.js";

/** A class, as far as its instances can be told by a mark. */
type Markable = Function & { readonly prototype: object };

/**
 * Marks the instances of a class under a name that all copies of this package in a process share, and lets `instanceof` look for the
 * mark. The ES module and the CommonJS form of a client's door are two copies, and so are two versions in one `node_modules`.
 */
export function brand(type: Markable, name: string): void {
  const mark = Symbol.for(`socket-ingress.${name}`);
  Object.defineProperty(type.prototype, mark, { value: true });
  Object.defineProperty(type, Symbol.hasInstance, {
    value(this: Markable, value: unknown): boolean {
      // A subclass inherits this and has no mark of its own.
      if (this !== type) return Function.prototype[Symbol.hasInstance].call(this, value);
      return isObject(value) && (value as Record<symbol, unknown>)[mark] === true;
    },
  });
}
