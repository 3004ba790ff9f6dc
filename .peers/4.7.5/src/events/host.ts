import type { AppServer } from "./subscriber.js";
import type { Bus } from "../lifecycle/bus.js";
import type { Logger } from "../lifecycle/logger.js";
import type { Registry } from "../lifecycle/registry.js";
import type { SubscribingIngress } from "./subscriber-list.js";
import type { Server } from "socket.io";

/**
 * What a manager lends to the handlers, services and controllers registered with it.
 *
 * They are told by their {@link bindHost} method and keep the object, not its members: `io` changes when a server is attached.
 *
 * @typeParam Ingress - the ingress as the borrower knows it
 */
export interface Host<
  App extends AppServer = Server,
  Ingress extends SubscribingIngress<App> = SubscribingIngress<App>,
> {
  /** The ingress that serves every event of this manager. */
  readonly ingress: Ingress;
  /** What services provide to each other. */
  readonly registry: Registry;
  /** Events inside this process. */
  readonly bus: Bus;
  /** The manager's logger. */
  readonly log: Logger;
  /** The attached server, if there is one by now. */
  readonly io: App | undefined;
}

/** The method by which a handler is asked, when it is registered, whether it is wired as it should be; it throws if not. */
export const checkWiring: unique symbol = Symbol("socket-ingress.checkWiring");

/** The method by which a handler, service or controller is told its {@link Host}, and with `undefined` that it has none. */
export const bindHost: unique symbol = Symbol("socket-ingress.bindHost");
