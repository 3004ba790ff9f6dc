/** Clients that edit a document, each kind with the client of its own, through a proxy that counts what goes over the line. */
import { connect, createServer } from "node:net";
import { io } from "socket.io-client";
import { WebSocket } from "ws";
import * as Y from "yjs";
import { loadDoor } from "../contestants/build.mjs";

const name = "doc:42";

async function ours(port) {
  const { createClient } = await loadDoor("client");
  const { openDocument } = await loadDoor("collab/client");
  const socket = io(`http://127.0.0.1:${port}`, { transports: ["websocket"], forceNew: true });
  const note = openDocument(createClient(socket), name);
  await note.ready;
  return { text: note.doc.getText("t"), close: () => (note.close(), socket.disconnect()) };
}

async function hocuspocus(port) {
  const { HocuspocusProvider, HocuspocusProviderWebsocket } = await import("@hocuspocus/provider");
  const websocketProvider = new HocuspocusProviderWebsocket({
    url: `ws://127.0.0.1:${port}`,
    WebSocketPolyfill: WebSocket,
  });
  const document = new Y.Doc();
  const provider = new HocuspocusProvider({ websocketProvider, name, document });
  const synced = new Promise((resolve) => provider.on("synced", resolve));
  provider.attach?.();
  await synced;
  const close = () => (provider.destroy(), websocketProvider.destroy());
  return { text: document.getText("t"), close };
}

async function ySocketIo(port) {
  const { SocketIOProvider } = await import("y-socket.io");
  const document = new Y.Doc();
  const provider = new SocketIOProvider(`ws://127.0.0.1:${port}`, name, document, {}, { transports: ["websocket"] });
  await new Promise((resolve) => provider.on("sync", (isSynced) => isSynced && resolve()));
  return { text: document.getText("t"), close: () => provider.destroy() };
}

const openers = { ours, hocuspocus, "y-socket.io": ySocketIo };

/** A proxy before a port, and the bytes that went each way. */
async function meter(port) {
  const bytes = { up: 0, down: 0 };
  const server = createServer((client) => {
    const upstream = connect({ port, host: "127.0.0.1", noDelay: true });
    client.setNoDelay(true);
    client.on("data", (chunk) => ((bytes.up += chunk.length), upstream.write(chunk)));
    upstream.on("data", (chunk) => ((bytes.down += chunk.length), client.write(chunk)));
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ])
      one.on("error", () => other.destroy()).on("close", () => other.destroy());
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { port: server.address().port, bytes, close: () => server.close() };
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Opens so many editors of one document; `edit` has them type in turns, and resolves to the bytes when all have everything. */
export async function openEditors(kind, serverPort, count) {
  const { port, bytes, close } = await meter(serverPort);
  const editors = [];
  for (let i = 0; i < count; i++) editors.push(await openers[kind](port));
  let typed = 0;
  return {
    async edit(edits, everyMs) {
      const before = { ...bytes };
      for (let i = 0; i < edits; i++) {
        const { text } = editors[i % count];
        text.insert(Math.min(i, text.length), "x");
        typed++;
        await pause(everyMs);
      }
      const until = performance.now() + 30_000;
      while (editors.some(({ text }) => text.length !== typed)) {
        if (performance.now() > until) throw new Error(`${kind}: the editors did not converge`);
        await pause(5);
      }
      // What is told together, a while later.
      await pause(200);
      return { up: bytes.up - before.up, down: bytes.down - before.down };
    },
    close() {
      for (const editor of editors) editor.close();
      close();
    },
  };
}
