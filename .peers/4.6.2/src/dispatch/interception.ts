import { andThen, ignore } from "../wire/values.js";
import type { AnyInterceptor } from "../events/subscriber.js";
import type { Invoke } from "./subscription.js";

/**
 * One interceptor around what is inside it. If it returns nothing, what came from `next()` is the reply: a forgotten `return` must
 * not cost the caller the answer.
 */
export function intercepted(inner: Invoke, interceptor: AnyInterceptor): Invoke {
  return (context, args, count) => {
    const { laneTurn } = context;
    let inside: Promise<unknown> | undefined;
    let misuse: Error | undefined;
    let over = false;
    const next = (): Promise<unknown> => {
      const gone = context.expired || laneTurn?.over === true;
      if (inside === undefined && !over && !gone) {
        inside = attempt(() => inner(context, args, count));
        // An interceptor may look away from it; then what it returns or throws itself counts.
        inside.catch(ignore);
        return inside;
      }
      const error = new Error(
        `an interceptor of "${context.event}" called next() ${over ? "after it had ended" : "twice"}`,
      );
      if (over) context.state.errors.tellOf(error, "INTERNAL", context);
      else misuse ??= error;
      const refused = Promise.reject(error);
      refused.catch(ignore);
      return refused;
    };
    const end = (value: unknown): unknown => {
      over = true;
      if (misuse !== undefined) throw misuse;
      if (value !== undefined) return value;
      // Nobody was asked: a door is not open because its guard was kept away.
      return inside === undefined && context.event === "connect" ? false : inside;
    };
    return andThen(interceptor(context, next), end);
  };
}

async function attempt(run: () => unknown): Promise<unknown> {
  return await run();
}
