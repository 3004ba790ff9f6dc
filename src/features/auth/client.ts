/**
 * The browser's part of `socket-ingress/auth`: presents a token with every connection, and another before it expires.
 *
 * @example
 * ```ts
 * import { io } from "socket.io-client";
 * import { createClient } from "socket-ingress/client";
 * import { keepAuthenticated } from "socket-ingress/auth/client";
 *
 * const client = createClient(io("http://localhost:3000"));
 * keepAuthenticated(client, {
 *   token: async () => {
 *     const response = await fetch("/token", { method: "POST" });
 *     return response.status === 401 ? undefined : response.text(); // nobody is signed in any more
 *   },
 *   onEnded: ({ message }) => console.log("please sign in:", message),
 * });
 * ```
 *
 * @module
 */

import type { Server } from "socket.io";
import type { Client } from "../../client/client.js";
import type { ClientSocket } from "../../client/client-socket.js";
import { EventFailure } from "../../client/event-failure.js";
import { createPauses } from "../../client/pauses.js";
import { passes } from "../../wire/codes.js";
import type { Awaitable } from "../../wire/values.js";
import { EXPIRING, type HandshakeAuth, TOKEN } from "./protocol.js";

export type { RefusalReason } from "./protocol.js";

/** A token, or nothing where nobody is signed in. */
export type GivenToken = string | null | undefined;

/** How a connection is kept authenticated. */
export interface KeepAuthenticatedOptions {
  /**
   * Gets a token, a fresh one each time: for each connection that is made, and when the one in use is about to expire. Nothing means that
   * nobody is signed in: the server then lets a guest in, or refuses. If it rejects, the network is taken to be down and it is asked again,
   * after a second, then less and less often.
   */
  token: () => Promise<GivenToken> | GivenToken;
  /**
   * Told when the server has ended or refused the connection because of who this is or is not, and it does not come back by itself: show
   * the login. The failure has `UNAUTHENTICATED` or `FORBIDDEN` as its code, and says in `details.reason` what is wrong with the token.
   */
  onEnded?: (failure: EventFailure) => unknown;
}

/** What {@link keepAuthenticated} returns. Called, it stops: the connection stays as it is, the next one says nothing of a token. */
export interface KeptAuthentication {
  (): void;
  /**
   * Gets a token now and presents it on the connection, e.g. when a guest has signed in, or roles have changed; without a connection, it
   * makes one. The socket, its topics and what waits stay as they are.
   *
   * @throws EventFailure (as a rejection) with which the server refused it; the token before it counts on
   */
  refresh(): Promise<void>;
}

/**
 * Keeps the connection of a client authenticated: it presents a token with every connection, another in place before the one in use
 * expires, and comes back with a fresh one where the server says that one has expired. Revoked, it stays away. What the socket
 * says in `auth` beside the token, as an object or by a function, it goes on to say. Call it before the client connects; called later, it
 * presents a token at once, which is how a guest becomes a user.
 *
 * @returns the undo, which can also {@link KeptAuthentication.refresh}
 */
export function keepAuthenticated<App = Server>(
  client: Client<App, ClientSocket>,
  { token, onEnded }: KeepAuthenticatedOptions,
): KeptAuthentication {
  // The events of ours are not among the application's.
  const ours = client as unknown as Client<Record<string, (given: GivenToken) => void>>;
  // What io() returns has it; a client is content with less.
  const socket = client.socket as ClientSocket & { auth?: unknown };
  const before = socket.auth;
  const pauses = createPauses();
  let stopped = false;
  const isStopped = (): boolean => stopped;
  let connecting = 0;
  /** Another token is to be presented when the connection that is being made is there. */
  let isLate = false;
  let getting: Promise<GivenToken> | undefined;
  let wake = (): void => {};

  /** One at a time, for whoever wants one meanwhile, and for as long as it takes. */
  const fresh = (): Promise<GivenToken> => (getting ??= ask().finally(() => (getting = undefined)));
  const ask = async (): Promise<GivenToken> => {
    while (!isStopped()) {
      try {
        const given = await token();
        pauses.reset();
        return given;
      } catch (error) {
        client.logger.warn("socket-ingress: no token could be had; it is tried again", error);
        await new Promise<void>((resolve) => pauses.rest((wake = resolve)));
      }
    }
    return undefined;
  };

  const present = async (): Promise<void> => {
    const given = await fresh();
    if (given && !isStopped() && socket.connected) await ours.call(TOKEN, given);
  };
  /** What fails for the moment is tried again; whoever is refused is ended when the token before it expires. */
  const renew = (): void => {
    present().catch((error: unknown) => {
      if (isStopped() || !socket.connected) return;
      if (error instanceof EventFailure && passes(error.code)) pauses.rest(renew, error.retryAfterMs);
      else client.logger.warn("socket-ingress: another token was refused", error);
    });
  };

  /** What the application says beside the token, as socket.io-client takes it: as it is, or by a function. */
  const beside = (): Awaitable<object | undefined> =>
    typeof before === "function" ? new Promise((resolve) => before(resolve)) : (before as object | undefined);
  const auth = async (send: (auth: object) => void): Promise<void> => {
    const mine = ++connecting;
    const [given, more] = await Promise.all([fresh(), beside()]);
    // A connection that was lost meanwhile has asked again.
    if (mine !== connecting) return;
    const said: HandshakeAuth = given && !isStopped() ? { token: given, renews: true } : {};
    // What it connected with before is not whoever is signed in now.
    send({ ...more, token: undefined, ...said });
  };
  socket.auth = auth;

  const connect = (): void => {
    isLate = false;
    socket.connect?.();
  };

  const offs = [
    ours.on(EXPIRING, renew),
    client.onEnded((failure) => {
      const isAboutWho = failure.code === "UNAUTHENTICATED" || failure.code === "FORBIDDEN";
      if (!isAboutWho || client.status.willRetry) return undefined;
      // What was refused may be who this was before.
      return isLate ? connect() : onEnded?.(failure);
    }),
    client.onReady(() => {
      if (isLate) renew();
      isLate = false;
    }),
  ];
  if (socket.connected) renew();

  const stop = (): void => {
    stopped = true;
    pauses.end();
    wake();
    for (const off of offs.splice(0)) off();
    if (socket.auth === auth) socket.auth = before;
  };
  return Object.assign(stop, {
    refresh: async () => {
      if (socket.connected) return present();
      // It may have said already who this was before: a second word would end the connection.
      if (isLate) return;
      if (socket.active !== true) return connect();
      isLate = true;
    },
  });
}
