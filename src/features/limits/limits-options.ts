import type { Server } from "socket.io";
import { option, type Option, type Options, readOptions } from "../../events/option-table.js";
import { namespacePattern } from "../../events/namespace-pattern.js";
import type { AppServer } from "../../events/subscriber.js";
import { isObject } from "../../wire/values.js";
import type { Realtime } from "../realtime/index.js";
import type { OnLimited } from "./limited.js";

/** How a `Limits` works. Everything has a default. */
export interface LimitsOptions<App extends AppServer = Server> {
  /** The realtime door, which knows whose a socket is, and reaches the other nodes. @default none: nothing by user, connections per node */
  realtime?: Realtime<App>;
  /**
   * How many proxies of yours stand in front of this server. With `n`, a client's address is the n-th from the right of `x-forwarded-for`;
   * with 0 the header counts for nothing, as any client can write one. Say 0, too: where nothing is said it is 0, with a warning at the first
   * client that comes with the header.
   *
   * @default 0
   */
  trustProxy?: number;
  /** Told of whoever meets a limit, observed ones included. What it throws is logged. */
  onLimited?: OnLimited<App>;
  /**
   * The namespaces whose connections are counted: a transport has one seat, whichever of them it enters. One that enters only others is
   * counted for nothing, so name all that clients may enter. Rates hold in all namespaces, named or not.
   *
   * @default that of the realtime door, else "/"
   */
  namespaces?: readonly (string | RegExp)[];
}

const table = {
  realtime: option(undefined, "a Realtime", isRealtime) as Option<Realtime<never> | undefined>,
  trustProxy: option(undefined, "a whole number from 0", isCount) as Option<number | undefined>,
  onLimited: option(undefined, "a function", (value) => typeof value === "function") as Option<
    OnLimited<never> | undefined
  >,
  namespaces: option(undefined, "a list of namespaces", (value) => Array.isArray(value) && value.length > 0) as Option<
    readonly (string | RegExp)[] | undefined
  >,
};

/** {@link LimitsOptions}, read. */
export type CheckedLimits = Options<typeof table>;

/**
 * Reads the options of a `Limits`.
 *
 * @throws TypeError naming the option, what was expected and what was given
 */
export function readLimits(options: LimitsOptions<never>): CheckedLimits {
  const read = readOptions("Limits", table, options);
  for (const namespace of read.namespaces ?? []) namespacePattern(namespace, "Limits");
  return read;
}

function isCount(value: unknown): boolean {
  return Number.isInteger(value) && (value as number) >= 0;
}

/** As far as it is used: another copy of this package may have made it. */
function isRealtime(value: unknown): boolean {
  const { identify, cluster } = (isObject(value) ? value : {}) as Partial<Realtime>;
  return typeof identify === "function" && typeof cluster === "function";
}
