import { EventError } from "../../wire/event-error.js";
import type { Job, JobOrigin } from "./job.js";
import type { StoredProgress, TakenJob } from "./queue-backend.js";

/** What a run asks of whoever runs it. */
export interface JobRunHost {
  /** The queue it is in. */
  readonly queue: string;
  /** Keeps and pushes what its handler tells. Never rejects. */
  progress(run: JobRun, progress: StoredProgress): Promise<void>;
}

/** Why a run is of no use any more. */
export type Ended = "cancelled" | "timeout" | "shutdown" | "lost";

const reasons: Readonly<Record<Ended, readonly [code: string, message: string]>> = {
  cancelled: ["CANCELLED", "the job was cancelled"],
  timeout: ["TIMEOUT", "the job took longer than it may"],
  shutdown: ["SHUTTING_DOWN", "this server is going away; the job comes again"],
  lost: ["CONFLICT", "another process has taken over the job"],
};

/** One start of a job: what its handler is given, and what has become of it so far. */
export class JobRun implements Job<never> {
  readonly taken: TakenJob;
  /** What its handler said it failed of. */
  failed: { readonly error: unknown } | undefined;
  readonly #host: JobRunHost;
  readonly #ended = new Set<Ended>();
  #controller: AbortController | undefined;
  #reason: EventError | undefined;
  #told = 0;

  constructor(host: JobRunHost, taken: TakenJob) {
    this.#host = host;
    this.taken = taken;
  }

  get id(): string {
    return this.taken.id;
  }

  get queue(): string {
    return this.#host.queue;
  }

  get data(): never {
    return this.taken.data as never; // its handler says what it is
  }

  get attempt(): number {
    return this.taken.starts + 1;
  }

  get origin(): JobOrigin | undefined {
    return this.taken.origin;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#reason) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  async progress(value: unknown): Promise<void> {
    if (this.#ended.size === 0) await this.#host.progress(this, { n: ++this.#told, value });
  }

  fail(error: unknown): void {
    this.failed ??= { error };
  }

  /** What its handler told last is of this number. */
  get told(): number {
    return this.#told;
  }

  /** Why its signal aborted, once it has. */
  get reason(): EventError | undefined {
    return this.#reason;
  }

  /** Whether it was ended for this reason, perhaps among others. */
  isEnded(why: Ended): boolean {
    return this.#ended.has(why);
  }

  /** Tells its handler that there is no use in going on. Returns false if that was told for this reason before. */
  end(why: Ended): boolean {
    if (this.#ended.has(why)) return false;
    this.#ended.add(why);
    const [code, message] = reasons[why];
    this.#reason ??= new EventError(code, message);
    this.#controller?.abort(this.#reason);
    return true;
  }
}
