import type { Socket } from "socket.io";
import { writeLog } from "../../lifecycle/log.js";
import type { Logger } from "../../lifecycle/logger.js";
import { passes } from "../../wire/codes.js";
import { ownPrefix } from "../../wire/event-names.js";
import { type Failure, isFailure } from "../../wire/failure.js";
import { createPositions, type Position, type Positions } from "../../wire/positions.js";
import { describeValue } from "../../wire/values.js";
import {
  AT,
  ENDED,
  type Ended,
  EVICTED,
  type Evicted,
  GAP,
  JOIN,
  type Joined,
  type JoinedAll,
  LEAVE,
  NOTIFY,
  REFETCH,
} from "../realtime/protocol.js";
import type { EventId, Recovery } from "./event-id.js";
import { type Message, messageOf } from "./message.js";
import type { Packet } from "./packets.js";
import { PlainConnection, type PlainConnectionEvents, type PlainConnectionOptions } from "./plain-connection.js";
import { type Refusal, refusal } from "./refusal.js";

/** The client behind a {@link Member}: told what it is to be told, in order. Nothing of it may throw. */
export interface MemberClient {
  /** Whether what it is told now leaves at once. */
  readonly writable: boolean;
  /** How many bytes it was given that have not left yet. */
  readonly bufferedBytes: number;
  /**
   * @param isMissed whether it is something that was missed
   * @returns false if that is too much for now: then it is told again, with all that comes after it, once {@link Member.goOn} is called
   */
  tell(message: Message, isMissed: boolean): boolean;
  /** It is in its topics with history until where {@link Member.eventId} says, but for what it missed of those in `gaps`. */
  placed(gaps: readonly string[]): void;
  /** A topic was taken away. Something of those in `gaps` was missed. */
  evicted(topic: string, why: Refusal, gaps?: readonly string[]): void;
  /** The connection is over. `why` if the server said it. */
  over(why: Refusal | undefined): void;
}

/** What a join is answered where the server has no realtime. */
const noTopics: Failure = Object.freeze({ error: refusal("FORBIDDEN", "this server has no topics") });

/** What a join comes to whose answer can't be read. */
const unreadable: Failure = Object.freeze({ error: refusal("INTERNAL", "internal error") });

/**
 * One plain client as realtime sees it: it joins topics and reads positions as any client does, and knows nothing of how its client is
 * told (decision 0052).
 */
export class Member implements PlainConnectionEvents {
  /** Over which it speaks. */
  readonly connection: PlainConnection;
  readonly #client: MemberClient;
  readonly #log: Logger;
  /** Its topics with a history, by the names that the server has for them: it may have asked in another case. */
  readonly #logged = new Set<string>();
  readonly #positions: Positions;
  #position: Position | undefined;
  /** Frames with positions count from the first join on: what came back with a recovery has holes. */
  #isReading = false;
  /** How many joins are not answered yet. */
  #joining = 0;
  /** Whether pushes with a position are left out until the client can take them. */
  #isStalled = false;
  /** The push whose position is being read. */
  #pushed: Packet | undefined;
  /** The last packet that Socket.IO keeps for a recovery. */
  #offset: string | undefined;
  /**
   * Whether Socket.IO puts its own argument behind ours in frames with positions, which stay on their node; `undefined` until the first that
   * says where it is, behind what was missed.
   */
  #offsetsAt: boolean | undefined;
  /** What was missed, until that is known. */
  readonly #unread: Packet[] = [];

