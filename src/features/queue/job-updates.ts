import { session, socket, user, type Audience, type Realtime } from "../realtime/index.js";
import type { JobOrigin } from "./job.js";
import { JOB, type JobState, type JobUpdate, VERSIONS_OF_A_START } from "./protocol.js";
import type { JobRecord } from "./queue-backend.js";

/** How far a state is within one start of a job: what comes later has a greater version. */
const ranks: Readonly<Record<JobState, number>> = {
  running: 0,
  cancelling: 1,
  queued: 2,
  completed: 3,
  failed: 3,
  cancelled: 3,
};

const VERSIONS_OF_A_STATE = VERSIONS_OF_A_START / 4;

/** The version of a job that was taken so often, is there now, and has told so much progress. */
export function versionOf(takes: number, state: JobState, told: number): number {
  // What is told more often has no order any more among what is told in this state.
  return takes * VERSIONS_OF_A_START + ranks[state] * VERSIONS_OF_A_STATE + Math.min(told, VERSIONS_OF_A_STATE - 1);
}

/** What a client is told of a job that is asked about. */
export function updateOf(queue: string, record: JobRecord): JobUpdate {
  const { id, state, takes, progress, result, error } = record;
  return {
    id,
    queue,
    state,
    version: versionOf(takes, state, progress?.n ?? 0),
    ...(progress !== undefined && { progress: progress.value }),
    ...(state === "completed" && result !== undefined && { result }),
    ...(state === "failed" && error !== undefined && { failure: error.failure }),
  };
}

/** Whom the updates of a job are for: the tabs of the session that asked, as long as it is the same user's; nobody if nobody is known. */
export function audienceOf({ user: userId, session: sessionId, socket: socketId }: JobOrigin): Audience | undefined {
  if (sessionId !== undefined) return userId === undefined ? session(sessionId) : session(sessionId).and(user(userId));
  if (userId !== undefined) return user(userId);
  return socketId === undefined ? undefined : socket(socketId);
}

/** Whether whoever asks may know of a job: the user who asked for it, or, where nobody was logged in, the session (decision 0075). */
export function mayAsk(origin: JobOrigin | undefined, asking: JobOrigin): boolean {
  if (origin === undefined) return false;
  for (const kind of ["user", "session", "socket"] as const)
    if (origin[kind] !== undefined) return origin[kind] === asking[kind];
  return false;
}

/** Tells whoever asked for a job what becomes of it, by a realtime door or an emitter. Nobody may be there: that is nobody's fault, and no line in the log. */
export function pushUpdate(realtime: object, origin: JobOrigin, update: JobUpdate): void {
  const audience = audienceOf(origin);
  if (audience === undefined) return;
  // The event is this door's own, and need not be among those of the application's type.
  void (realtime as Realtime).emitSocket(JOB, update, audience);
}
