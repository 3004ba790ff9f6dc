import type { Doc } from "yjs" with { "resolution-mode": "import" };
import type { Server } from "socket.io";
import type { EventContext } from "../../events/event-context.js";
import { type Belongings, builtIn, has } from "../../events/managed.js";
import { beOnlyOne } from "../../events/only-one.js";
import type { AppServer, AppSocket } from "../../events/subscriber.js";
import { Handler } from "../../handler.js";
import { writeLog } from "../../lifecycle/log.js";
import { placeOf } from "../../lifecycle/observer.js";
import { isOfOneProcess } from "../../push/one-process.js";
import { withoutStack } from "../../wire/event-error.js";
import { toFailure } from "../../wire/to-failure.js";
import { type Awaitable, defuse, describeValue, isThenable } from "../../wire/values.js";
import {
  type GrantedContext,
  type LeftContext,
  type LeftReason,
  type ParamsOf,
  type Realtime,
  socket as socketOf,
  topic as topicOf,
  type TopicContext,
} from "../realtime/index.js";
import { carriedBytes } from "./carried.js";
import { fromClient, readUpdateFrame, tooMuch, toWire } from "./bytes.js";
import { checkCollabOptions, type CheckedCollabOptions, type CollabOptions } from "./collab-options.js";
import { documentUser } from "./document-user.js";
import { isPlainJson, stamped } from "./cursor-state.js";
import { Documents, goingAway, type Push } from "./documents.js";
import type { Editor, EditorSocket } from "./editor.js";
import type { LiveDocument } from "./live-document.js";
import {
  CURSOR,
  type DocumentUser,
  MODE,
  type Mode,
  REFUSED,
  type Saving,
  savings,
  SYNC,
  type Synced,
  UPDATE,
} from "./protocol.js";
import type { Yjs } from "./update-check.js";

/** A document that is open on this node, as {@link Collab.describe} tells of it. */
export interface DocumentDescription {
  /** Its name: that of its topic. */
  readonly document: string;
  /** How many clients of this node have it open. */
  readonly editors: number;
  /** How large it is, about, in bytes. */
  readonly bytes: number;
  /** How many bytes of changes are not in the store yet. */
  readonly unsavedBytes: number;
  /** Whether everything is in the store; `failed` means that it is kept and tried again. */
  readonly saving: Saving;
}

/**
 * What decides about a document: `"write"`, `"read"`, or `false` for neither; anything else is an error in the log, and refuses as `false` does.
 * Throw an `EventError` to refuse with its code. In an async
 * function that only ever says one of them write `"write" as const`: TypeScript takes it for any string otherwise.
 *
 * @typeParam App - the `Server<...>` type of the application
 */
export type DocumentPolicy<App extends AppServer, Params> = (
  context: TopicContext<App>,
  params: Params,
) => Awaitable<Mode | false>;

/** The longest secret that a client names itself by. */
const KEY_MAX = 64;

/** The largest state vector, in bytes: of some 30,000 client ids, which a document gathers however small its changes have to be. */
const STATE_VECTOR_MAX = 262_144;

/** The documents that sockets had open when a door of theirs was torn down, unasked, by numbers that are never another's. */
const closed = new WeakMap<object, Map<number, string>>();

/** How long a teardown waits for the store, in milliseconds. */
const LAST_SAVE_MS = 5_000;

/**
 * Documents that many edit at once, on Yjs: texts, lists, maps, whatever a `Y.Doc` holds. It keeps a replica of each document that is open,
 * checks what clients send before it touches the document, passes it on, and saves it. It is a handler: register it behind its `Realtime`,
 * whose topics say who has which document open. In the browser `openDocument` of `socket-ingress/collab/client` is its counterpart.
 *
 * A document is opened by the first who needs it, saved `autosaveMs` after the last change, at the latest `maxUnsavedMs` after the first, and
 * at once when the last client leaves or a shutdown begins; then it is let go. What the store does not take is kept, and tried again.
 *
 * A namespace has one `Collab`, which may define documents of any number of patterns; a second one is refused when it is set up.
 *
 * Nodes share a store and tell each other of every change. What one of them has taken and not saved when it dies is saved by the others that
 * have the document open, after twice `maxUnsavedMs`.
 *
 * @typeParam App - the `Server<...>` type of the application
 *
 * @example
 * const collab = new Collab<App>({ realtime, store: new KyselyDocumentStore(db) });
 * collab.define("doc:{id}", async ({ user }, { id }) => ((await mayWrite(user, id)) ? "write" : (await mayRead(user, id)) && "read"));
 * manager.registerHandler(realtime).registerHandler(collab);
 *
 * await collab.edit("doc:42", (doc) => doc.getText("t").insert(0, "from a job"));
 */
