import type { AppServer, AppSocket } from "../../events/subscriber.js";
import type { Logger } from "../../lifecycle/logger.js";
import type { Position } from "../../push/topic-log.js";
import { isEventError, withoutStack } from "../../wire/event-error.js";
import { isThenable, printable } from "../../wire/values.js";
import { Attempt, Cancelled } from "./attempt.js";
import type { Identity } from "./identity.js";
import type { PresenceSync } from "./presence-sync.js";
import { EVICTED, type Evicted, type PresenceNews, type PresenceVersion } from "./protocol.js";
import type { LeftReason } from "./topic-context.js";
import type { Entrance } from "./topic-rooms.js";
import type { MatchedTopic } from "./topics.js";

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
export interface Entry {
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
export interface Admission<App extends AppServer> extends Identity {
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

/** What {@link JoinEntries} work with. */
export interface JoinEntriesOptions<App extends AppServer> {
  readonly entrance: Entrance<App>;
  readonly presence: PresenceSync;
  readonly log: Logger;
}

/**
 * The entries of all sockets of this node. An entry is changed by a method of this class alone, which sees to all that the change brings
 * with it: the room, presence, what the topic's own functions and the client are told.
 */
export class JoinEntries<App extends AppServer> {
  readonly #options: JoinEntriesOptions<App>;
  readonly #sockets = new Map<string, Entries>();
  #evicted = 0;

  constructor(options: JoinEntriesOptions<App>) {
    this.#options = options;
  }

  /** How many topics were taken away from clients that were told so. */
  get evicted(): number {
    return this.#evicted;
  }

  /** The sockets that are there. */
  sockets(): Iterable<string> {
    return this.#sockets.keys();
  }

  /** The entries of a socket, by topic; `undefined` if it is not there. */
  of(socketId: string): ReadonlyMap<string, Readonly<Entry>> | undefined {
    return this.#sockets.get(socketId);
  }

