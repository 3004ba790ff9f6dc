import type { AppServer } from "../../events/subscriber.js";

/** What stands around the bytes of a change in the body of a long-polling request, generously. */
const AROUND_BYTES = 64;

/**
 * The largest change that reaches a server, in bytes: a larger one ends its connection, and the next one, too, by which it is sent again. Over
 * long-polling it comes as base64.
 */
export function carriedBytes(io: AppServer | undefined): number {
  // Socket.IO keeps it from the public types; a server that is not attached yet has no engine.
  const { maxHttpBufferSize } = (io?.engine as { opts?: { maxHttpBufferSize?: unknown } } | undefined)?.opts ?? {};
  if (typeof maxHttpBufferSize !== "number") return Infinity;
  return Math.max(1, Math.floor((maxHttpBufferSize - AROUND_BYTES) * 0.75));
}
