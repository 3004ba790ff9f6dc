import { describeValue } from "../wire/values.js";
/** What an audience is as plain data: fit for a queue, a database or another process. */
export type AudienceData =
  | {
      /** All sockets, or none. */
      readonly kind: "everyone" | "nobody";
    }
  | {
      /** What is named. */
      readonly kind: AudienceName;
      /** Its name. */
      readonly id: string;
      /** The part of a topic's audience that is meant: those whose `variant` it is. Without it, all. */
      readonly variant?: string;
    }
  | {
      /** Whoever is in one of them, or in all of them. */
      readonly kind: "union" | "and";
      /** The audiences that are put together. */
      readonly of: readonly AudienceData[];
    }
  | {
      /** Some without others. */
      readonly kind: "except";
      /** Who is meant. */
      readonly from: AudienceData;
      /** Who of them is not. */
      readonly without: AudienceData;
    };

/** The audiences that are named by one id. */
export type AudienceName = "topic" | "user" | "session" | "group" | "players" | "socket";

const names: ReadonlySet<string> = new Set<AudienceName>(["topic", "user", "session", "group", "players", "socket"]);

/** Data nested deeper than this is refused: nothing sensible is, and reading it must not exhaust the stack. */
const DEPTH_MAX = 64;

/**
 * Who a push is for. An audience is a small value that never changes: make it anywhere, keep it, send it through a queue as
 * JSON. Whom it reaches is decided when something is pushed. It is never everyone by accident: what is empty reaches nobody,
 * what is wrong throws.
 *
 * @example
 * const readers = union(topic("news"), group("editors")).except(user("u1"));
 * realtime.emitSocket("published", { id: 7 }, readers);
 * const same = Audience.from(JSON.parse(JSON.stringify(readers)));
 */
export class Audience {
  /** The audience as plain data. Frozen. */
  readonly data: AudienceData;

  private constructor(data: AudienceData) {
    this.data = data;
    Object.freeze(this);
  }

  /** Reads an audience from its data, e.g. parsed JSON. @throws TypeError naming what does not fit */
  static from(data: unknown): Audience {
    return new Audience(read(data, 0));
  }

  /** Everybody in this one who is in none of the others. Without others it stays as it is. */
  except(...others: readonly Audience[]): Audience {
    if (others.length === 0) return this;
    return Audience.from({ kind: "except", from: this.data, without: union(...others).data });
  }

  /**
   * Everybody who is in this one and in each of the others.
   *
   * @throws TypeError without others: an empty list here would reach more than was meant
   */
  and(...others: readonly Audience[]): Audience {
    if (others.length === 0) throw new TypeError("Audience.and: expected at least one audience, got none");
    return Audience.from({ kind: "and", of: [this.data, ...others.map((other) => dataOf(other, "and"))] });
  }

  /** The plain data; `JSON.stringify` calls it. */
  toJSON(): AudienceData {
    return this.data;
  }
}

/** Every socket of the namespace. */
export function everyone(): Audience {
  return Audience.from({ kind: "everyone" });
}

/** No socket at all. */
export function nobody(): Audience {
  return Audience.from({ kind: "nobody" });
}

/**
 * The sockets that joined a topic; with a variant those of them whose variant it is.
 *
 * @throws TypeError unless the name, and the variant if there is one, is a non-empty string
 */
export function topic(name: string, variant?: string): Audience {
  return variant === undefined ? named("topic", name) : Audience.from({ kind: "topic", id: name, variant });
}

/** Every socket of one user, in every tab and on every device. @throws TypeError unless the id is a non-empty string */
export function user(id: string): Audience {
  return named("user", id);
}

/** Every socket of one browser session, e.g. all its tabs. @throws TypeError unless the id is a non-empty string */
export function session(id: string): Audience {
  return named("session", id);
}

/** Every socket of the members of a group, as `Memberships` knows them. @throws TypeError unless the id is a non-empty string */
export function group(id: string): Audience {
  return named("group", id);
}

/**
 * Every socket of the players of an experiment, game or course: those `Memberships` lists under this id. Not to be mixed up
 * with {@link session}, which is one browser's. @throws TypeError unless the id is a non-empty string
 */
export function players(id: string): Audience {
  return named("players", id);
}

/** One socket, by its id. @throws TypeError unless the id is a non-empty string */
export function socket(id: string): Audience {
  return named("socket", id);
}

/** Everybody who is in at least one of these, each socket once. Of none, it is nobody. */
export function union(...audiences: readonly Audience[]): Audience {
  const [only] = audiences;
  if (audiences.length === 1 && only instanceof Audience) return only;
  return Audience.from({ kind: "union", of: audiences.map((audience) => dataOf(audience, "union")) });
}

function named(kind: AudienceName, id: string): Audience {
  return Audience.from({ kind, id });
}

function dataOf(audience: unknown, where: string): AudienceData {
  if (audience instanceof Audience) return audience.data;
  throw new TypeError(`${where}: expected an audience such as topic("news"), got ${describeValue(audience)}`);
}

function read(data: unknown, depth: number): AudienceData {
  if (depth > DEPTH_MAX) throw new TypeError(`Audience: nested deeper than ${DEPTH_MAX}`);
  if (typeof data !== "object" || data === null) {
    throw new TypeError(`Audience: expected the data of an audience, got ${describeValue(data)}`);
  }
  const { kind, id, variant, of, from, without } = data as Record<string, unknown>;
  if (kind === "everyone" || kind === "nobody") return frozen({ kind });
  if (typeof kind === "string" && names.has(kind)) {
    if (typeof id !== "string" || id === "") {
      throw new TypeError(`Audience: the id of a ${kind} must be a non-empty string, got ${describeValue(id)}`);
    }
    if (variant === undefined) return frozen({ kind: kind as AudienceName, id });
    if (kind !== "topic" || typeof variant !== "string" || variant === "") {
      throw new TypeError(
        `Audience: a variant is a non-empty string, and a topic's; got ${describeValue(variant)} of a ${kind}`,
      );
    }
    return frozen({ kind, id, variant });
  }
  if (kind === "union" || kind === "and") {
    if (!Array.isArray(of)) throw new TypeError(`Audience: "${kind}" needs a list in "of", got ${describeValue(of)}`);
    if (kind === "and" && of.length === 0) throw new TypeError(`Audience: "and" needs at least one audience in "of"`);
    return list(
      kind,
      of.map((part) => read(part, depth + 1)),
    );
  }
  if (kind === "except") return subtract(read(from, depth + 1), read(without, depth + 1));
  throw new TypeError(`Audience: unknown kind ${describeValue(kind)}`);
}

// Both are kept flat, so that an audience put together in a loop does not grow deeper with every turn.
function list(kind: "union" | "and", parts: readonly AudienceData[]): AudienceData {
  const of = parts.flatMap((part) => ("of" in part && part.kind === kind ? part.of : [part]));
  return frozen({ kind, of: Object.freeze(of) });
}

function subtract(from: AudienceData, without: AudienceData): AudienceData {
  if (from.kind !== "except") return frozen({ kind: "except", from, without });
  return frozen({ kind: "except", from: from.from, without: list("union", [from.without, without]) });
}

function frozen(data: AudienceData): AudienceData {
  return Object.freeze(data);
}
