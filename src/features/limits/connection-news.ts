import type { AppServer, AppSocket } from "../../events/subscriber.js";
import { ClientFaults } from "../../lifecycle/log.js";
import type { Logger } from "../../lifecycle/logger.js";
import { type EventError, withoutStack } from "../../wire/event-error.js";
import type { LimitedNews } from "./limited.js";
import type { Crowd } from "./seats.js";

/** What the limits of connections have done on this node. */
export interface ConnectionCounters {
  /** Connections of this node that count now. */
  open: number;
  /** Connections refused because there are `max`. */
  refusedServer: number;
  /** Connections refused because their user has `perUser`. */
  refusedUser: number;
  /** Connections refused because there are `perIp` from where they come. */
  refusedIp: number;
  /** Connections ended because a newer one of their user took their place. */
  replaced: number;
  /** Connections ended because nothing came from them for `idleMs`. */
  idle: number;
  /** Transports closed that were in no namespace for `joinWithinMs`. */
  unjoined: number;
}

/** Counters that have counted nothing. */
export function freshCounters(): ConnectionCounters {
  return { open: 0, refusedServer: 0, refusedUser: 0, refusedIp: 0, replaced: 0, idle: 0, unjoined: 0 };
}

/** Who is refused is told to come back in one to five seconds, each at another moment. */
const RETRY_FROM_MS = 1_000;
const RETRY_SPREAD_MS = 4_000;

/** What may be full, by what a refusal calls it. */
const scopes = {
  server: { limit: "max", counter: "refusedServer", message: "this server is full" },
  ip: { limit: "perIp", counter: "refusedIp", message: "there are too many connections from where you are" },
  user: { limit: "perUser", counter: "refusedUser", message: "you have too many connections" },
} as const satisfies Record<keyof Crowd, object>;

/** Why a connection was ended, by its counter. */
const endings = { replaced: "perUser", idle: "idleMs", unjoined: "joinWithinMs" } as const;

/** Counts and tells what becomes of connections that meet a limit. */
export class ConnectionNews<App extends AppServer> {
  readonly counters: ConnectionCounters;
  readonly #news: LimitedNews<App>;
  readonly #refused: ClientFaults;

  constructor(counters: ConnectionCounters, news: LimitedNews<App>, log: Logger) {
    this.counters = counters;
    this.#news = news;
    this.#refused = new ClientFaults(log, "connections were refused");
  }

  /** One is refused, with what this returns. */
  refused(scope: keyof Crowd, socket: AppSocket<App>): EventError {
    const { limit, counter, message } = scopes[scope];
    const retryAfterMs = Math.round(RETRY_FROM_MS + Math.random() * RETRY_SPREAD_MS);
    this.counters[counter]++;
    this.#tell(limit, "connect", socket, retryAfterMs);
    this.#refused.write(() => {
      const fields = { event: "connect", namespace: socket.nsp.name, socketId: socket.id, limit };
      return { fields, message: `a connection was refused: ${message}` };
    });
    return withoutStack("OVERLOADED", message, { details: { scope }, retryAfterMs });
  }

  /** One is ended. */
  ended(why: keyof typeof endings, socket: AppSocket<App> | undefined): void {
    this.counters[why]++;
    this.#tell(endings[why], undefined, socket, undefined);
  }

  #tell(
    limit: string,
    event: string | undefined,
    socket: AppSocket<App> | undefined,
    retryAfterMs: number | undefined,
  ): void {
    this.#news.tell(() => ({
      kind: "connections",
      limit,
      key: undefined,
      event,
      socket,
      retryAfterMs,
      observed: false,
    }));
  }
}
