import { deferred, type Deferred } from "../fixtures/deferred.js";
import type { Tools } from "./faults.js";

/**
 * The child's side of the table: every contestant is a process of its own that listens on a port of its choice, tells its
 * parent about it, and obeys a few commands. What it can't do it leaves out, and the scenarios that need it are not played.
 */

/** What a contestant is able to express. */
export type Ability =
  | "reply"
  | "refuse"
  | "interceptor"
  | "connect"
  | "connection"
  | "disconnect"
  | "schema"
  | "output"
  | "typed"
  | "error-hook"
  | "shutdown"
  | "teardown"
  | "limits"
  | "logger"
  | "beside";

/** How a call is written and its acknowledgement read. */
export type Dialect = "plain" | "feathers";

/** The first message of a contestant to its parent. */
export interface Ready {
  readonly port: number;
  readonly abilities: readonly Ability[];
  readonly dialect: Dialect;
}

/** One command of the parent and its answer. */
export interface Command {
  readonly id: number;
  readonly name: string;
  readonly argument?: unknown;
}

export interface CommandAnswer {
  readonly id: number;
  readonly result?: unknown;
  readonly failed?: string;
}

const pending = new Set<Promise<void>>();

function after(ms: number, run: () => void): void {
  pending.add(
    new Promise((resolve) => {
      setTimeout(() => {
        // What the delayed part of a fault throws is that fault's doing: let it hit the process.
        queueMicrotask(resolve);
        run();
      }, ms);
    }),
  );
}

/** The time limit that contestants which have one set for every event. */
export const timeLimitMs = Number(process.env["TIME_LIMIT_MS"] ?? 250);

let running = 0;
const watchers = new Set<() => void>();

function count(change: number): void {
  running += change;
  for (const look of [...watchers]) look();
}

let held: Deferred | undefined;

/** Keeps what runs slowly from beginning to wait until it is released: so many run at once however slow the machine is. */
function hold(): void {
  held = deferred();
}

/** Waits while counted as running; both the faults and the honest slow events use it. */
export async function slowly(ms: number): Promise<void> {
  count(1);
  try {
    await held?.promise;
    await new Promise((resolve) => setTimeout(resolve, Math.min(Math.max(ms, 0), 5_000)));
  } finally {
    count(-1);
  }
}

/** Resolves once at least so many run, for zero once none does; gives up when nothing has changed for a while. */
function untilRunning(wanted: unknown): Promise<number> {
  return new Promise((resolve, reject) => {
    const look = (): void => {
      timer.refresh();
      if (wanted === 0 ? running === 0 : running >= Number(wanted)) end(() => resolve(running));
    };
    const timer = setTimeout(
      () => end(() => reject(new Error(`${running} run, waited for ${String(wanted)}`))),
      15_000,
    );
    const end = (then: () => void): void => {
      clearTimeout(timer);
      watchers.delete(look);
      then();
    };
    watchers.add(look);
    look();
  });
}

/** The delayed actions of the faults, which the `settle` command waits for. */
export const delays: Pick<Tools, "later" | "tooLate" | "slowly"> = {
  later: (run) => after(5, run),
  tooLate: (run) => after(timeLimitMs * 2, run),
  slowly,
};

async function settle(): Promise<unknown> {
  while (pending.size > 0) {
    const now = [...pending];
    await Promise.all(now);
    for (const done of now) pending.delete(done);
  }
  // A rejection nobody handled is reported when the microtasks of a turn are done; two turns see to that.
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
  return { polluted: ({} as { polluted?: unknown }).polluted !== undefined };
}

/** Serves commands over IPC and reports for duty. */
export function report(ready: Ready, commands: Record<string, (argument: unknown) => unknown> = {}): void {
  const known = new Map<string, (argument: unknown) => unknown>([
    ["settle", settle],
    ["slow/running", untilRunning],
    ["slow/hold", hold],
    ["slow/release", () => held?.resolve()],
    ["cpu", () => process.cpuUsage()],
    ...Object.entries(commands),
  ]);
  const onMessage = (command: Command): void => {
    const answer = (rest: Omit<CommandAnswer, "id">): void => {
      process.send?.({ id: command.id, ...rest }, () => undefined);
    };
    const run = known.get(command.name);
    if (!run) return answer({ failed: `no such command: ${command.name}` });
    void (async () => run(command.argument))().then(
      (result) => answer({ result }),
      (error: unknown) => answer({ failed: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
    );
  };
  process.on("message", onMessage);
  process.on("disconnect", () => process.exit(0));
  // The channel to the parent must not keep a process alive that has shut everything down.
  process.channel?.unref();
  process.send?.(ready);
}
