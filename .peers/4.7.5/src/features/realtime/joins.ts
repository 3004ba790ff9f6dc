import { passes } from "../../wire/codes.js";
import { isThenable } from "../../wire/values.js";
import type { Server } from "socket.io";
import type { EventContext } from "../../events/event-context.js";
import type { AppServer, AppSocket } from "../../events/subscriber.js";
import type { Logger } from "../../lifecycle/logger.js";
import { EventError, isEventError } from "../../wire/event-error.js";
import { unsendable } from "../../push/encodable.js";
import type { PresenceSync } from "./presence-sync.js";
import { EVICTED, PRESENCE, type Evicted, type Joined, type Member, type PresenceChange } from "./protocol.js";
import { idsOf, moveRooms, roomOf } from "../../push/rooms.js";
import type { MatchedTopic, Topics } from "./topics.js";

/** Something came between a socket and its admission, and has put everything else in order. */
class Cancelled extends EventError {}

/** A socket asking for a topic, while its policy thinks. */
class Attempt {
  cancelled: Cancelled | undefined = undefined;
  #reject: (cancelled: Cancelled) => void = () => undefined;
  readonly #cancelling: Promise<never>;

  constructor() {
    this.#cancelling = new Promise((_, reject) => (this.#reject = reject));
    this.#cancelling.catch(() => undefined); // whoever waits hears of it
  }

  /** It comes to nothing, whatever the policy still says. */
  cancel(cancelled: Cancelled): void {
    if (this.cancelled !== undefined) return;
    this.cancelled = cancelled;
    this.#reject(cancelled);
  }

