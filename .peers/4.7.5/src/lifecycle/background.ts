import { describeValue, longestTimerMs } from "../wire/values.js";
import type { Cleanups } from "./cleanups.js";

/** Work that runs beside everything else. Its signal aborts when it is to end. */
export type BackgroundTask = (signal: AbortSignal) => unknown;

/** What kind of work something is: repeated, once after a while, or for as long as it takes. */
export type BackgroundKind = "interval" | "timeout" | "task";

/** One piece of background work, as a failure report names it. */
export interface BackgroundJob {
  /** How it was started. */
  readonly kind: BackgroundKind;
  /** The name of its function, which may be empty. */
  readonly task: string;
}

/** What is needed to run one piece of work and to end it. */
class Job implements BackgroundJob {
  readonly kind: BackgroundKind;
  readonly task: string;
  /** Clears the timer behind it. */
  clear: (() => void) | undefined;
  /** Forgets the cleanup that would end it. */
  forget: (() => void) | undefined;
  running: Promise<void> | undefined;
  over = false;
  readonly #controller = new AbortController();

  constructor(kind: BackgroundKind, fn: BackgroundTask) {
    this.kind = kind;
    this.task = fn.name;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Nothing of it begins any more; what runs is told. */
  cancel(reason: unknown): void {
    this.over = true;
    this.clear?.();
    this.#controller.abort(reason);
    if (this.running === undefined) this.forget?.();
  }
}

/**
 * The background work of one life of a service: it begins with the service, is told to end when the service stops, and is waited for.
 * What it throws is reported and ends neither the process nor the other work.
 */
export class Background {
  readonly #cleanups: Cleanups;
  readonly #report: (error: unknown, job: BackgroundJob) => void;
  readonly #controller = new AbortController();
  readonly #jobs = new Set<Job>();
  readonly #failing = new Map<Job, unknown>();
  /** The last that failed of what runs but once, and so can't do better. */
  #died: { readonly error: unknown } | undefined;
  #failures = 0;

  /** Every piece of work hands its end to `cleanups`, and its failures to `report`. */
  constructor(cleanups: Cleanups, report: (error: unknown, job: BackgroundJob) => void) {
    this.#cleanups = cleanups;
    this.#report = report;
  }

  /** Aborts when this life ends. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** How often work of this life has failed. */
  get failures(): number {
    return this.#failures;
  }

  /** What the work threw that is not well by now: an interval until it succeeds again, anything else for good. */
  get failing(): { readonly error: unknown } | undefined {
    for (const error of this.#failing.values()) return { error };
    return this.#died;
  }

  /** Tell everything that this life ends. Nothing begins after it. */
  abort(reason: unknown): void {
    this.#controller.abort(reason);
    for (const job of this.#jobs) job.cancel(reason);
  }

  /** Run `fn` every `ms` milliseconds; a turn that comes while the last run still goes on is left out. */
  interval(fn: BackgroundTask, ms: number): () => void {
    assertTask("interval", fn);
    assertDelay("interval", ms, 1);
    return this.#begin("interval", fn, (job) => {
      const timer = setInterval(() => this.#run(job, fn), ms);
      return () => clearInterval(timer);
    });
  }

  /** Run `fn` once, in `ms` milliseconds. */
  timeout(fn: BackgroundTask, ms: number): () => void {
    assertTask("timeout", fn);
    assertDelay("timeout", ms, 0);
    return this.#begin("timeout", fn, (job) => {
      const timer = setTimeout(() => this.#run(job, fn), ms);
      return () => clearTimeout(timer);
    });
  }

  /** Run `fn` now. */
  spawn(fn: BackgroundTask): () => void {
    assertTask("spawn", fn);
    return this.#begin("task", fn, (job) => {
      this.#run(job, fn);
      return undefined;
    });
  }

  #begin(kind: BackgroundKind, fn: BackgroundTask, schedule: (job: Job) => (() => void) | undefined): () => void {
    const job = new Job(kind, fn);
    if (this.signal.aborted) return () => {};
    this.#jobs.add(job);
    const undo = this.#cleanups.add(async () => {
      job.cancel(this.signal.reason);
      await job.running;
    });
    job.forget = () => {
      undo();
      this.#jobs.delete(job);
    };
    job.clear = schedule(job);
    return () => {
      job.cancel(new DOMException(`this ${kind} was cancelled`, "AbortError"));
      this.#failing.delete(job);
    };
  }

  #run(job: Job, fn: BackgroundTask): void {
    if (job.running !== undefined || job.over) return;
    // Set before the work begins, so that work which cancels itself at once is still waited for.
    let ended = (): void => {};
    job.running = new Promise<void>((resolve) => (ended = resolve));
    void this.#execute(job, fn).then(ended);
  }

  async #execute(job: Job, fn: BackgroundTask): Promise<void> {
    try {
      await fn(job.signal);
      this.#failing.delete(job);
    } catch (error) {
      this.#fail(job, error);
    }
    job.running = undefined;
    if (job.kind !== "interval") job.over = true;
    if (job.over) job.forget?.();
  }

  #fail(job: Job, error: unknown): void {
    // Work that was told to end, and ends by throwing what it was told, did as it was asked.
    if (job.signal.aborted && (error === job.signal.reason || isAbortError(error))) return;
    this.#failures += 1;
    if (job.kind === "interval") this.#failing.set(job, error);
    else this.#died = { error };
    this.#report(error, job);
  }
}

/** Total: what was thrown may refuse to be read. */
function isAbortError(error: unknown): boolean {
  try {
    return error instanceof Error && error.name === "AbortError";
  } catch {
    return false;
  }
}

function assertTask(method: string, fn: unknown): void {
  if (typeof fn !== "function") throw new TypeError(`${method} expects a function, got ${describeValue(fn)}`);
}

function assertDelay(method: string, ms: unknown, least: number): void {
  if (typeof ms === "number" && ms >= least && ms <= longestTimerMs) return;
  throw new TypeError(
    `${method} expects milliseconds from ${least} to ${longestTimerMs} (24.8 days), got ${describeValue(ms)}`,
  );
}
