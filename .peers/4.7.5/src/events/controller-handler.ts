import { describeValue } from "../wire/values.js";
import type { Server } from "socket.io";
import type {
  AnySubscriber,
  AppServer,
  InputSchema,
  Permitted,
  SubscribableEvent,
  SubscribeOptions,
  Subscriber,
} from "./subscriber.js";
import { checkEntry, type SubscriberEntry } from "./subscriber-list.js";

/** What `on` of a {@link ControllerHandler} takes: the controller itself is the owner, and says the namespace. */
export type ControllerEventOptions<
  App extends AppServer,
  Event extends string,
  Input extends InputSchema | undefined,
> = Omit<SubscribeOptions<App, Event, Input>, "namespace" | "owner">;

/** The list that a controller's `buildEvents` fills; nothing is bound before the controller has started. */
export class ControllerHandler<App extends AppServer = Server> {
  readonly #subject: string;
  readonly #schemas: ReadonlyMap<string, InputSchema>;
  readonly #entries: SubscriberEntry[] = [];
  #sealed = false;

  /** Made by the controller. */
  constructor(subject: string, schemas: ReadonlyMap<string, InputSchema>) {
    this.#subject = subject;
    this.#schemas = schemas;
  }

  /**
   * Declare a subscriber. It is called with the controller as `this`.
   *
   * @throws TypeError when `fn` is no function, and Error after `buildEvents` has returned
   */
  on<Event extends SubscribableEvent<App>, Input extends InputSchema | undefined = undefined>(
    event: Permitted<Event>,
    fn: Subscriber<App, Event, Input>,
    options: ControllerEventOptions<App, Event, Input> = {},
  ): this {
    const name = event as string; // Permitted only adds advice to the type
    const subject = `${this.#subject}, event ${describeValue(event)}`;
    if (this.#sealed)
      throw new Error(
        `${subject}: events are declared in buildEvents, which has returned; use ingress.subscribe for more`,
      );
    if (typeof fn !== "function")
      throw new TypeError(`${subject}: a subscriber must be a function, got ${describeValue(fn)}`);
    checkEntry(this.#subject, event, options);
    const input = this.#schemas.get(name);
    this.#entries.push({
      event: name,
      fn: fn as AnySubscriber,
      method: fn.name === "" ? "(anonymous)" : fn.name,
      options: input === undefined ? options : { input, ...options },
    });
    return this;
  }

  /** The names of the declared events, in the order of their first declaration. */
  get events(): string[] {
    return [...new Set(this.#entries.map(({ event }) => event))];
  }

  /** What was declared. */
  get entries(): readonly SubscriberEntry[] {
    return this.#entries;
  }

  /** `buildEvents` has returned. @internal */
  seal(): void {
    this.#sealed = true;
    for (const event of this.#schemas.keys()) {
      if (this.#entries.some((entry) => entry.event === event)) continue;
      throw new TypeError(`${this.#subject}: schemas names "${event}", which buildEvents does not declare`);
    }
  }
}
