import { randomUUID } from "node:crypto";
import { serialize } from "node:v8";
import type { Server } from "socket.io";
import { withoutStack } from "../../wire/event-error.js";
import { asRecord, checkNames } from "../../wire/option-names.js";
import { describeValue, longestTimerMs, printable, reasonOf } from "../../wire/values.js";
import type { EventContext } from "../../events/event-context.js";
import { asPart, type Belongings, declares, has, type Part } from "../../events/managed.js";
import { type Options, readOptions } from "../../events/option-table.js";
import type { AppServer } from "../../events/subscriber.js";
import { Deadline } from "../../lifecycle/deadline.js";
import { writeLog } from "../../lifecycle/log.js";
import { type Place, placeOf } from "../../lifecycle/observer.js";
import { Service } from "../../service.js";
import { type Emitter, Realtime } from "../realtime/index.js";
import type { AnyJobHandler } from "./batch.js";
import type { DeadJob, JobHandler, JobOrigin, JobStatus } from "./job.js";
import type { JobRun } from "./job-run.js";
import { originOf } from "./job-origin.js";
import { mayAsk, pushUpdate, updateOf, versionOf } from "./job-updates.js";
import { MemoryQueueBackend } from "./memory-queue-backend.js";
import type { Cancelled, JobState, JobUpdate } from "./protocol.js";
import type { JobRecord, NewJob, QueueBackend, QueueConsumer, QueueDepths } from "./queue-backend.js";
import { QueueEvents } from "./queue-events.js";
import type { QueueHealth, QueueStats } from "./queue-health.js";
import { deadOptions, enqueueOptions, processOptions, queueName, subscriberOptions } from "./queue-options.js";
import {
  type EnqueueOptions,
  type ProcessOptions,
  type QueueServiceOptions,
  readServiceOptions,
  type SubscriberOptions,
} from "./queue-service-options.js";
import { type MoreOfJob, QueueWorker } from "./queue-worker.js";

/** What jobs are called that were taken in. */
export interface Enqueued {
  /** The ids, in the order of the data. */
  readonly ids: string[];
}

/** A queue that this process knows, for whoever reads a table of them. */
export interface QueueDescription {
  /** Its name. */
  readonly name: string;
  /** How many jobs may wait. */
  readonly maxSize: number;
  /** Whether it has a handler in this process; without one it is worked on elsewhere, or by nobody. */
  readonly handled: boolean;
  /** How many jobs the handler is given at once. */
  readonly batchSize?: number;
  /** How many batches run at once. */
  readonly concurrency?: number;
  /** How often a job is started before it is dead. */
  readonly attempts?: number;
  /** After how many milliseconds a batch has failed. */
  readonly timeoutMs?: number;
  /** Where its handler is written; known to the command line only. */
  readonly source?: Place | undefined;
}

/** How often the depths of queues are looked up for {@link QueueService.health}, in milliseconds. */
const LOOK_EVERY_MS = 5_000;
/** What is left to store the ends of jobs in, once the grace is over. */
const LAST_MS = 1_000;

/** One queue, as this process knows it. */
interface Known {
  handler?: { readonly run: AnyJobHandler; readonly options: Options<typeof processOptions> };
  worker?: QueueWorker;
  consumer?: QueueConsumer;
  depths?: QueueDepths;
  trouble?: { readonly error: unknown };
}

/**
 * Work that takes turns. Jobs wait in named queues, are handled in batches, tried again when they fail, and listed when they fail for good;
 * progress and result are pushed to whoever asked. A job is done **at least once**: what it does must bear being done twice.
 *
 * It is a service: register it with a manager, or start and stop it. What is enqueued before it starts waits. When it stops, the batches
 * that run may end within the grace, and what waits is there for the next process; the backend in memory loses it, and the log says how much.
 *
 * @typeParam App - the `Server<...>` type of the application
 *
 * @example
 * const queue = new QueueService<App>({ backend: new BullQueueBackend(bullmq, { connection }), realtime });
 * queue.process<Mail>("mails", async (jobs) => {
 *   for (const job of jobs) await send(job.data).catch((error) => job.fail(error));
 * });
 * manager.registerService(queue);
 * await queue.enqueue("mails", { to: "ada@example.org" });
 */
export class QueueService<App extends AppServer = Server> extends Service {
  readonly name: string;
  readonly #backend: QueueBackend;
  readonly #maxSize: number;
  readonly #batchSize: number;
  readonly #graceMs: number;
  readonly #realtime: Realtime<App> | Emitter<App> | undefined;
  readonly #queues = new Map<string, Known>();
  readonly #counts = { enqueued: 0, refused: 0, completed: 0, retried: 0, died: 0, cancelled: 0, dropped: 0 };
  #isWorking = false;
  #isDown = false;
  /** What still runs was given up in a shutdown. */
  #isCut = false;

