import { count, duration, oneOf, type Option, option, type Options, readOptions } from "../events/option-table.js";
import type { AnyInterceptor, EventOptions, Interceptor } from "../events/subscriber.js";
import { eventDefaults, use } from "../events/subscribe-options.js";
import type { Logger } from "../lifecycle/logger.js";
import type { WriteCoalescingOptions } from "./write-coalescing.js";

// Declarations are made file by file (isolatedDeclarations), so that each line of a table says its type by an `as`.
// oxlint-disable typescript/no-unnecessary-type-assertion

/** What an ingress may be told; every limit of events can be set per event as well. */
export interface SocketIngressOptions extends Pick<EventOptions, keyof typeof eventDefaults> {
  /**
   * Where log lines go; anything pino-shaped.
   *
   * @default to standard output: lines for people on a terminal, pino's elsewhere; in tests only warnings and errors
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
   * How many namespaces one connection (transport) may be in, those it has asked to enter included; one that asks for more is closed.
   *
   * @default 100
   */
  maxNamespaces?: number;
  /**
   * How many arguments an event or an acknowledgement of a client may have; a connection that sends more is closed. Socket.IO passes
   * them with `apply`: with Node's usual stack a listener of your own can be given about 41,800 before the process ends, a subscriber
   * more than 20,000 before the reply is `INTERNAL`.
   *
   * @default 36_000
   */
  maxArguments?: number;
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
   * answered `UNKNOWN_EVENT`, or left alone. On a socket with a catch-all of the application's own (`onAny`), which may mean to answer,
   * `UNKNOWN_EVENT` is held back for `timeoutMs`; say `"leave"` where the catch-all answers later than that.
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
   * them. So a server with recovery on is refused as soon as there is a `connect` subscriber, unless its adapter is one of
   * {@link recoverAfterAsking}, which sends them after the verdict, or this says `"askAgain"`: the subscribers are then asked about
   * every recovered connection before any event of it runs, and what Socket.IO has already sent is accepted.
   *
   * @default "refuse"
   */
  recovery?: "refuse" | "askAgain";
  /**
   * Write the packets that wait for a connection at once, as one buffer, where Socket.IO writes each on its own: replies to several
   * calls, or several pushes in a turn, leave in one system call. It concerns every WebSocket of the server, also those that nobody
   * here subscribed for, and delays nothing. The packets and their order are the same; `false` leaves the writing to Socket.IO.
   *
   * @default true
   */
  coalesceWrites?: boolean | WriteCoalescingOptions;
}

const ofTheIngress = {
  logger: option(undefined, "shaped like pino's, with debug, info, warn, error and child", isLogger) as Option<
    Logger | undefined
  >,
  reply: oneOf("last", "first") as Option<"last" | "first">,
  maxInFlight: count(100, 1) as Option<number>,
  maxPending: count(1_000, 0) as Option<number>,
  maxNamespaces: count(100, 1) as Option<number>,
  maxArguments: count(36_000, 1) as Option<number>,
  admitTimeoutMs: duration(30_000) as Option<number>,
  use: use as Option<readonly AnyInterceptor[]>,
  unknownEvents: oneOf("answer", "leave") as Option<"answer" | "leave">,
  listeners: oneOf("onFirstUse", "atConnection") as Option<"onFirstUse" | "atConnection">,
  recovery: oneOf("refuse", "askAgain") as Option<"refuse" | "askAgain">,
  coalesceWrites: option(true, "true, false or { maxBytes }", isFlagOrObject) as Option<
    boolean | WriteCoalescingOptions
  >,
};

/** {@link SocketIngressOptions} by name, each with its default and its check. */
export const ingressOptions: typeof eventDefaults & typeof ofTheIngress = { ...ofTheIngress, ...eventDefaults };

/** {@link SocketIngressOptions}, read. */
export type CheckedIngressOptions = Options<typeof ingressOptions>;

/**
 * Reads the options of an ingress.
 *
 * @throws TypeError naming the option, what was expected and what was given
 */
export function checkIngressOptions(options: SocketIngressOptions): CheckedIngressOptions {
  return readOptions("SocketIngress", ingressOptions, options);
}

function isFlagOrObject(value: unknown): boolean {
  return typeof value === "boolean" || (typeof value === "object" && value !== null);
}

function isLogger(value: unknown): boolean {
  return (
    typeof value === "object" &&
    value !== null &&
    ["debug", "info", "warn", "error", "child"].every(
      (name) => typeof (value as Record<string, unknown>)[name] === "function",
    )
  );
}
