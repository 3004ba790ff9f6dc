import { printable } from "../wire/values.js";
import type { EventEmitter } from "node:events";
import type { Socket } from "socket.io";
import { Context } from "../dispatch/context.js";
import type { EventEntry } from "../dispatch/event-entry.js";
import { dispatch } from "../dispatch/dispatch.js";
import { clientGone, shuttingDown, timedOut } from "../dispatch/failures.js";
import { toFailure } from "../wire/to-failure.js";
import { encodable } from "../dispatch/reply.js";
import type { IngressState } from "../dispatch/ingress-state.js";
import { endRecovery } from "./recover-after-asking.js";
import { writeLog } from "../lifecycle/log.js";
import type { TransportNamespaces } from "./transport-namespaces.js";
import { type EventError, withoutStack } from "../wire/event-error.js";
import type { Failure } from "../wire/failure.js";

/** What Socket.IO sends as `connect_error`: `message`, and `data` as it is. */
interface Refusal extends Error {
  data: Failure["error"];
}

/** How long asking may take, and how much of it at once; the same for all namespaces of an ingress. */
export interface AdmissionLimits {
  readonly timeoutMs: number;
  readonly namespaces: TransportNamespaces;
  readonly closings: Closings;
}

/** Who waits for a transport to close: one listener on it, however many namespaces it asks to enter at once. */
export class Closings {
  readonly #waiting = new WeakMap<EventEmitter, { readonly fns: Set<() => void>; readonly listener: () => void }>();

  add(conn: EventEmitter, fn: () => void): void {
    let waiting = this.#waiting.get(conn);
    if (waiting === undefined) {
      const fns = new Set<() => void>();
      waiting = { fns, listener: () => fns.forEach((one) => one()) };
      this.#waiting.set(conn, waiting);
      conn.on("close", waiting.listener);
    }
    waiting.fns.add(fn);
  }

  remove(conn: EventEmitter, fn: () => void): void {
    const waiting = this.#waiting.get(conn);
    if (!waiting?.fns.delete(fn) || waiting.fns.size > 0) return;
    this.#waiting.delete(conn);
    conn.off("close", waiting.listener);
  }
}

/**
 * Asks the `connect` subscribers of one namespace about a socket. Socket.IO's own middleware may hang, throw, call `next` twice or
 * never, or hand over data that can't be encoded, and each of them costs the process or leaks the socket (`Namespace._add` in
 * socket.io/lib/namespace.ts); here `next` is called once, in time, with what can be sent.
 */
export class Admission {
  readonly #state: IngressState;
  readonly #entry: EventEntry;
  readonly #limits: AdmissionLimits;
  readonly #asked = new WeakSet<Socket>();
  /**
   * Whom the application's own middleware has, of whose end a signal is to tell: it may refuse them, of which nobody is told. One for a
   * transport, since this is of one namespace.
   */
  readonly #passed = new WeakMap<EventEmitter, { readonly gone: () => void }>();

  constructor(state: IngressState, entry: EventEntry, limits: AdmissionLimits) {
    this.#state = state;
    this.#entry = entry;
    this.#limits = limits;
  }

  /** Whether anybody wants to be asked. */
  get wanted(): boolean {
    return this.#entry.plan.length > 0;
  }

  /** Whether this socket has been asked about, by the middleware or after a recovery. */
  wasAsked(socket: Socket): boolean {
    return this.#asked.has(socket);
  }

  /** Whether a socket that is in is the only one of its transport. */
  isAlone(socket: Socket): boolean {
    this.#arrived(socket.conn);
    return this.#limits.namespaces.entered(socket);
  }

