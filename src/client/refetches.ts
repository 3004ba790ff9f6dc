import type { Refetch } from "../features/realtime/protocol.js";
import { describeValue, longestTimerMs } from "../wire/values.js";
import type { ClientSocket } from "./client-socket.js";
import { EventFailure } from "./event-failure.js";
import { keyOf } from "./key-of.js";
import { type ClientLogger, guarded } from "./subscribers.js";

/** What {@link Client.refetchOnSocket} takes beside signal, action and receiver. */
export interface RefetchOptions {
  /** Told when the action failed; the state stays as it is. Without this the failure is logged as a warning. */
  onError?: (error: unknown) => unknown;
  /** Leave out signals that this very connection caused: those whose `origin` is its socket's id. @default false */
  skipOwn?: boolean;
  /**
   * Fetch once now too, so that one subscription both loads and keeps fresh. If the signals come by a topic, await its join
   * before: what changes between this fetch and the join is signalled to nobody.
   *
   * @default false
   */
  immediate?: boolean;
  /**
   * How long after the beginning of a fetch the next one may begin, in milliseconds: the signals of a burst come one by one, and where
   * the answer is quick each would be asked for.
   *
   * @default 50
   */
  pauseMs?: number; // decision 0033
}

/** What a fetching function is given. */
export interface RefetchContext<Data = unknown> {
  /** Aborts when the answer is not wanted any more: the subscription was undone, or a reconnect asked anew. */
  signal: AbortSignal;
  /** What the signal carried (of several signals the last), or the payload of the server's shorthand; nothing after a reconnect. */
  data: Data | undefined;
}

/** One subscription, its types left behind. */
export interface Registration extends RefetchOptions {
  /** The signal. */
  readonly event: string;
  /** The name of the action, if it has one. */
  readonly action: string | undefined;
  /** What to call the action with, unless the server says. */
  readonly payload: unknown;
  /** Fetches. */
  readonly fetch: (payload: unknown, context: RefetchContext) => unknown;
  /** Receives. */
  readonly onResult: (result: unknown) => unknown;
}

/** The refetches of one client. */
export interface Refetches {
  /** @returns the undo */
  add(registration: Registration): () => void;
  /** The server's shorthand. */
  onRefetch(refetch: Refetch): void;
  /** Fetches what may have changed meanwhile; after a recovery only what was cut off. */
  onReconnect(recovered: boolean): void;
  /** Something was missed on a connection that lasts: as if everything had been signalled. */
  onMissed(): void;
  /** Forgets everything; what runs is aborted. */
  close(): void;
}

/** Fetches of one subscription with one payload: at most one runs and one waits. */
interface Lane {
  readonly payload: unknown;
  running: AbortController | undefined;
  waiting: boolean;
  /** Between the end of a fetch and the beginning of the next. */
  rest: ReturnType<typeof setTimeout> | undefined;
  /** The connection went while it ran: nobody knows what changed. */
  cutOff: boolean;
  data: unknown;
}

interface Subscription {
  readonly registration: Registration;
  trigger(payload: unknown, data: unknown): void;
  onReconnect(recovered: boolean): void;
  onMissed(): void;
  stop(): void;
}

