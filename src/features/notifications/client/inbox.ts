import type { Caller, Client } from "../../../client/client.js";
import type { EventFailure } from "../../../client/event-failure.js";
import { misfit } from "../../../client/misfit.js";
import { createOpened, type Opened, type OpenedState, type OpenedStatus } from "../../../client/opened.js";
import { createPauses } from "../../../client/pauses.js";
import { guarded } from "../../../client/subscribers.js";
import { passes } from "../../../wire/codes.js";
import {
  ANEW,
  CHANGED,
  type InboxItem,
  type InboxMarked,
  type InboxPage,
  NOTIFICATION,
  PAGE,
  READ,
  READ_ALL,
} from "../protocol.js";
import { isArrival, isFrame, type Marks } from "./frames.js";
import { type Asked, createKnown } from "./known.js";

/** What an inbox shows. */
export interface InboxSnapshot<Data = unknown> extends OpenedState {
  /** The newest notifications, the newest first: a page, and as many more as {@link Inbox.loadMore} has added or have come since. */
  readonly items: readonly InboxItem<Data>[];
  /** How many are unread, those that are not among `items` included. */
  readonly unread: number;
  /** Whether there are older ones than `items`. */
  readonly more: boolean;
}

/** What {@link openInbox} takes beside the client. */
export interface InboxOptions<Data = unknown> {
  /** How many notifications make a page; the server gives at most 100. @default 50 */
  limit?: number;
  /** Told of each notification when it comes, once; never of those that were there before, or came while there was no connection. */
  onNew?: (notification: InboxItem<Data>) => unknown;
}

/**
 * A user's notifications, as they change: those of other tabs, devices and nodes included.
 *
 * It is `stale` while there is no connection or the server can't answer, and asks for the first page again by itself; `lost` when the server
 * ended the connection or says that the user is nobody. When the connection becomes another user's, by a login or logout, it is empty and `loading` until
 * that one's notifications are there, and `lost` if that is nobody.
 *
 * @typeParam Data - what the `data` of a notification is, by the application's word
 */
export interface Inbox<Data = unknown> extends Opened<InboxSnapshot<Data>> {
  /**
   * Marks one notification as read, or several, at most 1,000: shown at once, and taken back if the server does not do it. What is unknown
   * or read already stays as it is.
   *
   * @returns a promise that rejects with an `EventFailure` if it was not done, or nobody knows; it needs nobody to hear it, as that is
   * logged, too
   */
  markRead(id: string | readonly string[]): Promise<void>;
  /**
   * Marks all as read up to the newest one that is shown, those included that are on later pages. One that comes meanwhile stays
   * unread. The rest is as with {@link Inbox.markRead}.
   */
  markAllRead(): Promise<void>;
  /** Adds the next page; without one it does nothing. A call while one is under way is that one. Rejects as {@link Inbox.markRead} does. */
  loadMore(): Promise<void>;
}

/** What is called here, as a map of events. */
interface Calls {
  [PAGE](asked: { limit: number; before?: number }, reply: (page: InboxPage) => void): void;
  [READ](ids: readonly string[], of: string | undefined, reply: (change: InboxMarked) => void): void;
  [READ_ALL](upTo: number, of: string | undefined, reply: (change: InboxMarked) => void): void;
}

/** How long a change may be overtaken by later ones before it is taken for lost, in milliseconds (decision 0069). */
const OVERTAKEN_MS = 100;

/**
 * Opens the inbox of whoever the client's connection belongs to.
 *
 * @param client - as `createClient` of `socket-ingress/client` makes it; it may be connected or not
 * @throws TypeError if the limit is no number from 1
 *
 * @example
 * const inbox = openInbox(client, { limit: 20, onNew: ({ title }) => document.hidden && new Notification(title) });
 * const { items, unread, more, status } = useSyncExternalStore(inbox.subscribe, inbox.getSnapshot);
 */