  /** Waits for this, but no longer than until the attempt is cancelled. */
  wait<T>(value: T): Promise<Awaited<T>> {
    return Promise.race([value, this.#cancelling]);
  }
}

/** What one socket has to do with one topic. */
interface Entry {
  /** In the room, admitted or about to be. */
  joined: boolean;
  /** Told so. */
  admitted: boolean;
  /** How often it was. */
  admissions: number;
  /** Under way or waiting; the one that came first is asked first. */
  readonly attempts: Set<Attempt>;
  /** Settles with the last of the attempts. */
  tail: Promise<unknown> | undefined;
  /** The user it counts for in presence. */
  present: string | undefined;
}

type Entries = Map<string, Entry>;

/** What sockets have to do with topics until they join one: most connections of a server may never do. Never written to. */
const NOTHING: Entries = new Map();

/** Answers a join; false if nobody waits for it any more. */
export type Answer = (joined: Joined) => boolean;

/** What {@link Joins} works with. */
export interface JoinsOptions<App extends AppServer> {
  readonly topics: Topics<App>;
  readonly presence: PresenceSync;
  readonly topicsPerSocket: number;
  readonly log: Logger;
  readonly userOf: (socket: AppSocket<App>) => string | undefined;
}

/**
 * Who is in which topic on this node. A join takes as long as its policy does; whatever happens meanwhile (the client leaves, the
 * user is evicted or logs out, the connection ends) counts, and the late admission does not.
 */
export class Joins<App extends AppServer = Server> {
  readonly #options: JoinsOptions<App>;
  readonly #sockets = new Map<string, Entries>();
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

  /** A socket is there from now on. Until then, and after {@link drop}, it can't join. */
  admit(socketId: string): void {
    if (!this.#sockets.has(socketId)) this.#sockets.set(socketId, NOTHING);
  }

  /** A socket is gone. */
  drop(socketId: string): void {
    for (const [topic, entry] of this.#sockets.get(socketId) ?? []) {
      this.#cancel(entry, new Cancelled("CONFLICT", "the connection ended"));
      this.#absent(topic, entry, socketId, false);
      // What a policy still says of this life is not to be heeded in the next one.
      entry.joined = entry.admitted = false;
    }
    this.#sockets.delete(socketId);
  }

  /** Those whose end nobody told of, after which they are gone, too. */
  sweep(isThere: (socketId: string) => boolean): void {
    for (const socketId of this.#sockets.keys()) if (!isThere(socketId)) this.drop(socketId);
  }

  /** Forgets every socket, telling nobody. */
  clear(): void {
    for (const entries of this.#sockets.values()) {
      for (const entry of entries.values()) {
        this.#cancel(entry, new Cancelled("SHUTTING_DOWN", "the server is going away"));
        entry.joined = entry.admitted = false;
      }
    }
    this.#sockets.clear();
  }

  /**
   * Asks the topic's policy and lets the socket in. A socket that is in already stays in if nobody says no: another component of its
   * page may have joined, and what failed for the moment is no verdict on it. If somebody does, it is out, and told so.
   *
   * @param answer called with the answer at the very moment it holds, before anything later is sent to the topic
   * @throws EventError if the topic is unknown, its policy refuses, or something came between
   */
  async join(context: EventContext<App>, topic: string, answer: Answer): Promise<void> {
    try {
      await this.#join(context, topic, answer, isPassing);
      this.#joined++;
    } catch (error) {
      this.#refused++;
      throw error;
    }
  }

  /** Takes a socket out of a topic, and out of the queue for it. */
  leave(socket: AppSocket<App>, topic: string): void {
    const entry = this.#sockets.get(socket.id)?.get(topic);
    if (!entry) return;
    this.#cancel(entry, new Cancelled("CONFLICT", "the topic was left while it was being joined"));
    this.#out(socket, topic, entry, false);
  }

  /**
   * The user of a socket changes: what a policy is still thinking about was asked for somebody else, and whoever it is now hears nothing
   * of a topic before its policy has said yes. A {@link review} follows.
   */
  disown(socket: AppSocket<App>): void {
    for (const topic of idsOf("topic", socket.rooms)) {
      const entry = this.#entry(socket.id, topic);
      if (entry.attempts.size === 0) Object.assign(entry, { joined: true, admitted: true });
    }
    for (const [topic, entry] of [...(this.#sockets.get(socket.id) ?? [])]) {
      this.#cancel(entry, new Cancelled("CONFLICT", "the user of this connection changed meanwhile"));
      if (!entry.admitted) this.#out(socket, topic, entry, true);
      else {
        entry.admissions++; // what was asked before was asked for somebody else
        moveRooms(this.#options.log, () => socket.leave(roomOf("topic", topic)));
        this.#absent(topic, entry, socket.id, true);
      }
    }
  }

  /** Takes a topic, or all of them, away from a socket, and says so to it. Returns whether it had any. */
  evict(socket: AppSocket<App>, topic: string | undefined, code: string, message: string): boolean {
    let had = false;
    for (const [name, entry] of [...(this.#sockets.get(socket.id) ?? [])]) {
      if (topic !== undefined && name !== topic) continue;
      this.#cancel(entry, new Cancelled(code, message));
      const { joined } = entry;
      this.#out(socket, name, entry, true);
      if (!joined) continue;
      had = true;
      this.#evicted++;
      this.#tell(socket, EVICTED, { topic: name, code, message } satisfies Evicted);
    }
    return had;
  }

  /**
   * Asks the policies again about every topic a socket is in, since much may have changed: its user, or everything while a
   * recovered connection was away. What is not allowed now, for whatever reason, is taken away. Presence is sent anew where differences
   * may be missing.
   */
  async review(context: EventContext<App>): Promise<void> {
    const { socket } = context;
    if (!socket.connected) return;
    this.admit(socket.id);
    // Its rooms are what a recovered connection brings back; what it was admitted to is what the application may have taken it out of.
    const admitted = [...(this.#sockets.get(socket.id) ?? [])].filter(([, entry]) => entry.admitted);
    const reviewed = new Set([...idsOf("topic", socket.rooms), ...admitted.map(([topic]) => topic)]);
    await Promise.all(
      [...reviewed].map(async (topic) => {
        const entry = Object.assign(this.#entry(socket.id, topic), { joined: true, admitted: true });
        try {
          const tell: Answer = ({ presence }) => {
            // Refused by another attempt meanwhile, and told so.
            if (!entry.admitted) return false;
            if (presence) this.#tell(socket, PRESENCE, { topic, state: presence } satisfies PresenceChange);
            return true;
          };
          await this.#join(context, topic, tell, () => false);
        } catch (error) {
          if (!isEventError(error)) this.#options.log.error({ err: error, topic }, "the policy of a topic failed");
        }
      }),
    );
  }

  /** @param keeps whether a socket that was admitted before stays in after this error */
  async #join(
    context: EventContext<App>,
    topic: string,
    answer: Answer,
    keeps: (error: unknown) => boolean,
  ): Promise<void> {
    const { socket } = context;
    const { topics, topicsPerSocket } = this.#options;
    const known = this.#sockets.get(socket.id);
    if (!known) throw new EventError("CONFLICT", "the connection ended");
    const matched = topics.match(topic);
    if (!matched) {
      const refusal = new Cancelled("FORBIDDEN", "this topic can't be joined");
      const entry = known.get(topic);
      if (entry) {
        this.#cancel(entry, refusal);
        this.#refuse(socket, topic, entry, refusal);
      }
      throw refusal;
    }
    if (!known.has(topic) && known.size >= topicsPerSocket) {
      throw new EventError("CONFLICT", `a connection can join ${topicsPerSocket} topics at once`, {
        details: { max: topicsPerSocket },
      });
    }

    const entry = this.#entry(socket.id, topic);
    const attempt = new Attempt();
    entry.attempts.add(attempt);
    const { signal } = context;
    const abort = (): void => this.#giveUp(socket, topic, entry, attempt, signal.reason, keeps);
    signal.addEventListener("abort", abort);
    if (signal.aborted) abort();
    // One after the other, so that the last answer is the state the socket is in.
    const turn = entry.tail;
    const run = async (): Promise<void> => {
      if (turn) await attempt.wait(turn.catch(() => undefined));
      check(attempt, socket);
      await this.#admit(context, topic, matched, entry, attempt, answer);
    };
    const result = run();
    // Not before the one ahead has ended, even if this one is given up first.
    entry.tail = turn ? Promise.allSettled([turn, result]) : result;
    entry.tail.catch(() => undefined); // told below
    try {
      await result;
    } catch (error) {
      // Whoever cancelled the attempt has seen to it already.
      if (attempt.cancelled === undefined && !(entry.admitted && keeps(error))) {
        this.#refuse(socket, topic, entry, error);
      }
      throw error;
    } finally {
      signal.removeEventListener("abort", abort);
      entry.attempts.delete(attempt);
      if (!entry.joined && entry.attempts.size === 0 && this.#sockets.get(socket.id)?.get(topic) === entry) {
        this.#sockets.get(socket.id)?.delete(topic);
      }
    }
  }

  async #admit(
    context: EventContext<App>,
    topic: string,
    { definition, params }: MatchedTopic<App>,
    entry: Entry,
    attempt: Attempt,
    answer: Answer,
  ): Promise<void> {
    const { socket } = context;
    const verdictOrPromise = definition.join?.(context, params, topic);
    // Once: there are thenables that ask their database at each `then`.
    const asked = isThenable(verdictOrPromise) ? Promise.resolve(verdictOrPromise) : verdictOrPromise;
    if (entry.admitted) this.#heed(socket, topic, entry, attempt, asked);
    const verdict = await attempt.wait(asked);
    if (verdict === false) throw notAllowed();
    const info =
      typeof definition.presence === "function"
        ? await attempt.wait(definition.presence(context, params, topic))
        : undefined;
    check(attempt, socket);

    entry.joined = true;
    await attempt.wait(socket.join(roomOf("topic", topic)));
    let snapshot: unknown = verdict === true ? undefined : verdict;
    if (definition.snapshot) snapshot = await attempt.wait(definition.snapshot(context, params, topic));
    check(attempt, socket);
    const reason = unsendable([snapshot, info]);
    if (reason !== undefined) throw new TypeError(`the snapshot of topic "${topic}" can't be sent: ${reason}`);

    const joined: Joined = snapshot === undefined ? {} : { snapshot };
    if (definition.presence) joined.presence = this.#present(topic, entry, socket, info);
    // Nothing is awaited between the state and the answer: what changes after this arrives after it.
    if (!answer(joined)) throw new EventError("TIMEOUT", "no answer in time");
    entry.admitted = true;
    entry.admissions++;
  }

  #present(topic: string, entry: Entry, socket: AppSocket<App>, info: unknown): Member[] {
    const { presence, userOf } = this.#options;
    const user = userOf(socket);
    if (entry.present !== user) this.#absent(topic, entry, socket.id, true);
    if (user !== undefined) {
      entry.present = user;
      presence.enter(topic, user, socket.id, info);
    }
    return presence.list(topic);
  }

  #entry(socketId: string, topic: string): Entry {
    let entries = this.#sockets.get(socketId);
    const known = entries?.get(topic);
    if (known) return known;
    const entry: Entry = {
      joined: false,
      admitted: false,
      admissions: 0,
      attempts: new Set(),
      tail: undefined,
      present: undefined,
    };
    if (entries === NOTHING) this.#sockets.set(socketId, (entries = new Map()));
    entries?.set(topic, entry);
    return entry;
  }

  #cancel(entry: Entry, cancelled: Cancelled): void {
    for (const attempt of entry.attempts) attempt.cancel(cancelled);
  }

  /** Who stays in although the policy took too long is out if that says no after all, unless it has said yes to another attempt. */
  #heed(socket: AppSocket<App>, topic: string, entry: Entry, attempt: Attempt, asked: unknown): void {
    const { admissions } = entry;
    const refused = (error: unknown): void => {
      // Given up by the clock, and by nobody else.
      if (attempt.cancelled === undefined || !isPassing(attempt.cancelled)) return;
      if (!entry.admitted || entry.admissions !== admissions) return;
      if (!isPassing(error)) this.#refuse(socket, topic, entry, error);
    };
    Promise.resolve(asked).then((verdict) => {
      if (verdict === false) refused(notAllowed());
    }, refused);
  }

  /** Time is up, or the client is gone: nobody waits for the policy any longer. */
  #giveUp(
    socket: AppSocket<App>,
    topic: string,
    entry: Entry,
    attempt: Attempt,
    reason: unknown,
    keeps: (error: unknown) => boolean,
  ): void {
    const { code, message } = isEventError(reason) ? reason : new EventError("TIMEOUT", "no answer in time");
    const cancelled = new Cancelled(code, message);
    attempt.cancel(cancelled);
    if (!(entry.admitted && keeps(cancelled))) this.#refuse(socket, topic, entry, cancelled);
  }

  #refuse(socket: AppSocket<App>, topic: string, entry: Entry, error: unknown): void {
    const { admitted } = entry;
    this.#out(socket, topic, entry, true);
    if (!admitted || !socket.connected) return;
    const { code, message } = isEventError(error) ? error : new EventError("INTERNAL", "the server failed");
    this.#evicted++;
    this.#tell(socket, EVICTED, { topic, code, message } satisfies Evicted);
  }

  #out(socket: AppSocket<App>, topic: string, entry: Entry, now: boolean): void {
    entry.joined = false;
    entry.admitted = false;
    moveRooms(this.#options.log, () => socket.leave(roomOf("topic", topic)));
    this.#absent(topic, entry, socket.id, now);
    // An attempt under way keeps its entry; it removes it when it sees that it was refused.
    const entries = this.#sockets.get(socket.id);
    if (entry.attempts.size === 0 && entries?.get(topic) === entry) entries.delete(topic);
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

function check({ cancelled }: Attempt, { connected }: { readonly connected: boolean }): void {
  if (cancelled) throw cancelled;
  if (!connected) throw new EventError("CONFLICT", "the connection ended");
}

function notAllowed(): EventError {
  return new EventError("FORBIDDEN", "you may not join this topic");
}

/** Whether a refusal passes; what was not meant for the client is `INTERNAL`. */
function isPassing(thrown: unknown): boolean {
  return passes(isEventError(thrown) ? thrown.code : "INTERNAL");
}
