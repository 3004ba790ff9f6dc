import { idsOf, roomOf, type RoomKind } from "./rooms.js";

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

/**
 * Whose socket this is. Its rooms are the one place that says so: they survive a recovered connection, other nodes see them, and
 * whoever is addressed by an identity is by definition whoever has it.
 */
export function identityOf(socket: Pick<IdentifiedSocket, "rooms">): Identity {
  return { user: idsOf("user", socket.rooms)[0], session: idsOf("session", socket.rooms)[0] };
}

/** Makes an id the only one of its kind that a socket has; `undefined` takes it away. Returns whether anything changed. */
export function setIdentity(
  socket: IdentifiedSocket,
  kind: Extract<RoomKind, "user" | "session">,
  id: string | undefined,
): boolean {
  const before = idsOf(kind, socket.rooms);
  if (before.length === (id === undefined ? 0 : 1) && before[0] === id) return false;
  // In before out: a push in between would otherwise reach nobody.
  if (id !== undefined) void socket.join(roomOf(kind, id));
  for (const old of before) if (old !== id) void socket.leave(roomOf(kind, old));
  return true;
}

/** Checks an id that the application gave. @throws TypeError unless it is a non-empty string; `null` and `undefined` are none */
export function readId(kind: "user" | "session", id: unknown): string | undefined {
  if (id === undefined || id === null) return undefined;
  if (typeof id === "string" && id !== "") return id;
  throw new TypeError(`the ${kind} of a socket must be a non-empty string, got ${id === "" ? '""' : typeof id}`);
}
