// What goes over the wire, as PROTOCOL.md has it. Names of two letters, as they travel with every key that is pressed
// (decision 0078).

/** A client says what it has of a document, and is told what it lacks. */
export const SYNC = "yo";
/** A change of a document, either way. */
export const UPDATE = "yu";
/** Where an editor points, either way. */
export const CURSOR = "yc";
/** So many changes of this client were taken. */
export const TAKEN = "yk";
/** A change was not taken, nor is any until the client has synced again. */
export const REFUSED = "yn";
/** Whether what was taken is saved. */
export const SAVED = "ys";
/** What the client may do has changed. */
export const MODE = "ym";

/** What one may do with a document: `read` includes pointing into it. */
export type Mode = "write" | "read";

/** Whether everything that was taken is in the store; `failed` means that it is kept and tried again. */
export type Saving = "saved" | "saving" | "failed";

/** {@link Saving} as it is sent: its place in this list. */
export const savings: readonly Saving[] = ["saved", "saving", "failed"];

/** Bytes on the way: few as base64, so that they need no frame of their own. */
export type Bytes = string | Uint8Array;

/** What has at most so many bytes is sent as base64. */
export const TEXT_MAX = 1024;

/** A change on the way to the clients: of the document with this number, `"7:AAEC"`, or with its bytes apart. */
export type UpdateFrame = string | readonly [n: number, update: Uint8Array];

/** Whom the others see; the server says it. Whatever the application adds beside these goes along. */
export interface DocumentUser {
  /** The user's id, or `null` of somebody who is not signed in. */
  readonly id: string | null;
  /** What to call them. */
  readonly name: string;
  /** A CSS colour, for a caret. */
  readonly color: string;
  /** A lighter one, for what is selected. */
  readonly colorLight: string;
  /** What the application's `user` adds. */
  readonly [more: string]: unknown;
}

/** Where somebody points, and who it is: an awareness state. */
export type CursorState = Readonly<Record<string, unknown>>;

/** What {@link SYNC} is answered. */
export interface Synced {
  /** What the document is called in frames, until this connection ends or it is synced again. */
  readonly n: number;
  /** What the client lacks. */
  readonly u: Bytes;
  /** What the server has. */
  readonly v: Bytes;
  readonly mode: Mode;
  /** The largest change that is taken, in bytes. */
  readonly max: number;
  /** As in {@link savings}. */
  readonly saving: number;
  /** Who the client is to the others. */
  readonly user: DocumentUser;
  /** Where the others point, by their client ids. */
  readonly cursors: readonly (readonly [clientId: number, state: CursorState])[];
}
