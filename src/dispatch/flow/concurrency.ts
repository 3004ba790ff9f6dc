import type { Overflow } from "../../events/subscriber.js";
import type { Turn } from "./lane-turn.js";
import { EventError } from "../../wire/event-error.js";

/** How many runs of one subscriber may overlap, and what becomes of the others. */
export interface LaneLimits {
  readonly concurrency: number;
  readonly queueMax: number;
  readonly overflow: Overflow;
}

interface Waiter {
  readonly turn: Turn;
  readonly grant: () => void;
  readonly refuse: (error: EventError) => void;
}

interface Lane {
  running: number;
  waiting: Waiter[];
}

/**
 * The lanes of one subscriber: at most `concurrency` runs at a time for each key, the next in order of arrival. A lane exists
 * only while something runs in it.
 */
export class Lanes {
  readonly #limits: LaneLimits;
  readonly #lanes = new Map<unknown, Lane>();

  constructor(limits: LaneLimits) {
    this.#limits = limits;
  }

  /**
   * A place in the lane of `key`: at once, or a promise of one.
   *
   * @throws EventError `OVERLOADED` when the queue is full
   */
  enter(key: unknown, turn: Turn): Promise<void> | undefined {
    let lane = this.#lanes.get(key);
    if (lane === undefined) {
      lane = { running: 0, waiting: [] };
      this.#lanes.set(key, lane);
    }
    if (lane.running < this.#limits.concurrency) {
      lane.running++;
      turn.release = this.#releaser(key, lane);
      return undefined;
    }
    return this.#wait(key, lane, turn);
  }

  #wait(key: unknown, lane: Lane, turn: Turn): Promise<void> {
    if (lane.waiting.length >= this.#limits.queueMax) {
      // Whoever gave up waiting holds no place.
      lane.waiting = lane.waiting.filter((waiter) => !waiter.turn.over);
    }
    if (lane.waiting.length >= this.#limits.queueMax) {
      const oldest = this.#limits.overflow === "dropOldest" ? lane.waiting.shift() : undefined;
      if (oldest === undefined) throw new EventError("OVERLOADED", "too many events of this kind are waiting");
      oldest.refuse(new EventError("OVERLOADED", "a newer event took the place of this one"));
    }
    const place = lane;
    return new Promise<void>((grant, refuse) => {
      place.waiting.push({
        turn,
        refuse,
        grant: () => {
          turn.release = this.#releaser(key, place);
          grant();
        },
      });
    });
  }

  #releaser(key: unknown, lane: Lane): () => void {
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      for (let next = lane.waiting.shift(); next !== undefined; next = lane.waiting.shift()) {
        if (!next.turn.over) return next.grant();
      }
      if (--lane.running === 0) this.#lanes.delete(key);
    };
  }
}
