import type { AppServer, AppSocket } from "../../events/subscriber.js";
import type { Logger } from "../../lifecycle/logger.js";
import { moveRooms, roomOf, variantRoom, variantRoomsOf } from "../../push/rooms.js";
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
  enter(socket: AppSocket<App>, topics: readonly Entering[], at: At): Awaitable<void>;
  /** Takes a socket out of a topic, whatever its variant. */
  leave(socket: AppSocket<App>, topic: string): void;
}

/** The rooms of topics, without a history of what was pushed to them. */
export class TopicRooms<App extends AppServer> implements Entrance<App> {
  readonly #log: Logger;

  /** @param log where an adapter that fails is told of */
  constructor(log: Logger) {
    this.#log = log;
  }

  /** Lets a socket into topics. */
  enter(socket: AppSocket<App>, topics: readonly Entering[]): Awaitable<void> {
    const entered = topics.flatMap(({ topic, variant }) =>
      variant === undefined ? [roomOf("topic", topic)] : [roomOf("topic", topic), variantRoom(topic, variant)],
    );
    for (const { topic } of topics)
      for (const room of variantRoomsOf(topic, socket.rooms))
        if (!entered.includes(room)) moveRooms(this.#log, () => socket.leave(room));
    return socket.join(entered);
  }

  /** Takes a socket out of a topic. */
  leave(socket: AppSocket<App>, topic: string): void {
    for (const room of [roomOf("topic", topic), ...variantRoomsOf(topic, socket.rooms)])
      moveRooms(this.#log, () => socket.leave(room));
  }
}
