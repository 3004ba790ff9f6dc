/**
 * Work that takes turns: jobs that are enqueued by events or anything else, handled in batches, tried again when they fail and listed when
 * they fail for good, with progress and result pushed to whoever asked. In memory for one process; on BullMQ, in Redis or PostgreSQL, for
 * many, where jobs outlive them. Its counterpart in the browser is `socket-ingress/queue/client`.
 *
 * A job is done at least once, and may be done twice: make what it does bear that.
 *
 * @module
 *
 * @example
 * ```ts
 * import { Server } from "socket.io";
 * import { ServiceManager } from "socket-ingress";
 * import { QueueService } from "socket-ingress/queue";
 * import { Realtime } from "socket-ingress/realtime";
 *
 * const realtime = new Realtime({ session: ({ handshake }) => handshake.auth["session"] });
 * const queue = new QueueService({ maxSize: 1_000, realtime });
 * queue.process<{ format: string }>("exports", async (jobs) => {
 *   for (const job of jobs) await job.progress(50);
 *   return jobs.map(({ id, data }) => `/exports/${id}.${data.format}`);
 * });
 *
 * const manager = new ServiceManager(new Server(3000)).registerHandler(realtime).registerService(queue);
 * // client.call("export", { format: "csv" }) is answered with the id of the job
 * manager.ingress.subscribe("export", queue.asSubscriber("exports"));
 * await manager.boot();
 * await manager.shutdown();
 * ```
 */
export { BullQueueBackend } from "./bull-queue-backend.js";
export type { BullQueueBackendOptions } from "./bull-queue-backend.js";
export type {
  BullCompleted,
  BullJob,
  BullKeep,
  BullMarker,
  BullMq,
  BullNext,
  BullRef,
  BullStore,
  BullStoreOptions,
} from "./bull-mq.js";
export type { DeadJob, Job, JobHandler, JobOrigin, JobStatus } from "./job.js";
export { MemoryQueueBackend } from "./memory-queue-backend.js";
export type { Cancelled, JobFailure, JobState, JobUpdate } from "./protocol.js";
export type {
  Added,
  AddedAll,
  AddedNone,
  ConsumerEvents,
  JobCompleted,
  JobDead,
  JobGivenUp,
  JobOutcome,
  JobRecord,
  JobToRetry,
  NewJob,
  QueueBackend,
  QueueConsumer,
  QueueDepths,
  RetentionOptions,
  StoredError,
  StoredProgress,
  TakenJob,
} from "./queue-backend.js";
export type { Backoff } from "./queue-options.js";
export { QueueService } from "./queue-service.js";
export type { Enqueued } from "./queue-service.js";
export type {
  EnqueueOptions,
  ProcessOptions,
  QueueServiceOptions,
  SubscriberOptions,
} from "./queue-service-options.js";
export type { QueueHealth, QueueStats } from "./queue-health.js";
