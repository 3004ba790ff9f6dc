import type { SubscriptionDescription } from "../dispatch/subscriptions.js";
import type { QueueDescription } from "../features/queue/queue-service.js";
import type { TopicDescription } from "../features/realtime/topics.js";
import type { Place } from "../lifecycle/observer.js";
import type { FeatureDescription, ManagerDescription } from "../manager/description.js";
import { reservedEvents } from "../wire/event-names.js";
import { nameOf } from "./words.js";

/** What `--check` looks for, each with what it means. */
export const rules = {
  "duplicate-name": "two parts of one name: logs, errors and tables can't tell them apart",
  "no-input": "a subscriber that reads what the client sends, and no schema checks it",
  "no-policy": "a topic that anybody may join, as nothing but `public` is said of it",
  "no-time-limit": "a subscriber that may keep its caller waiting for ever",
  unreachable: "a subscriber that no event can reach",
  untold: "a controller that can't say its events before it starts: nothing of it was checked",
} as const;

/** One of the rules by its name. */
export type Rule = keyof typeof rules;

/** One thing that is wrong. */
export interface Finding {
  readonly rule: Rule;
  /** What it is about, as `--except` takes it: an event, a topic, a part. */
  readonly subject: string;
  /** What is wrong with it, and what to do. */
  readonly message: string;
  readonly source: Place | undefined;
}

/** What is wrong with a server, as far as its description can say. */
export function check(description: ManagerDescription): Finding[] {
  return [
    ...duplicates(description),
    ...description.events.flatMap((row) => [...withoutInput(row), ...withoutTimeLimit(row)]),
    ...publicTopics(description),
    ...unreachable(description.events),
    ...untold(description),
  ];
}

/** What a feature has of one kind; `list` names its type. */
export function belongings<Item>(features: readonly FeatureDescription[], list: string): readonly Item[] {
  return features.flatMap(({ has }) => (has[list] ?? []) as readonly Item[]);
}

function duplicates({ services, controllers, handlers, features }: ManagerDescription): Finding[] {
  const parts = [...services, ...controllers, ...handlers].map((part) => ({ ...part, kind: "parts" }));
  const queues = belongings<QueueDescription>(features, "queues").map(({ name }) => ({
    name,
    class: "",
    kind: "queues",
  }));
  return [parts, queues].flatMap((all) =>
    [...new Set(all.map(({ name }) => name))].flatMap((name): Finding[] => {
      const same = all.filter((one) => one.name === name);
      if (same.length < 2) return [];
      const who = same.map((one) => one.class).filter((word) => word !== "");
      const message = `${same.length} ${same[0]?.kind} are called "${name}"${who.length > 0 ? ` (${who.join(", ")})` : ""}: give each a name of its own`;
      return [{ rule: "duplicate-name", subject: name, message, source: undefined }];
    }),
  );
}

function withoutInput(row: SubscriptionDescription): Finding[] {
  const { event, input, readsArguments, source } = row;
  if (reservedEvents.has(event) || input !== undefined || !readsArguments) return [];
  const message = `${nameOf(row)} reads what clients send with "${event}" as it comes: give the event an input, a schema`;
  return [{ rule: "no-input", subject: event, message, source }];
}

function withoutTimeLimit(row: SubscriptionDescription): Finding[] {
  if (row.timeoutMs !== Infinity) return [];
  const message = `${nameOf(row)} has no time limit: a caller of "${row.event}" may wait for ever; say timeoutMs`;
  return [{ rule: "no-time-limit", subject: row.event, message, source: row.source }];
}

function publicTopics({ features }: ManagerDescription): Finding[] {
  return belongings<TopicDescription>(features, "topics")
    .filter(({ policy }) => policy === "public")
    .map(({ pattern, source }) => ({
      rule: "no-policy",
      subject: pattern,
      message: `anybody may join "${pattern}": say who may, by join (mayRead of a model), or except it where that is meant`,
      source,
    }));
}

/** What can be known for sure; a guard that refuses everybody, or a `context.stop()`, is not to be seen from outside. */
function unreachable(events: readonly SubscriptionDescription[]): Finding[] {
  const closed = new Map<string, SubscriptionDescription>();
  return events.flatMap((row): Finding[] => {
    const { namespace, event, guard, input, source } = row;
    const place = `${namespace} ${event}`;
    const find = (message: string): Finding[] => [{ rule: "unreachable", subject: event, message, source }];
    const before = closed.get(place);
    const isNever = input?.some(({ type }) => type === "never") === true;
    if (isNever && guard && before === undefined) closed.set(place, row);
    if (before !== undefined)
      return find(`${nameOf(row)} never runs for "${event}": the guard ${nameOf(before)} takes no input at all`);
    if (isNever) return find(`${nameOf(row)} never runs for "${event}": its schema takes no input at all`);
    if (fitsNoNamespace(namespace))
      return find(
        `${nameOf(row)} never runs for "${event}": no namespace fits ${namespace}, as the name of each begins with "/"`,
      );
    return [];
  });
}

/** Whether a pattern asks for a name that begins with something else than a slash. */
function fitsNoNamespace(key: string): boolean {
  return /^\/\^[\w-](?![?*{])[^|]*\/[a-ln-z]*$/.test(key);
}

function untold({ controllers, handlers }: ManagerDescription): Finding[] {
  return [...controllers, ...handlers].flatMap(({ name, untold: why }): Finding[] => {
    if (why === undefined) return [];
    const message = `the events of "${name}" can't be told before it starts (${why}): declare them without what onStart makes`;
    return [{ rule: "untold", subject: name, message, source: undefined }];
  });
}
