import { tracingChannel } from "node:diagnostics_channel";
import type { Context } from "./context.js";
import type { Failure } from "../wire/failure.js";

/** What is published on the channels of `socket-ingress:dispatch`, one object for all of one dispatch. */
export interface DispatchTrace {
  readonly event: string;
  readonly namespace: string;
  readonly socketId: string | undefined;
  /** Set before `error` is published: the first failure of the dispatch. */
  error?: Failure["error"];
}

const channels = tracingChannel("socket-ingress:dispatch");

/** Whether anybody listens. */
export function isTraced(): boolean {
  return (
    channels.start.hasSubscribers ||
    channels.end.hasSubscribers ||
    channels.asyncEnd.hasSubscribers ||
    channels.asyncStart.hasSubscribers ||
    channels.error.hasSubscribers
  );
}

/**
 * Runs a dispatch inside the tracing channel `tracing:socket-ingress:dispatch:*` (Node's `TracingChannel` contract): `start` and
 * `end` around its synchronous part, `asyncStart` and `asyncEnd` when it ends later, `error` if a subscriber failed.
 */
export function startTrace(context: Context, run: () => void): void {
  const trace: DispatchTrace = {
    event: context.event,
    namespace: context.namespace,
    socketId: context.socket?.id,
  };
  const { done } = context;
  let sync = true;
  context.done = (ended) => {
    if (ended.failure !== undefined) {
      trace.error = ended.failure.error;
      channels.error.publish(trace);
    }
    if (!sync) {
      channels.asyncStart.publish(trace);
      channels.asyncEnd.publish(trace);
    }
    done?.(ended);
  };
  channels.start.runStores(trace, run);
  sync = false;
  channels.end.publish(trace);
}
