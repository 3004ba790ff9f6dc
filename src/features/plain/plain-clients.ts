import type { IncomingMessage } from "node:http";
import type { AppServer, AppSocket } from "../../events/subscriber.js";
import { ClientFaults, writeLog } from "../../lifecycle/log.js";
import { idsOf } from "../../push/rooms.js";
import { isEventError } from "../../wire/event-error.js";
import { isFailure } from "../../wire/failure.js";
import type { Position } from "../../wire/positions.js";
import { type Awaitable, isThenable, printable } from "../../wire/values.js";
import type { Joined } from "../realtime/protocol.js";
import type { EventId } from "./event-id.js";
import { isAlike, type Member } from "./member.js";
import type { Message } from "./message.js";
import { PacketReader } from "./packets.js";
import { goingAway } from "./plain-connection.js";
import type { CheckedPlainOptions } from "./plain-options.js";
import { type Refusal, refusal, refusalOf } from "./refusal.js";
import { Turn } from "./turn.js";

/** One of the clients of a door. */
export interface Seated {
  /** Says something to the client, so that both ends and all between see that it is alive. */
  beat(): void;
}

/** What a client comes for. */
export interface Wish {
  readonly topics: readonly string[];
  /** Whether it comes in all the same if it may not be in these topics, or they are not there. */
  readonly isOptional?: boolean;
  /** Where it was: nothing for a new client, `"unknown"` for one that says what no stream has said. */
  readonly since?: EventId | "unknown" | undefined;
}

/** What became of a {@link Wish}: why it was refused, or what it is told to begin with. */
export type Admission = { readonly refused: Refusal } | Welcome;

/** What a client that was let in is told to begin with. */
export interface Welcome {
  /** The topics that it is in. */
  readonly topics: readonly string[];
  /** What the snapshots of its topics said. */
  readonly snapshots: readonly { readonly topic: string; readonly snapshot: unknown }[];
  /** Topics without a history of which something may have been missed; absent if nothing was. */
  readonly missed: readonly string[] | undefined;
}

/** No log has this epoch: whoever says it is told that it has missed something. */
const TOO_OLD: Position = ["", 0];

/** How long a client that joins nothing is waited for until it is known whose it is; most servers know at once. */
const IDENTITY_MS = 1_000;

/** Any topic: leaving one that a client is not in changes nothing, and is answered when its `connection` subscribers are through. */
const NO_TOPIC = "all";

/** All plain clients of one door: how many there are, whose they are, and that they are alive. */
export class PlainClients<App extends AppServer> {
  readonly io: App;
  readonly options: CheckedPlainOptions;
  readonly reader: PacketReader = new PacketReader();
  readonly turn: Turn = new Turn();
  readonly #seated = new Map<Seated, string | undefined>();
  readonly #perUser = new Map<string, number>();
  readonly #cut: ClientFaults;
  #heart: NodeJS.Timeout | undefined;
  /** The HTTP server that Socket.IO was seen to listen on. */
  #listened: unknown;

  constructor(io: App, options: CheckedPlainOptions) {
    this.io = io;
    this.options = options;
    this.#cut = new ClientFaults(options.log, "plain clients were cut");
  }

  /** Takes a client in, or says why not. */
  seat(client: Seated): Refusal | undefined {
    const { maxStreams, heartbeatMs } = this.options;
    if (this.#isClosed()) return goingAway;
    if (this.#seated.size >= maxStreams) return refusal("OVERLOADED", "there are as many clients as there may be");
    this.#seated.set(client, undefined);
    if (heartbeatMs === Infinity || this.#heart !== undefined) return undefined;
    // One timer for all of them.
    this.#heart = setInterval(() => {
      for (const each of this.#seated.keys()) each.beat();
    }, heartbeatMs);
    this.#heart.unref();
    return undefined;
  }

  /** A client has gone. */
  unseat(client: Seated): void {
    const user = this.#seated.get(client);
    if (user !== undefined) this.#count(user, -1);
    this.#seated.delete(client);
    if (this.#seated.size > 0) return;
    clearInterval(this.#heart);
    this.#heart = undefined;
  }

  /** Lets a client in: `connect` is asked, then its topics, then whether its user has as many as one may have. Never rejects. */
  async admit(client: Seated, member: Member, request: IncomingMessage, wish: Wish): Promise<Admission> {
    try {
      return await this.#admit(client, member, request, wish);
    } catch (thrown) {
      if (!isEventError(thrown))
        writeLog(this.options.log, "error", { err: printable(thrown) }, "a plain client could not be let in");
      return { refused: refusalOf(thrown) };
    }
  }

  /** Asks the application's filter. Never throws or rejects. */
  passes(message: Message, request: IncomingMessage, member: Member): Awaitable<boolean> {
    const { filter } = this.options;
    if (filter === undefined) return true;
    const failed = (thrown: unknown): boolean => {
      const fields = { err: printable(thrown), push: message.event, socketId: member.connection.socket?.id };
      writeLog(this.options.log, "error", fields, "the filter failed; one client was not told this event");
      return false;
    };
    try {
      const verdict = filter(message.event, message.data, request, member.connection.socket as AppSocket<any>); // it is in
      return isThenable(verdict) ? Promise.resolve(verdict).then(Boolean, failed) : verdict;
    } catch (thrown) {
      return failed(thrown);
    }
  }

  /** A client was cut, for what it is to blame for. */
  noteCut(member: Member, why: string): void {
    this.#cut.write(() => ({
      fields: { socketId: member.connection.socket?.id },
      message: `a plain client was cut: ${why}`,
    }));
  }

  /** Whether Socket.IO is closed, while requests still come by an HTTP server of their own. */
  #isClosed(): boolean {
    // Typed as always there, it comes with `listen` or `attach`.
    const server = this.io.httpServer as unknown as { readonly listening?: boolean } | undefined;
    if (server?.listening === true) this.#listened = server;
    return server?.listening === false && this.#listened === server;
  }

