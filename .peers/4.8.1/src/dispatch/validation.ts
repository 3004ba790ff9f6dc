import { andThen, defuse, ignore, isThenable } from "../wire/values.js";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { AnySubscriber } from "../events/subscriber.js";
import type { Context } from "./context.js";
import type { Invoke, Subscription } from "./subscription.js";
import type { LaneTurn } from "./flow/lane-turn.js";
import { type InputIssue, invalidInput, readIssues } from "../wire/schema.js";

/** What is not declared is not passed on: an argument nobody validated never reaches the method. */
export function validated(
  invoke: Invoke,
  input: StandardSchemaV1 | readonly StandardSchemaV1[],
  ordered: boolean,
): Invoke {
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
    const turn = context.laneTurn as LaneTurn; // as in `laned`
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
export function validatedArgument(
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

export function isList(input: StandardSchemaV1 | readonly StandardSchemaV1[]): input is readonly StandardSchemaV1[] {
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

/** A reply that does not fit is the server's fault. What the schema makes of it is not sent: production would not either. */
export function checked(invoke: Invoke, schema: StandardSchemaV1): Invoke {
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
