import type { Server } from "socket.io";
import type { Arrival } from "../../events/arrival.js";
import {
  count,
  expected,
  flag,
  type Option,
  option,
  type Options,
  period,
  readOptions,
} from "../../events/option-table.js";
import { checkEvent } from "../../events/subscriber-list.js";
import type { AppServer } from "../../events/subscriber.js";
import { reservedEvents } from "../../wire/event-names.js";
import type { EventName } from "../../wire/event-types.js";
import { isLimiterStore, type LimiterStore } from "./limiter-store.js";

// Declarations are made file by file (isolatedDeclarations), so that each line of a table says its type by an `as`.
// oxlint-disable typescript/no-unnecessary-type-assertion

/**
 * Whose budget an event is taken from.
 *
 * - `"user"`: the user's, as realtime knows it, over all connections, tabs and devices; the address's, where there is none
 * - `"session"`: the browser session's; the address's, where there is none
 * - `"address"`: where the client comes from: an IPv4 address, the /64 of an IPv6 one, behind `trustProxy` proxies
 * - `"connection"`: the transport's, over all its namespaces
 * - `"event"`: that of the event's name, whoever sends it
 * - a function: the one that it names, or none (`undefined`): then the event is not counted. It is asked once for each event, and must
 *   answer at once. What it throws refuses the event with `INTERNAL`, and reaches the error subscribers.
 *
 * Never the socket's id: a client has a new one whenever it likes.
 */
export type LimitedBy<App extends AppServer = Server> =
  | "user"
  | "session"
  | "address"
  | "connection"
  | "event"
  | ((arrival: Arrival<App>) => string | undefined);

/** How often something may be asked: see {@link Limits.rate}. */
export interface RateOptions<App extends AppServer = Server> {
  /** What it is called in failures (`details.limit`), counters and logs, and before its keys in a store. */
  name: string;
  /** The events that count, in whichever namespace, together; `"all"` counts every event a client sends, unknown ones too. */
  events: readonly (EventName<App> | `ingress:${string}`)[] | "all";
  /** How many events a key has in a window. With a `store` those of its insurance. @default the store's */
  points?: number;
  /** How long a window is, from the first event of a key on, in milliseconds. With a `store` that of its insurance. @default the store's */
  durationMs?: number;
  /** Whose budget it is. @default "user" where there is a realtime door, else "address" */
  by?: LimitedBy<App>;
  /**
   * How long a key is refused that asks for more than it has, in milliseconds, from then on. With a `store` that of its insurance.
   *
   * @default the store's `blockDuration`, else 0: until its window ends
   */
  blockMs?: number;
  /**
   * Where nodes count together: any limiter of rate-limiter-flexible, with its own points, duration and penalties. Each event then waits for
   * it, and those behind it on its socket. Without one, each node counts in memory, and no promise is made.
   */
  store?: LimiterStore;
  /** After how many milliseconds without an answer of the store its insurance decides. @default 80 */
  storeTimeoutMs?: number;
  /** Count, and refuse nothing: to find out what a limit would do. @default false */
  observe?: boolean;
  /** How many keys are kept in memory; the one known longest is forgotten for a new one. @default 100_000 */
  maxKeys?: number;
}

const words = ["user", "session", "address", "connection", "event"];

const table = {
  name: option("", "a non-empty string", (value) => typeof value === "string" && value !== "") as Option<string>,
  events: option([], 'a list of events, or "all"', isEvents) as Option<readonly string[] | "all">,
  points: count(NaN, 1) as Option<number>,
  durationMs: period(NaN) as Option<number>,
  by: option(undefined, `${words.map((word) => `"${word}"`).join(", ")} or a function`, isBy) as Option<
    LimitedBy<never> | undefined
  >,
  blockMs: option(
    NaN,
    "milliseconds from 0",
    (value) => Number.isFinite(value) && (value as number) >= 0,
  ) as Option<number>,
  store: option(undefined, "a limiter with consume(key, points)", isLimiterStore) as Option<LimiterStore | undefined>,
  storeTimeoutMs: period(80) as Option<number>,
  observe: flag(false) as Option<boolean>,
  maxKeys: count(100_000, 1) as Option<number>,
};

/** {@link RateOptions}, read. */
export interface CheckedRate extends Omit<Options<typeof table>, "by"> {
  readonly by: LimitedBy<never>;
}

/**
 * Reads the options of a rate.
 *
 * @throws TypeError naming the option, what was expected and what was given
 */
export function readRate(options: RateOptions<never>, hasUsers: boolean): CheckedRate {
  const named = (options as { readonly name?: unknown } | null)?.name;
  const subject = typeof named === "string" && named !== "" ? `limits.rate "${named}"` : "limits.rate";
  const read = readOptions(subject, table, options);
  const { name, events, store, by = hasUsers ? "user" : "address" } = read;
  if (name === "") throw expected(subject, "name", table.name.expects, undefined);
  if (events !== "all") checkEvents(subject, events);
  if ((by === "user" || by === "session") && !hasUsers)
    throw new TypeError(`${subject}: by: "${by}" needs to know whose a socket is: give the Limits a realtime`);
  const points = orOf(read.points, store?.points);
  const durationMs = orOf(read.durationMs, inMs(store?.duration));
  if (Number.isNaN(points)) throw expected(subject, "points", table.points.expects, undefined);
  if (Number.isNaN(durationMs)) throw expected(subject, "durationMs", table.durationMs.expects, undefined);
  const blockMs = orOf(read.blockMs, inMs(store?.blockDuration), 0);
  return { ...read, by, points, durationMs, blockMs };
}

/** A rate, for whoever reads a table of them. */
export interface RateDescription extends Pick<
  CheckedRate,
  "name" | "events" | "points" | "durationMs" | "blockMs" | "observe"
> {
  /** Whose budget an event is taken from. */
  readonly by: Exclude<LimitedBy, (...args: never) => unknown> | "a function";
  /** Whether nodes count together, in a store. */
  readonly store: boolean;
}

/** What a rate says to whoever reads a table of them. */
export function describeRate({
  name,
  events,
  points,
  durationMs,
  blockMs,
  observe,
  by,
  store,
}: CheckedRate): RateDescription {
  const whose = typeof by === "function" ? "a function" : by;
  return { name, events, points, durationMs, blockMs, observe, by: whose, store: store !== undefined };
}

function checkEvents(subject: string, events: readonly string[]): void {
  if (events.length === 0) throw new TypeError(`${subject}: events names none; "all" means every event`);
  for (const event of events) {
    checkEvent(subject, event);
    if (reservedEvents.has(event))
      throw new TypeError(
        `${subject}: "${event}" is no event that a client sends; limits.connections is for connections`,
      );
  }
}

function isEvents(value: unknown): boolean {
  return value === "all" || (Array.isArray(value) && value.every((one) => typeof one === "string"));
}

function isBy(value: unknown): boolean {
  return typeof value === "function" || words.includes(value as string);
}

/** The first that is a number above zero, else the last. */
function orOf(...values: (number | undefined)[]): number {
  return values.find((value) => typeof value === "number" && value > 0) ?? values.at(-1) ?? NaN;
}

function inMs(seconds: number | undefined): number | undefined {
  return typeof seconds === "number" ? seconds * 1_000 : undefined;
}
