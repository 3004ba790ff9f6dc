import { randomBytes } from "node:crypto";
import { MISSED_BEATS, type Cluster, type NodeMessage } from "../../push/cluster.js";
import { Batches } from "./batches.js";
import { LocalPresence, type PresenceTable } from "./presence.js";
import { PresenceFeed } from "./presence-feed.js";
import type { PresencePace } from "./presence-settings.js";
import { type NodeChange, PresenceView } from "./presence-view.js";
import type { Member, PresenceChange, PresenceNews, PresenceVersion } from "./protocol.js";

/** How presence is kept. */
export interface PresenceOptions {
  /**
   * How long a user whose last connection was lost still counts as present, in milliseconds. One who leaves the topic is gone at once.
   *
   * @default 5000
   */
  graceMs?: number;
  /** How often a node tells the others that it is alive; one not heard three times is gone with everybody on it. @default 2000 */
  heartbeatMs?: number;
}

/** What {@link PresenceSync} works with. */
export interface PresenceSyncOptions extends Required<PresenceOptions> {
  readonly cluster: Cluster;
  /** How changes of a topic are told. */
  readonly paceOf: (topic: string) => PresencePace;
  /** Tells this node's sockets at a topic. */
  readonly announce: (change: PresenceChange) => void;
}

interface Changes extends NodeMessage {
  readonly kind: "presence";
  readonly node: string;
  readonly seq: number;
  readonly changes: readonly NodeChange[];
}

interface Beat extends NodeMessage {
  readonly kind: "presence-beat";
  readonly node: string;
  readonly seq: number;
}

interface Ask extends NodeMessage {
  readonly kind: "presence-table";
  /** Who is to answer; without it, everybody. */
  readonly of: readonly string[] | null;
}

interface Snapshot {
  readonly node: string;
  readonly seq: number;
  readonly table: PresenceTable;
}

interface Peer {
  seq: number;
  heardAt: number;
}

/**
 * Keeps presence the same on all nodes. Each node numbers what it tells the others, from 1: one that is heard from its beginning is known
 * without being asked, and one that notices a gap asks the node that has what is missing. Each node then tells its own sockets what
 * changed in the whole, so that a client hears of each user once, whichever nodes they are on.
 */
export class PresenceSync {
  readonly #node = randomBytes(6).toString("base64url");
  readonly #cluster: Cluster;
  readonly #announce: (change: PresenceChange) => void;
  readonly #graceMs: number;
  readonly #heartbeatMs: number;
  readonly #local: LocalPresence;
  readonly #view = new PresenceView();
  readonly #feed: PresenceFeed;
  readonly #batches: Batches;
  /** Users of this node of whom the others have not been told yet, by topic. */
  readonly #untold = new Map<string, Set<string>>();
  readonly #peers = new Map<string, Peer>();
  readonly #leaving = new Map<string, NodeJS.Timeout>();
  /** Nodes that have said more than was heard, and the number they were at. */
  readonly #ahead = new Map<string, number>();
  #asking = false;
  #closed = false;
  #seq = 0;
  #beatAt = performance.now();

