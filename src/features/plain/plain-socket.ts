import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import type { AppServer } from "../../events/subscriber.js";
import { type Failure, isFailure } from "../../wire/failure.js";
import { PLAIN_WEBSOCKET } from "../../wire/transports.js";
import { type ClientFrame, readClientFrame } from "./client-frame.js";
import { isAlike, Member, type MemberClient } from "./member.js";
import { Message, missed } from "./message.js";
import { Outbox } from "./outbox.js";
import type { PlainClients, Seated, Welcome } from "./plain-clients.js";
import { goingAway, searchOf } from "./plain-connection.js";
import type { Unsubscribed } from "./protocol.js";
import { closingOf, type Refusal, refusal } from "./refusal.js";
import type { Due } from "./turn.js";

/** How long a client that the server closes may take to answer that. */
const LINGER_MS = 1_000;
/** From here on a WebSocket is behind: what is volatile is dropped, of what is `latest` the newest is kept. */
const BEHIND_BYTES = 16_384;
/** What a client that names no topic is in, where the server has it and lets it in. */
const DEFAULT_TOPIC = "all";

const text = { binary: false };

/**
 * One WebSocket. It is accepted before anybody is asked, as Engine.IO ends an upgrade that nobody answers within a second; until it is let in, what its
 * client sends is not read. It stands and falls with the topics of its URL (decision 0055).
 */
export class PlainSocket<App extends AppServer> implements MemberClient, Seated, Due {
  readonly #clients: PlainClients<App>;
  readonly #request: IncomingMessage;
  readonly #ws: WebSocket;
  readonly #tcp: Duplex;
  readonly #member: Member;
  /** Frames of ours are not for the filter to decide. */
  readonly #outbox: Outbox<Message | Buffer>;
  #state: "asked" | "open" | "over" = "asked";
  /** What its URL names: one of these refused or taken away ends the connection. */
  #topics: readonly string[];
  readonly #isDefault: boolean;
  #kept: Message[] = [];
  #keptBytes = 0;
  /** Why it can't be let in after all, or ends. */
  #no: Refusal | undefined;
  #isBehind = false;
  /** Whether it was told something in this turn. */
  #isDue = false;
  #isAlive = true;

