import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Server } from "socket.io";
import { describeSchema, type InputDescription } from "../../events/input-description.js";
import { checkNames } from "../../wire/option-names.js";
import type { AppServer } from "../../events/subscriber.js";
import { type Place, placeOf } from "../../lifecycle/observer.js";
import { describeValue } from "../../wire/values.js";
import type { GrantedContext, LeftContext, TopicContext } from "./topic-context.js";
import { checkPresence, type PresenceSettings } from "./presence-settings.js";
import { TopicPattern, type ParamsOf } from "./topic-pattern.js";

/**
 * Who may join the topics of one pattern, and what they are told. Without `join` a topic must be declared `public`: there is no
 * topic that clients can join because nobody thought about it.
 *
 * Every function is given whose the socket is (`user`, `session`) with its context. Read it nowhere else: what `socket.data` holds may be
 * older than the last login, logout or rotation.
 *
 * @typeParam App - the `Server<...>` type of the application
 * @typeParam Params - the parameters of the pattern
 * @typeParam Input - what `input` makes of what a join says; `undefined` without it
 */
export interface TopicDefinition<
  App extends AppServer = Server,
  Params = Readonly<Record<string, string>>,
  Input = any,
> {
  /**
   * Validates what a join says beside the topic's name: any Standard Schema. What does not fit is `INVALID_INPUT`, and nothing else is
   * asked. A connection that was recovered has to join such a topic again: what it said is forgotten with the connection.
   */
  input?: StandardSchemaV1<any, Input>;
  /**
   * Decides about one socket and one topic. Throw an `EventError` to refuse with its code, or return `false` for `FORBIDDEN`. Any
   * other value is the grant, which `Realtime.grantOf` tells while the socket is in; without one it is `true`. Runs at every join:
   * after a reconnect, and after a login, logout, rotation or recovery, too. A refusal takes out who is in already; what fails
   * otherwise does not.
   */
  join?(context: TopicContext<App>, params: Params, input: NoInfer<Input>): unknown;
  /** What the client is told with its admission. Runs when the socket is in already, so nothing is missed in between. */
  snapshot?(context: TopicContext<App>, params: Params, input: NoInfer<Input>): unknown;
  /**
   * The part of the topic's audience that the socket belongs to, e.g. a role: pushes to `{ topic, variant }` reach it, pushes to the topic
   * reach it in any case. Decided after `join` whenever that runs. `undefined` is no variant.
   */
  variant?(
    context: TopicContext<App>,
    params: Params,
    input: NoInfer<Input>,
  ): PromiseLike<string | undefined> | string | undefined;
  /**
   * Told when what `join` granted holds: at each admission, and each time the policy was asked again and said yes, whether or not that
   * changed anything. Nothing waits for it; what it throws is logged.
   */
  granted?(context: GrantedContext<App>, params: Params): unknown;
  /**
   * Told when a socket that was admitted is in no longer, whatever ended it: once for each admission, with the reason and what `join`
   * granted. Nothing waits for it; what it throws is logged.
   */
  left?(context: LeftContext<App>, params: Params): unknown;
  /**
   * Pushes to the topic are kept in a log, so that whoever comes back is sent what they missed, in order and once, or told that it can't
   * be: nobody misses one in silence. How much is kept is said here; a client that was away longer, or missed more, is told `onGap`.
   *
   * A push to such a topic is JSON data, can't be `local` or `volatile`, and may leave others out, but not be for part of the members
   * unless that is a variant.
   */
  history?: HistorySettings;
  /** Everybody may join. @default false */
  public?: boolean;
  /**
   * Clients may write what the pattern spells out in any case (decision 0050): `Post/author/Ann` is the topic `post/author/Ann` of `post/{field}/{value}`.
   * What is pushed names the topic as the pattern spells it. A client that reads positions is told of the topic by that name, too. @default false
   */
  anyCase?: boolean;
  /**
   * Whether those who join are present to each other, by user; sockets without a user are not listed. A function says what the
   * others are told about the user beside their id; settings also say when, and up to how many users are listed. @default false
   */
  presence?:
    | boolean
    | PresenceInfo<App, Params, NoInfer<Input>>
    | PresenceSettings<PresenceInfo<App, Params, NoInfer<Input>>>;
}

