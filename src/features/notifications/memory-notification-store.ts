import { count, readOptions } from "../../events/option-table.js";
import type {
  Kept,
  KeptBefore,
  Marked,
  Notification,
  NotificationStore,
  NotificationToKeep,
  PageRange,
  Pruned,
  ReadMarks,
  StoredPage,
} from "./notification-store.js";
import type { Unread } from "./protocol.js";

/** The bounds of a {@link MemoryNotificationStore}. Above one the oldest notifications go, read or not. */
export interface MemoryNotificationStoreOptions {
  /** How many notifications are kept of one user. @default 10_000 */
  maxPerUser?: number;
  /** How many are kept altogether. @default 100_000 */
  maxTotal?: number;
  /** How many bytes of text they may have altogether. @default 67_108_864 */
  maxBytes?: number;
}

const bounds = {
  maxPerUser: count(10_000, 1),
  maxTotal: count(100_000, 1),
  maxBytes: count(64 * 1024 * 1024, 1),
};

interface Entry {
  notification: Notification;
  readonly idempotencyKey: string | undefined;
  readonly bytes: number;
  isKept: boolean;
}

/** What is kept, the oldest first. What goes, goes from the front. */
class Line {
  #entries: Entry[] = [];
  #from = 0;

  get length(): number {
    return this.#entries.length - this.#from;
  }

  get first(): Entry | undefined {
    return this.#entries[this.#from];
  }

  push(entry: Entry): void {
    this.#entries.push(entry);
  }

