import { type Evicted, JOIN, type Joined, type JoinedAll, LEAVE } from "../features/realtime/protocol.js";
import { passes } from "../wire/codes.js";
import { isFailure } from "../wire/failure.js";
import { type Calls, checkCallOptions } from "./calls.js";
import type { ClientSocket } from "./client-socket.js";
import { each } from "./each.js";
import { EventFailure, fromFailure } from "./event-failure.js";
import { isRecord } from "./frames.js";
import { misfit } from "./misfit.js";
import { createPauses, type Pauses } from "./pauses.js";
import { createPositions, type Position, type PositionEvents } from "../wire/positions.js";
import type { Presence } from "./presence.js";
import { createShare, type JoinOptions, type Share } from "./share.js";
import { type ClientLogger, guarded } from "./subscribers.js";
import type { TopicJoin } from "./topic-join.js";
import { createWait } from "./wait.js";

/**
 * What the server has of a topic, as far as can be known, and what is on its way to it: one request at a time, so that the server sees
 * them in order.
 *
 * | `state`    | the server has it   | on its way | becomes                                                                |
 * | ---------- | ------------------- | ---------- | ---------------------------------------------------------------------- |
 * | `out`      | no                  |            | `joining` when somebody wants it, forgotten when nobody does           |
 * | `unsure`   | nobody can say      |            | `renewing` when somebody wants it, `leaving` when nobody does           |
 * | `in`       | yes                 |            | `renewing` when a share wants an answer of its own, else `leaving`     |
 * | `joining`  | with its answer     | a join     | `in`, or `out` when it is refused                                      |
 * | `renewing` | perhaps, or yes     | a join     | `in`, or what it was: a refusal that takes it away is told before      |
 * | `doubted`  | nobody can say      | a join     | `unsure` with a yes, which may be older than the eviction; else `out`  |
 * | `leaving`  | until it's answered | a leave    | `out`                                                                  |
 *
 * A request that nobody answers leaves its topic `unsure`. A connection that goes makes everything `out` for the next one; if that is
 * recovered, `in` is what it was, and what was on its way is `unsure`. An eviction makes `in` `out`, and a join that is on its way
 * `doubted`. A topic that was refused or taken away for a reason that passes is `out` (or `unsure`) and pauses.
 */
type State = "out" | "unsure" | "in" | "joining" | "renewing" | "doubted" | "leaving";

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
  /** The connection went: nothing is answered any more. */
  onDisconnect(): void;
  /** And no other will come: every topic is lost, whoever waits is told. */
  onEnded(failure: EventFailure): void;
  /** The server took a topic away: for good, unless the reason passes. */
  onEvicted(evicted: Evicted): void;
  /** A push of a topic with history, or a position; returns whether it could be read. */
  onFrame(...frame: [first: unknown, ...rest: unknown[]]): boolean;
  /** The server has lost its place in the history: what has one is joined again. */
  onLostPlace(): void;
  /** Forgets everything; joins that still wait, and those that come later, are rejected with `ABORTED`. */
  close(): void;
}

interface Topic {
  readonly name: string;
  readonly shares: Set<Share>;
  state: State;
  /** What is on its way; what an earlier one is answered says nothing any more. */
  request?: Asked | undefined;
  /** Pushes were missed, and nobody was told yet. */
  gap?: boolean;
  /** Whether the last join brought all that had been pushed before. */
  whole?: boolean;
  readonly pauses: Pauses;
}

/** A request of a topic that is on its way. */
interface Asked {
  readonly topic: Topic;
  /** What it was when it was asked for. */
  readonly from: State;
  readonly shares: readonly Share[];
  readonly at: true | Position;
}

/** What {@link createTopics} tells, and what it works with. */
export interface TopicsOptions {
  readonly socket: ClientSocket;
  readonly calls: Calls;
  readonly presence: Presence;
  readonly logger: ClientLogger;
  /** A topic was joined again some time after a reconnect, or with a gap: what was pushed until then was missed. */
  readonly onMissed: () => void;
  /** A push arrived that had a position. */
  readonly onPush: PositionEvents["onPush"];
}

const reasonOf = ({ code, message }: EventFailure): string => `${code}, ${message}`;

