import type { Namespace, Socket } from "socket.io";
import type { AppServer, AppSocket } from "../../events/subscriber.js";
import type { Logger } from "../../lifecycle/logger.js";
import type { History } from "../../push/history.js";
import type { CaughtUp } from "../../push/log-follower.js";
import {
  historyRoom,
  idsOf,
  innerRoomsOf,
  moveRooms,
  READERS,
  type Reading,
  roomOf,
  variantRoom,
} from "../../push/rooms.js";
import type { Position } from "../../push/topic-log.js";
import type { Awaitable } from "../../wire/values.js";
import type { At } from "./join-request.js";
import { AT, GAP } from "./protocol.js";
import { type Place, replayOf, type Returning } from "./replay.js";
import { enterRooms, type Entering, type Entrance, leaveRooms } from "./topic-rooms.js";

/** A socket that reads positions. Each of its topics with history is in one of the three, or in none. */
interface Reader {
  /** Those it is in, and is sent the pushes of. */
  readonly places: Map<string, Place>;
  /** Those it is out of until they are reviewed, and until where it has them. */
  readonly suspended: Map<string, Position>;
  /** Those its client was asked to join again, and whether it has tried. */
  readonly awaited: Map<string, "first try" | "tried">;
}

/** What a socket that is asked to join again is seen by. */
type Asking = Pick<Socket, "id" | "rooms" | "leave">;

/** What a {@link HistoryRooms} works with. */
export interface HistoryRoomsOptions {
  readonly namespace: Namespace;
  readonly log: Logger;
  /** Told how many pushes a socket is sent again. */
  readonly onReplay: (socketId: string, frames: number) => void;
  /** Asked late: it tells of gaps by this. */
  readonly history: () => History;
}

/**
 * The rooms of topics, and what sockets that come back to those with history have missed. A socket that reads positions is in other rooms
 * of a topic's history than one that does not (decision 0044).
 */
export class HistoryRooms<App extends AppServer> implements Entrance<App> {
  readonly #options: HistoryRoomsOptions;
  readonly #readers = new WeakMap<object, Reader>();
  /** Sockets that read no positions, as their first join has said. */
  readonly #plain = new WeakSet<object>();

  constructor(options: HistoryRoomsOptions) {
    this.#options = options;
    // Told in the turn in which the socket is there, before anything can be sent to the rooms that came back with it, and before
    // anybody who was there earlier begins to review it, which takes it out of them.
    options.namespace.prependListener("connection", this.recovered);
  }

  /** Stops looking at who comes back. */
  close(): void {
    this.#options.namespace.off("connection", this.recovered);
  }