export function openInbox<Data = unknown>(
  // Any application's: its own type could only be named beside `Data` by whoever names both.
  client: Client<any>,
  { limit = 50, onNew }: InboxOptions<Data> = {},
): Inbox<Data> {
  if (typeof limit !== "number" || !(limit >= 1)) throw misfit("limit", "a number from 1", limit);
  const { logger } = client;
  // No application's type knows our events.
  const caller = client as unknown as Caller<Calls>;
  const listen: (event: string, fn: (frame: unknown) => unknown) => () => void = client.on;

  let closed = false;
  let status: OpenedStatus = "loading";
  let error: unknown;
  /** The connection is a new one. */
  let isFresh = false;
  /** Whose notifications these are. */
  let user: string | undefined;
  let loads = 0;
  let loading: Promise<void> | undefined;
  let adding: Promise<void> | undefined;
  let missing: ReturnType<typeof setTimeout> | undefined;
  const pauses = createPauses();

  const opening = createOpened<InboxSnapshot<Data>>({
    logger,
    name: "an inbox",
    look() {
      const { items, unread } = known.shown();
      return {
        items: items as readonly InboxItem<Data>[], // the application's word for what it sends
        unread,
        more: known.next() !== undefined,
        status,
        ...(error !== undefined && { error }),
      };
    },
    onClose() {
      closed = true;
      pauses.end();
      clearTimeout(missing);
      for (const off of attached) off();
    },
  });
  const known = createKnown(() => {
    opening.changed();
    // Messages of several nodes overtake each other, or get lost: then the page is asked for.
    if (known.isIncomplete() && !closed)
      missing ??= setTimeout(() => {
        missing = undefined;
        if (known.isIncomplete()) void load();
      }, OVERTAKEN_MS);
  });

  const show = (now: OpenedStatus, why?: unknown): void => {
    status = now;
    error = why;
    opening.changed();
  };
  const malformed = (name: string, frame: unknown): TypeError => {
    const what = `socket-ingress: the server sent a malformed "${name}"`;
    logger.warn(what, frame);
    return new TypeError(what);
  };
  /** A promise somebody may hear, and nobody has to. */
  const unheard = (what: string, promise: Promise<void>): Promise<void> => {
    promise.catch((why: unknown) => closed || logger.warn(`socket-ingress: ${what} failed`, why));
    return promise;
  };

  const ask = async (before?: number): Promise<Asked> => {
    const recorded = known.record();
    try {
      const page = await caller.call(PAGE, before === undefined ? { limit } : { limit, before });
      if (!isFrame(page) || !Array.isArray(page.items)) throw malformed(PAGE, page);
      return { page, frames: recorded() };
    } finally {
      recorded();
    }
  };
  const load = (): Promise<void> => (loading ??= loadFirst().finally(() => (loading = undefined)));
  const loadFirst = async (): Promise<void> => {
    // With the next connection it is done anyway.
    if (closed || !client.status.connected) return;
    pauses.end();
    loads++;
    try {
      const asked = await ask();
      if (closed) return;
      if (user !== undefined && user !== asked.page.user) known.forget();
      ({ user } = asked.page);
      known.begin(asked, isFresh);
      isFresh = false;
      pauses.reset();
      show("live");
    } catch (thrown) {
      const { code = "", retryAfterMs } = thrown as Partial<EventFailure>;
      // What becomes of the connection is told by the connection.
      if (closed || code === "DISCONNECTED") return;
      show(passes(code) ? "stale" : "lost", thrown);
      if (passes(code)) pauses.rest(() => void load(), retryAfterMs);
    }
  };
  const loadNext = async (): Promise<void> => {
    await loading;
    const next = known.next();
    if (next === undefined) return;
    const then = loads;
    const asked = await ask(next);
    // What was asked for meanwhile begins anew.
    if (then === loads && !closed) known.add(asked);
  };

  const mark = async (said: Omit<Marks, "at">, call: () => Promise<InboxMarked>): Promise<void> => {
    const settle = known.mark({ ...said, at: Date.now() });
    try {
      const change = await call();
      if (!isFrame(change)) throw malformed(READ, change);
      settle(change.version);
      if (!closed) known.see(change);
    } catch (thrown) {
      settle();
      // It may have been done all the same.
      void load();
      throw thrown;
    }
  };

  const attached = [
    listen(NOTIFICATION, (frame) => {
      if (!isArrival(frame)) return malformed(NOTIFICATION, frame);
      known.see(frame);
      // The data is what the application says it is.
      return onNew && guarded(logger, "onNew of an inbox", onNew, frame.notification as InboxItem<Data>);
    }),
    listen(CHANGED, (frame) => (isFrame(frame) ? known.see(frame) : malformed(CHANGED, frame))),
    listen(ANEW, () => {
      isFresh = true;
      loads++;
      known.forget();
      show("loading");
      void load();
    }),
    client.onStatus(({ connected }) => {
      if (status !== "loading") show("stale");
      if (!connected) return;
      isFresh = true;
      void load();
    }),
    // Told behind the status.
    client.onEnded((failure) => client.status.willRetry || show("lost", failure)),
  ];

  return {
    ...opening.opened,
    markRead(id) {
      const { items } = known.shown();
      const isRead = (one: string): boolean => items.some((item) => item.id === one && item.readAt !== null);
      const read = (typeof id === "string" ? [id] : id).filter((one) => !isRead(one));
      if (read.length === 0) return Promise.resolve();
      return unheard(
        "marking notifications as read",
        mark({ read }, () => caller.call(READ, read, user)),
      );
    },
    markAllRead() {
      const readUpTo = known.shown().items[0]?.seq ?? 0;
      if (readUpTo === 0) return Promise.resolve();
      return unheard(
        "marking all notifications as read",
        mark({ readUpTo }, () => caller.call(READ_ALL, readUpTo, user)),
      );
    },
    loadMore: () =>
      (adding ??= unheard(
        "loading more notifications",
        loadNext().finally(() => (adding = undefined)),
      )),
  };
}
