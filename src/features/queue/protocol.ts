/**
 * What the queue and those who follow its jobs say to each other. Constants and types only: this file is shared with browsers.
 */

/** Server to client: `(update: JobUpdate)`. What has become of a job, to the session that asked for it. */
export const JOB = "queue:job";

/**
 * Client to server, acknowledged: `(id: string, queue?: string)`. Answers with the {@link JobUpdate} that holds now; `NOT_FOUND` for a
 * job that is not known any more, never was, or is somebody else's.
 */
export const JOB_STATUS = "queue:status";

/** Client to server, acknowledged: `(id: string, queue?: string)`. Answers with a {@link Cancelled}; fails as `JOB_STATUS` does. */
export const CANCEL_JOB = "queue:cancel";

/** Server to client, without anything, if it has asked about a job: the connection is another user's from now on, who may know of other jobs. */
export const JOBS_ANEW = "queue:anew";

/** How many versions of a job there are between one start of it and the next. */
export const VERSIONS_OF_A_START = 4_000_000;

/**
 * Where a job is: it waits for its turn (for the first time, for its delay, or to be tried again), it runs, it runs and has been told to
 * stop, it is done, it failed as often as it may, or it was taken back.
 */
export type JobState = "queued" | "running" | "cancelling" | "completed" | "failed" | "cancelled";

/** Why a job failed, as far as whoever asked for it may know: what an `EventError` said, else `INTERNAL`. */
export interface JobFailure {
  /** What programs look at. */
  code: string;
  /** For a person. */
  message: string;
  /** What a program needs to react. */
  details?: unknown;
}

/**
 * The payload of `JOB`, and the answer to `JOB_STATUS`.
 *
 * @typeParam Progress - what its handler tells on the way
 * @typeParam Result - what comes of it
 */
export interface JobUpdate<Progress = unknown, Result = unknown> {
  /** Which job. */
  id: string;
  /** The queue it is in. */
  queue: string;
  /** Where it is. */
  state: JobState;
  /** Grows with everything that becomes of the job: what has a smaller one is older, in whatever order it arrives. */
  version: number;
  /** What its handler told last. */
  progress?: Progress;
  /** What came of it, once it is completed. */
  result?: Result;
  /** Why it failed. Not `error`: an answer with that is a failure of the asking itself. */
  failure?: JobFailure;
}

/**
 * What became of the wish to cancel a job: it had not begun and is gone, it runs and its signal has aborted, or there is nothing to cancel:
 * it is over, or not known.
 */
export type Cancelled = "removed" | "aborted" | "unknown";
