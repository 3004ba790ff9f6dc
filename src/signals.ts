import type { Socket } from "socket.io";
import type { Context } from "./context.js";
import { EventError } from "./wire/event-error.js";

/** The signals that somebody reads: each aborts when its socket disconnects, or at the deadline of a shutdown. */
export class Signals {
  readonly #bySocket = new Map<Socket, Set<AbortController>>();
  /** Of events that were dispatched without a socket. */
  readonly #loose = new Set<AbortController>();
  /** Told when the disconnect of a socket begins, or ceases, to matter. */
  onWatch: (socket: Socket, watched: boolean) => void = () => undefined;

  /** Whether the disconnect of a socket matters. */
  has(socket: Socket): boolean {
    return this.#bySocket.has(socket);
  }

  /** A subscriber read its signal. */
  open(context: Context, controller: AbortController): void {
    const { socket, event } = context;
    if (context.expired) return controller.abort(new EventError("TIMEOUT", "no answer in time"));
    if (socket === undefined) {
      if (!context.finished) this.#loose.add(controller);
      return;
    }
    if (socket.disconnected && event !== "connect" && event !== "disconnect") return controller.abort(gone());
    // Read after its event was over, nothing aborts it any more: it would be kept for as long as the socket lives.
    if (context.finished && event !== "connection") return;
    let controllers = this.#bySocket.get(socket);
    if (controllers === undefined) {
      controllers = new Set();
      this.#bySocket.set(socket, controllers);
      if (socket.connected) this.onWatch(socket, true);
    }
    controllers.add(controller);
  }

  /** The event is over. Only the signal of a `connection` subscriber lives as long as its socket. */
  close(context: Context, controller: AbortController): void {
    const { socket } = context;
    if (socket === undefined) return void this.#loose.delete(controller);
    if (context.event === "connection" && !context.expired && socket.connected) return;
    const controllers = this.#bySocket.get(socket);
    if (!controllers?.delete(controller) || controllers.size > 0) return;
    this.#bySocket.delete(socket);
    this.onWatch(socket, false);
  }

  /** The socket is gone. */
  disconnected(socket: Socket): void {
    const controllers = this.#bySocket.get(socket);
    if (controllers === undefined) return;
    this.#bySocket.delete(socket);
    const reason = gone();
    for (const controller of controllers) controller.abort(reason);
  }

  /** None of them is waited for any longer. */
  abortAll(reason: EventError): void {
    for (const controllers of [...this.#bySocket.values(), this.#loose]) {
      for (const controller of controllers) controller.abort(reason);
    }
    this.#bySocket.clear();
    this.#loose.clear();
  }
}

function gone(): EventError {
  return new EventError("DISCONNECTED", "the client is gone");
}
