import type { IncomingMessage, ServerResponse } from "node:http";
import type { Due, Turn } from "./turn.js";

/** How long a client that the server ends may take to be told so. */
const LINGER_MS = 1_000;

/** From here on a stream is behind in a turn: what is volatile is dropped, of what is `latest` the newest is kept. */
const BEHIND_BYTES = 16_384;

/** What a {@link StreamWriter} works with. */
export interface StreamWriterOptions {
  readonly turn: Turn;
  readonly maxBytes: number;
  /** It was behind, and is no more. */
  readonly ready: () => void;
  /** It can't be written or ended, as a middleware that has its hands in it says by a throw. */
  readonly failed: (thrown: unknown) => void;
}

/** Writes the response of an event stream: at the end of each turn, and never more than its client may keep waiting. */
export class StreamWriter implements Due {
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse & { flush?: () => void };
  readonly #options: StreamWriterOptions;
  #isBehind = false;
  /** What had not left when this turn began; `undefined` while nothing is said in it. */
  #before: number | undefined;
  /** What was said in this turn, and is not given to the response yet. */
  #due: Buffer[] = [];
  #dueBytes = 0;

  constructor(request: IncomingMessage, response: ServerResponse, options: StreamWriterOptions) {
    this.#request = request;
    this.#response = response;
    this.#options = options;
  }

  /** Whether what is written now may have to wait. */
  get isBehind(): boolean {
    return this.#isBehind;
  }

  /** How many bytes have not left yet. */
  get waiting(): number {
    return this.#dueBytes + this.#response.writableLength;
  }

  /** Makes the head; it leaves with the first event, or with the end. */
  begin(): void {
    const response = this.#response;
    response.statusCode = 200;
    response.setHeader("content-type", "text/event-stream; charset=utf-8");
    // What compresses on the way would hold events back until a block of them is full.
    response.setHeader("cache-control", "no-cache, no-transform");
    response.setHeader("x-accel-buffering", "no");
    // In no chunks, to the end of the connection, which is used for nothing else and would hold up a server that closes: a chunk is four writes.
    response.removeHeader("transfer-encoding");
    response.on("drain", () => this.#catchUp());
  }

  /** Writes; false, and nothing is written, if more waits than may. A single event always may. */
  write(bytes: Buffer): boolean {
    if (this.#before === undefined) {
      this.#before = this.waiting;
      this.#options.turn.add(this);
    }
    if (!this.#hasRoom(bytes.length)) return false;
    this.#dueBytes += bytes.length;
    if (this.#dueBytes >= BEHIND_BYTES) this.#isBehind = true;
    this.#due.push(bytes);
    return true;
  }

  flush(): void {
    this.#before = undefined;
    this.#give();
  }

  #give(): void {
    if (this.#due.length === 0) return;
    const response = this.#response;
    const bytes = this.#options.turn.join(this.#due);
    this.#forget();
    try {
      const hasRoom = response.write(bytes);
      // What a compressing middleware puts there; Node's own is another thing, and deprecated.
      if (Object.hasOwn(response, "flush")) response.flush?.();
      if (!hasRoom) this.#isBehind = true;
      else if (this.#isBehind) this.#catchUp();
    } catch (thrown) {
      // At the end of a turn, where nobody catches it and others wait to be written.
      this.#options.failed(thrown);
    }
  }

  /** Lets go of what is held back until the end of the turn, by us and by Node (`write_` in lib/_http_outgoing.js). */
  flushNow(): void {
    this.#give();
    if (!this.#isHttp2) this.#response.socket?.uncork();
  }

  /** Ends the response, whether its client reads or not. */
  end(): void {
    const response = this.#response;
    this.flush();
    const timer = setTimeout(() => response.destroy(), LINGER_MS);
    timer.unref();
    response.once("close", () => clearTimeout(timer));
    try {
      response.end();
    } catch (thrown) {
      // As with `flush`: those that are ended beside it are to be ended, too.
      this.#options.failed(thrown);
    }
  }

  /** Gives it up: nothing more is written. */
  destroy(): void {
    this.#forget();
    this.#response.destroy();
  }

  get #isHttp2(): boolean {
    return this.#request.httpVersionMajor >= 2;
  }

  #hasRoom(bytes: number): boolean {
    if (this.#fits(bytes, this.waiting)) return true;
    // What is held back is no fault of the reader's. HTTP/2 lets nothing go within a turn, so that only what is older tells.
    this.flushNow();
    return this.#fits(bytes, this.#isHttp2 ? (this.#before as number) : this.waiting);
  }

  #fits(bytes: number, waiting: number): boolean {
    return waiting === 0 || waiting + bytes <= this.#options.maxBytes;
  }

  #catchUp(): void {
    this.#isBehind = false;
    this.#options.ready();
  }

  #forget(): void {
    this.#due = [];
    this.#dueBytes = 0;
  }
}
