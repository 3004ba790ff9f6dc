// A worker that is told to die: it works on one queue, prints a line for each batch it begins, `ended` for each that its handler is done with,
// and ends itself at a job that says so. Arguments: the options of its backend, and the name of the queue, as JSON.
import * as bullmq from "bullmq";
import { BullQueueBackend, type BullQueueBackendOptions, QueueService } from "../../../src/features/queue/index.js";

interface Orders {
  readonly backend: BullQueueBackendOptions;
  readonly queue: string;
  readonly batchSize: number;
  readonly attempts: number;
  /** How long a job takes. */
  readonly ms: number;
}

const { backend, queue: name, batchSize, attempts, ms } = JSON.parse(process.argv[2] ?? "") as Orders;
const say = (line: string): void => void process.stdout.write(`${line}\n`);

const queue = new QueueService({ backend: new BullQueueBackend(bullmq, backend) });
queue.process(
  name,
  async (jobs) => {
    say(`batch ${JSON.stringify(jobs.map(({ id }) => id))}`);
    for (const job of jobs) {
      if (job.data === "kill") process.kill(process.pid, "SIGKILL");
      await new Promise((resolve) => setTimeout(resolve, ms));
    }
    say("ended");
    return jobs.map(({ id }) => `done ${id}`);
  },
  { batchSize, attempts, lingerMs: 0 },
);
await queue.start();
// Only a process with nothing left to do ends.
process.once("SIGTERM", () => void queue.stop());
say("ready");
