/** A client to which something was said in this turn. */
export interface Due {
  /** Lets it leave. */
  flush(): void;
}

/**
 * What is said to the clients of one door in one turn leaves at its end, so that several events are one write for each client. Those that were
 * told the same are written the same bytes, joined once (decision 0056).
 */
export class Turn {
  #due: Due[] = [];
  #parts: readonly Buffer[] = [];
  #joined: Buffer = Buffer.alloc(0);

  /** Something is to leave at the end of this turn. Called once for each client and turn. */
  add(client: Due): void {
    if (this.#due.length === 0) process.nextTick(this.#flush);
    this.#due.push(client);
  }

  /** Several pieces as one. */
  join(parts: readonly Buffer[]): Buffer {
    const [first] = parts;
    if (parts.length === 1 && first !== undefined) return first;
    const isSame = parts.length === this.#parts.length && parts.every((part, i) => part === this.#parts[i]);
    if (isSame) return this.#joined;
    this.#parts = parts;
    return (this.#joined = Buffer.concat(parts));
  }

  readonly #flush = (): void => {
    const due = this.#due;
    this.#due = [];
    for (const client of due) client.flush();
    this.#parts = [];
    this.#joined = Buffer.alloc(0);
  };
}