  /** @param tcp what carries the WebSocket */
  constructor(clients: PlainClients<App>, request: IncomingMessage, ws: WebSocket, tcp: Duplex) {
    this.#clients = clients;
    this.#tcp = tcp;
    this.#request = request;
    this.#ws = ws;
    const named = new URLSearchParams(searchOf(request)).getAll("topic");
    this.#isDefault = named.length === 0;
    this.#topics = this.#isDefault ? [DEFAULT_TOPIC] : [...new Set(named)];
    const { io, reader, options } = clients;
    const { namespace, log } = options;
    this.#member = new Member({ io, namespace, request, transport: PLAIN_WEBSOCKET, reader, log }, this);
    this.#outbox = new Outbox({
      passes: (item) => !(item instanceof Message) || clients.passes(item, request, this.#member),
      write: (item) => this.#write(item instanceof Message ? item.frame : item),
      sizeOf: (item) => (item instanceof Message ? item.size : item.length),
      maxBytes: options.maxBufferedBytes,
      full: () => this.#cut("it waits too long for its filter"),
    });
  }

  get writable(): boolean {
    return this.#state === "open" && !this.#isBehind;
  }

  get bufferedBytes(): number {
    return this.#isOver() ? 0 : this.#keptBytes + this.#outbox.bytes + this.#ws.bufferedAmount;
  }

  /** Asks, and goes on until somebody ends it. Never rejects. */
  async open(isOriginAllowed: boolean): Promise<void> {
    const ws = this.#ws;
    ws.on("error", () => undefined); // a close follows
    ws.on("close", () => this.#gone("transport close"));
    if (!isOriginAllowed) return this.#close(refusal("FORBIDDEN", "pages of this origin may not connect"));
    const full = this.#clients.seat(this);
    if (full !== undefined) return this.#close(full);
    ws.on("pong", () => (this.#isAlive = true));
    // Answered by `ws`, whether that is read or not.
    ws.on("ping", () => this.#hasRoom(0) || this.#cut("it does not read"));
    ws.pause();
    const wish = { topics: this.#topics, isOptional: this.#isDefault };
    const admission = await this.#clients.admit(this, this.#member, this.#request, wish);
    ws.resume();
    if (this.#isOver()) return;
    const no = "refused" in admission ? admission.refused : this.#no;
    if (no !== undefined) {
      this.#close(no);
      this.#member.connection.gone("transport close");
    } else this.#begin(admission as Welcome); // nothing was refused
  }

  tell(message: Message): boolean {
    if (this.#state === "open") this.#outbox.put(message);
    else this.#keep(message);
    return true;
  }

  #keep(message: Message): void {
    this.#keptBytes += message.size;
    if (this.#keptBytes > this.#clients.options.maxBufferedBytes)
      this.#cut("too much is sent to it before it is let in");
    else this.#kept.push(message);
  }

  placed(gaps: readonly string[]): void {
    if (gaps.length > 0) this.#outbox.put(missed(gaps).frame);
  }

  evicted(topic: string, why: Refusal): void {
    if (this.#topics.some((one) => isAlike(one, topic))) {
      this.#no ??= why;
      if (this.#state !== "open") return;
      this.#close(why);
      this.#member.connection.cut("transport close");
    } else this.#left({ unsubscribed: topic, error: why });
  }

  over(why: Refusal | undefined): void {
    if (this.#state === "asked") this.#no ??= why ?? goingAway;
    else if (this.#state === "open") this.#close(why ?? goingAway);
  }

  beat(): void {
    if (this.#state !== "open") return;
    if (!this.#isAlive) {
      this.#ws.terminate();
      this.#gone("ping timeout");
      return;
    }
    this.#isAlive = false;
    this.#ws.ping();
  }

  #begin({ topics, snapshots }: Welcome): void {
    this.#state = "open";
    this.#topics = topics;
    this.#ws.on("message", (data, isBinary) => void this.#hear(readClientFrame(data, isBinary)));
    const kept = this.#kept;
    this.#kept = [];
    this.#keptBytes = 0;
    for (const message of kept) this.#outbox.put(message);
    for (const snapshot of snapshots) this.#outbox.put(new Message("snapshot", snapshot).frame);
  }

  async #hear(frame: ClientFrame): Promise<void> {
    if (this.#state !== "open") return;
    const { id } = frame;
    const withId = id !== undefined && { id };
    switch (frame.kind) {
      case "unreadable":
        return this.#answer({ ...withId, error: refusal("INVALID_INPUT", frame.message) });
      case "subscribe": {
        const topic = frame.subscribe;
        const answer = await this.#member.joinOne(topic);
        if (isFailure(answer)) return this.#answer({ ...withId, error: answer.error, topic });
        const { snapshot } = answer;
        return this.#answer({ ...withId, subscribed: topic, ...(snapshot !== undefined && { snapshot }) });
      }
      case "unsubscribe": {
        const topic = frame.unsubscribe;
        const answer = await this.#member.leave(topic);
        if (isFailure(answer)) return this.#answer({ ...withId, error: answer.error, topic });
        this.#topics = this.#topics.filter((one) => !isAlike(one, topic));
        return this.#left({ ...withId, unsubscribed: topic });
      }
      case "event": {
        const args = "data" in frame ? [frame.data] : [];
        if (id === undefined) return this.#member.connection.send(frame.event, ...args);
        return this.#answer({ id, ...replyOf(await this.#member.connection.call(frame.event, ...args)) });
      }
    }
  }

  #answer(answer: object): void {
    this.#write(Buffer.from(JSON.stringify(answer)));
  }

  /** A topic is left. What was pushed before waits perhaps for its filter, and nothing of the topic is to come behind this. */
  #left(answer: Unsubscribed): void {
    this.#outbox.put(Buffer.from(JSON.stringify(answer)));
  }

  #write(frame: Buffer): void {
    if (this.#state !== "open") return;
    const ws = this.#ws;
    if (!this.#hasRoom(frame.length)) return this.#cut("it does not read");
    if (!this.#isDue) {
      this.#isDue = true;
      this.#tcp.cork();
      this.#clients.turn.add(this);
    }
    ws.send(frame, text, this.#onSent);
    if (ws.bufferedAmount >= BEHIND_BYTES) this.#isBehind = true;
  }

  flush(): void {
    if (!this.#isDue) return;
    this.#isDue = false;
    this.#tcp.uncork();
  }

  /** Whether so much more may wait. A single frame always may. */
  #hasRoom(bytes: number): boolean {
    const fits = (): boolean => {
      const waiting = this.#ws.bufferedAmount;
      return waiting === 0 || waiting + bytes <= this.#clients.options.maxBufferedBytes;
    };
    if (fits()) return true;
    // What is held back until the end of the turn is no fault of the reader's.
    this.flush();
    return fits();
  }

  // One for all frames: `ws` has no event for it.
  readonly #onSent = (): void => {
    if (!this.#isBehind || this.#ws.bufferedAmount >= BEHIND_BYTES) return;
    this.#isBehind = false;
    this.#member.connection.ready();
  };

  /** Says why, and closes. */
  #close(why: Refusal): void {
    this.#leave();
    const ws = this.#ws;
    const code = closingOf(why.code);
    if (code !== 1001) ws.send(Buffer.from(JSON.stringify({ error: why } satisfies Failure)), text, () => undefined);
    // A close frame has room for 123 bytes.
    ws.close(code, Buffer.from(why.code).subarray(0, 123));
    const timer = setTimeout(() => ws.terminate(), LINGER_MS);
    timer.unref();
    ws.once("close", () => clearTimeout(timer));
  }

  /** Without a word: it would not be read. */
  #cut(why: string): void {
    this.#clients.noteCut(this.#member, why);
    this.#leave();
    this.#ws.terminate();
    this.#member.connection.cut("transport error");
  }

  /** The client has gone. */
  #gone(reason: "transport close" | "ping timeout"): void {
    this.#leave();
    this.#member.connection.gone(reason);
  }

  #leave(): void {
    if (this.#isOver()) return;
    this.#state = "over";
    this.#kept = [];
    this.#clients.unseat(this);
  }

  // Not compared in place: TypeScript would think that nothing can change it while something is awaited.
  #isOver(): boolean {
    return this.#state === "over";
  }
}

/** A reply as a frame says it: `callback: "errorFirst"` makes two arguments of a value. */
function replyOf(args: readonly unknown[]): { data: unknown } | Failure {
  const [first, second] = args;
  if (isFailure(first)) return { error: first.error };
  if (args.length > 1) return { data: first === null && args.length === 2 ? second : args };
  return { data: first ?? null };
}
