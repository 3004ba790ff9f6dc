import type { Server } from "socket.io";
import type { Socket } from "socket.io-client";
import { type EventMap, Handler, ServiceManager } from "socket-ingress";
import { Auth, type Claims, type TokenRequest } from "socket-ingress/auth";
import { keepAuthenticated } from "socket-ingress/auth/client";
import { createClient } from "socket-ingress/client";
import { Realtime } from "socket-ingress/realtime";
import type express from "express";

interface ClientToServer {
  wipe(reply: (wiped: number) => void): void;
}
interface ServerToClient {
  wiped(by: string): void;
}
type App = Server<ClientToServer, ServerToClient, Record<string, never>, { name?: string }>;

// --- an application's own types go through --------------------------------------------------------------------------------------

const auth = new Auth<App>({
  secret: "a secret of more than thirty-two bytes",
  from: ["auth", "header", "cookie:token", "query:token"],
  claims: async (token, socket) => {
    const name: string | undefined = socket?.data.name;
    const sub: string = token.sub;
    return sub === name ? { roles: ["admin"] } : false;
  },
});
const realtime = new Realtime<App>({ user: auth.user, session: auth.session });

class Board extends Handler<App> {
  readonly name = "board";
  readonly events = {
    wipe: { run: "wipe", use: [auth.require("admin", { anyRole: ["a", "b"] }, { permission: "board:wipe" })] },
  } satisfies EventMap<Board, App>;
  wipe() {
    return 1;
  }
}
class Guarded extends Handler<App> {
  readonly name = "guarded";
  readonly events = { wipe: { run: auth.guard("admin"), guard: true } } satisfies EventMap<Guarded, App>;
}
new ServiceManager<App>()
  .registerHandler(auth)
  .registerHandler(realtime)
  .registerHandler(new Board())
  .registerHandler(new Guarded());

declare const request: express.Request;
const claims: Claims = await auth.verify(request);
const plain: TokenRequest = request;
const user: string = (await auth.verify(plain)).user ?? claims.user;
const { sockets, complete }: { sockets: number; complete: boolean } = await auth.revoke({ user });
await auth.revoke({ session: "s" }, { message: `${sockets} ${complete}` });

declare const socket: Socket<ServerToClient, ClientToServer>;
const client = createClient<App>(socket);
const kept = keepAuthenticated(client, {
  token: () => "t",
  onEnded: ({ code, details, retryAfterMs }) => [code, details, retryAfterMs],
});
await kept.refresh();
kept();
keepAuthenticated(createClient(socket), { token: async () => undefined });

// --- and these are no programs ----------------------------------------------------------------------------------------------------

// @ts-expect-error -- no such option
new Auth({ secret: "x", audiences: "chat" });
// @ts-expect-error -- no such place
new Auth({ secret: "x", from: ["body"] });
// @ts-expect-error -- a token is a string
new Auth({ secret: "x", claims: () => ({ roles: "admin" }) });
// @ts-expect-error -- nobody has a number
auth.require(5);
// @ts-expect-error -- one or the other
auth.require({ roles: ["admin"] });
// @ts-expect-error -- whom?
void auth.revoke({});
// @ts-expect-error -- a token comes from somewhere
keepAuthenticated(client, { onEnded: () => undefined });
// @ts-expect-error -- a token is a string
keepAuthenticated(client, { token: () => 5 });
// @ts-expect-error -- a store has two methods
new Auth({ secret: "x", revocations: { revoke: () => undefined } });
