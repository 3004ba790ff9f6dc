import { Awareness } from "y-protocols/awareness";
import {
  applyUpdate,
  decodeStateVector,
  diffUpdate,
  Doc,
  encodeStateAsUpdate,
  encodeStateVector,
  getState,
  mergeUpdates,
  type Transaction,
  UndoManager,
} from "yjs";
import type { Caller, Client } from "../../../client/client.js";
import { type EventFailure, fromFailure } from "../../../client/event-failure.js";
import { createOpened, type Opened, type OpenedState, type OpenedStatus } from "../../../client/opened.js";
import { createPauses } from "../../../client/pauses.js";
import { guarded } from "../../../client/subscribers.js";
import type { TopicJoin } from "../../../client/topic-join.js";
import { passes } from "../../../wire/codes.js";
import type { Failure } from "../../../wire/failure.js";
import {
  type CursorState,
  CURSOR,
  type DocumentUser,
  MODE,
  type Mode,
  REFUSED,
  SAVED,
  type Saving,
  savings,
  SYNC,
  type Synced,
  TAKEN,
  UPDATE,
  type UpdateFrame,
} from "../protocol.js";
import { createEverybodyElse } from "./everybody-else.js";
import { takeBack } from "./take-back.js";
import { fromWire, toWire } from "./wire.js";

/** What a document shows beside what is in it. */
export interface DocumentSnapshot extends OpenedState {
  /** What one may do; nothing before that is known. */
  readonly mode: Mode | undefined;
  /** Whether everything is in the server's store, what was done here included; `failed`: the server keeps it, and tries again. */
  readonly saving: Saving;
  /** Who has it open, this client included: each user once, those who are not signed in each by themselves. */
  readonly users: readonly DocumentUser[];
}

/** What {@link openDocument} takes beside client and name. */
export interface DocumentOptions {
  /** The document to keep in step, with what is in it already. @default a new one */
  doc?: Doc;
  /** Where the cursors of others are, and one's own. @default a new one */
  awareness?: Awareness;
  /** The document is not to be had any more: refused, taken away, or the server ended the connection. */
  onLost?: (failure: EventFailure) => unknown;
  /**
   * The server did not take what was done here last, for good: it is too large, or the document is full or read-only. What was written is
   * taken out of the document again, unless that was under an earlier client id. Without this it is a logged warning.
   */
  onRefused?: (failure: EventFailure) => unknown;
}

/**
 * A document that others edit, too. What is done to `doc` is sent, and what others do comes in, until it is closed; what is done without a
 * connection goes out with the next one, and is merged.
 */
export interface OpenDocument extends Opened<DocumentSnapshot> {
  /** What is in it: any editor with a binding for Yjs takes it as it is. */
  readonly doc: Doc;
  /** Where everybody points. Whatever is set as `user` in it, others see whom the server knows. */
  readonly awareness: Awareness;
  /** Undoes what was done here, and nothing else; give it to an editor that has an undo of its own. */
  readonly undoManager: UndoManager;
  /** As in the snapshot. */
  readonly status: OpenedStatus;
  /** As in the snapshot. */
  readonly mode: Mode | undefined;
  /** As in the snapshot. */
  readonly saving: Saving;
  /** As in the snapshot. */
  readonly users: readonly DocumentUser[];
  /** Undoes the last thing that was done here, what was done within half a second together; nothing if there is nothing. */
  undo(): void;
  /** Does again what was undone last. */
  redo(): void;
}

/** What is called here, as a map of events. */
interface Calls {
  [SYNC](topic: string, has: unknown, clientId: number, key: string, reply: (synced: Synced) => void): void;
}

/** So many changes may be on their way; what is done meanwhile is sent as one. */
const UNDER_WAY_MAX = 32;

/** How long the server may take to say that it has taken a change, and how long a cursor may rest, in milliseconds. */
const MS = { taken: 10_000, cursor: 40, conflict: 50 };

