/**
 * Pushes of Socket.IO alone and of the realtime door in one server process, to the same sockets. A client joins the topic as
 * clients do, with an `ingress:join` of the protocol; the topic's policy puts its socket into the rooms of raw and of the
 * control, so that all three hold the same sockets in the same order. Four sockets are one user, by the door's identity and
 * by a room each of raw and of the control.
 */
import { Server } from "socket.io";
import { loadDoor, ServiceManager } from "./build.mjs";
import { payload, serverOptions } from "../load/workload.mjs";

const { Realtime, user } = await loadDoor("realtime");

/** How many sockets a user has. */
export const socketsPerUser = 4;

/** The user that is pushed to: neither the first nor the last who came. */
const somebody = "user_7";

/** Starts the server and resolves to its port. `control` sends `count` pushes by one of the `ways`, each in a turn of its own. */
export async function start() {
  const io = new Server(0, serverOptions);
  let connected = 0;
  io.use((socket, next) => {
    socket.data.user = `user_${Math.floor(connected++ / socketsPerUser)}`;
    next();
  });
  const realtime = new Realtime({ user: ({ data }) => data.user });
  realtime.topics.define("news", {
    join: ({ socket }) =>
      void socket.join(["raw", "control", `raw:${socket.data.user}`, `control:${socket.data.user}`]),
  });
  realtime.topics.define("kept", { public: true, history: { keep: 1_000, maxAgeMs: 3_600_000 } });
  await new ServiceManager(io).registerHandler(realtime).boot();

  const ways = {
    "topic raw": () => io.to("raw").emit("news", payload),
    "topic control": () => io.to("control").emit("news", payload),
    "topic ours": () => realtime.emitSocket("news", payload, { topic: "news" }),
    "history raw": () => io.to("raw").emit("news", payload),
    "history control": () => io.to("control").emit("news", payload),
    "history ours": () => realtime.emitSocket("news", payload, { topic: "kept" }),
    "user raw": () => io.to(`raw:${somebody}`).emit("news", payload),
    "user control": () => io.to(`control:${somebody}`).emit("news", payload),
    "user ours": () => realtime.emitSocket("news", payload, user(somebody)),
  };
  return {
    port: io.httpServer.address().port,
    async control({ way, count }) {
      const push = ways[way];
      for (let i = 0; i < count; i++) {
        push();
        await new Promise(setImmediate);
      }
    },
  };
}
