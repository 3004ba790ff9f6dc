import { type ClientLogger, createSubscribers, guarded } from "./subscribers.js";

/**
 * How something is that was opened: `loading`, nothing is known yet; `live`, what it shows is what there is; `stale`, it may be older, and
 * comes back by itself; `lost`, it does not.
 */
export type OpenedStatus = "loading" | "live" | "stale" | "lost";

/** What something that was opened shows. */
export interface OpenedState {
  /** How far it is to be relied on. */
  readonly status: OpenedStatus;
  /** Why it is `stale` or `lost`, where there is more to say than that there is no connection. */
  readonly error?: unknown;
}

/**
 * Something that was opened and follows what happens on the server until it is closed. Its members need no `this`.
 *
 * @typeParam State - what it shows
 */
export interface Opened<State extends OpenedState> extends AsyncDisposable {
  /** Resolves when it is `live` for the first time, or has been closed; rejects with the `error` when it is `lost` before. */
  readonly ready: Promise<void>;
  /** What it shows now: the same object until something changes, as React's `useSyncExternalStore` asks for. */
  readonly getSnapshot: () => State;
  /**
   * Told what it shows: at once, and once for all that changes in one turn. Each subscription is its own, even of the same function; what a
   * subscriber throws is logged.
   *
   * @returns the undo
   */
  readonly subscribe: (fn: (state: State) => unknown) => () => void;
  /** Stops following, and tells nobody any more; it goes on showing what it showed last. Closing again does nothing. */
  readonly close: () => void;
}

/** What {@link createOpened} is made of. */
export interface OpenedOptions<State extends OpenedState> {
  readonly logger: ClientLogger;
  /** What it is called in the log. */
  readonly name: string;
  /** Makes what is shown; asked when somebody looks and something may have changed. Must not throw. */
  readonly look: () => State;
  /** Gives back what it took. */
  readonly onClose: () => void;
}

/** The same for whoever feeds it. */
export interface Opening<State extends OpenedState> {
  readonly opened: Opened<State>;
  /** Something may be different: subscribers are told at the end of this turn, if it is. */
  changed(): void;
}

/** Makes what is common to all that is opened: who is told of what, and when it is ready. */
export function createOpened<State extends OpenedState>(options: OpenedOptions<State>): Opening<State> {
  const { logger, name, look, onClose } = options;
  const subscribers = createSubscribers<[State]>(logger, () => `a subscriber of ${name}`);
  let settle!: { readonly resolve: () => void; readonly reject: (error: unknown) => void };
  const ready = new Promise<void>((resolve, reject) => (settle = { resolve, reject }));
  // It is for those who wait; who does not wait sees the status.
  ready.catch(() => {});
  let shown: State | undefined;
  /** What subscribers have been told last. */
  let told: State | undefined;
  let isOld = false;
  let closed = false;

  const getSnapshot = (): State => {
    if (shown && !isOld) return shown;
    isOld = false;
    const now = look();
    return (shown = shown && isSame(shown, now) ? shown : now);
  };
  const tell = (): void => {
    if (closed) return;
    const now = getSnapshot();
    if (now.status === "live") settle.resolve();
    else if (now.status === "lost") settle.reject(now.error);
    if (now === told) return;
    told = now;
    const heard = subscribers.tell("", now);
    if (!heard && now.status === "lost") logger.warn(`socket-ingress: ${name} was lost`, now.error);
  };
  const close = (): void => {
    if (closed) return;
    getSnapshot();
    closed = true;
    subscribers.close();
    settle.resolve();
    onClose();
  };

  return {
    opened: {
      ready,
      getSnapshot,
      subscribe(fn) {
        const off = subscribers.add("", fn);
        told ??= getSnapshot();
        // Svelte's contract; React looks whether the snapshot changed, and sees that it did not.
        guarded(logger, `a new subscriber of ${name}`, fn, getSnapshot());
        return off;
      },
      close,
      [Symbol.asyncDispose]: async () => close(),
    },
    changed() {
      if (closed || isOld) return;
      isOld = true;
      queueMicrotask(tell);
    },
  };
}

function isSame<State extends object>(one: State, other: State): boolean {
  const members = Object.keys({ ...one, ...other }) as (keyof State)[];
  return members.every((member) => Object.is(one[member], other[member]));
}
