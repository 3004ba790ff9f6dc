import type { Logger } from "../../lifecycle/logger.js";
import { withoutStack } from "../../wire/event-error.js";
import type { ClusterMessages } from "../realtime/index.js";
import { tooMuch, updateFrame } from "./bytes.js";
import type { CollabSettings } from "./collab-options.js";
import type { DocumentStore } from "./document-store.js";
import type { Editor } from "./editor.js";
import { LiveDocument } from "./live-document.js";
import { CURSOR, type CursorState, SAVED, savings, TAKEN, UPDATE } from "./protocol.js";
import { Replicas } from "./replicas.js";
import type { Yjs } from "./update-check.js";

/** How something is sent to the clients of this node that have a document open. */
export type Push = (
  document: LiveDocument,
  event: string,
  data: unknown,
  options?: { readonly except?: string; readonly latest?: string },
) => void;

/** What {@link Documents} work with. */
export interface DocumentsOptions {
  readonly yjs: Yjs;
  readonly store: DocumentStore;
  readonly settings: CollabSettings;
  readonly log: Logger;
  readonly push: Push;
  /** The other nodes; `undefined` where there can be none. */
  readonly messages: ClusterMessages | undefined;
}

/** A client is told how many of its changes were taken when so many were, or so many milliseconds after the first. */
const TELL = { changes: 16, afterMs: 200 };

/** The open documents of this node: opened by whoever comes first, saved and let go when the last one leaves. */
export class Documents {
  readonly yjs: Yjs;
  readonly #options: DocumentsOptions;
  readonly #documents = new Map<string, LiveDocument>();
  readonly #byNumber = new Map<number, LiveDocument>();
  readonly #replicas: Replicas | undefined;
  /** Of all documents of this process: a client may still know the number of one that is gone. */
  static #opened = 0;
  #isClosed = false;

