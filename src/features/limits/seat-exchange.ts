import { randomBytes } from "node:crypto";
import type { ClusterMessages } from "../../push/cluster-messages.js";
import { MISSED_BEATS } from "../../push/cluster.js";
import type { Seat, Seats } from "./seats.js";

/** A seat on its way to another node. */
type Told = readonly [id: string, stamp: number, isTaken: boolean, address: string, user: string | null];

/** What all messages of a node say: where its clock and its count of changes are. */
interface Said {
  readonly node: string;
  readonly clock: number;
  readonly seq: number;
}

interface Changes extends Said {
  readonly taken: readonly string[];
  readonly freed: readonly string[];
  readonly users: readonly (readonly [id: string, user: string | null])[];
}

interface Beat extends Said {
  /** The last questions it has heard, by who asked: an answer, too, which no silent node holds up. */
  readonly heard: readonly (readonly [node: string, question: number])[];
}

interface Table extends Said {
  readonly seats: readonly Told[];
}

/** What the exchange tells its node. */
export interface ExchangeEvents {
  /** A heartbeat is due. */
  readonly onBeat: () => void;
  /** A newer connection, on another node, takes the place of one that may be of this node. */
  readonly onReplaced: (id: string) => unknown;
}

interface Peer {
  /** Up to which of its messages all have been applied. */
  seq: number;
  heardAt: number;
  /** What overtook a message that it had sent before. */
  readonly early: Map<number, () => void>;
  /** The last question of its own that was heard. */
  question: number;
  /** The last question that it has answered, and the last of its messages before the answer. */
  answered: { readonly question: number; readonly seq: number };
}

/** A seat that is asked about. */
interface Open {
  readonly seat: Seat;
  readonly isDecided: (nodes: number) => boolean;
  readonly resolve: () => void;
  /** The first question that named it. */
  question: number;
}

/** How long others are waited for that are asked about a seat, before nodes decide alone what they may, and ask again. */
const ASK_MS = 2_000;
/** The same after a question that was not answered in time, until one is. */
const ASK_AGAIN_MS = 250;

/**
 * Has all nodes know of all seats (decision 0064, decision 0081). Whoever asks for a seat is told to the others first, with a stamp that is later
 * than all that were heard of; when they have answered, and what each had said before has arrived, all seats that could be before it are known
 * here, so that each node decides alone and all decide alike. One question is under way at a time, for all who came meanwhile. A node that
 * was not heard for three heartbeats is dead, and its seats are free.
 */
export class SeatExchange {
  readonly node: string = randomBytes(6).toString("base64url");
  readonly #messages: ClusterMessages;
  readonly #seats: Seats;
  readonly #heartbeatMs: number;
  readonly #peers = new Map<string, Peer>();
  /** Those that the next question will name first. */
  readonly #asking: Open[] = [];
  /** Those that were named, and are not known to all yet. */
  readonly #open = new Set<Open>();
  readonly #offs: (() => void)[];
  readonly #heartbeat: NodeJS.Timeout;
  readonly #catchingUp = new Set<string | null>();
  #hasMet = false;
  #patienceMs = ASK_MS;
  #isAsking = false;
  #endRound: () => void = () => undefined;
  #clock = 0;
  #seq = 0;
  #beatAt = performance.now();
  #taken: string[] = [];
  #freed: string[] = [];
  #users: [id: string, user: string | null][] = [];

