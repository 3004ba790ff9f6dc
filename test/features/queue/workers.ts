import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const file = fileURLToPath(new URL("./worker-process.ts", import.meta.url));

/** A worker in a process of its own. */
export interface Worker {
  readonly process: ChildProcess;
  /** The batches it has begun. */
  readonly batches: string[][];
  /** Resolves when it has begun so many. */
  begun(count: number): Promise<void>;
  /** Resolves when it has ended, by whomever. */
  readonly gone: Promise<unknown>;
}

/** Starts one, with the orders of `worker-process.ts`. */
export function start(orders: object): Worker {
  const child = spawn(process.execPath, ["--import", "tsx", "--no-warnings", file, JSON.stringify(orders)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const batches: string[][] = [];
  const waiting = new Set<() => void>();
  createInterface({ input: child.stdout }).on("line", (line) => {
    if (line.startsWith("batch ")) batches.push(JSON.parse(line.slice(6)) as string[]);
    for (const look of waiting) look();
  });
  const gone = once(child, "exit");
  void gone.then(() => waiting.forEach((look) => look()));
  return {
    process: child,
    batches,
    gone,
    begun: (count) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (batches.length < count && child.exitCode === null && child.signalCode === null) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        look();
      }),
  };
}
