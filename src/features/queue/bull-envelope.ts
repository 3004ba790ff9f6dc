import type { BullJob } from "./bull-mq.js";
import type { JobOrigin } from "./job.js";
import type { NewJob, StoredError, StoredProgress, TakenJob } from "./queue-backend.js";

/** What is stored as the data of a BullMQ job. Short names: each is sent with every job. */
interface Envelope {
  /** The data. */
  readonly d?: unknown;
  /** Whose doing it is. */
  readonly o?: JobOrigin;
  /** How many starts there were, once it is neither none nor the one that BullMQ counted. */
  readonly s?: number;
  /** The order in which its process enqueued it. */
  readonly n?: number;
}

/** A job that was taken from BullMQ, with what its next starts are written down beside. */
export interface TakenBullJob extends TakenJob {
  /** What BullMQ calls it. */
  readonly bullId: string;
  readonly envelope: Envelope;
  readonly order: readonly [priority: number, timestamp: number, n: number];
}

let enqueued = 0;

/** The name of a queue as BullMQ and its stores take it: without a colon, NUL, or half a pair of surrogates. */
export function bullName(name: string): string {
  return name.replace(/[%:\0\p{Surrogate}]/gu, (char) => {
    const code = char.charCodeAt(0).toString(16).toUpperCase();
    return `%${code.padStart(2, "0")}`;
  });
}

/** The id of a job as BullMQ takes it: without a colon, and never a number, as those are BullMQ's own. */
export function bullId(id: string): string {
  return `j-${bullName(id)}`;
}

/** The id that {@link bullId} was given. */
export function ownId(id: string): string {
  return id
    .replace(/^j-/, "")
    .replace(/%(25|3A|00|D[89A-F][0-9A-F]{2})/g, (_, code: string) => String.fromCharCode(parseInt(code, 16)));
}

/** A job on its way to BullMQ. */
export interface BullEntry {
  readonly job: object;
  readonly jobId: string;
}

/** A new job as BullMQ stores it. @throws TypeError for data that JSON can't carry */
export function bullJob({ id, data, origin, delayMs, priority }: NewJob): BullEntry {
  return entry(
    "job",
    bullId(id),
    { d: data, ...(origin && { o: origin }), n: enqueued++ },
    Math.ceil(delayMs),
    priority,
  );
}

/** What says that a job was cancelled, and whose it was: a job of a queue that nobody works on. */
export function markOf(id: string, job: BullJob): BullEntry {
  const { o } = envelopeOf(job);
  return entry("cancelled", id, { ...(o && { o }), n: 0 }, 0, 0);
}

function entry(name: string, jobId: string, envelope: Envelope, delay: number, priority: number): BullEntry {
  const job = {
    id: jobId,
    name,
    data: JSON.stringify(packed(envelope)),
    opts: { jobId, attempts: 1, priority, delay },
    timestamp: Date.now(),
    delay,
    priority,
    progress: 0,
    attemptsMade: 0,
    attemptsStarted: 0,
    stalledCounter: 0,
  };
  return { jobId, job };
}

/** A job that BullMQ has given out under this id. */
export function taken(id: string, job: BullJob): TakenBullJob {
  const envelope = envelopeOf(job);
  const { d: data, o: origin, n = 0 } = envelope;
  const order = [job.priority ?? 0, job.timestamp, n] as const;
  return {
    id: ownId(id),
    bullId: id,
    data,
    origin,
    // The start that this is, BullMQ has counted already.
    starts: startsOf(envelope, job.attemptsStarted - 1),
    takes: job.attemptsStarted,
    envelope,
    order,
  };
}

/** The data of a job with another number of starts. */
export function withStarts({ envelope }: TakenBullJob, starts: number): object {
  return packed({ n: 0, ...envelope, s: starts });
}

/** The data of a stored job, as if it had never been started. */
export function unstarted(job: BullJob): object {
  return packed({ n: 0, ...envelopeOf(job), s: 0 });
}

/** What the JSON of PostgreSQL can't hold: NUL, and half a pair of surrogates. */
const UNSAFE = /\\u(?:0000|d[89a-f][0-9a-f]{2})/;

/** An object as any store can hold it: one with such text is text as a whole, in which that is spelt. @throws TypeError if JSON can't */
export function packed(value: object): object {
  const text = JSON.stringify(value);
  return UNSAFE.test(text) ? { n: 0, j: text } : value;
}

function unpacked(stored: object): object {
  return "j" in stored && typeof stored.j === "string" ? (JSON.parse(stored.j) as object) : stored;
}

/** Data, origin and starts of a stored job. */
export function contentOf(job: BullJob): { data: unknown; origin: JobOrigin | undefined; starts: number } {
  const envelope = envelopeOf(job);
  return { data: envelope.d, origin: envelope.o, starts: startsOf(envelope, job.attemptsStarted) };
}

/** What was kept as the progress of a job; BullMQ has 0 for none. */
export function progressOf({ progress }: BullJob): StoredProgress | undefined {
  if (typeof progress !== "object" || progress === null) return undefined;
  return unpacked(progress) as StoredProgress; // as it was written
}

/** An error in the one string that BullMQ keeps of it. */
export function errorText(error: StoredError): string {
  return JSON.stringify(error);
}

/** What {@link errorText} was given; of what BullMQ says itself, its words. */
export function errorOf({ failedReason }: BullJob): StoredError | undefined {
  if (failedReason === undefined || failedReason === "") return undefined;
  try {
    const error = JSON.parse(failedReason) as Partial<StoredError> | null;
    if (typeof error?.reason === "string" && error.failure) return error as StoredError; // as it was written
  } catch {
    // BullMQ's own words.
  }
  return { reason: failedReason, failure: { code: "INTERNAL", message: "internal error" } };
}

/** What came of a job. */
export function resultOf({ returnvalue }: BullJob): unknown {
  const value = returnvalue === undefined ? null : (JSON.parse(returnvalue) as object | null);
  return value === null ? undefined : (unpacked(value) as { v?: unknown }).v; // as it was written
}

function envelopeOf({ data }: BullJob): Envelope {
  const stored: unknown = JSON.parse(data);
  // Somebody may have added it by BullMQ alone.
  const isOurs = typeof stored === "object" && stored !== null && "n" in stored;
  return isOurs ? unpacked(stored) : { d: stored };
}

function startsOf({ s }: Envelope, counted: number): number {
  return s ?? (counted > 0 ? 1 : 0);
}
