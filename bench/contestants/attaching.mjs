/**
 * What is done for a connection by the listeners and middleware of one contestant: the time from a middleware before its own to
 * one after it, and from a `connection` listener before its own to one after it.
 */
import { Server } from "socket.io";
import { SocketIngress } from "./build.mjs";
import { replyTo, serverOptions } from "../load/workload.mjs";
import { median } from "../measure/statistics.mjs";
import { subscribe } from "./ours.mjs";
import { listen } from "./raw.mjs";

/** Starts the server and resolves to its port; `control` tells the median of nanoseconds per connection since it was last asked. */
export async function start({ which, more }) {
  const io = new Server(0, serverOptions);
  // a connection's middleware and its `connection` listeners run in one turn of the loop, so these never mix two connections
  const durations = { middleware: [], connection: [] };
  let began = 0n;
  const begin = () => void (began = process.hrtime.bigint());
  const end = (of) => void durations[of].push(Number(process.hrtime.bigint() - began));
  io.use((_socket, next) => (begin(), next()));
  io.on("connection", begin);
  if (which === "raw") io.on("connection", (socket) => listen(socket, { events: [], more }));
  else if (which === "raw-shared") {
    const listeners = more.map((name) => [name, (data, reply) => reply(replyTo(data))]);
    io.on("connection", (socket) => {
      for (const [name, listener] of listeners) socket.on(name, listener);
    });
  } else if (which === "ours") subscribe(new SocketIngress().attach(io), { events: [], more });
  io.use((_socket, next) => (end("middleware"), next()));
  io.on("connection", () => end("connection"));
  return {
    port: io.httpServer.address().port,
    control() {
      const perConnection = median(durations.middleware) + median(durations.connection);
      durations.middleware = [];
      durations.connection = [];
      return perConnection;
    },
  };
}
