import type { Refetch } from "../features/realtime/protocol.js";
import { longestTimerMs } from "../wire/values.js";
import type { ClientSocket } from "./client-socket.js";
import { each } from "./each.js";
import { EventFailure } from "./event-failure.js";
import { keyOf } from "./key-of.js";
import { misfit } from "./misfit.js";
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
  readonly action?: string;
  /** What to call the action with, unless the server says. */
  readonly payload?: unknown;
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

/** One subscription. */
interface Subscription {
  readonly event: string;
  readonly action: string | undefined;
  /** Fetches with this payload, or its own; unless the signal came from here and is left out. */
  trigger(payload: unknown, data: unknown, origin?: unknown): void;
  onReconnect(recovered: boolean): void;
  onMissed(): void;
  stop(): void;
}

/** Fetches of one subscription with one payload: at most one runs and one waits. */
interface Lane {
  readonly payload: unknown;
  /** There is news; `data` is what came with it. */
  trigger(data: unknown): void;
  /** There is a connection again. */
  onReconnect(recovered: boolean): void;
  /** What runs is aborted, what waits forgotten. */
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
  const isOwn = (origin: unknown): boolean => socket.id !== undefined && origin === socket.id;

  return {
    add(registration) {
      const { pauseMs = 50, payload, immediate } = registration;
      if (!(pauseMs >= 0)) throw misfit("pauseMs", "a number of milliseconds from 0", pauseMs);
      if (closed) return () => {};
      const subscription = subscribe({ ...registration, pauseMs }, logger, isOwn);
      const off = listen(registration.event, (data) =>
        subscription.trigger(payload, data, (data as { origin?: unknown } | null | undefined)?.origin),
      );
      subscriptions.add(subscription);
      if (immediate) subscription.trigger(payload, undefined);
      return () => {
        off();
        subscriptions.delete(subscription);
        subscription.stop();
      };
    },
    onRefetch: (refetch) =>
      each(subscriptions, ({ action, event, trigger }) => {
        // A function has no name the server could ask for: it is meant when its signal is.
        if (action === undefined ? event !== refetch.event : action !== refetch.action) return;
        if (!refetch.event || event === refetch.event) trigger(refetch.payload, refetch.payload, refetch.origin);
      }),
    onReconnect: (recovered) => each(subscriptions, (subscription) => subscription.onReconnect(recovered)),
    onMissed: () => each(subscriptions, (subscription) => subscription.onMissed()),
    close() {
      closed = true;
      each(subscriptions, (subscription) => subscription.stop());
      subscriptions.clear();
    },
  };
}

function subscribe(
  registration: Registration & { readonly pauseMs: number },
  logger: ClientLogger,
  isOwn: (origin: unknown) => boolean,
): Subscription {
  const { action, event, payload: own, skipOwn } = registration;
  const lanes = new Map<unknown, Lane>();
  /** What it was fetched with last: what a reconnect fetches again. */
  let latest = own;

  const trigger: Subscription["trigger"] = (payload = own, data, origin) => {
    if (skipOwn && isOwn(origin)) return;
    latest = payload;
    const key = keyOf(payload);
    const lane = lanes.get(key) ?? createLane(registration, payload, logger, () => lanes.delete(key));
    lanes.set(key, lane);
    lane.trigger(data);
  };

  return {
    action,
    event,
    trigger,
    onReconnect(recovered) {
      for (const lane of [...lanes.values()]) lane.onReconnect(recovered);
      if (!recovered && !lanes.has(keyOf(latest))) trigger(latest, undefined);
    },
    onMissed() {
      for (const { payload } of [...lanes.values(), { payload: latest }]) trigger(payload, undefined);
    },
    stop() {
      for (const lane of lanes.values()) lane.stop();
      lanes.clear();
    },
  };
}

function createLane(
  { action, event, fetch, onError, onResult, pauseMs }: Registration & { readonly pauseMs: number },
  payload: unknown,
  logger: ClientLogger,
  onIdle: () => void,
): Lane {
  const what = `the refetch of "${action ?? event}"`;
  let running: AbortController | undefined;
  let waiting = false;
  /** Between the end of a fetch and the beginning of the next. */
  let rest: ReturnType<typeof setTimeout> | undefined;
  /** The connection went while it ran: nobody knows what changed. */
  let cutOff = false;
  let latest: unknown;

  const run = async (): Promise<void> => {
    const controller = new AbortController();
    const isCurrent = (): boolean => running === controller;
    const from = Date.now();
    running = controller;
    waiting = cutOff = false;
    try {
      const result = await fetch(payload, { signal: controller.signal, data: latest });
      // Whatever was asked later wins, however late an earlier answer comes.
      if (isCurrent()) guarded(logger, `onResult of ${what}`, onResult, result);
    } catch (error) {
      if (!isCurrent()) return;
      cutOff = error instanceof EventFailure && error.code === "DISCONNECTED";
      if (!cutOff) {
        if (onError) guarded(logger, `onError of ${what}`, onError, error);
        else logger.warn(`socket-ingress: ${what} failed`, error);
      }
    }
    if (!isCurrent()) return;
    running = undefined;
    if (!cutOff) pause(from + pauseMs - Date.now());
  };
  const pause = (ms: number): void => {
    rest = undefined;
    // A clock that was set back is no reason to wait longer.
    if (ms > 0) rest = setTimeout(() => pause(0), Math.min(ms, pauseMs, longestTimerMs));
    else if (waiting) void run();
    else onIdle();
  };
  const stop = (): void => {
    const aborted = running;
    running = undefined;
    clearTimeout(rest);
    rest = undefined;
    aborted?.abort();
  };

  return {
    payload,
    trigger(data) {
      latest = data;
      if (running || rest) waiting = true;
      else void run();
    },
    onReconnect(recovered) {
      if (recovered && !cutOff) return;
      stop();
      void run();
    },
    stop,
  };
}
