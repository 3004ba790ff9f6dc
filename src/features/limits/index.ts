/**
 * Limits for the clients of a Socket.IO server: how often they may ask, how many of them there are, and what one may cost that does not
 * read; on one node, or on many together. Refusals say when to come back.
 *
 * @module
 *
 * @example
 * ```ts
 * import { Server } from "socket.io";
 * import { ServiceManager } from "socket-ingress";
 * import { Limits } from "socket-ingress/limits";
 * import { Realtime } from "socket-ingress/realtime";
 *
 * interface ClientToServer { say(text: string, reply: (r: { id: number }) => void): void }
 * type App = Server<ClientToServer, Record<string, never>, Record<string, never>, { user?: string }>;
 *
 * const realtime = new Realtime<App>({ user: ({ data }) => data.user });
 * const limits = Limits.recommended<App>({ realtime, trustProxy: 1 });
 * limits.rate({ name: "talk", events: ["say"], points: 100, durationMs: 60_000, by: "user" });
 *
 * const manager = new ServiceManager<App>(new Server(3000)).registerHandler(realtime).registerHandler(limits);
 * await manager.boot();
 *
 * setInterval(() => console.log(limits.counters()), 60_000).unref();
 * await manager.shutdown();
 * ```
 */
export type { ConnectionOptions } from "./connection-options.js";
export type { ConnectionCounters } from "./connection-news.js";
export type { Limited, OnLimited } from "./limited.js";
export type { LimiterStore } from "./limiter-store.js";
export { Limits } from "./limits.js";
export type { LimitsCounters, SlowConsumerCounters } from "./limits.js";
export type { LimitsOptions } from "./limits-options.js";
export type { RateCounters } from "./rate.js";
export type { LimitedBy, RateOptions } from "./rate-options.js";
export type { SlowConsumerOptions } from "./slow-consumers.js";
