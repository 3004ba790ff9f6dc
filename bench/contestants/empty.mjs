/** Socket.IO with no event at all: the floor for memory and for the cost of a connection. */
import { Server } from "socket.io";
import { serverOptions } from "../load/workload.mjs";

/** Starts the server and resolves to its port. */
export async function start() {
  const io = new Server(0, serverOptions);
  io.on("connection", () => {});
  return { port: io.httpServer.address().port };
}
