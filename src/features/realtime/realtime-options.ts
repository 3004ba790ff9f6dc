import { type Awaitable, describeValue, longestTimerMs } from "../../wire/values.js";
import type { Server } from "socket.io";
import { expected } from "../../events/option-table.js";
import { asRecord, checkNames } from "../../wire/option-names.js";
import type { AppServer, AppSocket } from "../../events/subscriber.js";
import type { Memberships } from "./groups/memberships.js";
import type { PresenceOptions } from "./presence-sync.js";
import { type CallsOptions, checkCallsOptions } from "./calls/calls-options.js";
import type { TopicLog } from "../../push/topic-log.js";
import type { WaitingRoom } from "./groups/waiting-room.js";

/** How a `Realtime` works. Everything has a default. */
export interface RealtimeOptions<App extends AppServer = Server> {
  /** Whose clients it serves. @default "/" */
  namespace?: string;
  /**
   * Who the user of a socket is, from what the server knows (`socket.data`, the request's session), never from what the client
   * says. Asked once, when the socket connects; see `Realtime.setUser` for a login after that. If it throws, the socket is
   * disconnected.
   *
   * @default nobody has a user
   */
  user?: (socket: AppSocket<App>) => Awaitable<string | null | undefined>;
  /**
   * The browser session of a socket, e.g. `({ request }) => request.session.id` behind `io.engine.use(session(...))`. It is never
   * sent to a client. Asked once, when the socket connects; see `Realtime.rotateSession`.
   *
   * @default no session
   */
  session?: (socket: AppSocket<App>) => Awaitable<string | null | undefined>;
  /** How presence is kept. */
  presence?: PresenceOptions;
  /** The longest topic a client may name, in characters. @default 256 */
  topicMaxLength?: number;
  /** How many topics one connection may be in. @default 100 */
  topicsPerSocket?: number;
  /**
   * How calls that are sent again under their request id are recognised, or `false` to run them as often as they come. Such a call
   * travels under its own name: middleware, limits, schemas and interceptors see it as any other event.
   */
  calls?: CallsOptions | false;
  /**
   * The log of topics with history. Nodes must share one, such as a `RedisTopicLog`: with topics that have a history, the log in memory is
   * refused behind an adapter for several nodes. Namespaces share no log, but a `RedisTopicLog` keeps one for each.
   *
   * @default a `MemoryTopicLog`
   */
  log?: TopicLog;
  /** Who belongs to which session and group. Nodes must share one. @default a `MemoryMemberships` */
  memberships?: Memberships;
  /** Where users wait for a group. Nodes must share one. @default a `MemoryWaitingRoom` */
  waitingRoom?: WaitingRoom;
}

const names = [
  "namespace",
  "user",
  "session",
  "presence",
  "topicMaxLength",
  "topicsPerSocket",
  "calls",
  "log",
  "memberships",
  "waitingRoom",
] satisfies (keyof RealtimeOptions)[];

/** Ports, and what they have. */
const ports = {
  log: ["append", "head", "since", "after"],
  memberships: ["add", "remove", "members", "places"],
  waitingRoom: ["arrive", "leave"],
} satisfies Partial<Record<keyof RealtimeOptions, string[]>>;

/** @throws TypeError naming the option that does not fit */
export function checkRealtimeOptions(options: RealtimeOptions<never>): void {
  checkNames("Realtime", asRecord("Realtime", options), names);
  const { namespace, user, session, topicMaxLength, topicsPerSocket, presence } = options;
  if (namespace !== undefined && (typeof namespace !== "string" || namespace.trim() === "")) {
    throw new TypeError(`Realtime: namespace must be a name like "/chat", got ${describeValue(namespace)}`);
  }
  for (const [name, value] of Object.entries({ user, session })) {
    if (value !== undefined && typeof value !== "function")
      throw new TypeError(`Realtime: ${name} must be a function, got ${describeValue(value)}`);
  }
  for (const [name, methods] of Object.entries(ports)) {
    const given: unknown = options[name as keyof typeof ports]; // as the table has it
    const missing = methods.find((method) => typeof (given as Record<string, unknown> | null)?.[method] !== "function");
    if (given !== undefined && missing !== undefined)
      throw expected("Realtime", name, `an object with a method ${missing}`, given);
  }
  for (const [name, value] of Object.entries({ topicMaxLength, topicsPerSocket })) {
    if (value !== undefined && !(Number.isInteger(value) && value >= 1)) {
      throw new TypeError(`Realtime: ${name} must be a whole number from 1, got ${describeValue(value)}`);
    }
  }
  // Its constructor knows what fits.
  if (options.calls !== undefined && options.calls !== false) checkCallsOptions(options.calls);
  if (presence !== undefined)
    checkNames("Realtime: presence", asRecord("Realtime: presence", presence), ["graceMs", "heartbeatMs"]);
  const { graceMs, heartbeatMs } = presence ?? {};
  if (graceMs !== undefined && !(graceMs >= 0 && graceMs <= longestTimerMs)) {
    throw new TypeError(
      `Realtime: presence.graceMs must be milliseconds from 0 to ${longestTimerMs}, got ${describeValue(graceMs)}`,
    );
  }
  if (heartbeatMs !== undefined && !(heartbeatMs > 0 && heartbeatMs <= longestTimerMs)) {
    throw new TypeError(
      `Realtime: presence.heartbeatMs must be a positive number of milliseconds up to ${longestTimerMs}, got ${describeValue(heartbeatMs)}`,
    );
  }
}
