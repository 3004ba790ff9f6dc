import * as bullmq from "bullmq";
import type { Server } from "socket.io";
import { Controller, type ControllerHandler, type EventMap, Handler } from "socket-ingress";
import type { Client } from "socket-ingress/client";
import {
  BullQueueBackend,
  type Enqueued,
  type Job,
  type JobStatus,
  type JobUpdate,
  MemoryQueueBackend,
  QueueService,
} from "socket-ingress/queue";
import { type JobSnapshot, trackJob } from "socket-ingress/queue/client";
import type { Emitter, Realtime } from "socket-ingress/realtime";
import { expectTypeOf } from "vitest";

interface ClientToServer {
  export(format: string, reply: (id: string) => void): void;
  silent(format: string): void;
  count(format: string, reply: (n: number) => void): void;
}
interface ServerToClient {
  "queue:job"(update: JobUpdate<number, string>): void;
}
type App = Server<ClientToServer, ServerToClient, Record<string, never>, { user: string }>;

declare const realtime: Realtime<App>;
declare const emitter: Emitter<App>;
declare const client: Client<App>;

// --- a service ------------------------------------------------------------------------------------------------------------

const queue = new QueueService<App>({ realtime, backend: new MemoryQueueBackend(), maxSize: 10_000, batchSize: 50 });
new QueueService<App>({ realtime: emitter });
new QueueService({ backend: new BullQueueBackend(bullmq, { connection: { host: "redis" } }) });
new QueueService({
  backend: new BullQueueBackend(bullmq, { connection: { connectionString: "", migrate: true }, storage: "postgres" }),
});
new BullQueueBackend({ createPostgresBackend: bullmq.createPostgresBackend }, { connection: {}, storage: "postgres" });
// @ts-expect-error: that is not bullmq
new BullQueueBackend({ createRedisBackend: 1 }, { connection: {} });
// @ts-expect-error: there is no such option
new QueueService({ size: 1 });
// @ts-expect-error: nothing to connect with
new BullQueueBackend(bullmq, {});

// --- handlers -------------------------------------------------------------------------------------------------------------

queue.process<{ to: string }, number>("mails", async (jobs) => {
  expectTypeOf(jobs).toEqualTypeOf<readonly Job<{ to: string }>[]>();
  return jobs.map(({ data }) => data.to.length);
});
queue.process("void", () => undefined, { attempts: 3, concurrency: 2, backoffMs: (attempt) => attempt * 1_000 });
queue.process("some", (jobs) => jobs.map(() => undefined));
// @ts-expect-error: results are a list
queue.process<string, number>("one", () => 7);
// @ts-expect-error: of what the queue is said to give
queue.process<string, number>("other", (jobs) => jobs.map(({ data }) => data));
// @ts-expect-error: there is no such option
queue.process("misspelt", () => undefined, { retries: 3 });

// --- jobs -----------------------------------------------------------------------------------------------------------------

expectTypeOf(queue.enqueue("mails", { to: "ada" })).resolves.toEqualTypeOf<Enqueued>();
expectTypeOf(queue.tryEnqueue("mails", [{ to: "ada" }], { id: "x" })).resolves.toEqualTypeOf<Enqueued | false>();
expectTypeOf(queue.status("mails", "id")).resolves.toEqualTypeOf<JobStatus | undefined>();
expectTypeOf(queue.pending("mails")).resolves.toEqualTypeOf<number>();
expectTypeOf(queue.cancel("mails", "id")).resolves.toEqualTypeOf<"removed" | "aborted" | "unknown">();
void queue.enqueue("mails", 1, { from: { user: "ada" }, delayMs: 5, priority: 1 });
// @ts-expect-error: an id is a string
void queue.enqueue("mails", 1, { id: 7 });
// @ts-expect-error: an origin says who
void queue.enqueue("mails", 1, { from: { name: "ada" } });

// --- events ---------------------------------------------------------------------------------------------------------------

export class ExportHandler extends Handler<App> {
  readonly name = "export";
  readonly events = {
    export: queue.asSubscriber("exports"),
    silent: { run: queue.asSubscriber<string>("exports", { priority: 1, maxBytes: 1_000 }), timeoutMs: 1_000 },
  } satisfies EventMap<ExportHandler, App>;
}
export class Wrong extends Handler<App> {
  readonly name = "wrong";
  readonly events = {
    // @ts-expect-error: its caller is to be answered with a number
    count: queue.asSubscriber("exports"),
  } satisfies EventMap<Wrong, App>;
}
// @ts-expect-error: each event is a job of its own
queue.asSubscriber("exports", { id: "always the same" });

export class ExportController extends Controller<App> {
  readonly name = "export";
  override buildEvents(handler: ControllerHandler<App>): void {
    handler.on("export", queue.asSubscriber("exports"));
  }
}

// --- the client -----------------------------------------------------------------------------------------------------------

const job = trackJob<number, string>(client, "id");
expectTypeOf(job.getSnapshot()).toEqualTypeOf<JobSnapshot<number, string>>();
expectTypeOf(job.getSnapshot().progress).toEqualTypeOf<number | undefined>();
expectTypeOf(job.ready).toEqualTypeOf<Promise<void>>();
client.on("queue:job", (update) => expectTypeOf(update.result).toEqualTypeOf<string | undefined>());
// @ts-expect-error: an id is a string
trackJob(client, 7);
// @ts-expect-error: there is no such option
trackJob(client, "id", { name: "exports" });
