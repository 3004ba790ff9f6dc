import { quietDefaultLogger } from "../lifecycle/default-logger.js";
import { checkTicks } from "./ticks.js";
import { createServer } from "node:http";
import type { Server } from "socket.io";
// Its two forms have types that do not fit each other; most who use these types import them in an ES module.
import type { ManagerOptions, Socket as ClientSocket, SocketOptions } from "socket.io-client" with {
  "resolution-mode": "import",
};
import { asRecord } from "../wire/option-names.js";
import type { AppServer, AppSocket } from "../events/subscriber.js";
import type { EmitEventsOf, ListenEventsOf } from "../wire/event-types.js";
import { describeValue } from "../wire/values.js";
import { closeIo } from "../socket-io/close-server.js";
import { faultyParser } from "./faulty-parser.js";
import { Link } from "./link.js";
import { MemoryAgent } from "./memory-agent.js";
import { ConnectRefused } from "./refused.js";
import { defaultParser, type Parser } from "./socket-io-parts.js";

/** A client of the application's own types, as socket.io-client makes it. */
export type InMemoryClient<App extends AppServer = Server> = ClientSocket<EmitEventsOf<App>, ListenEventsOf<App>>;

/** How a client connects: everything socket.io-client understands, and the namespace. */
export interface InMemoryConnectOptions extends Partial<ManagerOptions & SocketOptions> {
  /** Which namespace it joins. @default "/" */
  readonly namespace?: string;
}

/** How a server runs in memory. */
export interface InMemoryOptions {
  /**
   * Whether Engine.IO pings, as often as the server's options say. Off, a line that is silent stays up however far a test's fake
   * timers move, and is lost by {@link InMemoryApp.dropTransport} alone.
   *
   * @default false
   */
  readonly heartbeats?: boolean;
}

/** A server in memory and its clients. */
export interface InMemoryApp<App extends AppServer = Server> extends AsyncDisposable {
  /** The server it was made with. */
  readonly io: App;
  /**
   * A client that has not connected yet: attach listeners, then call its `connect()`.
   *
   * It uses WebSocket alone, a connection of its own, and does not reconnect by itself, unless the options say otherwise.
   */
  client(options?: InMemoryConnectOptions): InMemoryClient<App>;
  /**
   * A connected client.
   *
   * @throws ConnectRefused (as a rejection) when middleware or a `connect` subscriber refuses it
   */
  connect(options?: InMemoryConnectOptions): Promise<InMemoryClient<App>>;
  /** The server's side of a connected client. */
  serverSide(client: InMemoryClient<App>): AppSocket<App>;
  /**
   * Cuts a client's line, without a word from either side. Over WebSocket both hear of it at once; over HTTP long-polling as
   * soon as a request was open, else the server when its ping times out.
   */
  dropTransport(client: InMemoryClient<App>): void;
  /** The line to a client, on which packets can be held, delayed, doubled, reordered and lost. */
  link(client: InMemoryClient<App>): Link;
  /** Disconnects the clients and closes the server; `await using` does. */
  close(): Promise<void>;
}

/**
 * Runs a Socket.IO server over memory instead of a port: HTTP, Engine.IO and Socket.IO on both sides are the true ones, and only
 * the TCP connection is a pair of streams. Clients are those of `socket.io-client`, an optional peer which must be installed.
 *
 * A server that is attached to an HTTP server already keeps it, and what it serves; another gets one that never listens.
 *
 * @throws Error (as a rejection) when `socket.io-client` is not installed
 *
 * @example
 * await using app = await inMemory(new Server());
 * const client = await app.connect({ auth: { token } });
 * await client.emitWithAck("message", { text: "hi" });
 */