  /** @throws TypeError naming an option that does not fit */
  constructor(options: QueueServiceOptions<App> = {}) {
    super();
    const { name, backend, maxSize, batchSize, realtime, graceMs } = readServiceOptions(options);
    this.name = name;
    this.#backend = backend ?? new MemoryQueueBackend();
    this.#maxSize = maxSize;
    this.#batchSize = batchSize;
    this.#graceMs = graceMs;
    this.#realtime = realtime as Realtime<App> | Emitter<App> | undefined; // checked by its line of the table
  }

  // --- the queues -----------------------------------------------------------------------------------------------------------

  /**
   * Has `handler` work on a queue in this process, from now on or from when the service starts.
   *
   * @typeParam Data - what is enqueued there
   * @typeParam Result - what comes of each job
   * @throws TypeError if something does not fit, or the queue has a handler here
   */
  process<Data = unknown, Result = unknown>(
    queue: string,
    handler: JobHandler<Data, Result>,
    options: ProcessOptions = {},
  ): this {
    const name = queueName("process", queue);
    if (typeof handler !== "function")
      throw new TypeError(`process("${name}"): expected a handler, a function of jobs, got ${describeValue(handler)}`);
    if (this.#queues.get(name)?.handler) throw new TypeError(`process("${name}"): the queue has a handler already`);
    const read = readOptions(`process("${name}")`, processOptions, options, { batchSize: this.#batchSize });
    const known = this.#known(name);
    known.handler = { run: handler, options: read };
    if (this.#isWorking) this.#work(name, known);
    return this;
  }

  /**
   * Takes in a job, or each of a list of jobs; one whose data is a list goes into a list of one. All of them are taken in, or none.
   *
   * @throws EventError `OVERLOADED` with `details: { size, max }` if more than `maxSize` would wait; `SHUTTING_DOWN` once the service has
   * stopped; TypeError for what does not fit, and whatever the backend throws for data it can't keep, or when it can't be reached
   */
  async enqueue<Data = unknown>(
    queue: string,
    data: Data | readonly Data[],
    options: EnqueueOptions<App> = {},
  ): Promise<Enqueued> {
    const { ids, full } = await this.#add("enqueue", queue, data, options);
    if (full === undefined) return { ids };
    throw withoutStack("OVERLOADED", "too many jobs are waiting", { details: { ...full }, retryAfterMs: 1_000 });
  }

  /** The same as {@link QueueService.enqueue}, but `false` if the queue is full. */
  async tryEnqueue<Data = unknown>(
    queue: string,
    data: Data | readonly Data[],
    options: EnqueueOptions<App> = {},
  ): Promise<Enqueued | false> {
    const { ids, full } = await this.#add("tryEnqueue", queue, data, options);
    return full === undefined ? { ids } : false;
  }

  /** What is known of a job; `undefined` if nothing is, since it never was or has been forgotten. */
  async status(queue: string, id: string): Promise<JobStatus | undefined> {
    const record = await this.#backend.find(queueName("status", queue), id);
    if (record === undefined) return undefined;
    const { state, starts, progress, result, error } = record;
    return {
      id,
      queue,
      state,
      attempts: starts,
      ...(progress !== undefined && { progress: progress.value }),
      ...(state === "completed" && result !== undefined && { result }),
      ...(state === "failed" && error !== undefined && { failure: error.failure }),
    };
  }

  /** How many jobs of a queue wait: for their turn, for their delay, or to be tried again. */
  async pending(queue: string): Promise<number> {
    return (await this.#backend.depths(queueName("pending", queue))).pending;
  }

  /**
   * Takes a job back. One that waits is removed; of one that runs, here or in another process, the signal aborts (elsewhere within a
   * second or so), and when its handler is done with it, it is cancelled, whatever its handler says.
   */
  async cancel(queue: string, id: string): Promise<Cancelled> {
    const name = queueName("cancel", queue);
    const record = await this.#backend.find(name, id);
    const found = record === undefined ? "unknown" : await this.#backend.cancel(name, id);
    if (record === undefined || found === "unknown") return "unknown";
    if (found === "removed") {
      this.#counts.cancelled += 1;
      this.#push(name, record, "cancelled", record.takes, 0);
      return "removed";
    }
    const worker = this.#queues.get(name)?.worker;
    if (worker?.has(id) === true) worker.end(id, "cancelled");
    else this.#push(name, record, "cancelling", record.takes, record.progress?.n ?? 0);
    return "aborted";
  }

  /** The jobs of a queue that failed as often as they may, the newest first: at most `limit` of them, 1,000 unless it says otherwise. */
  async dead(queue: string, options: { limit?: number } = {}): Promise<readonly DeadJob[]> {
    const name = queueName("dead", queue);
    return this.#backend.dead(name, readOptions(`dead("${name}")`, deadOptions, options).limit);
  }

  /**
   * Has dead jobs run again, as if they never had: those of these ids, or all. They are taken in whether or not the queue is full.
   *
   * @returns how many
   */
  async retryDead(queue: string, ids?: string | readonly string[]): Promise<number> {
    return this.#backend.retryDead(queueName("retryDead", queue), typeof ids === "string" ? [ids] : ids);
  }

  /**
   * A subscriber for the events of a handler or controller: it enqueues what the client sent, in the name of whoever sent it, and answers
   * with the id of the job at once. What becomes of it is pushed; `trackJob` of `socket-ingress/queue/client` follows it. A full queue is
   * answered `OVERLOADED`, more than `maxBytes` `INVALID_INPUT`. Check what clients send by the event's `input`.
   *
   * @example
   * readonly events = { export: { run: queue.asSubscriber("exports"), input: exportSchema } };
   */
  asSubscriber<Data = unknown>(
    queue: string,
    options: SubscriberOptions = {},
  ): (context: EventContext<App>, data?: Data) => Promise<string> {
    const name = queueName("asSubscriber", queue);
    const { maxBytes, ...read } = readOptions(`asSubscriber("${name}")`, subscriberOptions, options);
    this.#known(name);
    const enqueues = async (context: EventContext<App>, data?: Data): Promise<string> => {
      if (!isWithin(data, maxBytes))
        throw withoutStack("INVALID_INPUT", `this has more than ${maxBytes} bytes`, { details: { maxBytes } });
      const { ids } = await this.enqueue(name, [data], { ...read, from: context });
      return ids[0] as string; // of the one job
    };
    return Object.defineProperty(enqueues, "name", { value: `enqueues "${name}"` }); // as `describe()` shows it
  }

  // --- the service ----------------------------------------------------------------------------------------------------------

  /** How it is: what it has done, and how full its queues are, as they were found within the last seconds. */
  override health(): QueueHealth {
    const health = super.health();
    const troubled = [...this.#queues].find(([, { trouble }]) => trouble !== undefined);
    const queues = [...this.#queues].map(([name, { depths, handler, worker }]): [string, QueueStats] => [
      name,
      { ...depths, handled: handler !== undefined, runningHere: worker?.running ?? 0 },
    ]);
    return {
      ...health,
      ...(troubled && health.status === "ok" && { status: "degraded" as const }),
      ...(troubled && { reason: `the queue "${troubled[0]}" can't be read: ${reasonOf(troubled[1].trouble?.error)}` }),
      ...this.#counts,
      queues: Object.fromEntries(queues),
    };
  }

  /** @internal */
  override [asPart](): Part {
    const realtime = this.#realtime;
    const declared = () => (realtime instanceof Realtime ? this.#events(realtime)[declares]() : undefined);
    return { ...super[asPart](), declared };
  }

  /** @internal */
  [has](): Belongings {
    const queues = [...this.#queues].map(([name, { handler }]): QueueDescription => {
      const known = { name, maxSize: this.#maxSize, handled: handler !== undefined };
      if (handler === undefined) return known;
      const { batchSize, concurrency, attempts, timeoutMs } = handler.options;
      return { ...known, batchSize, concurrency, attempts, timeoutMs, source: placeOf(handler.run) };
    });
    return { queues };
  }

  /** Begins to work on its queues. */
  override async onStart(): Promise<void> {
    this.#isDown = this.#isCut = false;
    this.#isWorking = true;
    await this.#listen();
    for (const [name, known] of this.#queues) this.#work(name, known);
    this.interval(() => this.#look(), LOOK_EVERY_MS);
    // A store that can't be reached yet is no reason not to start.
    void this.#look().catch(() => undefined);
  }

  /** Takes no more jobs, and waits for the batches that run. At the end of the grace their jobs are told, and given back. */
  override async onDrain(signal: AbortSignal): Promise<void> {
    await this.#drain(signal);
  }

  /** Lets the batches that run end within the grace, and closes what the backend opened. */
  override async onStop(): Promise<void> {
    this.#isDown = true;
    const grace = new AbortController();
    const timer = this.#graceMs > longestTimerMs ? undefined : setTimeout(() => grace.abort(), this.#graceMs);
    await this.#drain(grace.signal);
    clearTimeout(timer);
    // A store that can't be reached must not keep its process from ending.
    const deadline = new Deadline(LAST_MS);
    const consumers = [...this.#queues.values()].flatMap(({ consumer }) => consumer ?? []);
    for (const known of this.#queues.values()) {
      delete known.worker;
      delete known.consumer;
    }
    await deadline.settle(Promise.all(consumers.map((consumer) => consumer.close())));
    const closing = this.#backend.close();
    const dropped = (await deadline.settle(closing)).kind === "done" ? await closing : 0;
    this.#counts.dropped += dropped;
    if (dropped > 0) this.#write("warn", { dropped }, `${dropped} jobs that were not done are lost with this process`);
  }

  #known(name: string): Known {
    let known = this.#queues.get(name);
    if (known === undefined) this.#queues.set(name, (known = {}));
    return known;
  }

  async #add(
    method: string,
    queue: string,
    data: unknown,
    given: EnqueueOptions<App>,
  ): Promise<{ ids: string[]; full: { size: number; max: number } | undefined }> {
    const name = queueName(method, queue);
    const subject = `${method}("${name}")`;
    checkNames(subject, asRecord(subject, given), [...Object.keys(enqueueOptions), "from"]);
    const { from, ...options } = given;
    const { id, delayMs, priority } = readOptions(subject, enqueueOptions, options);
    const origin = this.#originOf(subject, from);
    if (this.#isDown) throw withoutStack("SHUTTING_DOWN", "this server is going away");
    const list: readonly unknown[] = Array.isArray(data) ? data : [data];
    const jobs = list.map((one, i): NewJob => {
      // JSON would make nothing of it, in silence.
      if (typeof one === "function" || typeof one === "symbol")
        throw new TypeError(`${subject}: expected data, got ${describeValue(one)}`);
      const own = id === undefined ? randomUUID() : i === 0 ? id : `${id}.${i}`;
      return { id: own, isNamed: id !== undefined, data: one, origin, delayMs, priority };
    });
    this.#known(name);
    const added = jobs.length === 0 ? { added: true as const } : await this.#backend.add(name, jobs, this.#maxSize);
    if (added.added) this.#counts.enqueued += jobs.length;
    else this.#counts.refused += jobs.length;
    const full = added.added ? undefined : { size: added.size, max: this.#maxSize };
    return { ids: jobs.map((job) => job.id), full };
  }

  /** Whose doing a job is. */
  #originOf(subject: string, from: EventContext<App> | JobOrigin | undefined): JobOrigin | undefined {
    const realtime = this.#realtime;
    return originOf<App>(subject, from, (socket) => {
      if (!(realtime instanceof Realtime)) return {};
      const { namespace } = realtime;
      // A unit test may give a context with the part of a socket that it needs.
      const asks = (socket as Partial<typeof socket>).nsp?.name ?? namespace;
      if (asks === namespace) return realtime.identify(socket);
      const said = `from is a context of the namespace ${asks}, and clients are told by the realtime door of ${namespace}`;
      throw new TypeError(`${subject}: ${said}; say { user, session }, or give ${asks} a queue service of its own`);
    });
  }

  #work(name: string, known: Known): void {
    if (known.handler === undefined || known.worker !== undefined) return;
    const { run, options } = known.handler;
    const consumer = this.#backend.consume(name, {
      onCancelled: (id) => worker.end(id, "cancelled"),
      onLost: (id) => worker.end(id, "lost"),
      onError: (error, message) => this.#write("warn", { err: printable(error), queue: name }, message),
    });
    const worker: QueueWorker = new QueueWorker({
      queue: name,
      handler: run,
      options,
      consumer,
      events: {
        onMoved: (job, state, more) => this.#moved(job, state, more),
        onFailed: (error, jobs, message) => this.#failed(name, error, jobs, message),
        onTrouble: (error) => this.#troubled(name, known, error),
      },
    });
    known.worker = worker;
    known.consumer = consumer;
    worker.start();
  }

  async #drain(grace: AbortSignal): Promise<void> {
    this.#isWorking = false;
    const workers = [...this.#queues.values()].flatMap(({ worker }) => worker ?? []);
    const ended = Promise.all(workers.map(async (worker) => worker.stop()));
    if (this.#isCut) return void (await new Deadline(LAST_MS).settle(ended));
    let end: (() => void) | undefined;
    const over = new Promise<"over">((resolve) => (end = () => resolve("over")));
    if (grace.aborted) end?.();
    grace.addEventListener("abort", end as () => void); // the promise has set it
    const outcome = await Promise.race([ended, over]);
    grace.removeEventListener("abort", end as () => void);
    if (outcome !== "over") return;
    this.#isCut = true;
    for (const worker of workers) worker.cut();
    await new Deadline(LAST_MS).settle(ended);
  }

  /** Answers what clients ask about their jobs, where there is a server to hear them. */
  async #listen(): Promise<void> {
    const realtime = this.#realtime;
    if (!(realtime instanceof Realtime)) return;
    const events = this.#events(realtime);
    this.adopt(events);
    if (events.ingress) await events.setup();
    else if (realtime.io) await events.setup(realtime.io);
  }

  /** What clients may ask, where somebody knows who they are. */
  #events(realtime: Realtime<App>): QueueEvents<App> {
    const name = realtime.namespace === "/" ? this.name : `${this.name} of ${realtime.namespace}`;
    return new QueueEvents<App>(name, realtime, {
      ask: async (context, id, queue) => {
        const found = await this.#ofWhoeverAsks(context, id, queue);
        return updateOf(found.queue, found.record);
      },
      cancel: async (context, id, queue) => {
        const found = await this.#ofWhoeverAsks(context, id, queue);
        return this.cancel(found.queue, id);
      },
    });
  }

  /** A job of whoever asks. What is somebody else's is not told from what is not there. */
  async #ofWhoeverAsks(
    context: EventContext<App>,
    id: string,
    queue: string | undefined,
  ): Promise<{ queue: string; record: JobRecord }> {
    const asking = this.#originOf("a job", context) as JobOrigin; // whoever sent it is somebody
    const names = queue === undefined ? [...this.#queues.keys()] : [queue].filter((name) => this.#queues.has(name));
    const records = await Promise.all(
      names.map(async (name) => ({ queue: name, record: await this.#backend.find(name, id) })),
    );
    for (const { queue: name, record } of records)
      if (record !== undefined && mayAsk(record.origin, asking)) return { queue: name, record };
    throw withoutStack("NOT_FOUND", "no such job of yours");
  }

  #moved(run: JobRun, state: JobState, more: MoreOfJob = {}): void {
    if (state === "completed") this.#counts.completed += 1;
    if (state === "failed") this.#counts.died += 1;
    if (state === "cancelled") this.#counts.cancelled += 1;
    if (state === "queued" && more.error !== undefined) this.#counts.retried += 1;
    this.#push(run.queue, run, state, run.taken.takes, run.told, more);
  }

  #push(
    queue: string,
    { id, origin }: { readonly id: string; readonly origin: JobOrigin | undefined },
    state: JobState,
    takes: number,
    told: number,
    { result, error, progress }: MoreOfJob = {},
  ): void {
    if (origin === undefined || this.#realtime === undefined) return;
    const update: JobUpdate = {
      id,
      queue,
      state,
      version: versionOf(takes, state, progress?.n ?? told),
      ...(progress !== undefined && { progress: progress.value }),
      ...(result !== undefined && { result }),
      ...(state === "failed" && error !== undefined && { failure: error.failure }),
    };
    pushUpdate(this.#realtime, origin, update);
  }

  #failed(queue: string, error: unknown, jobs: readonly JobRun[], message: string): void {
    const fields = { err: printable(error), queue, jobs: jobs.slice(0, 10).map(({ id }) => id), count: jobs.length };
    this.#write("warn", jobs[0] ? { ...fields, attempt: jobs[0].attempt } : fields, message);
  }

  /** Once when it begins, and once when it is over. */
  #troubled(queue: string, known: Known, error: unknown): void {
    const before = known.trouble;
    if (error === undefined) {
      delete known.trouble;
      if (before) this.#write("info", { queue }, "the queue can be read again");
      return;
    }
    known.trouble = { error };
    if (before === undefined)
      this.#write("warn", { err: printable(error), queue }, "the queue can't be read; it is tried again");
  }

  async #look(): Promise<void> {
    for (const [name, known] of this.#queues) known.depths = await this.#backend.depths(name);
  }

  #write(level: "info" | "warn", fields: Record<string, unknown>, message: string): void {
    writeLog(this.log, level, fields, message);
  }
}

/** Whether what a client sent has so many bytes at most (decision 0082); what can't be written down, as it is nested too deeply, has more. */
function isWithin(data: unknown, maxBytes: number): boolean {
  try {
    return serialize(data).byteLength <= maxBytes;
  } catch {
    return false;
  }
}
