import type { DocumentStore, StoredDocument } from "./document-store.js";

/** A {@link DocumentStore} in memory: for tests, and for documents that may go with the process. It keeps all that is saved to it. */
export class MemoryDocumentStore implements DocumentStore {
  readonly #logs = new Map<string, readonly Uint8Array[]>();

  /** Reads all there is of a document. */
  load(document: string): StoredDocument {
    const updates = this.#logs.get(document) ?? [];
    return { updates, upTo: updates };
  }

  /** Appends a copy of the update. */
  append(document: string, update: Uint8Array): void {
    this.#logs.set(document, [...(this.#logs.get(document) ?? []), update.slice()]);
  }

  /** Replaces the updates that a `load` gave; nothing if some of them are gone. */
  compact(document: string, merged: Uint8Array, upTo: unknown): void {
    const gone = new Set(upTo as readonly Uint8Array[]); // as `load` gave it
    const rest = (this.#logs.get(document) ?? []).filter((update) => !gone.delete(update));
    if (gone.size === 0) this.#logs.set(document, [merged.slice(), ...rest]);
  }

  /** Forgets a document. */
  delete(document: string): void {
    this.#logs.delete(document);
  }
}
