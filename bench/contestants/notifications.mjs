/**
 * Notifications to one user, and pushes of Socket.IO alone to the same sockets, in one server process. All connections are that user's;
 * raw and its control have a room each, which holds the same sockets in the same order. What raw pushes is what a notification is on the wire.
 */
import { Server } from "socket.io";
import { loadDoor, ServiceManager } from "./build.mjs";
import { payload, serverOptions } from "../load/workload.mjs";

const { Realtime } = await loadDoor("realtime");
const { Notifications } = await loadDoor("notifications");

const user = "user_7";
const given = { title: "Shipped", message: payload.text, icon: "📦", data: payload };
const sent = {
  notification: { id: "00000000-0000-4000-8000-000000000000", seq: 1, ...given, createdAt: Date.now(), readAt: null },
  unread: 1,
  version: 1,
};

/** Starts the server and resolves to its port. `control` sends `count` by one of the `ways`, one after another. */
export async function start() {
  const io = new Server(0, serverOptions);
  io.use((socket, next) => {
    void socket.join(["raw", "control"]);
    next();
  });
  const realtime = new Realtime({ user: () => user });
  const notifications = new Notifications({ realtime });
  // Nobody is ever without a device here, so it is never asked.
  const withFallback = new Notifications({ realtime, fallbacks: [{ name: "email", deliver: () => false }] });
  await new ServiceManager(io).registerHandler(realtime).registerHandler(notifications).boot();

  const ask = (room) => io.to(room).timeout(2_000).emitWithAck("notification", sent);
  const ways = {
    "plain raw": () => io.to("raw").emit("notification", sent),
    "plain control": () => io.to("control").emit("notification", sent),
    "plain ours": () => notifications.send(user, given),
    "asked raw": () => ask("raw"),
    "asked control": () => ask("control"),
    "asked ours": () => withFallback.send(user, given),
  };
  return {
    port: io.httpServer.address().port,
    async control({ way, count }) {
      for (let i = 0; i < count; i++) {
        await ways[way]();
        await new Promise(setImmediate);
      }
    },
  };
}