  constructor(options: DocumentsOptions) {
    this.#options = options;
    const { yjs, messages, push } = options;
    this.yjs = yjs;
    if (!messages) return;
    this.#replicas = new Replicas({
      yjs,
      messages,
      documents: this.#documents,
      onChange: (document, change) => push(document, UPDATE, updateFrame(document.n, change)),
      onCursor: (document, clientId, state) => this.#pushCursor(document, clientId, state),
    });
  }

  /** All that are open. */
  all(): readonly LiveDocument[] {
    return [...this.#documents.values()];
  }

  /** The one with this name, if it is open. */
  named(name: string): LiveDocument | undefined {
    return this.#documents.get(name);
  }

  /** The one with this number. */
  numbered(n: number): LiveDocument | undefined {
    return this.#byNumber.get(n);
  }

  /**
   * Looks whether a client may open one that is not open yet.
   *
   * @throws EventError `INVALID_INPUT` if there are too many
   */
  checkRoom(name: string): void {
    if (this.#documents.has(name)) return;
    const { maxDocuments, maxTotalBytes } = this.#options.settings;
    if (this.#documents.size >= maxDocuments)
      throw tooMuch("too many documents are open", "maxDocuments", maxDocuments);
    const bytes = this.all().reduce((sum, document) => sum + document.bytes, 0);
    if (bytes >= maxTotalBytes) throw tooMuch("the open documents are too large", "maxTotalBytes", maxTotalBytes);
  }

  /**
   * Runs `fn` with a document, which stays open until that is through, and as long as it has editors.
   *
   * @throws EventError `SHUTTING_DOWN` from the promise if this was closed meanwhile: what `fn` did would come to nothing
   */
  async use<T>(name: string, fn: (document: LiveDocument) => T | PromiseLike<T>): Promise<T> {
    const document = this.#documents.get(name) ?? this.#open(name);
    document.uses++;
    try {
      await document.ready;
      if (this.#isClosed) throw goingAway();
      return await fn(document);
    } finally {
      document.uses--;
      this.release(document);
    }
  }

  /** A change was taken here: it is to be saved, and passed on to everybody but the socket it came from. */
  took(document: LiveDocument, change: Uint8Array, from?: string): void {
    document.seq++;
    document.keeper.take(document.life, document.seq, change);
    this.#options.push(document, UPDATE, updateFrame(document.n, change), from === undefined ? {} : { except: from });
    this.#replicas?.updated(document, change);
  }

  /** An editor's change was taken, or was there already; it is told so together with others. */
  count(document: LiveDocument, editor: Editor): void {
    editor.taken++;
    if (editor.taken - editor.told >= TELL.changes) return tellTaken(document, editor);
    if (document.timers.size > 0) return;
    const timer = setTimeout(() => {
      document.timers.delete(timer);
      for (const one of document.editors.values()) if (one.taken > one.told) tellTaken(document, one);
    }, TELL.afterMs);
    document.timers.add(timer);
  }

  /** An editor points somewhere, or nowhere. */
  point(document: LiveDocument, editor: Editor, state: CursorState | undefined): void {
    if (!editor.cursor && !state) return;
    editor.cursor = state;
    this.#pushCursor(document, editor.clientId, state, editor.socket.id);
    this.#replicas?.pointed(document, editor.clientId, state);
  }

  /** Where all point but one. */
  cursorsFor(document: LiveDocument, socketId: string): [clientId: number, state: CursorState][] {
    const here = [...document.editors.values()].flatMap(({ socket, clientId, cursor }): [number, CursorState][] =>
      cursor && socket.id !== socketId ? [[clientId, cursor]] : [],
    );
    return [...here, ...[...document.elsewhere].map(([id, { state }]): [number, CursorState] => [id, state])];
  }

  /** Somebody writes under a client id from now on; whether that is not somebody else's. */
  claim(document: LiveDocument, client: number, keys: readonly string[]): boolean {
    if (!document.owners.claim(client, keys)) return false;
    this.#replicas?.claimed(document, client, keys);
    return true;
  }

  /** An editor has gone. */
  leave(document: LiveDocument, socketId: string): void {
    const editor = document.editors.get(socketId);
    if (!editor) return;
    this.point(document, editor, undefined);
    document.editors.delete(socketId);
    this.release(document);
  }

  /** Lets a document go if nobody needs it any more: at once if everything is saved, else when it is. */
  release(document: LiveDocument): void {
    if (!this.#isUnused(document)) return;
    const { keeper, name, n } = document;
    if (!keeper.isClean) return void keeper.settle().then((isSaved) => isSaved && this.release(document));
    this.#documents.delete(name);
    this.#byNumber.delete(n);
    document.end();
  }

  /** Saves all that is not saved, and returns the names of those that could not be. */
  async flush(): Promise<string[]> {
    const all = this.all();
    // What is being loaded has nothing to be saved.
    const saved = await Promise.all(all.map(async ({ keeper }) => keeper.settle()));
    return all.filter((_, i) => saved[i] === false).map(({ name }) => name);
  }

  /** Lets all go, saved or not. */
  close(): void {
    this.#isClosed = true;
    this.#replicas?.close();
    for (const document of this.#documents.values()) document.end();
    this.#documents.clear();
    this.#byNumber.clear();
  }

  #isUnused({ name, editors, uses, isReady }: LiveDocument): boolean {
    return editors.size === 0 && uses === 0 && isReady && this.#documents.has(name) && !this.#isClosed;
  }

  #open(name: string): LiveDocument {
    const { yjs } = this;
    const { store, settings, log, push } = this.#options;
    const n = ++Documents.#opened;
    const document = new LiveDocument({
      name,
      n,
      life: `${this.#replicas?.node ?? ""}.${n}`,
      yjs,
      store,
      settings,
      log,
      onState: (_, state) => {
        if (document.editors.size > 0) push(document, SAVED, [n, savings.indexOf(state)]);
        else if (state === "saved") this.release(document);
      },
      onSaved: (_, upTo) => this.#replicas?.saved(document, upTo),
    });
    this.#documents.set(name, document);
    this.#byNumber.set(n, document);
    document.ready = this.#load(document);
    return document;
  }

  async #load(document: LiveDocument): Promise<void> {
    try {
      // Asked before the store is: what another node lets go in between is in the store by then.
      await this.#replicas?.learn(document);
      await document.load();
      document.isReady = true;
      this.#replicas?.opened(document);
    } catch (error) {
      this.#documents.delete(document.name);
      this.#byNumber.delete(document.n);
      document.end();
      throw error;
    }
  }

  #pushCursor(document: LiveDocument, clientId: number, state: CursorState | undefined, from?: string): void {
    const { n } = document;
    // Where somebody pointed before is of no interest to a client that is behind with reading.
    const latest = `${n}:${clientId}`;
    this.#options.push(
      document,
      CURSOR,
      [n, clientId, state ?? null],
      from === undefined ? { latest } : { latest, except: from },
    );
  }
}

/** The refusal of what comes too late. */
export function goingAway(): Error {
  return withoutStack("SHUTTING_DOWN", "this server is going away");
}

function tellTaken({ n }: LiveDocument, editor: Editor): void {
  editor.told = editor.taken;
  editor.socket.emit(TAKEN, [n, editor.taken]);
}
