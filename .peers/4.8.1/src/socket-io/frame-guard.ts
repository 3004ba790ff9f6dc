import type { EventEmitter } from "node:events";

/** A connection as far as its frames matter; what Engine.IO calls a socket. */
type Connection = EventEmitter & { close(discard?: boolean): void };

/** More arguments than any event has, and few enough to be passed to a function. */
const MOST_ARGS = 20_000;

/** Each argument takes two characters at least, so what is shorter has no more than that. */
const SHORTEST_SUSPECT = 2 * MOST_ARGS;

/**
 * Socket.IO passes the arguments of an event to its listeners with `apply` (`Socket.onevent` and `StrictEventEmitter.emitUntyped`),
 * which throws a RangeError somewhere above 60,000 of them, outside any `try`: one frame of 300 kB ends the process. There is no
 * place for a `try` of ours around it, so the connection that sends such a frame is closed before its event is told of, as Socket.IO
 * closes one that sends what can't be decoded. Only text
 * frames are looked at, those of Socket.IO's own parser: what a custom one makes of its bytes can't be told from here.
 */
export class FrameGuard {
  /** Called by Engine.IO with the connection as `this`; closed, it has no decoder any more (`Client.destroy` in socket.io). */
  readonly #onData = function (this: Connection, data: unknown): void {
    if (typeof data === "string" && data.length > SHORTEST_SUSPECT && hasTooManyArgs(data)) this.close(true);
  };

  /**
   * Watch a connection, before Socket.IO does; again it does nothing. By `data`, which Socket.IO listens to as well: a listener to an
   * event of its own, `packet`, would make the emitter's table grow, which takes twice as long as all else we do for a connection.
   */
  guard(connection: Connection): void {
    if (connection.listenerCount("data", this.#onData) === 0) connection.prependListener("data", this.#onData);
  }

  /** Leave it alone. */
  unguard(connection: Connection): void {
    connection.off("data", this.#onData);
  }
}

/**
 * Counts the commas between the outermost brackets of the payload, which follows the type, the number of attachments, the namespace
 * and the id (`Decoder.decodeString` in socket.io-parser).
 */
function hasTooManyArgs(text: string): boolean {
  const namespace = /^\d(?:\d*-)?\//.test(text) ? text.indexOf(",") : 0;
  const payload = namespace < 0 ? -1 : text.indexOf("[", namespace);
  if (payload < 0) return false;
  let depth = 0;
  let commas = 0;
  let quoted = false;
  for (let i = payload; i < text.length; i++) {
    const char = text.charCodeAt(i);
    if (quoted) {
      if (char === 0x5c) i++; // a backslash: the next character is not the end
      else if (char === 0x22) quoted = false;
    } else if (char === 0x22) quoted = true;
    else if (char === 0x5b || char === 0x7b) depth++;
    else if (char === 0x5d || char === 0x7d) depth--;
    else if (char === 0x2c && depth === 1 && ++commas >= MOST_ARGS) return true;
  }
  return false;
}
