import { describeValue } from "../wire/values.js";
import { Audience, everyone, group, session, socket, topic, union, user } from "./audience.js";

/** One name, or several of which any will do. An empty list reaches nobody. */
export type Names = string | readonly string[];

/**
 * Who a push is for, written as options. Everything given must hold: `{ topic, sessionId }` is who is in both. There must be
 * at least one, and a value that is missing, empty or of a wrong type is a `TypeError`, never everyone.
 */
export interface TargetOptions {
  /** Sockets that joined this topic. */
  topic?: Names;
  /** Sockets that joined at least one of these topics: the same as a list in `topic`, each socket once. */
  topics?: readonly string[];
  /** Of the topic's sockets, or of those of each topic, only these: those whose `variant` it is. */
  variant?: string;
  /** Sockets of this browser session. */
  sessionId?: Names;
  /** Sockets of this user. */
  user?: Names;
  /** The socket with this id. */
  socketId?: Names;
  /** Sockets of this group's members. */
  group?: Names;
  /** Sockets of this audience. */
  audience?: Audience;
  /** Not these. Alone, it means everyone else. */
  except?: Audience | readonly Audience[];
}

/** Who a push is for: an audience, options, or a list of either, of which any will do. An empty list is nobody. */
export type Target = Audience | TargetOptions | readonly (Audience | TargetOptions)[];

type Reader = (value: unknown, variant: string | undefined) => Audience;

const readers: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  ["topic", (value, variant) => namesOf((name) => topic(name, variant), value)],
  ["topics", (value, variant) => namesOf((name) => topic(name, variant), listOf(value))],
  ["sessionId", (value) => namesOf(session, value)],
  ["user", (value) => namesOf(user, value)],
  ["socketId", (value) => namesOf(socket, value)],
  ["group", (value) => namesOf(group, value)],
  ["audience", audienceOf],
]);

/** Reads a target. @throws TypeError if it says nothing, or something no target has */
export function audienceFrom(target: unknown): Audience {
  if (target instanceof Audience) return target;
  if (Array.isArray(target)) return union(...target.map(audienceFrom));
  if (typeof target !== "object" || target === null) {
    throw new TypeError(
      `target: expected an audience or options such as { topic: "news" }, got ${describeValue(target)}`,
    );
  }
  const { variant } = target as { variant?: unknown };
  if ("variant" in target && (typeof variant !== "string" || !("topic" in target || "topics" in target)))
    throw new TypeError(`target: variant must be a string beside a topic, got ${describeValue(variant)}`);
  const parts: Audience[] = [];
  let without: Audience[] | undefined;
  for (const [key, value] of Object.entries(target)) {
    const reader = readers.get(key);
    if (reader) parts.push(reader(value, variant as string | undefined));
    else if (key === "variant") continue;
    else if (key === "except") without = (Array.isArray(value) ? value : [value]).map(audienceOf);
    else
      throw new TypeError(
        `target: unknown option ${JSON.stringify(key)}; there are ${[...readers.keys()].join(", ")}, variant, except`,
      );
  }
  const [first, ...rest] = parts;
  if (first === undefined) {
    if (without === undefined)
      throw new TypeError("target: says nobody; leave it out, or pass everyone(), to reach everyone");
    return everyone().except(...without);
  }
  const all = rest.length === 0 ? first : first.and(...rest);
  return without === undefined ? all : all.except(...without);
}

function namesOf(make: (id: string) => Audience, value: unknown): Audience {
  if (!Array.isArray(value)) return make(value as string);
  return union(...value.map((each) => make(each as string)));
}

function listOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw new TypeError(`target: topics must be a list, got ${describeValue(value)}`);
}

function audienceOf(value: unknown): Audience {
  if (value instanceof Audience) return value;
  throw new TypeError(`target: expected an audience such as user("u1"), got ${describeValue(value)}`);
}
