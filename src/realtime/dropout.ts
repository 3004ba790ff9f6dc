import { MISSED_BEATS, type Cluster, type NodeMessage } from "./cluster.js";
import type { Logger } from "../logger.js";

interface Watch {
  readonly user: string;
  readonly run: () => unknown;
  readonly ms: number;
  timer: NodeJS.Timeout | undefined;
}

/** The longest delay a timer of Node can have; above it, it would fire at once. */
export const LONGEST_TIMER_MS: number = 2 ** 31 - 1;

interface Online extends NodeMessage {
  readonly kind: "online";
  readonly users: readonly string[];
}

/** What the other nodes say about users. */
interface Elsewhere {
  readonly online: ReadonlySet<string>;
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
  /** Since when some node has left every question open. */
  #silentSince: number | undefined;

  /** @param isHere whether a user has a socket on this node */
  constructor(cluster: Cluster, log: Logger, heartbeatMs: number, isHere: (user: string) => boolean) {
    this.#cluster = cluster;
    this.#log = log;
    this.#heartbeatMs = heartbeatMs;
    this.#isHere = isHere;
    cluster.on<Online>("online", ({ users }) => users.filter((user) => isHere(user)));
  }

  /** How many watches there are. */
  get size(): number {
    let size = 0;
    for (const watches of this.#watches.values()) size += watches.size;
    return size;
  }

  /** Runs `run` once, when the user has been away for `ms` in one piece. Returns the function that ends the watch. */
  watch(user: string, run: () => unknown, ms: number): () => void {
    const watch: Watch = { user, run, ms, timer: undefined };
    const watches = this.#watches.get(user) ?? new Set();
    this.#watches.set(user, watches.add(watch));
    if (!this.#isHere(user)) this.#start(watch);
    return () => this.#end(watch);
  }

  /** A user got a socket on this node. */
  came(user: string): void {
    for (const watch of this.#watches.get(user) ?? []) this.#stop(watch);
  }

  /** A user's last socket on this node may be gone. */
  went(user: string): void {
    if (this.#isHere(user)) return;
    for (const watch of this.#watches.get(user) ?? []) this.#start(watch);
  }

  /** Looks on the other nodes for those who are not here. Called at every heartbeat. */
  async look(): Promise<void> {
    const away = [...this.#watches.keys()].filter((user) => !this.#isHere(user));
    if (away.length === 0) {
      this.#silentSince = undefined;
      return;
    }
    const { online, known } = await this.#elsewhere(away);
    for (const user of away) {
      if (online.has(user)) this.came(user);
      else if (known) this.went(user);
    }
  }

  /** Ends every watch; nothing is run. */
  clear(): void {
    for (const watches of this.#watches.values()) for (const watch of watches) this.#stop(watch);
    this.#watches.clear();
  }

  #start(watch: Watch): void {
    if (watch.timer !== undefined) return;
    this.#wait(watch, watch.ms);
  }

  #wait(watch: Watch, ms: number): void {
    const rest = ms - LONGEST_TIMER_MS;
    if (rest <= 0) watch.timer = setTimeout(() => void this.#expired(watch), ms);
    else watch.timer = setTimeout(() => this.#wait(watch, rest), LONGEST_TIMER_MS);
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
    const { online, known } = await this.#elsewhere([watch.user]);
    // Ended, or back, or gone again, while the others were asked.
    if (watch.timer !== timer) return;
    if (online.has(watch.user)) return this.#stop(watch);
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
    const { answers, complete } = await this.#cluster.ask<readonly string[]>({
      kind: "online",
      users,
    } satisfies Online);
    const now = performance.now();
    this.#silentSince = complete ? undefined : (this.#silentSince ?? now);
    const silentMs = now - (this.#silentSince ?? now);
    return { online: new Set(answers.flat()), known: complete || silentMs >= this.#heartbeatMs * MISSED_BEATS };
  }
}
