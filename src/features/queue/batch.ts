import { toFailure } from "../../wire/to-failure.js";
import { reasonOf, type Awaitable } from "../../wire/values.js";
import type { Options } from "../../events/option-table.js";
import type { Ended, JobRun } from "./job-run.js";
import type { JobOutcome, StoredError } from "./queue-backend.js";
import { LONGEST_DELAY_MS, type processOptions } from "./queue-options.js";

/** A handler, whatever it takes and returns. */
export type AnyJobHandler = (jobs: readonly JobRun[]) => Awaitable<unknown>;

/** The same, once it is seen to that it gives a list. */
export type ListingHandler = (jobs: readonly JobRun[]) => Promise<readonly unknown[]>;

/** Tells what jobs, or all of a batch, failed of. */
export type TellFailed = (error: unknown, runs: readonly JobRun[], message: string) => void;

/** What became of a run. */
export interface Ending {
  readonly run: JobRun;
  readonly outcome: JobOutcome;
}

/** How a batch ended. */
type Handled =
  | { readonly end: "returned"; readonly results: readonly unknown[] }
  | { readonly end: "threw"; readonly error: unknown }
  | { readonly end: "given up"; readonly why: Ended };

/** The longest pause before a job is tried again, where it doubles. */
const LONGEST_BACKOFF_MS = 3_600_000;

/** Jobs that are handled together, from when they begin until it is known what became of each. */
export class Batch {
  readonly #runs: readonly JobRun[];
  readonly #options: Options<typeof processOptions>;
  readonly #tellFailed: TellFailed;
  #giveUp: ((handled: Handled) => void) | undefined;

  constructor(runs: readonly JobRun[], options: Options<typeof processOptions>, tellFailed: TellFailed) {
    this.#runs = runs;
    this.#options = options;
    this.#tellFailed = tellFailed;
  }

  /** Has it handled, no longer than it may take. What a handler throws is an outcome; it never rejects. */
  async handle(handler: ListingHandler): Promise<readonly Ending[]> {
    const given = new Promise<Handled>((resolve) => (this.#giveUp = resolve));
    const { timeoutMs } = this.#options;
    const timer = timeoutMs === Infinity ? undefined : setTimeout(() => this.giveUp("timeout"), timeoutMs);
    const handled = (async (): Promise<Handled> => {
      try {
        return { end: "returned", results: await handler(this.#runs) };
      } catch (error) {
        return { end: "threw", error };
      }
    })();
    const outcome = await Promise.race([handled, given]);
    clearTimeout(timer);
    return this.#endings(outcome);
  }

  /** Its jobs are told, and its handler is not waited for any more. */
  giveUp(why: "timeout" | "shutdown"): void {
    for (const run of this.#runs) run.end(why);
    this.#giveUp?.({ end: "given up", why });
  }

  #endings(handled: Handled): readonly Ending[] {
    const results = handled.end === "returned" ? handled.results : [];
    // Who was cancelled may end the batch by that: the others did nothing wrong.
    const isByCancel =
      handled.end === "threw" && this.#runs.some(({ reason }) => reason !== undefined && reason === handled.error);
    const thrown = handled.end === "threw" && !isByCancel ? { error: handled.error } : undefined;
    const failed: (Ending & { readonly error: unknown })[] = [];
    const endings = this.#runs.flatMap((run, i): Ending[] => {
      if (run.isEnded("lost")) return [];
      const job = run.taken;
      if (run.isEnded("cancelled")) return [{ run, outcome: { job, end: "cancelled" } }];
      const timedOut = run.isEnded("timeout") ? { error: run.reason } : undefined;
      const failure = run.failed ?? (run.isEnded("shutdown") ? undefined : (thrown ?? timedOut));
      if (failure !== undefined) {
        failed.push({ run, outcome: this.#failure(run, failure.error), error: failure.error });
        return failed.slice(-1);
      }
      if (handled.end !== "returned") return [{ run, outcome: { job, end: "release" } }];
      return [{ run, outcome: { job, end: "completed", result: this.#result(run, results[i]) } }];
    });
    this.#report(failed);
    if (handled.end === "given up" && handled.why === "shutdown")
      this.#tellFailed(this.#runs[0]?.reason, this.#runs, "a batch did not end in time; its jobs come again");
    return endings;
  }

  /** One line for each way in which jobs of a batch ended, however many these are. */
  #report(failed: readonly (Ending & { readonly error: unknown })[]): void {
    for (const [end, message] of [
      ["retry", "jobs failed, and are tried again"],
      ["dead", "jobs failed for the last time, and are dead"],
    ] as const) {
      const some = failed.filter(({ outcome }) => outcome.end === end);
      const runs = some.map(({ run }) => run);
      if (some[0]) this.#tellFailed(some[0].error, runs, message);
    }
  }

  #failure(run: JobRun, thrown: unknown): JobOutcome {
    const error = storedError(thrown);
    const job = run.taken;
    if (run.attempt >= this.#options.attempts) return { job, end: "dead", error };
    return { job, end: "retry", error, afterMs: this.#backoff(run, thrown) };
  }

  #backoff(run: JobRun, thrown: unknown): number {
    const { backoffMs } = this.#options;
    if (typeof backoffMs === "number") return Math.min(LONGEST_BACKOFF_MS, backoffMs * 2 ** (run.attempt - 1));
    try {
      const ms = backoffMs(run.attempt, thrown);
      if (ms >= 0 && ms < Infinity) return Math.min(LONGEST_DELAY_MS, ms);
      throw new TypeError(`backoffMs must return milliseconds from 0, got ${String(ms)}`);
    } catch (error) {
      this.#tellFailed(error, [run], "backoffMs failed; the job is tried again in a second");
      return 1_000;
    }
  }

  /** The work is done, whatever can be kept of it. */
  #result(run: JobRun, result: unknown): unknown {
    try {
      return copied(result);
    } catch (error) {
      this.#tellFailed(error, [run], "the result of a job can't be kept; the job is completed without one");
      return undefined;
    }
  }
}

/** What is kept of an error: its name and message for the operator, and what clients may know of it. */
export function storedError(thrown: unknown): StoredError {
  return { reason: reasonOf(thrown), failure: toFailure(thrown).error };
}

/** A value as JSON carries it, so that it is the same wherever it is kept. @throws TypeError if JSON can't */
export function copied(value: unknown): unknown {
  const text: string | undefined = JSON.stringify(value);
  return text === undefined ? undefined : (JSON.parse(text) as unknown);
}
