import { describeValue, isObject, longestTimerMs } from "../wire/values.js";
import { checkNames } from "../wire/option-names.js";
import type { Reach } from "./cluster.js";

/** How something is pushed. */
export interface PushOptions {
  /** Count whom it reached. It asks every node, so it costs more than the push itself. @default false */
  count?: boolean;
  /** May be dropped for a client that is not ready to receive, e.g. a cursor's position. @default false */
  volatile?: boolean;
  /** Sockets of this node only: each node pushes for itself. @default false */
  local?: boolean;
  /**
   * A key, for data of which only the newest counts, e.g. a price by its symbol: while a client is behind with reading, a newer push of the same
   * event and key takes the place of the one that waits. It may then come after what was pushed later. At most 100 keys
   * wait for one connection; what is beyond is sent as any other push. Each node looks through its own sockets, as for an audience
   * that is no union of rooms.
   */
  latest?: string;
  /**
   * Have clients say that it has arrived: those with the client door do, in the turn in which their listeners are called. Each socket is asked,
   * so it is for a user rather than for a crowd. Such a push is not among what a recovered connection brings back.
   */
  receipts?: ReceiptOptions;
}

/** How receipts are waited for. */
export interface ReceiptOptions {
  /**
   * How many milliseconds a client has to say so. Other nodes are waited for no longer than the adapter does, which is 5 s
   * unless it is told otherwise.
   *
   * @default 2_000
   */
  timeoutMs?: number;
}

/** Whom a push with receipts reached. */
export interface Receipts extends Reach {
  /** How many of the sockets said that it arrived. */
  received: number;
}

const DEFAULT_TIMEOUT_MS = 2_000;

/** Pairs that contradict each other: what may be dropped or replaced can't be waited for, and what may be dropped is not kept. */
const contradictions = [
  ["latest", "volatile"],
  ["receipts", "volatile"],
  ["receipts", "latest"],
] as const;

/** The names of the {@link PushOptions}. */
export const pushOptionNames: readonly string[] = [
  "count",
  "volatile",
  "local",
  "latest",
  "receipts",
] satisfies (keyof PushOptions)[];

/**
 * Looks at options that somebody may have misspelt, or the value of one.
 *
 * @throws TypeError naming the option, what was expected and what was given
 */
export function checkPushOptions(event: string, options: PushOptions): void {
  if (!isObject(options))
    throw new TypeError(`push "${event}": options must be an object, got ${describeValue(options)}`);
  for (const name in options) {
    if (pushOptionNames.includes(name)) continue;
    throw new TypeError(`push "${event}": there is no option "${name}"; there are ${pushOptionNames.join(", ")}`);
  }
  const { latest, receipts } = options;
  if (latest === undefined && receipts === undefined) return;
  if (latest !== undefined && (typeof latest !== "string" || latest === ""))
    throw new TypeError(`push "${event}": latest must be a non-empty string, got ${describeValue(latest)}`);
  if (receipts !== undefined) {
    if (!isObject(receipts))
      throw new TypeError(`push "${event}": receipts must be { timeoutMs }, got ${describeValue(receipts)}`);
    checkNames(`push "${event}": receipts`, receipts, ["timeoutMs"]);
    const timeoutMs = receiptsTimeoutMs(receipts);
    if (typeof timeoutMs !== "number" || !(timeoutMs > 0 && timeoutMs <= longestTimerMs))
      throw new TypeError(
        `push "${event}": receipts.timeoutMs must be milliseconds above 0, got ${describeValue(timeoutMs)}`,
      );
  }
  for (const [one, other] of contradictions) {
    if (isAsked(options[one]) && isAsked(options[other]))
      throw new TypeError(`push "${event}": ${one} and ${other} can't be had together`);
  }
}

/** How long receipts are waited for. */
export function receiptsTimeoutMs({ timeoutMs = DEFAULT_TIMEOUT_MS }: ReceiptOptions): number {
  return timeoutMs;
}

function isAsked(option: unknown): boolean {
  return option !== undefined && option !== false;
}
