import { createRequire } from "node:module";
import type { EventEmitter } from "node:events";
import { ownRequire } from "../lifecycle/own-require.js";

/** A packet as `socket.io-parser` knows it. */
export interface Packet {
  type: number;
  nsp: string;
  data?: unknown;
  id?: number;
  attachments?: number;
}

/** What Socket.IO takes as its `parser` option, as much of it as the test kit needs. */
export interface Parser {
  readonly Encoder: new () => { encode(packet: Packet): unknown[] };
  readonly Decoder: new (options?: {
    maxAttachments: number;
  }) => Pick<EventEmitter, "on" | "off"> & { add(chunk: unknown): void; destroy(): void };
}

/** The packet types of the Socket.IO protocol, version 5. */
export const packetType = {
  connect: 0,
  disconnect: 1,
  event: 2,
  ack: 3,
  connectError: 4,
  binaryEvent: 5,
  binaryAck: 6,
} as const;

/** Whether a test may disturb packets of this type: events and acknowledgements, not those that open and close a connection. */
export function faultable(type: number): boolean {
  return (
    type === packetType.event ||
    type === packetType.ack ||
    type === packetType.binaryEvent ||
    type === packetType.binaryAck
  );
}

// From where `socket.io` itself stands: the double and the server must share one copy of these packages, which they would not
// with a second entry in our dependencies that resolves to another version.
const requireAsSocketIo = createRequire(ownRequire.resolve("socket.io"));

/** The parser that `socket.io` uses unless it is given another. */
export function defaultParser(): Parser {
  return requireAsSocketIo("socket.io-parser") as Parser;
}

/** The package `socket.io-adapter` that `socket.io` uses. */
export function adapterPackage(): { readonly ClusterAdapter: unknown } {
  return requireAsSocketIo("socket.io-adapter") as { readonly ClusterAdapter: unknown };
}