export class Collab<App extends AppServer = Server> extends Handler<App> {
  readonly name: string;
  override readonly namespace: string;
  readonly events: object = {
    [SYNC]: this.#onSync,
    [UPDATE]: this.#onUpdate,
    [CURSOR]: this.#onCursor,
  };
  /** @internal */
  readonly [builtIn]: true = true;
  readonly #options: CheckedCollabOptions<App>;
  /** What was defined here, as the topics know it. */
  readonly #definitions = new Map<object, { readonly pattern: string; readonly policy: object }>();
  /** Who a socket is to the others of a topic. */
  readonly #users = new WeakMap<object, Map<string, DocumentUser>>();
  #documents: Documents | undefined;
  #opening: Promise<Documents> | undefined;
  #isEnding = false;

  /** @throws TypeError naming an option that does not fit */
  constructor(options: CollabOptions<App>) {
    super();
    this.#options = checkCollabOptions(options);
    this.namespace = this.#options.realtime.namespace;
    this.name = this.namespace === "/" ? "collab" : `collab of ${this.namespace}`;
  }

  /**
   * Declares documents: each is a topic of this pattern. The policy decides about a socket when it joins, and again whenever the policies of
   * its topics are asked again, after a login for instance or a `Realtime.review`; what it says then holds at once, without a reload.
   *
   * @returns the undo: nobody joins such a document any more
   * @throws TypeError if the pattern is none or taken, or the policy is no function
   */
  define<Pattern extends string>(pattern: Pattern, policy: DocumentPolicy<App, ParamsOf<Pattern>>): () => void {
    if (typeof policy !== "function")
      throw new TypeError(`Collab: the policy of "${pattern}" must be a function, got ${describeValue(policy)}`);
    const definition = {
      join: async (context: TopicContext<App>, params: ParamsOf<Pattern>) => {
        const mode: unknown = await policy(context, params);
        if (mode === "write" || mode === "read") await this.#introduce(context);
        else if (mode !== false) {
          const said = `Collab: the policy of "${pattern}" must say "write", "read" or false, got ${describeValue(mode)}`;
          writeLog(this.log, "error", { topic: context.topic }, said);
          return false;
        }
        return mode;
      },
      granted: (context: GrantedContext<App>) => this.#onGranted(context),
      left: ({ socket, topic, reason }: LeftContext<App>) => this.#onLeft(socket, topic, reason),
    };
    const undo = this.#options.realtime.topics.define(pattern, definition);
    this.#definitions.set(definition, { pattern, policy });
    return () => {
      undo();
      this.#definitions.delete(definition);
    };
  }

