import type { Logger } from "../lifecycle/logger.js";
import { ownPrefix } from "../wire/event-names.js";

/** What a room of ours stands for. */
export type RoomKind = "topic" | "user" | "session" | "group" | "players";

// Socket.IO keeps rooms and sockets' ids in one name space. Whatever a client may name is put behind a prefix of its kind, so
// no topic spells a user, a session, a group or somebody's private room.
const prefixes: Readonly<Record<RoomKind, string>> = {
  topic: `${ownPrefix}t:`,
  user: `${ownPrefix}u:`,
  session: `${ownPrefix}s:`,
  group: `${ownPrefix}g:`,
  players: `${ownPrefix}p:`,
};

const VARIANT = `${ownPrefix}v:`;

/** The room of one topic, user, session, group or set of players. */
export function roomOf(kind: RoomKind, id: string): string {
  return prefixes[kind] + id;
}

/** The room of one variant of a topic. With the length in front, no two pairs of names spell the same. */
export function variantRoom(topic: string, variant: string): string {
  return `${VARIANT}${topic.length}:${topic}${variant}`;
}

const HISTORY: Readonly<Record<Reading, string>> = { positions: `${ownPrefix}n:`, events: `${ownPrefix}e:` };

/** How a member of a topic with history is told of its pushes: with their positions, or by the plain events. */
export type Reading = "positions" | "events";

/**
 * The room of those members of a topic with history, or of one of its variants, that read one way. They are in the topic's own room,
 * too; a push to the topic goes to these two, since no socket is in both.
 */
export function historyRoom(reading: Reading, topic: string, variant = ""): string {
  return `${HISTORY[reading]}${topic.length}:${topic}${variant}`;
}

/** All rooms of a topic but the one that every member is in, among those of a socket: of its variants, and of its history. */
export function innerRoomsOf(topic: string, rooms: Iterable<string>): string[] {
  const prefixes = [variantRoom(topic, ""), historyRoom("positions", topic), historyRoom("events", topic)];
  const found: string[] = [];
  for (const room of rooms) if (prefixes.some((prefix) => room.startsWith(prefix))) found.push(room);
  return found;
}

/**
 * The room of all sockets that read positions of topics with history. Nothing is sent to it: it comes back with a connection that
 * Socket.IO recovers, and says what kind of a reader that was, whatever topics it is in.
 */
export const READERS: string = `${ownPrefix}n`;

/** The ids of all rooms of one kind among those of a socket. */
export function idsOf(kind: RoomKind, rooms: Iterable<string>): string[] {
  const prefix = prefixes[kind];
  const ids: string[] = [];
  for (const room of rooms) if (room.startsWith(prefix)) ids.push(room.slice(prefix.length));
  return ids;
}

/** Whether a room is one of ours, and so never a socket's private room. */
export function isOurs(room: string): boolean {
  return room.startsWith(ownPrefix);
}

/** Has a socket enter or leave rooms. An adapter that fails is logged: nobody waits for it, and a rejection must not end the process. */
export function moveRooms(log: Logger, move: () => Promise<void> | void): void {
  const failed = (error: unknown): void => log.error({ err: error }, "the adapter could not change who is in a room");
  try {
    void Promise.resolve(move()).catch(failed);
  } catch (error) {
    failed(error);
  }
}
