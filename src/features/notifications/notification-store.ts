import type { Awaitable } from "../../wire/values.js";
import type { InboxItem, Unread } from "./protocol.js";

/** A notification, as it is kept. */
export interface Notification<Data = unknown> extends InboxItem<Data> {
  /** Whose it is. */
  readonly user: string;
}

/** What is to be kept. The store gives it its `seq`. */
export interface NotificationToKeep extends Omit<Notification, "seq" | "readAt"> {
  /** Of the same key of the same user one is kept; `undefined` is no key. */
  readonly idempotencyKey: string | undefined;
}

/** It is kept, and is the newest of its user. */
export interface Kept extends Unread {
  /** As it is kept. */
  readonly notification: Notification;
  /** It was not there before. */
  readonly isNew: true;
}

/** One with the same idempotency key is kept already. */
export interface KeptBefore {
  /** The one that was there. */
  readonly notification: Notification;
  /** Nothing has changed. */
  readonly isNew: false;
}

/** Which part of a user's notifications is asked for. */
export interface PageRange {
  /** Only those with a smaller `seq`; `undefined` begins with the newest. */
  readonly before: number | undefined;
  /** At most so many. */
  readonly limit: number;
}

/** Some notifications of a user, the newest first. */
export interface StoredPage extends Unread {
  /** At most `limit` of them. */
  readonly items: readonly Notification[];
  /** Whether there are older ones. */
  readonly more: boolean;
}

/** Which notifications of a user are read now: some, by their ids, or all up to a `seq`. */
export type ReadMarks =
  | {
      /** These, by their ids. */
      readonly ids: readonly string[];
      /** Not said. */
      readonly upTo?: undefined;
    }
  | {
      /** Not said. */
      readonly ids?: undefined;
      /** All up to this `seq`. */
      readonly upTo: number;
    };

/** What became of marking notifications as read. */
export interface Marked extends Unread {
  /** How many were unread before. With 0 the version stays. */
  readonly changed: number;
}

/** Notifications of a user were removed as they were too old. */
export interface Pruned extends Unread {
  /** Whose. */
  readonly user: string;
}

/**
 * Where notifications are kept, shared by all nodes. Notifications of different users have nothing to do with each other.
 *
 * - A user's `version` goes up by one with each change of what is kept for that user; it never goes back, and stays where nothing has
 *   changed. `unread` is counted from what is kept, at that version, never reckoned from an earlier count.
 * - `seq` goes up with each notification of a user.
 * - What was created at `since` or before is too old: it is in no page and no count, its idempotency key is free, and it may be removed at
 *   any time, and is by `prune`.
 *
 * One that rejects makes `send` reject, and clients ask again later. `contract(store)` of `socket-ingress/testing` says what yours has
 * to keep.
 */
export interface NotificationStore {
  /** Keeps a notification, unless one with its idempotency key is there. */
  add(notification: NotificationToKeep, since: number): Awaitable<Kept | KeptBefore>;
  /** Some of a user's notifications, the newest first. The count is not older than its version, and the items are not older than the count. */
  page(user: string, range: PageRange, since: number): Awaitable<StoredPage>;
  /** Marks notifications as read at `at`. What is unknown, another user's, or read already is left as it is. */
  mark(user: string, marks: ReadMarks, at: number, since: number): Awaitable<Marked>;
  /** Removes what is too old, of at most `limit` users, and tells of whom. With fewer than `limit` nothing is left to remove. */
  prune(since: number, limit: number): Awaitable<readonly Pruned[]>;
}