  /** The same as they are now, whatever becomes of them meanwhile. */
  copyOf(socketId: string): [topic: string, entry: Readonly<Entry>][] {
    return [...(this.#sockets.get(socketId) ?? NOTHING)];
  }

  /** The entry of a socket and a topic, made if there is none; kept only if the socket is there. */
  open(socketId: string, topic: string): Readonly<Entry> {
    let entries = this.#sockets.get(socketId);
    const known = entries?.get(topic);
    if (known) return known;
    const entry: Entry = { state: "asking", admission: undefined, verdicts: 0, attempts: NONE, present: undefined };
    if (entries === NOTHING) this.#sockets.set(socketId, (entries = new Map()));
    entries?.set(topic, entry);
    return entry;
  }

  /** A socket is there from now on. */
  admit(socketId: string): void {
    if (!this.#sockets.has(socketId)) this.#sockets.set(socketId, NOTHING);
  }

  /** A socket is gone. */
  drop(socketId: string): void {
    const entries = this.#sockets.get(socketId) ?? NOTHING;
    this.#sockets.delete(socketId);
    for (const [topic, entry] of [...entries]) {
      this.cancel(entry, new Cancelled("CONFLICT", "the connection ended"));
      this.#absent(topic, entry, socketId, false);
      // What a policy still says of this life is not to be heeded in the next one.
      this.#end(topic, entry, "disconnected");
    }
  }

  /** Forgets every socket, telling no client. Returns what the clients would have to be told. */
  clear(): Map<AppSocket<App>, Evicted[]> {
    const sockets = [...this.#sockets.values()];
    this.#sockets.clear();
    const left = new Map<AppSocket<App>, Evicted[]>();
    for (const entries of sockets) {
      for (const [topic, entry] of entries) {
        this.cancel(entry, new Cancelled("SHUTTING_DOWN", "the server is going away"));
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

  /** An attempt begins; its turn is after those that began before it. */
  begin(entry: Entry, shared: string | undefined): Attempt {
    const attempt = new Attempt(entry.attempts.at(-1), shared);
    entry.attempts = [...entry.attempts, attempt];
    if (entry.state === "out") entry.state = "asking";
    return attempt;
  }

  /** Whatever is asked about an entry comes to nothing. */
  cancel(entry: Readonly<Entry>, cancelled: Cancelled): void {
    for (const attempt of entry.attempts) attempt.cancel(cancelled);
  }

  /** An attempt is over. */
  finish(socketId: string, topic: string, entry: Entry, attempt: Attempt): void {
    entry.attempts = entry.attempts.length === 1 ? NONE : entry.attempts.filter((other) => other !== attempt);
    this.#forget(socketId, topic, entry);
  }

  /** The policy's yes holds from now on: to `in`. */
  letIn(topic: string, entry: Entry, { socket, matched, input, grant, user, session }: Admission<App>): void {
    entry.state = "in";
    // What is kept holds on to nothing that only the join needed.
    // Of another application's type here, since what is in a map can't say whose it is; it is given back to its own definition alone.
    entry.admission = { socket, matched, input, grant, user, session } as unknown as Admission<never>;
    entry.verdicts++;
    const told = { socket, topic, grant, user, session };
    this.#guarded("granted", told, () => matched.definition.granted?.(told, matched.params));
  }

  /** It is in the room, and nobody of this life has let it in: to `recovered`, unless its client thinks that it is in anyway. */
  recover(entry: Entry): void {
    if (!isIn(entry)) entry.state = "recovered";
  }

  /** Its user changes, and a review follows: to `suspended`, or to `out` if it was not in. */
  disown(socket: AppSocket<App>, topic: string, entry: Entry): void {
    this.cancel(entry, new Cancelled("CONFLICT", "the user of this connection changed meanwhile"));
    entry.verdicts++; // what was asked before was asked for somebody else
    if (isIn(entry)) {
      entry.state = "suspended";
      this.#options.entrance.suspend(socket, topic);
      this.#absent(topic, entry, socket.id, true);
    } else this.out(socket, topic, entry, "refused");
  }

  /** It is not let in, or not any longer: to `out`, and a client that thinks it is in is told why. */
  refuse(socket: AppSocket<App>, topic: string, entry: Entry, error: unknown): void {
    const was = isIn(entry);
    const at = this.out(socket, topic, entry, "refused");
    if (!was || !socket.connected) return;
    const { code, message } = isEventError(error) ? error : withoutStack("INTERNAL", "the server failed");
    this.#tellEvicted(socket, { topic, code, message }, at);
  }

  /** It is taken away from the user: to `out`, whatever is asked. Returns whether the client thought it was in, and so was told. */
  evict(socket: AppSocket<App>, topic: string, entry: Entry, code: string, message: string): boolean {
    this.cancel(entry, new Cancelled(code, message));
    const was = isIn(entry);
    const at = this.out(socket, topic, entry, "evicted");
    if (was) this.#tellEvicted(socket, { topic, code, message }, at);
    return was;
  }

  /** To `out`. Returns until where the socket has the topic's pushes, if it reads positions. */
  out(socket: AppSocket<App>, topic: string, entry: Entry, reason: LeftReason): Position | undefined {
    const at = this.#options.entrance.leave(socket, topic);
    this.#absent(topic, entry, socket.id, true);
    this.#end(topic, entry, reason);
    this.#forget(socket.id, topic, entry);
    return at;
  }

  /** Takes a socket out of the room again if its state is one that is not in there: an attempt may have entered it meanwhile. */
  keepOut(socket: AppSocket<App>, topic: string, entry: Readonly<Entry>): void {
    if (entry.state === "suspended") this.#options.entrance.suspend(socket, topic);
    else if (entry.state !== "in" && entry.state !== "recovered") this.#options.entrance.leave(socket, topic);
  }

  /** Counts a socket's user as present. Returns what one is answered who joins and knows this version, if any. */
  present(
    topic: string,
    entry: Entry,
    { socket, user, info }: Pick<Admission<App>, "socket" | "user"> & { readonly info: unknown },
    known?: PresenceVersion,
  ): PresenceNews {
    const { presence } = this.#options;
    if (entry.present !== user) this.#absent(topic, entry, socket.id, true);
    if (user !== undefined) {
      entry.present = user;
      presence.enter(topic, user, socket.id, info);
    }
    return presence.answer(topic, known);
  }

  #absent(topic: string, entry: Entry, socketId: string, now: boolean): void {
    if (entry.present === undefined) return;
    this.#options.presence.exit(topic, entry.present, socketId, now);
    entry.present = undefined;
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

  #forget(socketId: string, topic: string, entry: Entry): void {
    // An attempt under way keeps its entry; it removes it when it sees that it was refused.
    if (isIn(entry) || entry.attempts.length > 0) return;
    const entries = this.#sockets.get(socketId);
    if (entries?.get(topic) === entry) entries.delete(topic);
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

  #tellEvicted(socket: AppSocket<App>, evicted: Omit<Evicted, "at">, at: Position | undefined): void {
    this.#evicted++;
    tell(socket, EVICTED, { ...evicted, ...(at && { at }) } satisfies Evicted);
  }
}

/** Whether its client thinks that it is in. */
export function isIn({ state }: Readonly<Entry>): boolean {
  return state === "in" || state === "suspended" || state === "recovered";
}

/** Sends a client one of our own events. */
export function tell<App extends AppServer>(socket: AppSocket<App>, event: string, payload: unknown): void {
  // The application's types say what it sends; our own events are none of them.
  (socket as unknown as { emit(event: string, payload: unknown): void }).emit(event, payload);
}