/** More changes than this are gathered, in pieces of so many bytes at most. */
const GATHER = { changes: 512, bytes: 1_024 };

/** The bytes of an update of nothing. */
const NOTHING = 2;

/** So often what is refused is sent again soon, before that becomes less and less often. */
const QUICK = 3;

/** A frame that came while the server was asked, and what to do with it if it is of the document as it is then. */
type Early = [n: number, hear: () => void][];

/** Whether there is something in a document that is beyond these clocks. */
function isAhead({ store }: Doc, clocks: ReadonlyMap<number, number>): boolean {
  return [...store.clients.keys()].some((client) => getState(store, client) > (clocks.get(client) ?? 0));
}

/**
 * What lacks whoever has this, but for what was deleted: of that Yjs writes all that there ever was, behind the rest, into each update.
 */
function withoutDeletions(doc: Doc, has: Uint8Array): Uint8Array {
  const deletions = encodeStateAsUpdate(doc, encodeStateVector(doc)).byteLength - 1;
  const update = encodeStateAsUpdate(doc, has);
  const structs = update.slice(0, update.byteLength - deletions + 1);
  structs[structs.length - 1] = 0;
  return structs;
}

/** The refusal of a change that the server would refuse. */
function tooLarge(max: number): Failure["error"] {
  return {
    code: "INVALID_INPUT",
    message: `it has more than ${max} bytes`,
    details: { maxUpdateBytes: max },
  };
}

/** The undo takes back whatever was done by anybody on this side: editors have origins of their own. */
class AnyOrigin extends Set<unknown> {
  override has(): boolean {
    return true;
  }
}

const openBy = new WeakMap<object, Set<string>>();

/**
 * Opens a document, as the server's `Collab.define` declares it, and joins its topic.
 *
 * @param client - as `createClient` of `socket-ingress/client` makes it; it may be connected or not
 * @param topic - the document's name
 * @throws TypeError if this client has it open already, or the name is none
 *
 * @example
 * const note = openDocument(client, "doc:42");
 * const off = bindTextarea(area, note.doc.getText("t"), note);
 * note.subscribe(({ saving, users }) => render(saving, users));
 */
