import type { Logger, LogLine } from "./logger.js";
import { ownRequire } from "./own-require.js";
import { readableLine } from "./readable-line.js";

const levels = ["trace", "debug", "info", "warn", "error", "fatal"] as const;
type Level = (typeof levels)[number];

/** How lines are written: for people, or as pino does. `from` is the lowest level that is written at all. */
interface Manner {
  readonly from: Level;
  readonly readable: boolean;
}

/** Whether the test kit is in this process, for all copies of this package in it. */
const testing = Symbol.for("socket-ingress.testing");

/** From now on the default logger is silent unless something is wrong: the test kit is loaded. */
export function quietDefaultLogger(): void {
  (globalThis as { [testing]?: boolean })[testing] = true;
}

/**
 * The logger that is used when none is given. Its lines go to standard output: on a terminal such as a person can read, elsewhere as
 * pino writes them. Where tests run (the test kit is loaded, or a test runner says so in the environment) only warnings and errors are
 * written, for people. How is decided with the first line that is written, and pino is loaded then: most bring a logger of their own.
 */
export function defaultLogger(): Logger {
  let manner: Manner | undefined;
  let pino: Logger | undefined;
  return loggerOf({}, (level, bindings, fields, message) => {
    if (level === "trace" || level === "debug") return;
    manner ??= mannerOf();
    if (levels.indexOf(level) < levels.indexOf(manner.from)) return;
    if (manner.readable) process.stdout.write(readableLine(level, { ...bindings, ...fields }, message, colours()));
    else (pino ??= loadPino().pino({ name: "socket-ingress" }) as Logger)[level]({ ...bindings, ...fields }, message);
  });
}

function mannerOf(): Manner {
  if (isTesting()) return { from: "warn", readable: true };
  return { from: "info", readable: process.stdout.isTTY };
}

function isTesting(): boolean {
  if ((globalThis as { [testing]?: boolean })[testing] === true) return true;
  const { VITEST, JEST_WORKER_ID, NODE_TEST_CONTEXT } = process.env;
  return [VITEST, JEST_WORKER_ID, NODE_TEST_CONTEXT].some((value) => value !== undefined);
}

function colours(): boolean {
  return process.stdout.isTTY && !process.env["NO_COLOR"];
}

type Write = (level: Level, bindings: object, fields: object, message: string | undefined) => void;

function loggerOf(bindings: object, write: Write): Logger {
  const at =
    (level: Level): LogLine =>
    (fields: object | string, message?: string): void => {
      if (typeof fields === "string") write(level, bindings, {}, fields);
      else write(level, bindings, fields, message);
    };
  return {
    trace: at("trace"),
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    fatal: at("fatal"),
    child: (more) => loggerOf({ ...bindings, ...more }, write),
  };
}

function loadPino(): typeof import("pino") {
  // Spelt out where there is a `require`: that is what bundlers look for.
  return (typeof require === "function" ? require("pino") : ownRequire("pino")) as typeof import("pino");
}
