import type { Server } from "socket.io";
import type { EventContext } from "../../../events/event-context.js";
import type { AppServer } from "../../../events/subscriber.js";
import { Audience } from "../../../push/audience.js";
import { withoutStack } from "../../../wire/event-error.js";
import { asRecord, checkNames } from "../../../wire/option-names.js";
import { describeValue } from "../../../wire/values.js";
import { readId, type Identity } from "../identity.js";
import type { Dropouts } from "./dropout.js";
import type { Group, WaitForGroupOptions } from "./group.js";
import type { Grouping } from "./grouping.js";
import type { Memberships, Place } from "./memberships.js";
import type { Places } from "./places.js";

/** What {@link Groups} stands on; all but the memberships lives from a setup to the teardown after it. */
export interface GroupsSource<App extends AppServer> {
  readonly memberships: Memberships;
  /** @throws Error naming the method if there is no server */
  life(method: string): {
    readonly places: Places<App>;
    readonly grouping: Grouping;
    readonly dropouts: Dropouts;
  };
  identityOf(socket: object): Identity;
}

/**
 * Who belongs together: the players of an experiment, game or course, and the groups among them. It is what `realtime.groups` is; the
 * audiences `players(id)` and `group(id)` name what it keeps.
 *
 * @typeParam App - the `Server<...>` type of the application
 *
 * @example
 * await realtime.groups.enroll(players("exp1"), "ada");
 * const { id } = await realtime.groups.waitForGroup(context, { pool: "exp1", size: 2 });
 * await realtime.emitSocket("paired", { with: 2 }, group(id));
 */
export class Groups<App extends AppServer = Server> {
  readonly #source: GroupsSource<App>;

  /** @internal */
  constructor(source: GroupsSource<App>) {
    this.#source = source;
  }

  /** Makes a user one of `players(id)` or a member of `group(id)`, with all their sockets, now and later. */
  async enroll(place: Audience, user: string): Promise<void> {
    await this.#source.life("enroll").places.enroll(placeOf("enroll", place), userId("enroll", user));
  }

  /** Takes a user out of `players(id)` or `group(id)`. */
  async withdraw(place: Audience, user: string): Promise<void> {
    await this.#source.life("withdraw").places.withdraw(placeOf("withdraw", place), userId("withdraw", user));
  }

  /** The users in `players(id)` or `group(id)`, connected or not. */
  async membersOf(place: Audience): Promise<readonly string[]> {
    return this.#source.memberships.members(placeOf("membersOf", place));
  }

  /**
   * Waits until enough users wait in the same pool; they are a new group then. Both tabs of one user are one, and one that comes while
   * the group is being made waits for it. Given the context of an event it waits for that event's user, for as long as the event
   * lives; or give it the id of a user.
   *
   * @returns the group, to everyone who waited, after `afterGrouping` has run once
   */
  async waitForGroup(who: EventContext<App> | string, options: WaitForGroupOptions): Promise<Group> {
    const { grouping } = this.#source.life("waitForGroup");
    checkNames("waitForGroup", asRecord("waitForGroup", options), ["pool", "size", "afterGrouping", "signal"]);
    if (typeof options.pool !== "string" || options.pool === "")
      throw new TypeError(`waitForGroup: pool must be a non-empty string, got ${describeValue(options.pool)}`);
    if (!Number.isInteger(options.size) || options.size < 1) {
      throw new TypeError(`waitForGroup: size must be a whole number from 1, got ${describeValue(options.size)}`);
    }
    if (typeof who === "string") return grouping.wait(userId("waitForGroup", who), options);
    const { user } = this.#source.identityOf(who.socket);
    if (user === undefined) throw withoutStack("UNAUTHENTICATED", "only a user can be in a group");
    return grouping.wait(user, { ...options, signal: options.signal ?? who.signal });
  }

  /**
   * Runs `fn` once, when a user has had no socket on any node for `ms` in one piece; not if they return in time. A user who is not
   * there now counts as gone from now on. While another node does not answer, nobody is taken for gone; one that is silent for three
   * heartbeats (`presence.heartbeatMs`) is dead, and its users with it. It ends when the handler is torn down.
   *
   * @returns the function that ends the watch
   */
  watchForDropout(player: string, fn: () => unknown, ms: number): () => void {
    if (typeof fn !== "function") throw new TypeError(`watchForDropout: expected a function, got ${describeValue(fn)}`);
    if (!(Number.isFinite(ms) && ms >= 0))
      throw new TypeError(`watchForDropout: expected milliseconds from 0, got ${describeValue(ms)}`);
    return this.#source.life("watchForDropout").dropouts.watch(userId("watchForDropout", player), fn, ms);
  }
}

function placeOf(method: string, place: unknown): Place {
  const data = place instanceof Audience ? place.data : undefined;
  if (data?.kind === "players" || data?.kind === "group") return { kind: data.kind, id: data.id };
  throw new TypeError(
    `${method}: expected players(id) or group(id), got ${data ? `the audience "${data.kind}"` : describeValue(place)}`,
  );
}

function userId(method: string, user: unknown): string {
  const id = readId("user", user);
  if (id === undefined) throw new TypeError(`${method}: expected the id of a user, got ${describeValue(user)}`);
  return id;
}
