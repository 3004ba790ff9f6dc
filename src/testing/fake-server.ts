import { quietDefaultLogger } from "../lifecycle/default-logger.js";
import { checkTicks } from "./ticks.js";
import { Server, type ServerOptions, type Socket } from "socket.io";
import { asRecord, checkNames } from "../wire/option-names.js";
import type { AppServer, AppSocket, ServesAs } from "../events/subscriber.js";
import type { SocketDataOf } from "../wire/event-types.js";
import { FakeClient } from "./fake-client.js";
import { FakeEngine, type FakeConnection, type FakeRequest } from "./fake-connection.js";
import { ClientEnd } from "./client-end.js";
import type { FakeSocket } from "./fake-socket.js";
import type { Link } from "./link.js";
import { defaultParser, type Parser } from "./socket-io-parts.js";

/** The options of a Socket.IO server that mean something without HTTP. */
export type FakeServerOptions = Partial<
  Pick<
    ServerOptions,
    "adapter" | "parser" | "connectTimeout" | "connectionStateRecovery" | "cleanupEmptyChildNamespaces"
  >
>;

/** How a fake client connects. */
export interface FakeConnectOptions<App extends AppServer = Server> extends FakeRequest {
  /** What the client sends in `auth`. */
  readonly auth?: Readonly<Record<string, unknown>>;
  /**
   * What `socket.data` starts with, before any middleware and any `connect` subscriber has run: as if an earlier middleware had
   * put it there.
   */
  readonly data?: Partial<SocketDataOf<App>>;
  /** Which namespace it joins. @default "/" */
  readonly namespace?: string;
  /** Shares the connection of another fake socket, as a client that joins two namespaces does. */
  readonly over?: FakeSocket<App>;
}

/** What a fake server has beside being a `Server`. */
export interface FakeServerMethods<App extends AppServer = Server> extends AsyncDisposable {
  /**
   * Connects a client.
   *
   * @throws ConnectRefused (as a rejection) when middleware or a `connect` subscriber refuses it; TypeError (as a rejection) for an option
   *   that there is not
   */
  connect(options?: FakeConnectOptions<App>): Promise<FakeSocket<App>>;
}

// What a test runs is Socket.IO's own code (decision 0021).

/** A Socket.IO server of the application's own type without a transport; see {@link fakeServer}. */
export type FakeServer<App extends AppServer = Server> = App & FakeServerMethods<App> & ServesAs<App>;

const understood: readonly string[] = [
  "adapter",
  "parser",
  "connectTimeout",
  "connectionStateRecovery",
  "cleanupEmptyChildNamespaces",
] satisfies (keyof FakeServerOptions)[];

const connectOptions: readonly string[] = [
  "auth",
  "data",
  "namespace",
  "over",
  "headers",
  "query",
  "address",
] satisfies (keyof FakeConnectOptions)[];

/**
 * A server without a transport, for unit tests of handlers. It is Socket.IO's own `Server`, with its namespaces, rooms,
 * adapter, sockets, middleware and parser; only Engine.IO beneath it is a double. It opens nothing, and needs no closing for a test
 * process to exit.
 *
 * What needs HTTP (`listen`, `attach`, `io.engine.use`, options such as `cors`) throws and says so; `inMemory(io)` has it.
 *
 * @typeParam App - the `Server<...>` type of the application
 * @throws TypeError for an option that would do nothing
 *
 * @example
 * const io = fakeServer<App>();
 * await new PresenceHandler().setup(io);
 * const socket = await io.connect({ data: { user: "ann" } });
 * await socket.receive("heartbeat", { at: 1 }); // { ok: true }
 */
export function fakeServer<App extends AppServer = Server>(options: FakeServerOptions = {}): FakeServer<App> {
  for (const name of Object.keys(options)) {
    if (!understood.includes(name)) {
      throw new TypeError(
        `fakeServer: the option "${name}" needs a transport, and a fake server has none: use inMemory(new Server({ ${name} })) for this test`,
      );
    }
  }
  quietDefaultLogger();
  // The class knows a server of any events; which ones is only the caller's to say.
  return new TransportlessServer(options) as unknown as FakeServer<App>;
}

class TransportlessServer extends Server<any, any, any, any> implements FakeServerMethods<AppServer> {
  readonly #engine = new FakeEngine();
  readonly #parser: Parser;

  constructor(options: FakeServerOptions) {
    super({ ...options });
    this.#parser = (options.parser as Parser | undefined) ?? defaultParser();
    this.bind(this.#engine);
    this.sockets.use(applyPreset);
    this.on("new_namespace", (namespace) => void namespace.use(applyPreset));
  }

  async connect(options: FakeConnectOptions<AppServer> = {}): Promise<FakeSocket<AppServer>> {
    checkTicks("connect");
    checkNames("connect", asRecord("connect", options), connectOptions);
    const { auth = {}, data, namespace: name = "/", over, ...request } = options;
    const namespace = name.startsWith("/") ? name : `/${name}`;
    const dial = (link?: Link): FakeClient => new FakeClient(this.#engine, this.#parser, request, link);
    const socket = new ClientEnd<AppServer>(
      { dial, namespace, auth, data, serverSide: (nsp, id) => this.#serverSide(nsp, id) },
      over === undefined ? dial() : this.#clientOf(over),
    );
    await socket.open();
    return socket;
  }

  override of(...args: Parameters<Server["of"]>): ReturnType<Server["of"]> {
    const namespace = super.of(...args);
    // Namespaces made for a pattern copy its middleware: the preset must be the first of it.
    if (typeof args[0] !== "string") namespace.use(applyPreset);
    return namespace;
  }

  override listen(): never {
    return needsHttp("listen");
  }

  override attach(): never {
    return needsHttp("attach");
  }

  override attachApp(): never {
    return needsHttp("attachApp");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #clientOf(socket: FakeSocket<AppServer>): FakeClient {
    // Every fake socket is one: nobody else can make them.
    const { client } = socket as ClientEnd<AppServer>;
    if (client.connection.server !== this.#engine) throw new TypeError("connect: `over` is a socket of another server");
    if (!client.open) throw new Error("connect: the connection of `over` is closed; reconnect it first");
    return client;
  }

  #serverSide(namespace: string, id: string): AppSocket<AppServer> | undefined {
    return this.of(namespace).sockets.get(id);
  }
}

function needsHttp(method: string): never {
  throw new Error(`io.${method}() needs HTTP, and a fake server has none: use inMemory(io) for this test`);
}

/** The first middleware of every namespace: `socket.data` is what the test said, once. */
function applyPreset(socket: Socket<any, any, any, any>, next: () => void): void {
  // A connection whose far end is not the test's, such as that of a plain client, has none.
  const { presets } = socket.conn as unknown as Partial<FakeConnection>;
  const preset = presets?.get(socket.nsp.name);
  if (preset !== undefined) {
    presets?.delete(socket.nsp.name);
    Object.assign(socket.data, preset);
  }
  next();
}
