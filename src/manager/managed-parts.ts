import { describeValue, printable, reasonOf } from "../wire/values.js";
import { Deadline, type Settled } from "../lifecycle/deadline.js";
import { writeLog } from "../lifecycle/log.js";
import type { Logger } from "../lifecycle/logger.js";
import { asPart, type Part, type PartKind } from "../events/managed.js";
import { missingRequirement, startOrder } from "./start-order.js";
import type { Registry } from "../lifecycle/registry.js";

const classes: Record<PartKind, string> = { service: "Service", controller: "Controller", handler: "Handler" };

/**
 * Asks what a manager is given to describe itself.
 *
 * @throws TypeError naming the method by which it was given when it is of another kind, or what is wired wrongly
 */
export function partOf(method: string, kind: PartKind, value: unknown): Part {
  const describe = (value as { [asPart]?: () => Part } | null | undefined)?.[asPart];
  const part = describe?.call(value as object);
  if (part?.kind === kind) return part;
  const hint = part === undefined ? "" : `: use register${classes[part.kind]}`;
  throw new TypeError(`${method} expects a ${classes[kind]}, got ${describeValue(value)}${hint}`);
}

/** `service "db"`, for messages. */
function describePart({ kind, name }: Part): string {
  return `${kind} ${JSON.stringify(name)}`;
}

/** A part that did not start, or did not stop cleanly or in time. */
export interface PartFailure {
  /** What kind of part it is. */
  readonly kind: PartKind;
  /** What it is called. */
  readonly name: string;
  /** What it did not do. */
  readonly phase: "start" | "drain" | "stop";
  /** What it threw. */
  readonly error: unknown;
}

/** How long the parts that started get to stop when another one fails to start. */
const TAKE_BACK_MS = 10_000;
/** What parts that are late get together, once all have been told to stop (decision 0019). */
const LATE_MS = 250;

/** The parts of a manager, and which of them are up: it starts them in order, and stops those that started in reverse. */
export class ManagedParts {
  readonly #registry: Registry;
  readonly #log: Logger;
  readonly #parts: Part[] = [];
  readonly #up: Part[] = [];
  #failures: PartFailure[] = [];
  #phase: "down" | "starting" | "up" = "down";
  #wanted: () => boolean = () => false;
  #starting: Part | undefined;
  #late: Promise<void> = Promise.resolve();
  /** Settles when a start that hangs is not waited for any longer. */
  #abandoned: Promise<void> = Promise.resolve();
  #abandon: () => void = () => undefined;

  /** Requirements that no part meets are looked up in `registry`; `log` is told of failures. */
  constructor(registry: Registry, log: Logger) {
    this.#registry = registry;
    this.#log = log;
  }

  /** Every part, in the order in which they were registered. */
  get all(): readonly Part[] {
    return this.#parts;
  }

  /** What failed since the last start began. */
  get failures(): readonly PartFailure[] {
    return this.#failures;
  }

