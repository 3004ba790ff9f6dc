import { describeValue } from "../../wire/values.js";
import type { Logger } from "../../lifecycle/logger.js";
import { idsOf, moveRooms, roomOf, type RoomKind } from "../../push/rooms.js";

/** Who a socket belongs to, as the server knows it. */
export interface Identity {
  /** The user, once somebody is logged in. */
  readonly user: string | undefined;
  /** The browser session. Never sent to a client. */
  readonly session: string | undefined;
}

/** The part of a socket that carries its identity. */
export interface IdentifiedSocket {
  /** Its id. */
  readonly id: string;
  /** The rooms it is in. */
  readonly rooms: ReadonlySet<string>;
  /** Enters rooms. */
  join(rooms: string | string[]): Promise<void> | void;
  /** Leaves a room. */
  leave(room: string): Promise<void> | void;
}

type IdentityKind = Extract<RoomKind, keyof Identity>;

/** What is said about a socket while it is being found out whose it is: newer than what that brings. */
type Change = (found: Identity) => Identity;

/** Whose a socket is that nothing is known of. */
export const NOBODY: Identity = Object.freeze({ user: undefined, session: undefined });

/** What was said of sockets since they came. It is newer than what the next door finds out about them. */
const said = new WeakMap<object, Partial<Identity>>();

/**
 * Whose the sockets of this node are. Rooms only carry it to where pushes come from: whatever an application joins or leaves in a
 * client's name, a room makes nobody anybody (decision 0029).
 *
 * @typeParam Of - the sockets
 */
export class Identities<Of extends IdentifiedSocket> {
  readonly #log: Logger;
  // What is still running for a socket that has gone runs for whoever it was.
  readonly #known = new WeakMap<object, Identity>();
  readonly #sockets: Readonly<Record<IdentityKind, Map<string, Set<Of>>>> = { user: new Map(), session: new Map() };

  readonly #admitting = new Map<Of, Change[]>();

  /** @param log where an adapter that fails is told of */
  constructor(log: Logger) {
    this.#log = log;
  }

  /** It is being found out whose this socket is, until {@link found} says so or {@link drop} that it is of no interest any more. */
  admit(socket: Of): void {
    this.#admitting.set(socket, []);
  }

  /** It has been found out. What was said meanwhile counts more. Returns false if it is of no interest any more. */
  found(socket: Of, identity: Identity): boolean {
    const changes = this.#admitting.get(socket);
    if (changes === undefined) return false;
    this.#admitting.delete(socket);
    const known = changes.reduce((known, change) => change(known), { ...identity, ...said.get(socket) });
    for (const kind of ["session", "user"] as const) {
      if (known[kind] === identity[kind]) this.#put(socket, kind, known[kind]);
      else this.set(socket, kind, known[kind]);
    }
    return true;
  }

  /** A change that also concerns sockets of which it is not known yet whose they are. */
  note(change: Change): void {
    for (const changes of this.#admitting.values()) changes.push(change);
  }

  /** Whose socket this is, or was when it went. */
  of(socket: object): Identity {
    return this.#known.get(socket) ?? NOBODY;
  }

  /** The sockets here that belong to one user or session. */
  here(kind: IdentityKind, id: string): readonly Of[] {
    return [...(this.#sockets[kind].get(id) ?? [])];
  }

  /** All sockets here that belong to anybody. */
  all(): ReadonlySet<Of> {
    return new Set(Object.values(this.#sockets).flatMap((ids) => [...ids.values()].flatMap((sockets) => [...sockets])));
  }

  /** Says that an id is the only one of its kind that a socket has; `undefined` takes it away. Returns whether anything changed. */
  set(socket: Of, kind: IdentityKind, id: string | undefined): boolean {
    said.set(socket, { ...said.get(socket), [kind]: id });
    this.#admitting.get(socket)?.push((found) => ({ ...found, [kind]: id }));
    return this.#put(socket, kind, id);
  }

  #put(socket: Of, kind: IdentityKind, id: string | undefined): boolean {
    const before = this.of(socket);
    // In before out: a push in between would otherwise reach nobody.
    if (id !== undefined && !socket.rooms.has(roomOf(kind, id)))
      moveRooms(this.#log, () => socket.join(roomOf(kind, id)));
    for (const old of idsOf(kind, socket.rooms))
      if (old !== id) moveRooms(this.#log, () => socket.leave(roomOf(kind, old)));
    if (before[kind] === id) return false;
    this.#remove(socket, kind, before[kind]);
    this.#known.set(socket, { ...before, [kind]: id });
    if (id !== undefined) this.#sockets[kind].set(id, (this.#sockets[kind].get(id) ?? new Set()).add(socket));
    return true;
  }

  /** A socket is gone: it is not here any more. */
  drop(socket: Of): void {
    this.#admitting.delete(socket);
    const { user, session } = this.of(socket);
    this.#remove(socket, "user", user);
    this.#remove(socket, "session", session);
  }

  /** No socket is here any more. */
  clear(): void {
    this.#admitting.clear();
    this.#sockets.user.clear();
    this.#sockets.session.clear();
  }

  #remove(socket: Of, kind: IdentityKind, id: string | undefined): void {
    if (id === undefined) return;
    const sockets = this.#sockets[kind].get(id);
    sockets?.delete(socket);
    if (sockets?.size === 0) this.#sockets[kind].delete(id);
  }
}

/** Checks an id that the application gave. @throws TypeError unless it is a non-empty string; `null` and `undefined` are none */
export function readId(kind: "user" | "session", id: unknown): string | undefined {
  if (id === undefined || id === null) return undefined;
  if (typeof id === "string" && id !== "") return id;
  throw new TypeError(`the ${kind} of a socket must be a non-empty string, got ${describeValue(id)}`);
}
