import type { Server, ServerOptions } from "socket.io";
import type { Socket as ClientSocket } from "socket.io-client";
import { ServiceManager, SocketIngress, type Failure } from "socket-ingress";
import { Realtime, type Joined, type RealtimeOptions } from "socket-ingress/realtime";
import { inMemory } from "socket-ingress/testing";
import { recordingLog, type RecordingLog } from "../../fixtures/recording-log.js";
import { serve, type ConnectOptions, type Served } from "../../fixtures/serve.js";

/** What a test's client says it is; the tests' servers believe it. */
export interface As {
  readonly user?: string;
  readonly session?: string;
}

/** A server with a realtime door, and clients that speak its protocol by hand. */
export interface Door extends AsyncDisposable {
  readonly realtime: Realtime;
  readonly manager: ServiceManager;
  readonly ingress: SocketIngress;
  readonly served: Served;
  readonly log: RecordingLog;
  /** A connected client. */
  enter(as?: As, options?: ConnectOptions): Promise<Client>;
}

/** A connected client and everything it was sent. */
export interface Client {
  readonly socket: ClientSocket;
  readonly id: string;
  readonly events: [event: string, ...args: unknown[]][];
  /** The first argument of each event of this name so far. */
  got(event: string): unknown[];
  join(topic: unknown): Promise<Joined & Failure>;
  leave(topic: unknown): Promise<unknown>;
  call(requestId: unknown, event: unknown, ...args: unknown[]): Promise<unknown>;
  /** Resolves when all that the server has sent until now is here. */
  caughtUp(): Promise<void>;
  /** Resolves with the first argument of the next event of this name, or of one that is here already and was not waited for. */
  next(event: string): Promise<unknown>;
}

/** What a test may say about its server. */
export interface DoorOptions extends RealtimeOptions {
  readonly server?: Partial<ServerOptions>;
  readonly io?: (io: Server) => void | Promise<void>;
  readonly ingress?: ConstructorParameters<typeof SocketIngress>[0];
  /** Clients come over memory and not over a port. */
  readonly memory?: boolean;
  /** Before the manager boots. */
  readonly before?: (manager: ServiceManager, realtime: Realtime) => void;
}

/** Believes what a client says about itself, which only a test may do. */
const byAuth: Pick<RealtimeOptions, "user" | "session"> = {
  user: ({ handshake }) => (handshake.auth as As).user,
  session: ({ handshake }) => (handshake.auth as As).session,
};

/** Starts a server with a realtime door on a free port. */
export async function open({
  server,
  io,
  ingress: ingressOptions,
  before,
  memory = false,
  ...options
}: DoorOptions = {}): Promise<Door> {
  const log = recordingLog();
  const served = await serve(io, server);
  const ingress = new SocketIngress({ logger: log, ...ingressOptions });
  const manager = new ServiceManager(served.io, { logger: log, ingress });
  const realtime = new Realtime({ ...byAuth, ...options });
  manager.registerHandler(realtime);
  ingress.subscribe("sync", () => true);
  before?.(manager, realtime);
  await manager.boot();
  const clients = memory ? await inMemory(served.io) : served;
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    await manager.shutdown({ graceMs: 100 });
    await clients.close();
    await served.close();
  };
  return {
    realtime,
    manager,
    ingress,
    served,
    log,
    enter: async (as = {}, connectOptions = {}) => {
      const socket = clients.client({ auth: { ...as }, ...connectOptions });
      const client = record(socket);
      await new Promise<void>((resolve, reject) => {
        socket.once("connect", resolve);
        socket.once("connect_error", reject);
        socket.connect();
      });
      // The door has taken it in: events are kept until then.
      await client.caughtUp();
      return client;
    },
    [Symbol.asyncDispose]: () => (closing ??= close()),
  };
}

/** Records what a client is sent from now on. */
export function record(socket: ClientSocket): Client {
  const events: [event: string, ...args: unknown[]][] = [];
  const waited = new Map<string, number>();
  const waiting = new Set<() => void>();
  socket.onAny((event: string, ...args: unknown[]) => {
    events.push([event, ...args]);
    for (const look of [...waiting]) look();
  });
  const got = (event: string): unknown[] => events.filter(([name]) => name === event).map(([, data]) => data);
  return {
    socket,
    events,
    got,
    get id() {
      return socket.id ?? "";
    },
    join: (topic) => socket.timeout(20_000).emitWithAck("ingress:join", topic) as Promise<Joined & Failure>,
    leave: (topic) => socket.timeout(20_000).emitWithAck("ingress:leave", topic),
    call: (requestId, event, ...args) => {
      socket.emit("ingress:request", requestId, event);
      return socket.timeout(20_000).emitWithAck(event as string, ...args);
    },
    caughtUp: async () => {
      await socket.timeout(20_000).emitWithAck("sync");
    },
    next: (event) =>
      new Promise((resolve) => {
        const index = waited.get(event) ?? 0;
        waited.set(event, index + 1);
        const look = (): void => {
          const all = got(event);
          if (all.length <= index) return;
          waiting.delete(look);
          resolve(all[index]);
        };
        waiting.add(look);
        look();
      }),
  };
}

/** A promise and what settles it. */
export function deferred<T = void>(): {
  promise: Promise<T>;
  resolve: (value: T) => void;
  reject: (error: unknown) => void;
} {
  let resolve: (value: T) => void = () => undefined;
  let reject: (error: unknown) => void = () => undefined;
  const promise = new Promise<T>((ok, failed) => ([resolve, reject] = [ok, failed]));
  return { promise, resolve, reject };
}