/** Makes the topics of one client. */
export function createTopics({ socket, calls, presence, logger, onMissed, onPush }: TopicsOptions): Topics {
  const topics = new Map<string, Topic>();
  const positions = createPositions({
    onPush,
    onGaps(names) {
      const missed = [...topics.values()].filter(({ name }) => names.includes(name));
      for (const topic of missed) {
        topic.gap = true;
        // Else when the join is answered, behind `onJoined`.
        if (!topic.request) tellGap(topic);
      }
      if (missed.some(({ request }) => !request)) onMissed();
    },
  });
  /** Whether the server knows by this connection, or by one that it has recovered, that positions are read here. */
  let reads = false;
  /** What Socket.IO brings back of an earlier connection has holes: nothing is heard until the server says that it has lost its place. */
  let deaf = false;
  let closed = false;
  let ended: EventFailure | undefined;

  /** Makes the next step of each, if it can be made now (decision 0027); those that are joined from one position are joined by one call. */
  const step = (...list: readonly Topic[]): Promise<unknown> | undefined => {
    const groups = new Map<string, Asked[]>();
    const asking: Promise<void>[] = [];
    for (const topic of list) {
      const { name, shares, state } = topic;
      const waiting = [...shares].filter((share) => !share.joined);
      if (topic.request || !socket.connected || topics.get(name) !== topic) continue;
      if (shares.size === 0) {
        forget(topic);
        if (state === "out") topics.delete(name);
        else asking.push(askToLeave(topic));
      } else if (topic.pauses.resting) continue;
      // A second component gets an answer of its own, fresh: the first one's is old by now.
      else if (state === "in" && !waiting.some(asksAnew)) waiting.forEach(accept);
      else {
        const request = begin(topic, state === "out" ? "joining" : "renewing");
        const group = String(request.at);
        groups.set(group, [...(groups.get(group) ?? []), request]);
      }
    }
    for (const group of groups.values()) asking.push(askToJoin(group));
    return asking.length > 0 ? Promise.all(asking) : undefined;
  };

  /** Makes the next step now, and no later. */
  const settle = (...list: readonly Topic[]): Promise<unknown> | undefined => {
    for (const { pauses } of list) pauses.end();
    return step(...list);
  };

  /** The next step for topics that were out for a while. */
  const rejoin = (...list: readonly Topic[]): void =>
    void step(...list)?.then(() => {
      if (list.some(({ state, whole }) => state === "in" && !whole)) onMissed();
    });

  const begin = (topic: Topic, state: State): Asked => {
    const { name, state: from, shares } = topic;
    topic.state = state;
    return (topic.request = { topic, from, shares: [...shares], at: positions.of(name) });
  };

  /** An answer came; whether it is still waited for. */
  const isDone = (request: Asked): boolean => {
    const { topic } = request;
    if (topic.request !== request) return false;
    topic.request = undefined;
    return true;
  };

  const askToLeave = async (topic: Topic): Promise<void> => {
    const request = begin(topic, "leaving");
    // A leave that fails will not go better a second time.
    await calls.call(LEAVE, [topic.name]).catch(() => {});
    if (!isDone(request)) return;
    topic.state = "out";
    void step(topic);
  };

  /** What a join says of a topic: its name, or more. */
  const saidOf = ({ shares, topic: { name: topic } }: Asked): unknown => {
    const version = presence.asked(topic);
    const given = inputOf(shares);
    const input: unknown = typeof given === "function" ? (given as () => unknown)() : given;
    return version || input !== undefined ? { topic, input, presence: version } : topic;
  };

  const askToJoin = async (group: readonly Asked[]): Promise<void> => {
    const one = group.length === 1;
    let answers: unknown;
    try {
      const said = group.map(saidOf);
      const answer = await calls.call(JOIN, [one ? said[0] : said, group[0]?.at]);
      answers = one ? [answer ?? {}] : (answer as JoinedAll | undefined)?.answers;
    } catch (error) {
      const failure = asFailure(error);
      if (!one && ["INVALID_INPUT", "INTERNAL"].includes(failure.code)) {
        // One that does not fit, or too many at once: that is not the fault of all.
        await Promise.all(group.map(async (request) => request.topic.request === request && askToJoin([request])));
        return;
      }
      answers = group.map(() => failure);
    }
    group.forEach((request, i) => onAnswer(request, readAnswer((answers as unknown[] | undefined)?.[i])));
  };

  const onAnswer = (request: Asked, answer: Joined | EventFailure): void => {
    const { topic } = request;
    if (!isDone(request)) return;
    const doubted = topic.state === "doubted";
    if (answer instanceof EventFailure) onFailed(request, answer);
    else onJoined(request, answer);
    if (doubted) rejoin(topic);
    else void step(topic);
  };

  const onJoined = ({ topic, from, shares, at }: Asked, { snapshot, presence: news }: Joined): void => {
    const { name } = topic;
    const doubted = topic.state === "doubted";
    topic.state = doubted ? "unsure" : "in";
    topic.pauses.reset();
    presence.joined(name, news);
    const whole = (topic.whole = at !== true && !topic.gap);
    for (const share of shares) {
      if (!topic.shares.has(share)) continue;
      const { joined: rejoined } = share;
      if (from !== "in" || doubted || !rejoined) {
        tell(topic, share, "onJoined", { snapshot, rejoined, recovered: rejoined && whole });
        if (snapshot !== undefined) tell(topic, share, "onSnapshot", snapshot);
      }
      accept(share);
    }
    tellGap(topic);
  };

  const tellGap = (topic: Topic): void => {
    if (!topic.gap) return;
    topic.gap = false;
    each(topic.shares, (share) => tell(topic, share, "onGap"));
  };

  const onFailed = ({ topic, from, shares }: Asked, failure: EventFailure): void => {
    presence.joined(topic.name);
    topic.state = failure.answered ? (topic.state === "doubted" ? "out" : from) : "unsure";
    if (topic.state === "out") positions.lose(topic.name);
    // A conflict on the way back passes, too: who this is may have changed while it was asked.
    const again = passes(failure.code) || failure.code === "CONFLICT";
    for (const share of shares) {
      if (!topic.shares.has(share)) continue;
      if (!share.joined) refuse(topic, share, failure);
      else if (topic.state !== "in" && !again) lose(topic, share, failure);
    }
    if (topic.state === "in") return;
    if (again && topic.shares.size > 0) pause(topic, failure.retryAfterMs);
    else presence.forget(topic.name);
  };

  const pause = (topic: Topic, retryAfterMs?: number): void => topic.pauses.rest(() => rejoin(topic), retryAfterMs);

  /** The server says that the topic is out, from this position on; a join that is on its way may say otherwise. */
  const takeOut = (topic: Topic, state: "out" | "unsure", at?: Position): void => {
    positions.lose(topic.name, at);
    if (!topic.request) topic.state = state;
    else if (topic.state !== "leaving") topic.state = "doubted";
  };

  /** Tells a share something, if it wants to know. */
  const tell = <Name extends "onJoined" | "onSnapshot" | "onGap" | "onLost">(
    topic: Topic,
    { options }: Share,
    name: Name,
    ...told: Parameters<Required<JoinOptions>[Name]>
  ): boolean => {
    const fn = options[name] as ((...told: unknown[]) => unknown) | undefined;
    if (fn) guarded(logger, `${name} of "${topic.name}"`, fn, ...told);
    return fn !== undefined;
  };

  /** Nothing is known of it any more, and nothing is waited for. */
  const forget = (topic: Topic): void => {
    topic.pauses.end();
    presence.forget(topic.name);
    positions.forget(topic.name);
  };

  const accept = (share: Share): void => {
    share.joined = true;
    share.resolve();
  };

  /** Takes a share out; whether it was in. The topic is left with the last one. */
  const drop = (topic: Topic, share: Share): boolean => {
    const { shares } = topic;
    const had = shares.delete(share);
    share.wait.end();
    // A microtask later: a component that is taken down and put up again in one go costs nothing.
    if (had) queueMicrotask(() => shares.size > 0 || void settle(topic));
    return had;
  };

  const refuse = (topic: Topic, share: Share, failure: EventFailure): void => {
    drop(topic, share);
    share.reject(failure);
  };

  const lose = (topic: Topic, share: Share, failure: EventFailure): void => {
    drop(topic, share);
    if (!tell(topic, share, "onLost", failure))
      logger.warn(`socket-ingress: the topic "${topic.name}" was lost: ${reasonOf(failure)}`);
  };

  /** Forgets every topic: who is in loses it, who waits is told. */
  const end = (failure: EventFailure): void => {
    ended = failure;
    for (const topic of [...topics.values()]) {
      forget(topic);
      topic.request = undefined;
      topics.delete(topic.name);
      // Whoever closes the client knows.
      each(topic.shares, (share) => (share.joined && !closed ? lose : refuse)(topic, share, failure));
    }
  };

  return {
    join(name, options) {
      if (typeof name !== "string" || name === "") throw misfit("a topic to join", "a non-empty string", name);
      checkCallOptions(options);
      const topic: Topic = topics.get(name) ?? { name, shares: new Set(), state: "out", pauses: createPauses() };
      topics.set(name, topic);
      const leave = (): void => void (drop(topic, share) && share.resolve());
      const wait = createWait(
        options,
        `the join of "${name}"`,
        () => topic.request !== undefined,
        (failure) => (share.joined ? leave() : refuse(topic, share, failure)),
      );
      const share = createShare(options, wait, leave, (failure) =>
        logger.warn(`socket-ingress: the topic "${name}" was not joined: ${reasonOf(failure)}`),
      );
      topic.shares.add(share);
      if (options.signal?.aborted) wait.abort();
      else if (ended && (closed || socket.active === false)) refuse(topic, share, ended);
      void step(topic);
      return share.promise;
    },
    onConnect(recovered) {
      ended = undefined;
      deaf = reads &&= recovered;
      for (const topic of topics.values()) {
        topic.pauses.reset();
        if (!recovered) topic.state = "out";
        // What it said is forgotten there, and it is out.
        else if (topic.state === "in" && inputOf([...topic.shares]) !== undefined) topic.state = "out";
      }
      return settle(...topics.values());
    },
    onDisconnect() {
      deaf = true;
      for (const topic of topics.values()) {
        positions.lose(topic.name);
        if (topic.request === undefined) continue;
        topic.request = undefined;
        topic.state = "unsure";
        presence.joined(topic.name);
      }
    },
    onEnded: end,
    onEvicted(evicted) {
      const { topic: name, code, at } = evicted;
      const topic = topics.get(name);
      if (topic === undefined) return;
      // A join that said more than `at` may have been let in behind it: what came in between is lost.
      if (topic.state === "renewing" && positions.follows(name)) topic.gap = true;
      takeOut(topic, "out", at);
      const failure = fromFailure({ error: evicted });
      if (!passes(code)) {
        positions.forget(name);
        each(topic.shares, (share) => share.joined && lose(topic, share, failure));
      } else if (topic.shares.size > 0 && topic.request === undefined) pause(topic);
      presence.forget(name);
      void step(topic);
    },
    onFrame: (...frame) => deaf || (positions.onFrame(...frame) && (reads = true)),
    onLostPlace() {
      deaf = false;
      // One that waits for its position is told it after this. What a recovered connection brought back is in, and was lost.
      const lost = [...topics.values()].filter(
        ({ name, state }) => positions.of(name) !== true && (state === "in" || positions.follows(name)),
      );
      for (const topic of lost) takeOut(topic, "unsure");
      rejoin(...lost);
    },
    close() {
      closed = true;
      end(new EventFailure("ABORTED", "the client is closed"));
    },
  };
}

/** Whether a share wants an answer of its own, or has something to say. */
function asksAnew({ options: { onJoined, onSnapshot, input } }: Share): unknown {
  return onJoined || onSnapshot || input !== undefined;
}

/** What the last share that has an input says. */
function inputOf(shares: readonly Share[]): unknown {
  return shares.findLast(({ options }) => options.input !== undefined)?.options.input;
}

/** A server that is none of ours may answer anything: only what looks like a yes is one. */
function readAnswer(answer: unknown): Joined | EventFailure {
  if (answer instanceof EventFailure) return answer;
  if (isFailure(answer)) return fromFailure(answer);
  if (isRecord(answer) && !("error" in answer)) return answer;
  return fromFailure({ error: { code: "INTERNAL", message: "no answer to a join" } });
}

function asFailure(error: unknown): EventFailure {
  return error instanceof EventFailure ? error : new EventFailure("INTERNAL", String(error), { cause: error });
}
