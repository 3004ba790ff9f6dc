import { createServer } from "node:http";
import type { EventEmitter } from "node:events";
import type { AddressInfo } from "node:net";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import { pino } from "pino";
import { Server } from "socket.io";
import { Handler, SocketIngress, type EventContext } from "socket-ingress";

import { RawClient } from "../fixtures/raw-client.js";

/** What many set-ups and tear-downs under traffic left behind. */
export interface CyclesReport {
  readonly cycles: number;
  readonly tookMs: number;
  /** Calls that were sent, that were answered with a value, and that were answered UNKNOWN_EVENT. */
  readonly calls: { readonly sent: number; readonly served: number; readonly refused: number; readonly other: number };
  /** How often a method ran. */
  readonly runs: number;
  /** How often a method ran after the `teardown()` of its handler had resolved, or was still running then. */
  readonly late: number;
  /** Everything that can be listened to: before any set-up, after one set-up and tear-down, and after the last tear-down. */
  readonly pristine: Census;
  readonly before: Census;
  readonly after: Census;
  /** Handlers that are still in memory though nobody holds them. */
  readonly remembered: number;
}

/** How many listeners sit where, and how many timers tick. */
export interface Census {
  readonly process: number;
  readonly server: number;
  readonly engine: number;
  readonly http: number;
  readonly namespaces: number;
  readonly middlewares: number;
  readonly sockets: number;
  readonly timers: number;
}

const listeners = (emitter: EventEmitter): number =>
  emitter.eventNames().reduce((sum, name) => sum + emitter.listenerCount(name), 0);

function census(io: Server, http: EventEmitter): Census {
  // Namespaces and sockets keep what was put before an event apart from their listeners; it must not pile up either.
  const namespaces = [...io._nsps.values()] as unknown as (EventEmitter & {
    _fns: unknown[];
    sockets: Map<string, unknown>;
  })[];
  const sockets = namespaces.flatMap((namespace) => [...namespace.sockets.values()]) as (EventEmitter & {
    fns: unknown[];
    listenersAny(): unknown[];
    listenersAnyOutgoing(): unknown[];
  })[];
  const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0);
  return {
    process: listeners(process),
    server: listeners(io),
    engine: listeners(io.engine),
    http: listeners(http),
    namespaces: sum(namespaces.map(listeners)),
    middlewares: sum(namespaces.map(({ _fns }) => _fns.length)),
    sockets: sum(
      sockets.map(
        (socket) =>
          listeners(socket) + socket.fns.length + socket.listenersAny().length + socket.listenersAnyOutgoing().length,
      ),
    ),
    timers: process.getActiveResourcesInfo().filter((resource) => resource === "Timeout").length,
  };
}

let late = 0;
let runs = 0;
let told: (() => void) | undefined;

class CycledHandler extends Handler {
  readonly name = "cycled";
  readonly events = {
    "cycle:now": this.now,
    "cycle:soon": this.soon,
    "cycle:one": { run: this.soon, concurrency: 1 },
    disconnect: () => undefined,
  };
  isOpen = false;

  now(_context: EventContext): string {
    this.#ran();
    return "now";
  }

  async soon(_context: EventContext): Promise<string> {
    this.#ran();
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    if (!this.isOpen) late++;
    return "soon";
  }

  #ran(): void {
    runs++;
    if (!this.isOpen) late++;
    told?.();
  }
}

/** A caller that always has a few calls under way, up to a total. */
class Traffic {
  readonly #client: RawClient;
  readonly #last: number;
  #left: number;

  constructor(client: RawClient, total: number) {
    this.#client = client;
    this.#left = total;
    this.#last = client.replies.length + total;
    client.onReply = () => this.#send();
    for (let n = 0; n < 6; n++) this.#send();
  }

  #send(): void {
    if (this.#left <= 0) return;
    this.#left--;
    const id = this.#client.freshId();
    this.#client.send(id, [["cycle:now", "cycle:soon", "cycle:one"][id % 3], { id }]);
  }

