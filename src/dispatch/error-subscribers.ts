import { isThenable, printable } from "../wire/values.js";
import type { Context } from "./context.js";
import { isEventError } from "../wire/event-error.js";
import type { Socket } from "socket.io";
import { toFailure } from "../wire/to-failure.js";
import type { Logger } from "../lifecycle/logger.js";
import { type LogFields, shortName, writeLog } from "../lifecycle/log.js";

/** What an error subscriber is told beside the error. */
export interface ErrorInfo {
  /** The event during which it happened; `connect`, `connection`, `disconnecting` and `disconnect` included. */
  readonly event: string;
  /** The concrete namespace, such as `/chat`. */
  readonly namespace: string;
  /** The code the caller received, or would have received: `INTERNAL` for everything but an `EventError`. */
  readonly code: string;
  /** The name of the handler or controller whose subscriber failed, if it belongs to one. */
  readonly handler: string | undefined;
  /** The name of the method or function that failed. */
  readonly method: string | undefined;
  /** The id of the socket; `undefined` for what was dispatched without one. */
  readonly socketId: string | undefined;
  /** The socket itself. */
  readonly socket: Socket | undefined;
  /** The client's arguments as they arrived, without the acknowledgement. */
  readonly args: readonly unknown[];
}

/** A function told of every error of every subscriber. What it throws is logged; what it returns is ignored. */
export type ErrorSubscriber = (error: unknown, info: ErrorInfo) => unknown;

/** Said of a refusal that keeps nobody from running. */
const outlived = "; subscribers behind it run all the same, which guard: true would keep them from";

interface Entry {
  readonly fn: ErrorSubscriber;
  readonly priority: number;
}

/** Who hears of errors: each error once, in priority order, whatever the others do; the log if nobody listens. */
export class ErrorSubscribers {
  readonly #log: Logger;
  #entries: readonly Entry[] = [];

  constructor(log: Logger) {
    this.#log = log;
  }

  add(fn: ErrorSubscriber, priority: number): () => void {
    const entry: Entry = { fn, priority };
    // A stable sort keeps subscription order among equals.
    this.#entries = [...this.#entries, entry].sort((a, b) => a.priority - b.priority);
    return () => {
      this.#entries = this.#entries.filter((one) => one !== entry);
    };
  }

  clear(): void {
    this.#entries = [];
  }

  /** Tell of what went wrong in an event, and with which code its caller was or would be answered. */
  tellOf(error: unknown, code: string, context: Context): void {
    const { event, namespace, subscription, socket, entry } = context;
    const isOutlived = subscription?.guard === false && subscription !== entry.plan.at(-1);
    const info: ErrorInfo = {
      event,
      namespace,
      code,
      handler: subscription?.handler,
      method: subscription?.method,
      socketId: socket?.id,
      socket,
      args: [...context.args],
    };
    this.tell(error, info, isOutlived);
  }

  /**
   * Tell of an error: all of them, in order, none waiting for another to end. Never throws.
   *
   * @param isOutlived - whether further subscribers of the event run all the same
   */
  tell(error: unknown, info: ErrorInfo, isOutlived = false): void {
    if (this.#entries.length === 0) return this.#write(error, info, isOutlived);
    for (const { fn } of this.#entries) {
      try {
        const result = fn(error, info);
        if (isThenable(result))
          Promise.resolve(result).then(undefined, (thrown: unknown) => this.#failed(thrown, info));
      } catch (thrown) {
        this.#failed(thrown, info);
      }
    }
  }

  #failed(thrown: unknown, info: ErrorInfo): void {
    writeLog(this.#log, "error", { ...fields(info), err: printable(thrown) }, "an error subscriber failed");
  }

  #write(error: unknown, info: ErrorInfo, isOutlived: boolean): void {
    const where = `${info.handler ?? "subscriber"}${info.method === undefined ? "" : `.${info.method}`}`;
    if (isEventError(error) && info.code !== "TIMEOUT") {
      const { message } = toFailure(error).error;
      writeLog(
        this.#log,
        "warn",
        { ...fields(info), reason: message },
        `${where} refused "${shortName(info.event)}"${isOutlived ? outlived : ""}`,
      );
    } else {
      writeLog(
        this.#log,
        "error",
        { ...fields(info), err: printable(error) },
        `${where} failed on "${shortName(info.event)}"`,
      );
    }
  }
}

function fields(info: ErrorInfo): LogFields {
  const { event, handler, method, namespace, socketId, code } = info;
  return { event: shortName(event), handler, method, namespace, socketId, code };
}
