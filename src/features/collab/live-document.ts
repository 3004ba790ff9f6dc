import type { Doc } from "yjs" with { "resolution-mode": "import" };
import { writeLog } from "../../lifecycle/log.js";
import { describeValue, isObject, printable } from "../../wire/values.js";
import type { Logger } from "../../lifecycle/logger.js";
import { tooMuch } from "./bytes.js";
import type { CollabSettings } from "./collab-options.js";
import type { DocumentStore, StoredDocument } from "./document-store.js";
import type { Editor } from "./editor.js";
import { Owners, SERVER } from "./owners.js";
import type { CursorState, Saving } from "./protocol.js";
import { Keeper, type UpTo } from "./saving.js";
import { examine, type Yjs } from "./update-check.js";

/** What a document tells whoever holds it. */
export interface DocumentEvents {
  onState(document: LiveDocument, state: Saving): void;
  onSaved(document: LiveDocument, upTo: UpTo): void;
}

/** What a {@link LiveDocument} is made of. */
export interface LiveDocumentOptions extends DocumentEvents {
  readonly name: string;
  readonly n: number;
  readonly life: string;
  readonly yjs: Yjs;
  readonly store: DocumentStore;
  readonly settings: CollabSettings;
  readonly log: Logger;
}

/** A full document takes what deletes from it: so many times its limit, and no more. */
const SPARE = 1.25;

/** A document in the memory of this node: what is in it, who edits it, and what of it is not saved yet. */
export class LiveDocument {
  readonly name: string;
  /** Its number on this node, in frames. */
  readonly n: number;
  /** Which of the replicas of all nodes and times this one is. */
  readonly life: string;
  readonly doc: Doc;
  readonly owners: Owners = new Owners(() => this.#clientsHere());
  readonly keeper: Keeper;
  /** By the ids of their sockets. */
  readonly editors: Map<string, Editor> = new Map();
  /** Where those point who are connected to other nodes, by their client ids. */
  readonly elsewhere: Map<number, { readonly node: string; readonly state: CursorState }> = new Map();
  /** Up to which of its changes each life of it elsewhere is known here, without a hole. */
  readonly heard: Map<string, number> = new Map();
  /** What is kept up to date beside it: pauses, for instance. */
  readonly timers: Set<NodeJS.Timeout> = new Set();
  /** How many changes were taken here. */
  seq = 0;
  /** Who works with it beside the editors. */
  uses = 0;
  isReady = false;
  /** Settles when it is loaded. */
  ready: Promise<void> = Promise.resolve();
  readonly #options: LiveDocumentOptions;
  readonly #yjs: Yjs;
  #bytes = 0;
  #isMeasured = false;
  #rows = 0;
  #compactAt = 0;

  constructor(options: LiveDocumentOptions) {
    const { name, n, life, yjs, settings, log } = options;
    this.#options = options;
    this.#yjs = yjs;
    this.name = name;
    this.n = n;
    this.life = life;
    this.doc = new yjs.Doc();
    this.owners.claim(this.doc.clientID, [SERVER]);
    this.keeper = new Keeper({
      autosaveMs: settings.autosaveMs,
      maxUnsavedMs: settings.maxUnsavedMs,
      maxBytes: settings.maxDocumentBytes,
      log: log.child({ document: name }),
      append: (update) => this.#append(update),
      merge: (updates) => merged(yjs, updates),
      whole: () => yjs.encodeStateAsUpdate(this.doc),
      onState: (state) => options.onState(this, state),
      onSaved: (upTo) => options.onSaved(this, upTo),
    });
  }

  /** How large it is, about: as an update that has all of it. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Reads what the store has. */
  async load(): Promise<void> {
    const { updates } = await this.#stored();
    this.doc.transact(() => {
      for (const update of updates) this.#yjs.applyUpdate(this.doc, update);
    });
    this.#rows = updates.length;
    this.#compactAt = this.#options.settings.compactAfter;
    this.#measure();
  }

  /**
   * Takes a client's change, or what of it can be taken, or refuses it untouched.
   *
   * @returns what is to be passed on, nothing if it was there already; and why that was not all
   * @throws EventError `INVALID_INPUT` or `CONFLICT`
   */
  take(
    given: Uint8Array,
    keys: readonly string[],
  ): { readonly change: Uint8Array | undefined; readonly conflict: Error | undefined } {
    const { update, conflict, isNew, grows, ends } = examine(this.#yjs, this.doc, given, (client) =>
      this.owners.isForeign(client, keys),
    );
    this.#makeRoom(update.byteLength, grows);
    if (!isNew) return { change: this.changeBy(() => this.#yjs.applyUpdate(this.doc, update)), conflict };
    try {
      this.#yjs.applyUpdate(this.doc, update);
    } catch (error) {
      const { getState } = this.#yjs;
      for (const [client, end] of ends) if (getState(this.doc.store, client) < end) throw error;
      this.#reportObserver(error);
    }
    this.#grown(update.byteLength);
    return { change: update, conflict };
  }

  /** Runs something that may change the document. Returns the change, if there is one, also when it threw: that is logged. */
  changeBy(change: () => void): Uint8Array | undefined {
    const updates: Uint8Array[] = [];
    const onUpdate = (update: Uint8Array): unknown => updates.push(update);
    this.doc.on("update", onUpdate);
    try {
      change();
    } catch (error) {
      this.#reportObserver(error);
    } finally {
      this.doc.off("update", onUpdate);
    }
    const [first] = updates;
    if (!first) return undefined;
    const update = updates.length === 1 ? first : this.#yjs.mergeUpdates(updates);
    this.#grown(update.byteLength);
    return update;
  }

  /** What lacks whoever has this. */
  missingIn(stateVector: Uint8Array): Uint8Array {
    return this.#yjs.encodeStateAsUpdate(this.doc, stateVector);
  }

  /** What it has. */
  stateVector(): Uint8Array {
    return this.#yjs.encodeStateVector(this.doc);
  }

  /** Whether something in it was written under this client id. */
  hasFrom(client: number): boolean {
    return this.#yjs.getState(this.doc.store, client) > 0;
  }

  /** Nothing of it is needed any more. */
  end(): void {
    this.keeper.stop();
    for (const timer of this.timers) clearTimeout(timer);
    this.timers.clear();
    this.doc.destroy();
  }

  /** Under which ids those write who have it open. */
  #clientsHere(): Set<number> {
    return new Set([...[...this.editors.values()].map(({ clientId }) => clientId), ...this.elsewhere.keys()]);
  }

  /** Whatever an application has observe a document runs when the change is made: it is to be saved and passed on all the same. */
  #reportObserver(error: unknown): void {
    const { log } = this.#options;
    writeLog(log, "error", { err: printable(error), document: this.name }, "what observes a document failed");
  }

  #grown(bytes: number): void {
    this.#bytes += bytes;
    this.#isMeasured = false;
  }