  /** Waits until everything sent has been answered; what was to flow for ever stops. */
  async end(): Promise<void> {
    if (this.#last !== Infinity)
      return this.#client.until(() => this.#client.replies.length >= this.#last, "the last answers", 10_000);
    this.#left = 0;
    const { issued } = this.#client;
    await this.#client.until(() => this.#client.replies.length >= issued, "the last answers", 10_000);
  }
}

const codeOf = (args: readonly unknown[]): string | undefined => (args[0] as { error?: { code?: string } }).error?.code;

export interface CyclesOptions {
  readonly cycles: number;
  readonly clients?: number;
  /** Whether an ingress stays on the server when the last handler is gone, and answers for it, or leaves with it. */
  readonly ingress: "stays" | "leaves";
}

/** Sets handlers up and tears them down again while clients call them without pause. */
export async function runCycles({ cycles, clients: size = 3, ingress: kind }: CyclesOptions): Promise<CyclesReport> {
  const started = performance.now();
  [late, runs] = [0, 0];
  const http = createServer();
  const io = new Server(http);
  const ingress = kind === "stays" ? new SocketIngress({ logger: nowhere }).attach(io) : undefined;
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const clients = await Promise.all(Array.from({ length: size }, () => RawClient.connect(url)));
  const refs: WeakRef<CycledHandler>[] = [];
  let traffic: Traffic[] = [];

  const cycle = async (): Promise<void> => {
    const handler = new CycledHandler();
    refs.push(new WeakRef(handler));
    const ran = new Promise<void>((resolve) => {
      told = resolve;
    });
    handler.isOpen = true;
    await handler.setup(io);
    // Without an ingress nobody answers between two handlers, so each cycle has calls of its own.
    if (!ingress) traffic.push(...clients.map((client) => new Traffic(client, 3)));
    else if (traffic.length === 0) traffic = clients.map((client) => new Traffic(client, Infinity));
    await ran;
    if (!ingress) await Promise.all(traffic.splice(0).map((flow) => flow.end()));
    await handler.teardown();
    handler.isOpen = false;
  };

  const pristine = census(io, http);
  // What is made once for a server, at the first set-up, counts as there.
  const warm = new CycledHandler();
  await warm.setup(io);
  await warm.teardown();
  const before = census(io, http);
  for (let n = 0; n < cycles; n++) await cycle();
  await Promise.all(traffic.map((flow) => flow.end()));
  told = undefined;
  await new Promise((resolve) => setImmediate(resolve));
  // Timers that end by themselves within a moment, such as a socket's or the one that time limits share, are given that moment.
  const deadline = performance.now() + 5_000;
  while (census(io, http).timers > before.timers && performance.now() < deadline) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  const after = census(io, http);
  const remembered = await survivors(refs);

  const count = (what: (args: readonly unknown[]) => boolean): number =>
    clients.reduce((sum, { replies }) => sum + replies.filter(({ args }) => what(args)).length, 0);
  const served = count((args) => args[0] === "now" || args[0] === "soon");
  const refused = count((args) => codeOf(args) === "UNKNOWN_EVENT");
  const sent = clients.reduce((sum, client) => sum + client.issued, 0);

  for (const client of clients) await client[Symbol.asyncDispose]();
  await ingress?.detach();
  await io.close();
  return {
    cycles,
    tookMs: Math.round(performance.now() - started),
    calls: { sent, served, refused, other: sent - served - refused },
    runs,
    late,
    pristine,
    before,
    after,
    remembered,
  };
}

/** Runs the garbage collector. */
export function collect(): void {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
}

/** How many of these the garbage collector does not take, given a few chances. */
export async function survivors(refs: readonly WeakRef<object>[]): Promise<number> {
  let alive = refs.length;
  for (let attempt = 0; attempt < 10 && alive > 0; attempt++) {
    await new Promise((resolve) => setImmediate(resolve));
    collect();
    alive = refs.filter((ref) => ref.deref() !== undefined).length;
  }
  return alive;
}

/** A logger that writes to nowhere. */
export const nowhere = pino({ level: "warn" }, { write: () => undefined });
