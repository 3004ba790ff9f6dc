import type { Server } from "socket.io";
import type { EventContext } from "../../events/event-context.js";
import type { AppServer, AppSocket } from "../../events/subscriber.js";
import { idsOf } from "../../push/rooms.js";
import { type EventError, isEventError, withoutStack } from "../../wire/event-error.js";
import { EVENT_STREAM } from "../../wire/transports.js";
import { printable } from "../../wire/values.js";
import { type Attempt, Cancelled } from "./attempt.js";
import { type Entry, isIn, JoinEntries, type JoinEntriesOptions, tell } from "./join-entries.js";
import { JoinLimit } from "./join-limit.js";
import type { Ask, At } from "./join-request.js";
import { isPassing, JoinRun, type JoinRunOptions, type Manner, type Outcome, type Part, resultOf } from "./join-run.js";
import { EVICTED, PRESENCE, type Evicted, type PresenceChange, type PresenceVersion } from "./protocol.js";
import type { MatchedTopic, Topics } from "./topics.js";

/** Answers a join, in the order in which its topics were asked for; false if nobody waits for it any more. */
export type Answer = (outcomes: readonly Outcome[]) => boolean;

/** What {@link Joins} works with. */
export interface JoinsOptions<App extends AppServer> extends JoinEntriesOptions<App>, JoinRunOptions<App> {
  readonly topics: Topics<App>;
  readonly topicsPerSocket: number;
}

/** A topic of a join as it begins: its own attempt, that of whoever asked for the same before, or a refusal. */
type Begun<App extends AppServer> = Part<App> | { readonly shares: Attempt } | { readonly error: unknown };

/**
 * Who is in which topic on this node. A join takes as long as its policy does; whatever happens meanwhile (the client leaves, the
 * user is evicted or logs out, the connection ends) counts, and the late admission does not. Topics that are joined by one call are
 * decided beside each other, entered in one turn, and answered together.
 */
export class Joins<App extends AppServer = Server> {
  readonly #options: JoinsOptions<App>;
  readonly #entries: JoinEntries<App>;
  readonly #limits = new Map<string, JoinLimit>();
  #joined = 0;
  #refused = 0;

  constructor(options: JoinsOptions<App>) {
    this.#options = options;
    this.#entries = new JoinEntries(options);
  }

