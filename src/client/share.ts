import type { EventFailure } from "./event-failure.js";
import { Join } from "./topic-join.js";
import type { Wait } from "./wait.js";

/** How a topic was joined; what {@link JoinOptions.onJoined} is given. */
export interface JoinedTopic {
  /** What the topic's `snapshot` returned on the server. */
  readonly snapshot: unknown;
  /** Whether this is a return: the topic had been joined before, and was out for a while. */
  readonly rejoined: boolean;
  /** Whether all that was pushed to it meanwhile has arrived, as topics with a history have it; never at the first join. */
  readonly recovered: boolean;
}

/** What {@link Client.joinTopic} takes beside the topic. */
export interface JoinOptions {
  /**
   * What the join says, as the topic's `input` on the server takes it; a function is asked at every join and rejoin. Of several shares in
   * one topic, the last one that has an input says it.
   */
  input?: unknown;
  /** Told after joining, before `joinTopic` resolves, and after each rejoin. */
  onJoined?: (joined: JoinedTopic) => unknown;
  /**
   * The short form of `onJoined`, for those that only want the snapshot: given what the topic's `snapshot` returned on the server, after
   * joining and after each rejoin, before `joinTopic` resolves. Not told of a join that brought none. With both, `onJoined` is told first.
   */
  onSnapshot?: (snapshot: unknown) => unknown;
  /**
   * The topic was joined and then lost: the server took it away, refused it after a reconnect or to another share, or ended the
   * connection for good. Nothing of it arrives any more, and it is not joined again. Without this the loss is logged as a warning. For a
   * reason that passes (`INTERNAL`, `TIMEOUT`, `OVERLOADED`, `RATE_LIMITED`, `SHUTTING_DOWN`) it is no loss yet: the topic is asked for
   * again, after a while.
   */
  onLost?: (failure: EventFailure) => unknown;
  /**
   * Pushes to the topic were missed and are not to be had any more, as its history on the server is too short: ask for its state anew.
   * Told after the rejoin, behind `onJoined`. Refetches run by themselves.
   */
  onGap?: () => unknown;
  /** Gives up, or leaves: before the topic is joined the join rejects with `ABORTED`, afterwards this share is given back. */
  signal?: AbortSignal;
  /**
   * How long to wait until the topic is joined, in milliseconds, the wait for a connection included. Then the join rejects, with `TIMEOUT`
   * if the server was asked, else with `DISCONNECTED`. Each time the server is asked it has the client's `timeoutMs`, too.
   *
   * @default Infinity
   */
  timeoutMs?: number;
}

/** One of those who want a topic. */
export interface Share {
  readonly options: JoinOptions;
  readonly promise: Join;
  /** Until it is joined; its signal counts afterwards, too. */
  readonly wait: Wait;
  joined: boolean;
  /** It is joined, or was given back before: who waits goes on. */
  resolve(): void;
  /** It is not joined. */
  reject(failure: EventFailure): void;
}

/** Makes a share; `leave` gives it back, `onUnheard` is told of a rejection that nobody hears. */
export function createShare(
  options: JoinOptions,
  wait: Wait,
  leave: () => void,
  onUnheard: (failure: EventFailure) => void,
): Share {
  let settle!: Parameters<ConstructorParameters<typeof Join>[0]>;
  const promise = new Join((...settlers) => (settle = settlers), leave, onUnheard);
  return {
    options,
    promise,
    wait,
    joined: false,
    resolve() {
      wait.stopClock();
      settle[0](leave);
    },
    reject(failure) {
      // Whoever gives up knows: this is heard here, and no warning.
      if (failure.code === "ABORTED") promise.catch(() => {});
      settle[1](failure);
    },
  };
}
