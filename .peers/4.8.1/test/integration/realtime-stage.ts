import { Server, type ServerOptions } from "socket.io";
import type { Socket as ClientSocket } from "socket.io-client";
import {
  type EventContext,
  EventError,
  type EventMap,
  Handler,
  ServiceManager,
  type SocketIngress,
} from "socket-ingress";
import { type Client, type ClientOptions, createClient } from "socket-ingress/client";
import { otherInGroup, othersInGroup, players, Realtime } from "socket-ingress/realtime";
import { inMemory } from "socket-ingress/testing";
import { z } from "zod";
import { deferred, type Deferred } from "../client/fixtures/deferred.js";
import { type RecordingLogger, recordingLogger } from "../client/fixtures/recorder.js";
import { type RecordingLog, recordingLog } from "../fixtures/recording-log.js";
import { serve } from "../fixtures/serve.js";

export interface ClientToServer {
  post_offer(price: number, reply: (r: { posted: number }) => void): void;
  tell_others(price: number, reply: (r: { told: true }) => void): void;
  tell_other(price: number, reply: (r: { told: true }) => void): void;
  get_items(reply: (items: number) => void): void;
  get_item(query: { id: number }, reply: (item: { id: number }) => void): void;
  order(goods: { count: number }, reply: (r: { ordered: number }) => void): void;
  broken(reply: () => void): void;
  slow(reply: (r: string) => void): void;
}
export interface ServerToClient {
  items_changed(change: { source: string }): void;
  item_changed(): void;
}
export type App = Server<ClientToServer, ServerToClient, Record<string, never>, { user?: string; session?: string }>;

/** A small market: what every call of the acceptance cases needs. */
class MarketHandler extends Handler<App> {
  readonly name = "market";
  readonly events = {
    post_offer: "handlePostOffer",
    tell_others: "handleTellOthers",
    tell_other: "handleTellOther",
    get_items: "handleGetItems",
    get_item: "handleGetItem",
    order: { run: "handleOrder", input: z.object({ count: z.number().int() }) },
    broken: "handleBroken",
    slow: "handleSlow",
  } satisfies EventMap<MarketHandler, App>;

  readonly realtime: Realtime<App>;
  /** What ran, in order. */
  readonly ran: string[] = [];
  /** Items so far; a call tells how many there were. */
  items = 0;
  /** Holds `slow` and `get_items` until resolved. */
  gate: Deferred<void> | undefined;
  /** Told when `slow` or `get_items` waits at the gate. */
  arrived: Deferred<void> = deferred();

  constructor(realtime: Realtime<App>) {
    super();
    this.realtime = realtime;
  }

  handlePostOffer(context: EventContext<App>, price: number): { posted: number } {
    this.ran.push(`post_offer ${price}`);
    void this.realtime.notify(context, players("s1"), price, { event: "NewOffer" });
    return { posted: price };
  }
  async handleTellOthers(context: EventContext<App>, price: number): Promise<{ told: true }> {
    await this.realtime.notify(context, othersInGroup(context), price, { event: "NewOffer" });
    return { told: true };
  }
  async handleTellOther(context: EventContext<App>, price: number): Promise<{ told: true }> {
    await this.realtime.notify(context, otherInGroup(context), price, { event: "NewOffer" });
    return { told: true };
  }
  async handleGetItems(): Promise<number> {
    this.ran.push("get_items");
    const { items } = this;
    await this.wait();
    return items;
  }
  handleGetItem(_: EventContext<App>, query: { id: number }): { id: number } {
    this.ran.push(`get_item ${JSON.stringify(query)}`);
    return query;
  }
  handleOrder(_: EventContext<App>, { count }: { count: number }): { ordered: number } {
    this.ran.push(`order ${count}`);
    return { ordered: count };
  }
  handleBroken(): never {
    throw new Error("the database at db.internal:5432 is gone");
  }
  async handleSlow(): Promise<string> {
    this.ran.push("slow");
    await this.wait();
    return "done";
  }

  private async wait(): Promise<void> {
    if (this.gate === undefined) return;
    this.arrived.resolve();
    await this.gate.promise;
  }
}

/** Who a client is, and how it connects. */
export interface Who {
  user?: string;
  session?: string;
}

/** One connected client of the stage. */
export interface Player {
  readonly client: Client<App>;
  readonly socket: ClientSocket;
  readonly logger: RecordingLogger;
  /** What it heard, as `event data`. */
  readonly heard: string[];
  /** Cuts the line. */
  drop(): void;
  /** Resolves when the line is back the next time. */
  reconnected(): Promise<{ recovered: boolean }>;
  /** Both. */
  reconnect(): Promise<{ recovered: boolean }>;
}

