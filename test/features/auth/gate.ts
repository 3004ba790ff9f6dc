import { SignJWT } from "jose";
import type { Server, ServerOptions } from "socket.io";
import type { Socket as ClientSocket } from "socket.io-client";
import { ServiceManager, SocketIngress, type SocketIngressOptions } from "socket-ingress";
import { Auth, type AuthOptions } from "socket-ingress/auth";
import { Realtime } from "socket-ingress/realtime";
import { type FakeServer, fakeServer, type FakeServerOptions } from "socket-ingress/testing";
import { recordingLog, type RecordingLog } from "../../fixtures/recording-log.js";
import { ConnectError, type ConnectOptions, connected, serve, type Served } from "../../fixtures/serve.js";

/** What the tests' issuer signs with. */
export const secret = "a secret that is known to nobody else";

/** What a test says of a token; whatever it says of claims goes into it as it is. */
export interface TokenOptions {
  readonly alg?: string;
  readonly kid?: string;
  /** @default the tests' secret */
  readonly key?: Parameters<SignJWT["sign"]>[0];
  /** @default a minute */
  readonly expiresInMs?: number;
  /** @default now */
  readonly issuedAt?: number | undefined;
}

/** A token of the tests' issuer. Its times are exact to the millisecond, unlike those of most issuers. */
export async function tokenOf(
  sub: string | undefined,
  claims: object = {},
  options: TokenOptions = {},
): Promise<string> {
  const { alg = "HS256", kid, key = Buffer.from(secret), expiresInMs = 60_000 } = options;
  const iat = "issuedAt" in options ? options.issuedAt : Date.now() / 1_000;
  const payload = {
    ...(sub !== undefined && { sub }),
    ...(iat !== undefined && { iat }),
    exp: (Date.now() + expiresInMs) / 1_000,
    ...claims,
  };
  return new SignJWT(payload).setProtectedHeader({ alg, ...(kid !== undefined && { kid }) }).sign(key);
}

/** A server that lets clients in by their tokens. */
export interface Gate extends AsyncDisposable {
  readonly auth: Auth;
  readonly realtime: Realtime;
  readonly manager: ServiceManager;
  readonly ingress: SocketIngress;
  readonly served: Served;
  readonly log: RecordingLog;
  /** What `say` was called with. */
  readonly said: unknown[];
  /** A connected client with this token. */
  enter(token?: unknown, options?: ConnectOptions): Promise<ClientSocket>;
  /** Why a client with this token is refused: `data` of its `connect_error`. */
  refused(token?: unknown, options?: ConnectOptions): Promise<unknown>;
}

/** What a test may say about its gate. */
export interface GateOptions extends Partial<AuthOptions> {
  readonly server?: Partial<ServerOptions>;
  readonly ingress?: SocketIngressOptions;
  readonly io?: (io: Server) => void | Promise<void>;
  /** Before the manager boots. */
  readonly before?: (manager: ServiceManager, auth: Auth) => void;
  /** Whether there is a `Realtime`. @default true */
  readonly alone?: boolean;
}

/** Starts one on a free port. Topics are public; `say` keeps what it is called with, `sync` answers. */
export async function open({
  server,
  ingress: ingressOptions,
  io,
  before,
  alone = false,
  ...options
}: GateOptions = {}): Promise<Gate> {
  const log = recordingLog();
  const served = await serve(io, server);
  const ingress = new SocketIngress({ logger: log, ...ingressOptions });
  const manager = new ServiceManager(served.io, { logger: log, ingress });
  const ways = ["secret", "key", "jwks"].some((name) => name in options) ? options : { secret, ...options };
  const auth = new Auth(ways);
  const realtime = new Realtime({ namespace: auth.namespace, user: auth.user, session: auth.session });
  realtime.topics.define("hall", { public: true });
  realtime.topics.define("of:{id}", { join: ({ user }, { id }) => user === id });
  const said: unknown[] = [];
  ingress.subscribe("say", (_context, text) => said.push(text));
  ingress.subscribe("sync", () => true);
  manager.registerHandler(auth);
  if (!alone) manager.registerHandler(realtime);
  before?.(manager, auth);
  await manager.boot();
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    await manager.shutdown({ graceMs: 100 });
    await served.close();
  };
  const client = (token: unknown, connectOptions: ConnectOptions = {}): ClientSocket =>
    served.client({ auth: token === undefined ? {} : { token }, ...connectOptions });
  return {
    auth,
    realtime,
    manager,
    ingress,
    served,
    log,
    said,
    async enter(token, connectOptions) {
      const socket = client(token, connectOptions);
      await connected(socket);
      return socket;
    },
    async refused(token, connectOptions) {
      const refusal = await connected(client(token, connectOptions)).catch((error: unknown) => error);
      if (refusal instanceof ConnectError) return refusal.data;
      throw new Error("it was let in");
    },
    [Symbol.asyncDispose]: () => (closing ??= close()),
  };
}

/**
 * Has the first tokens that are read expire so long after they were let in, in milliseconds, one after the other, whatever they say: what
 * a loaded machine takes until then counts for nothing.
 */
export function lives(...ms: number[]): NonNullable<AuthOptions["claims"]> {
  return () => {
    const life = ms.shift();
    return life === undefined ? undefined : { expiresAt: Date.now() + life };
  };
}

/** What a client is told when its connection is ended, and that it has ended. */
export async function ended(socket: ClientSocket): Promise<unknown> {
  const told = new Promise((resolve) => socket.once("ingress:ended", resolve));
  const gone = new Promise((resolve) => socket.once("disconnect", resolve));
  const reason = await told;
  await gone;
  return reason;
}

/** The code and the reason of a failure. */
export function whyOf(reply: unknown): unknown {
  const { error } = (reply ?? {}) as { error?: { code: string; details?: { reason?: string } } };
  return error === undefined ? reply : [error.code, error.details?.reason];
}

/** A server without a port, whose time is in the hands of the test's fake timers. */
export async function timeless(
  options: Partial<AuthOptions> & { server?: FakeServerOptions } = {},
): Promise<{ readonly io: FakeServer; readonly auth: Auth; readonly ingress: SocketIngress } & AsyncDisposable> {
  const { server, ...rest } = options;
  const io = fakeServer(server);
  const ingress = new SocketIngress({ logger: recordingLog() });
  const auth = new Auth({ secret, ...rest });
  const manager = new ServiceManager(io, { ingress, logger: recordingLog() }).registerHandler(auth);
  ingress.subscribe("say", () => "heard");
  await manager.boot();
  return { io, auth, ingress, [Symbol.asyncDispose]: async () => void (await manager.shutdown({ graceMs: 0 })) };
}
