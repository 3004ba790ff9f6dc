import { longestTimerMs } from "../wire/values.js";
import { EventFailure } from "./event-failure.js";

/** How long somebody waits for the server. */
export interface WaitOptions {
  readonly signal?: AbortSignal | undefined;
  /** In milliseconds. @default Infinity */
  readonly timeoutMs?: number | undefined;
}

/** What ends the waiting of somebody whom the server has not answered. */
export interface Wait {
  /** Does what the signal does. */
  abort(): void;
  /** Time counts no longer. */
  stopClock(): void;
  /** Nor does the signal. */
  end(): void;
}

/**
 * Makes a wait, whose time begins now. A signal that was aborted before is the caller's to see.
 *
 * @param what - what is waited for, as the failures call it
 * @param wasSent - whether the server was asked, when time is up
 */
export function createWait(
  { signal, timeoutMs = Infinity }: WaitOptions,
  what: string,
  wasSent: () => boolean,
  onEnd: (failure: EventFailure) => void,
): Wait {
  const abort = (): void => onEnd(new EventFailure("ABORTED", `${what} was aborted`, { cause: signal?.reason }));
  const onTime = (): void =>
    onEnd(
      wasSent()
        ? new EventFailure("TIMEOUT", `no answer to ${what} within ${timeoutMs} ms`)
        : new EventFailure("DISCONNECTED", `no connection within ${timeoutMs} ms; ${what} was not sent`),
    );
  // What no timer can wait for is waited for without one.
  const timer = timeoutMs <= longestTimerMs ? setTimeout(onTime, timeoutMs) : undefined;
  const stopClock = (): void => clearTimeout(timer);
  signal?.addEventListener("abort", abort);
  return {
    abort,
    stopClock,
    end() {
      stopClock();
      signal?.removeEventListener("abort", abort);
    },
  };
}
