/**
 * Documents that many edit at once, on Yjs: checked, passed on, saved and kept in step between nodes. They stand on
 * `socket-ingress/realtime`; the counterpart in the browser is `socket-ingress/collab/client`.
 *
 * @module
 *
 * @example
 * ```ts
 * import { Server } from "socket.io";
 * import { ServiceManager } from "socket-ingress";
 * import { Collab, MemoryDocumentStore } from "socket-ingress/collab";
 * import { Realtime } from "socket-ingress/realtime";
 *
 * type App = Server<Record<string, never>, Record<string, never>, Record<string, never>, { user?: string }>;
 *
 * const writers = new Set(["ada", "grace"]);
 * const realtime = new Realtime<App>({ user: ({ data }) => data.user });
 * const collab = new Collab<App>({ realtime, store: new MemoryDocumentStore() });
 * collab.define("doc:{id}", ({ user = "" }) => (writers.has(user) ? "write" : "read"));
 *
 * const manager = new ServiceManager<App>(new Server(3000)).registerHandler(realtime).registerHandler(collab);
 * await manager.boot();
 *
 * await collab.edit("doc:42", (doc) => doc.getText("t").insert(0, "from a job"));
 * console.log(await collab.read("doc:42", (doc) => doc.getText("t").toString()));
 * await manager.shutdown();
 * ```
 */
export { Collab } from "./collab.js";
export type { DocumentDescription, DocumentPolicy } from "./collab.js";
export type { CollabOptions } from "./collab-options.js";
export type { DocumentStore, StoredDocument } from "./document-store.js";
export { KyselyDocumentStore } from "./kysely-document-store.js";
export type { KyselyDocumentStoreOptions } from "./kysely-document-store.js";
export { MemoryDocumentStore } from "./memory-document-store.js";
export type { DocumentUser, Mode, Saving } from "./protocol.js";
export type { Yjs } from "./update-check.js";
