import { longestTimerMs } from "../../wire/values.js";
import type { EventContext } from "../../events/event-context.js";
import type { AppServer, AppSocket } from "../../events/subscriber.js";
import type { Logger } from "../../lifecycle/logger.js";
import { withoutStack } from "../../wire/event-error.js";

/**
 * What a topic's policy is given when it is asked again without an event: there is nobody to answer and nothing to stop. It takes no
 * place among the running events of a connection, so an event can wait for it.
 */
export class ReviewContext<App extends AppServer> implements EventContext<App> {
  readonly socket: AppSocket<App>;
  readonly event = "ingress:review";
  readonly #log: Logger;
  readonly #timeoutMs: number;
  #controller: AbortController | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** @param timeoutMs how long the policy may think: as long as an event may take */
  constructor(socket: AppSocket<App>, log: Logger, timeoutMs = 30_000) {
    this.socket = socket;
    this.#log = log;
    this.#timeoutMs = timeoutMs;
  }

  get namespace(): string {
    return this.socket.nsp.name;
  }

  get log(): Logger {
    return this.#log.child({ event: this.event, namespace: this.namespace, socketId: this.socket.id });
  }

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.socket.connected) this.socket.once("disconnect", this.#abort);
      else this.#abort();
      if (this.#timeoutMs <= longestTimerMs) {
        const late = (): void => this.#controller?.abort(withoutStack("TIMEOUT", "no answer in time"));
        this.#timer = setTimeout(late, this.#timeoutMs);
        this.#timer.unref();
      }
    }
    return this.#controller.signal;
  }

  stop(): void {
    // Nobody comes after.
  }

  reply(): boolean {
    return true;
  }

  /** The review is over: its signal means nothing any more. */
  end(): void {
    clearTimeout(this.#timer);
    this.socket.off("disconnect", this.#abort);
  }

  readonly #abort = (): void => this.#controller?.abort(withoutStack("DISCONNECTED", "the client is gone"));
}
