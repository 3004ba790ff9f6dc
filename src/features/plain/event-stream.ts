import type { IncomingMessage, ServerResponse } from "node:http";
import type { AppServer } from "../../events/subscriber.js";
import { writeLog } from "../../lifecycle/log.js";
import { EVENT_STREAM } from "../../wire/transports.js";
import { printable } from "../../wire/values.js";
import { writeEventId } from "./event-id.js";
import { Member, type MemberClient } from "./member.js";
import { idLine, Message, missed } from "./message.js";
import { Outbox } from "./outbox.js";
import type { PlainClients, Seated, Welcome, Wish } from "./plain-clients.js";
import { goingAway } from "./plain-connection.js";
import { type Refusal, refuse, retryAfterOf } from "./refusal.js";
import { StreamWriter } from "./stream-writer.js";

/** After what time it is looked whether a part of what was missed has left, at first and, for who does not read, at last. */
const ROOM_MS = { first: 10, last: 1_000 };

const HEARTBEAT = Buffer.from(":\n\n");

/** One thing that a stream says: an event, or where it is. `isOwn` is not for the filter to decide. */
interface Item {
  readonly message: Message | undefined;
  readonly id: string | undefined;
  readonly isOwn: boolean;
}

/**
 * One event stream. Its head waits until the client is let in, so that a refusal can be a status; what it is to be told meanwhile is kept
 * (decision 0053).
 *
 * | state | what it is told | ends |
 * | --- | --- | --- |
 * | `asked` | is kept | with a status |
 * | `open` | is written | with the response |
 * | `over` | is forgotten | |
 */
export class EventStream<App extends AppServer> implements MemberClient, Seated {
  readonly #clients: PlainClients<App>;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #writer: StreamWriter;
  readonly #member: Member;
  readonly #outbox: Outbox<Item>;
  #state: "asked" | "open" | "over" = "asked";
  /** What is to be said after the head; `undefined` once that is too much. */
  #kept: Item[] | undefined = [];
  #keptBytes = 0;
  #gaps: readonly string[] = [];
  /** Why it can't be let in after all, or ends. */
  #no: Refusal | undefined;
  /** What was missed and is on its way. */
  #missedBytes = 0;
  #room: NodeJS.Timeout | undefined;

