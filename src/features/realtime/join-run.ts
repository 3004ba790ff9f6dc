import type { EventContext } from "../../events/event-context.js";
import type { AppServer, AppSocket } from "../../events/subscriber.js";
import { passes } from "../../wire/codes.js";
import { type EventError, isEventError, withoutStack } from "../../wire/event-error.js";
import { invalidInput, readIssues } from "../../wire/schema.js";
import { parserOf, undecodable } from "../../wire/sendable.js";
import { describeValue, isThenable } from "../../wire/values.js";
import { type Attempt, Cancelled } from "./attempt.js";
import type { Identity } from "./identity.js";
import { type Admission, type Entry, isIn, type JoinEntries } from "./join-entries.js";
import type { At } from "./join-request.js";
import { presenceInfoOf } from "./presence-settings.js";
import type { Joined, PresenceVersion } from "./protocol.js";
import { JoinContext } from "./topic-context.js";
import type { Entrance, Entering } from "./topic-rooms.js";
import type { MatchedTopic, TopicDefinition } from "./topics.js";

/** What became of one topic of a join. */
export type Outcome = { readonly joined: Joined } | { readonly error: unknown };

/** One topic of a join, on its way to an answer. */
export interface Part<App extends AppServer> {
  readonly topic: string;
  readonly entry: Readonly<Entry>;
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

/** How the topics of a join, or those of a review, are decided. */
export interface Manner<App extends AppServer> {
  readonly context: EventContext<App>;
  readonly at: At;
  /** Whether a socket that was in before stays in after this error. */
  readonly keeps: (error: unknown) => boolean;
}

/** What a {@link JoinRun} works with. */
export interface JoinRunOptions<App extends AppServer> {
  readonly entrance: Entrance<App>;
  readonly identityOf: (socket: AppSocket<App>) => Identity;
}

/** So many copies of what is told about a member stand for a list of members when it is asked whether a client takes one. */
const LIKE_A_LIST = 11;

/**
 * The run of one socket's topics from the question to the answer: their policies are asked beside each other, those that say yes are
 * entered in one turn, their snapshots are read, and all are answered together.
 */
export class JoinRun<App extends AppServer> {
  readonly #options: JoinRunOptions<App>;
  readonly #entries: JoinEntries<App>;
  readonly #manner: Manner<App>;
  readonly #socket: AppSocket<App>;

  constructor(options: JoinRunOptions<App>, entries: JoinEntries<App>, manner: Manner<App>) {
    this.#options = options;
    this.#entries = entries;
    this.#manner = manner;
    this.#socket = manner.context.socket;
  }

