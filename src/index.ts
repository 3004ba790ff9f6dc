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
export type { BackgroundTask } from "./lifecycle/background.js";
export type { AnyBusEvents, Bus, BusArgs, ListenOptions } from "./lifecycle/bus.js";
export type { CloseInBatches } from "./socket-io/connections.js";
export { Controller } from "./controller.js";
export type { ControllerHealth } from "./controller.js";
export type { ControllerEventOptions, ControllerHandler } from "./events/controller-handler.js";
export type { ErrorInfo, ErrorSubscriber } from "./dispatch/error-subscribers.js";
export type { Arrival, BeforeEvent } from "./events/arrival.js";
export type { BeforeEventDescription } from "./dispatch/before-events.js";
export type { InputDescription } from "./events/input-description.js";
export type { Belongings } from "./events/managed.js";
export type { Place } from "./lifecycle/observer.js";
export type { EventContext } from "./events/event-context.js";
export type { EventMap, HandlerEvents } from "./events/event-map.js";
export type {
  Answer,
  AppServer,
  AppSocket,
  ArgsOf,
  CallbackForm,
  EventOptions,
  InputSchema,
  Interceptor,
  Permitted,
  ReplyOf,
  ReservedEvents,
  SchemaArgs,
  ServesAs,
  SubscribableEvent,
  SubscribeOptions,
  Subscriber,
  SubscriberArgs,
} from "./events/subscriber.js";
export { Handler } from "./handler.js";
export type { CutEvent } from "./dispatch/flow/in-flight.js";
export type { IngressCounters } from "./dispatch/counters.js";
export type { SocketIngressOptions } from "./socket-io/ingress-options.js";
export type { Logger, LogLine } from "./lifecycle/logger.js";
export type { HandlerHealth, HealthFailure, ManagerHealth, ManagerStatus } from "./manager/health.js";
export type { FeatureDescription, ManagerDescription, PartDescription } from "./manager/description.js";
export type { Owner } from "./lifecycle/cleanups.js";
export { token } from "./lifecycle/registry.js";
export type { Key, ProvideOptions, Registry, Token, WaitForOptions } from "./lifecycle/registry.js";
export { recoverAfterAsking } from "./socket-io/recover-after-asking.js";
export type { AdapterConstructor } from "./socket-io/recover-after-asking.js";
export { Service } from "./service.js";
export type { Adoptable, ServiceHealth, ServiceStatus } from "./service.js";
export type { StateSubscriber } from "./lifecycle/service-state.js";
export { ServiceManager } from "./service-manager.js";
export type { ServiceManagerOptions } from "./service-manager.js";
export type { ShutdownFailure, ShutdownOptions, ShutdownReport } from "./manager/shutdown.js";
export type { ShutdownSignalOptions } from "./manager/shutdown-signals.js";
export type { WriteCoalescingOptions } from "./socket-io/write-coalescing.js";
export { SocketIngress } from "./socket-ingress.js";
export type { DispatchInit, DrainReport, IngressSettings } from "./socket-ingress.js";
export type { SubscriptionDescription } from "./dispatch/subscriptions.js";
export { errorCodes } from "./wire/codes.js";
export type { ErrorCode } from "./wire/codes.js";
export { EventError } from "./wire/event-error.js";
export type { EventErrorOptions } from "./wire/event-error.js";
export type {
  EmitEventsOf,
  EventArgs,
  EventName,
  EventReply,
  EventSource,
  EventsOf,
  EventValue,
  ListenEventsOf,
  ServerSideEventsOf,
  SocketDataOf,
} from "./wire/event-types.js";
export { isFailure } from "./wire/failure.js";
export type { Failure } from "./wire/failure.js";
export type { ForbiddenEventName, ReservedEventName } from "./wire/event-names.js";
