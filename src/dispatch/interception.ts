import { ignore, isThenable } from "../wire/values.js";
import type { AnyInterceptor } from "../events/subscriber.js";
import type { Context } from "./context.js";
import type { LaneTurn } from "./flow/lane-turn.js";
import type { Invoke } from "./subscription.js";

/** How far a call of an interceptor has come: `next()` not called, what is inside is asynchronous, has returned, has thrown. */
type Inside = "untouched" | "pending" | "returned" | "threw";

/**
 * One call of an interceptor; and what `next()` gives it where all that is inside was synchronous: to whoever awaits that, or calls
 * `then`, `catch` or `finally`, a promise that has settled, which is only made then. An interceptor that hands it on costs none.
 */
class Interception implements Promise<unknown> {
  readonly inner: Invoke;
  readonly context: Context;
  readonly args: readonly unknown[];
  readonly count: number;
  readonly laneTurn: LaneTurn | undefined;
  inside: Inside = "untouched";
  /** What came from inside: a promise, the value, or what was thrown. */
  given: unknown = undefined;
  over = false;
  misuse: Error | undefined = undefined;

  constructor(inner: Invoke, context: Context, args: readonly unknown[], count: number) {
    this.inner = inner;
    this.context = context;
    this.args = args;
    this.count = count;
    this.laneTurn = context.laneTurn;
  }

  get [Symbol.toStringTag](): string {
    return "Promise";
  }

  // oxlint-disable-next-line unicorn/no-thenable -- it stands where a promise stood
  then<A = unknown, B = never>(
    ok?: ((value: unknown) => A | PromiseLike<A>) | null,
    failed?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    const settled = this.inside === "threw" ? Promise.reject(this.given) : Promise.resolve(this.given);
    return settled.then(ok, failed);
  }

  catch<B = never>(failed?: ((reason: unknown) => B | PromiseLike<B>) | null): Promise<unknown> {
    return this.then(undefined, failed);
  }

  finally(done?: (() => void) | null): Promise<unknown> {
    return Promise.resolve<unknown>(this).finally(done);
  }

  next(): Promise<unknown> {
    const context = this.context;
    const gone = this.over || context.expired || this.laneTurn?.over === true;
    if (gone || this.inside !== "untouched") return Interception.misused(this);
    this.inside = "pending";
    try {
      const result = this.inner(context, this.args, this.count);
      if (!isThenable(result)) {
        this.given = result;
        this.inside = "returned";
        return this;
      }
      const promise = Promise.resolve(result);
      // An interceptor may look away from it; then what it returns or throws itself counts.
      promise.catch(ignore);
      this.given = promise;
      return promise;
    } catch (thrown) {
      this.given = thrown;
      this.inside = "threw";
      return this;
    }
  }

  /** The interceptor has ended: the reply is what it returned, or else what came from inside. */
  end(value: unknown): unknown {
    this.over = true;
    if (this.misuse !== undefined) throw this.misuse;
    if (value !== undefined && value !== this) return value;
    if (this.inside === "threw") throw this.given;
    // Nobody was asked: a door is not open because its guard was kept away.
    return this.inside === "untouched" && this.context.event === "connect" ? false : this.given;
  }

  // Static, since a private method gives every instance a field more.
  static misused(call: Interception): Promise<unknown> {
    const context = call.context;
    const when = call.over ? "after it had ended" : "twice";
    const error = new Error(`an interceptor of "${context.event}" called next() ${when}`);
    if (call.over) context.state.errors.tellOf(error, "INTERNAL", context);
    else call.misuse ??= error;
    const refused = Promise.reject(error);
    refused.catch(ignore);
    return refused;
  }
}

/**
 * One interceptor around what is inside it. If it returns nothing, what came from `next()` is the reply: a forgotten `return` must
 * not cost the caller the answer (decision 0011). Where neither the interceptor nor what is inside returns a promise, none is made (decision
 * 0042).
 */
export function intercepted(inner: Invoke, interceptor: AnyInterceptor): Invoke {
  return (context, args, count) => {
    const call = new Interception(inner, context, args, count);
    const result = interceptor(context, () => call.next());
    if (result === undefined || result === call || !isThenable(result)) return call.end(result);
    return Promise.resolve(result).then((value) => call.end(value));
  };
}
