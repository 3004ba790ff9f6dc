import type { Socket } from "socket.io";
import { frameType, namespaceOf } from "./frames.js";

/** What one transport is about. Most are in one namespace, so these are short lists rather than sets. */
interface Entry {
  /** Asked for, and not answered. */
  asked: string[];
  /** Entered, and not left. */
  entered: string[];
}

/** How many refusals may wait to be written: a client that asks for namespaces that do not exist reads what it is told, or goes. */
const MOST_REFUSALS = 1_000;

/** A packet on its way to a client. */
export interface Written {
  readonly type: string;
  readonly data?: unknown;
}

/** What is longer than any namespace is called is remembered by its beginning and its length. */
const LONGEST_NAME = 1_000;

/**
 * The namespaces that each transport asks to enter, and those it is in: at most `max` of them, each once.
 *
 * Socket.IO closes a transport that sends CONNECT for a namespace it is in (`Client.ondecoded` in socket.io/lib/client.ts), but makes
 * a socket for every one that comes before the first has been answered. So what is kept here lives with the transport, from its CONNECT to
 * the answer, whoever gives it: it is read from the frames. Where these can't be read, because the parser is the application's own or
 * the transport came before we did, {@link TransportNamespaces.enter} asks by the sockets.
 */
export class TransportNamespaces {
  readonly max: number;
  readonly #entries = new WeakMap<object, Entry>();
  /** How many packets of a list that waits to be written have been looked at, and how many of them refuse a namespace. */
  readonly #seen = new WeakMap<readonly Written[], { upTo: number; refusals: number }>();
  readonly #sockets = new WeakMap<object, Map<string, Guest>>();

  constructor(max: number) {
    this.max = max;
  }

  /** Keep account of a transport by its frames, from the first of them. */
  follow(conn: object): void {
    this.#entries.set(conn, { asked: [], entered: [] });
  }

  /**
   * It asks to enter, while `unwritten` waits to be written to it. Says why it may not: nothing is kept then, and the transport is to be
   * ended.
   */
  ask(conn: object, name: string, unwritten: readonly Written[] = []): string | undefined {
    const entry = this.#entries.get(conn);
    if (entry === undefined) return undefined;
    const key = keyOf(name);
    let objection = objectionTo(entry, key, this.max);
    if (objection !== undefined) {
      // A namespace that does not exist is refused at once, and the refusal may still wait to be written.
      const refusals = this.#settle(entry, unwritten);
      if (refusals > MOST_REFUSALS) return "asks for one refused namespace after the other and does not read";
      objection = objectionTo(entry, key, this.max);
    }
    if (objection === undefined) entry.asked.push(key);
    return objection;
  }

  /** Packets are written to it: among them may be the answers. */
  writes(conn: object, packets: readonly Written[]): void {
    for (let i = 0; i < packets.length; i++) {
      const { data, type } = packets[i] as Written; // within bounds
      // Nearly all are events and acknowledgements.
      if (typeof data !== "string" || type !== "message" || !speaksOfNamespaces(data)) continue;
      const entry = this.#entries.get(conn);
      if (entry !== undefined) take(entry, data);
    }
  }

  /** Says how many refusals wait to be written. */
  #settle(entry: Entry, unwritten: readonly Written[]): number {
    const seen = this.#seen.get(unwritten) ?? { upTo: 0, refusals: 0 };
    for (; seen.upTo < unwritten.length; seen.upTo++) {
      const { data } = unwritten[seen.upTo] as Written; // within bounds
      if (typeof data !== "string" || !speaksOfNamespaces(data)) continue;
      take(entry, data);
      if (data.charCodeAt(0) === frameType.connectError) seen.refusals++;
    }
    this.#seen.set(unwritten, seen);
    return seen.refusals;
  }

  /** Whether it is in any namespace, as its frames tell, or its sockets where these can't be read. */
  isIn(conn: object): boolean {
    if ((this.#entries.get(conn)?.entered.length ?? 0) > 0) return true;
    return [...(this.#sockets.get(conn)?.values() ?? [])].some(({ isThere }) => isThere);
  }

  /** It has left. */
  left(conn: object, name: string): void {
    const entry = this.#entries.get(conn);
    if (entry !== undefined) without(entry.entered, keyOf(name));
  }

  /**
   * A socket was made that is to be asked about. Says whether it is the only one of its transport in its namespace, and within the
   * number; always so where the frames were read.
   */
  enter(socket: Socket): boolean {
    const { conn, nsp } = socket;
    if (this.#entries.has(conn)) return true;
    let guests = this.#sockets.get(conn);
    if (guests === undefined) this.#sockets.set(conn, (guests = new Map()));
    for (const [name, guest] of guests) if (!guest.isThere) guests.delete(name);
    if (guests.has(nsp.name) || guests.size >= this.max) return false;
    guests.set(nsp.name, new Guest(socket));
    return true;
  }

  /** The verdict about a socket: refused, or passed on to the middleware behind ours. */
  decided(socket: Socket, passed: boolean): void {
    const guest = this.#sockets.get(socket.conn)?.get(socket.nsp.name);
    if (guest?.socket === socket) guest.decided(passed);
  }

  /** A socket is in. Says whether no other of its transport is: one may have been let in while middleware behind ours took its time. */
  entered(socket: Socket): boolean {
    const guests = this.#sockets.get(socket.conn);
    const guest = guests?.get(socket.nsp.name);
    if (guests === undefined || guest?.socket === socket) return true;
    if (guest?.socket.connected === true) return false;
    guests.set(socket.nsp.name, new Guest(socket));
    return true;
  }
}

/** A socket whose transport's frames can't be read. */
class Guest {
  readonly socket: Socket;
  #isAsked = true;

  constructor(socket: Socket) {
    this.socket = socket;
  }

  get isThere(): boolean {
    return this.#isAsked || this.socket.connected;
  }

  decided(passed: boolean): void {
    if (!passed) this.#isAsked = false;
    // Refused by middleware behind ours it is never connected, and nobody tells: then it counts as gone.
    else setImmediate(() => (this.#isAsked = false)).unref();
  }
}

function without(names: string[], name: string): void {
  const at = names.indexOf(name);
  if (at >= 0) names.splice(at, 1);
}

function objectionTo({ asked, entered }: Entry, key: string, max: number): string | undefined {
  if (asked.includes(key)) return "asks to enter a namespace that it has asked to enter already";
  // Of one that it is in already Socket.IO takes care: it may have left in this very tick.
  if (entered.includes(key) || asked.length + entered.length < max) return undefined;
  return `enters more than ${max} namespaces (the option maxNamespaces)`;
}

/** Whether it tells that a namespace was entered, left or refused. */
function speaksOfNamespaces(data: string): boolean {
  const type = data.charCodeAt(0);
  return type === frameType.connect || type === frameType.disconnect || type === frameType.connectError;
}

function take(entry: Entry, data: string): void {
  const type = data.charCodeAt(0);
  const key = keyOf(namespaceOf(data));
  if (type === frameType.disconnect) return without(entry.entered, key);
  without(entry.asked, key);
  if (type === frameType.connect && !entry.entered.includes(key)) entry.entered.push(key);
}

/** As it is kept: made anew, since what is cut from a frame keeps the whole frame. */
function keyOf(name: string): string {
  if (name === "/") return name;
  if (name.length > LONGEST_NAME) return `${name.length} ${keyOf(name.slice(0, LONGEST_NAME))}`;
  return Buffer.from(name).toString();
}
