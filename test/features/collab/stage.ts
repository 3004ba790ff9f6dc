import type * as Y from "yjs";
import { createClient, type Client } from "socket-ingress/client";
import {
  Collab,
  type CollabOptions,
  type DocumentPolicy,
  type DocumentStore,
  MemoryDocumentStore,
} from "socket-ingress/collab";
import {
  type DocumentOptions,
  type DocumentSnapshot,
  openDocument,
  type OpenDocument,
} from "socket-ingress/collab/client";
import type { ConnectOptions } from "../../fixtures/serve.js";
import { type As, type Client as Entered, type Door, type DoorOptions, open } from "../realtime/door.js";

/** A client with a document. */
export interface Tab extends AsyncDisposable {
  readonly entered: Entered;
  readonly client: Client;
  readonly note: OpenDocument;
  readonly text: Y.Text;
  /** Writes at a place, or at the end. */
  type(text: string, at?: number): void;
  /** Resolves when it shows what fits. */
  until(fits: (snapshot: DocumentSnapshot) => boolean): Promise<DocumentSnapshot>;
}

/** A server with documents. */
export interface Stage extends AsyncDisposable {
  readonly door: Door;
  readonly collab: Collab;
  readonly store: DocumentStore;
  /** A connected client. */
  enter(as?: As, connect?: ConnectOptions): Promise<{ entered: Entered; client: Client }>;
  /** A client with a document that is live. */
  tab(as?: string | As, document?: string, options?: DocumentOptions, connect?: ConnectOptions): Promise<Tab>;
  /** The text on the server. */
  text(document?: string): Promise<string>;
}

/** What a test may say about its server. */
export interface StageOptions extends Omit<CollabOptions, "realtime"> {
  readonly policy?: DocumentPolicy<any, { id: string }>;
  readonly server?: DoorOptions["server"];
  readonly io?: DoorOptions["io"];
  readonly ingress?: DoorOptions["ingress"];
  readonly memory?: boolean;
}

/** Clients that come back at once. */
export const comesBack: ConnectOptions = { reconnection: true, reconnectionDelay: 1, reconnectionDelayMax: 5 };

export const quiet = { warn: () => undefined, error: () => undefined };

/** Starts a server with documents `doc:{id}`, which everybody may write unless `policy` says otherwise. */
export async function openStage({
  policy = () => "write",
  server,
  io,
  ingress,
  memory,
  store = new MemoryDocumentStore(),
  ...options
}: StageOptions = {}): Promise<Stage> {
  let collab!: Collab;
  const door = await open({
    ...(server && { server }),
    ...(io && { io }),
    ...(ingress && { ingress }),
    ...(memory !== undefined && { memory }),
    before: (manager, realtime) => {
      collab = new Collab({ realtime, store, ...options });
      collab.define("doc:{id}", policy);
      manager.registerHandler(collab);
    },
  });
  const enter: Stage["enter"] = async (as, connect) => {
    const entered = await door.enter(as, connect);
    return { entered, client: createClient(entered.socket, { logger: quiet }) };
  };
  return {
    door,
    collab,
    store,
    enter,
    async tab(as = {}, document = "doc:42", documentOptions, connect) {
      const { entered, client } = await enter(typeof as === "string" ? { user: as } : as, connect);
      const note = openDocument(client, document, documentOptions);
      await note.ready;
      return tabOf(entered, client, note);
    },
    text: (document = "doc:42") => collab.read(document, (doc) => doc.getText("t").toString()),
    [Symbol.asyncDispose]: () => door[Symbol.asyncDispose](),
  };
}

function tabOf(entered: Entered, client: Client, note: OpenDocument): Tab {
  const text = note.doc.getText("t");
  return {
    entered,
    client,
    note,
    text,
    type: (added, at = text.length) => text.insert(at, added),
    until: (fits) =>
      new Promise((resolve) => {
        const off = note.subscribe((snapshot) => {
          if (!fits(snapshot)) return;
          resolve(snapshot);
          queueMicrotask(() => off());
        });
      }),
    async [Symbol.asyncDispose]() {
      note.close();
      client.close();
      entered.socket.disconnect();
    },
  };
}

/** What speaks the protocol of documents by hand. */
export interface Hand {
  readonly entered: Entered;
  /** Syncs, under this client id from now on. */
  sync(id?: number): Promise<{ n: number; error?: { code: string } }>;
  /** Sends an update, and tells its code or that it was taken; the next one is heard whatever became of it. */
  send(update: Uint8Array | string): Promise<string>;
  /** What frames call the document. */
  n(): number;
}

/** A client that speaks by hand. */
export async function byHand(stage: Stage, user: string, clientId = 99): Promise<Hand> {
  const { entered } = await stage.enter({ user });
  await entered.join("doc:42");
  const sync = async (id = clientId) =>
    (await entered.socket.emitWithAck("yo", "doc:42", "AA==", id, "key")) as { n: number; error?: { code: string } };
  let { n } = await sync();
  return {
    entered,
    sync,
    async send(update: Uint8Array | string) {
      const answer = (await entered.socket.emitWithAck("yu", n, update)) as {
        error?: { code: string; message: string };
      };
      ({ n } = await sync());
      return answer?.error?.code ?? "taken";
    },
    n: () => n,
  };
}

/** A connection that is lost, as in a tunnel. */
export function cut({ entered }: Pick<Tab, "entered">): void {
  entered.socket.io.engine.close();
}

/** A store in a test's hands: it counts, it can fail, and it can be slow. */
export class StoreInHand implements DocumentStore {
  readonly inner = new MemoryDocumentStore();
  readonly calls = { load: 0, append: 0, compact: 0 };
  /** When appends began. */
  readonly appendedAt: number[] = [];
  failures = 0;
  slowMs = 0;
  running = 0;
  mostRunning = 0;

  load(document: string) {
    this.calls.load++;
    return this.inner.load(document);
  }

  async append(document: string, update: Uint8Array): Promise<void> {
    this.calls.append++;
    this.appendedAt.push(performance.now());
    this.running++;
    this.mostRunning = Math.max(this.mostRunning, this.running);
    if (this.slowMs > 0) await new Promise((resolve) => setTimeout(resolve, this.slowMs));
    this.running--;
    if (this.failures > 0) {
      this.failures--;
      throw new Error("the database is away");
    }
    this.inner.append(document, update);
  }

  compact(document: string, merged: Uint8Array, upTo: unknown): void {
    this.calls.compact++;
    this.inner.compact(document, merged, upTo);
  }

  /** What is in it. */
  async text(document = "doc:42"): Promise<string> {
    return storedText(this.inner, document);
  }
}

/** The text that a store has. */
export async function storedText(store: DocumentStore, document = "doc:42"): Promise<string> {
  const { Doc, applyUpdate } = await import("yjs");
  const doc = new Doc();
  for (const update of (await store.load(document)).updates) applyUpdate(doc, update);
  return doc.getText("t").toString();
}
