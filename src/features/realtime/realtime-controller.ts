import type { Server } from "socket.io";
import { Controller } from "../../controller.js";
import type { AppServer } from "../../events/subscriber.js";
import { Realtime } from "./realtime.js";

/**
 * A controller that pushes: `this.emitSocket(...)` and its like are those of the `Realtime` registered with the same manager.
 *
 * @typeParam App - the `Server<...>` type of the application
 * @typeParam State - what `setState` and `getState` hold
 *
 * @example
 * class ItemsController extends RealtimeController<App> {
 *   readonly name = "items";
 *   override buildEvents(handler: ControllerHandler<App>) {
 *     handler.on("add_item", this.addItem);
 *   }
 *   private addItem(_context: EventContext<App>, item: Item) {
 *     this.emitSocket("items_changed", { source: "form" }, { topic: "items" });
 *     return { id: save(item) };
 *   }
 * }
 */
export abstract class RealtimeController<
  App extends AppServer = Server,
  State extends object = object,
> extends Controller<App, State> {
  /**
   * The door this controller pushes through: the first one registered with the manager. With a door for each of several namespaces,
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
