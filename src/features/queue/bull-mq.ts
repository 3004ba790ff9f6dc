/**
 * The part of `bullmq` that is used: what a queue and its workers there ask of their store themselves (its `IQueueBackend`, public from 6.7 on).
 * Nothing of it is imported, so its version and its connections stay the application's.
 */

/** A job as BullMQ stores it. */
export interface BullJob {
  /** JSON. */
  readonly data: string;
  /** Lower runs first. */
  readonly priority?: number | undefined;
  /** When it was added. */
  readonly timestamp: number;
  /** How long it was delayed. */
  readonly delay?: number | undefined;
  /** How often it was taken. */
  readonly attemptsStarted: number;
  /** What was told of it last; 0 if nothing. */
  readonly progress: unknown;
  /** Why it failed the last time. */
  readonly failedReason?: string | undefined;
  /** JSON. */
  readonly returnvalue?: string | undefined;
}

/** What BullMQ needs to know of a job that moves. */
export interface BullRef {
  /** What BullMQ calls it. */
  readonly id?: string | undefined;
  /** How it is tried again. */
  readonly opts: object;
}

/** How many that are over BullMQ keeps, and for how many seconds. */
export interface BullKeep {
  /** How many. */
  readonly count: number;
  /** For how many seconds. */
  readonly age?: number;
}

/** What a fetch answers with: a job and its id, or until when there is none. */
export type BullNext = readonly unknown[] | void | undefined;

/** What the end of a job is answered with. */
export interface BullCompleted {
  /** The next job, if it was asked for. */
  readonly result: BullNext;
}

/** Something may be there to take. */
export interface BullMarker {
  /** When, in milliseconds since 1970; 0 for now. */
  readonly score: number;
}

/** One queue in BullMQ's store. */
export interface BullStore {
  /** Resolves when it is connected; rejects for good if that failed. */
  waitUntilReady(): Promise<void>;
  /** Closes what it opened. */
  close(force?: boolean): Promise<void>;
  /** Connections that fail are told here, and come back by themselves. */
  on(event: "error", listener: (error: Error) => void): unknown;
  /** Another queue over the same connection. */
  forQueue(name: string, prefix?: string): BullStore;
  /** Adds jobs; those whose id is known are left as they are. */
  addJobs(entries: { job: object; jobId: string; parentKeyOpts?: object }[]): Promise<string[]>;
  /** Takes the next job, under a lock. */
  moveToActive(token: string): Promise<unknown[]>;
  /** A job is done; perhaps the next is taken. */
  moveToCompleted(
    job: BullRef,
    value: unknown,
    keep: BullKeep,
    token: string,
    fetchNext: boolean,
  ): Promise<BullCompleted>;
  /** A job is dead. */
  moveToFailed(
    job: BullRef,
    reason: string,
    keep: BullKeep | boolean,
    token: string,
    fetchNext: boolean,
    fields?: Record<string, unknown>,
  ): Promise<unknown>;
  /** A job that was taken waits for its time. */
  moveToDelayed(
    id: string,
    now: number,
    delayMs: number,
    token: string,
    options: { skipAttempt: boolean; fieldsToUpdate?: Record<string, unknown> },
  ): Promise<unknown>;
  /** A job that was taken is given back. */
  moveJobFromActiveToWait(id: string, token: string): Promise<number>;
  /** Jobs whose lock has ended wait again. */
  moveStalledJobsToWait(): Promise<string[]>;
  /** A dead job waits again. */
  retryFinishedJob(job: BullRef, state: "failed", options: object): Promise<void>;
  /** Renews locks. Resolves to the ids of those that are lost. */
  extendLocks(ids: string[], tokens: string[], durationMs: number): Promise<string[]>;
  /** Replaces the data of a job. */
  updateData(job: BullRef, data: unknown): Promise<void>;
  /** Keeps the progress of a job. */
  updateProgress(id: string, progress: object): Promise<void>;
  /** Removes a job; 0 if somebody has it. */
  remove(id: string, removeChildren: boolean): Promise<number>;
  /** Removes the old jobs of a state. */
  cleanJobsByState(state: string, before: number, limit?: number): Promise<string[]>;
  /** Where a job is. */
  getState(id: string): Promise<string>;
  /** A job, if it is known. */
  getJobData(id: string): Promise<BullJob | undefined>;
  /** How many jobs are in these states. */
  getCounts(types: string[]): Promise<number[]>;
  /** The ids of jobs in these states. */
  getRanges(types: string[], start: number, end: number, asc: boolean): Promise<unknown[]>;
  /** Waits until there may be a job. */
  waitForJob(seconds: number): Promise<BullMarker | null>;
  /** Ends the wait. */
  disconnectBlocking(wait?: boolean): Promise<void>;
  /** Mends the connection that waits. */
  reconnectBlocking(): Promise<void>;
}

/** How a store is opened. */
export interface BullStoreOptions {
  /** What it connects with. */
  readonly connection: unknown;
  /** What its keys begin with. */
  readonly prefix?: string;
  /** How long a lock lasts that nobody renews. */
  readonly lockDuration?: number;
  /** How often ended locks are looked for, by all workers together. */
  readonly stalledInterval?: number;
  /** How often a job may lose its worker. */
  readonly maxStalledCount?: number;
}

/** The module `bullmq`: `import * as bullmq from "bullmq"`, or an object with the one function of it that is needed. */
export interface BullMq {
  /** Opens a queue in Redis. */
  createRedisBackend?(name: string, options: BullStoreOptions, extra?: { withBlockingConnection?: boolean }): BullStore;
  /** Opens a queue in PostgreSQL. */
  createPostgresBackend?(
    name: string,
    options: BullStoreOptions,
    extra?: { withBlockingConnection?: boolean },
  ): BullStore;
}
