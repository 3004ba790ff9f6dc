import { type ConsumerEvents, MemoryQueueBackend, type QueueBackend } from "socket-ingress/queue";

/** A backend in memory, some of whose methods, or of its consumers', are the test's. */
export function backendWith(
  more: Partial<QueueBackend>,
  consumer:
    | Partial<ReturnType<QueueBackend["consume"]>>
    | ((events: ConsumerEvents) => Partial<ReturnType<QueueBackend["consume"]>>) = {},
): QueueBackend {
  const inner = new MemoryQueueBackend();
  return {
    add: (...args) => inner.add(...args),
    consume(...args) {
      const one = inner.consume(...args);
      return {
        take: (max) => one.take(max),
        wait: (signal) => one.wait(signal),
        begin: (jobs) => one.begin(jobs),
        progress: (job, progress) => one.progress(job, progress),
        settle: (outcomes, next) => one.settle(outcomes, next),
        close: () => one.close(),
        ...(typeof consumer === "function" ? consumer(args[1]) : consumer),
      };
    },
    find: (...args) => inner.find(...args),
    cancel: (...args) => inner.cancel(...args),
    depths: (...args) => inner.depths(...args),
    dead: (...args) => inner.dead(...args),
    retryDead: (...args) => inner.retryDead(...args),
    close: () => inner.close(),
    ...more,
  };
}
