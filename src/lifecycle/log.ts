import type { Logger } from "./logger.js";

/** A log line about one event carries these, whoever writes it. */
export interface LogFields {
  event?: string;
  handler?: string | undefined;
  method?: string | undefined;
  namespace?: string;
  socketId?: string | undefined;
  [more: string]: unknown;
}

/** The levels the core writes at. */
export type LogLevel = "debug" | "info" | "warn" | "error";

/**
 * Write a line with a logger that may itself fail: a user's transport that throws must not fail the event it speaks of.
 * The last resort is standard error, so that the line is not lost silently.
 */
export function writeLog(logger: Logger, level: LogLevel, fields: LogFields, message: string): void {
  try {
    logger[level](fields, message);
  } catch {
    // Most likely what was thrown can't be serialised: where it happened still can.
    const { err, ...where } = fields;
    try {
      logger[level]({ ...where, reason: err === undefined ? undefined : "an error that can't be serialised" }, message);
    } catch (thrown) {
      writeLastResort(thrown, message);
    }
  }
}

/** Between two summaries of a {@link ClientFaults}. */
const SUMMARY_EVERY_MS = 1_000;

/**
 * What clients are to blame for: each is a line at `debug`, and all together are at most one line a second at `info`, so that a flood of
 * events is no flood of lines. The first after a while is told at once; how many there were since is in the next.
 */
export class ClientFaults {
  readonly #log: Logger;
  readonly #what: string;
  #since = 0;
  #lastMs = -Infinity;

  /** @param what what the summary says of them, behind their number */
  constructor(log: Logger, what: string) {
    this.#log = log;
    this.#what = what;
  }

  /** Takes a function that makes the line: most are never written. */
  write(line: () => { readonly fields: LogFields; readonly message: string }): void {
    this.#since++;
    const now = performance.now();
    const isDue = now - this.#lastMs >= SUMMARY_EVERY_MS;
    if (!isDue && !isEnabled(this.#log, "debug")) return;
    const { fields, message } = line();
    writeLog(this.#log, "debug", fields, message);
    if (!isDue) return;
    const times = this.#since;
    this.#since = 0;
    this.#lastMs = now;
    const summary = times === 1 ? message : `${times} ${this.#what}; the last: ${message}`;
    writeLog(this.#log, "info", { ...fields, times }, summary);
  }
}

/** Whether lines of a level are written, as far as the logger can tell: pino does. */
export function isEnabled(log: Logger, level: LogLevel): boolean {
  const { isLevelEnabled } = log as { isLevelEnabled?: unknown };
  return typeof isLevelEnabled !== "function" || isLevelEnabled.call(log, level) === true;
}

function writeLastResort(thrown: unknown, message: string): void {
  try {
    process.stderr.write(`socket-ingress: the logger failed (${String(thrown)}) on: ${message}\n`);
  } catch {
    // Neither the logger nor standard error can be written to: nobody is left to tell.
  }
}

/** An event name as a log line can bear it: a client may send half a megabyte. */
export function shortName(event: unknown): string {
  const name = typeof event === "string" ? event : typeof event;
  return name.length > 120 ? `${name.slice(0, 120)}…` : name;
}