/** How much of a topic's history is kept. Both bounds hold: what exceeds either may go. */
export interface HistorySettings {
  /** How many of the newest pushes. @default 1000 */
  keep?: number;
  /** How old a push may be, in milliseconds. @default 3600000 */
  maxAgeMs?: number;
}

/** Says what the others at a topic are told about a user. */
export type PresenceInfo<App extends AppServer, Params, Input> = (
  context: TopicContext<App>,
  params: Params,
  input: Input,
) => unknown;

/** Who may join the topics of one pattern, and what they have, for whoever reads a table of them. */
export interface TopicDescription {
  /** The pattern, as it was declared. */
  readonly pattern: string;
  /** Who decides about a join: `public` for everybody, else the topic's own `join`. */
  readonly policy: "public" | "join";
  /** What a schema asks of what a join says; `undefined` if none checks it. */
  readonly input: InputDescription | undefined;
  /** Whether those who join are present to each other. */
  readonly presence: boolean;
  /** How much of its pushes is kept, if it has a history. */
  readonly history: Readonly<Required<HistorySettings>> | undefined;
  /** Whether who joins is told something, by `snapshot`. */
  readonly snapshot: boolean;
  /** Whether its audience has parts, by `variant`. */
  readonly variant: boolean;
  /** Where its policy is written; known to the command line only. */
  readonly source: Place | undefined;
}

/** A definition as it is kept: the parameters are those of the topic it matched. */
interface Defined<App extends AppServer> {
  readonly pattern: TopicPattern;
  readonly definition: TopicDefinition<App>;
}

/** A topic a client named, and what the server says about it. */
export interface MatchedTopic<App extends AppServer> {
  /** The definition that fits best. */
  readonly definition: TopicDefinition<App>;
  /** What the pattern's parameters are in this topic. */
  readonly params: Readonly<Record<string, string>>;
}

/** What the door asks its topics about their histories. @internal */
export interface Histories {
  /** Whether any topic has one. */
  any(): boolean;
  /** How much is kept of a topic; `undefined` if it has none. */
  of(topic: string): Required<HistorySettings> | undefined;
  /** Asked before a topic with a history is declared: what it throws keeps it from being. */
  beforeDefine: (() => void) | undefined;
}

/** Where {@link Topics} have their {@link Histories}. @internal */
export const histories: unique symbol = Symbol("socket-ingress.histories");

/** As much as a log can count with: a hundred years in milliseconds. */
const HISTORY_MAX = 3_155_760_000_000;

const functions = ["join", "snapshot", "variant", "granted", "left"] as const;

/**
 * The topics that clients may join, declared by the server.
 *
 * @typeParam App - the `Server<...>` type of the application
 *
 * @example
 * realtime.topics
 *   .define("room:{id}", { join: async ({ user }, { id }) => rooms.has(id, user), presence: true });
 */
export class Topics<App extends AppServer = Server> {
  #defined: readonly Defined<App>[] = [];
  /** What the door has to know of histories. @internal */
  readonly [histories]: Histories = {
    any: () => this.#defined.some(({ definition }) => definition.history !== undefined),
    of: (topic) => {
      return keptOf(this.match(topic)?.definition);
    },
    beforeDefine: undefined,
  };

