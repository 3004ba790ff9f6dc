import { shuttingDown } from "../failures.js";
import type { CutEvent } from "./in-flight.js";
import type { Signals } from "./signals.js";
import { waitingForCaller } from "./own-caller.js";
import { TimeLimits } from "./time-limits.js";
import type { Subscription } from "../subscription.js";
import type { Traffic } from "./traffic.js";

/** The runs that are not over yet, and who waits until there is none and no event waits to become one. */
export class UnderWay {
  /** How long each of them may still take. */
  readonly limits: TimeLimits = new TimeLimits();
  readonly #traffic: Traffic;
  readonly #signals: Signals;
  #runs = 0;
  #idle: (() => void)[] = [];

  constructor(traffic: Traffic, signals: Signals) {
    this.#traffic = traffic;
    this.#signals = signals;
    traffic.onQuieter = () => this.#checkIdle();
  }

  /** Whether nothing is under way and nothing waits. */
  get idle(): boolean {
    return this.#runs === 0 && this.#traffic.quiet;
  }

  /** A run is under way. */
  began(): void {
    this.#runs++;
  }

  /** A run is over. */
  ended(): void {
    if (--this.#runs === 0) this.#checkIdle();
  }

  /** Resolves once nothing is under way and nothing waits, but runs that wait for this themselves. */
  async whenIdle(): Promise<void> {
    for (const run of await waitingForCaller(this.limits)) run.outlive("all");
    await new Promise<void>((resolve) => {
      this.#idle.push(resolve);
      this.#checkIdle();
    });
  }

  /** Resolves once no run of the subscriber is under way, but those that wait for this themselves. */
  async whenOver(subscription: Subscription): Promise<void> {
    if (subscription.idle) return;
    for (const run of await waitingForCaller(this.limits)) run.outlive(subscription);
    await subscription.whenIdle();
  }

  /** Give up the runs that wait for the caller, which is about to wait for all. Tells what was lost. */
  async cutWaiting(): Promise<CutEvent[]> {
    return (await waitingForCaller(this.limits)).flatMap((run) => run.cut() ?? []);
  }

  /** Give up what waits and what runs: callers are answered `SHUTTING_DOWN`, signals abort (decision 0009). Tells what was lost. */
  cut(): CutEvent[] {
    const cut = this.#traffic.cut();
    for (const limited of [...this.limits]) {
      const lost = limited.cut();
      if (lost !== undefined) cut.push(lost);
    }
    this.#signals.abortAll(shuttingDown());
    this.#checkIdle();
    return cut;
  }

  #checkIdle(): void {
    if (this.#idle.length === 0 || !this.idle) return;
    this.limits.rest();
    for (const resolve of this.#idle.splice(0)) resolve();
  }
}
