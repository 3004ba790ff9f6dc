import type { Server } from "socket.io";
import type { Arrival } from "../../events/arrival.js";
import type { EventContext } from "../../events/event-context.js";
import { type Belongings, builtIn, has } from "../../events/managed.js";
import { beOnlyOne } from "../../events/only-one.js";
import type { AppServer, AppSocket, Interceptor } from "../../events/subscriber.js";
import { Handler } from "../../handler.js";
import { type Key, Token } from "../../lifecycle/registry.js";
import { andThen, type Awaitable, describeValue, printable } from "../../wire/values.js";
import { type AuthOptions, readAuthOptions } from "./auth-options.js";
import type { Claims } from "./claims.js";
import { Gatekeeper } from "./gatekeeper.js";
import { loadJose } from "./jose.js";
import { Nodes, type RevokeMessage } from "./nodes.js";
import { type Renewed, TOKEN } from "./protocol.js";
import { describeRequirements, readRequirements, type Requirement } from "./requirements.js";
import type { Revoked } from "./revocations.js";
import type { TokenRequest } from "./token-source.js";

/** What the client of a connection that is ended is told. */
export interface RevokeOptions {
  /** For a person. @default "you were signed out" */
  message?: string;
}

/** What {@link Auth.revoke} has done. */
export interface Revocation {
  /** How many connections it ended, on all nodes. */
  readonly sockets: number;
  /** False when a node did not answer: it may have some left. Their tokens are refused all the same where nodes share a store. */
  readonly complete: boolean;
}

/** Before all others that ask or are told: whose a socket is, is not to be read before it is known. */
const FIRST = -2_000_000;

/**
 * Lets clients in by their tokens (JSON Web Tokens, verified with jose), for as long as these count: it asks at `connect`, before
 * everybody else; a connection whose token expires is ended then, unless its client presents another before; one that is revoked is
 * ended at once, on every node. Register it with a manager, or set it up with a server.
 *
 * What is refused is `UNAUTHENTICATED`, with `details.reason` one of `missing`, `expired`, `invalid` and `revoked`. What can't be decided
 * at the moment, because the issuer's keys or the store of revocations can't be reached, is `OVERLOADED`: nobody is told that they are
 * signed out because something of ours is down.
 *
 * A namespace has one, and a second one is refused when it is set up: each would refuse whom the other knows.
 *
 * It looks at the events of this package's handlers and at unknown ones; a listener of your own (`socket.on`) is ended with the connection.
 *
 * @typeParam App - the `Server<...>` type of the application
 *
 * @example
 * const auth = new Auth<App>({ jwks: "https://issuer.example/.well-known/jwks.json", issuer: "https://issuer.example/", audience: "chat" });
 * const realtime = new Realtime<App>({ user: auth.user, session: auth.session });
 * manager.registerHandler(auth).registerHandler(realtime);
 *
 * events = { wipe: { run: "wipe", use: [auth.require("admin")] } };
 * await auth.revoke({ user: "ann" });
 */
export class Auth<App extends AppServer = Server> extends Handler<App> {
  readonly name: string;
  override readonly namespace: string;
  readonly events: object;
  /** @internal */
  readonly [builtIn]: true = true;
  /** The user of a socket, for `new Realtime({ user: auth.user })`; a guest has none. It is bound, and known from the verdict on. */
  readonly user: (socket: AppSocket<App>) => Awaitable<string | undefined>;
  /** The session of a socket's user, for `new Realtime({ session: auth.session })`: the `sid` of its token. It is bound. */
  readonly session: (socket: AppSocket<App>) => Awaitable<string | undefined>;

  readonly #gatekeeper: Gatekeeper<App>;
  readonly #nodes: Nodes<App>;
  readonly #has: Belongings;

