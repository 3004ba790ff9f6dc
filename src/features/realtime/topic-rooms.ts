import type { AppServer, AppSocket } from "../../events/subscriber.js";
import type { Logger } from "../../lifecycle/logger.js";
import { innerRoomsOf, moveRooms, roomOf, variantRoom } from "../../push/rooms.js";
import type { Position } from "../../push/topic-log.js";
import type { Awaitable } from "../../wire/values.js";
import type { At } from "./join-request.js";

/** A topic that a socket is let into. */
export interface Entering {
  readonly topic: string;
  readonly variant: string | undefined;
  /** False once it is out again, or gone: whoever takes time must look before the room is entered. */
  still(): boolean;
}

/** How sockets get into and out of the rooms of topics. */
export interface Entrance<App extends AppServer> {
  /**
   * Lets a socket into topics, all in one turn; of a topic it is in already, into another variant.
   *
   * @param at what the join said about positions; `undefined` where nobody joins: a review
   */
  enter(socket: AppSocket<App>, topics: readonly Entering[], at: At | undefined): Awaitable<void>;
  /** Takes a socket out of a topic, whatever its variant. Returns until where it has its pushes, if it reads positions. */
  leave(socket: AppSocket<App>, topic: string): Position | undefined;
  /** The same, for a while: when it comes back by a review, it is given what it missed. */
  suspend(socket: AppSocket<App>, topic: string): void;
  /** Whether this socket, which joins the topic, was asked to join it again, and whether this is its first try. */
  asked(socket: AppSocket<App>, topic: string): "first try" | "tried" | undefined;
}

/**
 * Moves a socket into the rooms of topics, and out of those of their variants that are not among them.
 *
 * @param more other rooms of a topic, to be in
 */
export function enterRooms(
  log: Logger,
  socket: Rooming,
  topics: readonly Pick<Entering, "topic" | "variant">[],
  more: (topic: string, variant: string | undefined) => readonly string[],
): Awaitable<void> {
  const entered = topics.flatMap(({ topic, variant }) => [
    roomOf("topic", topic),
    ...(variant === undefined ? [] : [variantRoom(topic, variant)]),
    ...more(topic, variant),
  ]);
  for (const { topic } of topics)
    for (const room of innerRoomsOf(topic, socket.rooms))
      if (!entered.includes(room)) moveRooms(log, () => socket.leave(room));
  return socket.join(entered);
}

/** Takes a socket out of all rooms of a topic. */
export function leaveRooms(log: Logger, socket: Rooming, topic: string): void {
  for (const room of [roomOf("topic", topic), ...innerRoomsOf(topic, socket.rooms)])
    moveRooms(log, () => socket.leave(room));
}

/** What a socket's rooms are changed by. */
interface Rooming {
  readonly rooms: ReadonlySet<string>;
  join(rooms: string[]): Promise<void> | void;
  leave(room: string): Promise<void> | void;
}
