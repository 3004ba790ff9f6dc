import { withoutStack } from "../../wire/event-error.js";
import { type Bytes, TEXT_MAX, type UpdateFrame } from "./protocol.js";

/** Bytes as they are sent. */
export function toWire(bytes: Uint8Array): Bytes {
  const { buffer, byteOffset, byteLength } = bytes;
  return byteLength > TEXT_MAX ? bytes : Buffer.from(buffer, byteOffset, byteLength).toString("base64");
}

/** A change as it is sent to clients. */
export function updateFrame(n: number, update: Uint8Array): UpdateFrame {
  const wire = toWire(update);
  return typeof wire === "string" ? `${n}:${wire}` : [n, wire];
}

/** Bytes for another node: as text, as not every adapter carries anything else in a message between nodes. */
export function toNode({ buffer, byteOffset, byteLength }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString("base64");
}

/** What another node sent. */
export function fromNode(wire: string): Uint8Array {
  return new Uint8Array(Buffer.from(wire, "base64"));
}

/** What a client sent. @throws EventError `INVALID_INPUT` if it is none, or more than `max` bytes of the option `limit` */
export function fromClient(wire: unknown, limit: string, max: number): Uint8Array {
  if (typeof wire !== "string" && !(wire instanceof Uint8Array))
    throw withoutStack("INVALID_INPUT", "expected bytes, or base64");
  // Looked at before it is decoded: base64 is a third longer.
  const length = typeof wire === "string" ? Math.floor((wire.length * 3) / 4) - 2 : wire.byteLength;
  if (length > max) throw tooMuch(`it has more than ${max} bytes`, limit, max);
  return typeof wire === "string" ? fromNode(wire) : new Uint8Array(wire);
}

/** The refusal of what is beyond a limit; the limit is in its details, under its name. */
export function tooMuch(message: string, limit: string, max: number): Error {
  return withoutStack("INVALID_INPUT", message, { details: { [limit]: max } });
}

/** Reads the frame of a change: the number of its document, and its bytes as they came. */
export function readUpdateFrame(frame: unknown, bytes: unknown): { n: number; wire: unknown } {
  if (typeof frame === "number") return { n: frame, wire: bytes };
  if (typeof frame !== "string") throw withoutStack("INVALID_INPUT", "expected the frame of a change");
  const colon = frame.indexOf(":");
  return { n: Number(frame.slice(0, Math.max(0, colon))), wire: frame.slice(colon + 1) };
}
