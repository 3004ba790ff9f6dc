import { isThenable, type Awaitable } from "../../wire/values.js";

/** What an {@link Outbox} works with. */
export interface OutboxOptions<Item> {
  /** Whether the client is to be told; total, it never throws or rejects. */
  readonly passes: (item: Item) => Awaitable<boolean>;
  readonly write: (item: Item) => void;
  readonly sizeOf: (item: Item) => number;
  readonly maxBytes: number;
  /** More waits for a verdict than may. */
  readonly full: () => void;
}

/**
 * What a client is told, in order, however long it takes to find out whether it is to be told. Where nothing has to be waited for it is
 * written at once.
 */
export class Outbox<Item> {
  readonly #options: OutboxOptions<Item>;
  #bytes = 0;
  #last: Promise<void> | undefined;

  constructor(options: OutboxOptions<Item>) {
    this.#options = options;
  }

  /** What waits for a verdict, in bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  put(item: Item): void {
    const { passes, write } = this.#options;
    if (this.#last !== undefined)
      return this.#wait(
        item,
        this.#last.then(() => passes(item)),
      );
    const verdict = passes(item);
    if (isThenable(verdict)) this.#wait(item, Promise.resolve(verdict));
    else if (verdict) write(item);
  }

  #wait(item: Item, verdict: Promise<boolean>): void {
    const { sizeOf, maxBytes, full, write } = this.#options;
    const size = sizeOf(item);
    if (this.#bytes > 0 && this.#bytes + size > maxBytes) return full();
    this.#bytes += size;
    const written = verdict.then((isPassing) => {
      this.#bytes -= size;
      if (this.#last === written) this.#last = undefined;
      if (isPassing) write(item);
    });
    this.#last = written;
  }
}
