import type { Namespace, Socket } from "socket.io";
import type { Logger } from "../lifecycle/logger.js";
import { ArrivalsAsked } from "./arrivals-asked.js";
import type { AudienceData } from "./audience.js";
import { type Cluster, type NodeMessage, type Reach, reachOf } from "./cluster.js";
import { Latest, type LatestPush } from "./latest.js";
import { type PushOptions, type Receipts, receiptsTimeoutMs } from "./push-options.js";
import { candidates, compile, matches, type RoomsPlan } from "./audience-plan.js";
import { holdsBinary, type Parser, parserOf, undecodable } from "../wire/sendable.js";

interface FilteredPush extends NodeMessage {
  readonly kind: "push";
  readonly data: AudienceData;
  readonly event: string;
  readonly payload: readonly unknown[];
  readonly volatile: boolean;
}

interface LatestMessage extends NodeMessage {
  readonly kind: "latest";
  readonly data: AudienceData;
  readonly event: string;
  readonly payload: readonly unknown[];
  readonly key: string;
}

interface ReceiptsMessage extends NodeMessage {
  readonly kind: "receipts";
  readonly data: AudienceData;
  readonly event: string;
  readonly payload: readonly unknown[];
  readonly timeoutMs: number;
}

/** How many sockets of a node were sent something, and how many said that it arrived. */
interface Received {
  readonly sockets: number;
  readonly received: number;
}

interface Count extends NodeMessage {
  readonly kind: "count";
  readonly data: AudienceData;
}

const NONE: Reach = Object.freeze({ sockets: 0, nodes: 0, complete: true });
const UNKNOWN: Reach = Object.freeze({ sockets: 0, nodes: 0, complete: false });

/**
 * Sends to audiences. What Socket.IO can say by itself, a union of rooms minus others, is one broadcast of it on the shortest way.
 * It has no intersection: there every node is told the audience and looks through its own sockets, so that nothing is fetched and
 * a node that is not reached sends to nobody rather than to too many (decision 0025).
 */
export class Pusher {
  readonly #namespace: Namespace;
  readonly #cluster: Cluster;
  readonly #log: Logger;
  readonly #parser: Parser | undefined;
  readonly #latest: Latest;
  readonly #asked: ArrivalsAsked;
  /** Whether it is counted for how many sockets a volatile push is dropped: they have to be looked at one by one. */
  countsDropped = false;
  #pushes = 0;
  #failures = 0;
  #dropped = 0;

