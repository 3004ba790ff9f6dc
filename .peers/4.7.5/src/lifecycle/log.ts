import type { Logger } from "./logger.js";
import { ownRequire } from "./own-require.js";

/** The logger that is used when none is given: pino, to standard output. It is loaded now: most bring a logger of their own. */
export function defaultLogger(): Logger {
  return loadPino().pino({ name: "socket-ingress" });
}

function loadPino(): typeof import("pino") {
  // Spelt out where there is a `require`: that is what bundlers look for.
  return (typeof require === "function" ? require("pino") : ownRequire("pino")) as typeof import("pino");
}

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
