import { describeValue } from "../wire/values.js";

/** Which way a packet travels. */
export type Direction = "toServer" | "toClient";

/** What a fault does with one packet: deliver it now, later, twice, or never. */
interface Fault {
  take(deliver: () => void): void;
  /** The fault ends: what it holds goes on its way. */
  release(): void;
  /** The transport is gone: what it holds is lost. */
  discard(): void;
}

/**
 * The line between one client and the server, on which a test makes packets late, twice, out of order or lost.
 *
 * Faults apply to events and acknowledgements, whole and after encoding, so that a binary one is never torn; packets that
 * open and close a connection pass. Several faults on one direction act one after another, oldest first. Every method returns
 * the function that ends its fault; called again it does nothing. A transport that drops loses what the faults hold, and the
 * faults stay for the next transport.
 *
 * @example
 * const release = socket.link.hold("toClient");
 * io.emit("news", 1);      // has not arrived
 * release();               // arrives now
 */
export class Link {
  readonly #faults: Record<Direction, Fault[]> = { toServer: [], toClient: [] };

  /** Keeps packets back, in order, until the returned function is called. */
  hold(direction: Direction): () => void {
    let waiting: (() => void)[] = [];
    return this.#add(direction, {
      take: (deliver) => void waiting.push(deliver),
      release: () => {
        const due = waiting;
        waiting = [];
        for (const deliver of due) deliver();
      },
      discard: () => void (waiting = []),
    });
  }

  /**
   * Delivers each packet `ms` milliseconds late, in order. The clock is the global `setTimeout` at that moment, so fake timers
   * move it. When the fault ends, what is on its way arrives at once.
   */
  delay(direction: Direction, ms: number): () => void {
    if (!Number.isFinite(ms) || ms < 0) {
      throw new TypeError(`link.delay: ms must be a number of milliseconds from 0, got ${describeValue(ms)}`);
    }
    const waiting = new Map<ReturnType<typeof setTimeout>, () => void>();
    const empty = (): (() => void)[] => {
      const due = [...waiting.values()];
      for (const timer of waiting.keys()) clearTimeout(timer);
      waiting.clear();
      return due;
    };
    return this.#add(direction, {
      take: (deliver) => {
        const timer = setTimeout(() => {
          waiting.delete(timer);
          deliver();
        }, ms);
        waiting.set(timer, deliver);
      },
      release: () => {
        for (const deliver of empty()) deliver();
      },
      discard: () => void empty(),
    });
  }

  /** Delivers every packet twice in a row, as a transport that retries would. */
  duplicate(direction: Direction): () => void {
    return this.#add(direction, {
      take: (deliver) => {
        deliver();
        deliver();
      },
      release: () => {},
      discard: () => {},
    });
  }

  /**
   * Collects `size` packets and delivers them last first. An incomplete set waits; when the fault ends it arrives in order.
   *
   * @param size how many packets change places; 2 unless told
   */
  reorder(direction: Direction, size = 2): () => void {
    if (!Number.isInteger(size) || size < 2) {
      throw new TypeError(`link.reorder: size must be a whole number from 2, got ${describeValue(size)}`);
    }
    let waiting: (() => void)[] = [];
    return this.#add(direction, {
      take: (deliver) => {
        waiting.push(deliver);
        if (waiting.length < size) return;
        const due = waiting.reverse();
        waiting = [];
        for (const next of due) next();
      },
      release: () => {
        const due = waiting;
        waiting = [];
        for (const deliver of due) deliver();
      },
      discard: () => void (waiting = []),
    });
  }

  /** Loses every packet until the returned function is called. */
  lose(direction: Direction): () => void {
    return this.#add(direction, { take: () => {}, release: () => {}, discard: () => {} });
  }

  /** Whether any fault is active in a direction. */
  disturbed(direction: Direction): boolean {
    return this.#faults[direction].length > 0;
  }

  /** Sends a packet down the line: `deliver` runs now, later, more than once or never. */
  pass(direction: Direction, deliver: () => void): void {
    const faults = this.#faults[direction];
    let next = deliver;
    for (let i = faults.length - 1; i >= 0; i--) {
      const fault = faults[i] as Fault;
      const after = next;
      next = () => fault.take(after);
    }
    next();
  }

  /** The transport is gone: whatever is held on the way is lost. */
  cut(): void {
    for (const fault of this.#faults.toServer) fault.discard();
    for (const fault of this.#faults.toClient) fault.discard();
  }

  #add(direction: Direction, fault: Fault): () => void {
    const faults = this.#faults[direction];
    if (faults === undefined) {
      throw new TypeError(`link: direction must be "toServer" or "toClient", got ${describeValue(direction)}`);
    }
    faults.push(fault);
    return () => {
      const at = faults.indexOf(fault);
      if (at === -1) return;
      faults.splice(at, 1);
      fault.release();
    };
  }
}
