/**
 * Socket.IO alone and socket-ingress in one server process, on one server and over the same connections, in a namespace
 * each: whatever differs from one process, one engine or one connection to the next is out of the comparison.
 * `/bare` and `/same` are raw both, to show what the method can't tell apart. Names of namespaces are of one length, for they
 * are in every packet: four bytes more were half a per cent. Write coalescing, which is a matter of
 * the engine and not of a namespace, is switched while it runs.
 */
import { Server } from "socket.io";
import { loadBuild, loadCoalescing } from "./build.mjs";
import { replyTo, payload, serverOptions } from "../load/workload.mjs";
import { subscribe } from "./ours.mjs";
import { listen } from "./raw.mjs";

/** How many broadcasts one call of `blast` sends. */
export const broadcastsEach = 10;

/**
 * Starts the server. `ours`: more namespaces of ours by name, with the options of each one's subscriptions, as
 * `{ "/time": { timeoutMs: 1000 } }`; functions are named by a string (see `named`). `rooms`: how many each socket joins. `build`:
 * which build of ours.
 */
export async function start({ events, only, ours = {}, rooms = 0, build }) {
  const io = new Server(0, serverOptions);
  const namespaces = only ?? ["/bare", "/same", "/ours", ...Object.keys(ours)];
  if (rooms > 0) {
    const names = Array.from({ length: rooms }, (_, index) => `room_${index}`);
    for (const name of namespaces) io.of(name).on("connection", (socket) => socket.join(names));
  }
  for (const name of namespaces.filter((name) => name === "/bare" || name === "/same")) {
    io.of(name).on("connection", (socket) => {
      listen(socket, { events });
      socket.on("blast", (data, reply) => {
        for (let i = 0; i < broadcastsEach; i++) io.of(name).emit("news", payload);
        reply(replyTo(data));
      });
    });
  }
  const rest = namespaces.filter((name) => name !== "/bare" && name !== "/same");
  if (rest.length > 0) {
    const { SocketIngress } = await loadBuild(build);
    // On by default, it would be on for the bare namespaces of this server, too.
    const ingress = new SocketIngress({ coalesceWrites: false }).attach(io);
    for (const namespace of rest) subscribe(ingress, { events }, { ...named(ours[namespace]), namespace });
  }
  const coalesceWrites = await loadCoalescing();
  let undo;
  return {
    port: io.httpServer.address().port,
    namespaces,
    control({ coalesce }) {
      if (coalesce && undo === undefined) undo = coalesceWrites(io);
      else if (!coalesce) {
        undo?.();
        undo = undefined;
      }
    },
  };
}

/** Options that can't be sent as JSON. */
function named(options = {}) {
  return options.use === "pass" ? { ...options, use: [(_context, next) => next()] } : options;
}
