import { andThen, type Awaitable } from "../../../wire/values.js";
import { withoutStack } from "../../../wire/event-error.js";
import { type Audience, group, players, user } from "../../../push/audience.js";
import type { IdentifiedSocket } from "../identity.js";
import type { Place } from "./memberships.js";

/** What recipients are worked out from. */
export interface RecipientsSource {
  /** The user of a socket. */
  userOf(socket: Pick<IdentifiedSocket, "id">): string | undefined;
  /** The places a user is in. */
  places(user: string): Awaitable<readonly Place[]>;
  /** Who is in a place. */
  members(place: Place): Awaitable<readonly string[]>;
}

/** An audience that depends on who asks and on who belongs where: it becomes one when something is sent. */
export interface RelativeRecipients {
  /** The audience at this moment. */
  resolve(source: RecipientsSource): Awaitable<Audience>;
}

/** Who a notice is for. */
export type Recipients = Audience | RelativeRecipients;

/** The part of an event's context that says who asks. */
export interface Asking {
  /** The socket of whoever asks. */
  readonly socket: Pick<IdentifiedSocket, "id">;
}

/**
 * Everybody in the group of whoever asks, except them, in whatever tab.
 *
 * @param id which group, for users who are in several
 * @throws EventError where it is used: `UNAUTHENTICATED` without a user, `NOT_FOUND` without a group, `CONFLICT` with several,
 * `FORBIDDEN` for a group they are not in
 */
export function othersInGroup(context: Asking, id?: string): RelativeRecipients {
  return relative(context, "group", id, (me, place) => group(place.id).except(user(me)));
}

/**
 * The one other member of the group of whoever asks.
 *
 * @param id which group, for users who are in several
 * @throws EventError where it is used: as {@link othersInGroup}, and `CONFLICT` unless there is exactly one other
 */
export function otherInGroup(context: Asking, id?: string): RelativeRecipients {
  return relative(context, "group", id, (me, place, source) =>
    andThen(source.members(place), (members) => {
      const others = members.filter((member) => member !== me);
      const [other] = others;
      if (others.length === 1 && other !== undefined) return user(other);
      throw withoutStack("CONFLICT", `there must be exactly one other in the group, there are ${others.length}`);
    }),
  );
}

/**
 * All other players of the session of whoever asks; see `players`.
 *
 * @param id which session, for users who are in several
 * @throws EventError where it is used, as {@link othersInGroup}
 */
export function othersInSession(context: Asking, id?: string): RelativeRecipients {
  return relative(context, "players", id, (me, place) => players(place.id).except(user(me)));
}

function relative(
  context: Asking,
  kind: Place["kind"],
  id: string | undefined,
  make: (me: string, place: Place, source: RecipientsSource) => Awaitable<Audience>,
): RelativeRecipients {
  if (typeof context?.socket !== "object") throw new TypeError("recipients: expected the context of an event");
  return {
    resolve: (source) => {
      const me = source.userOf(context.socket);
      if (me === undefined) throw withoutStack("UNAUTHENTICATED", "only a user is in a group or a session");
      return andThen(source.places(me), (places) => make(me, pick(places, kind, id), source));
    },
  };
}

function pick(places: readonly Place[], kind: Place["kind"], id: string | undefined): Place {
  const mine = places.filter((place) => place.kind === kind && (id === undefined || place.id === id));
  const [place] = mine;
  const word = kind === "group" ? "group" : "session";
  if (place === undefined) {
    if (id === undefined) throw withoutStack("NOT_FOUND", `you are in no ${word}`);
    throw withoutStack("FORBIDDEN", `you are not in this ${word}`);
  }
  if (mine.length > 1) throw withoutStack("CONFLICT", `you are in several ${word}s`);
  return place;
}
