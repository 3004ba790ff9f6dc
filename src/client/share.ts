import { longestTimerMs } from "../wire/values.js";
import { EventFailure } from "./event-failure.js";
import { Join } from "./topic-join.js";

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
  joined: boolean;
  /** It is joined, or was given back before: who waits goes on. */
  resolve(): void;
  /** It is not joined. */
  reject(failure: EventFailure): void;
  /** Its signal says so. */
  abort(): void;
  /** It is none any more: nothing of it is waited for. */
  end(): void;
}

/** What becomes of a share that nobody has answered. */
export interface ShareEvents {
  leave(): void;
  /** Too late, or not wanted any more. */
  giveUp(failure: EventFailure): void;
  /** Whether the server was asked. */
  wasAsked(): boolean;
  /** It was rejected and nobody heard. */
  onUnheard(failure: EventFailure): void;
}

/** Makes a share, whose time begins now. */
export function createShare(name: string, options: JoinOptions, events: ShareEvents): Share {
  const { signal, timeoutMs = Infinity } = options;
  let settlers!: Pick<Share, "resolve" | "reject">;
  const promise = new Join(
    (resolve, reject) => (settlers = { resolve: () => resolve(events.leave), reject }),
    events.leave,
    events.onUnheard,
  );
  const late = `"${name}" was not joined within ${timeoutMs} ms`;
  const onTime = (): void => events.giveUp(new EventFailure(events.wasAsked() ? "TIMEOUT" : "DISCONNECTED", late));
  const timer = timeoutMs <= longestTimerMs ? setTimeout(onTime, timeoutMs) : undefined;
  const share: Share = {
    options,
    promise,
    joined: false,
    resolve() {
      clearTimeout(timer);
      settlers.resolve();
    },
    reject(failure) {
      share.end();
      // Whoever gives up knows: this is heard here, and no warning.
      if (failure.code === "ABORTED") promise.catch(() => {});
      settlers.reject(failure);
    },
    abort() {
      if (share.joined) events.leave();
      else events.giveUp(new EventFailure("ABORTED", `the join of "${name}" was aborted`, { cause: signal?.reason }));
    },
    end() {
      clearTimeout(timer);
      signal?.removeEventListener("abort", share.abort);
    },
  };
  signal?.addEventListener("abort", share.abort);
  return share;
}
