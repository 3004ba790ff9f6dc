import { randomUUID } from "node:crypto";
import type { Namespace } from "socket.io";
import type { Logger } from "../lifecycle/logger.js";
import { unloggable } from "../wire/sendable.js";
import { type Awaitable, isThenable } from "../wire/values.js";
import type { AudienceData } from "./audience.js";
import type { Cluster, NodeMessage, Reach } from "./cluster.js";
import { type CaughtUp, LogFollower } from "./log-follower.js";
import { type HistoryOf, loggedPush, type LoggedPush } from "./logged-push.js";
import { MemoryTopicLog } from "./memory-topic-log.js";
import { isOfOneProcess } from "./one-process.js";
import type { PushOptions } from "./push-options.js";
import type { Pusher } from "./pusher.js";
import { historyRoom, type Reading } from "./rooms.js";
import type { LoggedEntry, Position, TopicHistory, TopicLog } from "./topic-log.js";

/** What a {@link History} is made of. */
export interface HistoryOptions {
  readonly namespace: Namespace;
  readonly cluster: Cluster;
  readonly pusher: Pusher;
  readonly log: TopicLog;
  readonly logger: Logger;
  readonly historyOf: HistoryOf;
  /** Whether any topic has a history. */
  readonly enabled: () => boolean;
  /** The event that pushes travel by to sockets that read positions: `(n, event, ...args)`. */
  readonly frame: string;
  /** This node can't go on without a gap: whoever reads positions has to join again. */
  readonly onGap: () => void;
}

interface EntryMessage extends NodeMessage {
  readonly kind: "entry";
  readonly entry: LoggedEntry;
}

const readings: readonly Reading[] = ["positions", "events"];

/** The options of a push that does not wait for a log. */
const unkept = ["local", "volatile", "latest", "receipts"] as const;

/** Whose a log is that can't be divided. */
const namespaces = new WeakMap<TopicLog, string>();

/**
 * The log of a namespace (decision 0089).
 *
 * @throws Error if it is that of another namespace, whose pushes would reach the members of topics of the same name here
 */
export function logOf(log: TopicLog, namespace: string): TopicLog {
  if (log.of) return log.of(namespace);
  const owner = namespaces.get(log) ?? namespace;
  if (owner !== namespace)
    throw new Error(`Realtime: the log is that of the namespace ${owner} already; give ${namespace} a log of its own`);
  namespaces.set(log, namespace);
  return log;
}

/**
 * Says whether topics may have a history in this log.
 *
 * @throws Error if it is in memory and the adapter is not one of Socket.IO's own for a single process
 */
export function checkLog(log: TopicLog, namespace: Namespace): void {
  if (!(log instanceof MemoryTopicLog) || isOfOneProcess(namespace)) return;
  throw new Error(
    `Realtime: topics with history need a log that all nodes share, such as log: new RedisTopicLog(client); the log in memory goes with ` +
      `Socket.IO's own adapter for a single process, and the namespace ${namespace.name} has ${namespace.adapter.constructor.name}`,
  );
}

/**
 * The pushes to topics with history, as one node sees them: what is pushed is appended to the log, told to the other nodes, and sent to
 * this node's sockets in the order of the log, once each.
 */
export class History {
  readonly #options: HistoryOptions;
  readonly #follower: LogFollower;
  /** The log is this node's alone, and there are others: nothing that is pushed has a position any more. */
  #alone = false;
  #pushes = 0;
  #failures = 0;

