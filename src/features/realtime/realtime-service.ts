import type { Server } from "socket.io";
import { Service } from "../../service.js";
import type { AppServer } from "../../events/subscriber.js";
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
  /**
   * The door this service pushes through: the first one registered with the manager. With a door for each of several namespaces,
   * override it to say which.
   *
   * @throws Error when the manager has none
   */
  protected get realtime(): Realtime<App> {
    return this.require<Realtime<App>>(Realtime);
  }

  /** See `Realtime.emitSocket`. */
  protected get emitSocket(): Realtime<App>["emitSocket"] {
    const { realtime } = this;
    return realtime.emitSocket.bind(realtime);
  }

  /** See `Realtime.emitSocketRefetch`. */
  protected get emitSocketRefetch(): Realtime<App>["emitSocketRefetch"] {
    const { realtime } = this;
    return realtime.emitSocketRefetch.bind(realtime);
  }

  /** See `Realtime.notify`. */
  protected get notify(): Realtime<App>["notify"] {
    const { realtime } = this;
    return realtime.notify.bind(realtime);
  }

  /** See `Realtime.sendTo`. */
  protected get sendTo(): Realtime<App>["sendTo"] {
    const { realtime } = this;
    return realtime.sendTo.bind(realtime);
  }
}
