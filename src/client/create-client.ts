import type { Server } from "socket.io";
import type { Socket } from "socket.io-client";
import { AT, ENDED, EVICTED, GAP, NOTIFY, PRESENCE, REFETCH } from "../features/realtime/protocol.js";
import { RECEIVED } from "../wire/receipts.js";
import { checkCallOptions, type CallOptions, createCalls } from "./calls.js";
import type { Caller, Client, ClientOptions, SendOptions } from "./client.js";
import type { ClientSocket } from "./client-socket.js";
import { createConnection } from "./connection.js";
import { type Frames, isFrame } from "./frames.js";
import { createPresence } from "./presence.js";
import { createRefetches, type RefetchContext, type RefetchOptions } from "./refetches.js";
import { createSubscribers, guarded } from "./subscribers.js";
import { createTopics } from "./topics.js";

const RECEIVE = "receive";
type Listener = (...args: any[]) => unknown;

interface Emitter {
  on?(event: string, fn: Listener): unknown;
  off?(event: string, fn: Listener): unknown;
}

/**
 * Makes a client of a socket of socket.io-client, connected or not. Make one client per socket, and keep it: topics are
 * counted per client.
 *
 * @typeParam App - the server's own `Server<...>` type, or a map of the events that can be called, as `EventsOf` makes one
 * @typeParam Given - the type of the socket, which `client.socket` keeps: that of socket.io-client unless said otherwise
 *
 * @example
 * const client = createClient<App>(io());
 */
