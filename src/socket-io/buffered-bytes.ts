import type { Connection } from "./engines.js";

/** What a transport has been given and not sent yet, where it says so: `ws` by a property, uWebSockets.js by a method. */
interface Sending {
  readonly bufferedAmount?: number;
  getBufferedAmount?(): number;
}

/** How far a list of packets that wait has been added up: it only grows until it is written as a whole. */
const added = new WeakMap<object, { upTo: number; bytes: number }>();

/**
 * How many bytes wait to be written to a connection: packets that Engine.IO keeps until the transport can be written to, and what the
 * WebSocket has taken and not passed on to the operating system. Over HTTP long-polling it is what waits for the client's next request.
 */
export function bufferedBytesOf({ writeBuffer = [], transport }: Connection): number {
  const sum = added.get(writeBuffer) ?? { upTo: 0, bytes: 0 };
  for (; sum.upTo < writeBuffer.length; sum.upTo++) sum.bytes += sizeOf(writeBuffer[sum.upTo]?.data);
  added.set(writeBuffer, sum);
  const socket: Sending | undefined = transport?.socket;
  return sum.bytes + (socket?.bufferedAmount ?? socket?.getBufferedAmount?.() ?? 0);
}

function sizeOf(data: unknown): number {
  if (typeof data === "string") return Buffer.byteLength(data);
  return ArrayBuffer.isView(data) || data instanceof ArrayBuffer ? data.byteLength : 0;
}
