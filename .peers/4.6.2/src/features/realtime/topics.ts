import { describeValue } from "../../wire/values.js";
import type { EventContext } from "../../events/event-context.js";
import type { AppServer } from "../../events/subscriber.js";
import type { Server } from "socket.io";
import { TopicPattern, type ParamsOf } from "./topic-pattern.js";

/**
 * Who may join the topics of one pattern, and what they are told. Without `join` a topic must be declared `public`: there is no
 * topic that clients can join because nobody thought about it.
 *
 * @typeParam App - the `Server<...>` type of the application
 * @typeParam Params - the parameters of the pattern
 */
export interface TopicDefinition<App extends AppServer = Server, Params = Readonly<Record<string, string>>> {
  /**
   * Decides about one socket and one topic. Throw an `EventError` to refuse with its code, or return `false` for `FORBIDDEN`. Any
   * value other than `true` and `undefined` is the snapshot the client gets. Runs at every join: after a reconnect, and for each
   * topic of a recovered connection, too. A refusal takes out who is in already; what fails otherwise does not. A push that happens
   * between this and the join is missed; use `snapshot` where that matters.
   */
  join?(context: EventContext<App>, params: Params, topic: string): unknown;
  /** What the client is told with its admission. Runs when the socket is in already, so nothing is missed in between. */
  snapshot?(context: EventContext<App>, params: Params, topic: string): unknown;
  /** Everybody may join. @default false */
  public?: boolean;
  /**
   * Whether those who join are present to each other, by user; sockets without a user are not listed. A function says what the
   * others are told about the user beside their id. @default false
   */
  presence?: boolean | ((context: EventContext<App>, params: Params, topic: string) => unknown);
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

/**
 * The topics that clients may join, declared by the server.
 *
 * @typeParam App - the `Server<...>` type of the application
 *
 * @example
 * realtime.topics
 *   .define("room:{id}", { join: async ({ socket }, { id }) => rooms.has(id, socket.data.user), presence: true });
 */
export class Topics<App extends AppServer = Server> {
  #defined: readonly Defined<App>[] = [];

  /**
   * Declares the topics of a shape. Where two shapes fit one topic, the one with a literal further left counts.
   *
   * @returns the function that takes the declaration back; who is in stays in
   * @throws TypeError if the pattern is wrong or taken, or nothing says who may join
   */
  define<const Pattern extends string>(
    pattern: Pattern,
    definition: TopicDefinition<App, ParamsOf<Pattern>>,
  ): () => void {
    const parsed = new TopicPattern(pattern);
    const where = `topic ${JSON.stringify(pattern)}`;
    if (typeof definition !== "object" || definition === null)
      throw new TypeError(`${where}: expected a definition, got ${describeValue(definition)}`);
    for (const key of ["join", "snapshot"] as const) {
      const given: unknown = definition[key];
      if (given !== undefined && typeof given !== "function")
        throw new TypeError(`${where}: ${key} must be a function, got ${describeValue(given)}`);
    }
    if (definition.join === undefined && definition.public !== true) {
      throw new TypeError(`${where}: say who may join, by \`join(context, params)\` or \`public: true\``);
    }
    if (definition.join !== undefined && definition.public === true) {
      throw new TypeError(`${where}: a public topic has no \`join\`; use \`snapshot\` to tell those who come`);
    }
    if (this.#defined.some((other) => other.pattern.shape === parsed.shape))
      throw new TypeError(`${where} is defined already`);
    // The parameters are read by this very pattern, so they are what its definition takes.
    const defined: Defined<App> = { pattern: parsed, definition: definition as unknown as TopicDefinition<App> };
    this.#defined = [...this.#defined, defined].sort((one, other) => TopicPattern.compare(one.pattern, other.pattern));
    return () => {
      this.#defined = this.#defined.filter((other) => other !== defined);
    };
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