  /** Counts since the start: admissions, refusals, evictions. */
  get stats(): { joined: number; refused: number; evicted: number } {
    return { joined: this.#joined, refused: this.#refused, evicted: this.#entries.evicted };
  }

  /** What the topic's policy granted a socket, while it is in. */
  grantOf(socketId: string, topic: string): unknown {
    const entry = this.#entries.of(socketId)?.get(topic);
    return entry?.state === "in" ? entry.admission?.grant : undefined;
  }

  /** The topics a socket is in. */
  topicsOf(socketId: string): string[] {
    return this.#entries
      .copyOf(socketId)
      .filter(([, { state }]) => state === "in")
      .map(([name]) => name);
  }

  /** A socket is there from now on. Until then, and after {@link drop}, it can't join. */
  admit(socketId: string): void {
    this.#entries.admit(socketId);
  }

  /** A socket is gone. */
  drop(socketId: string): void {
    this.#limits.delete(socketId);
    this.#entries.drop(socketId);
  }

  /** Those whose end nobody told of, after which they are gone, too. */
  sweep(isThere: (socketId: string) => boolean): void {
    for (const socketId of this.#entries.sockets()) if (!isThere(socketId)) this.drop(socketId);
  }

  /**
   * Forgets every socket, telling no client.
   *
   * @returns what the clients would have to be told: the topics that they think they are in
   */
  clear(): Map<AppSocket<App>, Evicted[]> {
    this.#limits.clear();
    return this.#entries.clear();
  }

  /** Tells a client of topics that it was in when an earlier door was closed, so that it joins them again. */
  tellLeft(socket: AppSocket<App>, left: readonly Evicted[]): void {
    for (const evicted of left) tell(socket, EVICTED, evicted);
  }

  /**
   * Asks the topics' policies and lets the socket in. A socket that is in already stays in if nobody says no: another component of its
   * page may have joined, and what failed for the moment is no verdict on it. If somebody does, it is out, and told so
   * (decision 0030). Whoever asks for the same while a policy thinks gets the same answer.
   *
   * @param answer called once, at the very moment the answer holds, before anything later is sent to the topics
   */
  async join(context: EventContext<App>, asks: readonly Ask[], at: At, answer: Answer): Promise<void> {
    const { socket } = context;
    const manner: Manner<App> = { context, at, keeps: isPassing };
    const begun = new Map<string, Begun<App>>();
    for (const ask of asks) if (!begun.has(ask.topic)) begun.set(ask.topic, this.#begin(socket, ask));
    const shared = new Map<string, Outcome>();
    const waiting = [...begun].map(async ([topic, part]) => {
      if ("shares" in part) shared.set(topic, await outcomeOf(part.shares));
    });
    const parts = [...begun.values()].filter((part) => "attempt" in part);
    await new JoinRun(this.#options, this.#entries, manner).run(parts, waiting, () => {
      const outcomes = asks.map(({ topic }): Outcome => {
        const part = begun.get(topic);
        const outcome = shared.get(topic) ?? resultOf(part as Part<App> | { error: unknown });
        // Lost again before it could be answered.
        if (shared.has(topic) && "joined" in outcome && this.#entries.of(socket.id)?.get(topic)?.state !== "in")
          return { error: withoutStack("CONFLICT", "the topic was lost meanwhile") };
        return outcome;
      });
      const heard = answer(outcomes);
      const joined = heard ? outcomes.filter((outcome) => "joined" in outcome).length : 0;
      this.#joined += joined;
      this.#refused += outcomes.length - joined;
      return heard;
    });
  }

  /** Takes a socket out of a topic, and out of the queue for it. */
  leave(socket: AppSocket<App>, topic: string): void {
    const entry = this.#entries.of(socket.id)?.get(topic);
    if (!entry) return;
    this.#entries.cancel(entry, new Cancelled("CONFLICT", "the topic was left while it was being joined"));
    this.#entries.out(socket, topic, entry, "left");
  }

  /**
   * The user of a socket changes: what a policy is still thinking about was asked for somebody else, and whoever it is now hears nothing
   * of a topic before its policy has said yes. A {@link review} follows.
   */
  disown(socket: AppSocket<App>): void {
    for (const topic of idsOf("topic", socket.rooms)) {
      const entry = this.#entries.open(socket.id, topic);
      if (entry.attempts.length === 0) this.#entries.recover(entry);
    }
    for (const [topic, entry] of this.#entries.copyOf(socket.id)) this.#entries.disown(socket, topic, entry);
  }

  /** Takes a topic, or all of them, away from a socket, and says so to it. Returns whether it had any. */
  evict(socket: AppSocket<App>, topic: string | undefined, code: string, message: string): boolean {
    let had = false;
    for (const [name, entry] of this.#entries.copyOf(socket.id)) {
      if (topic !== undefined && name !== topic) continue;
      if (this.#entries.evict(socket, name, entry, code, message)) had = true;
    }
    return had;
  }

  /**
   * Asks the policies again about every topic a socket is in, since much may have changed: whose it is, or everything while a
   * recovered connection was away. What is not allowed now, for whatever reason, is taken away. Presence is sent anew where differences
   * may be missing.
   */
  async review(context: EventContext<App>): Promise<void> {
    const { socket } = context;
    if (!socket.connected) return;
    this.admit(socket.id);
    // Its rooms are what a recovered connection brings back; what it was admitted to is what the application may have taken it out of.
    const admitted = this.#entries.copyOf(socket.id).filter(([, entry]) => isIn(entry));
    const reviewed = new Set([...idsOf("topic", socket.rooms), ...admitted.map(([topic]) => topic)]);
    const manner: Manner<App> = { context, at: undefined, keeps: () => false };
    const parts = [...reviewed].map((topic) => this.#reviewed(socket, topic)).filter((part) => part !== undefined);
    // Topics with history come back together, so that a push to two of them is sent in its place among those of either.
    const together = parts.filter(({ matched }) => matched.definition.history !== undefined);
    const alone = parts.filter((part) => !together.includes(part));
    await Promise.all([together, ...alone.map((part) => [part])].map((some) => this.#review(manner, some)));
  }

  /** What is to be decided of a topic that a socket is in; `undefined` if it is out already. */
  #reviewed(socket: AppSocket<App>, topic: string): Part<App> | undefined {
    const entry = this.#entries.open(socket.id, topic);
    this.#entries.recover(entry);
    const matched = this.#options.topics.match(topic);
    if (!matched) {
      this.#undeclared(socket, topic, entry);
      return undefined;
    }
    const { admission } = entry;
    if (matched.definition.input !== undefined && admission === undefined) {
      // What it said is forgotten, and it knows that it has to say it again.
      const cancelled = new Cancelled("CONFLICT", "a topic with an input has to be joined again after a recovery");
      this.#entries.cancel(entry, cancelled);
      this.#entries.out(socket, topic, entry, "refused");
      return undefined;
    }
    return this.#part(topic, entry, matched, { input: admission?.input });
  }

  async #review(manner: Manner<App>, parts: readonly Part<App>[]): Promise<void> {
    if (parts.length === 0) return;
    await new JoinRun(this.#options, this.#entries, manner).run(parts, [], () => {
      for (const part of parts) {
        const outcome = resultOf(part);
        const presence = "joined" in outcome ? outcome.joined.presence : undefined;
        const { topic } = part;
        if (presence) tell(manner.context.socket, PRESENCE, { topic, ...presence } satisfies PresenceChange);
      }
      return true;
    });
    for (const { error, topic } of parts) {
      if (error !== undefined && !isEventError(error))
        this.#options.log.error({ err: printable(error), topic }, "the policy of a topic failed");
    }
  }

  #begin(socket: AppSocket<App>, { topic, input, presence, said }: Ask): Begun<App> {
    const { topics, topicsPerSocket, entrance } = this.#options;
    try {
      const known = this.#entries.of(socket.id);
      if (!known) throw withoutStack("CONFLICT", "the connection ended");
      const entry = known.get(topic);
      const matched = topics.match(topic);
      if (!matched) {
        if (entry) this.#undeclared(socket, topic, entry);
        throw undeclared();
      }
      const asked = entrance.asked(socket, topic);
      // An event stream can ask for nothing: it joins what its request has named, and as often again as it has read a part of what it missed.
      if (socket.conn.transport.name !== EVENT_STREAM)
        this.#limitOf(socket.id).take(asked === "first try" ? "asked" : entry && !asked ? "again" : "first");
      const last = entry?.attempts.at(-1);
      if (last?.shared === said) return { shares: last };
      if (!entry && known.size >= topicsPerSocket) {
        throw withoutStack("CONFLICT", `a connection can join ${topicsPerSocket} topics at once`, {
          details: { max: topicsPerSocket },
        });
      }
      const request = { raw: input, known: presence, shared: said };
      return this.#part(topic, entry ?? this.#entries.open(socket.id, topic), matched, request);
    } catch (error) {
      return { error };
    }
  }

  #part(
    topic: string,
    entry: Readonly<Entry>,
    matched: MatchedTopic<App>,
    { known, shared, ...said }: Part<App>["said"] & { known?: PresenceVersion | undefined; shared?: string },
  ): Part<App> {
    const before = entry.attempts.at(-1);
    const attempt = this.#entries.begin(entry, shared);
    return {
      topic,
      entry,
      attempt,
      before,
      matched,
      said,
      known,
      verdict: undefined,
      snapshot: undefined,
      error: undefined,
    };
  }

  /** A join was answered with so many pushes that were missed. */
  charge(socketId: string, frames: number): void {
    this.#limitOf(socketId).charge(frames);
  }

  #limitOf(socketId: string): JoinLimit {
    let limit = this.#limits.get(socketId);
    if (!limit) this.#limits.set(socketId, (limit = new JoinLimit(this.#options.topicsPerSocket)));
    return limit;
  }

  #undeclared(socket: AppSocket<App>, topic: string, entry: Readonly<Entry>): void {
    const refusal = new Cancelled("FORBIDDEN", undeclared().message);
    this.#entries.cancel(entry, refusal);
    this.#entries.refuse(socket, topic, entry, refusal);
  }
}

async function outcomeOf(attempt: Attempt): Promise<Outcome> {
  try {
    return { joined: await attempt.answer };
  } catch (error) {
    return { error };
  }
}

function undeclared(): EventError {
  return withoutStack("FORBIDDEN", "this topic can't be joined");
}
