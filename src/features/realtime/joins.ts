import type { Server } from "socket.io";
import type { EventContext } from "../../events/event-context.js";
import type { AppServer, AppSocket } from "../../events/subscriber.js";
import type { Logger } from "../../lifecycle/logger.js";
import { idsOf } from "../../push/rooms.js";
import type { Position } from "../../push/topic-log.js";
import { passes } from "../../wire/codes.js";
import { type EventError, isEventError, withoutStack } from "../../wire/event-error.js";
import { invalidInput, readIssues } from "../../wire/schema.js";
import { parserOf, undecodable } from "../../wire/sendable.js";
import { EVENT_STREAM } from "../../wire/transports.js";
import { describeValue, isThenable, printable } from "../../wire/values.js";
import { Attempt, Cancelled } from "./attempt.js";
import type { Identity } from "./identity.js";
import { JoinLimit } from "./join-limit.js";
import type { Ask, At } from "./join-request.js";
import { presenceInfoOf } from "./presence-settings.js";
import type { PresenceSync } from "./presence-sync.js";
import {
  EVICTED,
  PRESENCE,
  type Evicted,
  type Joined,
  type PresenceChange,
  type PresenceNews,
  type PresenceVersion,
} from "./protocol.js";
import { JoinContext, type LeftReason } from "./topic-context.js";
import type { Entrance, Entering } from "./topic-rooms.js";
import type { MatchedTopic, TopicDefinition, Topics } from "./topics.js";

/**
 * What one socket has to do with one topic. Whatever the state, attempts may be under way; the one that came first is asked first.
 *
 * | `state`     | in the room          | its client thinks it is in | a `left` is owed     |
 * | ----------- | -------------------- | -------------------------- | -------------------- |
 * | `asking`    | while it is answered | no                         | no                   |
 * | `in`        | yes                  | yes                        | yes                  |
 * | `suspended` | no                   | yes                        | if it was let in     |
 * | `recovered` | yes                  | yes                        | no                   |
 * | `out`       | no                   | no                         | no                   |
 *
 * `asking` becomes `in` with the answer, `out` with a refusal. `in` becomes `suspended` when the user of the socket changes, and `in` or
 * `out` by the review that follows, which asks the policy anew. `recovered` is what a connection that came back, or the application, has
 * brought: a review makes it `in` or `out`. `out` is forgotten with the last of its attempts.
 */
interface Entry {
  state: "asking" | "in" | "suspended" | "recovered" | "out";
  /** What it was let in with last. */
  admission: Admission<never> | undefined;
  /** How often somebody said yes, or who is asked changed: what was asked before that does not count any more. */
  verdicts: number;
  /** Under way or waiting; never written to. */
  attempts: readonly Attempt[];
  /** The user it counts for in presence. */
  present: string | undefined;
}

/** What a policy let a socket in with. */
interface Admission<App extends AppServer> extends Identity {
  readonly socket: AppSocket<App>;
  readonly matched: MatchedTopic<App>;
  /** What the join said, validated. */
  readonly input: unknown;
  readonly grant: unknown;
}

type Entries = Map<string, Entry>;

/** What sockets have to do with topics until they join one: most connections of a server may never do. Never written to. */
const NOTHING: Entries = new Map();

const NONE: readonly Attempt[] = [];

/** So many copies of what is told about a member stand for a list of members when it is asked whether a client takes one. */
const LIKE_A_LIST = 11;

/** What became of one topic of a join. */
export type Outcome = { readonly joined: Joined } | { readonly error: unknown };

/** Answers a join, in the order in which its topics were asked for; false if nobody waits for it any more. */
export type Answer = (outcomes: readonly Outcome[]) => boolean;

/** What {@link Joins} works with. */
export interface JoinsOptions<App extends AppServer> {
  readonly topics: Topics<App>;
  readonly entrance: Entrance<App>;
  readonly presence: PresenceSync;
  readonly topicsPerSocket: number;
  readonly log: Logger;
  readonly identityOf: (socket: AppSocket<App>) => Identity;
}

