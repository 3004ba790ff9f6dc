import { Server } from "socket.io";
import { ServiceManager } from "socket-ingress";
import { Limits } from "socket-ingress/limits";
import { Realtime } from "socket-ingress/realtime";
import { ownPlace } from "../page/place.js";
import { servePage } from "../page/serve-page.js";
import type { App } from "./app.js";
import { FaultsHandler } from "./faults-handler.js";
import { ModerationHandler } from "./moderation-handler.js";
import { RoomsController } from "./rooms-controller.js";
import { handshakeSessions, sessionOf, sessions, signInRoutes } from "./sessions.js";
import { auth, tokenRoutes } from "./tokens.js";

/** Makes the program; neither booted nor listening. */
export async function makeManager({ httpServer, web, path } = ownPlace()): Promise<ServiceManager<App>> {
  const realtime = new Realtime<App>({
    user: auth.user,
    session: (socket) => sessionOf(socket).id,
    presence: { graceMs: 1_500 }, // a reload is no goodbye
  });

  const limits = Limits.recommended<App>({ realtime, trustProxy: 0 });
  limits.rate({ name: "talk", events: ["message"], points: 8, durationMs: 5_000, by: "user" });

  web
    .use(sessions)
    .use(signInRoutes(realtime))
    .use(tokenRoutes())
    .use(await servePage(new URL("./public", import.meta.url), new URL("./browser/main.ts", import.meta.url)));

  const io: App = new Server(httpServer, { path: `${path}socket.io` });
  io.engine.use(handshakeSessions);

  const manager = new ServiceManager<App>(io)
    .registerHandler(auth)
    .registerHandler(realtime)
    .registerHandler(limits)
    .registerHandler(new ModerationHandler())
    .registerHandler(new FaultsHandler())
    .registerController(new RoomsController(realtime));
  // One place for what goes wrong anywhere; what a client is to blame for is no news.
  manager.ingress.subscribeErrorDefault((error, { code, event, handler, method }) => {
    if (code === "INTERNAL" || code === "TIMEOUT") console.error(`${handler}.${method} failed on "${event}":`, error);
  });
  return manager;
}
