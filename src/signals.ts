import type { Socket } from "socket.io";
import type { Context } from "./context.js";
import { EventError } from "./wire/event-error.js";

/**
 * What aborts when a socket disconnects, or at the deadline of a shutdown: one controller for a socket, made when the first of its
 * subscribers reads its signal. The signal of an event depends on it (`AbortSignal.any`), which Node keeps for as long as somebody
 * listens to it, also when the event is over.
 */
export class Signals {
  readonly #bySocket = new Map<Socket, AbortController>();
  /** For events that have no socket, or whose socket has gone. */
  #loose = new AbortController();
  /** Told when the disconnect of a socket begins to matter. */
  onWatch: (socket: Socket) => void = () => undefined;

  /** Whether the disconnect of a socket matters. */
  has(socket: Socket): boolean {
    return this.#bySocket.has(socket);
  }

  /** The signal of an event that is given up through `own`. */
  of({ socket, event }: Context, own: AbortSignal): AbortSignal {
    if (socket === undefined || event === "disconnect") return AbortSignal.any([own, this.#loose.signal]);
    if (socket.disconnected && event !== "connect") return AbortSignal.abort(gone());
    let controller = this.#bySocket.get(socket);
    if (controller === undefined) {
      controller = new AbortController();
      this.#bySocket.set(socket, controller);
      if (socket.connected) this.onWatch(socket);
    }
    return AbortSignal.any([own, controller.signal]);
  }

  /** The socket is gone. */
  disconnected(socket: Socket): void {
    const controller = this.#bySocket.get(socket);
    this.#bySocket.delete(socket);
    controller?.abort(gone());
  }

  /** The socket was admitted: from now on its disconnect is told of. */
  admitted(socket: Socket): void {
    if (this.#bySocket.has(socket)) this.onWatch(socket);
  }

  /** None of them is waited for any longer. */
  abortAll(reason: EventError): void {
    const controllers = [...this.#bySocket.values(), this.#loose];
    this.#bySocket.clear();
    this.#loose = new AbortController();
    for (const controller of controllers) controller.abort(reason);
  }
}

function gone(): EventError {
  return new EventError("DISCONNECTED", "the client is gone");
}
