import { passes } from "../wire/codes.js";
import { describeValue } from "../wire/values.js";
import { type Evicted, JOIN, type Joined, LEAVE } from "../features/realtime/protocol.js";
import { type Calls, isUnanswered } from "./calls.js";
import type { ClientSocket } from "./client-socket.js";
import { EventFailure } from "./event-failure.js";
import type { Presence } from "./presence.js";
import { type ClientLogger, guarded } from "./subscribers.js";
import { Join, type TopicJoin } from "./topic-join.js";

/** What {@link Client.joinTopic} takes beside the topic. */
export interface JoinOptions {
  /** Given what the server answers the join with, if it does: after joining and after each rejoin, before `joinTopic` resolves. */
  onSnapshot?: (snapshot: unknown) => unknown;
  /**
   * The topic was joined and then lost: the server took it away, or refused it after a reconnect or to another share. Nothing of it
   * arrives any more, and it is not joined again. Without this the loss is logged as a warning. For a reason that passes (`INTERNAL`,
   * `TIMEOUT`, `OVERLOADED`, `RATE_LIMITED`, `SHUTTING_DOWN`) it is no loss yet: the topic is asked for again, after a while.
   */
  onLost?: (failure: EventFailure) => unknown;
}

/** Which topics this client wants, and which the server knows of. */
export interface Topics {
  /** Takes a share. */
  join(name: string, options: JoinOptions): TopicJoin;
  /**
   * Joins again what a recovered connection did not bring back.
   *
   * @returns settles when the server has said to each join yes or no; `undefined` if there is none
   */
  onConnect(recovered: boolean): Promise<unknown> | undefined;
  /** The server took a topic away: for good, unless the reason passes. */
  onEvicted(evicted: Evicted): void;
  /** Forgets everything; joins that still wait, and those that come later, are rejected with `ABORTED`. */
  close(): void;
}

interface Share extends JoinOptions {
  joined: boolean;
  readonly promise: Promise<unknown>;
  resolve(): void;
  reject(failure: EventFailure): void;
}

interface Topic {
  readonly shares: Set<Share>;
  /** What the server has, as far as can be known: a request that was cut off leaves it unknown. */
  server: "in" | "out" | "unknown";
  /** A join or a leave is on its way: one at a time, so that the server sees them in order. */
  busy: boolean;
  /** It was taken away while a join was on its way: before the answer or right behind it, nobody can say. */
  doubted: boolean;
  tries: number;
  retry: ReturnType<typeof setTimeout> | undefined;
}

const reasonOf = ({ code, message }: EventFailure): string => `${code}, ${message}`;

/**
 * Makes the topics of one client.
 *
 * @param onLateRejoin - told when a topic was joined again some time after a reconnect: what was pushed until then was missed
 */
