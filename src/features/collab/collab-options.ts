import type { Server } from "socket.io";
import {
  count,
  duration,
  expected,
  option,
  type Option,
  type Options,
  readOptions,
} from "../../events/option-table.js";
import type { AppServer } from "../../events/subscriber.js";
import { type Awaitable, isObject } from "../../wire/values.js";
import { Realtime, type TopicContext } from "../realtime/index.js";
import type { DocumentStore } from "./document-store.js";
import { MemoryDocumentStore } from "./memory-document-store.js";
import type { Yjs } from "./update-check.js";

// Declarations are made file by file (isolatedDeclarations), so that each line of a table says its type by an `as`.
// oxlint-disable typescript/no-unnecessary-type-assertion

/** How {@link Collab} works. Only `realtime` has no default. */
export interface CollabOptions<App extends AppServer = Server> {
  /** What knows whose a socket is, who is in a document's topic, and the other nodes; its clients are served. */
  realtime: Realtime<App>;
  /** Where documents are kept. Nodes must share one. @default a `MemoryDocumentStore` */
  store?: DocumentStore;
  /** How long after the last change a document is saved, in milliseconds. @default 2_000 */
  autosaveMs?: number;
  /** How long a change may be unsaved while others come, in milliseconds. @default 10_000 */
  maxUnsavedMs?: number;
  /** After so many saves the store is given one update for all of them. @default 200 */
  compactAfter?: number;
  /**
   * The largest change a client may send at once, in bytes. Three quarters of the server's `maxHttpBufferSize` is the most that reaches it: clients
   * are told that where this is more, which is a warning in the log.
   *
   * @default 262_144
   */
  maxUpdateBytes?: number;
  /** The largest document, in bytes as Yjs encodes it; what deletes from a full one is taken. @default 8_388_608 */
  maxDocumentBytes?: number;
  /** How many documents this node may have open at once. @default 10_000 */
  maxDocuments?: number;
  /** How many bytes the open documents of this node may have altogether before no other is opened. @default 536_870_912 */
  maxTotalBytes?: number;
  /** How many clients of this node may have one document open. @default 200 */
  maxEditors?: number;
  /** The largest awareness state, in bytes as JSON. @default 4_096 */
  maxCursorBytes?: number;
  /**
   * Who a user is to the others, beside the id: a name, say, or a colour. Asked when a document is joined, and when its policy is asked
   * again. What a client says about itself is not passed on.
   *
   * @default the id for a name, and a colour by the id
   */
  user?: (context: TopicContext<App>) => Awaitable<Readonly<Record<string, unknown>>>;
  /**
   * The application's own copy of Yjs. Give it where the application imports Yjs as an ES module itself, as two copies of it don't take each
   * other's types: `import * as Y from "yjs"`, then `yjs: Y`.
   *
   * @default what `require("yjs")` gives, loaded at setup
   */
  yjs?: Yjs;
}

const isFunction = (value: unknown): boolean => typeof value === "function";

const table = {
  realtime: option(undefined, "a Realtime", (value) => value instanceof Realtime) as Option<unknown>,
  store: option(undefined, "a DocumentStore, with methods load and append", isStore) as Option<
    DocumentStore | undefined
  >,
  autosaveMs: duration(2_000) as Option<number>,
  maxUnsavedMs: duration(10_000) as Option<number>,
  compactAfter: count(200, 2) as Option<number>,
  maxUpdateBytes: count(262_144, 1) as Option<number>,
  maxDocumentBytes: count(8_388_608, 1) as Option<number>,
  maxDocuments: count(10_000, 1) as Option<number>,
  maxTotalBytes: count(536_870_912, 1) as Option<number>,
  maxEditors: count(200, 1) as Option<number>,
  maxCursorBytes: count(4_096, 1) as Option<number>,
  user: option(undefined, "a function", isFunction) as Option<unknown>,
  yjs: option(undefined, "the module yjs", isYjs) as Option<Yjs | undefined>,
};

/** The options that are numbers, read. */
export type CollabSettings = Omit<Options<typeof table>, "realtime" | "store" | "user" | "yjs">;

/** The options, read. */
export interface CheckedCollabOptions<App extends AppServer> {
  readonly realtime: Realtime<App>;
  readonly store: DocumentStore;
  readonly user: CollabOptions<App>["user"];
  readonly yjs: Yjs | undefined;
  readonly settings: CollabSettings;
}

/** @throws TypeError naming the option that does not fit */
export function checkCollabOptions<App extends AppServer>(options: CollabOptions<App>): CheckedCollabOptions<App> {
  const { realtime, store = new MemoryDocumentStore(), user, yjs, ...settings } = readOptions("Collab", table, options);
  if (realtime === undefined) throw expected("Collab", "realtime", table.realtime.expects, realtime);
  return {
    // Their lines of the table know what they are, the types say of which application.
    realtime: realtime as Realtime<App>,
    user: user as CollabOptions<App>["user"],
    store,
    yjs,
    settings,
  };
}

function isStore(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { load, append, compact } = value as Partial<DocumentStore>;
  return isFunction(load) && isFunction(append) && (compact === undefined || isFunction(compact));
}

function isYjs(value: unknown): boolean {
  return isObject(value) && isFunction((value as Partial<Yjs>).Doc) && isFunction((value as Partial<Yjs>).applyUpdate);
}
