import type { EventContext } from "../event-context.js";
import type { AppServer, AppSocket } from "../event-map.js";
import type { Logger } from "../logger.js";

/**
 * What a topic's policy is given when it is asked again without an event: there is nobody to answer and nothing to stop. It takes no
 * place among the running events of a connection, so an event can wait for it.
 */
export class ReviewContext<App extends AppServer> implements EventContext<App> {
  readonly socket: AppSocket<App>;
  readonly event = "ingress:review";
  readonly #log: Logger;
  #controller: AbortController | undefined;

  constructor(socket: AppSocket<App>, log: Logger) {
    this.socket = socket;
    this.#log = log;
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
      else this.#controller.abort();
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
    this.socket.off("disconnect", this.#abort);
  }

  readonly #abort = (): void => this.#controller?.abort();
}
