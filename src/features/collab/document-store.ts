import type { Awaitable } from "../../wire/values.js";

/** What a {@link DocumentStore} has of a document. */
export interface StoredDocument {
  /** Every update that was appended, or what they were compacted to, in any order. Of a document that was never saved: none. */
  readonly updates: readonly Uint8Array[];
  /** What says which updates these were, to the store alone: given back to `compact`. */
  readonly upTo: unknown;
}

/**
 * Where documents are kept, shared by all nodes: for each a log that is appended to, so that nodes that save at once can't overwrite each
 * other. An update may be appended twice, and in any order.
 *
 * `contract(store)` of `socket-ingress/testing` says what yours has to keep.
 */
export interface DocumentStore {
  /** Reads all there is of a document. What was appended before the call is there. */
  load(document: string): Awaitable<StoredDocument>;
  /** Appends an update. When it resolves, the update outlives the process. What it rejects with is logged, and it is called again later. */
  append(document: string, update: Uint8Array): Awaitable<void>;
  /**
   * Puts `merged` in the place of exactly those updates that a `load` gave, all at once: what was appended since stays. Where another
   * node has been there first nothing may be lost. Without it, logs grow.
   */
  compact?(document: string, merged: Uint8Array, upTo: unknown): Awaitable<void>;
}
