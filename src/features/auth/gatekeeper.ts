import type { Socket } from "socket.io";
import type { EventContext } from "../../events/event-context.js";
import type { AppServer, AppSocket } from "../../events/subscriber.js";
import type { Handler } from "../../handler.js";
import type { Logger } from "../../lifecycle/logger.js";
import { type EventError, isEventError } from "../../wire/event-error.js";
import { andThen, type Awaitable, printable } from "../../wire/values.js";
import type { CheckedAuthOptions } from "./auth-options.js";
import type { Claims } from "./claims.js";
import { ClaimsReader, wasIssuedBy } from "./claims-reader.js";
import { readKeys } from "./keys.js";
import { MemoryRevocations } from "./memory-revocations.js";
import type { RevokeMessage } from "./nodes.js";
import type { HandshakeAuth } from "./protocol.js";
import { reasonOfRefusal, refusal, unavailable } from "./refusals.js";
import type { Revocations, Revoked } from "./revocations.js";
import { type Stay, Stays } from "./stays.js";
import { type TokenRequest, tokenReader } from "./token-source.js";
import { Verifier } from "./verifier.js";

/** The door that a {@link Gatekeeper} stands at. */
export type Gate<App extends AppServer> = Pick<Handler<App>, "name" | "namespace" | "io" | "ingress" | "log">;

/** Where a socket that can be recovered says whose it is: the next connection must be the same user's. */
const OWNER = "ingress:user";

/** Lets sockets in, and ends their stays. */
export class Gatekeeper<App extends AppServer> {
  readonly #gate: Gate<App>;
  readonly #options: CheckedAuthOptions;
  readonly #revocations: Revocations;
  readonly #reader: ClaimsReader;
  readonly #stays: Stays;
  readonly #tokenOf: (request: TokenRequest) => unknown;
  /** Sockets that were there before this door. */
  readonly #takingIn = new WeakMap<object, Promise<Stay>>();

