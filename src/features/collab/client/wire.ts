import { type Bytes, TEXT_MAX } from "../protocol.js";

/** Bytes as they are sent. */
export function toWire(bytes: Uint8Array): Bytes {
  return bytes.length > TEXT_MAX ? bytes : btoa(String.fromCharCode(...bytes));
}

/** Bytes as they came: text, or what the platform has for binary data. */
export function fromWire(wire: Bytes | ArrayBuffer): Uint8Array {
  return typeof wire === "string" ? Uint8Array.from(atob(wire), (byte) => byte.charCodeAt(0)) : new Uint8Array(wire);
}
