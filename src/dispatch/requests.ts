import type { Socket } from "socket.io";
import { Context, type Shape } from "./context.js";
import type { EventEntry } from "./event-entry.js";
import { toFailure } from "../wire/to-failure.js";
import type { Traffic } from "./flow/traffic.js";
import type { Acknowledge } from "./reply.js";
import type { Repeats } from "../events/repeats.js";
import { withoutStack } from "../wire/event-error.js";
import { isFailure } from "../wire/failure.js";
import { REQUEST_ID_MAX } from "../wire/requests.js";

/**
 * The request ids of events. A client announces one in a packet directly before its event, so the event itself travels under its own
 * name; the two are paired where they arrive, before middleware, by the event's acknowledgement, which is what middleware passes on (decision 0039).
 */
export class Requests {
  readonly #announced = new WeakMap<Socket, { readonly event: unknown; readonly requestId: unknown }>();
  readonly #ids = new WeakMap<Acknowledge, unknown>();
  /** How many acknowledgements may have an id: those that middleware kept stay counted. */
  #paired = 0;
  /** Who decides about repeated events, by the name of the namespace. */
  readonly #repeats = new Map<string, Repeats>();

  /** Takes who decides about repeated events of a namespace. */
  set(namespace: string, repeats: Repeats): () => void {
    this.#repeats.set(namespace, repeats);
    return () => {
      if (this.#repeats.get(namespace) === repeats) this.#repeats.delete(namespace);
    };
  }

  /** Whether an acknowledgement may have a request id. */
  get any(): boolean {
    return this.#paired > 0;
  }

  /** A client said how it calls its next event of this name. */
  announce(socket: Socket, requestId: unknown, event: unknown): void {
    if (this.#repeats.has(socket.nsp.name)) this.#announced.set(socket, { event, requestId });
  }

  /** An event arrived: it has the id that was announced, if it is the one. */
  pair(socket: Socket, event: unknown, ack: unknown): void {
    const announced = this.#announced.get(socket);
    if (announced === undefined || announced.event !== event) return;
    this.#announced.delete(socket);
    if (typeof ack !== "function") return;
    this.#ids.set(ack as Acknowledge, announced.requestId);
    this.#paired++;
  }

  /** Has an event with a request id answered. False if it has none, and is to run as any other. */
  answer(entry: EventEntry, socket: Socket, given: unknown, shape: Shape, ack: Acknowledge, traffic: Traffic): boolean {
    const repeats = this.#repeats.get(socket.nsp.name);
    if (!this.#ids.has(ack) || repeats === undefined) return false;
    const requestId = this.#ids.get(ack);
    this.#ids.delete(ack);
    this.#paired--;
    const caller = new Context(entry, socket, given, shape, ack);
    if (!traffic.mayAwait(caller)) return true;
    const run = (id: string): Promise<unknown> =>
      new Promise<unknown>((resolve) => {
        const context = new Context(entry, socket, given, shape, resolve);
        context.detach(id);
        traffic.receive(entry, context);
      });
    const reply = async (): Promise<unknown> => {
      if (typeof requestId !== "string" || requestId === "" || requestId.length > REQUEST_ID_MAX) {
        const message = `expected a string of 1 to ${REQUEST_ID_MAX} characters`;
        const issues = [{ path: ["requestId"], message }];
        throw withoutStack("INVALID_INPUT", "the request id does not fit", { details: { issues } });
      }
      return repeats({ socket, event: entry.event, args: caller.args, requestId }, async () => run(requestId));
    };
    void reply()
      .then(
        (value) => (isFailure(value) ? caller.refuse(value) : caller.send(value)),
        (thrown: unknown) => caller.refuse(toFailure(thrown)),
      )
      .then(() => traffic.flowOf(socket).callerWent());
    return true;
  }
}
