import type { Server } from "socket.io";
import type { EventContext } from "../../events/event-context.js";
import { atLeast, count, option, type Option, type Options, readOptions } from "../../events/option-table.js";
import type { AppServer } from "../../events/subscriber.js";
import { isObject } from "../../wire/values.js";
import type { Emitter, Realtime } from "../realtime/index.js";
import type { JobOrigin } from "./job.js";
import type { QueueBackend } from "./queue-backend.js";
import { type Backoff, batchSize } from "./queue-options.js";

// Declarations are made file by file (isolatedDeclarations), so that each line of a table says its type by an `as`.
// oxlint-disable typescript/no-unnecessary-type-assertion

/** How a `QueueService` works. Everything has a default. */
export interface QueueServiceOptions<App extends AppServer = Server> {
  /** What the service is called. @default "queue" */
  name?: string;
  /** Where jobs are kept. @default a `MemoryQueueBackend`, for one process */
  backend?: QueueBackend;
  /** How many jobs may wait in each queue: what would exceed it is refused with `OVERLOADED`. @default 10_000 */
  maxSize?: number;
  /** How many jobs a handler is given at once, unless it says otherwise. @default 50 */
  batchSize?: number;
  /**
   * What tells callers of their jobs, and says who they are: the realtime door, or in a process without a server an emitter. Set it up, or
   * register it with the same manager, before the service starts.
   *
   * @default nobody is told
   */
  realtime?: Realtime<App> | Emitter<App>;
  /** How many milliseconds batches get to end when the service is stopped by itself. A manager's shutdown has a grace of its own. @default 10_000 */
  graceMs?: number;
}

/** How a handler works on a queue. */
export interface ProcessOptions {
  /** How many jobs it is given at once, at most. @default what the service says, 50 */
  batchSize?: number;
  /** How many milliseconds a batch that is not full waits for more; as long as more comes, again. @default 10 */
  lingerMs?: number;
  /** How many batches run at once in this process. 1 keeps the order. @default 1 */
  concurrency?: number;
  /**
   * How often a job is started before it is dead, starts that ended their process included. The last of several is run in a batch of its
   * own, so that a job which throws for all does not take them along.
   *
   * @default 3
   */
  attempts?: number;
  /** How long a job that failed waits: milliseconds that double each time, up to an hour, or a function of the attempt. @default 1_000 */
  backoffMs?: Backoff;
  /** After how many milliseconds a batch has failed; its signals abort. @default Infinity */
  timeoutMs?: number;
}

/** How jobs are enqueued. */
export interface EnqueueOptions<App extends AppServer = Server> {
  /** Whose doing it is: the context of an event, or who it is. They are told of progress and result, and may ask. @default nobody's */
  from?: EventContext<App> | JobOrigin;
  /**
   * What the job is called in its queue: the same id again, while the first is known and was not cancelled, changes nothing. Of several jobs
   * the first has it, the others `.1`, `.2` and so on behind it.
   *
   * @default a random one
   */
  id?: string;
  /** After how many milliseconds it may run, up to a year. @default 0 */
  delayMs?: number;
  /** Lower runs first; equal ones in the order in which they came. @default 100 */
  priority?: number;
}

/** How what clients send is enqueued. */
export interface SubscriberOptions extends Pick<EnqueueOptions, "delayMs" | "priority"> {
  /** The largest data that a client may enqueue, in bytes, about, as Node writes it down. @default 65_536 */
  maxBytes?: number;
}

const serviceOptions = {
  name: option("queue", "a non-empty string", (value) => typeof value === "string" && value !== "") as Option<string>,
  backend: option(undefined, "a QueueBackend", isBackend) as Option<QueueBackend | undefined>,
  maxSize: count(10_000, 1) as Option<number>,
  batchSize: batchSize as Option<number>,
  realtime: option(
    undefined,
    "a Realtime or an Emitter",
    (value) => isObject(value) && typeof (value as { emitSocket?: unknown }).emitSocket === "function",
  ) as Option<object | undefined>,
  graceMs: atLeast(10_000, 0) as Option<number>,
};

/**
 * Reads the options of a service.
 *
 * @throws TypeError naming what does not fit
 */
export function readServiceOptions(options: object): Options<typeof serviceOptions> {
  return readOptions("QueueService", serviceOptions, options);
}

function isBackend(value: unknown): boolean {
  const methods: readonly (keyof QueueBackend)[] = [
    "add",
    "consume",
    "find",
    "cancel",
    "depths",
    "dead",
    "retryDead",
    "close",
  ];
  return isObject(value) && methods.every((method) => typeof (value as Partial<QueueBackend>)[method] === "function");
}
