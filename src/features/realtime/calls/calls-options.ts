import { asRecord, checkNames } from "../../../wire/option-names.js";
import type { Logger } from "../../../lifecycle/logger.js";
import { describeValue, longestTimerMs } from "../../../wire/values.js";
import type { CallStore } from "./call-store.js";
import { MemoryCallStore } from "./memory-call-store.js";
import { RunOnce } from "./run-once.js";

/** How calls that are sent again under their request id are recognised. */
export interface CallsOptions {
  /** Who runs a call, and what it was answered; nodes must share one for "once" to hold across them. @default a `MemoryCallStore` */
  store?: CallStore;
  /** How long an answer is kept for a retry, in milliseconds. @default 120000 */
  windowMs?: number;
  /** How long a node that runs a call may be silent before it is taken for dead, in milliseconds. @default 30000 */
  leaseMs?: number;
  /** How many requests are known of one identity, where no store is given. @default 100 */
  maxPerIdentity?: number;
  /** How many requests are known altogether, where no store is given. @default 50000 */
  maxTotal?: number;
}

const names = ["store", "windowMs", "leaseMs", "maxPerIdentity", "maxTotal"] satisfies (keyof CallsOptions)[];

/** Makes what runs calls once. @throws TypeError naming an option that does not fit */
export function callsOf(options: CallsOptions, logger: Logger): RunOnce {
  const { store = checkCallsOptions(options), windowMs = 120_000, leaseMs = 30_000 } = options;
  return new RunOnce({ store, windowMs, leaseMs, logger });
}

/** The store for these options. @throws TypeError naming an option that does not fit */
export function checkCallsOptions(options: CallsOptions): CallStore {
  checkNames("calls", asRecord("calls", options), names);
  const { store, windowMs, leaseMs, ...bounds } = options;
  for (const [name, value] of Object.entries({ windowMs, leaseMs })) {
    if (value !== undefined && !(value > 0 && value <= longestTimerMs))
      throw new TypeError(`calls.${name}: expected milliseconds up to ${longestTimerMs}, got ${describeValue(value)}`);
  }
  if (store !== undefined && typeof (store as Partial<CallStore>).claim !== "function")
    throw new TypeError(`calls.store: expected a CallStore, got ${describeValue(store)}`);
  return store ?? new MemoryCallStore(bounds);
}
