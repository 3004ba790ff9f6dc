import type { EventFailure } from "./event-failure.js";

/** A share in a topic. Awaited, it gives the function that leaves; `leave` is there at once too, for a component's cleanup. */
export interface TopicJoin extends Promise<() => void> {
  /** Gives this share back; again does nothing. The topic is left with the last share. */
  leave(): void;
}

/**
 * A promise that knows whether anybody hears of it. Refused while nobody does, it is no unhandled rejection: a component that only
 * takes `leave` has nowhere to catch one. A class, because `await` asks a promise for its `then` only if it is no plain one.
 */
export class Join extends Promise<() => void> implements TopicJoin {
  declare readonly leave: () => void;
  #heard = false;

  /** @param onUnheard - told of a refusal that nobody hears */
  constructor(
    executor: (resolve: (leave: () => void) => void, reject: (failure: EventFailure) => void) => void,
    leave: () => void,
    onUnheard: (failure: EventFailure) => void,
  ) {
    super(executor);
    this.leave = leave;
    void super.then(undefined, (failure: EventFailure) => this.#heard || onUnheard(failure));
  }

  /** What is made of it by `then` is a plain promise, whose rejection is as loud as any. */
  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  // `await`, `catch`, `finally`, `Promise.all` and their like come here, too.
  // oxlint-disable-next-line unicorn/no-thenable -- a promise is one already
  override then<Value = () => void, Instead = never>(
    onJoined?: ((leave: () => void) => Value | PromiseLike<Value>) | null,
    onRefused?: ((error: any) => Instead | PromiseLike<Instead>) | null,
  ): Promise<Value | Instead> {
    this.#heard = true;
    return super.then(onJoined, onRefused);
  }
}