  constructor(clients: PlainClients<App>, request: IncomingMessage, response: ServerResponse) {
    this.#clients = clients;
    this.#request = request;
    this.#response = response;
    const { io, reader, options } = clients;
    const { namespace, log } = options;
    this.#member = new Member({ io, namespace, request, transport: EVENT_STREAM, reader, log }, this);
    this.#writer = new StreamWriter(request, response, {
      turn: clients.turn,
      maxBytes: options.maxBufferedBytes,
      ready: () => this.#member.connection.ready(),
      failed: (thrown) => {
        writeLog(log, "error", { err: printable(thrown) }, "an event stream could not be written");
        this.#gone();
      },
    });
    this.#outbox = new Outbox({
      passes: ({ message, isOwn }) => isOwn || clients.passes(message as Message, request, this.#member),
      write: (item) => this.#say(item),
      sizeOf: ({ message }) => message?.size ?? 0,
      maxBytes: options.maxBufferedBytes,
      full: () => this.#cut("it waits too long for its filter"),
    });
  }

  get writable(): boolean {
    return this.#state === "open" && !this.#writer.isBehind;
  }

  get bufferedBytes(): number {
    return this.#isOver() ? 0 : this.#keptBytes + this.#outbox.bytes + this.#writer.waiting;
  }

  /** Asks, answers with a head or a refusal, and goes on until somebody ends it. Resolves with the answer. */
  async open(wish: Wish): Promise<void> {
    const refused = this.#clients.seat(this);
    if (refused !== undefined) return refuse(this.#request, this.#response, refused);
    this.#response.on("error", () => undefined); // a close follows
    this.#response.once("close", () => this.#gone());
    this.#watchConnection();
    if (this.#response.destroyed) return this.#gone();
    const admission = await this.#clients.admit(this, this.#member, this.#request, wish);
    if (this.#isOver()) return;
    const no = "refused" in admission ? admission.refused : this.#no;
    if (no !== undefined) this.#refuse(no);
    else this.#begin(wish.topics, admission as Welcome); // nothing was refused
  }

  /** A response that waits behind another one of its connection (pipelining) is not told when that connection ends. */
  #watchConnection(): void {
    const { socket } = this.#request;
    if (this.#response.socket !== null) return;
    const gone = (): void => this.#gone();
    // One for each that waits there, however many these are.
    socket.setMaxListeners(0).once("close", gone);
    this.#response.once("close", () => socket.off("close", gone));
  }

  tell(message: Message, isMissed: boolean): boolean {
    if (isMissed && !this.#isOver() && !this.#takesMissed(message.size)) {
      this.#awaitRoom();
      return false;
    }
    this.#put(this.#item(message, false));
    return true;
  }

  placed(gaps: readonly string[]): void {
    // Before the head nobody knows yet what else is missing: where it is is noted.
    const isKnown = this.#state !== "asked";
    if (!isKnown) this.#gaps = [...this.#gaps, ...gaps];
    this.#put(this.#item(isKnown && gaps.length > 0 ? missed(gaps) : undefined, true));
  }

  evicted(topic: string, why: Refusal, gaps: readonly string[] = []): void {
    if (this.#no !== undefined) return;
    this.#no = why;
    if (this.#state !== "open") return;
    // In front of what waits for its filter, and so without a place.
    if (gaps.length > 0) this.#write(missed(gaps).block(undefined));
    this.#farewell(why, topic);
    // What would come behind it has a place that is further than what the client has of this topic.
    this.#end();
    this.#member.connection.cut("transport close");
  }

  over(why: Refusal | undefined): void {
    if (this.#isOver()) return;
    if (this.#state === "asked") {
      this.#no ??= why ?? goingAway;
      return;
    }
    if (why !== undefined && this.#no === undefined) this.#farewell(why);
    this.#end();
  }

  beat(): void {
    if (this.#state === "open") this.#write(HEARTBEAT);
  }

  #begin(topics: readonly string[], { snapshots, missed: others }: Welcome): void {
    this.#state = "open";
    this.#writer.begin();
    if (this.#request.method === "HEAD") {
      this.#member.connection.gone("transport close");
      return;
    }
    this.#response.flushHeaders();
    this.#write(Buffer.from(`retry: ${this.#clients.options.retryMs}\n\n`));
    const gaps = this.#kept === undefined ? topics : [...new Set([...this.#gaps, ...(others ?? [])])];
    const isMissing = this.#kept === undefined || others !== undefined || gaps.length > 0;
    this.#sayKept(gaps, isMissing);
    for (const snapshot of snapshots) this.#put(this.#item(new Message("snapshot", snapshot)));
  }

  /** More was missed than may wait at once: the rest is asked for when that has left. Looked at by the clock, as middleware may hide it. */
  #awaitRoom(ms: number = ROOM_MS.first): void {
    this.#room ??= setTimeout(() => {
      this.#room = undefined;
      if (this.#state !== "open" || !this.#hasLeft()) return this.#awaitRoom(Math.min(2 * ms, ROOM_MS.last));
      this.#missedBytes = 0;
      void this.#member.goOn();
    }, ms).unref();
  }

  /** What was missed, then where it is by that, then what came meanwhile. */
  #sayKept(gaps: readonly string[], isMissing: boolean): void {
    const kept = this.#kept ?? [];
    this.#kept = undefined;
    this.#keptBytes = 0;
    const place = kept.find(({ message }) => message === undefined);
    const refetch: Item = { message: missed(gaps), id: (place ?? this.#item(undefined)).id, isOwn: true };
    if (isMissing && place === undefined) this.#outbox.put(refetch);
    for (const item of kept) this.#outbox.put(isMissing && item === place ? refetch : item);
  }

  #put(item: Item): void {
    if (this.#state === "open") return this.#outbox.put(item);
    if (this.#state === "over" || this.#kept === undefined) return;
    this.#keptBytes += item.message?.size ?? 0;
    if (this.#keptBytes > this.#clients.options.maxBufferedBytes) {
      this.#kept = undefined;
      this.#keptBytes = 0;
    } else this.#kept.push(item);
  }

  #say({ message, id }: Item): void {
    this.#write(message === undefined ? Buffer.from(`${idLine(id)}\n`) : message.block(id));
  }

  #write(bytes: Buffer): void {
    if (this.#state !== "open") return;
    if (!this.#writer.write(bytes)) this.#cut("it does not read");
  }

  /** Whether so much more of what was missed may be on its way. What has left is on its way no more. */
  #takesMissed(bytes: number): boolean {
    const isTooMuch = this.#missedBytes > 0 && this.#missedBytes + bytes > this.#clients.options.maxBufferedBytes / 2;
    if (isTooMuch) {
      if (this.#state !== "open") return false;
      this.#writer.flushNow();
      if (!this.#hasLeft()) return false;
      this.#missedBytes = 0;
    }
    this.#missedBytes += bytes;
    return true;
  }

  #hasLeft(): boolean {
    return this.#writer.waiting === 0 && this.#outbox.bytes === 0;
  }

  /** The last event: why it ends. */
  #farewell(why: Refusal, topic?: string): void {
    const { code, message } = why;
    const retryAfterMs = retryAfterOf(why);
    if (retryAfterMs !== undefined) this.#write(Buffer.from(`retry: ${Math.ceil(retryAfterMs)}\n`));
    const data = {
      code,
      message,
      ...(topic !== undefined && { topic }),
      ...(retryAfterMs !== undefined && { retryAfterMs }),
    };
    this.#write(new Message("ended", data).block(undefined));
  }

  #refuse(why: Refusal): void {
    refuse(this.#request, this.#response, why);
    this.#leave();
    this.#member.connection.gone("transport close");
  }

  #end(): void {
    this.#leave();
    this.#writer.end();
  }

  /** Without a word: it would not be read. */
  #cut(why: string): void {
    this.#clients.noteCut(this.#member, why);
    this.#leave();
    this.#writer.destroy();
    this.#member.connection.cut("transport error");
  }

  /** The client has gone, or the answer is written. */
  #gone(): void {
    this.#leave();
    this.#writer.destroy();
    this.#member.connection.gone("transport close");
  }

  #leave(): void {
    if (this.#isOver()) return;
    this.#state = "over";
    this.#kept = undefined;
    clearTimeout(this.#room);
    this.#clients.unseat(this);
  }

  #item(message: Message | undefined, isOwn = true): Item {
    return { message, id: writeEventId(this.#member.eventId), isOwn };
  }

  // Not compared in place: TypeScript would think that nothing can change it while something is awaited.
  #isOver(): boolean {
    return this.#state === "over";
  }
}
