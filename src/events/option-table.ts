import { asRecord, checkNames } from "../wire/option-names.js";
import { describeValue, longestTimerMs } from "../wire/values.js";

/** An option: what holds where nobody gives it, what fits, and how a message says so. */
export interface Option<T> {
  readonly fallback: T;
  /** What is expected, as it follows "must be". */
  readonly expects: string;
  readonly fits: (value: unknown) => boolean;
}

/** Options by their names. A table is the one place that declares them. */
export type OptionTable = Readonly<Record<string, Option<unknown>>>;

/** What is read by a table. */
export type Options<Table extends OptionTable> = {
  readonly [Name in keyof Table]: Table[Name] extends Option<infer T> ? T : never;
};

/**
 * Reads options by their table: those that are not given are what `fallbacks` says, else what the table does.
 *
 * @throws TypeError naming the subject, the option, what was expected and what was given
 */
export function readOptions<Table extends OptionTable>(
  subject: string,
  table: Table,
  options: unknown,
  fallbacks: Partial<Options<Table>> = {},
): Options<Table> {
  const given = asRecord(subject, options);
  checkNames(subject, given, Object.keys(table));
  const read: Record<string, unknown> = {};
  for (const [name, option] of Object.entries(table)) {
    const standard = (fallbacks as Record<string, unknown>)[name] ?? option.fallback;
    read[name] = readOption(subject, name, option, given[name], standard);
  }
  return read as Options<Table>; // each was checked by its own line of the table
}

/** Those of `options` that a table declares. */
export function among<Table extends OptionTable>(table: Table, options: Options<Table>): Options<Table> {
  return Object.fromEntries(Object.keys(table).map((name) => [name, options[name]])) as Options<Table>; // their names
}

/** What is given, apart: the options that a table declares, and the others. */
export function split<Given extends object, Table extends OptionTable>(
  table: Table,
  given: Given,
): [Pick<Given, keyof Table & keyof Given>, Omit<Given, keyof Table>] {
  const entries = Object.entries(given);
  const declared = entries.filter(([name]) => Object.hasOwn(table, name));
  const others = entries.filter(([name]) => !Object.hasOwn(table, name));
  return [Object.fromEntries(declared), Object.fromEntries(others)] as never; // as their names say
}

/** Reads one option: `standard` if nothing is given. */
export function readOption<T>(
  subject: string,
  name: string,
  option: Option<T>,
  value: unknown,
  standard: T = option.fallback,
): T {
  if (value === undefined) return standard;
  if (option.fits(value)) return value as T;
  throw expected(subject, name, option.expects, value);
}

/** An option of whatever `fits` lets through. */
export function option<T>(fallback: T, expects: string, fits: (value: unknown) => boolean): Option<T> {
  return { fallback, expects, fits };
}

/** A number of milliseconds from 1 to what a timer can wait for, or `Infinity` for no limit. */
export function duration(fallback: number): Option<number> {
  return option(
    fallback,
    `milliseconds from 1 to ${longestTimerMs}, or Infinity for no limit`,
    (value) => value === Infinity || isPeriod(value),
  );
}

/** The same where there is always a limit, as of what is done again and again. */
export function period(fallback: number): Option<number> {
  return option(fallback, `milliseconds from 1 to ${longestTimerMs}`, isPeriod);
}

/** A whole number from `least`, or `Infinity` for no limit. */
export function count(fallback: number, least: number): Option<number> {
  return option(
    fallback,
    `a whole number from ${least}, or Infinity for no limit`,
    (value) => value === Infinity || (Number.isInteger(value) && (value as number) >= least),
  );
}

/** A number from `least`, `Infinity` included. */
export function atLeast(fallback: number, least: number): Option<number> {
  return option(fallback, `a number from ${least} up`, (value) => typeof value === "number" && value >= least);
}

function isPeriod(value: unknown): boolean {
  return typeof value === "number" && value >= 1 && value <= longestTimerMs;
}

/** True or false. */
export function flag(fallback: boolean): Option<boolean> {
  return option(fallback, "true or false", (value) => typeof value === "boolean");
}

/** One of some words; the first if nothing is said. */
export function oneOf<Word extends string>(first: Word, ...others: Word[]): Option<Word> {
  const words: readonly unknown[] = [first, ...others];
  const expects = words.map((word) => JSON.stringify(word)).join(" or ");
  return option(first, expects, (value) => words.includes(value));
}

/** The error of an option that does not fit. */
export function expected(subject: string, name: string, what: string, given: unknown): TypeError {
  return new TypeError(`${subject}: ${name} must be ${what}, got ${describeValue(given)}`);
}