  /**
   * Take a part in, after `bind` has succeeded. Once everything is up it starts at once.
   *
   * @throws Error naming it when it is here already, its name is taken, or it closes a circle of requirements; nothing is kept then.
   */
  add(part: Part, bind: () => void): void {
    const { kind, name, target } = part;
    if (this.#parts.some((other) => other.target === target))
      throw new Error(`${describePart(part)} is registered already`);
    const isService = kind !== "handler";
    const other = isService && this.#parts.find((one) => one.kind !== "handler" && one.name === name);
    if (other) throw new Error(`${describePart(part)} can't be registered: there is a ${describePart(other)} already`);
    if (isService && this.#registry.resolve(name) !== undefined) {
      throw new Error(`${describePart(part)} can't be registered: something else is provided under its name`);
    }
    startOrder([...this.#parts, part]);
    bind();
    this.#parts.push(part);
    if (this.#phase !== "up") return;
    const wanted = this.#wanted;
    this.#late = this.#late.then(async () => {
      const failure = wanted() ? await this.#start(part, wanted) : undefined;
      if (failure) this.#report(failure);
    });
  }

  /** Resolves once everything that was registered after the start has started or failed. */
  settled(): Promise<void> {
    const late = this.#late;
    return this.#phase === "up" ? Promise.race([late, this.#abandoned]) : late;
  }

  /**
   * Start everything in order. `wanted` is asked before every step. Parts that are added meanwhile are started, too.
   *
   * @throws Error naming the culprit when one fails, once those before it have been stopped in reverse; unless failures are to be
   * lived with. Error when it is not wanted any more: what has started by then is left to {@link ManagedParts.stop}.
   */
  async start(wanted: () => boolean, onFailure: "abort" | "continue"): Promise<void> {
    this.#phase = "starting";
    this.#wanted = wanted;
    this.#failures = [];
    this.#up.length = 0;
    this.#late = Promise.resolve();
    this.#abandoned = new Promise((resolve) => (this.#abandon = resolve));
    const abandoned = this.#abandoned.then(() => Promise.reject(shutDownMeanwhile()));
    await Promise.race([this.#startAll(wanted, onFailure), abandoned]);
  }

  async #startAll(wanted: () => boolean, onFailure: "abort" | "continue"): Promise<void> {
    const tried = new Set<Part>();
    const next = (): Part | undefined => startOrder(this.#parts).find((part) => !tried.has(part));
    for (let part = next(); part; part = next()) {
      tried.add(part);
      const failure = wanted() ? await this.#start(part, wanted) : undefined;
      if (!wanted()) throw shutDownMeanwhile();
      if (!failure) continue;
      if (onFailure === "continue") {
        this.#report(failure);
        continue;
      }
      await this.#stopUp(new Deadline(TAKE_BACK_MS));
      throw new Error(`boot failed: ${describePart(part)} did not start: ${reasonOf(failure.error)}`, {
        cause: failure.error,
      });
    }
    this.#phase = "up";
  }

  /** Tell the part that is being started that it need not go on. */
  cancelStart(): void {
    // Whoever started it waits for this stop, and reports what it throws.
    void this.#starting?.stop().catch(() => {});
  }

  /** Wait no longer for a start that hangs: whoever asked for it is told. */
  abandonStart(): void {
    this.#abandon();
  }

  /**
   * Tell what is up of a shutdown, the newest first, and wait for what comes of it as long as `settle` does. Failures, which include
   * what took too long, are added to {@link ManagedParts.failures}.
   */
  async drain(signal: AbortSignal, settle: (draining: Promise<unknown>) => Promise<Settled>): Promise<void> {
    const told = this.#up.toReversed().map(async (part) => {
      const outcome = await settle(part.drain(signal));
      if (outcome.kind === "done") return;
      const error = outcome.kind === "failed" ? outcome.error : new Error("it did not drain in time");
      this.#report(this.#failed(part, "drain", error));
    });
    await Promise.all(told);
  }

  /**
   * Stop what is up, in reverse, each awaited until the deadline. After it the rest is told to stop all the same, and gets a last
   * moment together. Failures, which include what did not stop in time, are added to {@link ManagedParts.failures}.
   */
  async stop(deadline: Deadline): Promise<void> {
    // What did not start may have been started by hand since, or own something from its constructor.
    const others = this.#parts.filter((part) => !this.#up.includes(part));
    this.#up.unshift(...others);
    await this.#stopUp(deadline);
  }

  async #stopUp(deadline: Deadline): Promise<void> {
    this.#phase = "down";
    const late: { readonly part: Part; readonly stopping: Promise<void> }[] = [];
    for (let part = this.#up.pop(); part; part = this.#up.pop()) {
      const stopping = stopOf(part);
      if (!this.#stopped(part, await deadline.settle(stopping))) late.push({ part, stopping });
    }
    const last = new Deadline(LATE_MS);
    for (const { part, stopping } of late) {
      if (this.#stopped(part, await last.settle(stopping))) continue;
      this.#report(this.#failed(part, "stop", new Error("it did not stop in time")));
    }
  }

  /** Tells whether a part has stopped, cleanly or not. */
  #stopped(part: Part, outcome: Settled): boolean {
    if (outcome.kind === "failed") this.#report(this.#failed(part, "stop", outcome.error));
    return outcome.kind !== "late";
  }

  async #start(part: Part, wanted: () => boolean): Promise<PartFailure | undefined> {
    let failed: { readonly error: unknown } | undefined;
    this.#starting = part;
    try {
      const missing = missingRequirement(
        part,
        this.#parts,
        (required) => this.#up.includes(required),
        (key) => this.#registry.resolve(key) !== undefined,
      );
      if (missing !== undefined) throw new Error(missing);
      await part.start();
    } catch (error) {
      failed = { error };
    }
    this.#starting = undefined;
    if (wanted()) {
      if (failed) return this.#failed(part, "start", failed.error);
      this.#up.push(part);
      return undefined;
    }
    try {
      await part.stop();
    } catch (error) {
      this.#report(this.#failed(part, "stop", error));
    }
    return undefined;
  }

  #failed(part: Part, phase: PartFailure["phase"], error: unknown): PartFailure {
    const { kind, name } = part;
    const failure = { kind, name, phase, error };
    this.#failures.push(failure);
    return failure;
  }

  /** For what nobody is thrown. */
  #report({ kind, name, phase, error }: PartFailure): void {
    writeLog(this.#log, "error", { [kind]: name, err: printable(error) }, `a ${kind} failed to ${phase}`);
  }
}

function shutDownMeanwhile(): Error {
  return new Error("the manager was shut down while it booted");
}

async function stopOf(part: Part): Promise<void> {
  await part.stop();
}
