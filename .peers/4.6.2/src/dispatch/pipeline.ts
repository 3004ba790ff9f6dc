import { isThenable } from "../wire/values.js";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { AnyInterceptor, AnySubscriber, Overflow } from "../events/subscriber.js";
import { laned } from "./flow/concurrency.js";
import { intercepted } from "./interception.js";
import type { Invoke, Subscription } from "./subscription.js";
import { checked, isList, validated, validatedArgument } from "./validation.js";

/** What is around a subscriber, outermost first: interceptors, validation, a lane; then itself, and the check of its reply. */
export interface PipelineOptions {
  readonly use: readonly AnyInterceptor[];
  readonly input: StandardSchemaV1 | readonly StandardSchemaV1[] | undefined;
  readonly output: StandardSchemaV1 | undefined;
  readonly concurrency: number;
  readonly queueMax: number;
  readonly overflow: Overflow;
  readonly key: AnySubscriber | undefined;
}

/** Makes one function of a subscriber and its options; without options it is the subscriber itself, called. */
export function buildPipeline(
  subscription: Subscription,
  fn: AnySubscriber,
  self: unknown,
  options: PipelineOptions,
): Invoke {
  const bare = call(subscription, fn, self);
  let invoke = options.use.length > 0 ? tracked(bare, subscription) : bare;
  if (options.output !== undefined && process.env["NODE_ENV"] !== "production")
    invoke = checked(invoke, options.output);
  subscription.laned = options.concurrency !== Infinity;
  if (subscription.laned) invoke = laned(invoke, subscription, options, self);
  const isBare = invoke === bare && options.use.length === 0;
  const { input } = options;
  if (input !== undefined) invoke = validated(invoke, input, subscription.laned);
  invoke = options.use.reduceRight(intercepted, invoke);
  if (!isBare) return invoke;
  if (input === undefined) {
    subscription.plain = fn;
    subscription.self = self;
  } else if (!isList(input)) subscription.plain = validatedArgument(subscription, fn, self, input, bare);
  return invoke;
}

/** By number of arguments: spreading would copy them. */
function call(subscription: Subscription, fn: AnySubscriber, self: unknown): Invoke {
  return (context, args, count) => {
    // Something around it may have waited: it may be gone by now, or nobody may wait for it any more.
    if (!subscription.active) return context.skip();
    if (context.expired) return undefined;
    switch (count) {
      case 0:
        return fn.call(self, context);
      case 1:
        return fn.call(self, context, args[0]);
      case 2:
        return fn.call(self, context, args[0], args[1]);
      case 3:
        return fn.call(self, context, args[0], args[1], args[2]);
      default:
        return fn.call(self, context, ...args.slice(0, count));
    }
  };
}

/** An interceptor may answer before what is inside it has ended: whoever waits for the subscriber to be idle waits for that, too. */
function tracked(invoke: Invoke, subscription: Subscription): Invoke {
  return (context, args, count) => {
    const result = invoke(context, args, count);
    if (!isThenable(result)) return result;
    subscription.enter();
    let open = true;
    const leave = (): void => {
      if (!open) return;
      open = false;
      clearTimeout(timer);
      subscription.leave();
    };
    const { timeoutMs } = subscription;
    const timer = timeoutMs === Infinity ? undefined : setTimeout(leave, timeoutMs);
    const promise = Promise.resolve(result);
    promise.then(leave, leave);
    return promise;
  };
}
