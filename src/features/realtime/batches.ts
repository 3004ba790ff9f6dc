/** Topics about which something is to be done a little later, all that are due at the same time together: one timer for each delay. */
export class Batches {
  readonly #delayOf: (topic: string) => number;
  readonly #due: (topics: ReadonlySet<string>) => void;
  readonly #waiting = new Set<string>();
  readonly #batches = new Map<number, { readonly topics: Set<string>; readonly timer: NodeJS.Timeout }>();

  /**
   * @param delayOf how long a topic waits, in milliseconds
   * @param due called with those whose time has come
   */
  constructor(delayOf: (topic: string) => number, due: (topics: ReadonlySet<string>) => void) {
    this.#delayOf = delayOf;
    this.#due = due;
  }

  /** A topic is due after its delay, or sooner if others wait already; it is if it waits itself. */
  add(topic: string): void {
    if (this.#waiting.has(topic)) return;
    this.#waiting.add(topic);
    const delay = this.#delayOf(topic);
    let batch = this.#batches.get(delay);
    if (!batch) {
      const topics = new Set<string>();
      const timer = setTimeout(() => this.#run(delay, topics), delay);
      timer.unref();
      this.#batches.set(delay, (batch = { topics, timer }));
    }
    batch.topics.add(topic);
  }

  /** Forgets all that wait. */
  clear(): void {
    for (const { timer } of this.#batches.values()) clearTimeout(timer);
    this.#batches.clear();
    this.#waiting.clear();
  }

  #run(delay: number, topics: ReadonlySet<string>): void {
    this.#batches.delete(delay);
    for (const topic of topics) this.#waiting.delete(topic);
    this.#due(topics);
  }
}
