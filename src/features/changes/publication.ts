import { type Happening, type RecordHappening, toOne } from "./happening.js";
import {
  type Change,
  CHANGE,
  type Entered,
  ENTERED,
  type ManyChange,
  type OneChange,
  type RecordId,
} from "./protocol.js";
import { differences, shaped, type Shape } from "./shaping.js";

/** What the members of some topics are told. */
export interface Message {
  readonly event: typeof CHANGE | typeof ENTERED;
  readonly data: Change | Entered;
  readonly topics: readonly string[];
}

/** What is asked of a model to tell of its records. */
export interface Published extends Shape {
  /** The topics that every change goes to: the model's own, and that of all models. */
  readonly topics: readonly string[];
  /** Whether a policy says who may read the model. */
  readonly isGuarded: boolean;
}

/** A record with the narrower topics that it is in, and was in. */
export interface Placed extends RecordHappening {
  readonly now: readonly string[];
  readonly before: readonly string[];
}

/** The same as a {@link Happening}, each record with its narrower topics. */
export interface PlacedHappening extends Happening {
  readonly each: readonly Placed[];
}

/** What a variant sees of a record that it sees something of. */
interface Seen {
  readonly one: Placed;
  /** The record; `undefined` if it is gone, for this variant at least. */
  readonly shown: unknown;
  /** What it was; `undefined` if that is not known, or was nothing. */
  readonly was: unknown;
}

/**
 * What one variant is told of something that happened, in order. Pure. A message names no topics but a narrower one that is its own
 * (decision 0049).
 *
 * A record that leaves a narrower topic is a deletion there that says its id and nothing else, and so is one everywhere that a variant is
 * not shown any more. These come first, so that whoever knows no topics ends with the record.
 *
 * @throws what `serialise` of the model throws
 */
export function messagesOf(
  model: Published,
  { method, many, each }: PlacedHappening,
  variant: string | undefined,
  ts: number,
): Message[] {
  const messages: Message[] = [];
  const there: Seen[] = [];
  for (const one of each) {
    const seen = seenBy(model, one, variant);
    if (seen === undefined) continue;
    if (method === "DELETE") there.push(seen);
    else {
      tellDepartures(messages, model, seen, ts);
      if (seen.shown !== undefined) there.push(seen);
    }
  }
  if (many) tellMany(messages, model, method, there, ts);
  else for (const seen of there) tellOne(messages, model, seen, ts);
  return messages;
}

function seenBy(model: Published, one: Placed, variant: string | undefined): Seen | undefined {
  const { method, row, old } = one;
  const shown = row === undefined ? undefined : shaped(model, row, variant);
  const was = old === undefined ? undefined : shaped(model, old, variant);
  if (shown !== undefined || was !== undefined) return { one, shown, was };
  // A deletion of which nothing is known but the id is told: there is nothing to be asked.
  return method === "DELETE" && old === undefined ? { one, shown, was } : undefined;
}

/** That a record has gone from where it was, though it was not deleted. */
function tellDepartures(messages: Message[], model: Published, { one, shown, was }: Seen, ts: number): void {
  const { id, before, now } = one;
  if (was === undefined) return;
  const left = (topic?: string): OneChange => {
    const data: OneChange = { ts, model: model.name, method: "DELETE", id, many: false, payload: { id } };
    if (topic !== undefined) data.topic = topic;
    return data;
  };
  if (shown === undefined) messages.push({ event: CHANGE, data: left(), topics: [...model.topics, ...before] });
  else
    for (const topic of before)
      if (!now.includes(topic)) messages.push({ event: CHANGE, data: left(topic), topics: [topic] });
}

function tellOne(messages: Message[], model: Published, { one, shown, was }: Seen, ts: number): void {
  const { method, id, now, before } = one;
  const isGone = method === "DELETE";
  const payload = isGone ? (was ?? { id }) : shown;
  const data: OneChange = { ts, model: model.name, method, id, many: false, payload };
  const places = isGone ? before : now;
  if (!isGone) {
    const known = was === undefined ? [] : before;
    const entered = now.filter((topic) => !known.includes(topic));
    // What the record was before it came into a topic may be more than those may read who are in that alone.
    if (was !== undefined && method !== "POST" && !(entered.length > 0 && model.isGuarded))
      data.changes = differences(was, shown);
    for (const topic of entered) messages.push({ event: ENTERED, data: { topic, ids: [id] }, topics: [topic] });
  }
  messages.push({ event: CHANGE, data, topics: places.length === 0 ? model.topics : [...model.topics, ...places] });
}

function tellMany(
  messages: Message[],
  model: Published,
  method: Happening["method"],
  seen: readonly Seen[],
  ts: number,
): void {
  if (seen.length === 0) return;
  const list = (some: readonly Seen[]): ManyChange => ({
    ts,
    model: model.name,
    method,
    id: null,
    many: true,
    payload: some.map(({ one, shown, was }) => shown ?? was ?? { id: one.id }),
  });
  const placesOf = ({ one }: Seen): readonly string[] => (method === "DELETE" ? one.before : one.now);
  messages.push({ event: CHANGE, data: list(seen), topics: model.topics });
  for (const topic of new Set(seen.flatMap(placesOf))) {
    const own = seen.filter((each) => placesOf(each).includes(topic));
    messages.push({ event: CHANGE, data: { ...list(own), topic }, topics: [topic] });
  }
}

/** A record whose id has changed: what it was is gone, and what it is has come. */
export function renamed(one: RecordHappening, oldId: RecordId): Happening[] {
  return [
    toOne({ method: "DELETE", id: oldId, row: undefined, old: one.old }),
    toOne({ method: "POST", id: one.id, row: one.row, old: undefined }),
  ];
}
