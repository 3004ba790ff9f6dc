import type { Server } from "socket.io";
import { Controller } from "../../controller.js";
import type { AppServer } from "../../events/subscriber.js";
import { givePushMethods } from "./push-methods.js";
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
  /** See `Realtime.emitSocket`. */
  declare protected readonly emitSocket: Realtime<App>["emitSocket"];
  /** See `Realtime.emitSocketRefetch`. */
  declare protected readonly emitSocketRefetch: Realtime<App>["emitSocketRefetch"];
  /** See `Realtime.notify`. */
  declare protected readonly notify: Realtime<App>["notify"];
  /** See `Realtime.sendTo`. */
  declare protected readonly sendTo: Realtime<App>["sendTo"];

  /**
   * The door this controller pushes through: the first one registered with the manager. With a door for each of several namespaces,
   * override it to say which.
   *
   * @throws Error when the manager has none
   */
  protected get realtime(): Realtime<App> {
    return this.require<Realtime<App>>(Realtime);
  }
}

givePushMethods(RealtimeController.prototype);
