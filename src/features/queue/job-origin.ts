import type { EventContext } from "../../events/event-context.js";
import type { AppServer, AppSocket } from "../../events/subscriber.js";
import { describeValue, isObject } from "../../wire/values.js";
import type { JobOrigin } from "./job.js";

/** What is known of a socket. */
interface Known {
  readonly user?: string | undefined;
  readonly session?: string | undefined;
}

const kinds: readonly string[] = ["user", "session", "socket"] satisfies (keyof JobOrigin)[];

/**
 * Whose doing something is: of an event, whoever the server knows its socket to be; else who it is said to be.
 *
 * @throws TypeError if it is neither
 */
export function originOf<App extends AppServer>(
  subject: string,
  from: EventContext<App> | JobOrigin | undefined,
  identify: (socket: AppSocket<App>) => Known,
): JobOrigin | undefined {
  if (from === undefined) return undefined;
  if (!isObject(from))
    throw new TypeError(`${subject}: from must be a context or { user, session }, got ${describeValue(from)}`);
  if (!isContext(from)) return readOrigin(subject, from);
  const { user, session } = identify(from.socket);
  return {
    ...(user !== undefined && { user }),
    ...(session !== undefined && { session }),
    socket: from.socket.id,
  };
}

function isContext<App extends AppServer>(from: EventContext<App> | JobOrigin): from is EventContext<App> {
  return isObject(from.socket);
}

function readOrigin(subject: string, from: JobOrigin): JobOrigin {
  const said = Object.entries(from).filter(([, value]) => value !== undefined);
  for (const [kind, value] of said) {
    if (!kinds.includes(kind) || typeof value !== "string" || value === "")
      throw new TypeError(`${subject}: from must be a context or { user, session }, with ids, got ${kind}`);
  }
  return Object.fromEntries(said);
}
