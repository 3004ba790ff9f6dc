import { secret } from "../faults.js";
import { errorCodes, isFailure } from "socket-ingress";

/** What a fuzz run found. */
export interface FuzzReport {
  readonly seed: number;
  readonly runs: number;
  /** How often each kind of outcome came: `value`, a code, `closed`. */
  readonly outcomes: Record<string, number>;
  /** What should never have happened, at most the first few of it. */
  readonly findings: readonly string[];
  readonly tookMs: number;
}

/** The codes that the fuzzed subscribers make up themselves. */
export const ownCode = "OUT_OF_STOCK";

/** Gathers outcomes and findings, and watches for what escapes to the process. */
export class Findings implements Disposable {
  readonly outcomes = new Map<string, number>();
  readonly #found = new Map<string, { times: number; detail: string }>();
  readonly #started = performance.now();
  readonly #onException = (error: unknown): void => this.add("an exception escaped", describe(error));
  readonly #onRejection = (error: unknown): void => this.add("a rejection escaped", describe(error));

  constructor() {
    process.on("uncaughtException", this.#onException);
    process.on("unhandledRejection", this.#onRejection);
  }

  /** Notes what should not have happened; of each kind the first is told in full, the others are counted. */
  add(kind: string, detail = ""): void {
    const known = this.#found.get(kind);
    if (known) known.times++;
    else if (this.#found.size < 20) this.#found.set(kind, { times: 1, detail });
  }

  count(kind: string): void {
    this.outcomes.set(kind, (this.outcomes.get(kind) ?? 0) + 1);
  }

  /** Files a reply: a value, or a failure with a code that exists and without anything that was thrown. */
  reply(reply: unknown, context: string): void {
    if (!isFailure(reply)) return this.count("value");
    const { code, message } = reply.error;
    if (code !== ownCode && !Object.hasOwn(errorCodes, code)) this.add(`unknown code ${code}`, context);
    if (message.includes(secret) || safeJson(reply.error.details).includes(secret))
      this.add("a leak", `${context}: ${message.slice(0, 100)}`);
    this.count(code);
  }

  report(seed: number, runs: number): FuzzReport {
    return {
      seed,
      runs,
      outcomes: Object.fromEntries([...this.outcomes].toSorted(([a], [b]) => (a < b ? -1 : 1))),
      findings: [...this.#found].map(
        ([kind, { times, detail }]) => `${kind} (${times} times): ${detail.slice(0, 1_500)}`,
      ),
      tookMs: Math.round(performance.now() - this.#started),
    };
  }

  [Symbol.dispose](): void {
    process.off("uncaughtException", this.#onException);
    process.off("unhandledRejection", this.#onRejection);
  }
}

function describe(error: unknown): string {
  try {
    return error instanceof Error ? (error.stack ?? error.message) : String(error);
  } catch {
    return "something that can't be described";
  }
}

function safeJson(value: unknown): string {
  try {
    return JSON.stringify(value) ?? "";
  } catch {
    return "";
  }
}