  constructor({ cluster, graceMs, heartbeatMs, paceOf, announce }: PresenceSyncOptions) {
    this.#cluster = cluster;
    this.#announce = announce;
    this.#graceMs = graceMs;
    this.#heartbeatMs = heartbeatMs;
    this.#local = new LocalPresence(graceMs, (topic, user) => this.#changedHere(topic, user));
    this.#feed = new PresenceFeed(this.#node, this.#view, (topic) => paceOf(topic).max);
    this.#batches = new Batches(
      (topic) => paceOf(topic).batchMs,
      (topics) => this.#tell(topics),
    );
    cluster.on<Changes>("presence", (message) => this.#changedThere(message));
    cluster.on<Beat>("presence-beat", ({ node, seq }) => void this.#heard(node, seq, seq));
    cluster.on("presence-bye", ({ node }: NodeMessage & { node: string }) => this.#bye(node));
    cluster.on<Ask>("presence-table", ({ of }) => (of?.includes(this.#node) === false ? undefined : this.#snapshot()));
  }

  /** A socket of this node came to a topic. */
  enter(topic: string, user: string, socketId: string, info: unknown): void {
    this.#local.enter(topic, user, socketId, info);
  }

  /** A socket of this node went. With `now`, its user is not waited for. */
  exit(topic: string, user: string, socketId: string, now = false): void {
    this.#local.exit(topic, user, socketId, now);
  }

  /** Everyone at a topic, on all nodes as far as this one has heard. */
  list(topic: string): Member[] {
    return this.#view.list(topic);
  }

  /** What one is answered who joins and knows this version, if any. */
  answer(topic: string, known?: PresenceVersion): PresenceNews {
    return this.#feed.answer(topic, known);
  }

  /** Takes in what the other nodes have: once, at the start. */
  async sync(): Promise<void> {
    await this.#ask(null);
  }

  /** Tells the others that this node lives, and buries those not heard for too long. Called every `heartbeatMs`. */
  async beat(): Promise<void> {
    const now = performance.now();
    // One that was stopped for a while has not listened, and knows nothing of the others.
    const listened = now - this.#beatAt < 2 * this.#heartbeatMs;
    this.#beatAt = now;
    for (const [node, peer] of this.#peers) {
      if (!listened) peer.heardAt = now;
      else if (now - peer.heardAt > this.#heartbeatMs * MISSED_BEATS) this.#drop(node);
    }
    await this.#cluster.tell({ kind: "presence-beat", node: this.#node, seq: this.#seq } satisfies Beat);
  }

  /** This node goes: the others keep its users for the grace period, in which they may come back elsewhere. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#batches.clear();
    this.#untold.clear();
    this.#local.clear();
    this.#view.clear();
    this.#feed.clear();
    this.#peers.clear();
    this.#ahead.clear();
    for (const timer of this.#leaving.values()) clearTimeout(timer);
    this.#leaving.clear();
    await this.#cluster.tell({ kind: "presence-bye", node: this.#node });
  }

  #changedHere(topic: string, user: string): void {
    let untold = this.#untold.get(topic);
    if (!untold) this.#untold.set(topic, (untold = new Set()));
    untold.add(user);
    this.#batches.add(topic);
    this.#changed(topic, this.#view.apply(this.#node, this.#localChange(topic, [user])));
  }

  #changedThere({ node, seq, changes }: Changes): void {
    const peer = this.#heard(node, seq - 1, seq);
    if (!peer || seq <= peer.seq) return;
    peer.seq = seq;
    for (const change of changes) this.#changed(change.topic, this.#view.apply(node, change));
  }

  /**
   * A node was heard.
   *
   * @param before the number up to which everything has to be known, to make sense of what it said
   * @param seq its number now
   * @returns what is known of it; nothing if that is not enough, and then it is asked
   */
  #heard(node: string, before: number, seq: number): Peer | undefined {
    // A message that was late.
    if (this.#leaving.has(node)) return undefined;
    let peer = this.#peers.get(node);
    // Heard from its beginning, when it had nobody yet.
    if (!peer && before === 0) this.#peers.set(node, (peer = { seq: 0, heardAt: 0 }));
    if (peer) peer.heardAt = performance.now();
    if (peer && before <= peer.seq) return peer;
    this.#ahead.set(node, Math.max(seq, this.#ahead.get(node) ?? 0));
    if (!this.#asking) void this.#ask();
    return undefined;
  }

  /** Asks those who have what is missing here, until nothing is; with `null`, everybody first. */
  async #ask(of: readonly string[] | null = this.#behind()): Promise<void> {
    this.#asking = true;
    do {
      const message: Ask = { kind: "presence-table", of };
      const { answers } = await this.#cluster.ask<Snapshot>(message);
      for (const answer of answers) this.#take(answer);
      of = this.#behind();
    } while (of.length > 0);
    this.#asking = false;
  }

  /** Whose word is missing still. One that does not answer is asked again when it is heard again. */
  #behind(): string[] {
    const behind = [...this.#ahead].filter(([node, seq]) => (this.#peers.get(node)?.seq ?? -1) < seq);
    this.#ahead.clear();
    return behind.map(([node]) => node);
  }

  #snapshot(): Snapshot {
    return { node: this.#node, seq: this.#seq, table: this.#local.table() };
  }

  #take({ node, seq, table }: Snapshot): void {
    if (this.#closed || this.#leaving.has(node)) return;
    const peer = this.#peers.get(node);
    // Changes overtook this answer: it is older than what is known.
    if (peer && seq < peer.seq) return;
    this.#peers.set(node, { seq, heardAt: performance.now() });
    for (const [topic, users] of this.#view.replace(node, table)) this.#changed(topic, users);
  }

  #bye(node: string): void {
    this.#peers.delete(node);
    clearTimeout(this.#leaving.get(node));
    const timer = setTimeout(() => {
      this.#leaving.delete(node);
      this.#drop(node);
    }, this.#graceMs);
    timer.unref();
    this.#leaving.set(node, timer);
  }

  #drop(node: string): void {
    this.#peers.delete(node);
    for (const [topic, users] of this.#view.replace(node, [])) this.#changed(topic, users);
  }

  #changed(topic: string, users: readonly string[]): void {
    if (users.length === 0) return;
    this.#feed.changed(topic, users);
    this.#batches.add(topic);
  }

  /** Tells the other nodes what is new here, and this node's sockets what is new in the whole. */
  #tell(topics: ReadonlySet<string>): void {
    const changes: NodeChange[] = [];
    for (const topic of topics) {
      const users = this.#untold.get(topic);
      if (users) changes.push(this.#localChange(topic, users));
      this.#untold.delete(topic);
    }
    if (changes.length > 0) {
      const message: Changes = { kind: "presence", node: this.#node, seq: ++this.#seq, changes };
      // Whether there are others is asked with each heartbeat; one that comes in between asks itself.
      void this.#cluster.tell(message, "known");
    }
    for (const topic of topics) {
      const news = this.#feed.take(topic);
      if (news) this.#announce({ topic, ...news });
    }
  }

  #localChange(topic: string, users: Iterable<string>): NodeChange {
    const joined: Member[] = [];
    const left: string[] = [];
    for (const user of users) {
      const member = this.#local.get(topic, user);
      if (member) joined.push(member);
      else left.push(user);
    }
    return { topic, joined, left };
  }
}
