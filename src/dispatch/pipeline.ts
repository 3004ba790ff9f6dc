import { andThen, defuse, describeValue, ignore, isThenable } from "../wire/values.js";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Context } from "./context.js";
import { Lanes } from "./flow/concurrency.js";
import type { AnyInterceptor, AnySubscriber, Overflow } from "../events/subscriber.js";
import type { Invoke, Subscription } from "./subscription.js";
import type { Turn } from "./flow/lane-turn.js";
import { type InputIssue, invalidInput, readIssues } from "../wire/schema.js";

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

/** Compiles a subscriber and its options into one function; without options it is the subscriber itself, called. */
export function compile(
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

// --- output -----------------------------------------------------------------------------------------------------------------

/** A reply that does not fit is the server's fault. What the schema makes of it is not sent: production would not either. */
function checked(invoke: Invoke, schema: StandardSchemaV1): Invoke {
  return (context, args, count) =>
    andThen(invoke(context, args, count), (value) => {
      if (value === undefined) return undefined;
      return andThen(schema["~standard"].validate(value), (result) => {
        const { issues } = result as StandardSchemaV1.Result<unknown>;
        if (issues === undefined) return value;
        const { path, message } = readIssues(issues)[0] ?? { path: [], message: "no issue given" };
        throw new TypeError(
          `the reply to "${context.event}" does not fit its output schema at ${path.join(".") || "its root"}: ${message}`,
        );
      });
    });
}

// --- concurrency ------------------------------------------------------------------------------------------------------------

function laned(invoke: Invoke, subscription: Subscription, options: PipelineOptions, self: unknown): Invoke {
  const lanes = new Lanes(options);
  const { key } = options;
  return (context, args, count) => {
    const turn = context.turn as Turn; // every run of a laned subscription has one
    const lane = key === undefined ? context.socket : laneOf(key.call(self, context, ...args.slice(0, count)));
    const place = lanes.enter(lane, turn);
    if (place === undefined) return finishing(turn, () => invoke(context, args, count));
    if (context.run === undefined) turn.parked = true;
    else context.run.park();
    return place.then(async () => {
      await context.run?.unpark(turn);
      if (!turn.over) return finishing(turn, () => invoke(context, args, count));
      turn.release?.();
      return undefined;
    });
  };
}

function laneOf(key: unknown): string {
  if (typeof key === "string") return key;
  defuse(key);
  throw new TypeError(`key must return a string, got ${describeValue(key)}`);
}

/** Runs in a lane, and gives the place back at the end, whatever the end is. */
function finishing(turn: Turn, run: () => unknown): unknown {
  const { release } = turn;
  try {
    const result = run();
    if (isThenable(result)) return Promise.resolve(result).finally(release);
    release?.();
    return result;
  } catch (thrown) {
    release?.();
    throw thrown;
  }
}

// --- input ------------------------------------------------------------------------------------------------------------------

/** What is not declared is not passed on: an argument nobody validated never reaches the method. */
function validated(invoke: Invoke, input: StandardSchemaV1 | readonly StandardSchemaV1[], ordered: boolean): Invoke {
  const parse = isList(input) ? tupleParser(input) : singleParser(input);
  const run = (context: Context, parsed: Parsed): unknown => {
    if (parsed.issues !== undefined) throw invalidInput(parsed.issues);
    return invoke(context, parsed.values, parsed.values.length);
  };
  if (!ordered) {
    return (context, args, count) => {
      const parsed = parse(args, count);
      return isThenable(parsed) ? parsed.then((value) => run(context, value)) : run(context, parsed);
    };
  }
  // An asynchronous schema must not let a later event of the same socket overtake an earlier one on the way into its lane.
  const behind = new Map<unknown, Promise<unknown>>();
  return (context, args, count) => {
    const parsed = parse(args, count);
    const ahead = behind.get(context.socket);
    if (ahead === undefined && !isThenable(parsed)) return run(context, parsed);
    const turn = context.turn as Turn; // as in `laned`
    // In a box, so that the next one waits until this one has entered its lane, not until it is done.
    const entered = Promise.allSettled([ahead, parsed])
      .then(() => parsed)
      .then((value) => ({ result: turn.over ? undefined : run(context, value) }));
    // A schema that hangs holds up nobody beyond its own time.
    const over = new Promise<void>((resolve) => turn.onOver(resolve));
    const settled = Promise.race([entered.then(ignore, ignore), over]);
    behind.set(context.socket, settled);
    void settled.then(() => {
      if (behind.get(context.socket) === settled) behind.delete(context.socket);
    });
    return entered.then(({ result }) => result);
  };
}

/** The same as {@link validated} for a subscriber with one argument and nothing else around it: no list is made of it. */
function validatedArgument(
  subscription: Subscription,
  fn: AnySubscriber,
  self: unknown,
  schema: StandardSchemaV1,
  bare: Invoke,
): (context: Context, argument: unknown) => unknown {
  const standard = schema["~standard"];
  return (context, argument) => {
    const result = standard.validate(argument);
    if (isThenable(result)) {
      return Promise.resolve(result).then((late) => {
        if (late.issues !== undefined) throw invalidInput(readIssues(late.issues));
        return bare(context, [late.value], 1);
      });
    }
    if (result.issues !== undefined) throw invalidInput(readIssues(result.issues));
    return subscription.active ? fn.call(self, context, result.value) : context.skip();
  };
}

interface Parsed {
  readonly values: readonly unknown[];
  readonly issues?: InputIssue[];
}

function isList(input: StandardSchemaV1 | readonly StandardSchemaV1[]): input is readonly StandardSchemaV1[] {
  return Array.isArray(input);
}

type Parse = (args: readonly unknown[], count: number) => Parsed | Promise<Parsed>;

function singleParser(schema: StandardSchemaV1): Parse {
  const standard = schema["~standard"];
  return (args, count) => {
    const result = standard.validate(count > 0 ? args[0] : undefined);
    return isThenable(result) ? Promise.resolve(result).then((value) => one(value)) : one(result);
  };
}

function one(result: StandardSchemaV1.Result<unknown>): Parsed {
  return result.issues === undefined ? { values: [result.value] } : { values: [], issues: readIssues(result.issues) };
}

function tupleParser(schemas: readonly StandardSchemaV1[]): Parse {
  return (args, count) => {
    const results: unknown[] = [];
    try {
      for (const [i, schema] of schemas.entries()) {
        results.push(schema["~standard"].validate(i < count ? args[i] : undefined));
      }
    } catch (thrown) {
      results.forEach(defuse); // one that was asked before may yet reject, with nobody left to hear it
      throw thrown;
    }
    if (results.some(isThenable))
      return Promise.all(results).then((all) => several(all as StandardSchemaV1.Result<unknown>[]));
    return several(results as StandardSchemaV1.Result<unknown>[]);
  };
}

function several(results: readonly StandardSchemaV1.Result<unknown>[]): Parsed {
  const issues = results.flatMap((result, i) => (result.issues === undefined ? [] : readIssues(result.issues, [i])));
  if (issues.length > 0) return { values: [], issues };
  return { values: results.map((result) => (result as StandardSchemaV1.SuccessResult<unknown>).value) };
}

// --- interceptors -----------------------------------------------------------------------------------------------------------

/**
 * One interceptor around what is inside it. If it returns nothing, what came from `next()` is the reply: a forgotten `return` must
 * not cost the caller the answer.
 */
function intercepted(inner: Invoke, interceptor: AnyInterceptor): Invoke {
  return (context, args, count) => {
    const { turn } = context;
    let inside: Promise<unknown> | undefined;
    let misuse: Error | undefined;
    let over = false;
    const next = (): Promise<unknown> => {
      const gone = context.expired || turn?.over === true;
      if (inside === undefined && !over && !gone) {
        inside = attempt(() => inner(context, args, count));
        // An interceptor may look away from it; then what it returns or throws itself counts.
        inside.catch(ignore);
        return inside;
      }
      const error = new Error(
        `an interceptor of "${context.event}" called next() ${over ? "after it had ended" : "twice"}`,
      );
      if (over) context.hub.tell(error, "INTERNAL", context);
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