  /**
   * Takes topics from the question to the answer. Never rejects: what fails is in the part.
   *
   * @param besides what else has to be there before the answer
   * @param answer says the outcomes, in the turn in which they hold; false if nobody hears them
   */
  async run(parts: readonly Part<App>[], besides: readonly Promise<unknown>[], answer: () => boolean): Promise<void> {
    const unwatch = whenAborted(this.#manner.context, (reason) => {
      for (const part of parts) this.#giveUp(part, reason);
    });
    await Promise.all([...parts.map((part) => this.#decide(part)), ...besides]);
    await this.#enter(parts);
    // Nothing is awaited between the state of presence and the answer: what changes after this arrives after it.
    const joined = new Map(decided(parts).map((part) => [part, this.#joinedOf(part)]));
    for (const [part, value] of joined) part.attempt.joined = value;
    const heard = answer();
    for (const part of joined.keys()) {
      if (heard) this.#letIn(part);
      else this.#fail(part, withoutStack("TIMEOUT", "no answer in time"));
    }
    unwatch();
    for (const { topic, entry, attempt, error } of parts) {
      this.#entries.finish(this.#socket.id, topic, entry, attempt);
      attempt.fail(error);
    }
  }

  async #decide(part: Part<App>): Promise<void> {
    const { attempt, before, matched, said } = part;
    try {
      // One after the other, so that the last answer is the state the socket is in.
      if (before) await attempt.wait(before.ended);
      check(attempt, this.#socket);
      const input = "raw" in said ? await attempt.wait(validated(matched, said.raw)) : said.input;
      check(attempt, this.#socket);
      // A session that was rotated while the policy thought is asked about anew; whose user changed is cancelled.
      do part.verdict = await this.#ask(part, input);
      while (part.verdict.session !== this.#options.identityOf(this.#socket).session);
    } catch (error) {
      this.#fail(part, error);
    }
  }

  async #ask(part: Part<App>, input: unknown): Promise<Verdict<App>> {
    const socket = this.#socket;
    const { topic, entry, attempt, matched } = part;
    const { definition, params } = matched;
    const context = new JoinContext<App>(this.#manner.context, topic, this.#options.identityOf(socket));
    const answer = definition.join === undefined ? true : definition.join(context, params, input);
    // Once: there are thenables that ask their database at each `then`.
    const asked = isThenable(answer) ? Promise.resolve(answer) : answer;
    if (isIn(entry)) this.#heed(part, asked);
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

  /** Who stays in although the policy took too long is out if that says no after all, unless it has said yes to another attempt. */
  #heed({ topic, entry, attempt }: Part<App>, asked: unknown): void {
    // Without `this`: a policy that never answers would keep the whole run.
    const [entries, socket] = [this.#entries, this.#socket];
    const { verdicts } = entry;
    const refused = (error: unknown): void => {
      // Given up by the clock, and by nobody else.
      if (attempt.cancelled === undefined || !isPassing(attempt.cancelled)) return;
      if (!isIn(entry) || entry.verdicts !== verdicts) return;
      if (!isPassing(error)) entries.refuse(socket, topic, entry, error);
    };
    Promise.resolve(asked).then((answer) => {
      if (answer === false) refused(notAllowed());
    }, refused);
  }

  async #enter(parts: readonly Part<App>[]): Promise<void> {
    const entering: Entering[] = [];
    for (const { topic, attempt, verdict } of decided(parts)) {
      // Who asks from here on needs a snapshot that is taken from here on.
      attempt.shared = undefined;
      const still = (): boolean => attempt.cancelled === undefined && this.#socket.connected;
      entering.push({ topic, variant: verdict.variant, still });
    }
    if (entering.length === 0) return;
    const entered = this.#entered(entering);
    // Each for itself: a log that can't be read keeps nobody beyond the time limit.
    const waiting = decided(parts).map(async (part) => {
      try {
        await part.attempt.wait(entered);
      } catch (error) {
        this.#fail(part, error);
      }
    });
    await Promise.all(waiting);
    // Those that fail leave in the turn of the answer: a client that reads positions is in until it hears of it.
    const failures = await Promise.all(decided(parts).map((part) => this.#snapshot(part)));
    for (const fail of failures) fail?.();
  }

  async #entered(entering: readonly Entering[]): Promise<void> {
    await this.#options.entrance.enter(this.#socket, entering, this.#manner.at);
  }

  async #snapshot(part: Decided<App>): Promise<(() => void) | undefined> {
    const { attempt, matched, verdict } = part;
    const { definition, params } = matched;
    try {
      check(attempt, this.#socket);
      part.snapshot = await attempt.wait(definition.snapshot?.(verdict.context, params, verdict.input));
      check(attempt, this.#socket);
      const parser = parserOf(this.#socket.nsp.server);
      const reason = undecodable(part.snapshot, parser);
      if (reason !== undefined) throw new TypeError(`the snapshot of topic "${part.topic}" can't be sent: ${reason}`);
      // It is sent in lists, beside that of others and beside any snapshot.
      const crowd = undecodable([new Uint8Array(1), Array(LIKE_A_LIST).fill(verdict.info)], parser);
      if (crowd !== undefined)
        throw new TypeError(`the presence info of topic "${part.topic}" can't be sent in a list of members: ${crowd}`);
      return undefined;
    } catch (error) {
      return () => this.#fail(part, error);
    }
  }

  #joinedOf({ topic, entry, matched, known, verdict, snapshot }: Decided<App>): Joined {
    const joined: Joined = snapshot === undefined ? {} : { snapshot };
    if (matched.definition.presence) joined.presence = this.#entries.present(topic, entry, verdict, known);
    return joined;
  }

  #letIn({ topic, entry, attempt, verdict }: Decided<App>): void {
    this.#entries.letIn(topic, entry, verdict);
    attempt.succeed();
  }

  #fail(part: Part<App>, error: unknown): void {
    const { topic, entry, attempt } = part;
    part.verdict = undefined;
    part.error = error;
    if (attempt.cancelled === undefined && !(isIn(entry) && this.#manner.keeps(error)))
      return this.#entries.refuse(this.#socket, topic, entry, error);
    // Whoever cancelled the attempt has seen to it already, but perhaps before the room was entered.
    this.#entries.keepOut(this.#socket, topic, entry);
  }

  /** Time is up, or the client is gone: nobody waits for the policy any longer. */
  #giveUp({ topic, entry, attempt }: Part<App>, reason: unknown): void {
    const { code, message } = isEventError(reason) ? reason : withoutStack("TIMEOUT", "no answer in time");
    const cancelled = new Cancelled(code, message);
    attempt.cancel(cancelled);
    if (!(isIn(entry) && this.#manner.keeps(cancelled))) this.#entries.refuse(this.#socket, topic, entry, cancelled);
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

function decided<App extends AppServer>(parts: readonly Part<App>[]): Decided<App>[] {
  return parts.filter((part): part is Decided<App> => part.verdict !== undefined);
}

/** What became of a part, once it is run; or of a topic that was refused before. */
export function resultOf<App extends AppServer>(part: Part<App> | { readonly error: unknown }): Outcome {
  const joined = "attempt" in part ? part.attempt.joined : undefined;
  return joined === undefined ? { error: part.error } : { joined };
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

/** Whether a refusal passes; what was not meant for the client is `INTERNAL`. */
export function isPassing(thrown: unknown): boolean {
  return passes(isEventError(thrown) ? thrown.code : "INTERNAL");
}
