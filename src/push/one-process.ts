import type { Namespace, Server } from "socket.io";

/**
 * Whether a namespace has one of Socket.IO's own adapters for a single process: with any other there may be nodes, whether or not one
 * has been heard of. The adapters' package is not ours to import, so a server that nobody uses is asked for them.
 */
export function isOfOneProcess({ server, adapter }: Namespace): boolean {
  const Another = server.constructor as typeof Server;
  return [{}, { connectionStateRecovery: {} }].some(
    (options) => new Another(options).adapter() === adapter.constructor,
  );
}