  /**
   * A connection is there, perhaps with the rooms of one before: what Socket.IO gives back does not hold all that the log does. Whoever
   * reads positions is asked, also if its topics are in no room of their history: it may have gone before it joined them again.
   */
  readonly recovered = (socket: Asking & Pick<Socket, "recovered">): void => {
    if (!socket.recovered || !socket.rooms.has(READERS) || this.#readers.has(socket)) return;
    const history = this.#options.history();
    const topics = idsOf("topic", socket.rooms).filter((topic) => history.of(topic) !== undefined);
    this.#ask(socket, this.#newReader(socket), topics);
  };

  /** Lets a socket into topics, and sends it what it missed of them. */
  enter(socket: AppSocket<App>, topics: readonly Entering[], at: At | undefined): Awaitable<void> {
    const history = this.#options.history();
    const logged = topics.filter(({ topic }) => history.of(topic) !== undefined);
    // Nothing to be kept in mind of a socket: most never join a topic with a history.
    const reader = at === null && logged.length === 0 ? undefined : this.#readerOf(socket, at);
    if (reader === undefined || logged.length === 0) return this.#rooms(socket, topics, logged, "events");
    return this.#comeBack(socket, reader, topics, logged, at);
  }

  /** Takes a socket out of a topic. */
  leave(socket: AppSocket<App>, topic: string): Position | undefined {
    const reader = this.#readers.get(socket);
    const position = reader?.places.has(topic) ? this.#options.history().position : reader?.suspended.get(topic);
    reader?.places.delete(topic);
    reader?.suspended.delete(topic);
    reader?.awaited.delete(topic);
    leaveRooms(this.#options.log, socket, topic);
    return position;
  }

  /** Takes a socket out of a topic until it is reviewed. */
  suspend(socket: AppSocket<App>, topic: string): void {
    const awaited = this.#readers.get(socket)?.awaited.has(topic);
    const position = this.leave(socket, topic);
    const reader = this.#readers.get(socket);
    if (position) reader?.suspended.set(topic, position);
    if (awaited) reader?.awaited.set(topic, "tried");
  }

  /** Whether a socket that joins a topic was asked to join it again, and whether this is its first try. */
  asked(socket: AppSocket<App>, topic: string): "first try" | "tried" | undefined {
    const { awaited } = this.#readers.get(socket) ?? {};
    const asked = awaited?.get(topic);
    if (asked) awaited?.set(topic, "tried");
    return asked;
  }

  /** This node can't go on: all that read positions are asked to join again. */
  gap(): void {
    for (const socket of this.#options.namespace.sockets.values()) {
      const reader = this.#readers.get(socket);
      if (reader !== undefined && reader.places.size > 0) this.#ask(socket, reader, [...reader.places.keys()]);
    }
  }

  async #comeBack(
    socket: AppSocket<App>,
    reader: Reader,
    topics: readonly Entering[],
    logged: readonly Entering[],
    at: At | undefined,
  ): Promise<void> {
    const history = this.#options.history();
    // Before the first frame with a position.
    moveRooms(this.#options.log, () => socket.join(READERS));
    for (;;) {
      const coming = this.#coming(reader, logged, at);
      const froms = coming.flatMap(({ from }) => (from ? [from] : []));
      const earliest = froms.sort(([, one], [, other]) => one - other)[0];
      const histories = coming.flatMap(({ topic, from }) => (from && history.of(topic)) ?? []);
      // Those that were suspended here are behind those that come from elsewhere, where this node may have to catch up itself.
      if (isPosition(at) && earliest !== undefined && earliest !== at)
        await history.catchUp(histories, at, () => undefined);
      const entered = await history.catchUp(histories, earliest, (missed) => {
        // Whoever was in all the time may be in no longer: what they missed was not asked for.
        const now = this.#coming(reader, logged, at);
        if (now.length !== coming.length || now.some(({ from }, i) => from !== coming[i]?.from)) return undefined;
        // From here to the end of this function nothing is awaited: what was missed, the position, the rooms.
        const still = topics.filter((each) => each.still());
        const inside = coming.filter(({ topic }) => still.some((each) => each.topic === topic));
        if (inside.length > 0) this.#send(socket, reader, missed, inside, still, at);
        return { rooms: this.#rooms(socket, still, inside, "positions") };
      });
      if (entered) return entered.rooms;
    }
  }

  /** The topics that are to be entered, and until where the socket has those that it is not in. */
  #coming(reader: Reader, logged: readonly Entering[], at: At | undefined): Returning[] {
    // A review finds those that were asked to join again as they were: what they have is theirs to say.
    const coming = logged.filter(({ topic }) => at !== undefined || !reader.awaited.has(topic));
    return coming.map(({ topic, variant }) => {
      const lost = reader.suspended.get(topic) ?? (isPosition(at) ? at : undefined);
      return { topic, variant, from: reader.places.has(topic) ? undefined : lost };
    });
  }

  #send(
    socket: AppSocket<App>,
    reader: Reader,
    missed: CaughtUp,
    returning: readonly Returning[],
    still: readonly Entering[],
    at: At | undefined,
  ): void {
    const entered = new Set(still.flatMap(({ topic, variant }) => [...roomsOf(topic, variant)]));
    const has = (room: string): boolean => socket.rooms.has(room) || entered.has(room);
    const fresh = returning.filter(({ topic }) => !reader.places.has(topic));
    const { frames, gaps } = replayOf(missed, fresh, reader.places, has);
    if (frames.length > 0) this.#options.onReplay(socket.id, frames.length);
    for (const { n, event, args } of frames) this.#tell(socket, AT, n, event, ...args);
    const [epoch, n] = missed.position;
    for (const { topic, variant, from } of returning) {
      const place = reader.places.get(topic);
      // What another variant was shown since then is not what this one missed.
      const known = place?.variant === variant ? place?.since : undefined;
      const since = known ?? (from === undefined || gaps.includes(topic) ? n : from[1]);
      reader.places.set(topic, { since, variant });
      reader.suspended.delete(topic);
      reader.awaited.delete(topic);
    }
    if (fresh.length > 0 || at !== undefined) {
      const names = returning.map(({ topic }) => topic);
      this.#tell(socket, AT, [epoch, n], names, gaps);
    }
  }

  #rooms(
    socket: AppSocket<App>,
    topics: readonly Entering[],
    logged: readonly Pick<Entering, "topic">[],
    reading: Reading,
  ): Awaitable<void> {
    const names = new Set(logged.map(({ topic }) => topic));
    return enterRooms(this.#options.log, socket, topics, (topic, variant) => {
      if (!names.has(topic)) return [];
      const all = historyRoom(reading, topic);
      return variant === undefined ? [all] : [all, historyRoom(reading, topic, variant)];
    });
  }

  #readerOf(socket: AppSocket<App>, at: At | undefined): Reader | undefined {
    const known = this.#readers.get(socket);
    if (known || at === undefined || this.#plain.has(socket)) return known;
    if (at === null) {
      this.#plain.add(socket);
      return undefined;
    }
    return this.#newReader(socket);
  }

  #newReader(socket: object): Reader {
    const reader: Reader = { places: new Map(), suspended: new Map(), awaited: new Map() };
    this.#readers.set(socket, reader);
    return reader;
  }

  #ask(socket: Asking, reader: Reader, topics: readonly string[]): void {
    for (const topic of topics) {
      reader.places.delete(topic);
      reader.awaited.set(topic, "first try");
      for (const room of innerRoomsOf(topic, socket.rooms))
        if (isPositioned(topic, room)) moveRooms(this.#options.log, () => socket.leave(room));
    }
    // What asks for an acknowledgement is not kept for a recovery. Said to an earlier connection it would come before what that was sent.
    this.#tell(socket, GAP, () => undefined);
  }

  // By way of the room and on this node, as live pushes go: with recovery `socket.emit` may take the way of an adapter's stream, and
  // would be overtaken.
  #tell(socket: { readonly id: string }, event: string, ...args: readonly unknown[]): void {
    this.#options.namespace.local.to(socket.id).emit(event, ...args);
  }
}

function isPosition(at: At | undefined): at is Position {
  return Array.isArray(at);
}

function isPositioned(topic: string, room: string): boolean {
  return room.startsWith(historyRoom("positions", topic));
}

function roomsOf(topic: string, variant: string | undefined): readonly string[] {
  return variant === undefined ? [roomOf("topic", topic)] : [roomOf("topic", topic), variantRoom(topic, variant)];
}
