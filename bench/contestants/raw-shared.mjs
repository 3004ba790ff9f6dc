/** Socket.IO alone with one function per event shared by all sockets: the least memory `socket.on` can take. */
import { Server } from "socket.io";
import { replyTo, serverOptions } from "../load/workload.mjs";

/** Starts the server and resolves to its port. */
export async function start({ events, more = [] }) {
  const io = new Server(0, serverOptions);
  const listeners = [...events.map(({ name }) => name), ...more].map((name) => [
    name,
    (data, reply) => reply(replyTo(data)),
  ]);
  io.on("connection", (socket) => {
    for (const [name, listener] of listeners) socket.on(name, listener);
  });
  return { port: io.httpServer.address().port };
}