  /**
   * Changes a document from the server, in one transaction: from an event, a job, anywhere. Resolves when the change is made and on its way
   * to everybody; it is saved as any other. If `fn` throws, what it had changed by then stays changed, and this rejects with what it threw.
   * What it has observe the document goes with the document; what that throws when others change it is logged.
   *
   * @param fn must not be async; it is also given the copy of Yjs that the document is made with, to make types of
   * @throws TypeError at once if the document is none that was defined; from the promise what the store's `load` rejected with
   */
  edit(document: string, fn: (doc: Doc, yjs: Yjs) => unknown): Promise<void> {
    this.#check("edit", document, fn);
    return this.#using(document, (live, documents) => {
      let thrown: { readonly error: unknown } | undefined;
      const run = (): void => {
        const result = fn(live.doc, documents.yjs);
        defuse(result);
        if (isThenable(result)) throw new TypeError("Collab.edit: the function must not be async");
      };
      const change = live.changeBy(() => {
        try {
          live.doc.transact(run, this);
        } catch (error) {
          thrown = { error };
        }
      });
      if (change) documents.took(live, change);
      if (thrown) throw thrown.error;
    });
  }

  /**
   * Reads a document, as it is now on this node, saved or not. Don't change it in there, and don't keep it: it may be let go when the promise
   * of `fn` has settled.
   *
   * @returns what `fn` returned
   * @throws TypeError at once if the document is none that was defined; from the promise what the store's `load` rejected with
   */
  read<T>(document: string, fn: (doc: Doc, yjs: Yjs) => T | PromiseLike<T>): Promise<T> {
    this.#check("read", document, fn);
    return this.#using(document, (live, { yjs }) => fn(live.doc, yjs));
  }

  /**
   * Saves everything that is not saved, what other nodes have taken included.
   *
   * @throws Error from the promise, naming the documents that could not be saved; they are kept, and tried again
   */
  async flush(): Promise<void> {
    const failed = (await this.#documents?.flush()) ?? [];
    if (failed.length > 0) throw new Error(`Collab: could not be saved: ${failed.slice(0, 10).join(", ")}`);
  }

  /** The documents that are open on this node. */
  describe(): DocumentDescription[] {
    const all = this.#documents?.all() ?? [];
    return all.map(({ name, editors, bytes, keeper }) => ({
      document: name,
      editors: editors.size,
      bytes,
      unsavedBytes: keeper.bytes,
      saving: keeper.state,
    }));
  }

  /** @internal */
  [has](): Belongings {
    const { autosaveMs, maxUnsavedMs, maxDocumentBytes } = this.#options.settings;
    const bounds = { autosaveMs, maxUnsavedMs, maxDocumentBytes };
    return {
      documents: [...this.#definitions.values()].map(({ pattern, policy }) => ({
        pattern,
        ...bounds,
        source: placeOf(policy),
      })),
    };
  }

  /** @internal */
  protected override async onSetup(): Promise<void> {
    // Of two, each would refuse what is written in the documents of the other.
    beOnlyOne(this, "a Collab", this.#options.realtime);
    this.#isEnding = false;
    // A server may come later.
    if (!this.io) return;
    await this.#open();
    this.#tellClosed(this.io);
  }

  /** Everything is saved when a shutdown begins, beside the events that still run. @internal */
  protected override async onDrain(): Promise<void> {
    await this.flush();
  }

  /** @internal */
  protected override async onTeardown(): Promise<void> {
    this.#isEnding = true;
    const documents = await this.#opening;
    this.#documents = this.#opening = undefined;
    if (!documents) return;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<undefined>((resolve) => (timer = setTimeout(resolve, LAST_SAVE_MS, undefined)));
    await Promise.race([documents.flush(), late]);
    clearTimeout(timer);
    for (const { name, keeper } of documents.all())
      if (!keeper.isClean)
        writeLog(this.log, "error", { document: name }, "a document could not be saved; what was changed last is lost");
    for (const live of documents.all()) for (const { socket } of live.editors.values()) noteClosed(socket, live);
    documents.close();
  }

  // --- documents ------------------------------------------------------------------------------------------------------------

  async #open(): Promise<Documents> {
    const { io } = this;
    if (!io || !this.registered) throw new Error("Collab: it is not set up with a server");
    if (this.#isEnding) throw goingAway();
    return (this.#opening ??= this.#make(io));
  }

  async #make(io: App): Promise<Documents> {
    const { realtime, store, settings, yjs } = this.#options;
    const [maxUpdateBytes, carried] = [settings.maxUpdateBytes, carriedBytes(io)];
    if (maxUpdateBytes > carried && maxUpdateBytes !== Infinity) {
      const said = `maxUpdateBytes is more than the server's maxHttpBufferSize lets through; clients send at most ${carried} bytes`;
      writeLog(this.log, "warn", { maxUpdateBytes, carried }, said);
    }
    this.#documents = new Documents({
      // As properties: what a module exports is read through one getter or two, several times for each change.
      yjs: { ...(yjs ?? (await import("yjs"))) },
      store,
      settings,
      log: this.log,
      push: this.#push,
      messages: isOfOneProcess(io.of(this.namespace)) ? undefined : realtime.cluster("collab"),
    });
    return this.#documents;
  }

  async #using<T>(name: string, fn: (document: LiveDocument, documents: Documents) => T | PromiseLike<T>): Promise<T> {
    const documents = await this.#open();
    return documents.use(name, (document) => fn(document, documents));
  }

  #check(method: string, document: unknown, fn: unknown): void {
    if (typeof document !== "string" || !this.#isDefined(document))
      throw new TypeError(`Collab.${method}: expected a document that was defined, got ${describeValue(document)}`);
    if (typeof fn !== "function")
      throw new TypeError(`Collab.${method}: expected a function, got ${describeValue(fn)}`);
  }

  #isDefined(document: string): boolean {
    const definition = this.#options.realtime.topics.match(document)?.definition;
    return definition !== undefined && this.#definitions.has(definition);
  }

  readonly #push: Push = ({ name }, event, data, { except, latest } = {}) => {
    // These events are ours, and in no application's type.
    const realtime = this.#options.realtime as unknown as Realtime;
    const everybody = topicOf(name);
    const options = { local: true, ...(latest !== undefined && { latest }) };
    void realtime.emitSocket(
      event,
      data,
      except === undefined ? everybody : everybody.except(socketOf(except)),
      options,
    );
  };

  // --- who may do what ------------------------------------------------------------------------------------------------------

  /** What a socket may do with a document now; `undefined` while it is not in, and while that is being asked. */
  #modeOf(socket: Pick<EditorSocket, "id">, document: string): Mode | undefined {
    if (!this.#isDefined(document)) return undefined;
    // The policy of such a topic grants nothing else.
    return this.#options.realtime.grantOf(socket, document) as Mode | undefined;
  }

  async #introduce(context: TopicContext<App>): Promise<void> {
    const { socket, topic, user } = context;
    const more = await this.#options.user?.(context);
    const known = this.#users.get(socket) ?? new Map<string, DocumentUser>();
    this.#users.set(socket, known.set(topic, documentUser(user ?? null, user ?? socket.id, more)));
  }

  /** In whose name a socket writes: what is known best first. */
  #keysOf(socket: AppSocket<App>, secret: string | undefined): string[] {
    const { user, session } = this.#options.realtime.identify(socket);
    const keys = { user, session, secret };
    return Object.entries(keys).flatMap(([kind, id]) => (id === undefined ? [] : [`${kind}:${id}`]));
  }

  #onGranted({ socket, topic, grant }: GrantedContext<App>): void {
    const live = this.#documents?.named(topic);
    const editor = live?.editors.get(socket.id);
    const user = this.#users.get(socket)?.get(topic);
    if (!live || !editor || !user) return;
    editor.user = user;
    const secret = editor.keys.find((key) => key.startsWith("secret:"))?.slice("secret:".length);
    const before = editor.keys;
    editor.keys = this.#keysOf(socket, secret);
    // What nobody yet has written is written by whoever has signed in, under another session as well.
    if (before[0] !== editor.keys[0] && !before.some((key) => key.startsWith("user:")))
      this.#documents?.claim(live, editor.clientId, [...editor.keys, ...before]);
    editor.socket.emit(MODE, [live.n, grant, user]);
    if (editor.cursor) this.#documents?.point(live, editor, { ...editor.cursor, user });
  }

  #onLeft(socket: AppSocket<App>, topic: string, reason: LeftReason): void {
    this.#users.get(socket)?.delete(topic);
    const live = this.#documents?.named(topic);
    if (!live) return;
    if (reason === "closed" && live.editors.has(socket.id)) noteClosed(socket, live);
    this.#documents?.leave(live, socket.id);
  }

  /** Who is still in a document's topic joins nothing, and hears of no change until it syncs. */
  #tellClosed(io: App): void {
    for (const socket of io.of(this.namespace).sockets.values())
      for (const [n, name] of closed.get(socket) ?? [])
        if (this.#modeOf(socket, name) !== undefined) socket.emit(REFUSED, [n, toFailure(begunAnew()).error]);
  }

  // --- what clients send ----------------------------------------------------------------------------------------------------

  async #onSync(
    context: EventContext<App>,
    name: unknown,
    vector: unknown,
    clientId: unknown,
    key: unknown,
  ): Promise<void> {
    const { socket } = context;
    if (typeof name !== "string" || this.#modeOf(socket, name) === undefined) throw notIn();
    if (!Number.isSafeInteger(clientId) || (clientId as number) < 0 || typeof key !== "string" || key.length > KEY_MAX)
      throw withoutStack("INVALID_INPUT", "expected a client id, and a key of at most 64 characters");
    const stateVector = fromClient(vector, "maxStateVectorBytes", STATE_VECTOR_MAX);
    const documents = await this.#open();
    documents.checkRoom(name);
    await documents.use(name, (live) => {
      // In one turn with the answer: what is passed on later arrives behind it.
      const synced = this.#sync(socket, live, documents, stateVector, clientId as number, key);
      context.reply(synced);
    });
  }

  #sync(
    socket: AppSocket<App>,
    live: LiveDocument,
    documents: Documents,
    stateVector: Uint8Array,
    clientId: number,
    secret: string,
  ): Synced {
    // It may have been taken away while the document was loaded.
    const mode = this.#modeOf(socket, live.name);
    const user = this.#users.get(socket)?.get(live.name);
    if (mode === undefined || user === undefined) throw notIn();
    const { maxEditors, maxUpdateBytes } = this.#options.settings;
    const known = live.editors.get(socket.id);
    if (!known && live.editors.size >= maxEditors)
      throw tooMuch("too many have this document open", "maxEditors", maxEditors);
    const u = missingIn(live, stateVector);
    const keys = this.#keysOf(socket, secret);
    // Who only reads has written nothing, and takes no id from somebody who has, and is away.
    const isTaken = mode === "read" && !live.owners.has(clientId) && live.hasFrom(clientId);
    if (isTaken || !documents.claim(live, clientId, keys))
      throw withoutStack("CONFLICT", "this client id is another one's", { details: { clientId } });
    if (known && known.clientId !== clientId) documents.point(live, known, undefined);
    const fresh = { clientId, keys, user, taken: 0, told: 0, isBehind: false };
    // What it sends from now on bears the new number.
    for (const [n, name] of closed.get(socket) ?? []) if (name === live.name) closed.get(socket)?.delete(n);
    live.editors.set(
      socket.id,
      known ? Object.assign(known, fresh) : { socket: socket as unknown as EditorSocket, cursor: undefined, ...fresh },
    );
    return {
      n: live.n,
      u: toWire(u),
      v: toWire(live.stateVector()),
      mode,
      max: Math.min(maxUpdateBytes, carriedBytes(this.io)),
      saving: savings.indexOf(live.keeper.state),
      user,
      cursors: documents.cursorsFor(live, socket.id),
    };
  }

  #onUpdate({ socket }: EventContext<App>, frame: unknown, bytes: unknown): void {
    const { n, wire } = readUpdateFrame(frame, bytes);
    const live = this.#documents?.numbered(n);
    const editor = live?.editors.get(socket.id);
    try {
      if (this.#isEnding) throw goingAway();
      // What somebody wrote who was sent out unasked is not to be taken back.
      if ((!live || !editor) && closed.get(socket)?.has(n) === true) throw begunAnew();
      if (!live || !editor) throw notIn();
      // What it hangs on was refused, and that has been told.
      if (!editor.isBehind) this.#take(live, editor, wire);
    } catch (error) {
      if (editor) editor.isBehind = true;
      const { error: failure } = toFailure(error);
      (socket as unknown as EditorSocket).emit(REFUSED, [n, failure]);
      throw error;
    }
  }

  #take(live: LiveDocument, editor: Editor, wire: unknown): void {
    const mode = this.#modeOf(editor.socket, live.name);
    // While its policy is asked again it still has the document: it comes back with it, and then it is known.
    if (mode === undefined) throw withoutStack("CONFLICT", "who may write is being found out; sync again");
    if (mode !== "write") throw withoutStack("FORBIDDEN", "this document is read-only for you");
    const update = fromClient(wire, "maxUpdateBytes", this.#options.settings.maxUpdateBytes);
    const { change, conflict } = live.take(update, editor.keys);
    if (change) this.#documents?.took(live, change, editor.socket.id);
    if (!conflict) return this.#documents?.count(live, editor);
    // A part of it: the rest may be possible as soon as others have brought theirs.
    throw change ? withoutStack("CONFLICT", conflict.message, { retryAfterMs: 50 }) : conflict;
  }

  #onCursor({ socket }: EventContext<App>, n: unknown, state: unknown): void {
    const live = typeof n === "number" ? this.#documents?.numbered(n) : undefined;
    const editor = live?.editors.get(socket.id);
    if (!live || !editor || this.#modeOf(editor.socket, live.name) === undefined) throw notIn();
    const { maxCursorBytes } = this.#options.settings;
    if (!isPlainJson(state)) throw withoutStack("INVALID_INPUT", "an awareness state is JSON, and not deep");
    if (Buffer.byteLength(JSON.stringify(state ?? null)) > maxCursorBytes)
      throw tooMuch("this awareness state is too large", "maxCursorBytes", maxCursorBytes);
    this.#documents?.point(live, editor, stamped(state, editor.user));
  }
}

function noteClosed(socket: object, { n, name }: LiveDocument): void {
  closed.set(socket, (closed.get(socket) ?? new Map<number, string>()).set(n, name));
}

function begunAnew(): Error {
  return withoutStack("CONFLICT", "the server has begun anew; sync again");
}

function notIn(): Error {
  return withoutStack("FORBIDDEN", "join this document first");
}

function missingIn(live: LiveDocument, stateVector: Uint8Array): Uint8Array {
  try {
    return live.missingIn(stateVector);
  } catch (cause) {
    throw withoutStack("INVALID_INPUT", "this is no state vector", { cause });
  }
}
