/**
 * The client: calls that resolve to values, pushes, topics, refetching on signals, notices and presence, on an ordinary
 * socket of socket.io-client. For browsers and for programs; it contains no server code and imports nothing at run time.
 *
 * It works with any Socket.IO server (calls and pushes are plain events). Topics, presence, notices, and calls with
 * `retries` need the server's realtime door.
 *
 * @example
 * ```ts
 * import type { Server } from "socket.io";
 * import { io } from "socket.io-client";
 * import { createClient, EventFailure } from "socket-ingress/client";
 *
 * interface ClientToServer {
 *   message(data: { text: string }, reply: (r: { id: number }) => void): void;
 *   get_items(reply: (items: string[]) => void): void;
 * }
 * interface ServerToClient {
 *   presence(who: string[]): void;
 *   items_changed(change: { source: string }): void;
 * }
 *
 * const client = createClient<Server<ClientToServer, ServerToClient>>(io("http://localhost:3000"));
 *
 * client.on("presence", (who) => console.log(who.join(", ")));
 * client.refetchOnSocket("items_changed", "get_items", (items) => console.log(items.length));
 * await client.joinTopic("room:42");
 * try {
 *   const { id } = await client.call("message", { text: "hi" });
 *   console.log("sent as", id);
 * } catch (error) {
 *   if (error instanceof EventFailure) console.log("refused:", error.code);
 * }
 * ```
 *
 * @module
 */

export type { Member } from "../features/realtime/protocol.js";
export type { CallOptions } from "./calls.js";
export type {
  CallArgs,
  Caller,
  CallName,
  CallsOf,
  CallValue,
  Client,
  ClientOptions,
  NoticeData,
  PushArgs,
  PushesOf,
  PushName,
  SendOptions,
} from "./client.js";
export { ClientModule } from "./client-module.js";
export type { ClientManager, ClientSocket } from "./client-socket.js";
export type { ConnectionStatus } from "./connection.js";
export { createClient } from "./create-client.js";
export { type ClientCode, EventFailure, type EventFailureOptions } from "./event-failure.js";
export type { PresenceDifference, PresenceListener } from "./presence.js";
export type { AskedOnce, OnePayloadOnly, RefetchRest } from "./refetch-types.js";
export type { RefetchContext, RefetchOptions } from "./refetches.js";
export type { ClientLogger } from "./subscribers.js";
export type { TopicJoin } from "./topic-join.js";
export type { JoinedTopic, JoinOptions } from "./share.js";
export { type Failure, isFailure } from "../wire/failure.js";
