/**
 * A server with and without limits, with the events that all contestants have and `say`, which is passed on to everybody. `how`: `raw` is Socket.IO alone, `plain` socket-ingress with a realtime door, `limited` the same with
 * a rate by user of so many `points` in ten seconds, which every event is counted by.
 */
import { Server } from "socket.io";
import { events, payload, replyTo, serverOptions } from "../load/workload.mjs";
import { loadDoor, ServiceManager } from "./build.mjs";
import { subscribe } from "./ours.mjs";
import { listen } from "./raw.mjs";

/** Starts the server and resolves to its port. */
export async function start({ how, points = 1_000_000_000 }) {
  const io = new Server(0, serverOptions);
  const { port } = io.httpServer.address();
  if (how === "raw") {
    io.on("connection", (socket) => {
      listen(socket, { events });
      socket.on("say", (data, reply) => {
        io.emit("news", payload);
        reply(replyTo(data));
      });
    });
    return { port };
  }
  const { manager } = await limitedServer(io, how === "limited" ? points : undefined);
  subscribe(manager.ingress, { events });
  manager.ingress.subscribe("say", (_context, data) => {
    io.emit("news", payload);
    return replyTo(data);
  });
  return { port };
}

/** A manager with a realtime door that knows a user for each socket, and a rate of so many points if that is said. */
export async function limitedServer(io, points) {
  const [{ Realtime }, { Limits }] = [await loadDoor("realtime"), await loadDoor("limits")];
  const realtime = new Realtime({ user: ({ id }) => `user-${id}` });
  const manager = new ServiceManager(io).registerHandler(realtime);
  const limits = new Limits({ realtime });
  if (points !== undefined) limits.rate({ name: "all", events: "all", points, durationMs: 10_000, by: "user" });
  manager.registerHandler(limits);
  await manager.boot();
  return { manager, limits };
}
