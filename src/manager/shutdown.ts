import { closeServer } from "../socket-io/close-server.js";
import type { Connections } from "../socket-io/connections.js";
import { Deadline, type Settled } from "../lifecycle/deadline.js";
import type { AppServer } from "../events/subscriber.js";
import { atLeast, type Option, option, type Options, readOptions } from "../events/option-table.js";
import type { CutEvent } from "../dispatch/flow/in-flight.js";
import type { PartKind } from "../events/managed.js";
import type { ManagedParts } from "./managed-parts.js";
import type { SocketIngress } from "../socket-ingress.js";

// Declarations are made file by file (isolatedDeclarations), so that each line of a table says its type by an `as`.
// oxlint-disable typescript/no-unnecessary-type-assertion

/** How to shut a manager down. */
export interface ShutdownOptions {
  /**
   * How many milliseconds running subscribers, and then everything that has to stop, get together.
   *
   * @default 10_000
   */
  readonly graceMs?: number;
  /**
   * How many connections are closed at once, so that a fleet of clients does not come back at once elsewhere.
   *
   * @default Infinity, all of them
   */
  readonly batch?: number;
  /**
   * How many milliseconds to wait between two batches, give or take half of it by chance.
   *
   * @default 100
   */
  readonly intervalMs?: number;
  /** Why, for the log and the report. */
  readonly reason?: string;
}

/** Something that did not end cleanly, or not in time. */
export interface ShutdownFailure {
  /** What kind of thing it is; `ingress` is the manager's own, `server` the Socket.IO server. */
  readonly kind: PartKind | "ingress" | "server";
  /** What it is called. */
  readonly name: string;
  /** What it threw. */
  readonly error: unknown;
}

/** What came of a shutdown. */
export interface ShutdownReport {
  /** Why it was asked for, if that was said. */
  readonly reason: string | undefined;
  /** The subscribers that were still running when the grace was over; their callers were answered `SHUTTING_DOWN`. */
  readonly cut: readonly CutEvent[];
  /** What did not end cleanly, or not in time, in the order in which it was asked to. */
  readonly failures: readonly ShutdownFailure[];
  /** How long it took. */
  readonly durationMs: number;
}

/** What the steps of a shutdown act upon. */
export interface ShutdownSubject {
  readonly ingress: SocketIngress<AppServer>;
  readonly parts: ManagedParts;
  /** Absent when the server is to be kept, or there is none. */
  readonly server: { readonly io: AppServer; readonly connections: Connections } | undefined;
  /** What is being started; never rejects. */
  readonly starting: Promise<void>;
}

/** What leaving the ingress gets at the least, once the deadline has passed. */
const DETACH_MS = 50;
/** What is kept for those who drain, where others used the grace up. */
const DRAIN_MS = 250;

/** {@link ShutdownOptions} by name, each with its default and its check. */
export const shutdownOptions = {
  graceMs: atLeast(10_000, 0) as Option<number>,
  batch: atLeast(Infinity, 1) as Option<number>,
  intervalMs: atLeast(100, 0) as Option<number>,
  reason: option(undefined, "a string", (value) => typeof value === "string") as Option<string | undefined>,
};

/** {@link ShutdownOptions}, read. */
export type CheckedShutdownOptions = Options<typeof shutdownOptions>;

/**
 * Reads the options.
 *
 * @throws TypeError naming what does not fit
 */
export function checkShutdownOptions(options: ShutdownOptions): CheckedShutdownOptions {
  return readOptions("shutdown", shutdownOptions, options);
}

/**
 * Shuts everything down, from the outside in: nothing new is let in, what runs may finish, connections are closed, then handlers,
 * controllers and services are stopped in reverse, then the server is closed. No step waits longer than what is left of the grace;
 * past it the steps that remain are taken all the same, without more than a moment for each kind.
 */
export async function shutDown(subject: ShutdownSubject, options: CheckedShutdownOptions): Promise<ShutdownReport> {
  const { ingress, parts, server, starting } = subject;
  const began = performance.now();
  const deadline = new Deadline(options.graceMs);
  const failures: ShutdownFailure[] = [];
  const note = (kind: "ingress" | "server", name: string, outcome: Settled): void => {
    if (outcome.kind === "failed") failures.push({ kind, name, error: outcome.error });
    if (outcome.kind === "late") failures.push({ kind, name, error: new Error("it did not end in time") });
  };

  // First of all: from here on nothing new gets in, and what is being started need not go on.
  const earlier = parts.failures.length;
  const draining = ingress.drain({ graceMs: options.graceMs });
  parts.cancelStart();
  const started = deadline.settle(Promise.all([starting, parts.settled()]));
  const end = new AbortController();
  let othersEnded: (late: boolean) => void = () => undefined;
  const othersWereLate = new Promise<boolean>((resolve) => (othersEnded = resolve));
  const drained = parts.drain(end.signal, async (one) => {
    const outcome = await deadline.settle(one);
    return outcome.kind === "late" && (await othersWereLate) ? new Deadline(DRAIN_MS).settle(one) : outcome;
  });
  // Awaited together and once: an event that awaits this shutdown is found by it, and not waited for.
  const [{ cut }, start] = await Promise.all([draining, started]);
  // By what became of them: a timer may be a little early, when the clock says that something is left.
  othersEnded(cut.length > 0 || start.kind === "late" || deadline.remainingMs === 0);
  await drained;
  end.abort(new DOMException("the shutdown goes on", "AbortError"));
  parts.abandonStart();
  if (server) await server.connections.close(options, deadline);
  // Closing connections has set off their `disconnect` subscribers.
  cut.push(...(await ingress.drain({ graceMs: deadline.remainingMs })).cut);
  await parts.stop(deadline);
  for (const { kind, name, phase, error } of parts.failures.slice(earlier)) {
    if (phase !== "start") failures.push({ kind, name, error });
  }
  note("ingress", "detach", await new Deadline(Math.max(deadline.remainingMs, DETACH_MS)).settle(ingress.detach()));
  if (server) note("server", "close", await closeServer(server.io, server.connections, deadline));
  return { reason: options.reason, cut, failures, durationMs: performance.now() - began };
}