  constructor(messages: ClusterMessages, seats: Seats, heartbeatMs: number, { onBeat, onReplaced }: ExchangeEvents) {
    this.#messages = messages;
    this.#seats = seats;
    this.#heartbeatMs = heartbeatMs;
    this.#offs = [
      messages.on("ask", (table: Table) => this.#heardQuestion(table)),
      messages.on("changes", (changes: Changes) => this.#inOrder(changes, () => this.#apply(changes))),
      messages.on("beat", (beat: Beat) => this.#heardBeat(beat)),
      messages.on("table", (of: string | null) => (of === null || of === this.node ? this.#table() : null)),
      messages.on("replace", (id: string) => void onReplaced(id)),
      messages.on("bye", (node: string) => this.#drop(node)),
    ];
    this.#heartbeat = setInterval(() => {
      onBeat();
      this.#beat();
    }, heartbeatMs);
    this.#heartbeat.unref();
  }

  /**
   * Resolves when all others have answered about a seat. Where one does not, as soon as `isDecided` says, with so many nodes, that no answer
   * would change anything; it is asked when an answer is late.
   */
  ask(seat: Seat, isDecided: (nodes: number) => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.#asking.push({ seat, isDecided, resolve, question: 0 });
      if (!this.#isAsking) void this.#askAll();
    });
  }

  taken(seat: Seat): void {
    this.#note(() => this.#taken.push(seat.id));
  }

  freed(seat: Seat): void {
    if (seat.state !== "reserved") this.#note(() => this.#freed.push(seat.id));
    this.#settle();
  }

  moved(seat: Seat): void {
    if (seat.state !== "reserved") this.#note(() => this.#users.push([seat.id, seat.user ?? null]));
  }

  /** Has the node of a seat end its connection. */
  replace(id: string): void {
    void this.#messages.tell("replace", id);
  }

  /** This node goes, and its seats with it. */
  close(): void {
    clearInterval(this.#heartbeat);
    for (const off of this.#offs) off();
    for (const { resolve } of [...this.#asking.splice(0), ...this.#open]) resolve();
    this.#open.clear();
    this.#peers.clear();
    this.#endRound();
    void this.#messages.tell("bye", this.node);
  }

  async #askAll(): Promise<void> {
    this.#isAsking = true;
    // Those of the same turn ask together.
    await Promise.resolve();
    // Before it is known who the others are no answer says anything.
    if (!this.#hasMet) await atMost(this.#heartbeatMs * MISSED_BEATS, this.#catchUp(null));
    this.#hasMet = true;
    while (this.#asking.length + this.#open.size > 0) {
      this.#flush();
      for (const open of this.#asking.splice(0)) {
        this.#seats.ask(open.seat, ++this.#clock);
        this.#open.add(open);
      }
      this.#dropGone();
      if (this.#open.size > 0) await this.#question();
    }
    this.#isAsking = false;
  }

  /** Names all that are open to the others: again those that were not answered about. */
  async #question(): Promise<void> {
    const question = ++this.#seq;
    for (const open of this.#open) open.question ||= question;
    const table: Table = { ...this.#said(), seats: [...this.#open].map(({ seat }) => toldOf(seat)) };
    const answered = this.#messages.ask<Said>("ask", table).then(({ answers }) => {
      for (const answer of answers) this.#heardAnswer(answer, question);
      this.#settle();
    });
    const ended = new Promise<void>((resolve) => (this.#endRound = resolve));
    await atMost(this.#patienceMs, Promise.race([answered, ended]));
    this.#patienceMs = this.#open.size > 0 ? ASK_AGAIN_MS : ASK_MS;
    this.#settle(true);
    if (this.#open.size > 0) await atMost(ASK_AGAIN_MS, ended);
  }

  /** Lets those go on that all have answered about; where some are late, those that are decided without them, too. */
  #settle(isLate = false): void {
    this.#dropGone();
    const mayBeAlone = isLate && this.#isKnownToAll();
    for (const open of this.#open)
      if (this.#isAnswered(open) || (mayBeAlone && open.isDecided(1 + this.#peers.size))) this.#letGo(open);
    if (this.#open.size === 0) this.#endRound();
  }

  #isAnswered({ question }: Open): boolean {
    return [...this.#peers.values()].every(({ answered, seq }) => answered.question >= question && answered.seq <= seq);
  }

  /** Whether all others count this node among them, and nothing is missing here of what they were heard to say. */
  #isKnownToAll(): boolean {
    return [...this.#peers.values()].every(({ answered, early }) => answered.question > 0 && early.size === 0);
  }

  #dropGone(): void {
    for (const open of this.#open) if (this.#seats.get(open.seat.id) !== open.seat) this.#letGo(open);
  }

  #letGo(open: Open): void {
    this.#open.delete(open);
    open.resolve();
  }

  /** What has happened is told once for a turn. */
  #note(change: () => void): void {
    if (this.#taken.length + this.#freed.length + this.#users.length === 0) setImmediate(() => this.#flush());
    change();
  }

  #flush(): void {
    const [taken, freed, users] = [this.#taken, this.#freed, this.#users];
    if (taken.length + freed.length + users.length === 0) return;
    this.#taken = [];
    this.#freed = [];
    this.#users = [];
    this.#seq++;
    void this.#messages.tell("changes", { ...this.#said(), taken, freed, users } satisfies Changes);
  }

  #beat(): void {
    const now = performance.now();
    // One that was stopped for a while has not listened, and knows nothing of the others.
    const listened = now - this.#beatAt < 2 * this.#heartbeatMs;
    this.#beatAt = now;
    for (const [node, peer] of this.#peers) {
      if (!listened) peer.heardAt = now;
      else if (now - peer.heardAt > this.#heartbeatMs * MISSED_BEATS) this.#drop(node);
    }
    this.#flush();
    const heard = [...this.#peers].map(([node, { question }]) => [node, question] as const);
    void this.#messages.tell("beat", { ...this.#said(), heard } satisfies Beat);
  }

  #heardQuestion(table: Table): Said {
    const peer = this.#heard(table);
    peer.question = Math.max(peer.question, table.seq);
    this.#inOrder(table, () => {
      for (const told of table.seats) this.#seats.add(seatOf(table.node, told));
    });
    this.#flush();
    return this.#said();
  }

  #heardAnswer({ node, clock, seq }: Said, question: number): void {
    this.#clock = Math.max(this.#clock, clock);
    const peer = this.#peers.get(node);
    if (peer !== undefined && question > peer.answered.question) peer.answered = { question, seq };
  }

  #apply(changes: Changes): void {
    for (const id of changes.taken) {
      const seat = this.#seats.get(id);
      if (seat !== undefined) this.#seats.take(seat);
    }
    for (const [id, user] of changes.users) {
      const seat = this.#seats.get(id);
      if (seat !== undefined) this.#seats.setUser(seat, user ?? undefined);
    }
    for (const id of changes.freed) this.#seats.remove(id);
  }

  #heardBeat(beat: Beat): void {
    const peer = this.#heard(beat);
    for (const [node, question] of beat.heard) if (node === this.node) this.#heardAnswer(beat, question);
    this.#settle();
    // What was not heard until now, though a heartbeat is behind it, is lost.
    if (peer.seq < beat.seq) void this.#catchUp(beat.node);
  }

  /** Applies what a node says as it was said: adapters let a short way overtake a long one. */
  #inOrder(said: Said, apply: () => void): void {
    const peer = this.#heard(said);
    // A table of a later moment had it.
    if (said.seq <= peer.seq) return;
    peer.early.set(said.seq, apply);
    this.#applyEarly(peer);
    // What it said before anybody here listened does not come any more.
    if (peer.seq === 0) void this.#catchUp(said.node);
  }

  #applyEarly(peer: Peer): void {
    for (let next = peer.early.get(peer.seq + 1); next !== undefined; next = peer.early.get(peer.seq + 1)) {
      peer.early.delete(++peer.seq);
      next();
    }
    this.#settle();
  }

  #heard({ node, clock }: Said): Peer {
    this.#clock = Math.max(this.#clock, clock);
    let peer = this.#peers.get(node);
    if (peer === undefined) {
      peer = { seq: 0, heardAt: 0, early: new Map(), question: 0, answered: { question: 0, seq: 0 } };
      this.#peers.set(node, peer);
    }
    peer.heardAt = performance.now();
    return peer;
  }

  /** Asks a node for what it has, or all of them; again at its next heartbeat, if it did not answer. */
  async #catchUp(node: string | null): Promise<void> {
    if (this.#catchingUp.has(node)) return;
    this.#catchingUp.add(node);
    const { answers } = await this.#messages.ask<Table | null>("table", node);
    this.#catchingUp.delete(node);
    for (const table of answers) if (table !== null) this.#replace(table);
  }

  #replace(table: Table): void {
    const peer = this.#heard(table);
    // Changes overtook this answer: it is older than what is known.
    if (table.seq < peer.seq) return;
    peer.seq = table.seq;
    for (const seq of peer.early.keys()) if (seq <= peer.seq) peer.early.delete(seq);
    for (const { id } of this.#seats.ofNode(table.node)) this.#seats.remove(id);
    for (const told of table.seats) this.#seats.add(seatOf(table.node, told));
    this.#applyEarly(peer);
  }

  #drop(node: string): void {
    this.#peers.delete(node);
    for (const { id } of this.#seats.ofNode(node)) this.#seats.remove(id);
    this.#settle();
  }

  #table(): Table {
    this.#flush();
    const seats = this.#seats.ofNode(this.node).filter(({ state }) => state !== "reserved");
    return { ...this.#said(), seats: seats.map(toldOf) };
  }

  #said(): Said {
    return { node: this.node, clock: this.#clock, seq: this.#seq };
  }
}

async function atMost(ms: number, promise: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([promise, new Promise((resolve) => (timer = setTimeout(resolve, ms)))]);
  clearTimeout(timer);
}

function toldOf({ id, stamp, state, address, user }: Seat): Told {
  return [id, stamp, state === "taken", address, user ?? null];
}

function seatOf(node: string, [id, stamp, isTaken, address, user]: Told): Seat {
  return { id, node, stamp, state: isTaken ? "taken" : "asked", address, user: user ?? undefined };
}
