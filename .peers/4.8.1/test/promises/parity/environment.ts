import { Server, type ServerOptions, type Socket } from "socket.io";
import type { Socket as ClientSocket } from "socket.io-client";
import { fakeServer, inMemory, type FakeServer, type FakeServerOptions, type FakeSocket } from "socket-ingress/testing";
import { connected, serve } from "../../fixtures/serve.js";

/** A connected client, as far as it can be seen from outside in every environment. */
export interface Peer {
  readonly id: string | undefined;
  readonly connected: boolean;
  readonly recovered: boolean;
  /** Why the client thinks it was disconnected; settles once it was. */
  readonly gone: Promise<string>;
  /** The server's side. */
  readonly server: Socket;
  /** Everything that arrived, in order. */
  readonly received: readonly { readonly event: string; readonly args: readonly unknown[] }[];
  /** Emits with an acknowledgement; resolves to what that was called with. */
  call(event: string, ...args: unknown[]): Promise<unknown>;
  emit(event: string, ...args: unknown[]): void;
  on(event: string, listener: (...args: any[]) => void): void;
  /** Everything sent before, in both directions, has been served: a round trip of the application's own. */
  settle(): Promise<void>;
  leave(): void;
  drop(): void;
  reconnect(): Promise<void>;
  /** Joins another namespace over the same connection. */
  join(namespace: string): Promise<Peer>;
}

/** How a {@link Peer} connects. */
export interface PeerOptions {
  readonly namespace?: string;
  readonly auth?: Record<string, unknown>;
}

/** A server in one of the environments. */
export interface Running extends AsyncDisposable {
  readonly io: Server;
  /** Rejects with the `message` and `data` of the `connect_error`. */
  connect(options?: PeerOptions): Promise<Peer>;
}

/** A way to run a server and its clients. */
export interface Environment {
  readonly name: string;
  start(options?: FakeServerOptions): Promise<Running>;
}

/** Takes a behaviour: its name, a sentence, and the program that fails unless it is so. */
export type Register = (name: string, run: () => Promise<void>) => void;

/** The event by which peers {@link Peer.settle}; answered by a plain listener, beside the ingress. */
const settled = "parity:settled";

function answerSettled(io: Server): void {
  const answer = (socket: Socket): void => void socket.on(settled, (reply: () => void) => reply());
  io.on("connection", answer);
  io.on("new_namespace", (namespace) => void namespace.on("connection", answer));
}

/** A peer of socket.io-client's, which hears everything from the first packet on. */
async function peerOf(client: ClientSocket, home: RealHome): Promise<Peer> {
  const received: { event: string; args: unknown[] }[] = [];
  client.onAny((event: string, ...args: unknown[]) => {
    received.push({ event, args: args.filter((arg) => typeof arg !== "function") });
  });
  const gone = new Promise<string>((resolve) => client.once("disconnect", resolve));
  await connected(client);
  let server = home.serverSide(client);
  return {
    get id() {
      return client.id;
    },
    get connected() {
      return client.connected;
    },
    get recovered() {
      return client.recovered;
    },
    gone,
    get server() {
      return server;
    },
    received,
    call: (event, ...args) => client.emitWithAck(event, ...args),
    emit: (event, ...args) => void client.emit(event, ...args),
    on: (event, listener) => void client.on(event, listener),
    settle: () => client.emitWithAck(settled),
    leave: () => void client.disconnect(),
    drop: () => home.drop(client),
    async reconnect() {
      await connected(client);
      server = home.serverSide(client);
    },
    join: (namespace) =>
      peerOf(client.io.socket(namespace), { ...home, serverSide: (socket) => home.inNamespace(socket, namespace) }),
  };
}

interface RealHome {
  serverSide(client: ClientSocket): Socket;
  inNamespace(client: ClientSocket, namespace: string): Socket;
  drop(client: ClientSocket): void;
}

function inNamespace(io: Server): RealHome["inNamespace"] {
  return (client, namespace) => io.of(namespace).sockets.get(client.id ?? "") as Socket;
}

/** Server and clients over TCP. */
export const realSockets: Environment = {
  name: "real sockets",
  async start(options) {
    const app = await serve(answerSettled, options as Partial<ServerOptions>);
    return {
      io: app.io,
      connect({ namespace = "/", auth = {} } = {}) {
        return peerOf(app.client({ namespace, auth }), {
          serverSide: (client) => app.serverSide(client, namespace) as Socket,
          inNamespace: inNamespace(app.io),
          drop: (client) => void client.io.engine.transport.close(),
        });
      },
      [Symbol.asyncDispose]: () => app.close(),
    };
  },
};

/** The same stack over streams. */
export const inMemoryServer: Environment = {
  name: "in memory",
  async start(options) {
    const io = new Server(options);
    answerSettled(io);
    const app = await inMemory(io);
    return {
      io,
      connect(connectOptions = {}) {
        const first = app.client(connectOptions);
        return peerOf(first, {
          serverSide: () => app.serverSide(first) as Socket,
          inNamespace: inNamespace(io),
          drop: () => app.dropTransport(first),
        });
      },
      [Symbol.asyncDispose]: () => app.close(),
    };
  },
};

/** Socket.IO's classes without a transport. */
export const fakeSockets: Environment = {
  name: "fake sockets",
  start(options) {
    const io = fakeServer(options);
    answerSettled(io);
    return Promise.resolve({
      io,
      async connect(connectOptions = {}) {
        return fakePeer(io, await io.connect(connectOptions));
      },
      [Symbol.asyncDispose]: () => io.close(),
    });
  },
};

function fakePeer(io: FakeServer, socket: FakeSocket): Peer {
  return {
    get id() {
      return socket.id;
    },
    get connected() {
      return socket.connected;
    },
    get recovered() {
      return socket.recovered;
    },
    gone: new Promise((resolve) => void socket.on("disconnect", resolve)),
    get server() {
      return socket.server as Socket;
    },
    received: socket.sent,
    call: (event, ...args) => socket.receive(event, ...args),
    emit: (event, ...args) => void socket.emit(event, ...args),
    on: (event, listener) => void socket.on(event, listener),
    settle: async () => void (await socket.receive(settled)),
    leave: () => void socket.disconnect(),
    drop: () => socket.dropTransport(),
    async reconnect() {
      await socket.reconnect();
    },
    join: async (namespace) => fakePeer(io, await io.connect({ namespace, over: socket })),
  };
}

/** Where every behaviour must hold alike. */
export const environments: readonly Environment[] = [realSockets, inMemoryServer, fakeSockets];
