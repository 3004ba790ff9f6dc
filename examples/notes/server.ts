import { Kysely, SqliteDialect } from "kysely";
import Database from "libsql";
import { Server } from "socket.io";
import { ServiceManager } from "socket-ingress";
import { Collab, KyselyDocumentStore } from "socket-ingress/collab";
import { Realtime } from "socket-ingress/realtime";
import * as Y from "yjs";
import { ownPlace } from "../page/place.js";
import { servePage } from "../page/serve-page.js";
import type { App } from "./app.js";
import { NotesHandler } from "./notes-handler.js";

/** Makes the program; neither booted nor listening. */
export async function makeManager({ httpServer, web, path } = ownPlace()): Promise<ServiceManager<App>> {
  const database = new Database(process.env["DATABASE"] || ":memory:");
  const store = new KyselyDocumentStore(new Kysely({ dialect: new SqliteDialect({ database }) }));
  await store.migrate();

  const notes = new NotesHandler(process.env["SECRET"] || "not for anything that matters");
  const realtime = new Realtime<App>({ user: ({ data }) => data.guest.id });
  const collab = new Collab<App>({
    realtime,
    store,
    autosaveMs: 1_000,
    maxDocumentBytes: 1_000_000,
    user: ({ socket }) => ({ name: socket.data.guest.name }),
    yjs: Y,
  });
  collab.define("note:{id}", ({ socket }, { id }) => (notes.opens(socket.data.key, id) ? "write" : "read"));

  web.use(await servePage(new URL("./public", import.meta.url), new URL("./browser/main.ts", import.meta.url)));
  const io: App = new Server(httpServer, { path: `${path}socket.io` });
  return new ServiceManager<App>(io).registerHandler(realtime).registerHandler(notes).registerHandler(collab);
}
