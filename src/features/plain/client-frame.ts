import { isUnsendable, ownPrefix } from "../../wire/event-names.js";
import { unsendable } from "../../wire/sendable.js";
import type { Emit, Subscribe, Unsubscribe } from "./protocol.js";

/** What a client says, as far as it could be read. */
export type ClientFrame =
  | ({ readonly kind: "subscribe" } & Subscribe)
  | ({ readonly kind: "unsubscribe" } & Unsubscribe)
  | ({ readonly kind: "event" } & Emit)
  | { readonly kind: "unreadable"; readonly message: string; readonly id: string | number | undefined };

const ID_MAX = 128;

/** Reads what a client sent, which is hostile. */
export function readClientFrame(data: unknown, isBinary: boolean): ClientFrame {
  const frame = isBinary ? undefined : parse(String(data));
  if (frame === undefined) return unreadable("expected one JSON object in a text frame");
  const { subscribe, unsubscribe, event, id } = frame;
  if (!isId(id)) return unreadable(`id must be a number, or a string of at most ${ID_MAX} characters`);
  const withId = id !== undefined && { id };
  if (typeof subscribe === "string") return { kind: "subscribe", subscribe, ...withId };
  if (typeof unsubscribe === "string") return { kind: "unsubscribe", unsubscribe, ...withId };
  if (typeof event !== "string" || event === "")
    return unreadable("expected { subscribe }, { unsubscribe } or { event, data, id }, each with a string", id);
  if (isUnsendable(event) || event.startsWith(ownPrefix))
    return unreadable("clients can't send an event of this name", id);
  const { data: argument } = frame;
  // It is written down again for Socket.IO, which takes a stack where reading it took none.
  const reason = unsendable(argument);
  if (reason !== undefined) return unreadable(`the data can't be taken: ${reason}`, id);
  return { kind: "event", event, ...("data" in frame && { data: argument }), ...withId };
}

function parse(text: string): Record<string, unknown> | undefined {
  try {
    const value = JSON.parse(text) as unknown;
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    return isObject ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function unreadable(message: string, id?: string | number): ClientFrame {
  return { kind: "unreadable", message, id };
}

function isId(id: unknown): id is string | number | undefined {
  return id === undefined || Number.isFinite(id) || (typeof id === "string" && id.length <= ID_MAX);
}
