/**
 * Keeps starting and stopping apart: calls that ask for what is asked for already share one promise, a stop takes back a start
 * that has not finished, a start waits for the stop before it, and what failed can be tried again.
 *
 * @typeParam Result - what stopping resolves to
 */
export class Lifecycle<Result = void> {
  #want: "started" | "stopped" | undefined;
  #turn = 0;
  #starting: Promise<void> = Promise.resolve();
  #stopping: Promise<Result> | undefined;

  /**
   * Run `step`, after the stop before it. `wanted` tells the step whether it is still to start: it turns false as soon as
   * {@link Lifecycle.stop} is called.
   */
  start(step: (wanted: () => boolean) => Promise<void>): Promise<void> {
    if (this.#want === "started") return this.#starting;
    const turn = this.#take("started");
    const run = (): Promise<void> => step(() => turn === this.#turn);
    this.#starting = this.#watch(turn, this.#stopping === undefined ? invoke(run) : this.#stopping.then(run, run));
    return this.#starting;
  }

  /**
   * Run `step` at once. It is given what is being started, to wait for as long as it likes: that never rejects.
   * A start that is taken back by this rejects to whoever asked for it, but ends no process when nobody listens.
   */
  stop(step: (starting: Promise<void>) => Promise<Result>): Promise<Result> {
    if (this.#want === "stopped" && this.#stopping) return this.#stopping;
    const turn = this.#take("stopped");
    const starting = this.#starting.then(ignore, ignore);
    this.#stopping = this.#watch(
      turn,
      invoke(() => step(starting)),
    );
    return this.#stopping;
  }

  #take(want: "started" | "stopped"): number {
    this.#want = want;
    return ++this.#turn;
  }

  /** Lets a step that failed be asked for again. */
  #watch<T>(turn: number, promise: Promise<T>): Promise<T> {
    return promise.catch((error: unknown) => {
      if (turn === this.#turn) this.#want = undefined;
      throw error;
    });
  }
}

/** A microtask later, so that whoever asked has the promise before the step can ask for it again. */
function invoke<T>(step: () => Promise<T>): Promise<T> {
  return Promise.resolve().then(step);
}

function ignore(): void {}
