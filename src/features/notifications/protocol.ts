// What goes over the wire: shared by the server's part and the browser's. PROTOCOL.md lists the frames.

/** Client to server, answered with an {@link InboxPage}: `({ limit?, before? })`. */
export const PAGE = "notifications:page";

/** Client to server, answered with an {@link InboxMarked}: `(ids, user?)`, the user as a page has said it. */
export const READ = "notifications:read";

/** Client to server, answered with an {@link InboxMarked}: `(upTo, user?)`, the `seq` of the newest notification that was seen. */
export const READ_ALL = "notifications:readAll";

/** Server to client: an {@link InboxArrival}. */
export const NOTIFICATION = "notification";

/** Server to client: an {@link InboxChange}. */
export const CHANGED = "notifications:changed";

/** Server to client, without anything: the connection is another user's from now on. What is known is somebody else's. */
export const ANEW = "notifications:anew";

/** A notification as its user's clients have it. */
export interface InboxItem<Data = unknown> {
  /** Which one it is. */
  readonly id: string;
  /** Where it stands among those of its user: a later one has a greater number. */
  readonly seq: number;
  /** In a few words, as text: never markup. */
  readonly title: string;
  /** The rest of it, as text; `""` if there is none. */
  readonly message: string;
  /** Text, such as an emoji, or an address; `""` if there is none. Whoever shows it decides which addresses are loaded. */
  readonly icon: string;
  /** What a program needs to react, as the server sent it; `null` if there is none. */
  readonly data: Data;
  /** When it was sent, in milliseconds since 1970, by the server's clock. */
  readonly createdAt: number;
  /** When it was read; `null` while it is unread. */
  readonly readAt: number | null;
}

/** How many notifications of a user are unread, and how new that is. */
export interface Unread {
  /** How many. */
  readonly unread: number;
  /** Goes up by one with each change of the user's notifications: of two counts the one with the greater version holds. */
  readonly version: number;
}

/** A page of notifications, the newest first. */
export interface InboxPage extends Unread {
  /** At most as many as were asked for. */
  readonly items: readonly InboxItem[];
  /** Where the next page begins (its `before`); nothing if this is the last one. */
  readonly next?: number;
  /** Whose they are: what is marked of them is not to be marked for anybody else. */
  readonly user: string;
}

/** A notification has come. */
export interface InboxArrival extends Unread {
  /** The one. */
  readonly notification: InboxItem;
}

/** Notifications were read, or are gone. What is not named has not changed. */
export interface InboxChange extends Unread {
  /** When. */
  readonly at: number;
  /** These are read, as far as they are the user's. */
  readonly read?: readonly string[];
  /** All up to this `seq` are read. */
  readonly readUpTo?: number;
  /** Those sent at this time or before are gone. */
  readonly gone?: number;
}

/** What marking came to: the change as all are told of it, or, if nothing has changed, the count as it is. */
export type InboxMarked = InboxChange | Unread;
