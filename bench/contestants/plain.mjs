/**
 * The same pushes to clients of Socket.IO, to event streams and to WebSockets without Socket.IO, on one server. Each kind is in topics of its own, with
 * and without a history, so that a push reaches as many of one kind as of another.
 */
import { once } from "node:events";
import { createServer } from "node:http";
import { Server } from "socket.io";
import { loadDoor, ServiceManager, SocketIngress } from "./build.mjs";
import { payload, serverOptions } from "../load/workload.mjs";

const [{ Realtime }, { plainSockets, sse }] = [await loadDoor("realtime"), await loadDoor("plain")];

/** The limit of the reader that stops. */
export const maxBufferedBytes = 1_000_000;

const filling = "x".repeat(20_000);

/** Starts the server and resolves to its port. `control` does what its `way` says. */
export async function start() {
  // One that Socket.IO makes answers whatever is not Socket.IO's with 404.
  const httpServer = createServer();
  const io = new Server(httpServer, serverOptions);
  const realtime = new Realtime();
  realtime.topics.define("{kind}/now", { public: true });
  realtime.topics.define("{kind}/kept", { public: true, history: { keep: 100 } });
  const ingress = new SocketIngress();
  await new ServiceManager(io, { ingress }).registerHandler(realtime).boot();
  const options = { maxBufferedBytes, maxStreams: 5_000 };
  const events = sse(io, options);
  httpServer.on("request", (request, response) => {
    if (request.url.startsWith("/events")) void events(request, response);
  });
  httpServer.on("upgrade", plainSockets(io, options).upgrade);
  await once(httpServer.listen(0), "listening");
  const { port } = httpServer.address();
  const most = () => Math.max(0, ...[...io.sockets.sockets.values()].map((socket) => ingress.bufferedBytes(socket)));
  return {
    port,
    /** Pushes `count` times, so many in each turn. */
    async control({ topic, count, inTurn = 1, large = false }) {
      if (topic === undefined) return { sockets: io.sockets.sockets.size, rooms: io.of("/").adapter.rooms.size };
      let kept = 0;
      for (let i = 0; i < count; i++) {
        void realtime.emitSocket("news", large ? { ...payload, filling } : payload, { topic });
        if ((i + 1) % inTurn === 0) await new Promise(setImmediate);
        if (large) kept = Math.max(kept, most());
      }
      return { kept };
    },
  };
}
