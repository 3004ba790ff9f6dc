import { isObject } from "../../wire/values.js";
import type { CursorState, DocumentUser } from "./protocol.js";

/** Deeper is no awareness state nested: it stands in the replies to all who come later, which are encoded by recursion. */
const DEPTH_MAX = 50;

/**
 * Whether a client's awareness state is no more than JSON. One that is not would spoil every reply it stands in: with binary parts that take
 * more attachments than a client accepts, or an object that it takes for an attachment.
 */
export function isPlainJson(state: unknown, depth = 0): boolean {
  if (typeof state !== "object" || state === null) return true;
  if (depth > DEPTH_MAX || ArrayBuffer.isView(state) || state instanceof ArrayBuffer) return false;
  const { _placeholder: placeholder } = state as { _placeholder?: unknown };
  if (placeholder === true) return false;
  return Object.values(state).every((part) => isPlainJson(part, depth + 1));
}

/** An awareness state as a client sent it, if it is one, with the server's word for whose it is. */
export function stamped(state: unknown, user: DocumentUser): CursorState | undefined {
  if (!isObject(state) || typeof state === "function" || Array.isArray(state)) return undefined;
  return { ...state, user };
}
