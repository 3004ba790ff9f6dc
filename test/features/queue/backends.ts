import { randomUUID } from "node:crypto";
import { symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as bullmq from "bullmq";
import {
  BullQueueBackend,
  type BullQueueBackendOptions,
  MemoryQueueBackend,
  type QueueBackend,
} from "socket-ingress/queue";
import { ownPostgres } from "../../fixtures/postgres.js";
import { ownRedis } from "../../fixtures/redis.js";

/** A store of jobs, as the suite is run over each. */
export interface Jobs extends AsyncDisposable {
  /** Whether jobs outlive the process. */
  readonly outlives: boolean;
  /** What `BullQueueBackend` takes to reach it; nothing for memory. */
  readonly options: BullQueueBackendOptions | undefined;
  /** A backend, as another process would have its own. */
  backend(more?: Partial<BullQueueBackendOptions>): QueueBackend;
  /** The same store at a place where it is not yet: a backend, and the function that brings it there. */
  late(): { backend: QueueBackend; appear(): Promise<void> };
  /** Ends the store and starts it again with what it has. */
  restart(): Promise<void>;
}

/** Jobs in memory. */
export async function inMemory(): Promise<Jobs> {
  return {
    outlives: false,
    options: undefined,
    backend: ({ keepMs, keepCount, keepDead } = {}) =>
      new MemoryQueueBackend({
        ...(keepMs !== undefined && { keepMs }),
        ...(keepCount !== undefined && { keepCount }),
        ...(keepDead !== undefined && { keepDead }),
      }),
    late: () => ({ backend: new MemoryQueueBackend(), appear: async () => undefined }),
    restart: () => Promise.reject(new Error("memory can't be restarted")),
    [Symbol.asyncDispose]: async () => undefined,
  };
}

/** Jobs in a Redis of the test's own, which writes down what it has. */
export async function inRedis(): Promise<Jobs> {
  const redis = await ownRedis("--appendonly", "yes", "--appendfsync", "always");
  const options = { connection: { path: redis.path, retryStrategy: () => 50 } };
  return {
    outlives: true,
    options,
    backend: (more) => new BullQueueBackend(bullmq, { ...options, ...more }),
    late() {
      const path = join(tmpdir(), `late-${randomUUID()}`);
      return {
        backend: new BullQueueBackend(bullmq, { ...options, connection: { ...options.connection, path } }),
        appear: () => symlink(redis.path, path),
      };
    },
    restart: () => redis.restart(),
    [Symbol.asyncDispose]: () => redis[Symbol.asyncDispose](),
  };
}

/** Jobs in a PostgreSQL of the test's own. */
export async function inPostgres(): Promise<Jobs> {
  const postgres = await ownPostgres();
  const options = {
    storage: "postgres" as const,
    connection: { ...postgres.connection, migrate: true },
  };
  return {
    outlives: true,
    options,
    backend: (more) => new BullQueueBackend(bullmq, { ...options, ...more }),
    late() {
      const host = join(tmpdir(), `late-${randomUUID()}`);
      return {
        backend: new BullQueueBackend(bullmq, { ...options, connection: { ...options.connection, host } }),
        appear: () => symlink(postgres.connection.host, host),
      };
    },
    restart: () => postgres.restart(),
    [Symbol.asyncDispose]: () => postgres[Symbol.asyncDispose](),
  };
}

/** The backend that is there when the cases run. */
export function late(of: () => QueueBackend): QueueBackend {
  return {
    add: (...args) => of().add(...args),
    consume: (...args) => of().consume(...args),
    find: (...args) => of().find(...args),
    cancel: (...args) => of().cancel(...args),
    depths: (...args) => of().depths(...args),
    dead: (...args) => of().dead(...args),
    retryDead: (...args) => of().retryDead(...args),
    close: () => of().close(),
  };
}
