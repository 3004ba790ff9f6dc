import type { Server } from "socket.io";
import type { EventContext } from "../events/event-context.js";
import type { AppServer, AppSocket } from "../events/subscriber.js";
import type { Logger } from "../lifecycle/logger.js";
import type { FakeSocket } from "./fake-socket.js";

/** What a context is made of; whatever a test does not say has a plain default. */
export interface FakeContextOptions<App extends AppServer = Server> {
  /** Whose event it is: a fake socket, or a socket of the server. Without one, reading `context.socket` throws. */
  readonly socket?: FakeSocket<App> | AppSocket<App>;
  /** What the event is called. @default "test" */
  readonly event?: string;
  /**
   * The namespace to tell.
   *
   * @default the socket's, else "/"
   */
  readonly namespace?: string;
  /**
   * Where log lines go.
   *
   * @default nowhere
   */
  readonly log?: Logger;
}

/** A context for one direct call of a handler's method; see {@link fakeContext}. */
export interface FakeContext<App extends AppServer = Server> extends EventContext<App> {
  /** Whether the method called `stop()`. */
  readonly stopped: boolean;
  /** What the method answered by hand: none or one, as a caller gets one reply. */
  readonly replies: readonly unknown[];
  /** Aborts `signal`, as a timeout, a disconnect or a shutdown would. */
  abort(reason?: unknown): void;
}

/**
 * A context to call a handler's method with, past the ingress: no priorities, limits, interceptors and no other subscribers.
 *
 * @typeParam App - the `Server<...>` type of the application
 *
 * @example
 * const reply = new PresenceHandler().handleHeartbeat(fakeContext<App>({ socket }), { at: 1 });
 */
export function fakeContext<App extends AppServer = Server>(options: FakeContextOptions<App> = {}): FakeContext<App> {
  return new DirectContext(options);
}

class DirectContext<App extends AppServer> implements FakeContext<App> {
  readonly event: string;
  readonly log: Logger;
  readonly replies: unknown[] = [];
  stopped = false;
  readonly #controller = new AbortController();
  readonly #socket: AppSocket<App> | undefined;
  readonly #namespace: string | undefined;

  constructor({ socket, event = "test", namespace, log = silent }: FakeContextOptions<App>) {
    this.event = event;
    this.log = log;
    this.#namespace = namespace;
    this.#socket = socket === undefined ? undefined : isFake(socket) ? socket.server : socket;
  }

  get socket(): AppSocket<App> {
    if (this.#socket === undefined) {
      throw new Error(
        "this context has no socket: give it one with fakeContext({ socket: await fakeServer().connect() })",
      );
    }
    return this.#socket;
  }

  get namespace(): string {
    return this.#namespace ?? this.#socket?.nsp.name ?? "/";
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  stop(): void {
    this.stopped = true;
  }

  reply(value?: unknown): boolean {
    if (this.replies.length > 0) return false;
    this.replies.push(value);
    return true;
  }

  abort(reason?: unknown): void {
    this.#controller.abort(reason);
  }
}

function isFake<App extends AppServer>(socket: FakeSocket<App> | AppSocket<App>): socket is FakeSocket<App> {
  return "receive" in socket;
}

const silent: Logger = {
  trace: () => {},
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  fatal: () => {},
  child: () => silent,
};