  /** The namespace middleware. */
  admit(socket: Socket, next: (error?: Error) => void): void {
    if (this.#state.traffic.draining) return notAsked(socket, next, shuttingDown());
    const { namespaces } = this.#limits;
    if (!namespaces.enter(socket)) {
      // Not refused: an honest client would give up, and one whose transport ends comes back by itself.
      socket.conn.close(true);
      return notAsked(socket, next, withoutStack("CONFLICT", "this connection is being admitted already"));
    }
    if (!this.wanted) {
      namespaces.decided(socket, true);
      return next();
    }
    this.ask(socket, (failure) => {
      namespaces.decided(socket, failure === undefined);
      // A shutdown may have begun while they were asked.
      if (failure === undefined && this.#state.traffic.draining) return notAsked(socket, next, shuttingDown());
      if (failure === undefined) return this.#pass(socket, next);
      endRecovery(socket, "refused");
      next(sendable(failure, socket, this.#state));
    });
  }

  /** On to the application's own middleware; what it throws would otherwise end the process, and leave the client waiting. */
  #pass(socket: Socket, next: (error?: Error) => void): void {
    try {
      next();
    } catch (thrown) {
      const fields = { event: "connect", namespace: socket.nsp.name, socketId: socket.id, err: printable(thrown) };
      writeLog(this.#state.log, "error", fields, "a middleware of the application threw; the connection is refused");
      next(toRefusal(toFailure(thrown).error));
    }
  }

  /** Ask, and tell the verdict exactly once: no failure means welcome. Leaving early counts as a refusal, silently. */
  ask(socket: Socket, verdict: (failure: Failure | undefined) => void): void {
    const { conn } = socket;
    let open = true;
    const conclude = (failure: Failure | undefined): void => {
      if (!open) return;
      open = false;
      clearTimeout(timer);
      this.#limits.closings.remove(conn, onClose);
      if (failure !== undefined) this.#state.signals.disconnected(socket);
      else if (this.#state.signals.has(socket)) this.#awaitArrival(socket);
      verdict(failure);
    };
    /** Nobody waits for the verdict any more: whoever has not been asked yet is not asked, and takes nothing for somebody who is gone. */
    const giveUp = (failure: Failure): void => {
      context.end(failure);
      conclude(failure);
    };
    const onClose = (): void => giveUp(toFailure(clientGone()));
    const onTimeout = (): void => giveUp(toFailure(timedOut()));
    const context = Context.of(this.#entry, socket, ({ failure }) => conclude(failure));
    context.namespace = socket.nsp.name;
    const timer = this.#limits.timeoutMs === Infinity ? undefined : setTimeout(onTimeout, this.#limits.timeoutMs);
    // Asked about again on the same transport: the one before was refused.
    this.#passed.get(conn)?.gone();
    this.#limits.closings.add(conn, onClose);
    this.#asked.add(socket);
    dispatch(this.#entry, context);
  }

  #awaitArrival(socket: Socket): void {
    if (socket.connected) return;
    const { conn } = socket;
    const gone = (): void => {
      this.#arrived(conn);
      this.#state.signals.disconnected(socket);
    };
    this.#passed.set(conn, { gone });
    this.#limits.closings.add(conn, gone);
  }

  #arrived(conn: EventEmitter): void {
    const passed = this.#passed.get(conn);
    if (passed === undefined) return;
    this.#passed.delete(conn);
    this.#limits.closings.remove(conn, passed.gone);
  }
}

/** A refusal whose details can't be encoded would end the process inside Socket.IO: it goes without them. */
function sendable(failure: Failure, socket: Socket, state: IngressState): Refusal {
  const fit = encodable(failure, () => {
    const fields = { event: "connect", namespace: socket.nsp.name, socketId: socket.id, code: failure.error.code };
    writeLog(state.log, "warn", fields, "the details of a refusal can't be encoded and were left out");
  });
  return toRefusal(fit.error);
}

/** Refuses a socket that nobody was asked about: it may come back for what it missed. */
function notAsked(socket: Socket, next: (error: Error) => void, error: EventError): void {
  endRecovery(socket, "notAsked");
  next(toRefusal(toFailure(error).error));
}

function toRefusal(data: Failure["error"]): Refusal {
  return Object.assign(new Error(data.message), { data });
}
