import { getEventListeners } from "node:events";
import type { Socket } from "socket.io";
import { clientGone } from "../failures.js";
import type { EventError } from "../../wire/event-error.js";

/** An event, as far as its signal is concerned. */
export interface SignalledEvent {
  readonly socket: Socket;
  readonly event: string;
  /** Whether it goes on when its socket goes. */
  readonly detached: boolean;
  /** Whether its last subscriber is done. */
  readonly finished: boolean;
}

/** The signals of one socket, or of everything that has none. */
interface Open {
  /** Of events that run, and those that somebody listens to. */
  readonly held: Set<AbortController>;
  /** Of events that are over: aborted if anybody still has them. */
  readonly left: Set<WeakRef<AbortSignal>>;
  /** How many of the latter there may be before those that are gone are counted out. */
  pruneAt: number;
}

/**
 * The signals that subscribers read: each aborts when its socket disconnects, or at the deadline of a shutdown, also when its event is
 * over, for what the subscriber has started. Not `AbortSignal.any`: Node 20 never lets go of what listens to such a signal.
 */
export class Signals {
  readonly #bySocket = new Map<Socket, Open>();
  /** Of events that have no socket, or whose socket has gone: for as long as they run. */
  readonly #loose = new Set<AbortController>();
  /** Sockets that were refused or have gone: a `connect` subscriber may still run, and read its signal only now. */
  readonly #gone = new WeakSet<Socket>();
  /** How to abort a signal, for as long as somebody has it. */
  readonly #controllers = new WeakMap<AbortSignal, AbortController>();
  /** Told when the disconnect of a socket begins to matter. */
  onWatch: (socket: Socket) => void = () => undefined;

  /** Whether the disconnect of a socket matters. */
  has(socket: Socket): boolean {
    return this.#bySocket.has(socket);
  }

  /** A subscriber read its signal. */
  open(event: SignalledEvent, controller: AbortController): void {
    const { socket, event: name } = event;
    if (socket === undefined || name === "disconnect" || event.detached) {
      if (!event.finished) this.#loose.add(controller);
      return;
    }
    if (name === "connect" ? this.#gone.has(socket) : socket.disconnected) return controller.abort(clientGone());
    let open = this.#bySocket.get(socket);
    if (open === undefined) {
      open = { held: new Set(), left: new Set(), pruneAt: 32 };
      this.#bySocket.set(socket, open);
      if (socket.connected) this.onWatch(socket);
    }
    if (event.finished) this.#leave(open, controller);
    else open.held.add(controller);
  }

  /** The event is over. */
  close(event: SignalledEvent, controller: AbortController): void {
    this.#loose.delete(controller);
    const open = event.socket === undefined ? undefined : this.#bySocket.get(event.socket);
    if (open === undefined || !open.held.has(controller)) return;
    const { signal } = controller;
    // A listener is to be called, whoever else has forgotten the signal.
    if (!signal.aborted && getEventListeners(signal, "abort").length > 0) return;
    open.held.delete(controller);
    if (!signal.aborted) this.#leave(open, controller);
  }

  #leave(open: Open, controller: AbortController): void {
    this.#controllers.set(controller.signal, controller);
    open.left.add(new WeakRef(controller.signal));
    if (open.left.size < open.pruneAt) return;
    for (const reference of open.left) if (reference.deref() === undefined) open.left.delete(reference);
    open.pruneAt = Math.max(32, open.left.size * 2);
  }

  /** The socket is gone. */
  disconnected(socket: Socket): void {
    this.#gone.add(socket);
    const open = this.#bySocket.get(socket);
    this.#bySocket.delete(socket);
    if (open !== undefined) this.#abort(open, clientGone());
  }

  /** The socket was admitted: from now on its disconnect is told of. */
  admitted(socket: Socket): void {
    if (this.#bySocket.has(socket)) this.onWatch(socket);
  }

  /** None of them is waited for any longer. */
  abortAll(reason: EventError): void {
    const all = [...this.#bySocket.values()];
    this.#bySocket.clear();
    for (const open of all) this.#abort(open, reason);
    const loose = [...this.#loose];
    this.#loose.clear();
    for (const controller of loose) controller.abort(reason);
  }

  #abort({ held, left }: Open, reason: EventError): void {
    for (const controller of held) controller.abort(reason);
    for (const reference of left) {
      const signal = reference.deref();
      if (signal !== undefined) this.#controllers.get(signal)?.abort(reason);
    }
  }
}
