/**
 * Who comes in, and for how long: tokens that count while a connection lives, not only when it begins, on jose. Its counterpart in
 * the browser is `socket-ingress/auth/client`.
 *
 * @module
 *
 * @example
 * ```ts
 * import { randomBytes } from "node:crypto";
 * import { Server } from "socket.io";
 * import { Handler, ServiceManager, type EventMap } from "socket-ingress";
 * import { Auth } from "socket-ingress/auth";
 * import { Realtime } from "socket-ingress/realtime";
 *
 * const auth = new Auth({ secret: randomBytes(32), issuer: "https://issuer.example" });
 * const realtime = new Realtime({ user: auth.user, session: auth.session });
 *
 * class BoardHandler extends Handler {
 *   readonly name = "board";
 *   readonly events = { wipe: { run: "wipe", use: [auth.require("admin")] } } satisfies EventMap<BoardHandler>;
 *   wipe() {}
 * }
 *
 * const manager = new ServiceManager(new Server(3000))
 *   .registerHandler(auth)
 *   .registerHandler(realtime)
 *   .registerHandler(new BoardHandler());
 * await manager.boot();
 *
 * const { sockets, complete } = await auth.revoke({ user: "ann" }); // on every node, older tokens included
 * console.log(`${sockets} ended${complete ? "" : ", and a node is silent"}`);
 * await manager.shutdown();
 * ```
 */
export { Auth } from "./auth.js";
export type { Revocation, RevokeOptions } from "./auth.js";
export type { AuthOptions } from "./auth-options.js";
export type { BetterKnown, Claims, TokenPayload, VerifiedToken } from "./claims.js";
export type { JsonWebKey, KeySet, PublicKey } from "./keys.js";
export { MemoryRevocations } from "./memory-revocations.js";
export type { MemoryRevocationsOptions } from "./memory-revocations.js";
export type { Expiring, HandshakeAuth, RefusalReason, Renewed } from "./protocol.js";
export { RedisRevocations } from "./redis-revocations.js";
export type { RedisRevocationsOptions } from "./redis-revocations.js";
export type { IoRedisClient, NodeRedisClient, RedisClient } from "../../push/redis-client.js";
export type { Requirement } from "./requirements.js";
export type { Bearer, Revocations, Revoked } from "./revocations.js";
export type { TokenRequest, TokenSource } from "./token-source.js";
export type { Awaitable } from "../../wire/values.js";