export function createClient<App = Server, Given extends ClientSocket = Socket<any, any>>(
  socket: Given,
  options?: ClientOptions,
): Client<App, Given>;
/** Makes a client of something else that is socket enough: a double, or a socket behind an interface of your own. */
export function createClient<App = Server>(socket: ClientSocket, options?: ClientOptions): Client<App>;
export function createClient<App = Server>(socket: ClientSocket, options: ClientOptions = {}): Client<App> {
  const { timeoutMs = 10_000, logger = console } = options;
  checkCallOptions(options);

  const attach = (event: string, fn: Listener, emitter: Emitter = socket): (() => void) => {
    emitter.on?.(event, fn);
    return () => void emitter.off?.(event, fn);
  };
  const label = (event: string): string => `a listener of "${event}"`;
  /** Has everyone hear an event that came inside a frame of ours, whoever they subscribed with. */
  const hand = (event: string, args: unknown[]): void => {
    if (!socket.listeners) pushes.tell(event, ...args);
    else for (const fn of [...socket.listeners(event)]) guarded(logger, label(event), fn.bind(socket), ...args);
  };
  const malformed = (name: string, ...frame: unknown[]): void =>
    logger.warn(`socket-ingress: the server sent a malformed "${name}"`, ...frame);
  const attachOurs = <Name extends keyof Frames>(name: Name, fn: (frame: Frames[Name]) => void): (() => void) =>
    attach(name, (frame: unknown) => (isFrame(name, frame) ? fn(frame) : malformed(name, frame)));
  const pushes = createSubscribers<unknown[]>(logger, label, (event) =>
    attach(event, (...args) => pushes.tell(event, ...args)),
  );
  const named = createSubscribers<[data: unknown]>(logger, label);
  /** Those of the client's own events, each of which is told what its method says. */
  const own = createSubscribers<[told: any]>(logger, label);
  const calls = createCalls(socket, timeoutMs, logger);
  const presence = createPresence(logger);
  const refetches = createRefetches(socket, logger, pushes.add);
  const topics = createTopics({ socket, calls, presence, logger, onMissed: refetches.onMissed, onPush: hand });
  const connection = createConnection(socket, {
    onStatus: (status) => void own.tell("onStatus", status),
    onEnded(failure, willRetry) {
      if (!willRetry) topics.onEnded(failure);
      calls.onRefused(failure);
      own.tell("onEnded", failure);
    },
  });
  let connections = socket.connected ? 1 : 0;

  const attached = [
    attach("connect", () => {
      const recovered = socket.recovered === true;
      const count = ++connections;
      // Topics first: what a call causes to be pushed there must not be missed.
      const rejoined = topics.onConnect(recovered);
      calls.onConnect();
      connection.onConnect();
      if (count > 1) {
        // And what changes after a refetch must be signalled: not before the server has let us in again.
        if (rejoined === undefined) refetches.onReconnect(recovered);
        // Something had to be asked for, so something was missed, whatever was recovered.
        else void rejoined.then(() => count === connections && refetches.onReconnect(false));
        own.tell("onReconnect", { recovered });
      }
      own.tell("onReady", { recovered });
    }),
    attach("disconnect", (reason: string) => {
      topics.onDisconnect();
      calls.onDisconnect();
      connection.onDisconnect(reason);
    }),
    attach("connect_error", connection.onError),
    attachOurs(ENDED, connection.onEnding),
    attachOurs(NOTIFY, ({ event, data }) => {
      const heard = event === undefined ? own.tell(RECEIVE, data) : named.tell(event, data);
      if (!heard)
        logger.warn(`socket-ingress: nobody listens to ${event === undefined ? RECEIVE : `"${event}"`}`, data);
    }),
    attachOurs(PRESENCE, presence.change),
    attachOurs(EVICTED, topics.onEvicted),
    attachOurs(REFETCH, refetches.onRefetch),
    attach(AT, (...frame: [unknown, ...unknown[]]) => topics.onFrame(...frame) || malformed(AT, ...frame)),
    attach(GAP, topics.onLostPlace),
    attach(RECEIVED, (...frame: any[]) => {
      guarded(logger, RECEIVED, frame.pop());
      // Without a name it is about the event before it, and nobody listens.
      hand(frame.shift(), frame);
    }),
    attach("reconnect_failed", connection.onGiveUp, socket.io ?? {}),
    connection.close,
  ];

  const caller = (callOptions?: CallOptions): Caller<App> => {
    const call = (event: string, ...args: unknown[]): Promise<any> => calls.call(event, args, callOptions);
    return { call, invoke: call };
  };

  const refetchOnSocket = (
    event: string,
    action: string | ((context: RefetchContext) => unknown),
    onResult: Listener = () => {},
    refetchOptions?: RefetchOptions,
  ): (() => void) =>
    refetches.add({
      ...refetchOptions,
      event,
      onResult,
      ...(typeof action === "string"
        ? { action, fetch: (payload, { signal }) => calls.call(action, [payload], { signal }) }
        : { fetch: (_, context) => action(context) }),
    });

  let closed = false;
  const close = (): void => {
    closed = true;
    for (const off of attached.splice(0)) off();
    for (const subscribers of [pushes, named, own]) subscribers.close();
    topics.close();
    calls.close();
    presence.close();
    // Last, as it aborts signals, and whoever listens to these may want to take something again.
    refetches.close();
  };

  return {
    socket,
    logger,
    ...caller(),
    with(callOptions) {
      checkCallOptions(callOptions);
      return caller(callOptions);
    },
    // The map of pushes is the user's word for what the server sends; nothing here can check it, nor what a notice carries.
    on: pushes.add as Client<App>["on"],
    send(event: string, ...args: unknown[]) {
      const last = args.at(-1) as SendOptions | undefined;
      // An event may carry anything: what says more than this is no options.
      const isOptions = typeof last?.volatile === "boolean" && Object.keys(last).length === 1;
      calls.send(event, isOptions ? args.slice(0, -1) : args, isOptions && last.volatile);
    },
    get status() {
      return connection.status();
    },
    onStatus(fn) {
      const off = own.add("onStatus", fn);
      guarded(logger, label("onStatus"), fn, connection.status());
      return off;
    },
    onEnded: (fn) => own.add("onEnded", fn),
    joinTopic: (topic, joinOptions = {}) => topics.join(topic, joinOptions),
    refetchOnSocket: refetchOnSocket as Client<App>["refetchOnSocket"],
    receive: (fn) => own.add(RECEIVE, fn),
    onCustomEvent: named.add as Client<App>["onCustomEvent"],
    onReady(fn) {
      if (socket.connected && !closed) {
        guarded(logger, label("onReady"), fn);
        return () => {};
      }
      const off = own.add("onReady", () => {
        off();
        return fn();
      });
      return off;
    },
    onReconnect: (fn) => own.add("onReconnect", fn),
    presence: presence.get,
    presenceCount: presence.count,
    onPresence: presence.on,
    close,
    [Symbol.dispose]: close,
  };
}
