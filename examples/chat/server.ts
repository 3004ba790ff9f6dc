// npm start, then open the address that it prints, in two windows.

import { createServer } from "node:http";
import express from "express";
import { Server } from "socket.io";
import { ServiceManager } from "socket-ingress";
import { Realtime } from "socket-ingress/realtime";
import { listen, portFromEnvironment } from "../page/listen.js";
import { servePage } from "../page/serve-page.js";
import type { App } from "./app.js";
import { eventTable, topicTable } from "./event-table.js";
import { FaultsHandler } from "./faults-handler.js";
import { ModerationHandler } from "./moderation-handler.js";
import { RoomsController } from "./rooms-controller.js";
import { handshakeSessions, sessionOf, sessions, signInRoutes } from "./sessions.js";

const port = portFromEnvironment();
const realtime = new Realtime<App>({
  user: (socket) => sessionOf(socket).user,
  session: (socket) => sessionOf(socket).id,
  presence: { graceMs: 1_500 }, // a reload is no goodbye
});

const web = express()
  .use(sessions)
  .use(signInRoutes(realtime))
  .use(await servePage(new URL("./public", import.meta.url), new URL("./browser/main.ts", import.meta.url)));

const httpServer = createServer(web);
const io: App = new Server(httpServer);
io.engine.use(handshakeSessions);

const manager = new ServiceManager<App>(io)
  .registerHandler(realtime)
  .registerHandler(new ModerationHandler())
  .registerHandler(new FaultsHandler())
  .registerController(new RoomsController());
// One place for what goes wrong anywhere; what a client is to blame for is no news.
manager.ingress.subscribeErrorDefault((error, { code, event, handler, method }) => {
  if (code === "INTERNAL" || code === "TIMEOUT") console.error(`${handler}.${method} failed on "${event}":`, error);
});
await manager.boot();
manager.shutdownOnSignals(); // SIGINT, SIGTERM: finish what runs, then close

const url = await listen(httpServer, port);
const events = eventTable(manager.describe(), manager.ingress.timeoutMs);
console.log(`${events}\n\n${topicTable(realtime.topics.describe())}\n\nlistening on ${url}`);
