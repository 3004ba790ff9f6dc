/**
 * Clients that speak no Socket.IO: a browser's `EventSource`, `curl -N`, a script, a WebSocket without a library. Each is a socket of the
 * server, under the same `connect` subscribers, identity, policies, limits and drain as any other.
 *
 * @module
 *
 * @example
 * ```ts
 * import { createServer } from "node:http";
 * import { Server } from "socket.io";
 * import { ServiceManager } from "socket-ingress";
 * import { plainSockets, sse } from "socket-ingress/plain";
 * import { Realtime } from "socket-ingress/realtime";
 *
 * const httpServer = createServer();
 * const io = new Server(httpServer);
 * const realtime = new Realtime();
 * realtime.topics.define("author", { public: true, history: {} });
 * const manager = new ServiceManager(io).registerHandler(realtime);
 * await manager.boot();
 *
 * const events = sse(io);
 * httpServer.on("request", (request, response) => {
 *   if (request.url?.startsWith("/events")) void events(request, response); // curl -N localhost:3000/events?topic=author
 * });
 * httpServer.on("upgrade", plainSockets(io, { path: "/ws" }).upgrade); // new WebSocket("ws://localhost:3000/ws?topic=author")
 * httpServer.listen(3000);
 *
 * await realtime.emitSocket("change", { model: "author", method: "POST", id: "7" }, { topic: "author" });
 * await manager.shutdown();
 * ```
 */
export type { Origins, PlainOptions } from "./plain-options.js";
export { plainSockets } from "./plain-sockets.js";
export type { PlainSockets, PlainSocketsOptions } from "./plain-sockets.js";
export type { Emit, Pushed, Refused, Reply, Subscribe, Subscribed, Unsubscribe, Unsubscribed } from "./protocol.js";
export { sse } from "./sse.js";
export type { EventStreams } from "./sse.js";
