/** Where something is written. */
export interface Place {
  /** The path of the file. */
  readonly file: string;
  /** Its line, from 1. */
  readonly line: number;
}

/** What the command line asks of the process in which it loads a server; nobody else has one, and then nothing is found out. */
export interface Observer {
  /** Told of each manager that is made. */
  made(manager: object): void;
  /** Where a function is written, if that can be known. */
  placeOf(fn: object): Place | undefined;
}

/** By a symbol of the process: the sources and the package that is installed may both be loaded. */
const key = Symbol.for("socket-ingress.observer");

const holder = globalThis as { [key]?: Observer | undefined };

/** Who observes this process. */
export function observer(): Observer | undefined {
  return holder[key];
}

/** Has somebody observe this process, or nobody. */
export function observe(by: Observer | undefined): void {
  holder[key] = by;
}

/** Where a function is written, while somebody observes the process. */
export function placeOf(fn: object | undefined): Place | undefined {
  return fn && observer()?.placeOf(fn);
}