  constructor(namespace: Namespace, cluster: Cluster, log: Logger) {
    this.#namespace = namespace;
    this.#cluster = cluster;
    this.#log = log;
    this.#parser = parserOf(namespace.server);
    this.#asked = new ArrivalsAsked(namespace);
    this.#latest = new Latest(namespace, (event, error) => this.#failed(event, error));
    cluster.on<FilteredPush>("push", ({ data, event, payload, volatile }) =>
      this.#emitHere(data, event, payload, volatile),
    );
    cluster.on<LatestMessage>("latest", (message) => this.#latestHere(message));
    cluster.on<ReceiptsMessage>("receipts", (message) => this.#receiptsHere(message));
    cluster.on<Count>("count", ({ data }) => this.countHere(data));
  }

  /** How many pushes were sent, and how many could not be; how many did not reach a socket that was behind. */
  get stats(): { pushes: number; failures: number; dropped: number; replaced: number } {
    const { replaced } = this.#latest;
    return { pushes: this.#pushes, failures: this.#failures, dropped: this.#dropped, replaced };
  }

  /** Sends, and never throws. Resolves when it is handed over, or to the count when that was asked for. */
  send(
    data: AudienceData,
    event: string,
    payload: readonly unknown[],
    options: PushOptions & { count: true },
  ): Promise<Reach>;
  send(
    data: AudienceData,
    event: string,
    payload: readonly unknown[],
    options?: PushOptions,
  ): Promise<Reach | Receipts | undefined>;
  async send(
    data: AudienceData,
    event: string,
    payload: readonly unknown[],
    options: PushOptions = {},
  ): Promise<Reach | Receipts | undefined> {
    const { count = false, volatile = false, local = false, latest, receipts } = options;
    const reason = undecodable(payload, this.#parser);
    if (reason !== undefined) {
      this.#failed(event, new TypeError(`the payload can't be sent: ${reason}`));
      if (receipts !== undefined) return { ...NONE, received: 0 };
      return count ? NONE : undefined;
    }
    this.#pushes++;
    if (receipts !== undefined)
      return this.#withReceipts(
        { kind: "receipts", data, event, payload, timeoutMs: receiptsTimeoutMs(receipts) },
        local,
      );
    if (latest !== undefined) return this.#newest({ kind: "latest", data, event, payload, key: latest }, local, count);
    try {
      const plan = compile(data);
      if (plan.how === "nobody") return count ? NONE : undefined;
      const countsDropped = volatile && this.countsDropped;
      if (local && plan.how === "rooms" && !count && !countsDropped) {
        // Nobody has to be looked at.
        this.#broadcast(this.#namespace.local as unknown as Emitter, plan, volatile).emit(event, ...payload);
        return undefined;
      }
      if (local) {
        const sockets = this.#emitHere(data, event, payload, volatile);
        return count ? reachOf([sockets], true) : undefined;
      }
      if (plan.how === "filter") {
        const message: FilteredPush = { kind: "push", data, event, payload, volatile };
        const here = this.#emitHere(data, event, payload, volatile);
        if (count) return await this.#cluster.sum(here, message);
        await this.#cluster.tell(message);
        return undefined;
      }
      const here = count ? this.countHere(data) : 0;
      if (countsDropped) this.#countDropped(this.socketsHere(data));
      this.#broadcast(this.#namespace as unknown as Emitter, plan, volatile).emit(event, ...payload);
      return count ? await this.#cluster.sum(here, { kind: "count", data } satisfies Count) : undefined;
    } catch (error) {
      this.#failed(event, error);
      return count ? UNKNOWN : undefined;
    }
  }

  async #newest(message: LatestMessage, local: boolean, count: boolean): Promise<Reach | undefined> {
    const here = this.#latestHere(message);
    if (count) return local ? reachOf([here], true) : this.#cluster.sum(here, message);
    if (!local) await this.#cluster.tell(message);
    return undefined;
  }

  async #withReceipts(message: ReceiptsMessage, local: boolean): Promise<Receipts> {
    // Asked at once, so that all have the same time.
    const asked = local ? undefined : this.#cluster.ask<Received>(message);
    const here = await this.#receiptsHere(message);
    const { answers = [], complete = true } = (await asked) ?? {};
    const all = [here, ...answers];
    const reach = reachOf(
      all.map(({ sockets }) => sockets),
      complete,
    );
    return { ...reach, received: all.reduce((sum, { received }) => sum + received, 0) };
  }

  /** How many sockets an audience has on all nodes. */
  async count(data: AudienceData): Promise<Reach> {
    return this.#cluster.sum(this.countHere(data), { kind: "count", data } satisfies Count);
  }

  /** How many sockets of this node an audience has. */
  countHere(data: AudienceData): number {
    const { adapter, sockets } = this.#namespace;
    const plan = compile(data);
    if (plan.how === "nobody") return 0;
    // What is one room has its size, and nobody has to be looked at.
    if (plan.how === "rooms" && plan.except.length === 0) {
      if (plan.rooms === "all") return sockets.size;
      if (plan.rooms.length === 1) return adapter.rooms.get(plan.rooms[0] as string)?.size ?? 0;
    }
    return this.socketsHere(data).length;
  }

  /** Sends to the sockets of this node that are in a room, without a word to the others. */
  here(room: string, event: string, payload: unknown): void {
    const reason = undecodable(payload, this.#parser);
    try {
      if (reason !== undefined) throw new TypeError(`the payload can't be sent: ${reason}`);
      this.#namespace.local.to(room).emit(event, payload);
    } catch (error) {
      this.#failed(event, error);
    }
  }

  #broadcast(by: Emitter, { rooms, except }: RoomsPlan, volatile: boolean): Emitter {
    let operator = by;
    if (rooms !== "all") operator = operator.to(rooms);
    if (except.length > 0) operator = operator.except(except);
    return volatile ? operator.volatile : operator;
  }

  #emitHere(data: AudienceData, event: string, payload: readonly unknown[], volatile: boolean): number {
    const ids = this.socketsHere(data);
    if (ids.length === 0) return 0;
    if (volatile && this.countsDropped) this.#countDropped(ids);
    const operator = this.#namespace.local.to(ids);
    (volatile ? operator.volatile : operator).emit(event, ...payload);
    return ids.length;
  }