/** A server with the realtime door, and what its clients are made with. */
export interface Stage extends AsyncDisposable {
  readonly io: App;
  readonly realtime: Realtime<App>;
  readonly market: MarketHandler;
  /** Users that may join `room:{id}`. */
  readonly readers: Set<string>;
  readonly log: RecordingLog;
  readonly ingress: SocketIngress<App>;
  /** A client that has not connected yet. */
  stranger(who?: Who, options?: ClientOptions): Pick<Player, "client" | "socket" | "logger">;
  /** Connects a client. */
  join(who?: Who, options?: ClientOptions): Promise<Player>;
  /** Resolves when everything the server had sent to these by now has arrived. */
  caughtUp(...players: Player[]): Promise<void>;
}

/** How the packets travel. */
export type Transport = "real sockets" | "memory";

const fast = { reconnection: true, reconnectionDelay: 1, reconnectionDelayMax: 5, randomizationFactor: 0 };

/** A server and its clients, over a port or in memory. */
interface Wire {
  readonly io: App;
  client(options: object): ClientSocket;
  drop(socket: ClientSocket): void;
  close(): Promise<void>;
}

async function open(transport: Transport, options: Partial<ServerOptions>): Promise<Wire> {
  if (transport === "real sockets") {
    const served = await serve<App>(undefined, options);
    return {
      io: served.io,
      client: (connect) => served.client(connect),
      drop: (socket) => void socket.io.engine.close(),
      close: () => served.close(),
    };
  }
  const memory = await inMemory<App>(new Server(options));
  return {
    io: memory.io,
    client: (connect) => memory.client(connect),
    drop: (socket) => memory.dropTransport(socket),
    close: () => memory.close(),
  };
}

/** Starts a stage. */
export async function realtimeStage(transport: Transport, options: Partial<ServerOptions> = {}): Promise<Stage> {
  const log = recordingLog();
  const { io, client: openSocket, drop, close } = await open(transport, options);
  io.use((socket, next) => {
    Object.assign(socket.data, socket.handshake.auth);
    next();
  });
  const realtime = new Realtime<App>({
    user: ({ data }) => data.user,
    session: ({ data }) => data.session,
    presence: { graceMs: 0 },
  });
  const market = new MarketHandler(realtime);
  const readers = new Set(["ann", "bob"]);
  realtime.topics.define("room:{id}", {
    join: ({ socket }, { id }) => {
      if (!readers.has(socket.data.user ?? "")) throw new EventError("FORBIDDEN", `room ${id} is not for you`);
    },
    snapshot: (_, { id }) => ({ room: id, items: market.items }),
    presence: true,
  });
  const manager = new ServiceManager<App>(io, { logger: log, closeServer: false });
  manager.registerHandler(realtime).registerHandler(market);
  await manager.boot();

  const caughtUp = async (client: Client<App>): Promise<void> => {
    // Answered after everything that was sent before it.
    await client.call("get_item", { id: 0 });
    market.ran.pop();
  };
  const stranger: Stage["stranger"] = (who = {}, clientOptions = {}) => {
    const logger = recordingLogger();
    const socket = openSocket({ ...fast, auth: who });
    return { socket, logger, client: createClient<App>(socket, { logger, ...clientOptions }) };
  };

  return {
    io,
    realtime,
    market,
    readers,
    log,
    caughtUp: async (...players) => {
      for (const { client } of players) await caughtUp(client);
    },
    ingress: manager.ingress,
    stranger,
    async join(who, clientOptions) {
      const { client, logger, socket } = stranger(who, clientOptions);
      const ready = new Promise<void>((resolve) => client.onReady(resolve));
      socket.connect();
      await ready;
      const heard: string[] = [];
      client.on("items_changed", ({ source }) => heard.push(`items_changed ${source}`));
      const reconnected = (): Promise<{ recovered: boolean }> =>
        new Promise((resolve) => {
          const off = client.onReconnect((info) => {
            off();
            resolve(info);
          });
        });
      return {
        client,
        socket,
        logger,
        heard,
        drop: () => drop(socket),
        reconnected,
        reconnect() {
          const back = reconnected();
          drop(socket);
          return back;
        },
      };
    },
    async [Symbol.asyncDispose]() {
      await manager.shutdown({ graceMs: 0 });
      await close();
    },
  };
}
