import type { Server } from "socket.io";
import { ControllerHandler } from "./events/controller-handler.js";
import type { AppServer, CallbackForm, InputSchema, Interceptor } from "./events/subscriber.js";
import { bindHost, type Host } from "./events/host.js";
import { asPart, type Declared, type Part, subjectOf } from "./events/managed.js";
import { readOption } from "./events/option-table.js";
import { afterStart, beforeStop, Service, type ServiceHealth } from "./service.js";
import { use } from "./events/subscribe-options.js";
import { subscribeAll, type SubscriberOwner } from "./events/subscriber-list.js";

/** The {@link ServiceHealth} of a controller. */
export interface ControllerHealth extends ServiceHealth {
  /** The events it declares. */
  readonly events: readonly string[];
}

/**
 * The home of one feature: a service with events. Its state and its background work are a service's; its events are declared in
 * `buildEvents`, bound when `onStart` has finished, and unbound before `onStop`.
 *
 * @typeParam App - your own `Server<ClientToServer, ServerToClient, ...>` type
 * @typeParam State - what `setState` and `getState` hold
 *
 * @example
 * class ChatController extends Controller<App> {
 *   readonly name = "chat";
 *   override buildEvents(handler: ControllerHandler<App>) {
 *     handler.on("message", this.onMessage, { priority: 50, input: messageSchema }).on("typing", this.onTyping);
 *   }
 * }
 */
export abstract class Controller<App extends AppServer = Server, State extends object = object> extends Service<State> {
  /**
   * Whose clients it serves: a namespace, or a pattern for dynamic ones.
   *
   * @default "/"
   */
  readonly namespace: string | RegExp = "/";
  /** Input schemas by event, for those whose declaration brings none: the same as `input`, said in one place. */
  readonly schemas?: Readonly<Record<string, InputSchema>>;
  /** Wraps all its subscribers, inside the interceptors of the ingress; the first is the outermost. */
  readonly use?: readonly Interceptor<App>[];
  /** How the callers of its events are answered; an event may say otherwise. See the option `callback`. */
  readonly callback?: CallbackForm;

  #handler: ControllerHandler<App> | undefined;
  #appHost: Host<App> | undefined;
  #unsubscribe: (() => Promise<void>) | undefined;

  /**
   * Declare the events. Called once, when the controller starts, after its `onStart`, or when its `handler` is read before that. Whoever asks
   * for its health or a description of the manager before is told what would be declared then, which is not kept.
   */
  abstract buildEvents(handler: ControllerHandler<App>): void;

  /**
   * The declared events; `buildEvents` is called at the first ask.
   *
   * @throws TypeError naming the controller and what it declares wrongly
   */
  get handler(): ControllerHandler<App> {
    return (this.#handler ??= this.#build());
  }

  /** The server it serves, or the manager's before that; `undefined` while there is none. */
  override get io(): App | undefined {
    return this.#appHost?.io;
  }

  /** Whether its events are bound. */
  get registered(): boolean {
    return this.#unsubscribe !== undefined;
  }

  /** How it is, with the events it declares. */
  override health(): ControllerHealth {
    return { ...super.health(), events: (this.#handler ?? this.#build()).events };
  }

  /** @internal */
  override [bindHost](host: Host | undefined): void {
    super[bindHost](host);
    // A manager is made for one App; its type is not known where services are, which have none.
    this.#appHost = host as unknown as Host<App> | undefined;
  }

  /** @internal */
  override [asPart](): Part {
    return { ...super[asPart](), kind: "controller", declared: () => this.#declared() };
  }

  /** @internal */
  protected override [afterStart](): void {
    const subject = subjectOf(this, "Controller");
    const { ingress } = this.#appHost ?? {};
    if (ingress === undefined) {
      throw new Error(`${subject}: its events have no ingress to go through; register it with a ServiceManager`);
    }
    this.#unsubscribe = subscribeAll(ingress, this.#owner(subject), this.handler.entries);
  }

  /** @internal */
  protected override async [beforeStop](): Promise<void> {
    const unsubscribe = this.#unsubscribe;
    this.#unsubscribe = undefined;
    await unsubscribe?.();
  }

  #build(): ControllerHandler<App> {
    const handler = new ControllerHandler<App>(
      subjectOf(this, "Controller"),
      new Map(Object.entries(this.schemas ?? {})),
    );
    this.buildEvents(handler);
    handler.seal();
    return handler;
  }

  #owner(subject: string): SubscriberOwner {
    return {
      name: this.name,
      namespace: this.namespace,
      self: this,
      use: readOption(subject, "use", use, this.use),
      callback: this.callback,
    };
  }

  #declared(): Declared | undefined {
    if (this.registered) return undefined;
    return { owner: this.#owner(subjectOf(this, "Controller")), entries: (this.#handler ?? this.#build()).entries };
  }
}
