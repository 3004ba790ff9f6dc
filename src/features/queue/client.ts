/**
 * The browser's part of the queue: follows one job, from when its id is known until it is over, across reconnects and nodes.
 *
 * @example
 * ```ts
 * import { io } from "socket.io-client";
 * import { createClient } from "socket-ingress/client";
 * import { trackJob } from "socket-ingress/queue/client";
 *
 * const client = createClient<{ export(format: string, reply: (id: string) => void): void }>(io());
 * const job = trackJob<number, string>(client, await client.call("export", "csv"));
 * job.subscribe(({ state, progress, result, error }) => console.log(state, progress, result ?? error?.message));
 * // React: useSyncExternalStore(job.subscribe, job.getSnapshot)
 * ```
 *
 * @module
 */

import type { Client } from "../../client/client.js";
import type { EventFailure } from "../../client/event-failure.js";
import { createOpened, type Opened, type OpenedStatus } from "../../client/opened.js";
import { createPauses } from "../../client/pauses.js";
import { passes } from "../../wire/codes.js";
import {
  CANCEL_JOB,
  type Cancelled,
  JOB,
  JOB_STATUS,
  JOBS_ANEW,
  type JobFailure,
  type JobState,
  type JobUpdate,
  VERSIONS_OF_A_START,
} from "./protocol.js";

export type { Cancelled, JobFailure, JobState, JobUpdate } from "./protocol.js";
export type { Opened, OpenedState, OpenedStatus } from "../../client/opened.js";

/**
 * What is known of a job.
 *
 * @typeParam Progress - what its handler tells on the way
 * @typeParam Result - what comes of it
 */
export interface JobSnapshot<Progress = unknown, Result = unknown> {
  /** Where it is; nothing while that is not known. */
  readonly state: JobState | undefined;
  /** What its handler told last. */
  readonly progress: Progress | undefined;
  /** What came of it, once it is completed. */
  readonly result: Result | undefined;
  /** Why it failed; or, while it is `stale` or `lost`, why nothing can be heard of it. */
  readonly error?: JobFailure;
  /**
   * How far that is to be relied on: `loading`, nothing is known yet; `live`, it is as it says; `stale`, there is no connection, and it may
   * be further; `lost`, nothing more will be heard: the server does not know it, or it is somebody else's, or the server ended or refused the
   * connection. It is asked again when there is another one.
   */
  readonly status: OpenedStatus;
}

/** A job that is followed. Its members need no `this`. */
export interface TrackedJob<Progress = unknown, Result = unknown> extends Opened<JobSnapshot<Progress, Result>> {
  /** What it is called. */
  readonly id: string;
  /**
   * Takes the job back.
   *
   * @throws EventFailure `NOT_FOUND` if it is not known, or somebody else's; and as any call
   */
  readonly cancel: () => Promise<Cancelled>;
}

/** How a job is followed. */
export interface TrackJobOptions {
  /** The queue it is in, where several queues of the server may have a job of this id. @default any */
  queue?: string;
}

/**
 * Follows a job of the session or user that this client is: asks how it is, hears what becomes of it, and asks again after each reconnect.
 * What is over stays as it is. Close it when nobody looks any more.
 *
 * @typeParam Progress - what its handler tells on the way
 * @typeParam Result - what comes of it
 */
export function trackJob<Progress = unknown, Result = unknown>(
  // Whatever the application's events are: those of a queue need not be among them.
  client: Client<any>,
  id: string,
  { queue }: TrackJobOptions = {},
): TrackedJob<Progress, Result> {
  let update: JobUpdate<Progress, Result> | undefined;
  let status: OpenedStatus = "loading";
  let error: JobFailure | undefined;
  const pauses = createPauses();
  /** Counts the connections, so that an answer of an earlier one says nothing of this one. */
  let turn = 0;

  const ask = (event: string): Promise<any> => client.call(event, id, queue);
  const isOver = (): boolean => ["completed", "failed", "cancelled"].includes(update?.state ?? "");
  const show = (now: OpenedStatus, why?: JobFailure): void => {
    status = now;
    error = why;
    changed();
  };
  const hear = (next: JobUpdate<Progress, Result>): void => {
    if (next?.id !== id || (queue ?? next.queue) !== next.queue) return;
    if (update && (next.version < update.version || next.queue !== update.queue)) return;
    // A start begins without progress, and only what is new is told.
    const isSameStart = update && startOf(update) === startOf(next);
    update = { ...(isSameStart && update?.progress !== undefined && { progress: update.progress }), ...next };
    if (status === "loading" || isOver()) show("live");
    else changed();
  };
  const load = async (): Promise<void> => {
    const mine = ++turn;
    pauses.end();
    try {
      const found = (await ask(JOB_STATUS)) as JobUpdate<Progress, Result>;
      if (mine !== turn) return;
      pauses.reset();
      hear(found);
      show("live");
    } catch (thrown) {
      if (mine !== turn || isOver()) return;
      const failure = thrown as EventFailure;
      if (failure.code === "DISCONNECTED") return;
      if (!passes(failure.code)) return show("lost", failure);
      show(update ? "stale" : "loading", failure);
      pauses.rest(() => void load(), failure.retryAfterMs);
    }
  };

  const { opened, changed } = createOpened<JobSnapshot<Progress, Result>>({
    logger: client.logger,
    name: `the job ${id}`,
    look() {
      const { state, progress, result } = update ?? {};
      const why = error ?? update?.failure;
      return { state, progress, result, ...(why && { error: why }), status };
    },
    onClose() {
      turn++;
      pauses.end();
      for (const off of offs) off();
    },
  });
  const offs = [
    client.on(JOB as never, hear as never),
    client.on(JOBS_ANEW as never, () => isOver() || void load()),
    client.onStatus(({ connected }) => {
      if (isOver()) return;
      if (connected) void load();
      else if (update && status !== "lost") show("stale");
    }),
    // Told behind the status.
    client.onEnded((failure) => isOver() || client.status.willRetry || show("lost", failure)),
  ];
  return { ...opened, id, cancel: () => ask(CANCEL_JOB) as Promise<Cancelled> };
}

/** Which start of its job an update is of. */
function startOf({ version }: JobUpdate): number {
  return Math.floor(version / VERSIONS_OF_A_START);
}
