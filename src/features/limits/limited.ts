import { channel } from "node:diagnostics_channel";
import type { Server } from "socket.io";
import type { AppServer, AppSocket } from "../../events/subscriber.js";
import { writeLog } from "../../lifecycle/log.js";
import type { Logger } from "../../lifecycle/logger.js";
import { printable } from "../../wire/values.js";

/** Somebody met a limit: what `onLimited` is told, and whoever listens to the diagnostics channel `socket-ingress:limited`. */
export interface Limited<App extends AppServer = Server> {
  /** What kind of limit it was. */
  readonly kind: "rate" | "connections" | "slowConsumers";
  /** The name of the rate, or the option of `connections` or `slowConsumers`: `"max"`, `"perUser"`, `"idleMs"`. */
  readonly limit: string;
  /** Whose budget it was, as a rate counts it: `"user:ada"`; `undefined` of other limits. */
  readonly key: string | undefined;
  /** The event that was refused; `"connect"` of a connection that was, `undefined` of one that was ended. */
  readonly event: string | undefined;
  /** The socket it was about; `undefined` of a transport that is in no namespace. */
  readonly socket: AppSocket<App> | undefined;
  /** What the client was told to wait, in milliseconds, if it was told so. */
  readonly retryAfterMs: number | undefined;
  /** Whether it was only observed, and nothing refused. */
  readonly observed: boolean;
}

/** Told of whoever meets a limit. What it throws is logged. */
export type OnLimited<App extends AppServer = Server> = (limited: Limited<App>) => void;

const limitedChannel = channel("socket-ingress:limited");

/** Tells of those who meet a limit; to nobody, it costs nothing. */
export class LimitedNews<App extends AppServer> {
  readonly #onLimited: OnLimited<App> | undefined;
  readonly #log: () => Logger;

  constructor(onLimited: OnLimited<App> | undefined, log: () => Logger) {
    this.#onLimited = onLimited;
    this.#log = log;
  }

  /** Takes a function that makes what is told: a flood is mostly told to nobody. */
  tell(limited: () => Limited<App>): void {
    if (this.#onLimited === undefined && !limitedChannel.hasSubscribers) return;
    const told = limited();
    limitedChannel.publish(told);
    try {
      this.#onLimited?.(told);
    } catch (thrown) {
      writeLog(this.#log(), "error", { err: printable(thrown), limit: told.limit }, "onLimited failed");
    }
  }
}