  #measure(): void {
    this.#bytes = this.#yjs.encodeStateAsUpdate(this.doc).byteLength;
    this.#isMeasured = true;
  }

  #makeRoom(bytes: number, grows: boolean): void {
    const { maxDocumentBytes: max } = this.#options.settings;
    const limit = grows ? max : max * SPARE;
    if (this.#bytes + bytes <= limit) return;
    // It counts what was written: of what was deleted less is left.
    if (!this.#isMeasured) this.#measure();
    if (this.#bytes + bytes > limit) throw tooMuch("this document is full", "maxDocumentBytes", max);
  }

  /** What the store has, which may be of the application's own. */
  async #stored(): Promise<StoredDocument> {
    const stored: unknown = await this.#options.store.load(this.name);
    const { updates } = (isObject(stored) ? stored : {}) as { updates?: unknown };
    if (Array.isArray(updates) && updates.every((update) => update instanceof Uint8Array))
      return stored as StoredDocument;
    const got =
      isObject(stored) && "updates" in stored ? `updates that are ${describeValue(updates)}` : describeValue(stored);
    throw new TypeError(
      `Collab: the store's load("${this.name}") must give { updates, upTo }, updates a list of Uint8Array, empty for a document ` +
        `that was never saved; got ${got}`,
    );
  }

  async #append(update: Uint8Array): Promise<void> {
    const { store, settings, log } = this.#options;
    await store.append(this.name, update);
    this.#rows++;
    if (store.compact === undefined || this.#rows < this.#compactAt) return;
    try {
      await this.#compact();
    } catch (err) {
      writeLog(
        log,
        "error",
        { err, document: this.name },
        "a document could not be compacted; it is tried again later",
      );
    }
    this.#compactAt = Math.max(settings.compactAfter, this.#rows + settings.compactAfter / 2);
  }

  async #compact(): Promise<void> {
    const { store } = this.#options;
    const { updates, upTo } = await this.#stored();
    // In a document and not by merging, so that what was deleted goes.
    const whole = new this.#yjs.Doc();
    whole.transact(() => {
      for (const update of updates) this.#yjs.applyUpdate(whole, update);
    });
    await store.compact?.(this.name, this.#yjs.encodeStateAsUpdate(whole), upTo);
    whole.destroy();
    this.#rows = 1;
  }
}

/** How many updates are merged in one go. */
const MERGED_AT_ONCE = 32;

/**
 * Updates as one. Yjs looks through all that are left for each struct that it writes (`mergeUpdatesV2` in its updates.js), so that a thousand
 * at once took ten times as long as groups of them, and then those.
 */
function merged(yjs: Yjs, updates: readonly Uint8Array[]): Uint8Array {
  if (updates.length <= MERGED_AT_ONCE) return yjs.mergeUpdates([...updates]);
  const groups: Uint8Array[] = [];
  for (let at = 0; at < updates.length; at += MERGED_AT_ONCE)
    groups.push(yjs.mergeUpdates(updates.slice(at, at + MERGED_AT_ONCE)));
  return merged(yjs, groups);
}