  /** Socket.IO drops what is volatile for whoever can't be written to (`Client.writeToEngine` in socket.io/lib/client.ts). */
  #countDropped(ids: readonly string[]): void {
    for (const id of ids) if (this.#namespace.sockets.get(id)?.conn.transport.writable === false) this.#dropped++;
  }

  /** Sends to those sockets of this node that can be written to, and keeps it for the others. */
  #latestHere({ data, event, payload, key }: LatestMessage): number {
    const ids = this.socketsHere(data);
    const isFor = ({ rooms }: { readonly rooms: ReadonlySet<string> }): boolean => matches(data, rooms);
    let kept: LatestPush | undefined;
    const ready = ids.filter((id) => {
      // What is said is what it is now, though it may be sent later.
      kept ??= { event, payload: copyOf(payload, this.#parser), isFor };
      return !this.#latest.keep(id, key, kept);
    });
    if (ready.length > 0) this.#namespace.local.to(ready).emit(event, ...payload);
    return ids.length;
  }

  /** Sends to the sockets of this node, and asks them whether it has arrived. */
  async #receiptsHere({ data, event, payload, timeoutMs }: ReceiptsMessage): Promise<Received> {
    const ids = this.socketsHere(data);
    return { sockets: ids.length, received: await this.#asked.send(ids, event, payload, timeoutMs) };
  }

  /** A socket of this node is going: nobody waits for what it has received. */
  gone(socket: Socket): void {
    this.#asked.gone(socket);
  }

  /** The ids of the sockets of this node that an audience has. */
  socketsHere(data: AudienceData): string[] {
    const { adapter, sockets } = this.#namespace;
    const rooms = candidates(data, (room) => adapter.rooms.get(room)?.size ?? 0);
    const ids =
      rooms === "all" ? sockets.keys() : new Set(rooms.flatMap((room) => [...(adapter.rooms.get(room) ?? [])]));
    const found: string[] = [];
    for (const id of ids) {
      const joined = adapter.sids.get(id);
      if (joined && sockets.has(id) && matches(data, joined)) found.push(id);
    }
    return found;
  }

  #failed(event: string, error: unknown): void {
    this.#failures++;
    this.#log.error({ err: error, push: event }, "a push could not be sent");
  }
}

/** Data as it is now: what its encoder would make of it, as far as that can be had without it. */
function copyOf(payload: readonly unknown[], parser: Parser | undefined): readonly unknown[] {
  try {
    if (parser === undefined && !holdsBinary(payload)) return JSON.parse(JSON.stringify(payload)) as unknown[];
    return structuredClone(payload);
  } catch {
    return payload;
  }
}

/** What `Namespace` and its broadcast operators share. */
interface Emitter {
  to(rooms: readonly string[]): Emitter;
  except(rooms: readonly string[]): Emitter;
  readonly volatile: Emitter;
  emit(event: string, ...args: readonly unknown[]): boolean;
}
