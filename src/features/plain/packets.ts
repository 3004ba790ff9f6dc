import type { Message } from "./message.js";

/** A packet of Socket.IO's own parser, as it is written to a connection (`Encoder` of socket.io-parser). */
export interface Packet {
  readonly kind: "connect" | "disconnect" | "event" | "ack" | "connect_error";
  /** How many binary frames follow that belong to it. */
  readonly attachments: number;
  /** Of an acknowledgement, or of an event that wants one. */
  readonly id: number | undefined;
  readonly data: unknown;
  /** What plain clients are told of it: made with the first of them, and the same for all. */
  message?: Message;
}

const kinds: readonly Packet["kind"][] = ["connect", "disconnect", "event", "ack", "connect_error", "event", "ack"];

/**
 * Reads what Socket.IO writes to the plain clients of one door. A broadcast hands the same string to all of them, one after the other, so
 * the last one that can be a broadcast's is read once.
 */
export class PacketReader {
  #text = "";
  #packet: Packet | undefined;

  read(text: string): Packet {
    if (this.#packet !== undefined && text === this.#text) return this.#packet;
    const packet = parse(text);
    if (packet.kind === "event" && packet.attachments === 0) {
      this.#text = text;
      this.#packet = packet;
    }
    return packet;
  }
}

function parse(text: string): Packet {
  const read = /^(\d)(?:(\d+)-)?(?:\/[^,]*,)?(\d+)?/.exec(text) as RegExpExecArray; // Socket.IO's own parser has written it
  const [head, type, attachments = "0", id] = read;
  return {
    kind: kinds[Number(type)] as Packet["kind"],
    attachments: Number(attachments),
    id: id === undefined ? undefined : Number(id),
    data: head.length < text.length ? (JSON.parse(text.slice(head.length)) as unknown) : undefined,
  };
}

/** The packet with its binary frames in their places, as base64 text: plain clients are told in JSON. */
export function withAttachments(packet: Packet, frames: readonly Buffer[]): Packet {
  return { ...packet, attachments: 0, data: filled(packet.data, frames) };
}

function filled(value: unknown, frames: readonly Buffer[]): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((part) => filled(part, frames));
  const { _placeholder, num } = value as { _placeholder?: unknown; num: number };
  if (_placeholder === true) return frames[num]?.toString("base64");
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, filled(part, frames)]));
}
