import type { AudienceData } from "../../push/audience.js";
import type { Cluster, NodeMessage } from "../../push/cluster.js";
import type { Histories, HistorySettings } from "./topics.js";

interface HistoriesAsked extends NodeMessage {
  readonly kind: "histories";
  readonly topics: readonly string[];
}

type Settings = Required<HistorySettings>;

interface Learned {
  readonly settings: Settings | undefined;
  readonly until: number;
}

/** What was learned is good for a minute: a server may have been replaced by one that says otherwise. */
const GOOD_MS = 60_000;

const MOST = 10_000;

/** Where nobody is there to be asked, members may come back: this much is kept for them. */
const UNTOLD: Settings = { keep: 1_000, maxAgeMs: 3_600_000 };

/** Tells nodes that ask which topics have a history here. */
export function tellHistories(cluster: Cluster, { of }: Histories): void {
  cluster.on<HistoriesAsked>("histories", ({ topics }) => topics.map((topic) => of(topic) ?? null));
}

/** The histories of topics that other nodes declare, for a node that declares none. */
export class LearnedHistories {
  readonly #cluster: Cluster;
  readonly #hasLog: boolean;
  readonly #learned = new Map<string, Learned>();

  /** @param hasLog whether there is a log to push to */
  constructor(cluster: Cluster, hasLog: boolean) {
    this.#cluster = cluster;
    this.#hasLog = hasLog;
  }

  /** How much is kept of a topic, as far as was learned. */
  of(topic: string): Settings | undefined {
    return this.#learned.get(topic)?.settings;
  }

  /** Whether any topic that was learned of has a history. */
  any(): boolean {
    return [...this.#learned.values()].some(({ settings }) => settings !== undefined);
  }

  /**
   * Asks the other nodes about the topics of an audience; `undefined` if there is nothing to be asked.
   *
   * @throws Error (as a rejection) if there is a history, and no log to push to
   */
  learn(data: AudienceData): Promise<void> | undefined {
    const now = performance.now();
    const unknown = [...topicsOf(data)].filter((topic) => (this.#learned.get(topic)?.until ?? 0) <= now);
    return unknown.length === 0 ? undefined : this.#ask(unknown);
  }

  async #ask(topics: readonly string[]): Promise<void> {
    const { answers } = await this.#cluster.ask<(Settings | null)[]>({
      kind: "histories",
      topics,
    } satisfies HistoriesAsked);
    const until = performance.now() + (answers.length > 0 ? GOOD_MS : 0);
    for (const [i, topic] of topics.entries()) {
      const told = answers.map((answer) => answer[i]).find((answer) => answer !== null && answer !== undefined);
      const settings = told ?? (answers.length === 0 && this.#hasLog ? UNTOLD : undefined);
      if (settings !== undefined && !this.#hasLog)
        throw new Error(
          `createEmitter: topic "${topic}" has a history; give the emitter the log that the servers have`,
        );
      this.#learned.delete(topic);
      this.#learned.set(topic, { settings, until });
    }
    for (const topic of this.#learned.keys()) {
      if (this.#learned.size <= MOST) break;
      this.#learned.delete(topic);
    }
  }
}

/** All topics that an audience names. */
function topicsOf(data: AudienceData, found: Set<string> = new Set()): Set<string> {
  if (data.kind === "topic") found.add(data.id);
  else if (data.kind === "union" || data.kind === "and") for (const part of data.of) topicsOf(part, found);
  else if (data.kind === "except") topicsOf(data.from, found);
  return found;
}
