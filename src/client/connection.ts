import type { Ended } from "../features/realtime/protocol.js";
import { passes } from "../wire/codes.js";
import { type Failure, isFailure } from "../wire/failure.js";
import type { ClientSocket } from "./client-socket.js";
import { EventFailure, fromFailure } from "./event-failure.js";
import { keyOf } from "./key-of.js";
import { createPauses } from "./pauses.js";

/** Whether there is a connection, and what is known of why there is none. */
export interface ConnectionStatus {
  /** Whether there is a connection now. */
  readonly connected: boolean;
  /**
   * Why there is none: Socket.IO's word for how the last one went (`"transport close"`, `"io server disconnect"`), or what was said when
   * none could be made. Nothing while there is one, and before the first was tried.
   */
  readonly reason: string | undefined;
  /** Whether one is made without anybody doing anything; `false` while there is one. */
  readonly willRetry: boolean;
}

/** What the end of a connection means to the rest of the client. */
export interface ConnectionEvents {
  /** There is another status. */
  onStatus(status: ConnectionStatus): void;
  /** The server ended the connection or refused it, or no more tries are made; `willRetry` tells whether it comes back by itself. */
  onEnded(failure: EventFailure, willRetry: boolean): void;
}

/** The connection of one client: how it is, and when it is tried again. */
export interface Connection {
  /** The same object until something changes. */
  status(): ConnectionStatus;
  /** There is one. */
  onConnect(): void;
  /** It went. */
  onDisconnect(reason: string): void;
  /** One could not be made. */
  onError(error: unknown): void;
  /** The server says why it goes to end this connection. */
  onEnding(ended: Ended): void;
  /** Socket.IO's client makes no more tries. */
  onGiveUp(): void;
  /** Nothing is tried or told any more. */
  close(): void;
}

/** A connection that lasted longer than this makes the next pause a first one, in milliseconds. */
const LASTING_MS = 30_000;

/**
 * Makes the record of a connection. Socket.IO's client connects again by itself when a connection was lost, never when a server ended or
 * refused it: that is done here, if the server said when, or refused it for a reason that passes.
 */
export function createConnection(socket: ClientSocket, { onEnded, onStatus }: ConnectionEvents): Connection {
  let reason: string | undefined;
  let ending: Ended | undefined;
  let gaveUp = false;
  const pauses = createPauses();
  let since = Date.now();
  let last: ConnectionStatus | undefined;

  const status = (): ConnectionStatus => {
    const { connected } = socket;
    // Whether it is trying is known of a first connection, too; whether it will again, only its manager knows.
    const trying =
      socket.active !== false && !gaveUp && (reason === undefined || socket.io?.reconnection?.() !== false);
    const willRetry = !connected && (pauses.resting || trying);
    const now = { connected, reason, willRetry };
    return (last = keyOf(now) === keyOf(last) && last ? last : now);
  };
  /** What was told last: whoever asks in between must keep nobody from being told. */
  let told = status();
  const changed = (): void => {
    if (keyOf(told) !== keyOf((told = status()))) onStatus(told);
  };
  const end = (failure: EventFailure, again = failure.retryAfterMs !== undefined): void => {
    // Not where Socket.IO's client connects by itself, or is told to by somebody else.
    if (again && socket.active === false && socket.connect)
      pauses.rest(() => void socket.connect?.(), failure.retryAfterMs);
    changed();
    onEnded(failure, status().willRetry);
  };

  return {
    status,
    onConnect() {
      pauses.end();
      reason = ending = undefined;
      gaveUp = false;
      since = Date.now();
      changed();
    },
    onDisconnect(why) {
      reason = why;
      // A server that lets a client in and ends it at once is asked less and less often, too.
      if (Date.now() - since > LASTING_MS) pauses.reset();
      const said = ending;
      ending = undefined;
      if (why === "io client disconnect") changed();
      else if (said) {
        const { code, message, ...details } = said;
        end(fromFailure({ error: { code, message, details } }));
      } else if (socket.active === false) {
        end(new EventFailure("DISCONNECTED", `the server ended the connection: ${why}`));
      } else changed();
    },
    onError(error) {
      const failure = refusal(error);
      reason = (error as Error).message;
      if (socket.active === false) end(failure, passes(failure.code) || undefined);
      else changed();
    },
    onEnding: (ended) => void (ending = ended),
    onGiveUp() {
      gaveUp = true;
      end(new EventFailure("DISCONNECTED", "no connection could be made"));
    },
    close: pauses.end,
  };
}

/** The reason a server gave for refusing the connection; `data` of a `connect_error` is a failure, or what is inside one. */
function refusal(error: unknown): EventFailure {
  const { message, data } = error as { message: string; data?: unknown };
  const said = isFailure(data) ? data.error : (data as Partial<Failure["error"]> | undefined);
  const code: unknown = said?.code;
  return typeof code === "string"
    ? fromFailure({ error: { message, ...said, code } })
    : new EventFailure("DISCONNECTED", `refused; nothing was sent: ${message}`);
}
