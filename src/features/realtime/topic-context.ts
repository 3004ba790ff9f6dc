import type { Server } from "socket.io";
import type { EventContext } from "../../events/event-context.js";
import type { AppServer, AppSocket } from "../../events/subscriber.js";
import type { Logger } from "../../lifecycle/logger.js";
import type { Identity } from "./identity.js";

/**
 * What the functions of a topic are given first: the context of the join (or of the review, when nobody asked), with the topic and
 * whose the socket is.
 *
 * @typeParam App - the `Server<...>` type of the application
 */
export interface TopicContext<App extends AppServer = Server> extends EventContext<App>, Identity {
  /** The topic's name, whole. */
  readonly topic: string;
}

/** Why a socket is in a topic no longer. */
export type LeftReason =
  /** Its client left. */
  | "left"
  /** It was taken away from the user: `Realtime.revoke`. */
  | "evicted"
  /** The policy said no when it was asked again: at another join, or after a login, logout, rotation or recovery. */
  | "refused"
  /** The connection ended. */
  | "disconnected"
  /** The realtime door was closed, at a shutdown for instance. */
  | "closed";

/**
 * What `left` of a topic is given.
 *
 * @typeParam App - the `Server<...>` type of the application
 */
export interface LeftContext<App extends AppServer = Server> extends Identity {
  /** The socket that was in; it may be gone. */
  readonly socket: AppSocket<App>;
  /** The topic's name, whole. */
  readonly topic: string;
  /** What ended it. */
  readonly reason: LeftReason;
  /** What `join` granted last; `user` and `session` are those that it was granted to. */
  readonly grant: unknown;
}

/**
 * What `granted` of a topic is given.
 *
 * @typeParam App - the `Server<...>` type of the application
 */
export type GrantedContext<App extends AppServer = Server> = Omit<LeftContext<App>, "reason">;

/** The context of an event, or of a review, as a topic's functions see it. */
export class JoinContext<App extends AppServer> implements TopicContext<App> {
  readonly topic: string;
  readonly user: string | undefined;
  readonly session: string | undefined;
  readonly #context: EventContext<App>;

  constructor(context: EventContext<App>, topic: string, { user, session }: Identity) {
    this.#context = context;
    this.topic = topic;
    this.user = user;
    this.session = session;
  }

  get socket(): AppSocket<App> {
    return this.#context.socket;
  }

  get event(): string {
    return this.#context.event;
  }

  get namespace(): string {
    return this.#context.namespace;
  }

  get signal(): AbortSignal {
    return this.#context.signal;
  }

  get log(): Logger {
    return this.#context.log;
  }

  stop(): void {
    this.#context.stop();
  }

  reply(value?: unknown): boolean {
    return this.#context.reply(value);
  }
}
