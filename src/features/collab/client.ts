/**
 * Documents that many edit, in the browser or in another program: what `socket-ingress/collab` keeps in step. It knows no framework and no
 * editor; beside Yjs `openDocument` weighs 3.0 kB more than `socket-ingress/client`, 0.3 kB of it in common with lists and inboxes, and
 * `bindTextarea` 0.8 kB.
 *
 * @example
 * ```ts
 * import { io } from "socket.io-client";
 * import { createClient } from "socket-ingress/client";
 * import { bindTextarea, openDocument } from "socket-ingress/collab/client";
 *
 * const note = openDocument(createClient(io()), "doc:42");
 * bindTextarea(document.querySelector("textarea")!, note.doc.getText("t"), note);
 * note.subscribe(({ saving, users }) => console.log(saving, users.map(({ name }) => name)));
 * ```
 *
 * @module
 */
export { bindTextarea } from "./client/bind-textarea.js";
export type { TextField } from "./client/bind-textarea.js";
export { openDocument } from "./client/open-document.js";
export type { DocumentOptions, DocumentSnapshot, OpenDocument } from "./client/open-document.js";
export type { Opened, OpenedState, OpenedStatus } from "../../client/opened.js";
export type { DocumentUser, Mode, Saving } from "./protocol.js";
