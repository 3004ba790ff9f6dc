import type { DeadJob, JobOrigin } from "./job.js";
import type { JobFailure, JobState } from "./protocol.js";

/** A job that is to be taken in. */
export interface NewJob {
  /** What it is called: the same again, while the first is known and was not cancelled, changes nothing. */
  readonly id: string;
  /** Whether the application chose the id, so that it may have been used before. */
  readonly isNamed: boolean;
  /** What is to be worked on; the backend copies it. */
  readonly data: unknown;
  /** Whose doing it is. */
  readonly origin: JobOrigin | undefined;
  /** After how many milliseconds it may run. */
  readonly delayMs: number;
  /** Lower runs first: a whole number from 0. */
  readonly priority: number;
}

/** The jobs are in. */
export interface AddedAll {
  /** All of them. */
  readonly added: true;
}

/** There is no room, and none of the jobs is in. */
export interface AddedNone {
  /** None of them. */
  readonly added: false;
  /** How many jobs wait. */
  readonly size: number;
}

/** What became of the wish to add jobs. */
export type Added = AddedAll | AddedNone;

/** The progress of a job, and how many were told before it in this start. */
export interface StoredProgress {
  /** The number of this one, from 1. */
  readonly n: number;
  /** What was told. */
  readonly value: unknown;
}

/** Why a job failed: for the operator, and for whoever asked for it. */
export interface StoredError {
  /** Name and message of what was thrown. */
  readonly reason: string;
  /** What may be told to clients. */
  readonly failure: JobFailure;
}

/** What a backend knows of a job. */
export interface JobRecord {
  /** What it is called. */
  readonly id: string;
  /** Where it is. */
  readonly state: JobState;
  /** Whose doing it is. */
  readonly origin: JobOrigin | undefined;
  /** How often it was started, without starts that a shutdown cut. */
  readonly starts: number;
  /** How often it was taken: only grows. */
  readonly takes: number;
  /** What its handler told last. */
  readonly progress: StoredProgress | undefined;
  /** What came of it. */
  readonly result: unknown;
  /** Why it failed the last time. */
  readonly error: StoredError | undefined;
}

/** A job that is to be worked on by whoever took it, and by nobody else meanwhile. */
export interface TakenJob {
  /** What it is called. */
  readonly id: string;
  /** What is to be worked on. */
  readonly data: unknown;
  /** Whose doing it is. */
  readonly origin: JobOrigin | undefined;
  /** How often it was started before. */
  readonly starts: number;
  /** How often it was taken, this time included. */
  readonly takes: number;
}

/** A job that was taken is done. */
export interface JobCompleted {
  /** Which. */
  readonly job: TakenJob;
  /** How it ended. */
  readonly end: "completed";
  /** What came of it, as JSON carries it. */
  readonly result: unknown;
}

/** A job that was taken failed, and is to be tried again. */
export interface JobToRetry {
  /** Which. */
  readonly job: TakenJob;
  /** How it ended. */
  readonly end: "retry";
  /** Why it failed. */
  readonly error: StoredError;
  /** After how many milliseconds it may run again. */
  readonly afterMs: number;
}

/** A job that was taken failed for the last time. */
export interface JobDead {
  /** Which. */
  readonly job: TakenJob;
  /** How it ended. */
  readonly end: "dead";
  /** Why it failed. */
  readonly error: StoredError;
}

/** A job that was taken was cancelled, or is given back as it was taken: that start does not count. */
export interface JobGivenUp {
  /** Which. */
  readonly job: TakenJob;
  /** How it ended. */
  readonly end: "cancelled" | "release";
}

/** What becomes of a job that was taken. */
export type JobOutcome = JobCompleted | JobToRetry | JobDead | JobGivenUp;

/** How full a queue is. */
export interface QueueDepths {
  /** How many jobs wait: for their turn, for their delay, or to be tried again. */
  readonly pending: number;
  /** How many of these wait for their time. */
  readonly delayed: number;
  /** How many run, in all processes. */
  readonly running: number;
  /** How many are dead, as far as they are kept. */
  readonly dead: number;
  /** For how long the job that is next has been waiting, in milliseconds; 0 if there is none that could run. */
  readonly oldestMs: number;
}

/** What a consumer is told beside the jobs it takes. */
export interface ConsumerEvents {
  /** Somebody wants this job to be cancelled; told more than once, perhaps. */
  onCancelled(id: string): void;
  /** Another process has taken over this job, or may at any moment. */
  onLost(id: string): void;
  /** Something could not be stored. */
  onError(error: unknown, message: string): void;
}

/** How one process works on a queue. Several may take at once. */
export interface QueueConsumer {
  /** The jobs that are next, at most `max`; none if there is none now. In order of priority, then of arrival. */
  take(max: number): Promise<readonly TakenJob[]>;
  /** Resolves when there may be something to take, after some seconds, and when the signal aborts. */
  wait(signal: AbortSignal): Promise<void>;
  /** These jobs, which were started before, are started again: their starts are counted before this resolves. */
  begin(jobs: readonly TakenJob[]): Promise<void>;
  /** Keeps the progress of a job. */
  progress(job: TakenJob, progress: StoredProgress): Promise<void>;
  /**
   * What became of jobs. It does not reject: what can't be stored is told to `onError`, and the job comes again.
   *
   * @param next - how many jobs to take at the same time, where that costs nothing more
   */
  settle(outcomes: readonly JobOutcome[], next: number): Promise<readonly TakenJob[]>;
  /** Takes nothing any more. What was taken and not settled is given up: others take it over. */
  close(): Promise<void>;
}

/**
 * Where jobs are kept. What is written here holds for every implementation; `contract(backend)` of `socket-ingress/testing` says it as cases.
 * A method may reject where its store can't be reached.
 */
export interface QueueBackend {
  /** Takes in all of the jobs or none: none if more than `max` would be pending then. */
  add(queue: string, jobs: readonly NewJob[], max: number): Promise<Added>;
  /** Begins to work on a queue. */
  consume(queue: string, events: ConsumerEvents): QueueConsumer;
  /** What is known of a job; `undefined` if nothing is. */
  find(queue: string, id: string): Promise<JobRecord | undefined>;
  /** Removes a job that waits; has whoever runs it told if it runs; `unknown` if there is nothing to cancel. */
  cancel(queue: string, id: string): Promise<"removed" | "running" | "unknown">;
  /** How full a queue is. */
  depths(queue: string): Promise<QueueDepths>;
  /** The dead jobs, the newest first. */
  dead(queue: string, limit: number): Promise<readonly DeadJob[]>;
  /** Has dead jobs wait again, as if they had never been started: these, or all. Resolves to how many. */
  retryDead(queue: string, ids: readonly string[] | undefined): Promise<number>;
  /** Closes what it opened; it opens again when it is used again. Resolves to how many jobs are lost with it. */
  close(): Promise<number>;
}

/** How long backends keep what is over. */
export interface RetentionOptions {
  /** For how long a job that is over is known, in milliseconds: its result, and that its id was used. @default 3_600_000 */
  keepMs?: number;
  /** How many completed jobs are known of a queue at most; above it the oldest go. @default 1_000 */
  keepCount?: number;
  /** How many dead jobs are kept of a queue; above it the oldest go. @default 10_000 */
  keepDead?: number;
}
