import { randomUUID } from "node:crypto";
import type { ClusterMessages } from "../realtime/index.js";
import { fromNode, toNode } from "./bytes.js";
import type { LiveDocument } from "./live-document.js";
import type { CursorState } from "./protocol.js";
import type { UpTo } from "./saving.js";
import type { Yjs } from "./update-check.js";

/** What a change on another node means here. */
export interface ReplicaEvents {
  /** The document has changed. */
  onChange(document: LiveDocument, change: Uint8Array): void;
  /** Somebody elsewhere points somewhere else, or nowhere. */
  onCursor(document: LiveDocument, clientId: number, state: CursorState | undefined): void;
}

/** What {@link Replicas} work with. */
export interface ReplicasOptions extends ReplicaEvents {
  readonly yjs: Yjs;
  readonly messages: ClusterMessages;
  readonly documents: ReadonlyMap<string, LiveDocument>;
}

interface Said {
  readonly node: string;
  /** The document. */
  readonly d: string;
}
interface UpdateSaid extends Said {
  readonly life: string;
  readonly seq: number;
  readonly u: string;
}
interface OpenedSaid extends Said {
  readonly life: string;
  /** What it has. */
  readonly v: string;
}
interface SavedSaid extends Said {
  readonly upTo: readonly (readonly [life: string, seq: number])[];
}
interface CursorSaid extends Said {
  readonly cursors: readonly (readonly [clientId: number, state: CursorState | null])[];
}
interface BeatSaid {
  readonly node: string;
  /** Some of its documents, and how many changes it has taken of each. */
  readonly at: readonly (readonly [document: string, life: string, seq: number])[];
}
interface ClaimSaid extends Said {
  readonly claims: readonly (readonly [client: number, ...keys: string[]])[];
}

/** What a node has of a document that another one opens. */
interface State extends ClaimSaid, CursorSaid {
  readonly life: string;
  readonly seq: number;
  readonly u: string;
  /** What of it is not saved yet. */
  readonly pending: string | null;
}

/** A node says of so many documents at each beat how far they are, of others at the next: whatever was lost on the way is found. */
const AT_ONCE = 100;

/** How often a node says that it lives, and after how long a silence its cursors are gone, in milliseconds. */
const BEAT_MS = { every: 5_000, silence: 16_000 };

/**
 * The documents of other nodes. A node tells the others what it takes, counted for each life of a document, so that who misses something
 * sees it and asks for the state; what another node has taken is kept until somebody has saved it.
 */
export class Replicas {
  readonly node: string = randomUUID();
  readonly #options: ReplicasOptions;
  readonly #heardAt = new Map<string, number>();
  readonly #asking = new Map<LiveDocument, "once" | "again">();
  readonly #undo: (() => void)[];
  readonly #beat: NodeJS.Timeout;
  #beats = 0;

