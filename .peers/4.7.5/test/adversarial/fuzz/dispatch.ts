import { pino } from "pino";
import { SocketIngress } from "socket-ingress";

import { Random } from "./random.js";
import { Findings, type FuzzReport } from "./report.js";
import { subscribeErratic } from "./subscribers.js";

const batchSize = 200;
/** Far beyond the time limit of any fuzzed event: what has not settled by then never will. */
const hungMs = 10_000;

/** Dispatches random events with random arguments to random subscribers by hand, and looks at what becomes of each. */
export async function fuzzDispatch(options: { seed: number; runs: number }): Promise<FuzzReport> {
  const { seed, runs } = options;
  const random = new Random(seed);
  using findings = new Findings();
  // A real logger, so that what it can't serialise is found out, writing to nowhere.
  const ingress = new SocketIngress({
    logger: pino({ level: "warn" }, { write: () => undefined }),
    maxPending: 10_000,
  });
  const names = subscribeErratic(ingress, random);

  const one = async (run: number): Promise<void> => {
    const event = random.name(names);
    const args = Array.from({ length: random.int(5) }, () => random.anything());
    const context = random.pick<() => object>([
      () => ({}),
      () => ({ namespace: "/" }),
      () => ({ signal: new AbortController().signal }),
    ])();
    const where = `run ${run}, ${JSON.stringify(event.slice(0, 40))}`;
    try {
      findings.reply(await ingress.dispatch(event, context, ...args), where);
    } catch (error) {
      findings.add("dispatch rejected", `${where}: ${error instanceof Error ? error.stack : typeof error}`);
    }
  };

  for (let done = 0; done < runs; done += batchSize) {
    const size = Math.min(batchSize, runs - done);
    let settled = 0;
    const batch = Promise.all(Array.from({ length: size }, (_, index) => one(done + index).finally(() => settled++)));
    if (!(await within(batch, hungMs))) {
      findings.add(`${size - settled} dispatches of the batch from run ${done} never settled`);
      break;
    }
  }
  await new Promise((resolve) => setImmediate(resolve));
  ingress.clear();
  return findings.report(seed, runs);
}

async function within(work: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  const inTime = await Promise.race([work.then(() => true), late]);
  clearTimeout(timer);
  return inTime;
}