export async function inMemory<App extends AppServer>(
  io: App,
  { heartbeats = false }: InMemoryOptions = {},
): Promise<InMemoryApp<App>> {
  quietDefaultLogger();
  if (typeof (io as Partial<Server> | undefined)?.of !== "function")
    throw new TypeError(`inMemory: expected a Socket.IO server, got ${describeValue(io)}`);
  const { io: open } = await socketIoClient();
  // Declared as always there, and there only once attached.
  const attached = io.httpServer as App["httpServer"] | undefined;
  const httpServer = attached ?? createServer();
  if (attached === undefined) io.attach(httpServer);
  // The client learns the interval from the handshake, so one setting holds for both sides.
  if (!heartbeats) io.engine.opts.pingInterval = never;
  const lines = new Map<unknown, { readonly agent: MemoryAgent; readonly link: Link; readonly namespace: string }>();
  let closing: Promise<void> | undefined;

  const line = (
    client: InMemoryClient<App>,
  ): { readonly agent: MemoryAgent; readonly link: Link; readonly namespace: string } => {
    const found = lines.get(client);
    if (found === undefined) throw new TypeError("this client was not made by this in-memory server");
    return found;
  };

  const client = (options: InMemoryConnectOptions = {}): InMemoryClient<App> => {
    asRecord("connect", options);
    const { namespace = "/", parser, ...rest } = options;
    const agent = new MemoryAgent(httpServer as ReturnType<typeof createServer>);
    const link = new Link();
    const path = namespace.startsWith("/") ? namespace : `/${namespace}`;
    const socket = open(`http://in-memory${path}`, {
      transports: ["websocket"],
      reconnection: false,
      forceNew: true,
      autoConnect: false,
      path: io.path(),
      // Declared for HTTPS in a browser; in Node it reaches the WebSocket and the XMLHttpRequest as any agent would.
      agent: agent as never,
      parser: faultyParser((parser as Parser | undefined) ?? defaultParser(), link, (chunks) => {
        for (const chunk of chunks) socket.io.engine.write(chunk);
      }),
      ...rest,
    }) as unknown as InMemoryClient<App>;
    lines.set(socket, { agent, link, namespace: path });
    return socket;
  };

  const close = async (): Promise<void> => {
    for (const socket of lines.keys()) (socket as InMemoryClient<App>).disconnect();
    await closeIo(io);
    for (const { agent } of lines.values()) agent.cut();
    lines.clear();
  };

  return {
    io,
    client,
    async connect(options) {
      const socket = client(options);
      return new Promise((resolve, reject) => {
        checkTicks("connect");
        const settle = (): void => {
          socket.off("connect", onConnect);
          socket.off("connect_error", onError);
        };
        const onConnect = (): void => {
          settle();
          resolve(socket);
        };
        const onError = (error: Error & { data?: unknown }): void => {
          settle();
          reject(new ConnectRefused(error.message, error.data, error));
        };
        // The reserved names are not among the application's own.
        socket.on("connect", onConnect);
        socket.on("connect_error", onError);
        socket.connect();
      });
    },
    serverSide(socket) {
      const { namespace } = line(socket);
      const found = io.of(namespace).sockets.get(socket.id ?? "");
      if (found === undefined)
        throw new Error(`the client ${socket.id ?? ""} is not connected to ${namespace} of this server`);
      return found as AppSocket<App>;
    },
    dropTransport: (socket) => line(socket).agent.cut(),
    link: (socket) => line(socket).link,
    close: () => (closing ??= close()),
    [Symbol.asyncDispose]: () => (closing ??= close()),
  };
}

// Some weeks: Engine.IO adds its `pingTimeout`, and the sum must fit a timer's 31 bits.
const never = 2_000_000_000;

type SocketIoClient = typeof import("socket.io-client", { with: { "resolution-mode": "import" } });

async function socketIoClient(): Promise<SocketIoClient> {
  try {
    // In CommonJS it is the other form, which has other types.
    const loaded: unknown = await import("socket.io-client");
    return loaded as SocketIoClient;
  } catch (cause) {
    throw new Error("inMemory needs the package socket.io-client: install it as a development dependency", { cause });
  }
}
