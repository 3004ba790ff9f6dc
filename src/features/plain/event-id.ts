import { EPOCH_MAX, type Position } from "../../wire/positions.js";

/** What a client needs to be given what it missed by Socket.IO's connection state recovery. */
export interface Recovery {
  /** The session's private id. */
  readonly pid: string;
  /** The last packet that it has. */
  readonly offset: string;
}

/** Where a stream is: what an `id` line says, and what `Last-Event-ID` says again. */
export interface EventId {
  /** In the log of topics with history. */
  readonly position?: Position | undefined;
  /** In what Socket.IO keeps, where the server recovers connections. */
  readonly recovery?: Recovery | undefined;
}

/** No honest id is longer. */
const ID_MAX = 1_000;

/** Writes an id; `undefined` if there is nothing to say. */
export function writeEventId({ position, recovery }: EventId): string | undefined {
  const place = position === undefined ? "" : `${position[1]}.${encodeURIComponent(position[0])}`;
  if (recovery === undefined) return place === "" ? undefined : place;
  return [place, encodeURIComponent(recovery.pid), encodeURIComponent(recovery.offset)].join("/");
}

/** Reads an id; `undefined` for what no stream of ours has said. */
export function readEventId(text: string): EventId | undefined {
  const [, n = "", epoch = "", pid, offset] = /^(?:(\d{1,16})\.([^/]*))?(?:\/([^/]+)\/([^/]+))?$/.exec(text) ?? [];
  if (text === "" || text.length > ID_MAX || (n === "" && pid === undefined)) return undefined;
  try {
    const position: Position | undefined = n === "" ? undefined : [decodeURIComponent(epoch), Number(n)];
    if (position !== undefined && !isSayable(position)) return undefined;
    return {
      position,
      recovery:
        pid === undefined || offset === undefined
          ? undefined
          : { pid: decodeURIComponent(pid), offset: decodeURIComponent(offset) },
    };
  } catch {
    return undefined; // a percent sign that escapes nothing
  }
}

/** Whether a log may have it. */
function isSayable([epoch, n]: Position): boolean {
  return epoch.length <= EPOCH_MAX && Number.isSafeInteger(n);
}