/** One topic of a join, on its way to an answer. */
interface Part<App extends AppServer> {
  readonly topic: string;
  readonly entry: Entry;
  readonly attempt: Attempt;
  /** Whoever asked before; this one's turn is after it. */
  readonly before: Attempt | undefined;
  readonly matched: MatchedTopic<App>;
  /** What the join said; of a review, what it said once, validated then. */
  readonly said: { readonly raw: unknown } | { readonly input: unknown };
  /** The version of the topic's presence that its client knows. */
  readonly known: PresenceVersion | undefined;
  /** What the policy said; without it, the attempt has failed or is still asking. */
  verdict: Verdict<App> | undefined;
  snapshot: unknown;
  error: unknown;
}

interface Verdict<App extends AppServer> extends Admission<App> {
  readonly context: JoinContext<App>;
  readonly variant: string | undefined;
  readonly info: unknown;
}

/** One that the policy has let in. */
type Decided<App extends AppServer> = Part<App> & { readonly verdict: Verdict<App> };

/** A topic of a join as it begins: its own attempt, that of whoever asked for the same before, or a refusal. */
type Begun<App extends AppServer> = Part<App> | { readonly shares: Attempt } | { readonly error: unknown };

/** How the topics of a join, or the one of a review, are decided. */
interface Manner<App extends AppServer> {
  readonly context: EventContext<App>;
  readonly at: At;
  /** Whether a socket that was in before stays in after this error. */
  readonly keeps: (error: unknown) => boolean;
}

/**
 * Who is in which topic on this node. A join takes as long as its policy does; whatever happens meanwhile (the client leaves, the
 * user is evicted or logs out, the connection ends) counts, and the late admission does not. Topics that are joined by one call are
 * decided beside each other, entered in one turn, and answered together.
 */
export class Joins<App extends AppServer = Server> {
  readonly #options: JoinsOptions<App>;
  readonly #sockets = new Map<string, Entries>();
  readonly #limits = new Map<string, JoinLimit>();
  #joined = 0;
  #refused = 0;
  #evicted = 0;

  constructor(options: JoinsOptions<App>) {
    this.#options = options;
  }

