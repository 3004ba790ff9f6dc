import { withoutTrailing } from "../wire/values.js";
import { REQUEST, REQUEST_ID_MAX } from "../wire/requests.js";
import { isFailure } from "../wire/failure.js";
import type { ClientSocket } from "./client-socket.js";
import { each } from "./each.js";
import { EventFailure, fromFailure } from "./event-failure.js";
import { misfit } from "./misfit.js";
import type { ClientLogger } from "./subscribers.js";
import { createWait } from "./wait.js";

/** How one call is made; given to {@link Client.with}. */
export interface CallOptions {
  /**
   * How long to wait for the answer, the wait for a connection included; `Infinity` waits as long as the connection lasts.
   * With `retries` it counts for each try. A socket that was made with an `ackTimeout` waits no longer than that.
   *
   * @default the client's `timeoutMs`
   */
  timeoutMs?: number;
  /**
   * Gives up: the call rejects with `ABORTED` at once. What was sent is not taken back. As with a call whose time is up, Socket.IO
   * goes on waiting for the answer, which is dropped: it remembers the call until then, or until the connection goes.
   */
  signal?: AbortSignal;
  /**
   * How often to try again when no answer came (`TIMEOUT` and `DISCONNECTED` of the client, never an answer of the server).
   * All tries carry one request id, so a server with the realtime door runs the event once and answers every try; after a
   * reconnect, only if it knows the user or the browser session. A server without that door does not know such calls.
   *
   * @default 0
   */
  retries?: number;
  /**
   * The id under which the event runs once, within the server's window of time, for this user: at most 128 characters. Give
   * one to repeat a call later, after a reload for instance.
   *
   * @default a random one when there are `retries`
   */
  requestId?: string;
}

/** The calls of one client: what was sent and is waited for, and what waits for a connection. */
export interface Calls {
  /** Resolves to the value, rejects with an {@link EventFailure}. Sent in this very tick when connected. */
  call(event: string, args: unknown[], options?: CallOptions): Promise<unknown>;
  /** Sends an event and asks for no answer. Without a connection it is dropped if it is volatile, else it waits like a call. */
  send(event: string, args: unknown[], volatile: boolean | undefined): void;
  /** Sends what waited, in order. */
  onConnect(): void;
  /** Rejects what was sent: its answers can't come any more. */
  onDisconnect(): void;
  /** Rejects what waits for a connection that the server refused for good. */
  onRefused(failure: EventFailure): void;
  /** Rejects everything, now and later. */
  close(): void;
}

/**
 * Sends, and calls back with the answer. Not `emitWithAck`, which knows the first argument only: an event may be answered in Node's form,
 * `(null, value)`. A socket that was made with an `ackTimeout` puts one more null before the answer, or has an error in its place.
 */
type Ask = (answer: (...answer: unknown[]) => void) => void;

interface Pending {
  sent: boolean;
  send(): void;
  fail(failure: unknown): void;
}

/**
 * Makes the calls of one socket. Time limits are ours, not `socket.timeout(...)`: that one can't be ended before its time, so
 * each call that is given up would leave a timer. What stays either way is the acknowledgement that Socket.IO waits for.
 */
export function createCalls(socket: ClientSocket, defaultTimeoutMs: number, logger: ClientLogger): Calls {
  const pending = new Set<Pending>();
  let closed = false;

  const attempt = (event: string, { timeoutMs = defaultTimeoutMs, signal }: CallOptions, ask: Ask): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const end = (settle: (value: unknown) => void, value: unknown): void => {
        pending.delete(entry);
        wait.end();
        settle(value);
      };
      const entry: Pending = {
        sent: false,
        send() {
          entry.sent = true;
          try {
            ask((...answer) => {
              const said = answer.find((part) => part !== null) ?? answer.at(-1);
              if (isFailure(said)) entry.fail(fromFailure(said));
              else if (said instanceof Error)
                entry.fail(new EventFailure("TIMEOUT", `no answer to "${event}" within ackTimeout`, { cause: said }));
              else end(resolve, said);
            });
          } catch (cause) {
            // What can't be encoded.
            entry.fail(cause);
          }
        },
        fail: (failure) => end(reject, failure),
      };
      const wait = createWait({ timeoutMs, signal }, `"${event}"`, () => entry.sent, entry.fail);
      pending.add(entry);
      if (closed) entry.fail(new EventFailure("ABORTED", "the client is closed"));
      else if (signal?.aborted) wait.abort();
      else if (socket.connected) entry.send();
    });

  const failEach = (which: (entry: Pending) => boolean, failure: EventFailure): void =>
    each(pending, (entry) => which(entry) && entry.fail(failure));

  return {
    async call(event, args, options = {}) {
      const { retries = 0, requestId = retries > 0 ? randomId() : undefined } = options;
      const sent = withoutTrailing(args);
      const ask: Ask = (answer) => {
        // Directly before the event, which travels under its own name.
        if (requestId) socket.emit(REQUEST, requestId, event);
        socket.emit(event, ...sent, answer);
      };
      for (let left = requestId ? retries : 0; ; left--) {
        try {
          return await attempt(event, options, ask);
        } catch (error) {
          if (left <= 0 || !isUnanswered(error) || error.code === "ABORTED") throw error;
        }
      }
    },
    send(event, args, volatile) {
      if (volatile && !socket.connected) return;
      const emit: Ask = (answer) => {
        ((volatile && socket.volatile) || socket).emit(event, ...withoutTrailing(args));
        answer();
      };
      attempt(event, {}, emit).catch(
        (error: unknown) => closed || logger.warn(`socket-ingress: "${event}" was not sent`, error),
      );
    },
    onConnect: () => each(pending, (entry) => entry.sent || entry.send()),
    onDisconnect() {
      failEach((entry) => entry.sent, new EventFailure("DISCONNECTED", "the connection went before the answer"));
    },
    onRefused(failure) {
      failEach((entry) => !entry.sent, failure);
    },
    close() {
      closed = true;
      failEach(() => true, new EventFailure("ABORTED", "the client is closed"));
    },
  };
}

/** @throws TypeError for what no call could be made with */
export function checkCallOptions({ timeoutMs, retries, requestId }: CallOptions): void {
  if (timeoutMs !== undefined && !(timeoutMs > 0))
    throw misfit("timeoutMs", "a number of milliseconds above 0", timeoutMs);
  if (retries !== undefined && !(retries >= 0)) throw misfit("retries", "a number from 0", retries);
  if (requestId !== undefined && !(requestId.length > 0 && requestId.length <= REQUEST_ID_MAX))
    throw misfit("requestId", `1 to ${REQUEST_ID_MAX} characters`, requestId);
}

/** Whether this came from here: no answer of the server is known. */
export function isUnanswered(error: unknown): error is EventFailure {
  return error instanceof EventFailure && !error.answered;
}

/** `crypto.randomUUID` exists only on pages that came by HTTPS. */
function randomId(): string {
  return crypto.getRandomValues(new Uint32Array(4)).join("-");
}