export function createTopics(
  socket: ClientSocket,
  calls: Calls,
  presence: Presence,
  logger: ClientLogger,
  onLateRejoin: () => void,
): Topics {
  const topics = new Map<string, Topic>();
  let closed = false;

  /** Compares what is wanted with what the server has, and makes the next step, if it can be made now (decision 0027). */
  const reconcile = (name: string, topic: Topic): Promise<void> | undefined => {
    if (topic.busy || !socket.connected || topics.get(name) !== topic) return undefined;
    if (topic.shares.size === 0) {
      rest(topic);
      presence.forget(name);
      if (topic.server !== "out") return ask(name, topic, LEAVE);
      topics.delete(name);
      return undefined;
    }
    if (topic.retry !== undefined) return undefined;
    const waiting = [...topic.shares].filter((share) => !share.joined);
    // A second component gets a snapshot of its own, fresh: the first one's is old by now.
    if (topic.server !== "in" || waiting.some((share) => share.onSnapshot)) return ask(name, topic, JOIN);
    for (const share of waiting) accept(share);
    return undefined;
  };

  const accept = (share: Share): void => {
    share.joined = true;
    share.resolve();
  };

  const ask = async (name: string, topic: Topic, event: typeof JOIN | typeof LEAVE): Promise<void> => {
    const asked = [...topic.shares];
    topic.busy = true;
    topic.doubted = false;
    const version = event === JOIN ? presence.asked(name) : undefined;
    try {
      const said = version === undefined ? name : { topic: name, presence: version };
      const answer = (await calls.call(event, [said])) as Joined | undefined;
      topic.busy = false;
      if (event === LEAVE) topic.server = "out";
      else onJoined(name, topic, asked, answer ?? {});
    } catch (error) {
      topic.busy = false;
      presence.unasked(name);
      onFailed(name, topic, event === LEAVE ? [] : asked, error);
      // A leave that fails will not go better a second time; one that was cut off may be needed after a recovery.
      if (event === LEAVE && !(error instanceof EventFailure && error.code === "DISCONNECTED")) topic.server = "out";
    }
    if (topic.doubted && topic.server === "in") topic.server = "unknown";
    if (topic.doubted) rejoin(name, topic);
    else void reconcile(name, topic);
  };

  /** The next step for a topic that was out for a while, and missed what was pushed. */
  const rejoin = (name: string, topic: Topic): void =>
    void reconcile(name, topic)?.then(() => topic.server === "in" && onLateRejoin());

  const pause = (name: string, topic: Topic, retryAfterMs?: number): void => {
    rest(topic);
    // Spread, as every client of a restarted server comes back at once. A server that says 0 means soon, not without a pause.
    const pauseMs = retryAfterMs || Math.min(30_000, 1_000 * 2 ** topic.tries++) * (0.5 + Math.random() / 2);
    topic.retry = setTimeout(() => {
      topic.retry = undefined;
      rejoin(name, topic);
    }, pauseMs);
  };

  const onJoined = (name: string, topic: Topic, asked: Share[], { snapshot, presence: news }: Joined): void => {
    const anew = topic.server !== "in";
    topic.server = "in";
    topic.tries = 0;
    presence.joined(name, news);
    for (const share of asked) {
      if (!topic.shares.has(share)) continue;
      if (snapshot !== undefined && share.onSnapshot && (anew || !share.joined)) {
        guarded(logger, `onSnapshot of "${name}"`, share.onSnapshot, snapshot);
      }
      accept(share);
    }
  };

  const onFailed = (name: string, topic: Topic, asked: Share[], error: unknown): void => {
    const failure =
      error instanceof EventFailure ? error : new EventFailure("INTERNAL", String(error), { cause: error });
    if (isUnanswered(failure)) topic.server = "unknown";
    // The connection went: whoever waits goes on waiting, and `onConnect` asks again.
    if (failure.code === "DISCONNECTED") return;
    // A conflict on the way back passes, too: who this is may have changed while it was asked.
    const again = passes(failure.code) || failure.code === "CONFLICT";
    for (const share of asked) {
      if (!topic.shares.has(share)) continue;
      if (!share.joined) {
        topic.shares.delete(share);
        share.reject(failure);
      } else if (topic.server !== "in" && !again) lose(name, topic, share, failure);
    }
    if (again && topic.server !== "in" && topic.shares.size > 0) pause(name, topic, failure.retryAfterMs);
    else if (topic.server !== "in") presence.forget(name);
  };

  const lose = (name: string, topic: Topic, share: Share, failure: EventFailure): void => {
    topic.shares.delete(share);
    if (share.onLost) guarded(logger, `onLost of "${name}"`, share.onLost, failure);
    else logger.warn(`socket-ingress: the topic "${name}" was lost: ${reasonOf(failure)}`);
  };

  const abort = (name: string, share: Share): void => {
    // Whoever closes the client knows: this is heard here, and no warning.
    share.promise.catch(() => {});
    share.reject(new EventFailure("ABORTED", `the client is closed; "${name}" was not joined`));
  };

  const rest = (topic: Topic): void => {
    clearTimeout(topic.retry);
    topic.retry = undefined;
  };

  /** Makes the next step now, and no later. */
  const settle = (name: string, topic: Topic): Promise<void> | undefined => {
    rest(topic);
    return reconcile(name, topic);
  };

  return {
    join(name, options) {
      if (typeof name !== "string" || name === "") {
        throw new TypeError(`joinTopic: a topic must be a non-empty string, got ${describeValue(name)}`);
      }
      let topic = topics.get(name);
      if (topic === undefined) {
        topic = { shares: new Set(), server: "out", busy: false, doubted: false, tries: 0, retry: undefined };
        if (!closed) topics.set(name, topic);
      }
      const record = topic;
      const { shares } = record;
      const leave = (): void => {
        if (!shares.delete(share)) return;
        share.resolve();
        // A microtask later: a component that is taken down and put up again in one go costs nothing.
        if (shares.size === 0) queueMicrotask(() => void settle(name, record));
      };
      let settlers!: Pick<Share, "resolve" | "reject">;
      const promise = new Join(
        (resolve, reject) => (settlers = { resolve: () => resolve(leave), reject }),
        leave,
        (error) => logger.warn(`socket-ingress: the topic "${name}" was not joined: ${reasonOf(error)}`),
      );
      const share: Share = { ...options, ...settlers, joined: false, promise };
      shares.add(share);
      if (closed) abort(name, share);
      void reconcile(name, record);
      return promise;
    },
    onConnect(recovered) {
      const asked = [...topics].flatMap(([name, topic]) => {
        topic.tries = 0;
        if (!recovered) topic.server = "out";
        return settle(name, topic) ?? [];
      });
      return asked.length > 0 ? Promise.all(asked) : undefined;
    },
    onEvicted({ topic: name, code, message }) {
      const topic = topics.get(name);
      if (topic === undefined) return;
      topic.server = "out";
      const failure = new EventFailure(code, message, { answered: true });
      topic.doubted = topic.busy;
      if (!passes(code)) {
        for (const share of [...topic.shares]) if (share.joined) lose(name, topic, share, failure);
      } else if (topic.shares.size > 0 && !topic.busy) pause(name, topic);
      presence.forget(name);
      void reconcile(name, topic);
    },
    close() {
      closed = true;
      for (const [name, topic] of topics) {
        rest(topic);
        for (const share of topic.shares) abort(name, share);
        // A rejoin that is on its way is nobody's loss.
        topic.shares.clear();
      }
      topics.clear();
    },
  };
}