  /** Counts since the start: admissions, refusals, evictions. */
  get stats(): { joined: number; refused: number; evicted: number } {
    return { joined: this.#joined, refused: this.#refused, evicted: this.#evicted };
  }

  /** What the topic's policy granted a socket, while it is in. */
  grantOf(socketId: string, topic: string): unknown {
    const entry = this.#sockets.get(socketId)?.get(topic);
    return entry?.state === "in" ? entry.admission?.grant : undefined;
  }

  /** The topics a socket is in. */
  topicsOf(socketId: string): string[] {
    return this.#entriesOf(socketId)
      .filter(([, { state }]) => state === "in")
      .map(([name]) => name);
  }

  /** A socket is there from now on. Until then, and after {@link drop}, it can't join. */
  admit(socketId: string): void {
    if (!this.#sockets.has(socketId)) this.#sockets.set(socketId, NOTHING);
  }

  /** A socket is gone. */
  drop(socketId: string): void {
    const entries = this.#entriesOf(socketId);
    this.#sockets.delete(socketId);
    this.#limits.delete(socketId);
    for (const [topic, entry] of entries) {
      this.#cancel(entry, new Cancelled("CONFLICT", "the connection ended"));
      this.#absent(topic, entry, socketId, false);
      // What a policy still says of this life is not to be heeded in the next one.
      this.#end(topic, entry, "disconnected");
    }
  }

  /** Those whose end nobody told of, after which they are gone, too. */
  sweep(isThere: (socketId: string) => boolean): void {
    for (const socketId of this.#sockets.keys()) if (!isThere(socketId)) this.drop(socketId);
  }

  /**
   * Forgets every socket, telling no client.
   *
   * @returns what the clients would have to be told: the topics that they think they are in
   */
  clear(): Map<AppSocket<App>, Evicted[]> {
    const sockets = [...this.#sockets.values()];
    this.#sockets.clear();
    this.#limits.clear();
    const left = new Map<AppSocket<App>, Evicted[]>();
    for (const entries of sockets) {
      for (const [topic, entry] of entries) {
        this.#cancel(entry, new Cancelled("SHUTTING_DOWN", "the server is going away"));
        const socket = (entry.admission as Admission<App> | undefined)?.socket;
        if (socket) {
          const at = this.#options.entrance.leave(socket, topic);
          const evicted = { topic, code: "SHUTTING_DOWN", message: "the server went away", ...(at && { at }) };
          left.set(socket, [...(left.get(socket) ?? []), evicted]);
        }
        this.#end(topic, entry, "closed");
      }
    }
    return left;
  }

  /** Tells a client of topics that it was in when an earlier door was closed, so that it joins them again. */
  tellLeft(socket: AppSocket<App>, left: readonly Evicted[]): void {
    for (const evicted of left) this.#tell(socket, EVICTED, evicted);
  }

  /**
   * Asks the topics' policies and lets the socket in. A socket that is in already stays in if nobody says no: another component of its
   * page may have joined, and what failed for the moment is no verdict on it. If somebody does, it is out, and told so
   * (decision 0030). Whoever asks
   * for the same while a policy thinks gets the same answer.
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
    await this.#run(manner, parts, waiting, () => {
      const outcomes = asks.map(({ topic }): Outcome => {
        const part = begun.get(topic);
        const outcome = shared.get(topic) ?? resultOf(part as Part<App> | { error: unknown });
        // Lost again before it could be answered.
        if (shared.has(topic) && "joined" in outcome && this.#sockets.get(socket.id)?.get(topic)?.state !== "in")
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
    const entry = this.#sockets.get(socket.id)?.get(topic);
    if (!entry) return;
    this.#cancel(entry, new Cancelled("CONFLICT", "the topic was left while it was being joined"));
    this.#out(socket, topic, entry, "left");
  }

  /**
   * The user of a socket changes: what a policy is still thinking about was asked for somebody else, and whoever it is now hears nothing
   * of a topic before its policy has said yes. A {@link review} follows.
   */
  disown(socket: AppSocket<App>): void {
    for (const topic of idsOf("topic", socket.rooms)) {
      const entry = this.#entry(socket.id, topic);
      if (entry.attempts.length === 0 && !isIn(entry)) entry.state = "recovered";
    }
    for (const [topic, entry] of this.#entriesOf(socket.id)) {
      this.#cancel(entry, new Cancelled("CONFLICT", "the user of this connection changed meanwhile"));
      entry.verdicts++; // what was asked before was asked for somebody else
      if (isIn(entry)) {
        entry.state = "suspended";
        this.#options.entrance.suspend(socket, topic);
        this.#absent(topic, entry, socket.id, true);
      } else this.#out(socket, topic, entry, "refused");
    }
  }

  /** Takes a topic, or all of them, away from a socket, and says so to it. Returns whether it had any. */
  evict(socket: AppSocket<App>, topic: string | undefined, code: string, message: string): boolean {
    let had = false;
    for (const [name, entry] of this.#entriesOf(socket.id)) {
      if (topic !== undefined && name !== topic) continue;
      this.#cancel(entry, new Cancelled(code, message));
      const was = isIn(entry);
      const at = this.#out(socket, name, entry, "evicted");
      if (!was) continue;
      had = true;
      this.#tellEvicted(socket, { topic: name, code, message }, at);
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
    const admitted = this.#entriesOf(socket.id).filter(([, entry]) => isIn(entry));
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
    const entry = this.#entry(socket.id, topic);
    if (!isIn(entry)) entry.state = "recovered";
    const matched = this.#options.topics.match(topic);
    if (!matched) {
      this.#undeclared(socket, topic, entry);
      return undefined;
    }
    const { admission } = entry;
    if (matched.definition.input !== undefined && admission === undefined) {
      // What it said is forgotten, and it knows that it has to say it again.
      this.#cancel(entry, new Cancelled("CONFLICT", "a topic with an input has to be joined again after a recovery"));
      this.#out(socket, topic, entry, "refused");
      return undefined;
    }
    return this.#part(topic, entry, matched, { input: admission?.input });
  }

  async #review(manner: Manner<App>, parts: readonly Part<App>[]): Promise<void> {
    if (parts.length === 0) return;
    await this.#run(manner, parts, [], () => {
      for (const part of parts) {
        const outcome = resultOf(part);
        const presence = "joined" in outcome ? outcome.joined.presence : undefined;
        const { topic } = part;
        if (presence) this.#tell(manner.context.socket, PRESENCE, { topic, ...presence } satisfies PresenceChange);
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
      const known = this.#sockets.get(socket.id);
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
      return this.#part(topic, entry ?? this.#entry(socket.id, topic), matched, request);
    } catch (error) {
      return { error };
    }
  }

  #part(
    topic: string,
    entry: Entry,
    matched: MatchedTopic<App>,
    { known, shared, ...said }: Part<App>["said"] & { known?: PresenceVersion | undefined; shared?: string },
  ): Part<App> {
    const before = entry.attempts.at(-1);
    const attempt = new Attempt(before, shared);
    entry.attempts = [...entry.attempts, attempt];
    if (entry.state === "out") entry.state = "asking";
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

  /**
   * Takes topics from the question to the answer. Never rejects: what fails is in the part.
   *
   * @param besides what else has to be there before the answer
   * @param answer says the outcomes, in the turn in which they hold; false if nobody hears them
   */
  async #run(
    manner: Manner<App>,
    parts: readonly Part<App>[],
    besides: readonly Promise<unknown>[],
    answer: () => boolean,
  ): Promise<void> {
    const unwatch = whenAborted(manner.context, (reason) => {
      for (const part of parts) this.#giveUp(manner, part, reason);
    });
    await Promise.all([...parts.map((part) => this.#decide(manner, part)), ...besides]);
    await this.#enter(manner, parts);
    // Nothing is awaited between the state of presence and the answer: what changes after this arrives after it.
    const joined = new Map(decided(parts).map((part) => [part, this.#joinedOf(part)]));
    for (const [part, value] of joined) part.attempt.joined = value;
    const heard = answer();
    for (const part of joined.keys()) {
      if (heard) this.#admitted(part);
      else this.#fail(manner, part, withoutStack("TIMEOUT", "no answer in time"));
    }
    unwatch();
    for (const part of parts) this.#over(manner.context.socket, part);
  }

  async #decide(manner: Manner<App>, part: Part<App>): Promise<void> {
    const { socket } = manner.context;
    const { attempt, before, matched, said } = part;
    try {
      // One after the other, so that the last answer is the state the socket is in.
      if (before) await attempt.wait(before.ended);
      check(attempt, socket);
      const input = "raw" in said ? await attempt.wait(validated(matched, said.raw)) : said.input;
      check(attempt, socket);
      // A session that was rotated while the policy thought is asked about anew; whose user changed is cancelled.
      do part.verdict = await this.#ask(manner, part, input);
      while (part.verdict.session !== this.#options.identityOf(socket).session);
    } catch (error) {
      this.#fail(manner, part, error);
    }
  }

  async #ask(manner: Manner<App>, part: Part<App>, input: unknown): Promise<Verdict<App>> {
    const { socket } = manner.context;
    const { topic, entry, attempt, matched } = part;
    const { definition, params } = matched;
    const context = new JoinContext<App>(manner.context, topic, this.#options.identityOf(socket));
    const answer = definition.join === undefined ? true : definition.join(context, params, input);
    // Once: there are thenables that ask their database at each `then`.
    const asked = isThenable(answer) ? Promise.resolve(answer) : answer;
    if (isIn(entry)) this.#heed(socket, topic, entry, attempt, asked);
    const grant = await attempt.wait(asked);
    if (grant === false) throw notAllowed();
    const variant = await attempt.wait(definition.variant?.(context, params, input));
    if (variant !== undefined && (typeof variant !== "string" || variant === ""))
      throw new TypeError(`topic "${topic}": variant must be a non-empty string, got ${describeValue(variant)}`);
    const describe = presenceInfoOf(definition.presence);
    const info = describe && (await attempt.wait(describe(context, params, input)));
    check(attempt, socket);
    const { user, session } = context;
    return { socket, matched, input, grant: grant === undefined ? true : grant, user, session, context, variant, info };
  }

  async #enter(manner: Manner<App>, parts: readonly Part<App>[]): Promise<void> {
    const { socket } = manner.context;
    const entering: Entering[] = [];
    for (const { topic, attempt, verdict } of decided(parts)) {
      // Who asks from here on needs a snapshot that is taken from here on.
      attempt.shared = undefined;
      const still = (): boolean => attempt.cancelled === undefined && socket.connected;
      entering.push({ topic, variant: verdict.variant, still });
    }
    if (entering.length === 0) return;
    const entered = this.#entered(socket, entering, manner.at);
    // Each for itself: a log that can't be read keeps nobody beyond the time limit.
    const waiting = decided(parts).map(async (part) => {
      try {
        await part.attempt.wait(entered);
      } catch (error) {
        this.#fail(manner, part, error);
      }
    });
    await Promise.all(waiting);
    // Those that fail leave in the turn of the answer: a client that reads positions is in until it hears of it.
    const failures = await Promise.all(decided(parts).map((part) => this.#snapshot(manner, part)));
    for (const fail of failures) fail?.();
  }

  async #entered(socket: AppSocket<App>, entering: readonly Entering[], at: At): Promise<void> {
    await this.#options.entrance.enter(socket, entering, at);
  }

  async #snapshot(manner: Manner<App>, part: Decided<App>): Promise<(() => void) | undefined> {
    const { attempt, matched, verdict } = part;
    const { definition, params } = matched;
    try {
      check(attempt, manner.context.socket);
      part.snapshot = await attempt.wait(definition.snapshot?.(verdict.context, params, verdict.input));
      check(attempt, manner.context.socket);
      const parser = parserOf(verdict.socket.nsp.server);
      const reason = undecodable(part.snapshot, parser);
      if (reason !== undefined) throw new TypeError(`the snapshot of topic "${part.topic}" can't be sent: ${reason}`);
      // It is sent in lists, beside that of others and beside any snapshot.
      const crowd = undecodable([new Uint8Array(1), Array(LIKE_A_LIST).fill(verdict.info)], parser);
      if (crowd !== undefined)
        throw new TypeError(`the presence info of topic "${part.topic}" can't be sent in a list of members: ${crowd}`);
      return undefined;
    } catch (error) {
      return () => this.#fail(manner, part, error);
    }
  }

  #joinedOf({ topic, entry, matched, known, verdict, snapshot }: Part<App>): Joined {
    const joined: Joined = snapshot === undefined ? {} : { snapshot };
    if (matched.definition.presence && verdict) joined.presence = this.#present(topic, entry, verdict, known);
    return joined;
  }

  #admitted({ topic, entry, attempt, verdict }: Part<App>): void {
    entry.state = "in";
    // What is kept holds on to nothing that only the join needed.
    const { socket, matched, input, grant, user, session } = verdict as Verdict<App>; // it was decided
    // Of another application's type here, since what is in a map can't say whose it is; it is given back to its own definition alone.
    entry.admission = { socket, matched, input, grant, user, session } as unknown as Admission<never>;
    entry.verdicts++;
    const told = { socket, topic, grant: entry.admission.grant, user, session };
    this.#guarded("granted", told, () => matched.definition.granted?.(told, matched.params));
    attempt.succeed();
  }

  #fail(manner: Manner<App>, part: Part<App>, error: unknown): void {
    const { socket } = manner.context;
    const { topic, entry, attempt } = part;
    part.verdict = undefined;
    part.error = error;
    if (attempt.cancelled === undefined && !(isIn(entry) && manner.keeps(error)))
      return this.#refuse(socket, topic, entry, error);
    // Whoever cancelled the attempt has seen to it already, but perhaps before the room was entered.
    if (entry.state === "suspended") this.#options.entrance.suspend(socket, topic);
    else if (entry.state !== "in" && entry.state !== "recovered") this.#options.entrance.leave(socket, topic);
  }

  #over(socket: AppSocket<App>, { topic, entry, attempt, error }: Part<App>): void {
    entry.attempts = entry.attempts.length === 1 ? NONE : entry.attempts.filter((other) => other !== attempt);
    attempt.fail(error);
    this.#forget(socket.id, topic, entry);
  }

  #present(topic: string, entry: Entry, { socket, user, info }: Verdict<App>, known?: PresenceVersion): PresenceNews {
    const { presence } = this.#options;
    if (entry.present !== user) this.#absent(topic, entry, socket.id, true);
    if (user !== undefined) {
      entry.present = user;
      presence.enter(topic, user, socket.id, info);
    }
    return presence.answer(topic, known);
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

  /** As they are now. */
  #entriesOf(socketId: string): [topic: string, entry: Entry][] {
    return [...(this.#sockets.get(socketId) ?? NOTHING)];
  }

  #entry(socketId: string, topic: string): Entry {
    let entries = this.#sockets.get(socketId);
    const known = entries?.get(topic);
    if (known) return known;
    const entry: Entry = { state: "asking", admission: undefined, verdicts: 0, attempts: NONE, present: undefined };
    if (entries === NOTHING) this.#sockets.set(socketId, (entries = new Map()));
    entries?.set(topic, entry);
    return entry;
  }

  #forget(socketId: string, topic: string, entry: Entry): void {
    // An attempt under way keeps its entry; it removes it when it sees that it was refused.
    if (isIn(entry) || entry.attempts.length > 0) return;
    const entries = this.#sockets.get(socketId);
    if (entries?.get(topic) === entry) entries.delete(topic);
  }

  #cancel(entry: Entry, cancelled: Cancelled): void {
    for (const attempt of entry.attempts) attempt.cancel(cancelled);
  }

  /** Who stays in although the policy took too long is out if that says no after all, unless it has said yes to another attempt. */
  #heed(socket: AppSocket<App>, topic: string, entry: Entry, attempt: Attempt, asked: unknown): void {
    const { verdicts } = entry;
    const refused = (error: unknown): void => {
      // Given up by the clock, and by nobody else.
      if (attempt.cancelled === undefined || !isPassing(attempt.cancelled)) return;
      if (!isIn(entry) || entry.verdicts !== verdicts) return;
      if (!isPassing(error)) this.#refuse(socket, topic, entry, error);
    };
    Promise.resolve(asked).then((answer) => {
      if (answer === false) refused(notAllowed());
    }, refused);
  }

  /** Time is up, or the client is gone: nobody waits for the policy any longer. */
  #giveUp(manner: Manner<App>, { topic, entry, attempt }: Part<App>, reason: unknown): void {
    const { code, message } = isEventError(reason) ? reason : withoutStack("TIMEOUT", "no answer in time");
    const cancelled = new Cancelled(code, message);
    attempt.cancel(cancelled);
    if (!(isIn(entry) && manner.keeps(cancelled))) this.#refuse(manner.context.socket, topic, entry, cancelled);
  }

