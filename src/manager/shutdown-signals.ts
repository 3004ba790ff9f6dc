import { constants } from "node:os";
import { expected, flag, type Option, option, readOptions } from "../events/option-table.js";
import { shutdownOptions, type ShutdownOptions, type ShutdownReport } from "./shutdown.js";

/** Which signals shut the manager down, and how. */
export interface ShutdownSignalOptions extends Omit<ShutdownOptions, "reason"> {
  /**
   * The signals to listen to.
   *
   * @default ["SIGTERM", "SIGINT"]
   */
  readonly signals?: readonly NodeJS.Signals[];
  /**
   * Whether the process is to end after the shutdown, with code 0, also when something of yours keeps it alive. A second signal ends
   * it at once in any case.
   *
   * @default true
   */
  readonly exit?: boolean;
}

/** How long a process that has nothing left to do gets to end by itself, which lets its output be written. */
const EXIT_MS = 100;

const ofSignals = {
  signals: option(["SIGTERM", "SIGINT"], "a list of signals", Array.isArray) as Option<readonly NodeJS.Signals[]>,
  exit: flag(true),
};

/** {@link ShutdownSignalOptions} by name, each with its default and its check. */
const signalOptions: typeof shutdownOptions & typeof ofSignals = { ...shutdownOptions, ...ofSignals };

/** Calls `shutdown` at the first signal, and ends the process at the second. Returns the function that ends the listening. */
export function listenToSignals(
  shutdown: (options: ShutdownOptions) => Promise<ShutdownReport>,
  options: ShutdownSignalOptions,
): () => void {
  const { signals, exit, ...rest } = readOptions("shutdownOnSignals", signalOptions, options);
  for (const signal of signals) {
    if (signal in constants.signals && signal !== "SIGKILL" && signal !== "SIGSTOP") continue;
    throw expected("shutdownOnSignals", "signals", 'such as "SIGTERM", which a process can listen to', signal);
  }
  let signalled = false;
  const onSignal = (signal: NodeJS.Signals): void => {
    // As a process ends that does not listen (128 and the signal's number, as shells tell it).
    if (signalled) process.exit(128 + constants.signals[signal]);
    signalled = true;
    const end = (): void => {
      if (exit) setTimeout(() => process.exit(), EXIT_MS).unref();
    };
    void shutdown({ ...rest, reason: signal }).then(end, end);
  };
  for (const signal of signals) process.on(signal, onSignal);
  return () => {
    for (const signal of signals) process.off(signal, onSignal);
  };
}
