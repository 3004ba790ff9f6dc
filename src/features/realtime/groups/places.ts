import type { Namespace, Server } from "socket.io";
import type { AppServer, AppSocket } from "../../../events/subscriber.js";
import type { Logger } from "../../../lifecycle/logger.js";
import { moveRooms, roomOf } from "../../../push/rooms.js";
import { isThenable, type Awaitable } from "../../../wire/values.js";
import type { Identities } from "../identity.js";
import type { Memberships, Place } from "./memberships.js";

/** What {@link Places} works with. */
export interface PlacesOptions<App extends AppServer> {
  readonly memberships: Memberships;
  readonly identities: Identities<AppSocket<App>>;
  readonly namespace: Namespace;
  readonly log: Logger;
}

/** The rooms of groups and of players: whoever is a member is in them with all sockets, on all nodes, now and later. */
export class Places<App extends AppServer = Server> {
  readonly #options: PlacesOptions<App>;
  /** Sockets whose places are being read, and the rooms they were put into meanwhile. */
  readonly #entering = new Map<AppSocket<App>, Set<string>>();

  constructor(options: PlacesOptions<App>) {
    this.#options = options;
  }

  /** Puts a user in a place, and the user's sockets in its room. */
  async enroll(place: Place, user: string): Promise<void> {
    await this.#options.memberships.add(place, user);
    this.#move(place, user, "in");
  }

  /** Takes a user out of a place, and the user's sockets out of its room. */
  async withdraw(place: Place, user: string): Promise<void> {
    await this.#options.memberships.remove(place, user);
    this.#move(place, user, "out");
  }

  /** A socket is this user's now: it enters the rooms of the user's places. A promise only if the store takes time. */
  enter(socket: AppSocket<App>, user: string): Awaitable<void> {
    const places = this.#options.memberships.places(user);
    if (isThenable(places)) return this.#enterLater(socket, user, places);
    return this.#enter(socket, user, places);
  }

  /** A socket is nobody's, or somebody else's, now: it leaves the rooms of all places. */
  leaveAll(socket: AppSocket<App>): void {
    for (const room of [...socket.rooms]) if (isPlace(room)) this.#moveRooms(() => socket.leave(room));
  }

  #move(place: Place, user: string, way: "in" | "out"): void {
    const room = roomOf(place.kind, place.id);
    for (const socket of this.#options.identities.here("user", user)) {
      if (way === "in") this.#entering.get(socket)?.add(room);
      else this.#entering.get(socket)?.delete(room);
      this.#moveRooms(() => (way === "in" ? socket.join(room) : socket.leave(room)));
    }
    // Through the adapter and not `socketsJoin`, which drops the adapter's promise: one that rejects would end the process. And by no
    // message of ours, which may overtake the pushes of some adapters or be overtaken by them.
    const { adapter } = this.#options.namespace;
    const all = { rooms: new Set([roomOf("user", user)]), except: new Set<string>(), flags: {} };
    this.#moveRooms(() => (way === "in" ? adapter.addSockets(all, [room]) : adapter.delSockets(all, [room])));
  }

  #enter(socket: AppSocket<App>, user: string, places: readonly Place[]): void {
    if (places.length === 0 || this.#options.identities.of(socket).user !== user) return;
    this.#moveRooms(() => socket.join(places.map(({ kind, id }) => roomOf(kind, id))));
  }

  // Who is taken out of a place while a slow store answers must not get in by the answer, so it is asked once more. Who is put
  // into one meanwhile gets in by being the user's.
  async #enterLater(socket: AppSocket<App>, user: string, places: PromiseLike<readonly Place[]>): Promise<void> {
    this.#enter(socket, user, await places);
    const entered = new Set<string>();
    this.#entering.set(socket, entered);
    let still: readonly Place[];
    try {
      still = await this.#options.memberships.places(user);
    } finally {
      // A later run for the same socket has its own.
      if (this.#entering.get(socket) === entered) this.#entering.delete(socket);
    }
    if (!socket.connected || this.#options.identities.of(socket).user !== user) return;
    const rooms = new Set([...still.map(({ kind, id }) => roomOf(kind, id)), ...entered]);
    for (const room of [...socket.rooms])
      if (isPlace(room) && !rooms.has(room)) this.#moveRooms(() => socket.leave(room));
  }

  #moveRooms(move: () => Promise<void> | void): void {
    moveRooms(this.#options.log, move);
  }
}

function isPlace(room: string): boolean {
  return room.startsWith(roomOf("group", "")) || room.startsWith(roomOf("players", ""));
}
