/**
 * Class-based handlers, one reply per event and a graceful lifecycle for Socket.IO servers.
 *
 * @module
 *
 * @example
 * ```ts
 * import { Server } from "socket.io";
 * import { type EventContext, type EventMap, Handler, ServiceManager } from "socket-ingress";
 *
 * class EchoHandler extends Handler {
 *   readonly name = "echo";
 *   readonly events = { echo: "handleEcho" } satisfies EventMap<EchoHandler>;
 *
 *   handleEcho(_context: EventContext, text: string) {
 *     return { text };
 *   }
 * }
 *
 * const manager = new ServiceManager(new Server(3000)).registerHandler(new EchoHandler());
 * await manager.boot();
 * manager.shutdownOnSignals();
 * ```
 */
export { Controller } from "./controller.js";
export type { ControllerHealth } from "./controller.js";
export type { ControllerEventOptions, ControllerHandler } from "./controller-handler.js";
export type { ErrorInfo, ErrorSubscriber } from "./error-subscribers.js";
export type { EventContext } from "./event-context.js";
export { Handler } from "./handler.js";
export type { CutEvent, IngressCounters } from "./hub.js";
export type { Logger, LogLine } from "./logger.js";
export type { Owner } from "./ownership.js";
export { SocketIngress } from "./socket-ingress.js";
export type { DispatchInit, SocketIngressOptions, SubscriptionDescription } from "./socket-ingress.js";
export { errorCodes } from "./wire/codes.js";
export type { ErrorCode } from "./wire/codes.js";
export { EventError } from "./wire/event-error.js";
export type { EventErrorOptions } from "./wire/event-error.js";
export { isFailure } from "./wire/failure.js";
export type { Failure } from "./wire/failure.js";
