import { AsyncLocalStorage } from "node:async_hooks";

/** What one transaction holds back, and whether it is still open. */
interface Held {
  readonly parent: Held | undefined;
  state: "open" | "committed" | "dropped";
  waiting: Waiting[];
}

interface Waiting {
  /** Its place among everything that was held back, whichever transactions held it. */
  readonly n: number;
  readonly release: () => void;
}

/**
 * Holds back what is published inside a transaction. It is found by the asynchronous context (`AsyncLocalStorage`), so nothing has to be
 * handed on; of work that nobody awaited it is the state of its transaction when it publishes that counts (decision 0048).
 */
export class Transactions {
  readonly #current = new AsyncLocalStorage<Held>();
  #n = 0;

  /** Whether this is inside a transaction, whatever became of that. */
  get isInside(): boolean {
    return this.#current.getStore() !== undefined;
  }

  /** Whether something is held back here and now. */
  get isOpen(): boolean {
    return isOpen(this.#current.getStore());
  }

  /** Runs `fn`; what is held back meanwhile is released, in order, when it has succeeded, and dropped if it fails. */
  async run<T>(fn: () => T | PromiseLike<T>): Promise<Awaited<T>> {
    const held: Held = { parent: this.#current.getStore(), state: "open", waiting: [] };
    try {
      // What `fn` returns may begin only when it is awaited, as queries of Prisma and Drizzle do: that is inside, too.
      const result = await this.#current.run(held, async () => fn());
      held.state = "committed";
      for (const waiting of held.waiting.sort((a, b) => a.n - b.n)) pass(held.parent, waiting);
      return result;
    } catch (error) {
      held.state = "dropped";
      throw error;
    } finally {
      held.waiting = [];
    }
  }

  /** Calls `release` now, or when the transaction it is called in has been committed, or never. */
  hold(release: () => void): void {
    pass(this.#current.getStore(), { n: this.#n++, release });
  }
}

/** To the innermost transaction that is still open; one that has been committed holds nothing any more. */
function pass(to: Held | undefined, waiting: Waiting): void {
  let held = to;
  while (held?.state === "committed") held = held.parent;
  if (held === undefined) waiting.release();
  else if (held.state === "open") held.waiting.push(waiting);
}

function isOpen(held: Held | undefined): boolean {
  return held !== undefined && (held.state === "committed" ? isOpen(held.parent) : held.state === "open");
}