  /** @throws TypeError naming an option that does not exist or does not fit */
  constructor(options: AuthOptions<App>) {
    super();
    const read = readAuthOptions(options);
    this.namespace = read.namespace.startsWith("/") ? read.namespace : `/${read.namespace}`;
    this.name = this.namespace === "/" ? "auth" : `auth of ${this.namespace}`;
    const gatekeeper = new Gatekeeper<App>(this, read);
    this.#gatekeeper = gatekeeper;
    const { from, optional, algorithms, issuer, audience, warnBeforeMs } = read;
    this.#has = { tokens: [{ namespace: this.namespace, from, optional, algorithms, issuer, audience, warnBeforeMs }] };
    this.#nodes = new Nodes<App>(this, (message) => gatekeeper.revoke(message));
    this.user = (socket) => andThen(gatekeeper.known(socket), ({ claims }) => claims?.user);
    this.session = (socket) => andThen(gatekeeper.known(socket), ({ claims }) => claims?.session);
    this.events = {
      connect: { run: this.#onConnect, guard: true, priority: FIRST },
      connection: { run: this.#onConnection, priority: FIRST },
      disconnecting: { run: this.#onDisconnecting, priority: FIRST },
      [TOKEN]: { run: this.#onToken, concurrency: 1, queueMax: 1 },
    };
  }

  // --- who somebody is --------------------------------------------------------------------------------------------------------

  /** What is known of whoever is behind a socket; `undefined` for a guest, and for a socket that was not let in. */
  claimsOf(socket: AppSocket<App>): Claims | undefined {
    return this.#gatekeeper.stayOf(socket)?.claims;
  }

  /**
   * Verifies a token as a connection's would be, for Express and whatever else is not a socket: given a request, the one that it
   * carries where `from` says.
   *
   * @returns who it is
   * @throws EventError (as a rejection) `UNAUTHENTICATED` with a reason, `FORBIDDEN` if `claims` says no, `OVERLOADED` if nobody can say
   *
   * @example
   * app.use(async (request, response, next) => {
   *   response.locals.claims = await auth.verify(request); // Express 5 hands on what it rejects with
   *   next();
   * });
   */
  verify(from: string | TokenRequest | undefined): Promise<Claims> {
    return this.#gatekeeper.verify(from);
  }

  // --- what somebody may -------------------------------------------------------------------------------------------------------

  /**
   * An interceptor for events of those who have something, all of it: a role by its name, `{ anyRole: [...] }`, `{ permission }`; with
   * nothing named, for those who are signed in. Others are refused with `FORBIDDEN` and `details.missing`, guests with
   * `UNAUTHENTICATED`. What was taken away counts for the next event, see the option `claims`.
   *
   * @throws TypeError naming what can't be required
   *
   * @example
   * events = { wipe: { run: "wipe", use: [auth.require("admin")] } }; // or `use` of a handler, for all of its events
   */
  override require(...requirements: Requirement[]): Interceptor<App>;
  /** What was provided under a token or a class in the manager's registry, as by `Handler.require`; a string is a role. */
  override require<T>(key: Key<T>): T;
  override require(...given: readonly (Requirement | Key)[]): unknown {
    const [key] = given;
    if (key instanceof Token || typeof key === "function") return super.require(key);
    const check = readRequirements("require", given);
    const interceptor: Interceptor<App> = ({ socket, event }, next) => {
      // Who goes has nothing to ask for.
      if (event === "disconnecting" || event === "disconnect") return next();
      return andThen(this.#gatekeeper.required(socket, check), () => next());
    };
    return named(interceptor, `${this.name}.require(${describeRequirements(given)})`);
  }

  /**
   * The same as a guard, for an event with several subscribers: none of them runs for those who are refused.
   *
   * @throws TypeError naming what can't be required
   *
   * @example
   * events = { wipe: { run: auth.guard("admin"), guard: true } };
   */
  guard(...requirements: Requirement[]): (context: EventContext<App>) => Promise<void> | void {
    const check = readRequirements("guard", requirements);
    const guard = ({ socket }: EventContext<App>) => this.#gatekeeper.required(socket, check);
    return named(guard, `${this.name}.guard(${describeRequirements(requirements)})`);
  }

  // --- what counts no more -----------------------------------------------------------------------------------------------------

  /**
   * Ends all connections of a user, or of one session, on every node, and refuses their tokens that were issued until now, those of the
   * present second included. Other nodes are reached by the `Realtime` of this namespace that is registered with the same manager; without
   * one, this node's are ended, and `complete` is false where there are others. Have the issuer issue no more tokens first.
   *
   * @returns how many connections; `complete: false` means that a node did not answer, and it should be done again. It rejects with what the
   * store of revocations rejected with, after the connections have been ended.
   * @throws TypeError at once unless it is a user or a session, and the message a text
   */
  revoke(who: Revoked, { message }: RevokeOptions = {}): Promise<Revocation> {
    if (message !== undefined && (typeof message !== "string" || message === ""))
      throw new TypeError(`Auth.revoke: message must be a non-empty string, got ${describeValue(message)}`);
    return this.#revoke({ who: readRevoked(who), at: Date.now(), ...(message !== undefined && { message }) });
  }

  // --- the handler -------------------------------------------------------------------------------------------------------------

  /** @internal */
  [has](): Belongings {
    return this.#has;
  }

  /** Asked about each event of each socket: from the end of its token on none begins, however late timers are. @internal */
  override beforeEvent({ socket }: Arrival<App>): Awaitable<void> {
    return this.#gatekeeper.refuseOver(socket);
  }

  /** Refuses a server that would send recovered clients what they missed, and looks at the tokens of those that are connected. */
  protected override async onSetup(): Promise<void> {
    this.#checkRecovery();
    beOnlyOne(this, "an Auth", this.ingress ?? this);
    this.#nodes.listen();
    this.addCleanup(() => this.#gatekeeper.close(this.#sockets()));
    loadJose().catch((error: unknown) => this.log.error({ err: printable(error) }, "no token can be looked at"));
    await this.#gatekeeper.takeIn(this.#sockets());
  }

  async #onConnect({ socket }: EventContext<App>): Promise<boolean> {
    // Server and nodes may have come later than this door.
    this.#checkRecovery();
    this.#nodes.listen();
    await this.#gatekeeper.admit(socket, socket.recovered);
    return true;
  }

  #onConnection(context: EventContext<App>): Awaitable<void> {
    return this.#gatekeeper.connected(context);
  }

  #onDisconnecting({ socket }: EventContext<App>): void {
    this.#gatekeeper.gone(socket);
  }

  async #onToken({ socket }: EventContext<App>, token: unknown): Promise<Renewed> {
    const { before, stay } = await this.#gatekeeper.present(socket, token);
    await this.#nodes.identify(socket, before, stay.claims);
    const { expiry } = stay;
    return { expiresInMs: expiry === undefined ? null : Math.max(0, Math.round(expiry.leftMs)) };
  }

  async #revoke(message: RevokeMessage): Promise<Revocation> {
    const revoking = Promise.allSettled([this.#gatekeeper.revoke(message)]);
    const { answers, complete } = await this.#nodes.ask(message);
    const [here] = await revoking;
    // Told when the others have ended theirs, too.
    if (here.status === "rejected") throw here.reason;
    return { sockets: answers.reduce((sum, count) => sum + count, here.value), complete };
  }

  #checkRecovery(): void {
    if (this.ingress?.recovers !== "beforeAsking") return;
    throw new Error(
      "Auth: connectionStateRecovery is on, and Socket.IO sends a recovered client what it missed before its token can be looked at. " +
        "Give the server an adapter: recoverAfterAsking(...), or switch recovery off.",
    );
  }

  #sockets(): AppSocket<App>[] {
    return [...(this.io?.of(this.namespace).sockets.values() ?? [])];
  }
}

/** What it asks for is told in logs and tables. */
function named<Fn extends (...args: never) => unknown>(fn: Fn, name: string): Fn {
  return Object.defineProperty(fn, "name", { value: name });
}

/** @throws TypeError unless it is a user or a session */
function readRevoked(who: unknown): Revoked {
  const { user, session, ...others } = (typeof who === "object" && who !== null ? who : {}) as Record<string, unknown>;
  const [id, ...more] = [user, session].filter((one) => one !== undefined);
  if (typeof id === "string" && id !== "" && more.length === 0 && Object.keys(others).length === 0)
    return user === undefined ? { session: id } : { user: id };
  throw new TypeError(`Auth.revoke: expected { user } or { session }, a non-empty string, got ${describeValue(who)}`);
}
