import type { Server } from "socket.io";
import { expected, option, type OptionTable, readOptions } from "../../events/option-table.js";
import type { AppServer } from "../../events/subscriber.js";
import type { HistorySettings, Realtime, TopicContext } from "../realtime/index.js";

/**
 * How a `Changes` works.
 *
 * @typeParam App - the `Server<...>` type of the application
 */
export interface ChangesOptions<App extends AppServer = Server> {
  /** The door that the changes go through: its identity, topics and log, and its namespace. */
  realtime: Realtime<App>;
  /**
   * What part of the audience a socket belongs to, e.g. the role of its user: what `fields` and `serialise` of a model decide by. Asked
   * after a topic has let the socket in, and again after a login or logout. `undefined` sees nothing.
   *
   * @default everybody is shown the same
   */
  variant?: (context: TopicContext<App>) => PromiseLike<string | undefined> | string | undefined;
  /**
   * All variants there are, beside those that `fields` name. A `serialise` may know others: without this list they are published for once a
   * member of theirs has come, and clients ask for their records anew when the nodes have been started again.
   */
  variants?: readonly string[];
  /** What the names of all topics begin with, for applications that have topics called `all`, or as a model. @default "" */
  prefix?: string;
  /** How much of every topic's changes is kept, for clients that were away. @default 1000 changes, for an hour */
  history?: HistorySettings;
}

const table = {
  realtime: option<unknown>(
    undefined,
    "the Realtime that changes go through",
    (value) => typeof (value as Partial<Realtime> | null)?.emitSocket === "function",
  ),
  variant: option<unknown>(undefined, "a function (context) => string", (value) => typeof value === "function"),
  variants: option<readonly string[] | undefined>(
    undefined,
    "a list of non-empty strings",
    (value) => Array.isArray(value) && value.every((name) => typeof name === "string" && name !== ""),
  ),
  prefix: option("", "a string without { and }", (value) => typeof value === "string" && !/[{}]/.test(value)),
  // Its definer says what fits.
  history: option<unknown>({}, "how much is kept, such as { keep: 1000 }", () => true),
} satisfies OptionTable;

/** Options that were read, with their defaults. */
export type ReadChangesOptions<App extends AppServer> = Pick<ChangesOptions<App>, "realtime" | "variant" | "variants"> &
  Required<Pick<ChangesOptions<App>, "prefix" | "history">>;

/** @throws TypeError naming the option that does not fit */
export function readChangesOptions<App extends AppServer>(options: ChangesOptions<App>): ReadChangesOptions<App> {
  const read = readOptions("Changes", table, options);
  if (read.realtime === undefined) throw expected("Changes", "realtime", table.realtime.expects, undefined);
  if (read.variants !== undefined && read.variant === undefined)
    throw new TypeError("Changes: variants name what the option variant returns, and there is none");
  return read as unknown as ReadChangesOptions<App>; // each was checked by its line of the table
}