export function openDocument(
  client: Client<any>,
  topic: string,
  { doc = new Doc(), awareness: given, onLost, onRefused }: DocumentOptions = {},
): OpenDocument {
  const { logger, socket } = client;
  const open = openBy.get(client) ?? new Set();
  openBy.set(client, open);
  if (open.has(topic)) throw new TypeError(`"${topic}" is open already`);
  const awareness = given ?? new Awareness(doc);
  // No application's type knows our events.
  const caller = client as unknown as Caller<Calls>;
  const listen = client.on as (event: string, fn: (frame: never) => unknown) => () => void;
  /** Who made a change that came from the server. */
  const me = {};
  const others = createEverybodyElse(awareness, me);
  const key = Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(36)).join("");
  const undoManager = new UndoManager(doc, {
    trackedOrigins: new AnyOrigin(),
    captureTransaction: ({ local, origin }: Transaction) => local && origin !== me,
  });

  let status: OpenedStatus = "loading";
  let error: EventFailure | undefined;
  let mode: Mode | undefined;
  let stored: Saving = "saved";
  /** What frames call the document; nothing while it is not in step. */
  let n: number | undefined;
  let out: Uint8Array[] = [];
  /** The largest change that the server takes. */
  let max = Infinity;
  let { sent, taken } = { sent: 0, taken: 0 };
  /** There may be something that the server does not have. */
  let isDirty = doc.store.clients.size > 0;
  /** What was done here since the server had saved everything, in pieces: more than it takes at once goes in parts. */
  let done = isDirty ? [encodeStateAsUpdate(doc)] : [];
  /** How many of these were made of small ones. */
  let gathered = 0;
  let early: Early | undefined;
  /** The clock to which what this client has written was refused, and is to be taken back, or -1: what it writes since is not. */
  let refused = -1;
  /** Something was refused, and nothing has been taken since. */
  let isStuck = false;
  /** How often, too. */
  let refusals = 0;
  let closed = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let cursorTimer: ReturnType<typeof setTimeout> | undefined;
  let users: readonly DocumentUser[] = [];
  /** Whose this is, once somebody is signed in. */
  let whose: DocumentUser["id"] = null;
  const pauses = createPauses();

  const opening = createOpened<DocumentSnapshot>({
    logger,
    name: `the document "${topic}"`,
    look: () => ({
      status,
      mode,
      saving: isDirty && stored === "saved" ? "saving" : stored,
      users,
      ...(error && { error }),
    }),
    onClose() {
      send();
      closed = true;
      open.delete(topic);
      pauses.end();
      clearTimeout(timer);
      clearTimeout(cursorTimer);
      for (const off of attached) off();
      undoManager.destroy();
      if (!given) awareness.destroy();
      join?.leave();
    },
  });
  const show = (now: OpenedStatus, why?: EventFailure): void => {
    status = now;
    error = why;
    opening.changed();
  };

  /** Sends what was done, unless much is on its way. */
  const send = (): void => {
    if (n === undefined || mode !== "write" || !socket.connected) return;
    while (out.length > 0 && sent - taken < UNDER_WAY_MAX) {
      const update = next(out, max);
      // More than the server hears of would end the connection, and the next one, too.
      if (update.byteLength > max) return onRefusal(tooLarge(max));
      const wire = toWire(update);
      sent++;
      if (typeof wire === "string") socket.emit(UPDATE, `${n}:${wire}`);
      else socket.emit(UPDATE, n, wire);
      timer ??= setTimeout(resync, MS.taken);
    }
  };
  /** Takes the first of these changes off, as one: as many as are no larger, and one at least. */
  const next = (changes: Uint8Array[], most: number): Uint8Array => {
    for (let count = changes.length; ; count >>= 1) {
      const update = count === 1 ? (changes[0] as Uint8Array) : mergeUpdates(changes.slice(0, count)); // one is there
      if (count > 1 && update.byteLength > most) continue;
      changes.splice(0, count);
      return update;
    }
  };

  /** Nothing is sent, or known to be in step, until the server has said what it has. */
  const stop = (): void => {
    n = undefined;
    out = [];
    clearTimeout(timer);
    timer = undefined;
  };
  const resync = (): void => {
    stop();
    void sync();
  };

  const sync = async (): Promise<void> => {
    if (closed || early || !client.status.connected || status === "lost") return;
    const frames: Early = [];
    early = frames;
    pauses.end();
    try {
      const synced = await caller.call(SYNC, topic, toWire(encodeStateVector(doc)), doc.clientID, key);
      early = undefined;
      if (!closed && client.status.connected) take(synced, frames);
    } catch (thrown) {
      early = undefined;
      const failure = thrown as EventFailure;
      // With the next connection it is done anyway.
      if (closed || failure.code === "DISCONNECTED") return;
      if ((failure.details as { clientId?: unknown } | undefined)?.clientId === doc.clientID) rename();
      // Whether it is lost is the topic's to say.
      show(status === "live" ? "stale" : status, failure);
      pauses.rest(() => void sync(), failure.retryAfterMs);
    }
  };

  const take = (synced: Synced, frames: Early): void => {
    const has = fromWire(synced.v);
    const clocks = decodeStateVector(has);
    applyUpdate(doc, fromWire(synced.u), me);
    if (isOfAnother(synced.user) && isAhead(doc, clocks)) {
      // In whose name it was written is not here any more, and what is written behind it hangs on it.
      join?.leave();
      return lose(fromFailure({ error: { code: "CONFLICT", message: "what was written here was another user's" } }));
    }
    if (refused >= 0) {
      takeBack(doc, clocks.get(doc.clientID) ?? 0, refused, me);
      const all = encodeStateVector(doc);
      // What was deleted of others stays so.
      const deletions = done.map((update) => diffUpdate(update, all)).filter(({ byteLength }) => byteLength > NOTHING);
      done = [withoutDeletions(doc, has), ...deletions];
      gathered = 0;
    }
    ({ n, mode, max } = synced);
    stored = savings[synced.saving] as Saving; // its place in the list
    sent = taken = 0;
    if (mode !== "write") isDirty &&= getState(doc.store, doc.clientID) > refused;
    // It may have lost what it had taken, and not saved, from whomever that was.
    else if (isDirty || done.length > 0 || isAhead(doc, clocks)) {
      isDirty = true;
      const lacking = encodeStateAsUpdate(doc, has);
      const inParts = lacking.byteLength > max && done.length > 0;
      out = inParts ? done.map((update) => diffUpdate(update, has)) : [lacking];
    }
    refused = -1;
    // Not before what is sent is taken: what is refused each time is sent less and less often.
    if (out.length === 0) onProgress();
    others.replace(synced.cursors);
    introduce(synced.user);
    for (const [of, hear] of frames) if (of === n) hear();
    show("live");
    // Behind those who are told that: what is refused here keeps nobody from being ready.
    queueMicrotask(send);
  };

  /** Somebody else was here before: what is written from now on is written under another id. */
  const rename = (): void => {
    const state = awareness.getLocalState();
    awareness.setLocalState(null);
    refused = -1; // of this one nothing was
    awareness.clientID = doc.clientID = crypto.getRandomValues(new Uint32Array(1))[0] as number; // it has one
    awareness.setLocalState(state);
  };

  const isOfAnother = ({ id }: DocumentUser): boolean => whose !== null && id !== whose;
  /** Says who this is where everybody looks, and where one points. */
  const introduce = (user: DocumentUser): void => {
    whose = user.id;
    awareness.setLocalStateField("user", user);
    point();
  };
  const point = (): void => {
    clearTimeout(cursorTimer);
    cursorTimer = undefined;
    if (n !== undefined && socket.connected) socket.emit(CURSOR, n, awareness.getLocalState());
  };

  const onUpdate = (update: Uint8Array, origin: unknown): void => {
    if (origin === me) return;
    isDirty = true;
    done.push(update);
    if (done.length > gathered + GATHER.changes) gather();
    opening.changed();
    // What is done meanwhile is told by the states, when both are known.
    if (n === undefined || mode !== "write") return;
    out.push(update);
    // Once for all that is done in this turn.
    if (out.length === 1) queueMicrotask(send);
  };
  const onAwareness = ({ added, updated, removed }: Record<"added" | "updated" | "removed", number[]>): void => {
    if ([...added, ...updated, ...removed].includes(awareness.clientID)) cursorTimer ??= setTimeout(point, MS.cursor);
    const found = new Map<unknown, DocumentUser>();
    for (const [clientId, { user }] of awareness.getStates() as Map<number, { user?: DocumentUser }>)
      if (user) found.set(user.id ?? clientId, user);
    users = [...found.values()];
    opening.changed();
  };

  const onTaken = (count: number): void => {
    taken = count;
    clearTimeout(timer);
    timer = sent > taken ? setTimeout(resync, MS.taken) : undefined;
    if (sent === taken && out.length === 0) isDirty = false;
    forget();
    onProgress();
    opening.changed();
    send();
  };
  const forget = (): void => {
    if (isDirty || stored !== "saved") return;
    done = [];
    gathered = 0;
  };
  /** Makes fewer of what was done one by one, none of them larger than the server takes. */
  const gather = (): void => {
    const small = done.splice(gathered);
    while (small.length > 0) done.push(next(small, Math.min(max, GATHER.bytes)));
    gathered = done.length;
  };
  const onProgress = (): void => {
    isStuck = false;
    refusals = 0;
    pauses.reset();
  };
  const onRefusal = (said: Failure["error"]): void => {
    const failure = fromFailure({ error: said });
    refused = failure.code === "INVALID_INPUT" || failure.code === "FORBIDDEN" ? getState(doc.store, doc.clientID) : -1;
    stop();
    show("stale", failure);
    if (refused >= 0) {
      if (onRefused) guarded(logger, `onRefused of "${topic}"`, onRefused, failure);
      else logger.warn(`socket-ingress: a change of "${topic}" was refused`, failure);
      // Taken back, it is in step again; what was written under another id, before a reload, is not to be taken back.
      if (!isStuck) return void ((isStuck = true), sync());
    }
    // Others may have to bring what it hangs on, who have just come back, too.
    else if (failure.retryAfterMs !== undefined) onProgress();
    pauses.rest(() => void sync(), failure.retryAfterMs ?? (refusals++ < QUICK ? MS.conflict : undefined));
  };

  /** Hears the frames of this document. */
  const ours = <Frame extends UpdateFrame | readonly [n: number, ...unknown[]]>(
    event: string,
    fn: (frame: Frame) => void,
  ) =>
    listen(event, (frame: Frame) => {
      const of = typeof frame === "string" ? parseInt(frame) : frame[0];
      if (of === n) fn(frame);
      else early?.push([of, () => fn(frame)]);
    });
  doc.on("update", onUpdate);
  awareness.on("change", onAwareness);
  const attached = [
    ours<UpdateFrame>(UPDATE, (frame) =>
      applyUpdate(doc, fromWire(typeof frame === "string" ? frame.slice(frame.indexOf(":") + 1) : frame[1]), me),
    ),
    ours<[number, number, CursorState | null]>(CURSOR, ([, clientId, state]) => others.set(clientId, state)),
    ours<[number, number]>(TAKEN, ([, count]) => onTaken(count)),
    ours<[number, Failure["error"]]>(REFUSED, ([, failure]) => onRefusal(failure)),
    ours<[number, number]>(SAVED, ([, saving]) => {
      stored = savings[saving] as Saving; // its place in the list
      forget();
      opening.changed();
    }),
    ours<[number, Mode, DocumentUser]>(MODE, ([, now, user]) => {
      mode = now;
      opening.changed();
      if (isOfAnother(user)) {
        rename();
        return resync();
      }
      introduce(user);
      // What was done while it was read-only is not known there.
      if (mode === "write" && isDirty) resync();
    }),
    client.onStatus(({ connected }) => {
      if (connected) return;
      stop();
      others.replace();
      if (status === "live") show("stale");
    }),
    // One that was recovered with its rooms is not joined again.
    client.onReconnect(({ recovered }) => recovered && void sync()),
    () => doc.off("update", onUpdate),
    () => awareness.off("change", onAwareness),
  ];
  const lose = (failure: EventFailure): void => {
    if (closed) return;
    stop();
    mode = undefined;
    others.replace();
    show("lost", failure);
    if (onLost) guarded(logger, `onLost of "${topic}"`, onLost, failure);
  };
  let join: TopicJoin | undefined;
  const enter = (): void => {
    join = client.joinTopic(topic, { onJoined: resync, onLost: lose });
    join.catch((failure: EventFailure) => {
      if (closed || !passes(failure.code)) return lose(failure);
      show(status, failure);
      pauses.rest(enter, failure.retryAfterMs);
    });
  };
  try {
    enter();
  } catch (misfit) {
    opening.opened.close();
    throw misfit;
  }
  open.add(topic);

  return {
    ...opening.opened,
    doc,
    awareness,
    undoManager,
    get status() {
      return opening.opened.getSnapshot().status;
    },
    get mode() {
      return opening.opened.getSnapshot().mode;
    },
    get saving() {
      return opening.opened.getSnapshot().saving;
    },
    get users() {
      return opening.opened.getSnapshot().users;
    },
    undo: () => void undoManager.undo(),
    redo: () => void undoManager.redo(),
  };
}
