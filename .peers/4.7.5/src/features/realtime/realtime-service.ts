import type { Server } from "socket.io";
import { Service } from "../../service.js";
import type { AppServer } from "../../events/subscriber.js";
import { givePushMethods } from "./push-methods.js";
import { Realtime } from "./realtime.js";

/**
 * A service that pushes: `this.emitSocket(...)` and its like are those of the `Realtime` registered with the same manager. Services
 * start before handlers are set up, so push from background work rather than from `onStart`.
 *
 * @typeParam App - the `Server<...>` type of the application
 * @typeParam State - what `setState` and `getState` hold
 *
 * @example
 * class Prices extends RealtimeService<App> {
 *   readonly name = "prices";
 *   override onStart() {
 *     this.interval(() => this.emitSocket("price", market.price(), { topic: "prices" }), 1_000);
 *   }
 * }
 */
export abstract class RealtimeService<
  App extends AppServer = Server,
  State extends object = object,
> extends Service<State> {
  /** See `Realtime.emitSocket`. */
  declare protected readonly emitSocket: Realtime<App>["emitSocket"];
  /** See `Realtime.emitSocketRefetch`. */
  declare protected readonly emitSocketRefetch: Realtime<App>["emitSocketRefetch"];
  /** See `Realtime.notify`. */
  declare protected readonly notify: Realtime<App>["notify"];
  /** See `Realtime.sendTo`. */
  declare protected readonly sendTo: Realtime<App>["sendTo"];

  /**
   * The door this service pushes through: the first one registered with the manager. With a door for each of several namespaces,
   * override it to say which.
   *
   * @throws Error when the manager has none
   */
  protected get realtime(): Realtime<App> {
    return this.require<Realtime<App>>(Realtime);
  }
}

givePushMethods(RealtimeService.prototype);