  constructor(options: HistoryOptions) {
    this.#options = options;
    const { cluster, log, logger, onGap } = options;
    this.#follower = new LogFollower({
      log,
      logger,
      tell: (entry) => {
        // A log in memory is nobody else's.
        if (!(log instanceof MemoryTopicLog))
          void cluster.tell({ kind: "entry", entry } satisfies EntryMessage, "known");
      },
      onEntry: (entry) => this.#deliver(entry),
      onGap,
    });
    cluster.on<EntryMessage>("entry", ({ entry }) => {
      if (!(log instanceof MemoryTopicLog)) this.#follower.heard(entry);
    });
    cluster.onOther(() => this.#notAlone());
  }

  /** How many pushes were appended, and how many could not be. */
  get stats(): { pushes: number; failures: number } {
    return { pushes: this.#pushes, failures: this.#failures };
  }

  /** Until where this node has sent the log to its sockets; `undefined` while it does not know. */
  get position(): Position | undefined {
    return this.#alone ? undefined : this.#follower.position;
  }

  /** How much is kept of a topic. */
  of(topic: string): TopicHistory | undefined {
    const history = this.#options.historyOf(topic);
    return history && { topic, ...history };
  }

  /**
   * Pushes to an audience with topics that have a history; `undefined` if it has none. Without the log it rejects, which nobody has to
   * hear, and says so to the logger.
   *
   * @throws TypeError at once if it can't be kept
   */
  push(
    data: AudienceData,
    event: string,
    payload: readonly unknown[],
    options: PushOptions = {},
  ): Promise<Reach | undefined> | undefined {
    const push = this.#options.enabled() ? loggedPush(data, this.#options.historyOf) : undefined;
    if (push === undefined) return undefined;
    const refuse = (what: string, why = ""): TypeError => {
      const topics = push.topics.map(({ topic }) => `"${topic}"`).join(", ");
      return new TypeError(`"${event}": a ${what} to topic ${topics}, which has a history, can't be kept${why}`);
    };
    for (const option of unkept) {
      if (options[option] !== undefined && options[option] !== false) throw refuse(`${option} push`);
    }
    const reason = unloggable(payload);
    if (reason !== undefined) throw refuse("push", `: ${reason}`);
    if (this.#alone) return undefined;
    const pushed = this.#push(push, data, event, payload, options.count === true);
    pushed.catch((error: unknown) => {
      this.#failures++;
      this.#options.logger.error({ err: error, push: event }, "a push could not be appended to the log of topics");
    });
    return pushed;
  }

  /** The same as {@link LogFollower.catchUp}; where the log is not to be relied on, everything is a gap. */
  async catchUp<T>(
    topics: readonly TopicHistory[],
    at: Position | undefined,
    use: (missed: CaughtUp) => T,
  ): Promise<T> {
    if (!this.#alone) return this.#follower.catchUp(topics, at, use);
    const gaps = at === undefined ? [] : topics.map(({ topic }) => topic);
    return use({ position: [randomUUID(), 0], gaps, entries: [] });
  }

  /** The same as {@link LogFollower.reach}. */
  reach(): Awaitable<void> {
    return this.#alone ? undefined : this.#follower.reach();
  }

  /** Sends nothing any more. */
  close(): void {
    this.#follower.close();
  }

  async #push(
    { topics, variant, except, rest }: LoggedPush,
    data: AudienceData,
    event: string,
    payload: readonly unknown[],
    count: boolean,
  ): Promise<Reach | undefined> {
    const { log, pusher } = this.#options;
    this.#pushes++;
    // What is said is what it is now, though it is sent when the log has answered.
    const args = log instanceof MemoryTopicLog ? payload : (JSON.parse(JSON.stringify(payload)) as unknown[]);
    const appended = this.#follower.push(topics, { renditions: [[variant, event, args]], except });
    if (isThenable(appended)) await appended;
    if (rest !== undefined) await pusher.send(rest, event, payload);
    return count ? pusher.count(data) : undefined;
  }

  #deliver({ n, topics, renditions, except }: LoggedEntry): void {
    const { namespace, frame } = this.#options;
    const { rooms } = namespace.adapter;
    for (const reading of readings) {
      const before: string[] = [];
      for (const [variant, event, args] of renditions) {
        const meant = topics.map((topic) => historyRoom(reading, topic, variant ?? ""));
        const to = meant.filter((room) => rooms.has(room));
        if (to.length > 0) {
          // Of several renditions each socket gets the first that is for it.
          const without = [...except, ...before];
          const local = namespace.local.to(to);
          const operator = without.length === 0 ? local : local.except(without);
          if (reading === "positions") operator.emit(frame, n, event, ...args);
          else operator.emit(event, ...args);
        }
        before.push(...to);
      }
    }
  }

  #notAlone(): void {
    const { log, logger, enabled, onGap } = this.#options;
    if (this.#alone || !(log instanceof MemoryTopicLog) || !enabled()) return;
    this.#alone = true;
    logger.error(
      "another node speaks, but the log of topics with history is in the memory of this one: pushes go without positions from here on, and whoever comes back is told of a gap; give all nodes one log, such as RedisTopicLog",
    );
    onGap();
  }
}
