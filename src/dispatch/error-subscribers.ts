import { isThenable, printable } from "../wire/values.js";
import type { Context } from "./context.js";
import { type EventError, isEventError } from "../wire/event-error.js";
import type { Socket } from "socket.io";
import { toFailure } from "../wire/to-failure.js";
import type { Logger } from "../lifecycle/logger.js";
import type { Subscription } from "./subscription.js";
import { ClientFaults, type LogFields, shortName, writeLog } from "../lifecycle/log.js";

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
const outlived = "; subscribers behind it run all the same, which guard: true would keep them from (said once)";

interface Entry {
  readonly fn: ErrorSubscriber;
  readonly priority: number;
}

/** Who hears of errors: each error once, in priority order, whatever the others do; the log if nobody listens. */
export class ErrorSubscribers {
  readonly #log: Logger;
  readonly #refusals: ClientFaults;
  /** Of whom it was said that others outlive their refusals. */
  readonly #outlived = new WeakSet<Subscription>();
  #entries: readonly Entry[] = [];

  constructor(log: Logger) {
    this.#log = log;
    this.#refusals = new ClientFaults(log, "events were refused");
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
    const { event, namespace, subscription, socket } = context;
    // What can't be helped by anybody is not made: a flood of refusals makes a list of arguments each otherwise.
    if (this.#entries.length === 0 && isRefusal(error, code)) return this.#refused(error, code, context);
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
    this.tell(error, info);
  }

  /** Tell of an error: all of them, in order, none waiting for another to end. Never throws. */
  tell(error: unknown, info: ErrorInfo): void {
    if (this.#entries.length === 0) return this.#write(error, info);
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

  #write(error: unknown, info: ErrorInfo): void {
    const message = `${whereOf(info)} failed on "${shortName(info.event)}"`;
    writeLog(this.#log, "error", { ...fields(info), err: printable(error) }, message);
  }

  /** The client is to blame; but who subscribed is told once of a refusal that keeps nobody from running. */
  #refused(error: EventError, code: string, context: Context): void {
    const { event, namespace, subscription, socket, entry } = context;
    const line = (): { fields: LogFields; message: string } => {
      const { handler, method } = subscription ?? {};
      const where = { event, handler, method, namespace, socketId: socket?.id, code };
      const reason = toFailure(error).error.message;
      return { fields: { ...fields(where), reason }, message: `${whereOf(where)} refused "${shortName(event)}"` };
    };
    const isOutlived = subscription?.guard === false && subscription !== entry.plan.at(-1);
    if (!isOutlived || this.#outlived.has(subscription)) return this.#refusals.write(line);
    this.#outlived.add(subscription);
    const { fields: said, message } = line();
    writeLog(this.#log, "warn", said, message + outlived);
  }
}

/** Whether an error was meant for the caller: not a time that ran out, nor a fault that somebody says of themselves. */
function isRefusal(error: unknown, code: string): error is EventError {
  return code !== "TIMEOUT" && code !== "INTERNAL" && isEventError(error);
}

type Where = Pick<ErrorInfo, "event" | "handler" | "method" | "namespace" | "socketId" | "code">;

function whereOf({ handler, method }: Where): string {
  return `${handler ?? "subscriber"}${method === undefined ? "" : `.${method}`}`;
}

function fields(info: Where): LogFields {
  const { event, handler, method, namespace, socketId, code } = info;
  return { event: shortName(event), handler, method, namespace, socketId, code };
}