  #undeclared(socket: AppSocket<App>, topic: string, entry: Entry): void {
    const refusal = new Cancelled("FORBIDDEN", undeclared().message);
    this.#cancel(entry, refusal);
    this.#refuse(socket, topic, entry, refusal);
  }

  #refuse(socket: AppSocket<App>, topic: string, entry: Entry, error: unknown): void {
    const was = isIn(entry);
    const at = this.#out(socket, topic, entry, "refused");
    if (!was || !socket.connected) return;
    const { code, message } = isEventError(error) ? error : withoutStack("INTERNAL", "the server failed");
    this.#tellEvicted(socket, { topic, code, message }, at);
  }

  /** Returns until where the socket has the topic's pushes, if it reads positions. */
  #out(socket: AppSocket<App>, topic: string, entry: Entry, reason: LeftReason): Position | undefined {
    const at = this.#options.entrance.leave(socket, topic);
    this.#absent(topic, entry, socket.id, true);
    this.#end(topic, entry, reason);
    this.#forget(socket.id, topic, entry);
    return at;
  }

  #tellEvicted(socket: AppSocket<App>, evicted: Omit<Evicted, "at">, at: Position | undefined): void {
    this.#evicted++;
    this.#tell(socket, EVICTED, { ...evicted, ...(at && { at }) } satisfies Evicted);
  }

  /** The admission, if there is one, is over. */
  #end(topic: string, entry: Entry, reason: LeftReason): void {
    const admission = entry.admission as Admission<App> | undefined;
    entry.state = "out";
    entry.admission = undefined;
    if (!admission) return;
    const { socket, user, session, grant, matched } = admission;
    const told = { socket, user, session, topic, reason, grant };
    this.#guarded("left", told, () => matched.definition.left?.(told, matched.params));
  }

  /** Tells a topic's own function something that nothing waits for. */
  #guarded(name: "granted" | "left", told: { topic: string; reason?: LeftReason }, fn: () => unknown): void {
    const { topic, reason } = told;
    const failed = (error: unknown): void =>
      this.#options.log.error(
        { err: printable(error), topic, ...(reason && { reason }) },
        `\`${name}\` of a topic failed`,
      );
    try {
      const result = fn();
      if (isThenable(result)) Promise.resolve(result).catch(failed);
    } catch (error) {
      failed(error);
    }
  }

  #absent(topic: string, entry: Entry, socketId: string, now: boolean): void {
    if (entry.present === undefined) return;
    this.#options.presence.exit(topic, entry.present, socketId, now);
    entry.present = undefined;
  }

  #tell(socket: AppSocket<App>, event: string, payload: unknown): void {
    // The application's types say what it sends; our own events are none of them.
    (socket as unknown as { emit(event: string, payload: unknown): void }).emit(event, payload);
  }
}

