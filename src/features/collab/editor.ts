import type { CursorState, DocumentUser } from "./protocol.js";

/** What is kept of a client that has synced a document: a socket, as the document sees it. */
export interface Editor {
  readonly socket: EditorSocket;
  /** The client id it writes and points under. */
  clientId: number;
  /** In whose name: the names under which its client ids are known. */
  keys: readonly string[];
  user: DocumentUser;
  /** Where it points; `undefined` is nowhere. */
  cursor: CursorState | undefined;
  /** How many of its changes were taken since it synced, and how many it has been told of. */
  taken: number;
  told: number;
  /** A change of it was refused: those behind it hang on it, and go unheard until it syncs again. */
  isBehind: boolean;
}

/** What a document needs of a socket. */
export interface EditorSocket {
  readonly id: string;
  emit(event: string, data: unknown): unknown;
}