  constructor(options: PlainConnectionOptions & { readonly log: Logger }, client: MemberClient) {
    this.#client = client;
    this.#log = options.log;
    this.#positions = createPositions({
      onPush: (event, args) => {
        const packet = this.#pushed as Packet; // told while it is read
        const isTold = client.tell((packet.message ??= messageOf(event, args)), this.#joining > 0);
        if (!isTold) this.#isStalled = true;
      },
      onGaps: () => undefined,
    });
    this.connection = new PlainConnection(options, this);
  }

  get writable(): boolean {
    return this.#client.writable;
  }

  get bufferedBytes(): number {
    return this.#client.bufferedBytes;
  }

  /** Where it is. */
  get eventId(): EventId {
    const { pid } = this.connection;
    const offset = this.#offset;
    return {
      position: this.#position,
      recovery: pid === undefined || offset === undefined ? undefined : { pid, offset },
    };
  }

  /** The rooms of the server's side, while it is in. */
  get rooms(): ReadonlySet<string> {
    return (this.connection.socket as Socket).rooms; // asked of nobody else
  }

  /** Whether the server takes events at all: one without an ingress and without listeners answers nobody. */
  get isHeard(): boolean {
    const { socket } = this.connection;
    return socket !== undefined && (socket.listenersAny().length > 0 || socket.listenerCount(JOIN) > 0);
  }

  /** Whether it is the session again that it was asked to recover. */
  isRecovered(recovery: Recovery): boolean {
    return this.connection.pid === recovery.pid;
  }

  /** Joins topics; resolves to what became of each, in order. Those it was in before it joins as it had them. */
  async join(topics: readonly string[], at: true | Position = true): Promise<(Joined | Failure)[]> {
    this.#isReading = true;
    if (at !== true && at[0] !== "") this.#position ??= at;
    this.#joining++;
    const [answer] = this.isHeard ? await this.connection.call(JOIN, topics, at) : [noTopics];
    this.#joining--;
    const answers = this.#answersOf(topics, answer);
    for (const [i, topic] of topics.entries()) this.#answered(topic, answers[i]);
    return answers;
  }

  #answersOf(topics: readonly string[], answer: unknown): (Joined | Failure)[] {
    const { answers } = (answer ?? {}) as Partial<JoinedAll>; // our own server's, unless an interceptor made something else of it
    if (Array.isArray(answers) && answers.length === topics.length) return answers;
    if (!isFailure(answer)) {
      const fields = { socketId: this.connection.socket?.id, answer: describeValue(answer) };
      writeLog(
        this.#log,
        "error",
        fields,
        "the answer to a join is not realtime's own; an interceptor may have changed it",
      );
    }
    const failure = isFailure(answer) ? answer : unreadable;
    return topics.map(() => (failure.error.code === "UNKNOWN_EVENT" ? noTopics : failure));
  }

  /** Joins one topic, from where it was lost if it was. */
  async joinOne(topic: string): Promise<Joined | Failure> {
    const [answer = {}] = await this.join([topic], this.#positions.of(topic));
    return answer;
  }

  /** The client can take what it was too much for: its topics with a history are left, and joined again from where it is. */
  async goOn(): Promise<void> {
    const topics = this.#followed();
    await Promise.all(topics.map((topic) => this.leave(topic)));
    this.#isStalled = false;
    await this.#joinAgain(topics, this.#position);
  }

  /** Whether a topic has a history, and it is in it. */
  follows(topic: string): boolean {
    return this.#followed().some((one) => isAlike(one, topic));
  }

  /** Leaves a topic; resolves to the answer. */
  async leave(topic: string): Promise<unknown> {
    this.#forget(topic);
    const [answer] = await this.connection.call(LEAVE, topic);
    return answer;
  }

  onOver(why: Refusal | undefined): void {
    this.#client.over(why);
  }

  onEvent(packet: Packet, isVolatile: boolean): void {
    const { pid } = this.connection;
    const [event, ...args] = packet.data as [string, ...unknown[]];
    if (event === AT) return this.#at(packet, args);
    // Most of what comes was told to another client a moment ago.
    if (pid === undefined && packet.message !== undefined) return void this.#client.tell(packet.message, false);
    // Socket.IO puts its own argument behind those of all that it keeps for a recovery.
    const isKept = pid !== undefined && !isVolatile && packet.id === undefined;
    if (isKept && typeof args.at(-1) === "string") this.#offset = args.pop() as string;
    switch (event) {
      case GAP:
        return void this.#rejoin();
      case EVICTED:
        // Before, it is of an earlier connection: Socket.IO keeps it as it keeps all, and says it again with a recovery.
        if (this.connection.hasAnswer) this.#evicted(args[0] as Evicted);
        return;
      case ENDED:
        return this.#end(args[0] as Ended);
    }
    // Presence and receipts are for clients that know their state, or can say that something has arrived.
    if (event.startsWith(ownPrefix) && event !== REFETCH && event !== NOTIFY) return;
    this.#client.tell((packet.message ??= messageOf(event, args)), false);
  }

  #at(packet: Packet, args: unknown[]): void {
    if (!this.#isReading) return;
    const [first, topics, gaps] = args as [number | Position, unknown, unknown];
    if (typeof first === "number") {
      if (this.connection.pid === undefined) this.#offsetsAt = false;
      if (this.#offsetsAt === undefined) this.#unread.push(packet);
      else this.#push(packet, first, args);
      return;
    }
    this.#offsetsAt = args.length > 3;
    for (const unread of this.#unread.splice(0)) this.onEvent(unread, false);
    if (this.#offsetsAt) this.#offset = args.pop() as string;
    this.#positions.onFrame(...(args as [unknown]));
    const names = topics as [string, ...string[]]; // there is no place without a topic
    for (const topic of names) this.#logged.add(topic);
    if (!this.#isStalled) this.#position = this.#positions.of(names[0]) as Position; // it follows
    this.#client.placed(gaps as string[]);
  }

  #push(packet: Packet, n: number, args: unknown[]): void {
    if (this.#isStalled) return;
    const before = this.#position;
    if (this.#offsetsAt === true) this.#offset = args.pop() as string;
    if (this.#position !== undefined && n > this.#position[1]) this.#position = [this.#position[0], n];
    this.#pushed = packet;
    this.#positions.onFrame(...(args as [unknown]));
    this.#pushed = undefined;
    // Changed by what it has just been told.
    if (this.#isStalled as boolean) this.#position = before;
  }

  /** This node can't go on: all that has a history is joined again, from where it is. */
  async #rejoin(): Promise<void> {
    const topics = this.#followed();
    for (const topic of topics) this.#positions.lose(topic);
    if (topics[0] !== undefined) await this.#joinAgain(topics, this.#positions.of(topics[0]));
  }

  async #joinAgain(topics: readonly string[], at: true | Position | undefined): Promise<void> {
    const answers = await this.join(topics, at);
    const failed = topics.filter((_, i) => isFailure(answers[i]));
    // Where it is by the others is further than what it has of these: whoever comes back from there would miss the rest in silence.
    const gaps = failed.length < topics.length ? failed : [];
    for (const [i, topic] of topics.entries()) {
      const answer = answers[i];
      if (isFailure(answer)) this.#client.evicted(topic, answer.error, gaps);
    }
  }

  #evicted({ topic, code, message, at }: Evicted): void {
    if (at === undefined) this.#forget(topic);
    else this.#positions.lose(topic, at);
    this.#client.evicted(topic, { code, message });
  }

  #end({ code, message, retryAfterMs }: Ended): void {
    this.connection.end(refusal(code, message, retryAfterMs));
  }

  #answered(topic: string, answer: Joined | Failure | undefined): void {
    if (!isFailure(answer)) return;
    if (passes(answer.error.code)) this.#positions.lose(topic);
    else this.#forget(topic);
  }

  #followed(): string[] {
    return [...this.#logged].filter((topic) => this.#positions.follows(topic));
  }

  #forget(topic: string): void {
    const name = this.#logged.has(topic) ? topic : [...this.#logged].find((one) => isAlike(one, topic));
    this.#logged.delete(name ?? topic);
    this.#positions.forget(name ?? topic);
  }
}

/** Whether two names are the same but for their case, as a topic may allow. */
export function isAlike(one: string, other: string): boolean {
  return one === other || one.toLowerCase() === other.toLowerCase();
}