/**
 * Calls back when the event is given up, unless that is ended before. A signal is half of what a topic takes of memory, so it is read only
 * if the answer is not there by the next turn.
 *
 * @returns the function that ends it
 */
function whenAborted(context: { readonly signal: AbortSignal }, fn: (reason: unknown) => void): () => void {
  let signal: AbortSignal | undefined;
  const abort = (): void => fn(signal?.reason);
  const next = setImmediate(() => {
    signal = context.signal;
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort);
  });
  return () => {
    clearImmediate(next);
    signal?.removeEventListener("abort", abort);
  };
}

/** Whether its client thinks that it is in. */
function isIn({ state }: Entry): boolean {
  return state === "in" || state === "suspended" || state === "recovered";
}

function decided<App extends AppServer>(parts: readonly Part<App>[]): Decided<App>[] {
  return parts.filter((part): part is Decided<App> => part.verdict !== undefined);
}

function resultOf<App extends AppServer>(part: Part<App> | { readonly error: unknown }): Outcome {
  const joined = "attempt" in part ? part.attempt.joined : undefined;
  return joined === undefined ? { error: part.error } : { joined };
}

async function outcomeOf(attempt: Attempt): Promise<Outcome> {
  try {
    return { joined: await attempt.answer };
  } catch (error) {
    return { error };
  }
}

/** What a join says, as the topic takes it. @throws EventError `INVALID_INPUT` if it does not fit */
async function validated(
  { definition }: { readonly definition: Pick<TopicDefinition, "input"> },
  raw: unknown,
): Promise<unknown> {
  if (definition.input === undefined) return undefined;
  const result = await definition.input["~standard"].validate(raw);
  if (result.issues !== undefined) throw invalidInput(readIssues(result.issues));
  return result.value;
}

function check({ cancelled }: Attempt, { connected }: { readonly connected: boolean }): void {
  if (cancelled) throw cancelled;
  if (!connected) throw withoutStack("CONFLICT", "the connection ended");
}

function notAllowed(): EventError {
  return withoutStack("FORBIDDEN", "you may not join this topic");
}

function undeclared(): EventError {
  return withoutStack("FORBIDDEN", "this topic can't be joined");
}

/** Whether a refusal passes; what was not meant for the client is `INTERNAL`. */
function isPassing(thrown: unknown): boolean {
  return passes(isEventError(thrown) ? thrown.code : "INTERNAL");
}
