import type { Server } from "socket.io";
import { count, expected, option, type OptionTable, readOptions } from "../../events/option-table.js";
import type { AppServer } from "../../events/subscriber.js";
import { longestTimerMs } from "../../wire/values.js";
import type { TopicContext } from "../realtime/index.js";
import type { ChangeMethod, RecordId } from "./protocol.js";

/** Which topic of a model is to be read. */
export interface ReadTopic {
  /** Of a narrower topic such as `post/author/7`: `author`. Without it, it is about the whole model. */
  readonly field: string | undefined;
  /** Of a narrower topic such as `post/author/7`: `"7"`, a string always, since it is what the topic's name says. */
  readonly value: string | undefined;
}

/**
 * What a model is, to those who follow its records.
 *
 * @typeParam Row - a record of the model
 * @typeParam App - the `Server<...>` type of the application
 */
export interface ModelDefinition<Row, App extends AppServer = Server> {
  /** What a record is called. A record whose id changes is a `DELETE` of the old one and a `POST` of the new one. */
  id: (row: Row) => RecordId;
  /**
   * The narrower topics that a record is in, beside the model's own and that of all models, each as `field/value`: `author/7` is joined as
   * `post/author/7`. Neither part may hold `:` or `/`. Whoever publishes has to know what a record was before, so that those are told
   * whose topic it leaves.
   */
  topics?: (row: Row) => readonly string[];
  /**
   * Which fields each variant sees; `"*"` is all of them. A variant that is not named sees nothing, unless there is `serialise`. What
   * `changes` says is computed on what is left. Needs the option `variant` of `Changes`.
   */
  fields?: Readonly<Record<string, "*" | readonly (keyof Row & string)[]>>;
  /**
   * What a variant is shown of a record, at once and as JSON data; `undefined` if nothing, so that the record does not exist for it.
   * `variant` is `undefined` where `Changes` has no variants. Where `fields` name the variant, they choose from what this returns. What it
   * throws keeps the change from that variant, and reaches the error subscribers.
   */
  serialise?: (row: Row, variant: string | undefined) => unknown;
  /**
   * Decides about whoever joins a topic of the model; `false`, or an `EventError`, refuses. Asked as the policy of a realtime topic is: at
   * every join, after a reconnect, login and logout. The topic of all models is for those who may read each model as a whole.
   *
   * @default everybody may
   */
  mayRead?: (context: TopicContext<App>, which: ReadTopic) => unknown;
  /**
   * How long changes of a record are gathered before clients are told of them as one, in milliseconds: its first old and its last new
   * state; one that came and went is not told at all. Watchers in the process are told of each, at once.
   *
   * @default 0
   */
  coalesceMs?: number;
  /** For which methods routes publish what they answer. @default POST, PUT, PATCH and DELETE */
  methods?: readonly ChangeMethod[];
}

/** A definition that was read, with what holds where it says nothing. */
export interface ReadDefinition<Row, App extends AppServer> {
  readonly id: (row: Row) => RecordId;
  readonly topics: ((row: Row) => readonly string[]) | undefined;
  readonly fields: ReadonlyMap<string, "*" | readonly string[]> | undefined;
  readonly serialise: ((row: Row, variant: string | undefined) => unknown) | undefined;
  readonly mayRead: ((context: TopicContext<App>, which: ReadTopic) => unknown) | undefined;
  readonly coalesceMs: number;
  readonly methods: readonly ChangeMethod[];
}

const allMethods: readonly unknown[] = ["POST", "PUT", "PATCH", "DELETE", "GET"] satisfies ChangeMethod[];

const standardMethods: readonly ChangeMethod[] = ["POST", "PUT", "PATCH", "DELETE"];

const isFunction = (value: unknown): boolean => typeof value === "function";

const table = {
  id: option<unknown>(undefined, "a function (row) => id", isFunction),
  topics: option<unknown>(undefined, "a function (row) => topics", isFunction),
  fields: option<unknown>(
    undefined,
    'an object { variant: "*" or a list of fields }',
    (value) =>
      typeof value === "object" &&
      value !== null &&
      !Array.isArray(value) &&
      Object.entries(value).every(([variant, fields]) => variant !== "" && (fields === "*" || isNames(fields))),
  ),
  serialise: option<unknown>(undefined, "a function (row, variant) => what is shown", isFunction),
  mayRead: option<unknown>(undefined, "a function (context, { field, value }) => boolean", isFunction),
  coalesceMs: {
    ...count(0, 0),
    expects: `whole milliseconds from 0 to ${longestTimerMs}`,
    fits: (value) => Number.isInteger(value) && (value as number) >= 0 && (value as number) <= longestTimerMs,
  },
  methods: option<readonly ChangeMethod[]>(
    standardMethods,
    "a list of POST, PUT, PATCH, DELETE and GET",
    (value) => Array.isArray(value) && value.every((method) => allMethods.includes(method)),
  ),
} satisfies OptionTable;

function isNames(value: unknown): boolean {
  return Array.isArray(value) && value.every((name) => typeof name === "string");
}

/** @throws TypeError naming the model, what was expected and what was given */
export function readDefinition<Row, App extends AppServer>(
  name: string,
  definition: ModelDefinition<Row, App>,
  hasVariants: boolean,
): ReadDefinition<Row, App> {
  const subject = `model "${name}"`;
  const read = readOptions(subject, table, definition);
  if (read.id === undefined) throw expected(subject, "id", table.id.expects, undefined);
  if (read.fields !== undefined && !hasVariants)
    throw new TypeError(
      `${subject}: fields say what each variant sees, and there are none; give Changes the option variant, such as ({ user }) => roleOf(user)`,
    );
  const fields = definition.fields && new Map(Object.entries(definition.fields));
  // Each was checked by its line of the table, and is of the type that the definition gives it.
  return { ...(read as unknown as ReadDefinition<Row, App>), fields };
}