  shift(): void {
    this.#from++;
    if (this.#from <= 64 || this.#from * 2 <= this.#entries.length) return;
    this.#entries = this.#entries.slice(this.#from);
    this.#from = 0;
  }

  /** Forgets what is not kept any more, wherever it stands. */
  sweep(): void {
    this.#entries = this.#entries.slice(this.#from).filter(({ isKept }) => isKept);
    this.#from = 0;
  }

  /** At most `limit` entries below a `seq`, the newest first. */
  newest(limit: number, before: number): Entry[] {
    let end = this.#entries.length;
    while (end > this.#from && (this.#entries[end - 1] as Entry).notification.seq >= before) end--; // one that is there
    return this.#entries.slice(Math.max(this.#from, end - limit), end).toReversed();
  }
}

interface Box {
  readonly line: Line;
  /** By their ids, the oldest first: what is unread is counted from these. */
  readonly unread: Map<string, Entry>;
  readonly byKey: Map<string, Entry>;
  version: number;
}

/**
 * A {@link NotificationStore} in the memory of one process, the default: right for one node, and for as long as it lives. It is bounded
 * in number and bytes, by user and altogether, and no call looks through more than it answers.
 */
export class MemoryNotificationStore implements NotificationStore {
  readonly #bounds: Required<MemoryNotificationStoreOptions>;
  readonly #boxes = new Map<string, Box>();
  /** All that is kept, and some that is not any more. */
  readonly #all = new Line();
  /** Of whom something has gone since it was last told. */
  readonly #shrunk = new Set<string>();
  /** The greatest version of anybody of whom nothing is kept any more: whoever comes back goes on from there. */
  #forgotten = 0;
  #total = 0;
  #bytes = 0;

  /** @throws TypeError if a bound is no whole number from 1 */
  constructor(options: MemoryNotificationStoreOptions = {}) {
    this.#bounds = readOptions("MemoryNotificationStore", bounds, options);
  }

  /** How many notifications are kept, and how many bytes of text. */
  get stats(): Readonly<Record<"notifications" | "bytes", number>> {
    return { notifications: this.#total, bytes: this.#bytes };
  }

  /** Keeps a notification, unless one with its idempotency key is there. */
  add({ idempotencyKey, ...given }: NotificationToKeep, since: number): Kept | KeptBefore {
    this.#expire(since);
    const { user } = given;
    const before = idempotencyKey === undefined ? undefined : this.#boxes.get(user)?.byKey.get(idempotencyKey);
    if (before !== undefined) return { notification: before.notification, isNew: false };
    const box = this.#boxes.get(user) ?? this.#open(user);
    const notification: Notification = { ...given, seq: ++box.version, readAt: null };
    const entry: Entry = { notification, idempotencyKey, bytes: sizeOf(given), isKept: true };
    box.line.push(entry);
    box.unread.set(given.id, entry);
    if (idempotencyKey !== undefined) box.byKey.set(idempotencyKey, entry);
    this.#all.push(entry);
    this.#total++;
    this.#bytes += entry.bytes;
    this.#bound(box);
    return { notification, isNew: true, ...this.#unread(user) };
  }

  /** Some of a user's notifications, the newest first. */
  page(user: string, { before = Infinity, limit }: PageRange, since: number): StoredPage {
    this.#expire(since);
    const found = this.#boxes.get(user)?.line.newest(limit + 1, before) ?? [];
    const items = found.slice(0, limit).map(({ notification }) => notification);
    return { items, more: found.length > limit, ...this.#unread(user) };
  }

  /** Marks notifications as read. */
  mark(user: string, marks: ReadMarks, at: number, since: number): Marked {
    this.#expire(since);
    const box = this.#boxes.get(user);
    const found = box === undefined ? [] : marked(box.unread, marks);
    for (const entry of found) {
      box?.unread.delete(entry.notification.id);
      // Another object: the one before was handed out.
      entry.notification = { ...entry.notification, readAt: at };
    }
    if (box !== undefined && found.length > 0) box.version++;
    return { changed: found.length, ...this.#unread(user) };
  }

  /** Removes what is too old, and tells of whom, and of whom something has gone for want of room. */
  prune(since: number, limit: number): Pruned[] {
    this.#expire(since);
    const users = [...this.#shrunk].slice(0, limit);
    for (const user of users) this.#shrunk.delete(user);
    return users.map((user) => ({ user, ...this.#unread(user) }));
  }

  #open(user: string): Box {
    const box: Box = { line: new Line(), unread: new Map(), byKey: new Map(), version: this.#forgotten };
    this.#boxes.set(user, box);
    return box;
  }

  #unread(user: string): Unread {
    const box = this.#boxes.get(user);
    return { unread: box?.unread.size ?? 0, version: box?.version ?? this.#forgotten };
  }

  #expire(since: number): void {
    this.#shiftWhile(({ notification }) => notification.createdAt <= since);
  }

  #bound(box: Box): void {
    const { maxPerUser, maxTotal, maxBytes } = this.#bounds;
    // Part of the change that added one.
    if (box.line.length > maxPerUser && box.line.first !== undefined) this.#drop(box.line.first, box);
    this.#shiftWhile(() => this.#total > maxTotal || (this.#bytes > maxBytes && this.#total > 1));
    if (this.#all.length > 2 * this.#total + 64) this.#all.sweep();
  }

  /** The oldest of all go, while they are to. */
  #shiftWhile(isToGo: (entry: Entry) => boolean): void {
    for (let entry = this.#all.first; entry !== undefined; entry = this.#all.first) {
      if (entry.isKept && !isToGo(entry)) return;
      this.#all.shift();
      const box = this.#boxes.get(entry.notification.user);
      if (!entry.isKept || box === undefined) continue;
      box.version++;
      this.#shrunk.add(entry.notification.user);
      this.#drop(entry, box);
    }
  }

  /** Lets go of the oldest notification of a user. */
  #drop(entry: Entry, box: Box): void {
    const { user, id } = entry.notification;
    entry.isKept = false;
    this.#total--;
    this.#bytes -= entry.bytes;
    box.line.shift();
    box.unread.delete(id);
    if (entry.idempotencyKey !== undefined) box.byKey.delete(entry.idempotencyKey);
    if (box.line.length > 0) return;
    this.#boxes.delete(user);
    this.#forgotten = Math.max(this.#forgotten, box.version);
  }
}

function marked(unread: ReadonlyMap<string, Entry>, { ids, upTo }: ReadMarks): Entry[] {
  if (ids !== undefined) return [...new Set(ids)].flatMap((id) => unread.get(id) ?? []);
  const found: Entry[] = [];
  for (const entry of unread.values()) {
    if (entry.notification.seq > upTo) break;
    found.push(entry);
  }
  return found;
}

function sizeOf(notification: object): number {
  return JSON.stringify(notification).length * 2;
}
