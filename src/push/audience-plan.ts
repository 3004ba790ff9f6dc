import type { AudienceData } from "./audience.js";
import { isOurs, roomOf, variantRoom } from "./rooms.js";

/**
 * How an audience is reached. `rooms`: Socket.IO's own broadcast says it exactly (a union of rooms, minus others). `filter`:
 * it does not, since Socket.IO has no intersection, and each socket of a node has to be looked at.
 */
export type Plan = { readonly how: "nobody" } | RoomsPlan | { readonly how: "filter"; readonly data: AudienceData };

/** By Socket.IO's own broadcast. */
export interface RoomsPlan {
  readonly how: "rooms";
  readonly rooms: readonly string[] | "all";
  readonly except: readonly string[];
}

type Direct = Exclude<Plan, { how: "filter" }>;

/** The rooms of a socket. */
export interface Rooms {
  /** Whether the socket is in the room. */
  has(room: string): boolean;
}

const NOBODY: Direct = Object.freeze({ how: "nobody" });
const NONE: readonly string[] = Object.freeze([]);

/** Works out how to reach an audience. Pure; the same data gives the same plan. */
export function compile(data: AudienceData): Plan {
  return reduce(data) ?? { how: "filter", data };
}

/** Whether a socket with these rooms belongs to an audience. This is what an audience means; plans only get there faster. */
export function matches(data: AudienceData, rooms: Rooms): boolean {
  switch (data.kind) {
    case "everyone":
      return true;
    case "nobody":
      return false;
    case "union":
      return data.of.some((part) => matches(part, rooms));
    case "and":
      return data.of.every((part) => matches(part, rooms));
    case "except":
      return matches(data.from, rooms) && !matches(data.without, rooms);
    default: {
      const room = atom(data);
      return room !== undefined && rooms.has(room);
    }
  }
}

/**
 * Rooms that together hold everybody of an audience, and perhaps more: where a node looks for it.
 *
 * @param size how many sockets of this node are in a room, so that the smallest part of an intersection is looked through
 */
export function candidates(data: AudienceData, size: (room: string) => number): readonly string[] | "all" {
  switch (data.kind) {
    case "everyone":
      return "all";
    case "nobody":
      return NONE;
    case "union": {
      const parts = data.of.map((part) => candidates(part, size));
      return parts.includes("all") ? "all" : parts.flatMap((part) => part as readonly string[]);
    }
    case "and": {
      let best: readonly string[] | "all" = "all";
      let least = Number.POSITIVE_INFINITY;
      for (const part of data.of) {
        const rooms = candidates(part, size);
        if (rooms === "all") continue;
        const count = rooms.reduce((sum, room) => sum + size(room), 0);
        if (count < least) [best, least] = [rooms, count];
      }
      return best;
    }
    case "except":
      return candidates(data.from, size);
    default: {
      const room = atom(data);
      return room === undefined ? NONE : [room];
    }
  }
}

// The id of a socket is the one room name that is not ours to prefix: Socket.IO joins it. A "socket" that spells one of our
// rooms is a mistake or an attack, and reaches nobody.
function atom({ kind, id, variant }: Extract<AudienceData, { id: string }>): string | undefined {
  if (variant !== undefined) return variantRoom(id, variant);
  if (kind !== "socket") return roomOf(kind, id);
  return isOurs(id) ? undefined : id;
}

/** The plan that needs no filter, if there is one. */
function reduce(data: AudienceData): Direct | undefined {
  switch (data.kind) {
    case "everyone":
      return { how: "rooms", rooms: "all", except: NONE };
    case "nobody":
      return NOBODY;
    case "union":
      return reduceUnion(data.of);
    case "and":
      return reduceAnd(data.of);
    case "except": {
      const from = reduce(data.from);
      if (from === undefined || from.how === "nobody") return from;
      const without = reduce(data.without);
      if (without === undefined) return undefined;
      if (without.how === "nobody") return from;
      if (without.except.length > 0) return undefined;
      return without.rooms === "all" ? NOBODY : plan(from.rooms, [...from.except, ...without.rooms]);
    }
    default: {
      const room = atom(data);
      return room === undefined ? NOBODY : { how: "rooms", rooms: [room], except: NONE };
    }
  }
}

function reduceUnion(parts: readonly AudienceData[]): Direct | undefined {
  const plans = [];
  for (const part of parts) {
    const reduced = reduce(part);
    if (reduced === undefined) return undefined;
    if (reduced.how === "rooms") plans.push(reduced);
  }
  const [first] = plans;
  if (first === undefined) return NOBODY;
  if (plans.length === 1) return first;
  // (A minus x) or B is no union of rooms: B's members of x belong to it.
  if (plans.some((each) => each.except.length > 0)) return undefined;
  const rooms: string[] = [];
  for (const each of plans) {
    if (each.rooms === "all") return plan("all", NONE);
    rooms.push(...each.rooms);
  }
  return plan(rooms, NONE);
}

function reduceAnd(parts: readonly AudienceData[]): Direct | undefined {
  let rooms: readonly string[] | "all" = "all";
  const except: string[] = [];
  let open = false;
  for (const part of parts) {
    const reduced = reduce(part);
    if (reduced === undefined) {
      open = true;
      continue;
    }
    // One part that is nobody empties the whole, whatever the others are.
    if (reduced.how === "nobody") return NOBODY;
    except.push(...reduced.except);
    const both = narrower(rooms, reduced.rooms);
    if (both === undefined) open = true;
    else rooms = both;
  }
  return open ? undefined : plan(rooms, except);
}

function plan(rooms: readonly string[] | "all", except: readonly string[]): Direct {
  return { how: "rooms", rooms: rooms === "all" ? rooms : [...new Set(rooms)], except: [...new Set(except)] };
}

/** What is in both unions of rooms, where one contains the other. */
function narrower(
  one: readonly string[] | "all",
  other: readonly string[] | "all",
): readonly string[] | "all" | undefined {
  if (one === "all") return other;
  if (other === "all" || one.every((room) => other.includes(room))) return one;
  return other.every((room) => one.includes(room)) ? other : undefined;
}
