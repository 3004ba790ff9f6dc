import { NOTIFY, type Notice, REFETCH } from "../realtime/protocol.js";

/** The event of a change, whose data says by itself what it is. */
const CHANGE = "change";

/** One event as plain clients are told it. Each form is made with the first client that needs it. */
export class Message {
  readonly event: string;
  readonly data: unknown;
  #json: string | undefined;
  #block: { readonly id: string | undefined; readonly bytes: Buffer } | undefined;
  #frame: Buffer | undefined;

  constructor(event: string, data: unknown) {
    this.event = event;
    this.data = data;
  }

  /** The data as JSON; without any it is `null`, as an event stream has no event without data. */
  get json(): string {
    return (this.#json ??= JSON.stringify(this.data) ?? "null");
  }

  /** What it takes of a memory, about: characters of its data, and some for what is around them. */
  get size(): number {
    return this.json.length + this.event.length + 40;
  }

  /** As an event stream has it. Streams that follow one log have the same id. */
  block(id: string | undefined): Buffer {
    if (this.#block === undefined || this.#block.id !== id) {
      const name = this.event.replace(/[\r\n\0]+/g, " ");
      this.#block = { id, bytes: Buffer.from(`${idLine(id)}event: ${name}\ndata: ${this.json}\n\n`) };
    }
    return this.#block.bytes;
  }

  /** As a WebSocket has it: `{ event, data }`, and of a change the envelope alone. */
  get frame(): Buffer {
    return (this.#frame ??= Buffer.from(
      this.event === CHANGE ? this.json : `{"event":${JSON.stringify(this.event)},"data":${this.json}}`,
    ));
  }
}

/** The line of an event stream that says where it is, if that is known. */
export function idLine(id: string | undefined): string {
  return id === undefined ? "" : `id: ${id}\n`;
}

/**
 * What plain clients are told of an event: several arguments are a list, a notice has its own name, a signal is a `refetch`
 * (decision 0054).
 */
export function messageOf(event: string, args: readonly unknown[]): Message {
  const data = args.length > 1 ? args : args[0];
  if (event === REFETCH) return new Message("refetch", data);
  if (event !== NOTIFY) return new Message(event, data);
  const notice = data as Notice; // of our own server
  return new Message(notice.event ?? "notify", notice.data);
}

/** Tells that something was missed of these topics, and is not to be had any more: ask for their state anew. */
export function missed(topics: readonly string[]): Message {
  return new Message("refetch", { topics });
}
