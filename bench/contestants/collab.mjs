/** Servers for documents that many edit, each as its own documentation starts it, without a store. `kinds[kind]` resolves to the port. */
import { once } from "node:events";
import { Server } from "socket.io";
import { loadDoor, ServiceManager } from "./build.mjs";

async function ours() {
  const { Realtime } = await loadDoor("realtime");
  const { Collab } = await loadDoor("collab");
  const io = new Server(0, { transports: ["websocket"] });
  const realtime = new Realtime();
  const collab = new Collab({ realtime, autosaveMs: 600_000, maxUnsavedMs: 600_000 });
  collab.define("doc:{id}", () => "write");
  await new ServiceManager(io).registerHandler(realtime).registerHandler(collab).boot();
  return io.httpServer.address().port;
}

async function hocuspocus() {
  const { Server: Hocuspocus } = await import("@hocuspocus/server");
  const server = new Hocuspocus({ port: 0, address: "127.0.0.1", quiet: true });
  await server.listen(0);
  if (!server.httpServer.listening) await once(server.httpServer, "listening");
  return server.httpServer.address().port;
}

async function ySocketIo() {
  const { YSocketIO } = await import("y-socket.io/dist/server");
  const io = new Server(0, { transports: ["websocket"] });
  new YSocketIO(io, { gcEnabled: true }).initialize();
  return io.httpServer.address().port;
}

export const kinds = { ours, hocuspocus, "y-socket.io": ySocketIo };