  /**
   * Declares the topics of a shape. Where two shapes fit one topic, the one with a literal further left counts.
   *
   * @returns the function that takes the declaration back; who is in stays in
   * @throws TypeError if the pattern is wrong or taken, or nothing says who may join
   */
  define<const Pattern extends string, Input = undefined>(
    pattern: Pattern,
    definition: TopicDefinition<App, ParamsOf<Pattern>, Input>,
  ): () => void {
    const parsed = new TopicPattern(pattern);
    const where = `topic ${JSON.stringify(pattern)}`;
    if (typeof definition !== "object" || definition === null)
      throw new TypeError(`${where}: expected a definition, got ${describeValue(definition)}`);
    // An instance of a class may have what is its own.
    if (Object.getPrototypeOf(definition) === Object.prototype)
      checkNames(where, definition, [...functions, "input", "history", "public", "anyCase", "presence"]);
    for (const key of functions) {
      const given: unknown = definition[key];
      if (given !== undefined && typeof given !== "function")
        throw new TypeError(`${where}: ${key} must be a function, got ${describeValue(given)}`);
    }
    const { input } = definition;
    if (input !== undefined && typeof (input as Partial<StandardSchemaV1>)?.["~standard"]?.validate !== "function")
      throw new TypeError(`${where}: input must be a Standard Schema, got ${describeValue(input)}`);
    checkPresence(where, definition.presence);
    checkHistory(where, definition.history);
    if (definition.history !== undefined) this[histories].beforeDefine?.();
    if (definition.join === undefined && definition.public !== true) {
      throw new TypeError(`${where}: say who may join, by \`join(context, params)\` or \`public: true\``);
    }
    if (definition.join !== undefined && definition.public === true) {
      throw new TypeError(`${where}: a public topic has no \`join\`; use \`snapshot\` to tell those who come`);
    }
    if (this.#defined.some((other) => other.pattern.shape === parsed.shape))
      throw new TypeError(`${where} is defined already`);
    // The parameters are read by this very pattern, and the input by this very schema, so they are what its definition takes.
    const defined: Defined<App> = { pattern: parsed, definition: definition as unknown as TopicDefinition<App> };
    this.#defined = [...this.#defined, defined].sort((one, other) => TopicPattern.compare(one.pattern, other.pattern));
    return () => {
      this.#defined = this.#defined.filter((other) => other !== defined);
    };
  }

  /** The policy of each pattern, in the order in which they are asked about a topic. */
  describe(): TopicDescription[] {
    return this.#defined.map(({ pattern, definition }) => ({
      pattern: pattern.source,
      policy: definition.public === true ? "public" : "join",
      input: definition.input && describeSchema(definition.input),
      presence: definition.presence !== undefined && definition.presence !== false,
      history: keptOf(definition),
      snapshot: definition.snapshot !== undefined,
      variant: definition.variant !== undefined,
      source: placeOf(definition.join ?? definition.snapshot),
    }));
  }

  /** The topic that a client means: what it wrote, or that in the case in which it was declared, where any case will do. */
  nameOf(topic: string): string {
    if (!this.#defined.some(({ definition }) => definition.anyCase === true) || this.match(topic)) return topic;
    for (const { pattern, definition } of this.#defined) {
      const spelt = definition.anyCase === true ? pattern.spell(topic) : undefined;
      if (spelt !== undefined) return spelt;
    }
    return topic;
  }

  /** The definition for a topic and its parameters, or `undefined` if the server declared none. */
  match(topic: string): MatchedTopic<App> | undefined {
    for (const { pattern, definition } of this.#defined) {
      const params = pattern.match(topic);
      if (params) return { definition, params };
    }
    return undefined;
  }
}

/** How much is kept of the topics of a definition; `undefined` if they have no history. */
function keptOf({ history }: Pick<TopicDefinition, "history"> = {}): Required<HistorySettings> | undefined {
  return history && { keep: history.keep ?? 1_000, maxAgeMs: history.maxAgeMs ?? 3_600_000 };
}

/** @throws TypeError naming what does not fit */
function checkHistory(where: string, history: unknown): void {
  if (history === undefined) return;
  if (typeof history !== "object" || history === null)
    throw new TypeError(
      `${where}: history must say how much is kept, such as { keep: 1000 }, got ${describeValue(history)}`,
    );
  checkNames(`${where}: history`, history, ["keep", "maxAgeMs"]);
  const { keep = 1, maxAgeMs = 1 } = history as { keep?: unknown; maxAgeMs?: unknown };
  for (const [name, value] of Object.entries({ keep, maxAgeMs })) {
    if (!Number.isSafeInteger(value) || (value as number) < 1 || (value as number) > HISTORY_MAX)
      throw new TypeError(
        `${where}: history.${name} must be a whole number from 1 to ${HISTORY_MAX}, got ${describeValue(value)}`,
      );
  }
}
