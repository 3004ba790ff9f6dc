import { holdsBinary } from "../wire/sendable.js";

type Path = readonly (string | number)[];

/** A value for another node, with the bytes in it beside it, as text: Socket.IO's Redis adapter carries nothing else between nodes. */
interface Packed {
  readonly kind: "packed";
  /** In a list, as the value itself may be bytes. */
  readonly value: readonly [unknown];
  readonly bytes: readonly (readonly [path: Path, base64: string])[];
}

/** A value as every adapter carries it; itself where it holds no bytes. What encoding it would throw is thrown. */
export function packed(value: unknown): unknown {
  if (!holdsBinary(value)) return value;
  const bytes: [Path, string][] = [];
  return { kind: "packed", value: [copyOf(value, [0], bytes)], bytes } satisfies Packed;
}

/** What another node sent, with its bytes as buffers, where they were. */
export function unpacked(value: unknown): unknown {
  if (typeof value !== "object" || value === null || (value as Partial<Packed>).kind !== "packed") return value;
  const { value: list, bytes } = value as Packed; // no other message or answer is of this kind
  for (const [path, base64] of bytes) {
    let place: unknown = list;
    for (const key of path.slice(0, -1)) place = (place as Record<string | number, unknown>)[key];
    Object.defineProperty(place, path.at(-1) as string | number, {
      value: Buffer.from(base64, "base64"),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return list[0];
}

function copyOf(value: unknown, path: Path, bytes: [Path, string][], isAsked = false): unknown {
  if (typeof value !== "object" || value === null || value instanceof Date) return value;
  if (ArrayBuffer.isView(value)) return note(Buffer.from(value.buffer, value.byteOffset, value.byteLength));
  if (value instanceof ArrayBuffer) return note(Buffer.from(value));
  const { toJSON } = value as { toJSON?: unknown };
  // Once, as encoders do.
  if (typeof toJSON === "function" && !isAsked) return copyOf(toJSON.call(value), path, bytes, true);
  if (Array.isArray(value)) return value.map((part, i) => copyOf(part, [...path, i], bytes));
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, copyOf(part, [...path, key], bytes)]));

  function note(part: Buffer): null {
    bytes.push([path, part.toString("base64")]);
    return null;
  }
}
