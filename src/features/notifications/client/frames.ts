import type { InboxArrival, InboxChange, InboxItem, Unread } from "../protocol.js";

/** Anything that changes what is known; what it does not name it leaves. */
export type Frame = Unread & Partial<InboxArrival & InboxChange>;

/** What is marked as read. */
export type Marks = Pick<Frame, "at" | "read" | "readUpTo">;

// What comes from the wire is looked at before anybody reads it: the server may be another version, or none of ours.

/** Whether this can be a change, a page, or the answer to a mark. */
export function isFrame<Given>(value: Given): value is Given & Frame {
  const { unread, version, read = [] } = (value ?? {}) as Partial<Frame>;
  return typeof unread === "number" && typeof version === "number" && Array.isArray(read);
}

/** Whether this can be a notification that has come. */
export function isArrival(value: unknown): value is InboxArrival {
  const { id, seq } = ((value as Partial<InboxArrival> | null)?.notification ?? {}) as Partial<InboxItem>;
  return isFrame(value) && typeof id === "string" && typeof seq === "number";
}
