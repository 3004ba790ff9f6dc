import type { Socket } from "socket.io";
import type { Acknowledge } from "../dispatch/reply.js";

/** How many events of one name are remembered for a socket: middleware of the application that never goes on leaves them behind. */
const MOST_PER_SOCKET = 1_000;

/** Events of one name and one socket that have been seen coming, by their acknowledgements; undefined is one without. */
export interface Coming {
  readonly acks: (Acknowledge | undefined)[];
  /** Whether there were more of them than are remembered. */
  forgetful: boolean;
}

/**
 * Which events of one name have been seen coming and have not reached their dispatcher: they come at the next tick, or middleware has
 * them. Nearly always they are of the socket whose packets are being read, so one is at hand and the others are looked up.
 */
export class Arrivals {
  #socket: Socket | undefined = undefined;
  #coming: Coming = { acks: [], forgetful: false };
  readonly #others = new WeakMap<Socket, Coming>();
  /** How many have been put among the others; those that have gone with their socket stay counted. */
  #put = 0;

  /** Whether there may be any. */
  get any(): boolean {
    return this.#coming.acks.length > 0 || this.#put > 0;
  }

  /** One has been seen coming. */
  expect(socket: Socket, ack: Acknowledge | undefined): void {
    if (this.#socket !== socket) this.#turnTo(socket);
    const { acks } = this.#coming;
    acks.push(ack);
    if (acks.length <= MOST_PER_SOCKET) return;
    acks.shift();
    this.#coming.forgetful = true;
  }

  /** One is here. A dispatcher called by hand was not observed, so there may be none. */
  arrived(socket: Socket, ack: Acknowledge | undefined): void {
    if (this.#socket !== socket) this.#turnTo(socket);
    const { acks } = this.#coming;
    const at = acks.indexOf(ack);
    if (at === 0) acks.shift();
    else if (at > 0) acks.splice(at, 1);
    // Holds on to no socket whose events have come.
    if (acks.length === 0) this.#socket = undefined;
  }

  /** Those of a socket, which are forgotten here. */
  take(socket: Socket): Coming | undefined {
    this.#turnTo(socket);
    const coming = this.#coming;
    this.#socket = undefined;
    if (coming.acks.length === 0) return undefined;
    this.#coming = { acks: [], forgetful: false };
    return coming;
  }

  #turnTo(socket: Socket): void {
    const before = this.#socket;
    if (before === socket) return;
    if (before !== undefined && this.#coming.acks.length > 0) {
      this.#others.set(before, this.#coming);
      this.#put++;
      this.#coming = { acks: [], forgetful: false };
    }
    this.#socket = socket;
    if (this.#put === 0) return;
    const own = this.#others.get(socket);
    if (own === undefined) return;
    this.#others.delete(socket);
    this.#put--;
    this.#coming = own;
  }
}