  constructor(options: ReplicasOptions) {
    this.#options = options;
    const { messages } = options;
    const hear =
      <Message extends Said>(fn: (document: LiveDocument, message: Message) => unknown) =>
      async (message: Message): Promise<unknown> => {
        this.#heardAt.set(message.node, performance.now());
        const document = await this.#loaded(message.d);
        return document && fn(document, message);
      };
    this.#undo = [
      messages.on(
        "opened",
        hear<OpenedSaid>((document, said) => this.#onOpened(document, said)),
      ),
      messages.on(
        "update",
        hear<UpdateSaid>((document, said) => this.#onUpdate(document, said)),
      ),
      messages.on(
        "saved",
        hear<SavedSaid>((document, said) => this.#onSaved(document, said)),
      ),
      messages.on(
        "cursors",
        hear<CursorSaid>((document, said) => this.#onCursors(document, said)),
      ),
      messages.on(
        "claim",
        hear<ClaimSaid>((document, { claims }) => this.#onClaims(document, claims)),
      ),
      // Not one that is being loaded: two that wait for each other would wait for long, and have nothing to tell.
      messages.on("state", ({ d, v }: { d: string; v: string }) => {
        const document = options.documents.get(d);
        return document?.isReady === true ? this.#stateOf(document, fromNode(v)) : undefined;
      }),
      messages.on("beat", ({ node, at }: BeatSaid) => {
        this.#heardAt.set(node, performance.now());
        for (const [d, life, seq] of at) {
          const document = options.documents.get(d);
          if (document?.isReady === true) this.#reached(document, life, seq);
        }
      }),
      messages.on("bye", ({ node }: Said) => this.#gone(node)),
    ];
    this.#beat = setInterval(() => this.#tick(), BEAT_MS.every);
    this.#beat.unref();
  }

  /** Takes in what other nodes have of a document. Never rejects. */
  async learn(document: LiveDocument): Promise<void> {
    if (this.#asking.has(document)) return void this.#asking.set(document, "again");
    do {
      this.#asking.set(document, "once");
      const v = toNode(document.stateVector());
      const { answers } = await this.#options.messages.ask<State | null>("state", { d: document.name, v });
      for (const state of answers) if (state) this.#take(document, state);
    } while (this.#asking.get(document) === "again");
    this.#asking.delete(document);
  }

  /** It was loaded: whoever has it looks whether something is missing there. */
  opened(document: LiveDocument): void {
    const { name: d, life } = document;
    this.#tell("opened", { d, life, v: toNode(document.stateVector()) });
  }

  /** A change was taken here. */
  updated({ name: d, life, seq }: LiveDocument, update: Uint8Array): void {
    this.#tell("update", { d, life, seq, u: toNode(update) });
  }

  /** It is in the store. */
  saved({ name: d }: LiveDocument, upTo: UpTo): void {
    this.#tell("saved", { d, upTo: [...upTo] });
  }

  /** Somebody here points somewhere else. */
  pointed({ name: d }: LiveDocument, clientId: number, state: CursorState | undefined): void {
    this.#tell("cursors", { d, cursors: [[clientId, state ?? null]] });
  }

  /** Somebody here writes under this client id. */
  claimed({ name: d }: LiveDocument, client: number, keys: readonly string[]): void {
    this.#tell("claim", { d, claims: [[client, ...keys]] });
  }

  /** This node says and hears nothing any more. */
  close(): void {
    clearInterval(this.#beat);
    this.#tell("bye", {});
    for (const off of this.#undo) off();
  }

  #tell(kind: string, message: object): void {
    void this.#options.messages.tell(kind, { ...message, node: this.node });
  }

  async #loaded(name: string): Promise<LiveDocument | undefined> {
    const { documents } = this.#options;
    const document = documents.get(name);
    try {
      await document?.ready;
    } catch {
      return undefined; // whoever opened it hears of that
    }
    return documents.get(name) === document ? document : undefined;
  }

  #onOpened(document: LiveDocument, { node, life, v }: OpenedSaid): void {
    const { heard, doc } = document;
    const { decodeStateVector, getState } = this.#options.yjs;
    // What that node had before it let the document go may have got lost on the way here.
    const before = [...heard.keys()].filter((other) => other.startsWith(`${node}.`));
    for (const other of before) heard.delete(other);
    const lacks = [...decodeStateVector(fromNode(v))].some(([client, clock]) => clock > getState(doc.store, client));
    if (before.length > 0 || lacks) void this.learn(document);
    else heard.set(life, 0);
  }

  #onUpdate(document: LiveDocument, { life, seq, u }: UpdateSaid): void {
    const update = fromNode(u);
    this.#apply(document, update);
    document.keeper.takeOther(life, seq, update);
    // Of a life that nobody has told of, something may have been lost before.
    if (seq === (document.heard.get(life) ?? NaN) + 1) document.heard.set(life, seq);
    else this.#reached(document, life, seq);
  }

  #onSaved(document: LiveDocument, { upTo }: SavedSaid): void {
    for (const [life, seq] of upTo) {
      document.keeper.savedElsewhere(life, seq);
      this.#reached(document, life, seq);
    }
  }

  /** A replica has come so far: something is missing here until it, or another one, has been heard. */
  #reached(document: LiveDocument, life: string, seq: number): void {
    if (life !== document.life && seq > (document.heard.get(life) ?? -1)) void this.learn(document);
  }

  #onCursors(document: LiveDocument, { node, cursors }: CursorSaid): void {
    for (const [clientId, state] of cursors) {
      if (state) document.elsewhere.set(clientId, { node, state });
      else document.elsewhere.delete(clientId);
      this.#options.onCursor(document, clientId, state ?? undefined);
    }
  }

  #onClaims({ owners }: LiveDocument, claims: ClaimSaid["claims"]): void {
    for (const [client, ...keys] of claims) owners.claim(client, keys);
  }

  #take(document: LiveDocument, state: State): void {
    const { life, seq, u, pending } = state;
    document.heard.set(life, Math.max(seq, document.heard.get(life) ?? 0));
    this.#apply(document, fromNode(u));
    if (pending !== null) document.keeper.takeOther(life, seq, fromNode(pending));
    this.#heardAt.set(state.node, performance.now());
    this.#onClaims(document, state.claims);
    this.#onCursors(document, state);
  }

  #apply(document: LiveDocument, update: Uint8Array): void {
    const change = document.changeBy(() => this.#options.yjs.applyUpdate(document.doc, update));
    if (change) this.#options.onChange(document, change);
  }

  #stateOf(document: LiveDocument, stateVector: Uint8Array): State {
    const { name: d, life, seq, keeper, owners, editors } = document;
    const pending = keeper.pending();
    return {
      node: this.node,
      d,
      life,
      seq,
      u: toNode(document.missingIn(stateVector)),
      pending: pending ? toNode(pending) : null,
      claims: owners.entries(),
      cursors: [...editors.values()].flatMap(({ clientId, cursor }) => (cursor ? [[clientId, cursor] as const] : [])),
    };
  }

  #tick(): void {
    const documents = [...this.#options.documents.values()];
    const from = (this.#beats++ * AT_ONCE) % Math.max(1, documents.length);
    const at = documents.slice(from, from + AT_ONCE).map(({ name, life, seq }) => [name, life, seq]);
    this.#tell("beat", { at });
    const silent = performance.now() - BEAT_MS.silence;
    for (const [node, at] of this.#heardAt) if (at < silent) this.#gone(node);
  }

  /** Who was connected to it points nowhere any more. */
  #gone(node: string): void {
    this.#heardAt.delete(node);
    for (const document of this.#options.documents.values())
      for (const [clientId, cursor] of document.elsewhere) {
        if (cursor.node !== node) continue;
        document.elsewhere.delete(clientId);
        this.#options.onCursor(document, clientId, undefined);
      }
  }
}
