import type { AnyInterceptor, Interceptor } from "../events/subscriber.js";
import type { Logger } from "../lifecycle/logger.js";
import {
  asRecord,
  checkCount,
  checkDuration,
  checkInterceptors,
  checkLimits,
  defaultLimits,
  expected,
  type Limits,
} from "../events/subscribe-options.js";
import type { WriteCoalescingOptions } from "./write-coalescing.js";

/** What an ingress may be told; every limit can be set per event as well. */
export interface SocketIngressOptions {
  /**
   * Where log lines go; anything pino-shaped.
   *
   * @default pino, to standard output
   */
  logger?: Logger;
  /**
   * Which value is the reply when several subscribers return one: the last, once all are done, or the first, as soon as there is
   * one.
   *
   * @default "last"
   */
  reply?: "last" | "first";
  /**
   * How long a subscriber may take, in milliseconds, from when its event begins to run; waiting for its lane is included, waiting for a
   * place among the running events of the connection (`maxInFlight`) is not.
   *
   * @default 30_000
   */
  timeoutMs?: number;
  /**
   * How many runs of one subscriber may overlap, for each socket or each `key`.
   *
   * @default Infinity
   */
  concurrency?: number;
  /**
   * How many events may wait for a subscriber that is busy.
   *
   * @default 100
   */
  queueMax?: number;
  /**
   * Which event goes when that queue is full.
   *
   * @default "reject"
   */
  overflow?: "reject" | "dropOldest";
  /**
   * How many events of one connection (transport, over all its namespaces) may be under way at once; more wait in order.
   *
   * @default 100
   */
  maxInFlight?: number;
  /**
   * How many events of one connection may wait; more are answered `OVERLOADED`.
   *
   * @default 1_000
   */
  maxPending?: number;
  /**
   * How long the `connect` subscribers of a socket may take together, in milliseconds, before it is refused with `TIMEOUT`.
   *
   * @default 30_000
   */
  admitTimeoutMs?: number;
  /** Wraps every subscriber, outside the interceptors of handlers and events; the first is the outermost. */
  use?: readonly Interceptor[];
  /**
   * What becomes of an event with an acknowledgement that neither the ingress nor a listener of the application handles: it is
   * answered `UNKNOWN_EVENT`, or left alone, for applications that answer later from a catch-all of their own.
   *
   * @default "answer"
   */
  unknownEvents?: "answer" | "leave";
  /**
   * When a socket is given the listener of an event: as soon as it sends the event, so that an idle connection costs the same however
   * many events there are, or all of them when it connects, as `socket.on` in a `connection` listener would. Say `"atConnection"` where
   * middleware of `socket.use` renames events: what it makes of one is not known when that arrives.
   *
   * @default "onFirstUse"
   */
  listeners?: "onFirstUse" | "atConnection";
  /**
   * With Socket.IO's `connectionStateRecovery`, missed packets leave before anybody can be asked whether the client may still have
   * them. So a server with recovery on is refused as soon as there is a `connect` subscriber, unless this says `"askAgain"`: the
   * subscribers are then asked about every recovered connection before any event of it runs, and what Socket.IO has already sent is
   * accepted.
   *
   * @default "refuse"
   */
  recovery?: "refuse" | "askAgain";
  /**
   * Write the packets that wait for a connection at once, as one buffer, where Socket.IO writes each on its own: replies to several
   * calls, or several pushes in a turn, leave in one system call. It concerns every WebSocket of the server, also those that nobody
   * here subscribed for, and delays nothing.
   *
   * @default false
   */
  coalesceWrites?: boolean | WriteCoalescingOptions;
}

/** {@link SocketIngressOptions}, checked and complete but for the logger. */
export interface CheckedIngressOptions {
  readonly logger: Logger | undefined;
  readonly replyFirst: boolean;
  readonly limits: Limits;
  readonly maxInFlight: number;
  readonly maxPending: number;
  readonly admitTimeoutMs: number;
  readonly use: readonly AnyInterceptor[];
  readonly answersUnknown: boolean;
  readonly attachesAtOnce: boolean;
  readonly acceptsRecovery: boolean;
  readonly coalescing: WriteCoalescingOptions | undefined;
}

const names = new Set([
  "logger",
  "reply",
  "timeoutMs",
  "concurrency",
  "queueMax",
  "overflow",
  "maxInFlight",
  "maxPending",
  "admitTimeoutMs",
  "use",
  "unknownEvents",
  "listeners",
  "recovery",
  "coalesceWrites",
]);

const subject = "SocketIngress";

/**
 * Reads the options of an ingress.
 *
 * @throws TypeError naming the option, what was expected and what was given
 */
export function checkIngressOptions(options: SocketIngressOptions): CheckedIngressOptions {
  const given = asRecord(subject, options);
  for (const name of Object.keys(given)) {
    if (!names.has(name)) {
      throw new TypeError(`${subject}: there is no option "${name}"; there are ${[...names].join(", ")}`);
    }
  }
  const { logger, maxInFlight = 100, maxPending = 1_000, admitTimeoutMs = 30_000, coalesceWrites = false } = options;
  if (logger !== undefined && !isLogger(logger)) {
    throw expected(subject, "logger", "shaped like pino's, with debug, info, warn, error and child", logger);
  }
  if (typeof coalesceWrites !== "boolean" && (typeof coalesceWrites !== "object" || coalesceWrites === null)) {
    throw expected(subject, "coalesceWrites", "true, false or { maxBytes }", coalesceWrites);
  }
  return {
    logger,
    replyFirst: choose(given, "reply", ["last", "first"]) === "first",
    limits: checkLimits(subject, given, defaultLimits),
    maxInFlight: checkCount(subject, "maxInFlight", maxInFlight, 1),
    maxPending: checkCount(subject, "maxPending", maxPending, 0),
    admitTimeoutMs: checkDuration(subject, "admitTimeoutMs", admitTimeoutMs),
    use: checkInterceptors(subject, given["use"]),
    answersUnknown: choose(given, "unknownEvents", ["answer", "leave"]) === "answer",
    attachesAtOnce: choose(given, "listeners", ["onFirstUse", "atConnection"]) === "atConnection",
    acceptsRecovery: choose(given, "recovery", ["refuse", "askAgain"]) === "askAgain",
    coalescing: typeof coalesceWrites === "object" ? coalesceWrites : coalesceWrites ? {} : undefined,
  };
}

/** One of two words; the first if nothing is said. */
function choose(given: Record<string, unknown>, name: string, words: readonly [string, string]): string {
  const { [name]: word = words[0] } = given;
  if (word === words[0] || word === words[1]) return word;
  throw expected(subject, name, `"${words[0]}" or "${words[1]}"`, word);
}

function isLogger(value: unknown): value is Logger {
  return (
    typeof value === "object" &&
    value !== null &&
    ["debug", "info", "warn", "error", "child"].every(
      (name) => typeof (value as Record<string, unknown>)[name] === "function",
    )
  );
}