/** Makes the refetches of one client; `listen` subscribes to a signal and returns the undo. */
export function createRefetches(
  socket: ClientSocket,
  logger: ClientLogger,
  listen: (event: string, fn: (data: unknown) => void) => () => void,
): Refetches {
  const subscriptions = new Set<Subscription>();
  let closed = false;
  const isOwn = ({ skipOwn }: Registration, origin: unknown): boolean =>
    skipOwn === true && socket.id !== undefined && origin === socket.id;

  return {
    add(registration) {
      const { pauseMs = 50 } = registration;
      if (!(pauseMs >= 0)) {
        throw new TypeError(`pauseMs must be a number of milliseconds from 0, got ${describeValue(pauseMs)}`);
      }
      if (closed) return () => {};
      const subscription = subscribe(registration, logger);
      const off = listen(registration.event, (data) => {
        if (isOwn(registration, (data as { origin?: unknown } | null | undefined)?.origin)) return;
        subscription.trigger(registration.payload, data);
      });
      subscriptions.add(subscription);
      if (registration.immediate) subscription.trigger(registration.payload, undefined);
      return () => {
        off();
        subscriptions.delete(subscription);
        subscription.stop();
      };
    },
    onRefetch({ action, payload, event, origin }) {
      for (const subscription of [...subscriptions]) {
        const { registration } = subscription;
        // A function has no name the server could ask for: it is meant when its signal is.
        const meant =
          registration.action === undefined
            ? registration.event === event
            : registration.action === action && (!event || registration.event === event);
        if (!meant || !subscriptions.has(subscription) || isOwn(registration, origin)) continue;
        subscription.trigger(payload === undefined ? registration.payload : payload, payload);
      }
    },
    onReconnect(recovered) {
      for (const subscription of [...subscriptions]) {
        if (subscriptions.has(subscription)) subscription.onReconnect(recovered);
      }
    },
    onMissed() {
      for (const subscription of [...subscriptions]) if (subscriptions.has(subscription)) subscription.onMissed();
    },
    close() {
      closed = true;
      for (const subscription of subscriptions) subscription.stop();
      subscriptions.clear();
    },
  };
}

function subscribe(registration: Registration, logger: ClientLogger): Subscription {
  const { action, event, onError, onResult, pauseMs = 50 } = registration;
  const what = `the refetch of ${action === undefined ? `"${event}"` : `"${action}"`}`;
  const lanes = new Map<unknown, Lane>();
  /** What it was fetched with last: what a reconnect fetches again. */
  let latest = registration.payload;

  const run = async (key: unknown, lane: Lane): Promise<void> => {
    const controller = new AbortController();
    const current = (): boolean => lane.running === controller;
    const from = Date.now();
    lane.running = controller;
    lane.waiting = lane.cutOff = false;
    try {
      const result = await registration.fetch(lane.payload, { signal: controller.signal, data: lane.data });
      // Whatever was asked later wins, however late an earlier answer comes.
      if (current()) guarded(logger, `onResult of ${what}`, onResult, result);
    } catch (error) {
      if (!current()) return;
      lane.cutOff = error instanceof EventFailure && error.code === "DISCONNECTED";
      if (!lane.cutOff) {
        if (onError) guarded(logger, `onError of ${what}`, onError, error);
        else logger.warn(`socket-ingress: ${what} failed`, error);
      }
    }
    if (!current()) return;
    lane.running = undefined;
    if (!lane.cutOff) pause(key, lane, from + pauseMs - Date.now());
  };
  const pause = (key: unknown, lane: Lane, ms: number): void => {
    // A clock that was set back is no reason to wait longer.
    if (ms > 0) lane.rest = setTimeout(() => pause(key, lane, 0), Math.min(ms, pauseMs, longestTimerMs));
    else {
      lane.rest = undefined;
      if (lane.waiting) void run(key, lane);
      else lanes.delete(key);
    }
  };
  const abandon = (lane: Lane): void => {
    const { running } = lane;
    lane.running = undefined;
    clearTimeout(lane.rest);
    lane.rest = undefined;
    running?.abort();
  };

  const subscription: Subscription = {
    registration,
    trigger(payload, data) {
      latest = payload;
      const key = keyOf(payload);
      let lane = lanes.get(key);
      if (lane === undefined) {
        lane = { payload, running: undefined, waiting: false, rest: undefined, cutOff: false, data };
        lanes.set(key, lane);
      }
      lane.data = data;
      if (lane.running || lane.rest) lane.waiting = true;
      else void run(key, lane);
    },
    onReconnect(recovered) {
      const pending = [...lanes].filter(([, lane]) => !recovered || lane.cutOff);
      for (const [key, lane] of pending) {
        abandon(lane);
        void run(key, lane);
      }
      if (!recovered && !lanes.has(keyOf(latest))) subscription.trigger(latest, undefined);
    },
    onMissed() {
      for (const { payload } of [...lanes.values(), { payload: latest }]) subscription.trigger(payload, undefined);
    },
    stop() {
      for (const lane of lanes.values()) abandon(lane);
      lanes.clear();
    },
  };
  return subscription;
}
