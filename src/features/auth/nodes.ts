import { isDeepStrictEqual } from "node:util";
import type { Server } from "socket.io";
import { onlyKey } from "../../events/only-one.js";
import type { AppServer, AppSocket } from "../../events/subscriber.js";
import type { Handler } from "../../handler.js";
import type { Answers, ClusterMessages, Realtime } from "../realtime/index.js";
import type { Claims } from "./claims.js";
import type { Revoked } from "./revocations.js";

/** What a node that revokes says to the others. */
export interface RevokeMessage {
  readonly who: Revoked;
  /** In milliseconds since 1970, by the clock of that node. */
  readonly at: number;
  /** For the clients. */
  readonly message?: string;
}

type AuthHandler<App extends AppServer> = Pick<Handler<App>, "resolve" | "io" | "addCleanup"> & {
  readonly namespace: string;
};

const REVOKE = "revoke";

/** The other nodes, and whose sockets are there: both by way of the `Realtime` of this namespace, if the same manager has one. */
export class Nodes<App extends AppServer = Server> {
  readonly #handler: AuthHandler<App>;
  readonly #revoke: (message: RevokeMessage) => Promise<number>;
  #messages: ClusterMessages | undefined;

  /** @param revoke does on this node what another says, and tells how many connections it ended */
  constructor(handler: AuthHandler<App>, revoke: (message: RevokeMessage) => Promise<number>) {
    this.#handler = handler;
    this.#revoke = revoke;
  }

  /** Hears from now on what others revoke, as soon as there is somebody to hear it from. */
  listen(): void {
    if (this.#messages !== undefined) return;
    const messages = this.#realtime()?.cluster("auth");
    if (messages === undefined) return;
    this.#messages = messages;
    const off = messages.on(REVOKE, (message: RevokeMessage) => this.#revoke(message));
    this.#handler.addCleanup(() => {
      this.#messages = undefined;
      off();
    });
  }

  /** Has all other nodes revoke. Never rejects. */
  async ask(message: RevokeMessage): Promise<Answers<number>> {
    this.listen();
    if (this.#messages !== undefined) return this.#messages.ask<number>(REVOKE, message);
    const { io, namespace } = this.#handler;
    try {
      const count = (await io?.of(namespace).adapter.serverCount()) ?? 1;
      return { answers: [], complete: count <= 1 };
    } catch {
      return { answers: [], complete: false };
    }
  }

  /** Says whose a socket is now, so that policies are asked again: a guest has signed in, or a user has another session, or other roles. */
  async identify(socket: AppSocket<App>, before: Claims | undefined, now: Claims | undefined): Promise<void> {
    const realtime = this.#realtime();
    if (realtime === undefined || now === undefined) return;
    if (before?.session !== now.session) await realtime.setSession(socket, now.session);
    if (before?.user !== now.user) await realtime.setUser(socket, now.user);
    else if (before.session === now.session && !saysTheSame(before, now)) await realtime.review(socket);
  }

  #realtime(): Realtime<App> | undefined {
    // Registered with the manager of this very application.
    return this.#handler.resolve<Realtime<App>>(onlyKey("a Realtime", this.#handler.namespace));
  }
}

/** Whether a policy that reads the claims of one user has the same to go by. */
function saysTheSame(before: Claims, now: Claims): boolean {
  return isDeepStrictEqual(whatIsSaid(before), whatIsSaid(now));
}

/** All but how long it counts, and what the token is called. */
function whatIsSaid({ roles, permissions, token }: Claims): unknown {
  const { iat: _iat, exp: _exp, nbf: _nbf, jti: _jti, ...said } = token;
  return [roles, permissions, said];
}
