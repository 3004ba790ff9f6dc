import type { Awaitable } from "../../wire/values.js";
import type { JobFailure, JobState } from "./protocol.js";

/** Whose doing a job is: whom its progress and its result are pushed to, and who may ask about it. */
export interface JobOrigin {
  /** The user, if somebody was logged in. */
  readonly user?: string;
  /** The browser session. */
  readonly session?: string;
  /** The socket, where neither is known. */
  readonly socket?: string;
}

/**
 * One job, as a handler is given it.
 *
 * @typeParam Data - what was enqueued
 */
export interface Job<Data = unknown> {
  /** What it is called in its queue. */
  readonly id: string;
  /** The queue it is in. */
  readonly queue: string;
  /** What was enqueued: a copy. */
  readonly data: Data;
  /** Which start of it this is, from 1. */
  readonly attempt: number;
  /** Whose doing it is, if that was said. */
  readonly origin: JobOrigin | undefined;
  /**
   * Aborts when there is no use in going on, with an `EventError` as its reason: `CANCELLED` when it was cancelled, `TIMEOUT` after the
   * handler's `timeoutMs`, `SHUTTING_DOWN` at the end of a shutdown's grace, `CONFLICT` when another process has taken it over. Made when
   * first read. A listener on it that throws is Node's to report: it ends the process.
   */
  readonly signal: AbortSignal;
  /**
   * Tell how far it is: kept with the job, and pushed to whoever asked for it. It never rejects: what can't be kept or sent is logged. Once
   * its batch has ended it does nothing.
   *
   * @param value - anything that JSON can carry
   */
  progress(value: unknown): Promise<void>;
  /** Say that this job failed: it is tried again, or dead, as if it had been alone. The others of its batch are not concerned. */
  fail(error: unknown): void;
}

/**
 * What works on the jobs of a queue, a batch at a time. It may return what came of them, as a list in the order of the jobs. A throw fails
 * those of the batch that have not failed by themselves.
 *
 * A job is done **at least once**: it runs again if its process dies before its batch has ended, or if it is given up while it runs. So
 * what it does must bear being done twice, e.g. by a key that its store knows.
 *
 * @typeParam Data - what was enqueued
 * @typeParam Result - what comes of each
 */
export type JobHandler<Data = unknown, Result = unknown> = (
  jobs: readonly Job<Data>[],
) => Awaitable<readonly (Result | undefined)[] | void>;

/** A job that failed as often as it may, or ended its process each time. */
export interface DeadJob {
  /** What it is called in its queue. */
  readonly id: string;
  /** The queue it is in. */
  readonly queue: string;
  /** What was enqueued. */
  readonly data: unknown;
  /** How often it was started. */
  readonly attempts: number;
  /** Why it failed the last time, for the operator: name and message of what was thrown. */
  readonly reason: string;
  /** Whose doing it is, if that was said. */
  readonly origin: JobOrigin | undefined;
}

/** What is known of a job. */
export interface JobStatus {
  /** What it is called in its queue. */
  readonly id: string;
  /** The queue it is in. */
  readonly queue: string;
  /** Where it is. */
  readonly state: JobState;
  /** How often it was started. */
  readonly attempts: number;
  /** What its handler told last. */
  readonly progress?: unknown;
  /** What came of it, once it is completed. */
  readonly result?: unknown;
  /** Why it failed, as far as whoever asked for it may know. */
  readonly failure?: JobFailure;
}