  /** @throws TypeError naming an option that does not fit */
  constructor(gate: Gate<App>, options: CheckedAuthOptions) {
    const { algorithms, from, issuer, audience, claims, clockToleranceMs, warnBeforeMs } = options;
    this.#gate = gate;
    this.#options = options;
    const log = (): Logger => gate.log;
    const keys = readKeys(options, algorithms, log);
    this.#tokenOf = tokenReader(from);
    this.#revocations = options.revocations ?? new MemoryRevocations();
    const verifier = new Verifier({ keys, issuer, audience, clockToleranceMs });
    this.#reader = new ClaimsReader({ verifier, claims, revocations: this.#revocations, clockToleranceMs, log });
    this.#stays = new Stays({
      warnBeforeMs,
      // It is of the gate's own application, as all that come in here.
      dropPending: (socket, failure) => gate.ingress?.dropPending(socket as AppSocket<App>, failure),
    });
  }

  // --- tokens ------------------------------------------------------------------------------------------------------------------

  /** Who presents a token that is no socket's. */
  async verify(from: string | TokenRequest | undefined): Promise<Claims> {
    const token = typeof from === "object" && from !== null ? this.#tokenOf(from) : from;
    return this.#reader.read(token, undefined, (claims) => claims);
  }

  /** Another token for a socket, in place: the same socket goes on with it. */
  async present(
    socket: AppSocket<App>,
    token: unknown,
  ): Promise<{ readonly before: Claims | undefined; readonly stay: Stay }> {
    const stay = await this.known(socket);
    const before = stay.claims;
    await this.#reader.read(token, socket, (claims) => {
      // What ended it meanwhile wins.
      this.#refuseOver(socket, stay);
      if (stay.claims !== undefined && claims.user !== stay.claims.user) throw refusal("otherUser");
      this.#own(socket, claims.user);
      this.#stays.renew(plain(socket), stay, claims);
    });
    return { before, stay };
  }

  // --- the way in --------------------------------------------------------------------------------------------------------------

  /** Decides about a socket by the token it came with; about one that wants back what somebody missed, by whose that was, too. */
  async admit(socket: AppSocket<App>, returning: boolean): Promise<Stay> {
    const { auth, headers, url } = socket.handshake;
    const renews = (auth as HandshakeAuth | null)?.renews === true;
    const token = this.#tokenOf({ auth, headers, url });
    const begin = (claims: Claims | undefined): Stay => {
      if (returning && !this.#isOwn(socket, claims?.user)) throw refusal("otherUser", { retryAfterMs: 0 });
      this.#own(socket, claims?.user);
      return this.#stays.begin(socket, claims, renews, this.#reader.heard);
    };
    if (token === undefined && this.#options.optional) return begin(undefined);
    try {
      return await this.#reader.read(token, socket, begin);
    } catch (error) {
      // It gets new tokens by itself, and comes back with one.
      if (renews && isEventError(error) && reasonOfRefusal(error) === "expired")
        throw refusal("expired", { message: error.message, cause: error.cause, retryAfterMs: 0 });
      throw error;
    }
  }

  /** A socket that was let in is there. */
  connected(context: EventContext<App>): Awaitable<void> {
    const { socket } = context;
    const stay = this.stayOf(socket);
    // It was let in before this door had its say.
    const watched = stay === undefined ? this.#takeInFirst(context) : andThen(this.#watch(socket, stay), () => stay);
    return andThen(watched, ({ ended }) => {
      if (ended !== undefined) context.stop();
    });
  }

  /** Looks at those who are connected already. */
  async takeIn(sockets: readonly AppSocket<App>[]): Promise<void> {
    const taking = sockets.map(async (socket) => {
      const stay = this.stayOf(socket);
      return stay === undefined ? this.#takeIn(socket) : this.#watch(socket, stay);
    });
    await Promise.allSettled(taking);
  }

  /** A socket goes. */
  gone(socket: AppSocket<App>): void {
    this.#stays.unwatch(plain(socket));
  }

  /** Nothing is watched any more, though sockets are there. */
  close(sockets: readonly AppSocket<App>[]): void {
    this.#stays.clear(sockets.map(plain));
  }

  // --- those who are in --------------------------------------------------------------------------------------------------------

  /** The stay of a socket, if it was let in. */
  stayOf(socket: AppSocket<App>): Stay | undefined {
    return this.#stays.of(socket);
  }

  /** The same; a promise where it was there before this door, and is being looked at. */
  known(socket: AppSocket<App>): Awaitable<Stay> {
    const stay = this.stayOf(socket);
    if (stay !== undefined) return stay;
    if (socket.nsp.name === this.#gate.namespace) return this.#takeIn(socket);
    throw new Error(`${this.#gate.name} was asked who is behind a socket of ${socket.nsp.name}`);
  }

  /** @throws EventError if no event of this socket may begin */
  refuseOver(socket: AppSocket<App>): Awaitable<void> {
    const stay = this.stayOf(socket);
    if (stay !== undefined) return this.#refuseOver(socket, stay);
    // Of a namespace that is not this one's, or there before this door.
    if (socket.nsp.name !== this.#gate.namespace) return undefined;
    return this.#takeIn(socket).then((taken) => this.#refuseOver(socket, taken));
  }

  /** @throws EventError unless somebody is behind this socket, who passes the check as they are known today */
  required(socket: AppSocket<App>, check: (claims: Claims) => void): Promise<void> | void {
    return andThen(this.known(socket), (stay) => {
      this.#refuseOver(socket, stay);
      const { claims } = stay;
      if (claims === undefined) throw refusal("missing");
      if (this.#options.claims === undefined) return check(claims);
      return this.#reader.ask(claims.token, socket).then((today) => {
        // It may have ended meanwhile.
        this.#refuseOver(socket, stay);
        check(today);
      });
    });
  }

  // --- the way out -------------------------------------------------------------------------------------------------------------

  /** Ends the stays of a user or a session on this node, and writes down that their tokens count no more. Resolves to how many. */
  async revoke({ who, at, message }: RevokeMessage): Promise<number> {
    let sockets = this.#cut(who, at, message);
    try {
      await this.#revocations.revoke(who, at);
    } finally {
      // Who came in while it was being written down.
      sockets += this.#cut(who, at, message);
    }
    return sockets;
  }

  #cut(who: Revoked, at: number, message: string | undefined): number {
    this.#reader.hear(who);
    const { clockToleranceMs } = this.#options;
    const meant = this.#stays.having(who).filter((socket) => {
      const { claims, since } = this.#stays.of(socket) as Stay; // it is on record
      // Who has signed in again since is not meant. It is on record by its claims.
      return since <= at || wasIssuedBy((claims as Claims).token, at + clockToleranceMs);
    });
    for (const socket of meant)
      this.#stays.end(socket, this.#stays.of(socket) as Stay, refusal("revoked", { message }));
    return meant.length;
  }

  /** From now on a stay ends by itself. A revocation may have come since the verdict, when it was not on record yet. */
  #watch(socket: AppSocket<App>, stay: Stay): Awaitable<void> {
    this.#stays.watch(plain(socket), stay);
    const { claims, heard } = stay;
    if (claims === undefined || heard === this.#reader.heard) return undefined;
    // It rejects with nothing else.
    return this.#reader.refuseRevoked(claims).catch((error: EventError) => this.#stays.end(plain(socket), stay, error));
  }

  /** Looks at a socket that was connected before this door was there: it stays if its token is good. */
  #takeIn(socket: AppSocket<App>): Promise<Stay> {
    const known = this.#takingIn.get(socket);
    if (known !== undefined) return known;
    const taking = this.#look(socket);
    this.#takingIn.set(socket, taking);
    return taking;
  }

  /** The same, before anybody else is told of it: nobody is told of one that does not stay. */
  async #takeInFirst(context: EventContext<App>): Promise<Stay> {
    try {
      return await this.#takeIn(context.socket);
    } catch (error) {
      context.stop();
      throw error;
    }
  }

  async #look(socket: AppSocket<App>): Promise<Stay> {
    const { log } = this.#gate;
    try {
      const stay = await this.admit(socket, false);
      await this.#watch(socket, stay);
      return stay;
    } catch (error) {
      if (!isEventError(error))
        log.error({ err: printable(error), socketId: socket.id }, "a socket could not be looked at");
      const failure = isEventError(error) ? error : unavailable("tokens can't be verified at the moment", 1_000, error);
      this.#stays.cut(plain(socket), failure, false);
      throw failure;
    }
  }

  #refuseOver(socket: AppSocket<App>, stay: Stay): void {
    const failure = this.#stays.overBecause(plain(socket), stay);
    if (failure !== undefined) throw failure;
  }

  // What a client missed is kept with its session, and whoever brings back the id of that is given it: another user must not be
  // (decision 0061). The data of a socket is what Socket.IO keeps with it.
  #own(socket: AppSocket<App>, user: string | undefined): void {
    if (this.#gate.ingress?.recovers === "afterAsking") (socket.data as Record<string, unknown>)[OWNER] = user ?? null;
  }

  #isOwn(socket: AppSocket<App>, user: string | undefined): boolean {
    return (socket.data as Record<string, unknown>)[OWNER] === (user ?? null);
  }
}

/** A socket without the application's own events: what is sent to it here is ours. */
function plain(socket: object): Socket {
  return socket as Socket;
}
