import { randomUUID } from "node:crypto";
import { MISSED_BEATS, type Cluster, type NodeMessage } from "../../push/cluster.js";
import { LocalPresence, PresenceView, type PresenceTable } from "./presence.js";
import type { Member, PresenceChange } from "./protocol.js";

/** How presence is kept. */
export interface PresenceOptions {
  /** How long a user whose last socket is gone still counts as present, in milliseconds. @default 5000 */
  graceMs?: number;
  /** How often a node tells the others that it is alive; one not heard three times is gone with everybody on it. @default 5000 */
  heartbeatMs?: number;
}

interface Diff extends NodeMessage {
  readonly kind: "presence";
  readonly node: string;
  readonly seq: number;
  readonly change: PresenceChange;
}

interface Beat extends NodeMessage {
  readonly kind: "presence-beat";
  readonly node: string;
  readonly seq: number;
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
 * Keeps presence the same on all nodes. Each node numbers its changes and tells the others; one that notices a gap, or a node it
 * does not know, asks for everything. Each node then tells its own sockets what changed in the whole, so that a client hears of
 * each user once, whichever nodes they are on.
 */
export class PresenceSync {
  readonly #node = randomUUID();
  readonly #cluster: Cluster;
  readonly #local: LocalPresence;
  readonly #view = new PresenceView();
  readonly #peers = new Map<string, Peer>();
  readonly #leaving = new Map<string, NodeJS.Timeout>();
  readonly #announce: (change: PresenceChange) => void;
  readonly #deadAfterMs: number;
  readonly #graceMs: number;
  #seq = 0;
  #syncing: Promise<void> | undefined;
  #syncAgain = false;

  /** @param announce tells this node's sockets at a topic who came and went */
  constructor(
    cluster: Cluster,
    { graceMs, heartbeatMs }: Required<PresenceOptions>,
    announce: (change: PresenceChange) => void,
  ) {
    this.#cluster = cluster;
    this.#announce = announce;
    this.#graceMs = graceMs;
    this.#deadAfterMs = heartbeatMs * MISSED_BEATS;
    this.#local = new LocalPresence(graceMs, (change) => this.#changedHere(change));
    cluster.on<Diff>("presence", (diff) => this.#changedThere(diff));
    cluster.on<Beat>("presence-beat", ({ node, seq }) => this.#heard(node, seq));
    cluster.on("presence-bye", ({ node }: NodeMessage & { node: string }) => this.#bye(node));
    cluster.on("presence-table", (): Snapshot => ({ node: this.#node, seq: this.#seq, table: this.#local.table() }));
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

  /** Takes in what the other nodes have. */
  async sync(): Promise<void> {
    if (this.#syncing) {
      this.#syncAgain = true;
      return this.#syncing;
    }
    const run = async (): Promise<void> => {
      do {
        this.#syncAgain = false;
        const { answers } = await this.#cluster.ask<Snapshot | undefined>({ kind: "presence-table" });
        for (const answer of answers) if (answer) this.#take(answer);
      } while (this.#syncAgain);
    };
    this.#syncing = run().finally(() => (this.#syncing = undefined));
    return this.#syncing;
  }

  /** Tells the others that this node lives, and buries those not heard for too long. Called every `heartbeatMs`. */
  async beat(): Promise<void> {
    const now = performance.now();
    for (const [node, { heardAt }] of this.#peers) if (now - heardAt > this.#deadAfterMs) this.#drop(node);
    await this.#cluster.tell({ kind: "presence-beat", node: this.#node, seq: this.#seq } satisfies Beat);
  }

  /** This node goes: the others keep its users for the grace period, in which they may come back elsewhere. */
  async close(): Promise<void> {
    this.#local.clear();
    this.#view.clear();
    this.#peers.clear();
    for (const timer of this.#leaving.values()) clearTimeout(timer);
    this.#leaving.clear();
    await this.#cluster.tell({ kind: "presence-bye", node: this.#node });
  }

  #changedHere(change: PresenceChange): void {
    this.#seq++;
    const seen = this.#view.apply(this.#node, change);
    if (seen) this.#announce(seen);
    void this.#cluster.tell({ kind: "presence", node: this.#node, seq: this.#seq, change } satisfies Diff);
  }

  #changedThere({ node, seq, change }: Diff): void {
    const peer = this.#peers.get(node);
    if (!peer || seq > peer.seq + 1) return void this.sync();
    peer.heardAt = performance.now();
    if (seq <= peer.seq) return;
    peer.seq = seq;
    const seen = this.#view.apply(node, change);
    if (seen) this.#announce(seen);
  }

  #heard(node: string, seq: number): void {
    const peer = this.#peers.get(node);
    if (!peer || seq > peer.seq) return void this.sync();
    peer.heardAt = performance.now();
  }

  #take({ node, seq, table }: Snapshot): void {
    if (this.#leaving.has(node)) return;
    const peer = this.#peers.get(node);
    // Diffs overtook this answer: it is older than what is known.
    if (peer && seq < peer.seq) return;
    this.#peers.set(node, { seq, heardAt: performance.now() });
    for (const change of this.#view.replace(node, table)) this.#announce(change);
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
    for (const change of this.#view.replace(node, [])) this.#announce(change);
  }
}
