/** One level of a {@link Logger}: fields and a message, or a message alone. */
export interface LogLine {
  /** Writes one line that carries the fields of `fields`; an `Error` goes under `err`. */
  (fields: object, message?: string): void;
  /** Writes one line with a message alone. */
  (message: string): void;
}

/**
 * Where log lines go: the part of pino that this package uses. A pino logger fits as it is; anything else needs seven
 * members.
 *
 * @example
 * const line = (level: string): LogLine => (fields: object | string, message?: string) => console.log(level, fields, message);
 * const plain: Logger = {
 *   trace: () => {}, debug: () => {}, info: line("info"), warn: line("warn"), error: line("error"), fatal: line("fatal"),
 *   child: () => plain,
 * };
 */
export interface Logger {
  /** Every step, for whoever debugs the package itself. */
  readonly trace: LogLine;
  /** What is normal and mostly too much to read. */
  readonly debug: LogLine;
  /** What an operator expects to see. */
  readonly info: LogLine;
  /** What went on, but not as intended. */
  readonly warn: LogLine;
  /** What failed: an event, a subscriber, a service. */
  readonly error: LogLine;
  /** What ends the process. */
  readonly fatal: LogLine;
  /** A logger whose every line also carries `bindings`. */
  child(bindings: Record<string, unknown>): Logger;
}