  async #admit(client: Seated, member: Member, request: IncomingMessage, wish: Wish): Promise<Admission> {
    const { topics: asked, isOptional = false, since } = wish;
    if ((this.io.engine as unknown) === undefined)
      throw new Error("a plain client came before the Socket.IO server was attached to an HTTP server");
    const auth = await this.#authOf(request);
    const { recovery, position } = since === "unknown" ? { position: TOO_OLD } : { recovery: undefined, ...since };
    const refused = await member.connection.connect(auth, recovery);
    if (refused !== undefined) return { refused };
    const isRecovered = recovery !== undefined && member.isRecovered(recovery);
    const answers = await this.#join(member, asked, position ?? true);
    const refusedBy = answers.filter(isFailure).find(({ error }) => !isOptional || error.code !== "FORBIDDEN");
    if (refusedBy !== undefined) return { refused: refusedBy.error };
    const ended = member.connection.ended ?? (this.#isClosed() ? goingAway : undefined);
    if (ended !== undefined) return { refused: ended };
    const topics = asked.filter((_, i) => !isFailure(answers[i]));
    if (isRecovered) leaveOthers(member, topics);
    const full = this.#seatUser(client, member);
    if (full !== undefined) return { refused: full };
    const snapshots = answers.flatMap((answer, i) => {
      const { snapshot } = answer as Partial<Joined>; // a failure has none
      return snapshot === undefined ? [] : [{ topic: asked[i] as string, snapshot }];
    });
    const isMissing = since === "unknown" || (recovery !== undefined && !isRecovered);
    return { topics, snapshots, missed: isMissing ? topics.filter((topic) => !member.follows(topic)) : undefined };
  }

  async #authOf(request: IncomingMessage): Promise<object> {
    const auth = (await this.options.auth?.(request)) as unknown;
    if (typeof auth === "object" && auth !== null) return auth;
    if (auth === undefined) return {};
    throw new TypeError("auth must return an object for socket.handshake.auth");
  }

  async #join(member: Member, topics: readonly string[], at: true | Position) {
    if (topics.length > 0) return member.join(topics, at);
    // Whose it is may take time, and is known when the first event is answered. What is recovered may be refused until then.
    if (member.isHeard) await within(IDENTITY_MS, member.leave(NO_TOPIC));
    return [];
  }

  #seatUser(client: Seated, member: Member): Refusal | undefined {
    const [user] = idsOf("user", member.rooms);
    if (user === undefined) return undefined;
    if ((this.#perUser.get(user) ?? 0) >= this.options.maxStreamsPerUser)
      return refusal("RATE_LIMITED", "you have as many clients as you may have", 5_000);
    this.#seated.set(client, user);
    this.#count(user, 1);
    return undefined;
  }

  #count(user: string, change: 1 | -1): void {
    const left = (this.#perUser.get(user) ?? 0) + change;
    if (left > 0) this.#perUser.set(user, left);
    else this.#perUser.delete(user);
  }
}

/** What a recovery brought back beside what the client asks for now. */
function leaveOthers(member: Member, topics: readonly string[]): void {
  for (const topic of idsOf("topic", member.rooms))
    if (!topics.some((one) => isAlike(one, topic))) void member.leave(topic);
}

async function within(ms: number, done: Promise<unknown>): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise((resolve) => (timer = setTimeout(resolve, ms)));
  const first = await Promise.race([done, late]);
  clearTimeout(timer);
  return first;
}
