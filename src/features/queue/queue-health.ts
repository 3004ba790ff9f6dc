import type { ServiceHealth } from "../../service.js";
import type { QueueDepths } from "./queue-backend.js";

/** How one queue is. */
export interface QueueStats extends Partial<QueueDepths> {
  /** Whether this process works on it. */
  readonly handled: boolean;
  /** How many of its jobs run here. */
  readonly runningHere: number;
}

/** How a `QueueService` is: what it has done since it was made, and its queues as they were found last. */
export interface QueueHealth extends ServiceHealth {
  /** Jobs taken in. */
  readonly enqueued: number;
  /** Jobs refused, as their queue was full. */
  readonly refused: number;
  /** Jobs done here. */
  readonly completed: number;
  /** Starts that failed here and are tried again. */
  readonly retried: number;
  /** Jobs that are dead since they failed here. */
  readonly died: number;
  /** Jobs cancelled here. */
  readonly cancelled: number;
  /** Jobs that were lost with the memory of this process, when the service stopped. */
  readonly dropped: number;
  /** The queues this process knows, by name. */
  readonly queues: Readonly<Record<string, QueueStats>>;
}
