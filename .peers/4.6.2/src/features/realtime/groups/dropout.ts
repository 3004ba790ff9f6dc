import { longestTimerMs } from "../../../wire/values.js";
import { MISSED_BEATS, type Cluster, type NodeMessage } from "../../../push/cluster.js";
import type { Logger } from "../../../lifecycle/logger.js";

interface Watch {
  readonly user: string;
  readonly run: () => unknown;
  readonly ms: number;
  timer: NodeJS.Timeout | undefined;
  /** Since when the user has been away, on the clock of this process. */
  since: number;
}

/** What a node says of a user: they are there, or were until so many milliseconds ago. */
type Sighting = string | readonly [user: string, awayMs: number];

interface Online extends NodeMessage {
  readonly kind: "online";
  readonly users: readonly string[];
}

/** What the other nodes say about users. */
interface Elsewhere {
  /** How long ago each was seen last; 0 for those who are there. */
  readonly awayMs: ReadonlyMap<string, number>;
  /** False while a node that may have more of them has not answered, and may still. */
  readonly known: boolean;
}

/**
 * Waits for users to stay away. A user is away while they have no socket on any node; what happens on this node is known at once,
 * what happens on others is asked at every heartbeat, and once more before anything is run. While a node does not answer nobody is
 * taken for gone: it may be the one they are on.
 */
export class Dropouts {
  readonly #cluster: Cluster;
  readonly #log: Logger;
  readonly #heartbeatMs: number;
  readonly #isHere: (user: string) => boolean;
  readonly #watches = new Map<string, Set<Watch>>();
  /** When users were here last, for a few heartbeats: long enough that every node that watches for them has asked. */
  readonly #left = new Map<string, number>();
  /** Since when some node has left every question open. */
  #silentSince: number | undefined;

  /** @param isHere whether a user has a socket on this node */
  constructor(cluster: Cluster, log: Logger, heartbeatMs: number, isHere: (user: string) => boolean) {
    this.#cluster = cluster;
    this.#log = log;
    this.#heartbeatMs = heartbeatMs;
    this.#isHere = isHere;
    cluster.on<Online>("online", ({ users }) => users.flatMap((user) => this.#sighting(user)));
  }

  /** How many watches there are. */
  get size(): number {
    let size = 0;
    for (const watches of this.#watches.values()) size += watches.size;
    return size;
  }

  /** Runs `run` once, when the user has been away for `ms` in one piece. Returns the function that ends the watch. */
  watch(user: string, run: () => unknown, ms: number): () => void {
    const watch: Watch = { user, run, ms, timer: undefined, since: 0 };
    const watches = this.#watches.get(user) ?? new Set();
    this.#watches.set(user, watches.add(watch));
    if (!this.#isHere(user)) this.#start(watch, 0);
    return () => this.#end(watch);
  }

  /** A user got a socket on this node. */
  came(user: string): void {
    for (const watch of this.#watches.get(user) ?? []) this.#stop(watch);
  }

  /** A user's last socket on this node may be gone. */
  went(user: string): void {
    if (this.#isHere(user)) return;
    this.#left.set(user, performance.now());
    this.#away(user, 0);
  }

  /** Looks on the other nodes for those who are not here. Called at every heartbeat. */
  async look(): Promise<void> {
    const oldest = performance.now() - this.#heartbeatMs * MISSED_BEATS;
    for (const [user, at] of this.#left) if (at < oldest) this.#left.delete(user);
    const away = [...this.#watches.keys()].filter((user) => !this.#isHere(user));
    if (away.length === 0) {
      this.#silentSince = undefined;
      return;
    }
    const { awayMs, known } = await this.#elsewhere(away);
    for (const user of away) {
      const ms = awayMs.get(user);
      if (this.#isHere(user)) continue;
      if (ms === 0) this.came(user);
      else if (ms !== undefined) this.#away(user, ms);
      else if (known) this.#away(user, Infinity);
    }
  }

  /** Ends every watch; nothing is run. */
  clear(): void {
    for (const watches of this.#watches.values()) for (const watch of watches) this.#stop(watch);
    this.#watches.clear();
    this.#left.clear();
  }

  #sighting(user: string): Sighting[] {
    if (this.#isHere(user)) return [user];
    const at = this.#left.get(user);
    return at === undefined ? [] : [[user, performance.now() - at]];
  }

  /** A user is away, and was seen so long ago, if it is known; what began before that was not one piece. */
  #away(user: string, ms: number): void {
    for (const watch of this.#watches.get(user) ?? []) {
      if (watch.timer === undefined) this.#start(watch, ms === Infinity ? 0 : ms);
      else if (watch.since < performance.now() - ms) {
        this.#stop(watch);
        this.#start(watch, ms);
      }
    }
  }

  #start(watch: Watch, awayMs: number): void {
    watch.since = performance.now() - awayMs;
    this.#wait(watch, Math.max(0, watch.ms - awayMs));
  }

  #wait(watch: Watch, ms: number): void {
    const rest = ms - longestTimerMs;
    if (rest <= 0) watch.timer = setTimeout(() => void this.#expired(watch), ms);
    else watch.timer = setTimeout(() => this.#wait(watch, rest), longestTimerMs);
  }

  #stop(watch: Watch): void {
    clearTimeout(watch.timer);
    watch.timer = undefined;
  }

  #end(watch: Watch): void {
    this.#stop(watch);
    const watches = this.#watches.get(watch.user);
    watches?.delete(watch);
    if (watches?.size === 0) this.#watches.delete(watch.user);
  }

  async #expired(watch: Watch): Promise<void> {
    const { timer } = watch;
    const { awayMs, known } = await this.#elsewhere([watch.user]);
    // Ended, or back, or gone again, while the others were asked.
    if (watch.timer !== timer) return;
    const ms = awayMs.get(watch.user);
    if (ms === 0) return this.#stop(watch);
    if (ms !== undefined && watch.since < performance.now() - ms) return this.#start(watch, ms);
    if (!known) {
      watch.timer = setTimeout(() => void this.#expired(watch), this.#heartbeatMs);
      return;
    }
    this.#end(watch);
    try {
      await watch.run();
    } catch (error) {
      this.#log.error({ err: error, user: watch.user }, "what should run after a dropout failed");
    }
  }

  async #elsewhere(users: readonly string[]): Promise<Elsewhere> {
    const { answers, complete } = await this.#cluster.ask<readonly Sighting[]>({
      kind: "online",
      users,
    } satisfies Online);
    const now = performance.now();
    this.#silentSince = complete ? undefined : (this.#silentSince ?? now);
    const silentMs = now - (this.#silentSince ?? now);
    const awayMs = new Map<string, number>();
    for (const sighting of answers.flat()) {
      const [user, ms] = typeof sighting === "string" ? ([sighting, 0] as const) : sighting;
      awayMs.set(user, Math.min(ms, awayMs.get(user) ?? Infinity));
    }
    return { awayMs, known: complete || silentMs >= this.#heartbeatMs * MISSED_BEATS };
  }
}
