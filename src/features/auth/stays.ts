import type { Socket } from "socket.io";
import type { EventError } from "../../wire/event-error.js";
import { type Ended, ENDED } from "../../wire/ended.js";
import type { Claims } from "./claims.js";
import { Expiry } from "./expiry.js";
import { EXPIRING, type Expiring } from "./protocol.js";
import { reasonOfRefusal, refusal } from "./refusals.js";
import { keysOf, type Revoked } from "./revocations.js";

/** A socket that was let in: as whom, until when, and how that ended. */
export interface Stay {
  /** Nothing for a guest. */
  claims: Claims | undefined;
  expiry: Expiry | undefined;
  /** When it was let in, in milliseconds since 1970. */
  readonly since: number;
  /** How many revocations had been heard of when it was let in. */
  readonly heard: number;
  /** Whether its client gets new tokens by itself. */
  readonly renews: boolean;
  /** Why none of its events begins any more. */
  ended: EventError | undefined;
  timer: NodeJS.Timeout | undefined;
}

/** What ending a stay asks of others. */
export interface StaysOptions {
  readonly warnBeforeMs: number;
  /** Answers what waits of a socket, and forgets it. */
  readonly dropPending: (socket: Socket, failure: EventError) => void;
}

/** How far ahead a timer looks, in milliseconds: a wall clock may be set meanwhile, and no timer can wait for a month. */
const LOOK_MS = 60_000;

/** Beside this many there may be twice as many sockets on record as there are, before it is looked through. */
const LEFT_BEHIND = 1_000;

/** Who is in, until when. A stay is kept with its socket and goes with it; its timer and its place on record go when the socket does. */
export class Stays {
  readonly #options: StaysOptions;
  readonly #stays = new WeakMap<object, Stay>();
  /** The sockets that are there, with the keys that they are on record under, and the other way round. */
  readonly #keys = new Map<Socket, readonly string[]>();
  readonly #sockets = new Map<string, Set<Socket>>();

  constructor(options: StaysOptions) {
    this.#options = options;
  }

  /** The stay of a socket, if it was let in. */
  of(socket: object): Stay | undefined {
    return this.#stays.get(socket);
  }

  /** A socket is let in. */
  begin(socket: object, claims: Claims | undefined, renews: boolean, heard: number): Stay {
    const known = { since: Date.now(), heard, renews };
    const stay: Stay = { ...known, claims: undefined, expiry: undefined, ended: undefined, timer: undefined };
    this.#claim(stay, claims);
    this.#stays.set(socket, stay);
    return stay;
  }

  /** The sockets that are there of a user or a session. */
  having(who: Revoked): Socket[] {
    return keysOf(who).flatMap((key) => [...(this.#sockets.get(key) ?? [])]);
  }

  /** A socket is there: it is found by whose it is, its client is warned in time, and it is ended in time. */
  watch(socket: Socket, stay: Stay): void {
    this.unwatch(socket);
    // It went while its token was looked at.
    if (!socket.connected) return;
    const { expiry, claims } = stay;
    if (claims !== undefined) this.#record(socket, keysOf(claims));
    if (expiry === undefined || stay.ended !== undefined) return;
    const { leftMs: lifeMs } = expiry;
    // Of a token that is hardly longer, half: its client would ask for the next at once, and at once again.
    const warnBeforeMs = this.#options.warnBeforeMs < lifeMs * 0.9 ? this.#options.warnBeforeMs : lifeMs / 2;
    let warned = false;
    const look = (): void => {
      if (!socket.connected) return;
      const { leftMs } = expiry;
      if (leftMs <= 0) return this.end(socket, stay, refusal("expired"));
      if (!warned && leftMs <= warnBeforeMs) {
        warned = true;
        tell(socket, EXPIRING, { expiresInMs: Math.round(leftMs) } satisfies Expiring);
      }
      const waitMs = warned ? leftMs : leftMs - warnBeforeMs;
      stay.timer = setTimeout(look, Math.min(LOOK_MS, Math.max(1, waitMs)));
      stay.timer.unref();
    };
    look();
  }

  /** Another token of the same user counts from now on. */
  renew(socket: Socket, stay: Stay, claims: Claims): void {
    this.#claim(stay, claims);
    this.watch(socket, stay);
  }

  /** A socket goes. */
  unwatch(socket: Socket): void {
    clearTimeout(this.of(socket)?.timer);
    for (const key of this.#keys.get(socket) ?? []) {
      const sockets = this.#sockets.get(key);
      sockets?.delete(socket);
      if (sockets?.size === 0) this.#sockets.delete(key);
    }
    this.#keys.delete(socket);
  }

  /** Nothing is watched any more, though sockets are there. */
  clear(sockets: Iterable<Socket>): void {
    for (const socket of [...sockets, ...this.#keys.keys()]) this.unwatch(socket);
  }

  /**
   * Why no event of a stay may begin now, if so. A token that has expired ends it, whatever its timer does: behind the answer to the event
   * that found it out, and before anything else runs.
   */
  overBecause(socket: Socket, stay: Stay): EventError | undefined {
    if (stay.ended !== undefined) return stay.ended;
    if (stay.expiry?.isOver !== true) return undefined;
    const failure = (stay.ended = refusal("expired"));
    queueMicrotask(() => this.end(socket, stay, failure));
    return failure;
  }

  /** Ends a stay, in this turn: nothing of it begins, its client is told why, and the socket is out of all rooms. */
  end(socket: Socket, stay: Stay, failure: EventError): void {
    stay.ended ??= failure;
    this.unwatch(socket);
    this.cut(socket, stay.ended, stay.renews);
  }

  /** Ends a connection. A client that gets new tokens by itself comes back with one if it has to do with its token's time. */
  cut(socket: Socket, failure: EventError, renews: boolean): void {
    if (!socket.connected) return;
    this.#options.dropPending(socket, failure);
    const { code, message } = failure;
    const reason = reasonOfRefusal(failure);
    const retryAfterMs = failure.retryAfterMs ?? (renews && reason === "expired" ? 0 : undefined);
    const ended: Ended = {
      code,
      message,
      ...(reason !== undefined && { reason }),
      ...(retryAfterMs !== undefined && { retryAfterMs }),
    };
    tell(socket, ENDED, ended);
    socket.disconnect();
  }

  #record(socket: Socket, keys: readonly string[]): void {
    this.#keys.set(socket, keys);
    for (const key of keys) this.#sockets.set(key, (this.#sockets.get(key) ?? new Set()).add(socket));
    // An interceptor of the application may refuse to let it be told that a socket goes.
    if (this.#keys.size <= 2 * socket.nsp.sockets.size + LEFT_BEHIND) return;
    for (const other of this.#keys.keys()) if (!other.connected) this.unwatch(other);
  }

  #claim(stay: Stay, claims: Claims | undefined): void {
    stay.claims = claims;
    stay.expiry = claims?.expiresAt === undefined ? undefined : new Expiry(claims.expiresAt);
  }
}

/** By way of its room, on this node: with recovery on, `socket.emit` may take the way of an adapter's stream, and is overtaken by the end. */
function tell(socket: Socket, event: string, frame: object): void {
  socket.nsp.local.to(socket.id).emit(event, frame);
}
