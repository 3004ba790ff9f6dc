import type { Server } from "socket.io";
import { io } from "socket.io-client";
import { type Client, createClient } from "socket-ingress/client";
import {
  Collab,
  type DocumentDescription,
  type DocumentStore,
  KyselyDocumentStore,
  MemoryDocumentStore,
} from "socket-ingress/collab";
import { bindTextarea, type DocumentSnapshot, openDocument, type OpenDocument } from "socket-ingress/collab/client";
import { Realtime } from "socket-ingress/realtime";
import { contract } from "socket-ingress/testing";
import { expectTypeOf } from "vitest";
import * as Y from "yjs";

interface ClientToServer {
  say(text: string): void;
}
type App = Server<ClientToServer, Record<string, never>, Record<string, never>, { user?: string }>;

const realtime = new Realtime<App>({ user: ({ data }) => data.user });

// --- the server -----------------------------------------------------------------------------------------------------------

const collab = new Collab<App>({
  realtime,
  store: new MemoryDocumentStore(),
  autosaveMs: 2_000,
  maxUnsavedMs: Infinity,
  user: async ({ user = "", socket }) => ({ name: user, since: socket.data.user }),
  yjs: Y,
});
new Collab({ realtime: new Realtime() });
// @ts-expect-error -- without a realtime door nobody knows who has a document open
new Collab<App>({ store: new MemoryDocumentStore() });
// @ts-expect-error -- a door of another application
new Collab<App>({ realtime: new Realtime<Server<{ other(): void }>>() });
// @ts-expect-error -- there is no such option
new Collab<App>({ realtime, saveMs: 2_000 });
// @ts-expect-error -- what a user is to the others has names
new Collab<App>({ realtime, user: ({ user }) => user });
// @ts-expect-error -- that is not Yjs
new Collab<App>({ realtime, yjs: { Doc: Y.Doc } });

// --- who may do what ------------------------------------------------------------------------------------------------------

export const undefine: () => void = collab.define("doc:{id}", () => "write");
collab.define("team:{team}:doc:{id}", async ({ user, socket }, params) => {
  expectTypeOf(user).toEqualTypeOf<string | undefined>();
  expectTypeOf(params).toEqualTypeOf<{ readonly team: string; readonly id: string }>();
  return socket.data.user === params.team && "read";
});
collab.define("slow:{id}", async () => {
  await Promise.resolve();
  return "write" as const; // TypeScript takes the only word of an async function for any string
});
// @ts-expect-error -- one writes, reads, or neither
collab.define("other:{id}", () => "admin");
// @ts-expect-error -- nor is true enough to know which
collab.define("other:{id}", () => true);
// @ts-expect-error -- nothing of this name is in the pattern
collab.define("other:{id}", (_, { name }) => name === "x" && "read");
// @ts-expect-error -- without a policy nobody may do anything
collab.define("other:{id}");

// --- the server's own edits -----------------------------------------------------------------------------------------------

expectTypeOf(
  collab.edit("doc:42", (doc, yjs) => {
    expectTypeOf(doc).toEqualTypeOf<Y.Doc>();
    doc.getMap("meta").set("tags", yjs.Array.from(["new"]));
  }),
).toEqualTypeOf<Promise<void>>();
expectTypeOf(collab.read("doc:42", (doc) => doc.getText("t").length)).toEqualTypeOf<Promise<number>>();
expectTypeOf(collab.read("doc:42", async (doc) => doc.getText("t").toJSON())).toEqualTypeOf<Promise<string>>();
expectTypeOf(collab.flush()).toEqualTypeOf<Promise<void>>();
expectTypeOf(collab.describe()).toEqualTypeOf<DocumentDescription[]>();
// @ts-expect-error -- a document has a name
void collab.edit(42, () => undefined);
// @ts-expect-error -- a map is not a text
void collab.edit("doc:42", (doc) => doc.getMap("meta").insert(0, "x"));
// @ts-expect-error -- what there is to be told of it is not ours to change
collab.describe()[0]!.editors = 0;

// --- stores ---------------------------------------------------------------------------------------------------------------

export const store: DocumentStore = {
  load: () => ({ updates: [new Uint8Array()], upTo: 1 }),
  append: async () => undefined,
};
contract(store);
contract(new KyselyDocumentStore({} as never, { prefix: "app_" }));
// @ts-expect-error -- what was saved is to be read, too
export const halved: DocumentStore = { append: () => undefined };
// @ts-expect-error -- the store's own word for what it has read goes back to compact
export const blind: DocumentStore = { ...store, load: () => ({ updates: [] }) };
// @ts-expect-error -- bytes, and not text
export const spelt: DocumentStore = { ...store, load: () => ({ updates: ["AAA="], upTo: 1 }) };
// @ts-expect-error -- there is no such option
new KyselyDocumentStore({} as never, { table: "documents" });

// --- the client -----------------------------------------------------------------------------------------------------------

const client: Client<App> = createClient<App>(io());
const note: OpenDocument = openDocument(client, "doc:42", {
  doc: new Y.Doc(),
  onLost: ({ code }) => code.length,
  onRefused: ({ details }) => details,
});
expectTypeOf(note.getSnapshot()).toEqualTypeOf<DocumentSnapshot>();
expectTypeOf(note.mode).toEqualTypeOf<"write" | "read" | undefined>();
expectTypeOf(note.saving).toEqualTypeOf<"saved" | "saving" | "failed">();
expectTypeOf(note.doc).toEqualTypeOf<Y.Doc>();
expectTypeOf(note.ready).toEqualTypeOf<Promise<void>>();
export const undo: () => void = note.subscribe(({ users }) => users.map(({ name, color }) => [name, color]));
declare const area: HTMLTextAreaElement;
expectTypeOf(bindTextarea(area, note.doc.getText("t"), note)).toEqualTypeOf<() => void>();
await using held = note;
held.undo();
// @ts-expect-error -- a document has a name
openDocument(client, 42);
// @ts-expect-error -- there is no such option
openDocument(client, "doc:42", { readOnly: true });
// @ts-expect-error -- that is a text, and not a document
openDocument(client, "doc:42", { doc: new Y.Text() });
// @ts-expect-error -- what one may do is the server's to say
note.mode = "write";
// @ts-expect-error -- who is there is not ours to change
note.users.push({ id: null, name: "x", color: "", colorLight: "" });
// @ts-expect-error -- a map has no caret
bindTextarea(area, note.doc.getMap("m"), note);
// @ts-expect-error -- a div has no value
bindTextarea({} as HTMLDivElement, note.doc.getText("t"), note);
