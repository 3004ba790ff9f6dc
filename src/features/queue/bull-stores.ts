import { describeValue, isObject } from "../../wire/values.js";
import { bullName } from "./bull-envelope.js";
import type { BullMq, BullStore, BullStoreOptions } from "./bull-mq.js";

/** What stores are opened with. */
export interface BullStoresOptions {
  readonly connection: unknown;
  readonly storage: "redis" | "postgres";
  readonly prefix: string | undefined;
  readonly lockMs: number;
}

/** Within the time that a vanished worker is taken over in: how long its locks last, and how often they are looked for. */
const LOCK_SHARE = 2 / 3;
const LOOK_SHARE = 1 / 6;

/** Connections fail and come back by themselves; whoever asks meanwhile is told by a rejection. */
const ignoreErrors = (): void => undefined;

/** What is open at BullMQ: one connection for all that is asked, and one store more, with a connection that waits, for each queue worked on. */
export class BullStores {
  readonly #open: (name: string, extra: { withBlockingConnection?: boolean }) => BullStore;
  readonly #options: BullStoresOptions;
  readonly #named = new Map<string, BullStore>();
  #shared: BullStore | undefined;

  /** @throws TypeError if `bullmq` is not the module, or lacks what the storage needs */
  constructor(bullmq: BullMq, options: BullStoresOptions) {
    const name = options.storage === "redis" ? "createRedisBackend" : "createPostgresBackend";
    if (!isObject(bullmq) || typeof bullmq[name] !== "function") {
      throw new TypeError(
        `BullQueueBackend: expected the module bullmq, 6.7 or later, with ${name}, got ${describeValue(bullmq)}`,
      );
    }
    const { connection, prefix } = options;
    const opened: BullStoreOptions = {
      connection,
      lockDuration: this.#lockDurationMs(options.lockMs),
      stalledInterval: Math.max(1, Math.round(options.lockMs * LOOK_SHARE)),
      // How often a job may end its process is for its handler to say.
      maxStalledCount: 2 ** 31 - 1,
      ...(prefix !== undefined && { prefix }),
    };
    this.#options = options;
    this.#open = (queue, extra) => {
      const store = bullmq[name]?.(queue, opened, extra) as BullStore; // looked for above
      store.on("error", ignoreErrors);
      return store;
    };
  }

  /** How long a lock lasts that nobody renews. */
  get lockDurationMs(): number {
    return this.#lockDurationMs(this.#options.lockMs);
  }

  /** How often jobs are looked for whose worker has vanished. */
  get lookEveryMs(): number {
    return Math.max(1, Math.round(this.#options.lockMs * LOOK_SHARE));
  }

  /** A queue, to ask about it and to add to it. */
  queue(name: string): Promise<BullStore> {
    return this.#stored(bullName(name));
  }

  /** Which jobs of a queue were cancelled: jobs of a queue that nobody works on (decision 0074). */
  cancelled(name: string): Promise<BullStore> {
    return this.#stored(`${bullName(name)}~cancelled`);
  }

  /** A queue, to work on it: with a connection of its own that may wait. */
  openConsumer(name: string): BullStore {
    return this.#open(bullName(name), { withBlockingConnection: true });
  }

  /** Closes what is shared. It is opened again by whoever asks. */
  async close(): Promise<void> {
    const shared = this.#shared;
    this.#shared = undefined;
    this.#named.clear();
    await shared?.close();
  }

  async #stored(name: string): Promise<BullStore> {
    this.#shared ??= this.#open("socket-ingress", {});
    const shared = this.#shared;
    let store = this.#named.get(name);
    if (store === undefined) this.#named.set(name, (store = shared.forQueue(name, this.#options.prefix)));
    try {
      await shared.waitUntilReady();
    } catch (error) {
      // One that could not be opened stays so: the next who asks opens another.
      if (this.#shared === shared) await this.close().catch(() => undefined);
      throw error;
    }
    return store;
  }

  #lockDurationMs(lockMs: number): number {
    return Math.max(1, Math.round(lockMs * LOCK_SHARE));
  }
}
