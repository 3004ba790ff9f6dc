import type { Server as HttpServer } from "node:http";
import type { Server as NetServer } from "node:net";
import type { Server } from "socket.io";
import type { Connections } from "./connections.js";
import { Deadline, type Settled } from "../lifecycle/deadline.js";

/** How long peers get to answer the close frame. A `ws` server waits 30 s for those that don't. */
const CLOSE_FRAME_MS = 1_000;
/** What peers get at the least, when the deadline has passed already: enough for those that answer. */
const LEAST_MS = 100;

/**
 * Close a server and the HTTP server it is on, whatever its peers do: who does not answer the close in time is cut off, requests that
 * have nothing to do with Socket.IO have until the deadline.
 */
export async function closeServer(io: Server, connections: Connections, deadline: Deadline): Promise<Settled> {
  const others = [...connections.httpServers].filter((server) => server !== (io.httpServer as unknown));
  const closing = Promise.all([closeIo(io), ...others.map(closeHttp)]);
  connections.closeSessions();
  const last = deadline.remainingMs < LEAST_MS ? new Deadline(LEAST_MS) : deadline;
  const asked = await last.settle(closing, CLOSE_FRAME_MS);
  if (asked.kind !== "late") return asked;
  connections.destroy("idle");
  const closed = await last.settle(closing);
  if (closed.kind !== "late") return closed;
  connections.destroy("all");
  // Absent where the server is no server of Node's own.
  for (const server of connections.httpServers) (server as Partial<HttpServer>).closeAllConnections?.();
  return new Deadline(LEAST_MS).settle(closing);
}

/** Closes an HTTP server that Socket.IO forgot when it was attached to another, and with it its engine, which listens to that. */
function closeHttp(server: NetServer): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}

/**
 * Closes a server of any Socket.IO 4. Only the callback tells when it is closed: the promise of `close` came with 4.8, and did not wait
 * for the HTTP server at first.
 */
export async function closeIo(io: Server): Promise<void> {
  try {
    await new Promise<void>((resolve, reject) => {
      const closing = io.close(() => resolve()) as Promise<void> | undefined;
      closing?.catch(reject);
    });
  } catch (error) {
    // A server that was never attached to anything has no engine to close (socket.io/lib/index.ts, `close`).
    if ((io.engine as unknown) !== undefined) throw error;
  }
}
