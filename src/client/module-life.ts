import { type ClientLogger, guarded } from "./subscribers.js";

/** What a module does at the two ends of its life. */
export interface LifeHooks {
  /** Takes what it needs. */
  onStart(): unknown;
  /** Has its last word. */
  onStop(): unknown;
}

/** The lives of one module, one after another, and what it took in the present one. */
export interface ModuleLife {
  /** Begins a life, unless one has begun. */
  start(): Promise<void>;
  /** Ends it; what was taken is undone in this tick. */
  stop(): Promise<void>;
  /** Aborts when the present life ends; aborted without one. */
  signal(): AbortSignal;
  /** Has `undo` run at the end of the present life; at once without one. */
  own(undo: () => unknown): void;
  /** Subscribes, and undoes that at the end of the present life; without one, nothing is subscribed to. */
  take(subscribe: () => () => void): () => void;
}

interface Life {
  readonly controller: AbortController;
  readonly cleanups: (() => unknown)[];
  started: Promise<void>;
}

/** Makes the life of a module that is called `name` in the log. */
export function createModuleLife(logger: ClientLogger, name: string, hooks: LifeHooks): ModuleLife {
  /** From `start` to `stop`. */
  let wanted: Life | undefined;
  /** From the call of `onStart`, so that `onStop` has something to stop, to `stop`. */
  let active: Life | undefined;
  let ending: Promise<void> | undefined;

  const undo = (life: Life): void => {
    life.controller.abort();
    if (active === life) active = undefined;
    for (const cleanup of life.cleanups.splice(0).reverse()) guarded(logger, `a cleanup of ${name}`, cleanup);
  };
  const begin = async (life: Life): Promise<void> => {
    // Not before the last one has ended; without one, `onStart` is called in this tick.
    if (ending) await ending;
    const { signal } = life.controller;
    if (signal.aborted) return;
    active = life;
    try {
      await hooks.onStart();
    } catch (error) {
      // Stopped meanwhile: calls that were aborted are no reason to fail.
      if (signal.aborted) return;
      wanted = undefined;
      undo(life);
      throw error;
    }
  };
  const end = async (life: Life, before: Promise<void> | undefined): Promise<void> => {
    let stopped: unknown;
    if (active === life) guarded(logger, `onStop of ${name}`, () => (stopped = hooks.onStop()));
    undo(life);
    await Promise.allSettled([before, life.started, stopped]);
  };

  const own = (fn: () => unknown): void => {
    // An `onStart` that goes on after the stop takes nothing with it.
    if (active) active.cleanups.push(fn);
    else guarded(logger, `a cleanup of ${name}`, fn);
  };

  return {
    start() {
      if (wanted) return wanted.started;
      const life: Life = { controller: new AbortController(), cleanups: [], started: Promise.resolve() };
      wanted = life;
      return (life.started = begin(life));
    },
    stop() {
      if (wanted === undefined) return ending ?? Promise.resolve();
      const life = wanted;
      wanted = undefined;
      const mine = end(life, ending).finally(() => {
        if (ending === mine) ending = undefined;
      });
      return (ending = mine);
    },
    signal: () => active?.controller.signal ?? AbortSignal.abort(),
    own,
    take(subscribe) {
      if (!active) return () => {};
      const undo = subscribe();
      own(undo);
      return undo;
    },
  };
}
