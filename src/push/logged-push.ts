import { compile } from "./audience-plan.js";
import type { AudienceData } from "./audience.js";
import type { TopicHistory } from "./topic-log.js";

/** How much of a topic's history is kept; `undefined` for a topic that has none. */
export type HistoryOf = (topic: string) => Omit<TopicHistory, "topic"> | undefined;

/** A push to topics with history, as the log takes it, and what is left of its audience. */
export interface LoggedPush {
  readonly topics: readonly TopicHistory[];
  /** Those of the topics' members that are meant; `null` for all. */
  readonly variant: string | null;
  /** Rooms and socket ids that are left out. */
  readonly except: readonly string[];
  /** Whoever else is meant, without the members of the topics. */
  readonly rest: AudienceData | undefined;
}

type Topic = AudienceData & { readonly kind: "topic" };

/**
 * What a push to an audience is to the log; `undefined` if it goes to no topic with history. The log holds topics, one variant of all of
 * them, and who is left out.
 *
 * @throws TypeError if the audience has a topic with history in a way that the log can't hold
 */
export function loggedPush(data: AudienceData, historyOf: HistoryOf): LoggedPush | undefined {
  const topic = firstLogged(data, historyOf);
  if (topic === undefined) return undefined;
  const refuse = (what: string): TypeError =>
    new TypeError(`a push to topic "${topic.id}", which has a history, ${what}`);
  const flat = flattened(data);
  const without = flat && compile({ kind: "union", of: flat.without });
  if (flat === undefined || without === undefined || without.how === "filter") {
    throw refuse(
      "can go to topics, to a variant of them, and leave others out; to part of its members it can't be kept",
    );
  }
  const except = without.how === "rooms" ? without.rooms : [];
  if (except === "all") return undefined; // nobody
  const logged = flat.of.filter((part): part is Topic => part.kind === "topic" && historyOf(part.id) !== undefined);
  if (logged.some(({ variant }) => variant !== topic.variant))
    throw refuse("has the same variant for all topics with history that it goes to");
  const others = flat.of.filter((part) => !logged.includes(part as Topic));
  return {
    topics: [...new Set(logged.map(({ id }) => id))].map((id) => ({ topic: id, ...lengthOf(historyOf, id) })),
    variant: topic.variant ?? null,
    except,
    rest:
      others.length === 0
        ? undefined
        : {
            kind: "except",
            from: { kind: "union", of: others },
            without: { kind: "union", of: [...logged, ...flat.without] },
          },
  };
}

function lengthOf(historyOf: HistoryOf, topic: string): Omit<TopicHistory, "topic"> {
  return historyOf(topic) as Omit<TopicHistory, "topic">; // of a topic that has one
}

/** A topic with history that is meant, if there is one; not one whose members are left out. */
function firstLogged(data: AudienceData, historyOf: HistoryOf): Topic | undefined {
  switch (data.kind) {
    case "topic":
      return historyOf(data.id) === undefined ? undefined : (data as Topic);
    case "union":
    case "and": {
      for (const part of data.of) {
        const found = firstLogged(part, historyOf);
        if (found) return found;
      }
      return undefined;
    }
    case "except":
      return firstLogged(data.from, historyOf);
    default:
      return undefined;
  }
}

interface Flat {
  readonly of: readonly AudienceData[];
  readonly without: readonly AudienceData[];
}

/** An audience as a union without others; `undefined` if it is none. */
function flattened(data: AudienceData): Flat | undefined {
  switch (data.kind) {
    case "and":
      return undefined;
    case "union": {
      const parts = data.of.map(flattened);
      const [only] = parts;
      if (parts.length === 1) return only;
      const plain = parts.filter((part) => part?.without.length === 0);
      return plain.length < parts.length ? undefined : { of: plain.flatMap((part) => (part as Flat).of), without: [] };
    }
    case "except": {
      const from = flattened(data.from);
      return from && { of: from.of, without: [...from.without, data.without] };
    }
    default:
      return { of: data.kind === "nobody" ? [] : [data], without: [] };
  }
}
