import type { IncomingMessage } from "node:http";
import type { Server } from "socket.io";
import {
  count,
  duration,
  expected,
  type Option,
  option,
  type Options,
  readOptions,
} from "../../events/option-table.js";
import { asRecord } from "../../wire/option-names.js";
import type { AppServer, AppSocket } from "../../events/subscriber.js";
import { defaultLogger } from "../../lifecycle/default-logger.js";
import type { Logger } from "../../lifecycle/logger.js";
import { parserOf } from "../../wire/sendable.js";
import { type Awaitable, describeValue, longestTimerMs } from "../../wire/values.js";

// Declarations are made file by file (isolatedDeclarations), so that each line of a table says its type by an `as`.
// oxlint-disable typescript/no-unnecessary-type-assertion

/** Which pages of other origins a browser may connect from. */
export type Origins = string | RegExp | readonly (string | RegExp)[];

/** How plain clients are served, over event streams and WebSockets alike. Everything has a default. */
export interface PlainOptions<App extends AppServer = Server> {
  /** The namespace that the clients are in. @default "/" */
  readonly namespace?: string;
  /**
   * What a client says about itself, as `socket.handshake.auth` has it: for `connect` subscribers and the application's middleware, which
   * decide. It may take time. An `EventError` refuses with its code; anything else it throws is logged, and refuses with `INTERNAL`.
   *
   * @default nothing
   */
  readonly auth?: (request: IncomingMessage) => Awaitable<object>;
  /**
   * Whether one client is told one event: asked for every event that would be sent, what was missed and is sent again included, with the event's
   * name as the client sees it, its data, the client's request and its socket. It may take time; later events of that client then
   * wait, so that they stay in order. What it throws is logged, and drops that event for that client. The data belongs to all clients: don't
   * change it.
   *
   * @default everything
   */
  readonly filter?: (event: string, data: any, request: IncomingMessage, socket: AppSocket<App>) => Awaitable<boolean>;
  /**
   * How much may wait for a client that does not read, in bytes. One more event, and it is cut: nobody else waits for it. Half of it may be
   * what the client missed; more of that comes in parts, each when the one before has left.
   *
   * @default 1_000_000
   */
  readonly maxBufferedBytes?: number;
  /** How often a client is sent a comment (a WebSocket: a ping, which it has to answer before the next), in milliseconds. @default 15_000 */
  readonly heartbeatMs?: number;
  /** How many clients there may be at once. One more is refused with `OVERLOADED`. @default 10_000 */
  readonly maxStreams?: number;
  /**
   * How many clients one user may have at once. One more is refused with `RATE_LIMITED`. A client counts for whoever it was when it came, as realtime
   * knows it; who is nobody counts for nobody.
   *
   * @default 50
   */
  readonly maxStreamsPerUser?: number;
  /** How long an EventSource waits until it connects again, in whole milliseconds. WebSockets are not told. @default 2_000 */
  readonly retryMs?: number;
  /**
   * Which origins, beside the server's own, a browser may connect from: one, several, or `"*"` for any. A browser on another page can't read an
   * event stream; its WebSocket is closed with 4003. Clients that are no browsers say no origin.
   *
   * @default what the server's own option `cors.origin` allows, if that is no function
   */
  readonly origins?: Origins;
  /** Where the door's lines go. @default the package's own logger */
  readonly logger?: Logger;
}

/** {@link PlainOptions} by name, each with its default and its check. */
const plainOptions = {
  namespace: option(
    "/",
    'a name like "/chat"',
    (value) => typeof value === "string" && value.trim() !== "",
  ) as Option<string>,
  auth: option(undefined, "a function", isFunction) as Option<PlainOptions["auth"]>,
  filter: option(undefined, "a function", isFunction) as Option<PlainOptions<any>["filter"]>,
  maxBufferedBytes: count(1_000_000, 1) as Option<number>,
  heartbeatMs: duration(15_000) as Option<number>,
  maxStreams: count(10_000, 1) as Option<number>,
  maxStreamsPerUser: count(50, 1) as Option<number>,
  // An EventSource reads digits alone.
  retryMs: option(
    2_000,
    `a whole number of milliseconds from 1 to ${longestTimerMs}`,
    (value) => Number.isInteger(value) && (value as number) >= 1 && (value as number) <= longestTimerMs,
  ) as Option<number>,
  origins: option(
    undefined,
    '"*", an origin such as "https://example.com", a RegExp, or a list of these',
    isOrigins,
  ) as Option<Origins | undefined>,
  logger: option(
    undefined,
    "a logger",
    (value) => typeof (value as Partial<Logger> | null)?.warn === "function",
  ) as Option<Logger | undefined>,
};

/** {@link PlainOptions}, read. */
export type CheckedPlainOptions = Options<typeof plainOptions> & { readonly log: Logger };

/**
 * Reads the options of one door, and looks at its server.
 *
 * @throws TypeError naming what does not fit
 */
export function checkPlainOptions<App extends AppServer>(
  subject: string,
  io: App,
  options: object,
): CheckedPlainOptions {
  if (typeof (io as Partial<Server> | null | undefined)?.of !== "function")
    throw new TypeError(`${subject}: expected a Socket.IO server, got ${describeValue(io)}`);
  if (parserOf(io) !== undefined)
    throw new TypeError(
      `${subject}: expected a server with Socket.IO's own parser; what another one writes is not JSON, which plain clients are told in`,
    );
  const read = readOptions(subject, plainOptions, options);
  const logger = read.logger ?? defaultLogger();
  return { ...read, log: logger.child({ door: subject }) };
}

/** Reads an option that one of the doors has alone, and leaves the others. @throws TypeError if it does not fit */
export function takePath(subject: string, options: unknown): [path: string, others: object] {
  const { path = "/ws", ...others } = asRecord(subject, options);
  if (typeof path !== "string" || !path.startsWith("/")) throw expected(subject, "path", 'a path such as "/ws"', path);
  return [path, others];
}

function isFunction(value: unknown): boolean {
  return typeof value === "function";
}

function isOrigins(value: unknown): boolean {
  const all: readonly unknown[] = Array.isArray(value) ? value : [value];
  return all.every((one) => typeof one === "string" || one instanceof RegExp);
}
