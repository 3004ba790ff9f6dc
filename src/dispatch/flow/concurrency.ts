import { defuse, describeValue, isThenable } from "../../wire/values.js";
import type { AnySubscriber, Overflow } from "../../events/subscriber.js";
import type { Invoke, Subscription } from "../subscription.js";
import type { Context } from "../context.js";
import { refusals } from "../failures.js";
import type { LaneTurn } from "./lane-turn.js";
import { type EventError, withoutStack } from "../../wire/event-error.js";

/** How many runs of one subscriber may overlap, and what becomes of the others. */
export interface LaneLimits {
  readonly concurrency: number;
  readonly queueMax: number;
  readonly overflow: Overflow;
}

/** What a subscriber says of its lanes. */
export interface LaneOptions extends LaneLimits {
  /** Whose lane it is, instead of the socket's. */
  readonly key: AnySubscriber | undefined;
}

interface Waiter {
  readonly grant: () => void;
  readonly refuse: (error: EventError) => void;
}

/** What runs and what waits under one key. */
class Lane {
  readonly #lanes: Lanes;
  key: unknown;
  running = 1;
  waiting: Waiter[] | undefined = undefined;

  constructor(lanes: Lanes, key: unknown) {
    this.#lanes = lanes;
    this.key = key;
  }

  /** A run has ended: its slot is the next one's. */
  leave(): void {
    const next = this.waiting?.shift();
    if (next !== undefined) return next.grant();
    if (--this.running === 0) this.#lanes.close(this);
  }
}

/**
 * The lanes of one subscriber: at most `concurrency` runs at a time for each key, the next in order of arrival. A lane exists
 * only while something runs in it; but one is at hand, and used again by whoever comes next: a run that takes no time, as most do, needs
 * no other.
 */
export class Lanes {
  readonly #limits: LaneLimits;
  readonly #lanes = new Map<unknown, Lane>();
  /** Belongs to its key while something runs in it, and is in no map. */
  #atHand: Lane | undefined = undefined;

  constructor(limits: LaneLimits) {
    this.#limits = limits;
  }

  /**
   * A slot in the lane of `key`: at once, or a promise of one, which also resolves when the turn is over.
   *
   * @throws EventError `OVERLOADED` when the queue is full, or as many events of the connection wait as may
   */
  enter(key: unknown, context: Context, turn: LaneTurn): Promise<void> | undefined {
    const lane = this.#find(key);
    if (lane === undefined) turn.slot = this.#open(key);
    else if (lane.running < this.#limits.concurrency) {
      lane.running++;
      turn.slot = lane;
    } else return this.#wait(lane, context, turn);
    return undefined;
  }

  /** Nothing runs in it any more. */
  close(lane: Lane): void {
    if (lane === this.#atHand) lane.key = undefined;
    else this.#lanes.delete(lane.key);
  }

  #find(key: unknown): Lane | undefined {
    if (this.#atHand?.key === key) return this.#atHand;
    return this.#lanes.size === 0 ? undefined : this.#lanes.get(key);
  }

  #open(key: unknown): Lane {
    const free = this.#atHand;
    if (free?.running === 0) {
      free.key = key;
      free.running = 1;
      return free;
    }
    const lane = new Lane(this, key);
    if (free === undefined) this.#atHand = lane;
    else this.#lanes.set(key, lane);
    return lane;
  }

  #wait(lane: Lane, context: Context, turn: LaneTurn): Promise<void> {
    const flow = context.state.traffic.flowOf(context.socket);
    const waiting = (lane.waiting ??= []);
    // First: nobody's event gives way to one that is refused all the same. What is dispatched from inside an event is part of that.
    if (flow.full && !context.nested) throw withoutStack("OVERLOADED", refusals.overloaded.error.message);
    if (waiting.length >= this.#limits.queueMax) {
      const oldest = this.#limits.overflow === "dropOldest" ? waiting.shift() : undefined;
      if (oldest === undefined) throw withoutStack("OVERLOADED", "too many events of this kind are waiting");
      oldest.refuse(withoutStack("OVERLOADED", "a newer event took the place of this one"));
    }
    return new Promise<void>((resolve, reject) => {
      const waiter: Waiter = {
        grant: () => {
          turn.slot = lane;
          resolve();
        },
        refuse: (error) => {
          flow.parked.delete(context);
          reject(error);
        },
      };
      waiting.push(waiter);
      if (!context.nested) flow.parked.add(context);
      // Whoever gives up waiting is in no queue any more.
      turn.onOver(() => {
        const at = waiting.indexOf(waiter);
        if (at === -1) return;
        waiting.splice(at, 1);
        resolve();
      });
    });
  }
}

/** At most `concurrency` runs at a time, for each socket or `key`. */
export function laned(invoke: Invoke, subscription: Subscription, options: LaneOptions, self: unknown): Invoke {
  const lanes = new Lanes(options);
  const { key } = options;
  const run = finishing(invoke);
  return (context, args, count) => {
    const { traffic } = context.state;
    const turn = context.laneTurn as LaneTurn; // every run of a laned subscription has one
    const lane = key === undefined ? context.socket : laneOf(key.call(self, context, ...args.slice(0, count)));
    const slot = lanes.enter(lane, context, turn);
    if (slot === undefined) return run(turn, context, args, count);
    if (context.run === undefined) turn.parked = true;
    else context.run.park();
    return slot.then(async () => {
      await context.run?.unpark(turn);
      traffic.flowOf(context.socket).parked.delete(context);
      if (!turn.over) return run(turn, context, args, count);
      turn.release();
      return undefined;
    });
  };
}

function laneOf(key: unknown): string {
  if (typeof key === "string") return key;
  defuse(key);
  throw new TypeError(`key must return a string, got ${describeValue(key)}`);
}

/** Runs in a lane, and gives the slot back at the end, whatever the end is. */
function finishing(invoke: Invoke): (turn: LaneTurn, ...given: Parameters<Invoke>) => unknown {
  return (turn, context, args, count) => {
    let result: unknown;
    try {
      result = invoke(context, args, count);
      if (isThenable(result)) return Promise.resolve(result).finally(() => turn.release());
    } catch (thrown) {
      turn.release();
      throw thrown;
    }
    turn.release();
    return result;
  };
}
