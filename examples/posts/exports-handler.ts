import { setTimeout as pause } from "node:timers/promises";
import { type EventMap, Handler } from "socket-ingress";
import type { Job, QueueService } from "socket-ingress/queue";
import { type App, type ExportWish, exportWish, type Post } from "./app.js";
import type { ExportFiles } from "./export-files.js";
import type { PostsRepository } from "./posts-repository.js";

const STEPS = 20;
const EXPORTS = "exports";

/** What the handler of the exports works with. */
export interface ExportsOptions {
  queue: QueueService<App>;
  repository: PostsRepository;
  files: ExportFiles;
  /** How long an export takes at least, in milliseconds: there are too few posts here to see how it goes. */
  slownessMs: number;
}

/** Exports the posts, behind the reply: the caller is told a job's id, then its progress, then where the file is. */
export class ExportsHandler extends Handler<App> {
  readonly name = "exports";
  readonly events: EventMap<ExportsHandler, App>;

  constructor({ queue, repository, files, slownessMs }: ExportsOptions) {
    super();
    this.events = { export: { run: queue.asSubscriber<ExportWish>(EXPORTS), input: exportWish } };

    const work = async (job: Job<ExportWish>): Promise<string> => {
      const posts = await repository.all(job.data.author);
      for (let step = 0; step < STEPS; step++) {
        await job.progress((100 * step) / STEPS);
        await pause(slownessMs / STEPS, undefined, { signal: job.signal }); // rejects when it is cancelled
      }
      files.put(job.id, toCsv(posts), job.origin?.session);
      return `exports/${job.id}.csv`;
    };
    queue.process<ExportWish, string>(EXPORTS, ([job]) => Promise.all(job === undefined ? [] : [work(job)]), {
      batchSize: 1,
      concurrency: 4,
      attempts: 2,
    });
  }
}

function toCsv(posts: readonly Post[]): string {
  const rows = posts.map(({ id, author, title, text, published, edits }) => [
    id,
    author,
    title,
    text,
    published ? "published" : "draft",
    edits,
  ]);
  return [["id", "author", "title", "text", "state", "edits"], ...rows]
    .map((row) => row.map(toCell).join())
    .join("\r\n");
}

/** A spreadsheet takes what begins with one of these for a formula, whoever wrote it. */
function toCell(value: string | number): string {
  const text = typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
  return `"${text.replaceAll('"', '""')}"`;
}
