import type { InboxItem, InboxPage } from "../protocol.js";
import type { Frame, Marks } from "./frames.js";

/** A page, and what came while it was on its way, which may not be in it. */
export interface Asked {
  readonly page: InboxPage;
  readonly frames: readonly Frame[];
}

/** What is known of somebody's notifications, always of one version: list and count fit each other (decision 0069). */
export interface Known {
  /** What is to be shown: the marks that the server has not taken are in it. */
  shown(): { readonly items: readonly InboxItem[]; readonly unread: number };
  /** Where the next page begins; nothing without one. */
  next(): number | undefined;
  /** Whether something was told of that has not come. */
  isIncomplete(): boolean;
  /** Takes a change in, at any time and any number of times. */
  see(frame: Frame): void;
  /** Remembers what comes from now on, until what is returned is called, which gives it. */
  record(): () => readonly Frame[];
  /** What is known is somebody else's. */
  forget(): void;
  /** Takes the first page in. `isFresh`: whatever was known, this holds. */
  begin(asked: Asked, isFresh: boolean): void;
  /** Adds the next page. */
  add(asked: Asked): void;
  /** Shows marks until the version that has them is known, or they are taken back. Returns what says either. */
  mark(marks: Marks): (version?: number) => void;
}

/** So many that come are shown beyond the pages that were loaded; then the oldest are left out. As many changes wait for a missing one. */
const SPARE = 100;

/** Makes an empty record. `onChange` is called when something may be different. */
export function createKnown(onChange: () => void): Known {
  let items: readonly InboxItem[] = [];
  let next: number | undefined;
  let room = Infinity;
  let unread = 0;
  /** Every change until this version is in, and none later. */
  let whole = 0;
  /** The greatest version that was told of. */
  let newest = 0;
  /** Changes that came before one that is missing. */
  const ahead = new Map<number, Frame>();
  let recorded: Frame[] | undefined;
  /** Each with the version that has it. */
  const pending = new Map<Marks, number>();

  /** What a change says of those that are there; said again it does nothing. */
  const refresh = (frame: Frame): void => {
    const { gone = -1 } = frame;
    items = marked(items, frame);
    if (gone >= 0) items = items.filter(({ createdAt }) => createdAt > gone);
  };
  /** The next change, and no other. */
  const advance = (frame: Frame): void => {
    ({ version: whole, unread } = frame);
    refresh(frame);
    if (!frame.notification) return;
    items = [frame.notification, ...items];
    if (items.length <= room) return;
    items = items.slice(0, room);
    next = items.at(-1)?.seq;
  };
  /** Goes on as far as nothing is missing. */
  const follow = (): void => {
    for (let frame = ahead.get(whole + 1); frame; frame = ahead.get(whole + 1)) advance(frame);
    for (const version of ahead.keys()) if (version <= whole) ahead.delete(version);
    for (const [marks, version] of pending) if (version <= whole) pending.delete(marks);
    onChange();
  };
  const see = (frame: Frame): void => {
    recorded?.push(frame);
    newest = Math.max(newest, frame.version);
    const isNext = frame.version === whole + 1;
    if (frame.version <= whole) refresh(frame);
    // A mark that changed nothing only tells of a version.
    else if ((frame.at ?? frame.notification) && (isNext || ahead.size < SPARE)) ahead.set(frame.version, frame);
    follow();
  };
  const take = (before: readonly InboxItem[], { page, frames }: Asked): void => {
    const known = new Set(before.map(({ id }) => id));
    items = [...before, ...page.items.filter(({ id }) => !known.has(id))];
    room = items.length + SPARE;
    ({ next } = page);
    for (const frame of frames) see(frame);
    follow();
  };

  return {
    shown() {
      let shown = items;
      let count = unread;
      for (const marks of pending.keys()) {
        const before = unreadOf(shown);
        shown = marked(shown, marks);
        // All that came behind the newest one that was seen is shown.
        count = marks.readUpTo === undefined ? count - before + unreadOf(shown) : unreadOf(shown);
      }
      return { items: shown, unread: Math.max(0, count) };
    },
    next: () => next,
    isIncomplete: () => newest > whole,
    see,
    record() {
      const mine: Frame[] = [];
      recorded = mine;
      return () => {
        if (recorded === mine) recorded = undefined;
        return mine;
      };
    },
    forget() {
      items = [];
      next = undefined;
      whole = newest = unread = 0;
      ahead.clear();
      pending.clear();
      recorded?.splice(0);
    },
    begin(asked, isFresh) {
      const { version } = asked.page;
      if (isFresh) {
        whole = newest = version;
        ahead.clear();
        for (const [marks, until] of pending) if (until < Infinity) pending.delete(marks);
      }
      // What is older than what is known says nothing.
      if (version < whole) return follow();
      ({ version: whole, unread } = asked.page);
      take([], asked);
    },
    add: (asked) => take(items, asked),
    mark(marks) {
      pending.set(marks, Infinity);
      onChange();
      return (version = -1) => {
        pending.set(marks, version);
        follow();
      };
    },
  };
}

function unreadOf(items: readonly InboxItem[]): number {
  return items.filter(({ readAt }) => readAt === null).length;
}

/** The same list, unless something of it is read now. */
function marked(items: readonly InboxItem[], { at = 0, read = [], readUpTo = -1 }: Marks): readonly InboxItem[] {
  const isHit = ({ id, seq, readAt }: InboxItem): boolean => readAt === null && (seq <= readUpTo || read.includes(id));
  return items.some(isHit) ? items.map((item) => (isHit(item) ? { ...item, readAt: at } : item)) : items;
}
